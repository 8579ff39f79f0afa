"""Where speech is in a stream of PCM, frame by frame as it arrives.

A frame is speech when it stands out from the background: louder than the quietest moment of the last seconds by a
margin, and above what a quiet room has. Knows energy; does not know words, turns or time: a fan that is switched on is
speech until the floor has risen to it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Samples

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAME: Final[Samples] = 320
"""Samples that are judged together: 20 ms."""

FRAME_BYTES: Final = FRAME * SAMPLE_BYTES
FRAME_MS: Final = 1000 * FRAME // SAMPLE_RATE

_LEAST_DBFS: Final = -96.0
"""What digital silence is taken for: the last bit of 16-bit PCM."""

_QUIET_ROOM_DBFS: Final = -62.0
"""Lowest that the floor is taken to be, and what is assumed before anything was heard."""

_FLOOR_BLOCKS: Final = 6
_BLOCK_FRAMES: Final = 25
"""The floor is the quietest of six blocks of 0.5 s: speech has a quieter moment within 3 s."""

_SMOOTHING_FRAMES: Final = 3
"""The floor is taken from runs of 60 ms, so that one quiet frame in noise does not make it."""

_BELOW_PEAK_DB: Final = 40.0
"""What is further than this below the loudest frame of the last seconds is no speech but reverberation or breath."""

_PEAK_DECAY_DB: Final = 0.1
"""The remembered peak sinks by this much a frame: 5 dB a second."""


class SpeechDetector:
    """Says of every 20 ms whether there is speech in it."""

    def __init__(self, margin_db: float) -> None:
        self.margin_db = margin_db
        """How far above the background speech is, dB."""

        self._rest = b""
        self._recent: deque[float] = deque(maxlen=_SMOOTHING_FRAMES)
        self._blocks: deque[float] = deque([_QUIET_ROOM_DBFS], maxlen=_FLOOR_BLOCKS)
        self._block = 0.0
        self._in_block = 0
        self._peak = _LEAST_DBFS

    def feed(self, pcm: bytes) -> Iterator[tuple[bytes, bool, float]]:
        """Yield the frames that `pcm` completes: their PCM, whether they are speech, and their level in dBFS."""
        data = self._rest + pcm
        whole = len(data) - len(data) % FRAME_BYTES
        self._rest = data[whole:]
        for index, level in enumerate(_levels(data[:whole])):
            frame = data[index * FRAME_BYTES : (index + 1) * FRAME_BYTES]
            yield frame, self._is_speech(level), level

    def flush(self) -> bytes:
        """Return the samples that make no whole frame, and forget them."""
        rest, self._rest = self._rest, b""
        return rest

    def _is_speech(self, level: float) -> bool:
        self._peak = max(level, self._peak - _PEAK_DECAY_DB)
        threshold = max(self._floor() + self.margin_db, self._peak - _BELOW_PEAK_DB)
        self._note(level)
        return level > threshold

    def _floor(self) -> float:
        return max(_QUIET_ROOM_DBFS, min(self._blocks))

    def _note(self, level: float) -> None:
        """Keep the quietest smoothed level of each half second."""
        self._recent.append(level)
        smoothed = sum(self._recent) / len(self._recent)
        self._block = min(self._block, smoothed)
        self._in_block += 1
        if self._in_block == _BLOCK_FRAMES:
            self._blocks.append(self._block)
            self._block, self._in_block = 0.0, 0


def _levels(pcm: bytes) -> list[float]:
    """Return the level of each frame without its constant part, dBFS: a full-scale square wave has 0."""
    import numpy as np

    if not pcm:
        return []
    frames = np.frombuffer(pcm, dtype="<i2").reshape(-1, FRAME).astype(np.float32) / 32768
    power = np.maximum(frames.var(axis=1), 10 ** (_LEAST_DBFS / 10))
    levels: list[float] = (10 * np.log10(power)).tolist()
    return levels
