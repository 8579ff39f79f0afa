"""The speech that a session received: a WAV beside its trace, and whether what lies there is what came.

A trace refers to samples and leaves them out, so it keeps their check sum. Knows files and traces; does not know what was said,
nor who listens.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from harness.run.folder import AUDIO
from harness.units import SAMPLE_BYTES, SPEECH_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.trace.trace import SessionTrace
    from harness.units import Samples

_HEAD: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
"""RIFF, its size, WAVE, the format chunk, the data chunk's name and size (Microsoft, Multimedia Programming Interface 1.0)."""

_MOST: Final = 2**32 - 1
_BLOCK: Final = 2**20


def speech_path(trace: str) -> str:
    """Return where the speech lies whose trace is named so, both as paths in the run folder."""
    return f"{AUDIO}/{PurePosixPath(trace).name.partition('.jsonl')[0]}.wav"


def write_speech(path: Path, heard: bytes) -> None:
    """Write speech (s16le, mono, 24 kHz) as a WAV; OSError when the place does not allow it."""
    path.write_bytes(_head(len(heard)) + heard)


def unlike_speech(folder: Path, trace: SessionTrace, told: str) -> Iterator[str]:
    """Yield in words what is wrong with the WAV of a session whose trace is named `told`; nothing when it is what came.

    Traces of earlier versions have no check sum: there the length alone is held against what they refer to.
    """
    crc32, samples = trace.header.speech_crc32, _referred(trace)
    if crc32 is None and not samples:
        return
    name = speech_path(told)
    path = folder / name
    try:
        if not path.is_file():
            yield f"{name} is missing, or no file: the speech that was received"
            return
        with path.open("rb") as file:
            head, size, found = file.read(_HEAD.size), 0, 0
            while block := file.read(_BLOCK):
                size, found = size + len(block), zlib.crc32(block, found)
    except OSError as error:
        yield f"{name}: {error.strerror}"
        return
    # Each message's samples are counted by themselves, and half of one may lie at the end.
    whole = samples * SAMPLE_BYTES <= size <= (samples + 1) * SAMPLE_BYTES
    if head != _head(size) or (not whole if crc32 is None else found != crc32):
        lengths = f"{size:,} bytes of samples, of {samples:,} samples by the trace"
        why = "its length is right, and its bytes are others" if whole else lengths
        yield f"{name} is not the speech that was received: {why}"


def _head(size: int) -> bytes:
    """Return what stands before so many bytes of samples in a WAV; what is longer than its numbers count has none of ours."""
    body, size = ((_HEAD.size - 8 + size) & _MOST, size & _MOST)
    rate = SPEECH_RATE * SAMPLE_BYTES
    form = (b"WAVE", b"fmt ", 16, 1, 1, SPEECH_RATE, rate, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    return _HEAD.pack(b"RIFF", body, *form, b"data", size)


def _referred(trace: SessionTrace) -> Samples:
    """Return how many samples of the WAV a trace refers to."""
    end = 0
    for event in trace.events:
        if event.dir != "<":
            continue
        turn = (event.frame.get("serverContent") or {}).get("modelTurn") or {}
        for part in turn.get("parts") or ():
            where = part.get("inlineData") or {}
            if "wav" in where:
                end = max(end, where["offset"] + where["samples"])
    return end
