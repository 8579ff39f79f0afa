"""What an opened audio file is to this room, whichever library reads it: its header's facts, and blocks of samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from harness.units import Samples, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    FloatBlock = NDArray[np.float32]
    """Decoded samples at full scale ±1, shape (frames, channels); mixed to mono: (frames,)."""

BLOCK: Samples = 131_072
"""Samples decoded at a time, all channels together: 3 s of 44.1 kHz mono, 512 KiB. Smaller blocks take a few per cent more,
larger ones no less."""

PCM16_FULL_SCALE: Final = 32767 / 32768
"""Largest value of a 16-bit sample, and so of what we stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInfo:
    """What a file's header says."""

    frames: Samples | None
    """Samples of each channel; None: the header leaves it open. An estimate in what FFmpeg reads (m4a, webm)."""

    rate: int
    """Samples a second, Hz."""

    channels: int
    """How many channels, at least 1."""

    format: str
    """`container/coding`: `WAV/PCM_16`, `OGG/OPUS`, `mov/aac`."""

    @property
    def duration_s(self) -> Seconds | None:
        """Length in seconds; None: the header leaves it open."""
        return None if self.frames is None else self.frames / self.rate


class Source(Protocol):
    """An opened audio file."""

    info: AudioInfo

    full_scale: float
    """Smallest magnitude at which a sample of this coding is at full scale."""

    slack_s: Seconds
    """How much longer than its samples the header may call the file without lying, s."""

    plain_start: Samples | None
    """Where 16 kHz mono s16le lies in the file, in samples from its first byte; None: it holds something else."""

    faults: list[str]
    """What was found wrong with the file so far, in words; complete when `blocks` has ended."""

    def blocks(self, start: Samples, count: Samples | None) -> Iterator[FloatBlock]:
        """Yield `count` frames from `start`, or all from there; fewer where the file ends or is damaged.

        A block may be changed by its taker, and is overwritten by the next.
        """
        ...


def shown(path: Path) -> str:
    """Return a path as it is safe to print: control characters of a hostile name are escaped."""
    name = str(path)
    return name if name.isprintable() else ascii(name)
