"""What an ear of ours heard: kept beside the journal, line by line, and never trusted over the WAV itself."""

from __future__ import annotations

import resource

import msgspec
import pytest

from harness.errors import InputError
from harness.run.heard import (
    HEARD,
    HeardSpeech,
    changed,
    digest,
    mend_heard,
    read_heard,
    speech_file,
    write_heard,
)
from harness.run.record import Exchange, UtteranceRecord


def line(audio="audio/a.wav", text="hello", **more):
    """Return what an ear heard in a WAV."""
    usual = {"sha256": "0" * 64, "ear": "an ear 1.0", "language": "en"}
    return HeardSpeech(audio=audio, text=text, **usual | more)


def record(**more):
    """Return the record of an attempt that brought speech."""
    usual = {
        "utterance": "u1",
        "dataset": "d",
        "locale": "en-US",
        "model": "m",
        "repeat": 1,
        "attempt": 1,
        "final": True,
        "trace": "traces/u1-m-r1-a1-00000000.jsonl.gz",
        "outcome": "ok",
        "started_at": "2026-01-01T00:00:00Z",
        "exchange": Exchange(speech_s=1.0),
    }
    return UtteranceRecord(**usual | more)


def test_what_is_written_is_read_and_the_newest_counts(tmp_path):
    """Every line is there as soon as it is written; of two of one WAV the later one counts."""
    assert {} == read_heard(tmp_path)
    write_heard(tmp_path, line())
    write_heard(tmp_path, line("audio/b.wav", "other"))
    write_heard(tmp_path, line(text="hello again", ear="another ear"))
    found = read_heard(tmp_path)
    assert ["hello again", "other"] == [found[f"audio/{name}.wav"].text for name in "ab"]


def test_a_torn_line_is_passed_over_and_cut_off(tmp_path):
    """Half a line is heard again; what stands before it stays, and so does what is written after it was cut off."""
    mend_heard(tmp_path)
    whole = msgspec.json.encode(line()) + b"\n"
    for kept in range(len(whole)):
        (tmp_path / HEARD).write_bytes(whole + whole[:kept])
        assert ["audio/a.wav"] == list(read_heard(tmp_path))
        mend_heard(tmp_path)
        write_heard(tmp_path, line("audio/b.wav"))
        assert ["audio/a.wav", "audio/b.wav"] == list(read_heard(tmp_path))


def test_a_line_that_the_disk_has_no_room_for_is_an_error(tmp_path):
    """Half a line is not taken for written: the next one would stand behind it, and neither could be read."""
    write_heard(tmp_path, line())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / HEARD).stat().st_size + 10, hard))
    try:
        with pytest.raises(InputError, match=f"{HEARD}: cannot be written"):
            write_heard(tmp_path, line("audio/b.wav"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    mend_heard(tmp_path)
    write_heard(tmp_path, line("audio/c.wav"))
    assert ["audio/a.wav", "audio/c.wav"] == list(read_heard(tmp_path))


@pytest.mark.parametrize("broken", [b"{}\n", b"no\n", b"\xff\n", b"[" * 5000 + b"\n"])
def test_a_line_that_is_none_is_named(tmp_path, broken):
    """A line in the midst that cannot be read is an error with its number, not a WAV that nobody heard."""
    (tmp_path / HEARD).write_bytes(msgspec.json.encode(line()) + b"\n" + broken)
    with pytest.raises(InputError, match=rf"{HEARD}:2"):
        read_heard(tmp_path)


def test_speech_lies_beside_its_trace():
    """An attempt's speech is the WAV of its trace's name; without speech, or without a trace, there is none."""
    assert "audio/u1-m-r1-a1-00000000.wav" == speech_file(record())
    assert speech_file(record(exchange=Exchange())) is None
    assert speech_file(record(exchange=None)) is None
    assert speech_file(record(trace=None)) is None


def test_another_wav_is_told(tmp_path):
    """A WAV that is not what the ear heard any more, or is gone, is named; one that is stays unsaid."""
    (tmp_path / "audio").mkdir()
    wav = tmp_path / "audio" / "a.wav"
    wav.write_bytes(b"RIFF")
    heard = [line(sha256=digest(wav))]
    assert [] == list(changed(tmp_path, heard))
    wav.write_bytes(b"RIFX")
    assert ["audio/a.wav is not what an ear 1.0 heard"] == list(changed(tmp_path, heard))
    wav.unlink()
    assert ["audio/a.wav: No such file or directory"] == list(changed(tmp_path, heard))
