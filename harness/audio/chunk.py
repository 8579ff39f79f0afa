"""`Chunk`: what one frame carries, and when it is due.

A microphone can hand over a chunk only when its last sample has been recorded. So with the first sample due at
t = 0, sample i is due at i / 16 000 s and a chunk when the sample after its last one is (decision 0002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Milliseconds, Samples, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.audio.clip import AudioClip


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a clip. Chunks of a clip concatenate to the clip."""

    offset: Samples
    """Index of the first sample in the clip."""

    samples: Samples
    """How many samples it holds, at least 1."""

    pcm: bytes
    """The samples, s16le."""

    due_s: Seconds
    """When its last sample has been recorded, in seconds of audio from the due time of the clip's first sample."""


def due(end: Samples, pace: float) -> Seconds:
    """Return when the samples before index `end` are due, in s from t = 0; 0 at once when `pace` is 0 (no pacing)."""
    return end / SAMPLE_RATE / pace if pace else 0.0


def chunk_samples(chunk_ms: Milliseconds) -> Samples:
    """Return the samples of a chunk of `chunk_ms`, at least 1."""
    return max(1, round(chunk_ms * SAMPLE_RATE / 1000))


def chunks(clip: AudioClip, chunk_ms: Milliseconds) -> Iterator[Chunk]:
    """Yield the clip in chunks of `chunk_ms` (the last may be shorter)."""
    size = chunk_samples(chunk_ms)
    for offset in range(0, len(clip), size):
        pcm = clip.read(offset, size)
        samples = len(pcm) // SAMPLE_BYTES
        yield Chunk(offset=offset, samples=samples, pcm=pcm, due_s=due(offset + samples, 1.0))
