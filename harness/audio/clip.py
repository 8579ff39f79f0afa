"""`AudioClip`: 16-bit 16 kHz mono PCM of any length, read in blocks.

Knows samples; does not know files' formats (that is `load`) nor when a sample is due (that is `chunk`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Samples, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


BLOCK: Final[Samples] = 65_536
"""Samples read at a time where nothing else is said: 128 KiB."""

_BINARY: Final = getattr(os, "O_BINARY", 0)
"""Windows takes a file for text without; it has no `pread` either."""


class Pcm(Protocol):
    """Where a clip's samples lie: s16le mono PCM at 16 kHz."""

    def __len__(self) -> Samples:
        """Return how many samples there are."""
        ...

    def read(self, offset: Samples, count: Samples) -> bytes:
        """Return up to `count` samples from `offset` as s16le bytes; fewer only at the end."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryPcm:
    """Samples held in memory: right for an utterance."""

    data: bytes

    def __len__(self) -> Samples:
        return len(self.data) // SAMPLE_BYTES

    def read(self, offset: Samples, count: Samples) -> bytes:
        """Return up to `count` samples from `offset` as s16le bytes."""
        return self.data[offset * SAMPLE_BYTES : (offset + count) * SAMPLE_BYTES]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class FilePcm:
    """Samples in a file, read when asked for: a ten-hour clip costs no more memory than a short one."""

    path: Path
    """The file that holds them as s16le, uninterrupted."""

    start: Samples
    """Where they begin, in samples from the file's first byte."""

    count: Samples
    """How many there are."""

    def __len__(self) -> Samples:
        return self.count

    def read(self, offset: Samples, count: Samples) -> bytes:
        """Return up to `count` samples from `offset` as s16le bytes; OSError when the file is gone."""
        size = max(0, min(count, self.count - offset)) * SAMPLE_BYTES
        at = (self.start + offset) * SAMPLE_BYTES
        fd = os.open(self.path, os.O_RDONLY | _BINARY)
        try:
            os.lseek(fd, at, os.SEEK_SET)
            data = os.read(fd, size)
            # One read is one system call, and some file systems answer it with less than there is.
            while len(data) < size and (more := os.read(fd, size - len(data))):
                data += more
            return data
        finally:
            os.close(fd)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioClip:
    """PCM to stream: int16, mono, 16 000 Hz; read-only; duration = samples / 16 000."""

    pcm: Pcm
    """The samples."""

    faults: tuple[str, ...] = ()
    """What is wrong with the signal though it can be streamed: `clipping: …`, `silence: …`, in words."""

    converted: bool = False
    """True: its samples were decoded or resampled; False: they lie so in a file, or were made."""

    def __len__(self) -> Samples:
        return len(self.pcm)

    @property
    def duration(self) -> Seconds:
        """Length in seconds."""
        return len(self.pcm) / SAMPLE_RATE

    def read(self, offset: Samples, count: Samples) -> bytes:
        """Return up to `count` samples from `offset` as s16le bytes."""
        return self.pcm.read(offset, count)

    def blocks(self, count: Samples = BLOCK) -> Iterator[bytes]:
        """Yield the whole clip in blocks of `count` samples as s16le bytes; the last may be shorter."""
        for offset in range(0, len(self.pcm), count):
            yield self.pcm.read(offset, count)
