"""Speech that was received lies beside its trace as a WAV that everybody reads, and the trace says what it was."""

from __future__ import annotations

import base64
import io
import wave
import zlib

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run_virtual
from harness.run.folder import read_journal
from harness.run.speech import speech_path, unlike_speech, write_speech
from harness.trace.file import read_trace
from tests.run.runs import plan, run, utterance
from tests.session.memory import Service, polite


@given(heard=st.binary(max_size=200))
def test_a_wav_is_what_the_standard_library_writes(tmp_path_factory, heard):
    """Head and samples are those of Python's own writer, whatever came, half a sample at the end included."""
    expected = io.BytesIO()
    with wave.open(expected, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(heard)
    path = tmp_path_factory.mktemp("audio") / "a.wav"
    write_speech(path, heard)
    assert expected.getvalue() == path.read_bytes()


@given(pieces=st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=6))
def test_what_came_is_what_lies_there(tmp_path_factory, pieces):
    """Pieces of any length, halves of samples among them, are kept whole, and their trace has their check sum."""
    folder = tmp_path_factory.mktemp("run")
    answer = polite(" hello")

    def speaking(line, frame):
        if "activityEnd" in frame.get("realtimeInput", {}):
            for piece in pieces:
                data = base64.b64encode(piece).decode()
                part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}
                line.say({"serverContent": {"modelTurn": {"parts": [part]}}})
        answer(line, frame)

    run_virtual(run(plan([utterance(1, 0.2)]), folder, Service(speaking)))
    (record,) = read_journal(folder)
    trace, heard = read_trace(folder / record.trace), b"".join(pieces)
    assert heard == (folder / speech_path(record.trace)).read_bytes()[44:]
    assert zlib.crc32(heard) == trace.header.speech_crc32
    assert [] == list(unlike_speech(folder, trace, record.trace))
    (folder / speech_path(record.trace)).write_bytes(b"")
    (told,) = unlike_speech(folder, trace, record.trace)
    assert "is not the speech that was received" in told
