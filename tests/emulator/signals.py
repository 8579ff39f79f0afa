"""Sounds whose bounds are known exactly."""

from __future__ import annotations

import numpy as np

RATE = 16_000


def burst(seconds: float, *, rate: int = RATE, dbfs: float = -20.0, seed: int = 0) -> bytes:
    """Return noise at a steady level: speech to an activity detector."""
    noise = np.random.default_rng(seed).uniform(-1, 1, round(seconds * rate)) * np.sqrt(3)
    return (noise * 32767 * 10 ** (dbfs / 20)).clip(-32767, 32767).astype("<i2").tobytes()


def hush(seconds: float, *, rate: int = RATE, dbfs: float = -75.0) -> bytes:
    """Return the noise of a quiet room."""
    return burst(seconds, rate=rate, dbfs=dbfs, seed=1)


def seconds_of(pcm: bytes) -> float:
    """Return how long 16 kHz PCM is."""
    return len(pcm) / 2 / RATE
