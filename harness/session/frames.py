"""A clip's audio messages, made once and kept for every session that streams the clip.

Knows samples and the wire's form of them. Does not know when a message is due, nor who sends it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.audio.chunk import chunk_samples
from harness.audio.clip import MemoryPcm
from harness.units import SAMPLE_BYTES, SAMPLE_RATE
from harness.wire.live.codec import audio_frame, audio_within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.audio.clip import AudioClip
    from harness.units import Milliseconds, Samples, Seconds


class Held(NamedTuple):
    """What messages of audio hold, one after the other."""

    size: int
    """Bytes of PCM."""

    crc32: int


def held(messages: Iterable[bytes]) -> Held:
    """Return size and checksum of the audio in `messages`, read back from them as a service would; other messages hold none."""
    pcm = b"".join(map(audio_within, messages))
    return Held(len(pcm), zlib.crc32(pcm))


@dataclass(frozen=True, slots=True)
class Block:
    """Messages that follow one another."""

    messages: tuple[bytes, ...]
    held: Held
    """What they hold, found once for all sessions."""


KEPT_S: Final[Seconds] = 30.0
"""Longest clip whose messages are all made at once and kept, s: 1.3 MB. A longer one is made a block at a time."""

BLOCK_S: Final[Seconds] = 5.0
"""Audio in a block of a longer clip, s: 0.2 MB, and as much again while the next one is made."""


class Frames:
    """A clip as messages of `chunk_ms` each, the last of a clip shorter."""

    def __init__(self, clip: AudioClip, chunk_ms: Milliseconds) -> None:
        self.clip = clip
        self.chunk_ms = chunk_ms
        self.size = chunk_samples(chunk_ms)
        """Samples a message."""

        self.slow = not isinstance(clip.pcm, MemoryPcm)
        """True: making a block reads a file, so it must be made beside the loop."""

        self._whole = len(clip) <= KEPT_S * SAMPLE_RATE
        self._kept: Block | None = None
        self._crc32: int | None = None

    def block(self, start: Samples) -> Block:
        """Return the messages from sample `start` on: to the end of a short clip, else `BLOCK_S` of them.

        OSError when the clip's file can no longer be read.
        """
        if start == 0 and self._kept is not None:
            return self._kept
        some = max(1, round(BLOCK_S * SAMPLE_RATE) // self.size) * self.size
        count = len(self.clip) - start if self._whole else some
        made = _messages(self.clip.read(start, count), self.chunk_ms)
        if self._whole and start == 0:
            self._kept = made
        return made

    def crc32(self, start: Samples, samples: Samples) -> int:
        """Return the CRC-32 of so many samples of the clip, read from the clip itself; OSError when its file is gone."""
        whole = start == 0 and samples == len(self.clip)
        if whole and self._crc32 is not None:
            return self._crc32
        found, end, most = 0, start + samples, round(KEPT_S * SAMPLE_RATE)
        for at in range(start, end, most):
            found = zlib.crc32(self.clip.read(at, min(most, end - at)), found)
        if whole:
            self._crc32 = found
        return found


@cache
def silence(samples: Samples, chunk_ms: Milliseconds) -> Block:
    """Return so much silence as messages of `chunk_ms`, the last one shorter."""
    return _messages(bytes(samples * SAMPLE_BYTES), chunk_ms)


def _messages(pcm: bytes, chunk_ms: Milliseconds) -> Block:
    size = chunk_samples(chunk_ms) * SAMPLE_BYTES
    made = tuple(audio_frame(pcm[at : at + size]) for at in range(0, len(pcm), size))
    return Block(made, held(made))
