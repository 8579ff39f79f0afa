"""The committed sample is what the code makes."""

from __future__ import annotations

import asyncio
import hashlib
import json

import msgspec
import pytest

from harness.clock import run_virtual
from harness.emulator.ear.ear import Appetite, EarLostError
from tests.sample.alike import alike, differences
from tests.sample.made import HEARD, ROOT, SAMPLE, make_sample
from tests.sample.replay import (
    Heard,
    Recorder,
    Recording,
    Replayed,
    read_recording,
    recording_bytes,
)


def test_the_sample_is_made_again(tmp_path, monkeypatch):
    """What is committed in reports/sample is what `make sample` makes, file by file; if not, run that and look."""
    monkeypatch.chdir(ROOT)
    make_sample(tmp_path / "sample", Replayed(read_recording(HEARD)))
    assert [] == differences(tmp_path / "sample", SAMPLE)


def test_the_sample_says_that_it_was_replayed():
    """Nobody can take the sample for a measurement: its label names the recogniser and that it was replayed."""
    (label,) = json.loads((SAMPLE / "summary.json").read_bytes())["labels"]
    assert "emulated" == label["kind"]
    assert label["text"].startswith("EMULATED (whisper-")
    assert label["text"].endswith(", replayed)")


def test_the_sample_is_small_and_knows_no_machine():
    """The committed folder stays below 3 MB, and no file of it tells of the machine that made it."""
    files = [path for path in SAMPLE.rglob("*") if path.is_file()]
    assert 3_000_000 > sum(path.stat().st_size for path in files)
    for path in files:
        assert str(ROOT).encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("rate 0.125", "rate 0.125", True),
        ("rate 0.1250000000000001", "rate 0.1249999999999999", True),
        ("7.8 %", "7.9 %", True),
        ("7.8 %", "8.0 %", False),
        ("0.1250001", "0.1250009", False),
        ("37 of 37", "36 of 37", False),
        ("said", "heard", False),
        ("1 2", "1", False),
    ],
)
def test_only_last_digits_may_differ(one, other, expected):
    """Words and whole numbers must be equal; a decimal may differ by one in its last place."""
    assert expected is alike(one, other)


def test_a_changed_file_is_noticed(tmp_path):
    """A file that is gone, new or says something else is a difference."""
    for name, text in (("made", "rate 0.5"), ("kept", "rate 0.7")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.md").write_text(text)
    (tmp_path / "made" / "new.csv").touch()
    (tmp_path / "kept" / "gone.csv").touch()
    assert ["gone.csv: gone", "new.csv: new", "summary.md: says something else"] == differences(
        tmp_path / "made", tmp_path / "kept"
    )


class Parrot:
    """A recogniser that says how many bytes it was given."""

    name = "parrot"
    appetite = Appetite(piece_s=0.5, trimmed=False)
    language = "en"

    def listener(self, languages):
        return self

    def hear(self, pcm, *, last):
        return f" {len(pcm)}" if last else ""


async def _heard(ear, *pieces):
    listening = ear.listen()
    return [text for piece in pieces async for text in listening.hear(piece, last=True)]


def test_what_was_recorded_is_played_back():
    """A recording that was kept and read again is heard as the recogniser heard it, under its name and with its appetite."""
    recorder = Recorder(Parrot())
    assert [" 2", " 4"] == run_virtual(_heard(recorder, b"ab", b"abcd"))
    kept = msgspec.json.decode(recording_bytes(recorder.recording), type=Recording)

    async def again():
        ear = Replayed(kept)
        return ear, await _heard(ear, b"abcd", b"ab")

    ear, texts = run_virtual(again())
    assert [" 4", " 2"] == texts
    assert ("parrot, replayed", recorder.appetite) == (ear.name, ear.appetite)


def test_phrases_are_heard_one_after_the_other():
    """Two sessions that speak at once wait for each other, as they do for a recogniser with one thread."""
    heard = Heard(text="x", language=None, took_s=2.0)
    recording = Recording(
        ear="e", piece_s=None, trimmed=True, pieces={hashlib.sha256(b"ab").hexdigest(): heard}
    )

    async def both():
        ear = Replayed(recording)
        await asyncio.gather(_heard(ear, b"ab"), _heard(ear, b"ab"))
        return asyncio.get_running_loop().time()

    assert 4.0 == pytest.approx(run_virtual(both()))


def test_what_was_never_recorded_is_not_made_up():
    """Audio that no recogniser heard ends the ear, and with it the session."""

    async def listen():
        return await _heard(
            Replayed(Recording(ear="e", piece_s=None, trimmed=True, pieces={})), b"ab"
        )

    with pytest.raises(EarLostError, match="not in the recording"):
        run_virtual(listen())
