"""Clips made small: what can be heard and seen of them is what was said."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from harness.audio.clip import AudioClip, MemoryPcm
from harness.audio.encode import mp3, outline


def clip(samples) -> AudioClip:
    """Return a clip of samples."""
    return AudioClip(pcm=MemoryPcm(np.asarray(samples, dtype="<i2").tobytes()))


def chirps(seconds: float) -> np.ndarray:
    """Return a sound that is like itself nowhere else: a tone that rises, in bursts."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    return np.sin(2 * np.pi * (200 + 150 * t) * t) * (np.sin(2 * np.pi * 1.3 * t) > 0) * 12_000


@pytest.mark.parametrize("seconds", [0.05, 1.0, 7.3])
def test_an_mp3_is_the_clip(seconds):
    """What comes back is at 16 kHz, as long as the clip to a tenth of a second, and at its time to the millisecond."""
    said = chirps(seconds)
    heard, rate = soundfile.read(io.BytesIO(mp3(clip(said))))
    assert 16_000 == rate
    assert abs(len(heard) / rate - seconds) < 0.1
    if seconds >= 1:
        length = min(len(said), len(heard)) - 1000
        likeness = [
            heard[500 + lag : 500 + lag + length] @ said[500 : 500 + length]
            for lag in range(-400, 401)
        ]
        assert abs(int(np.argmax(likeness)) - 400) <= 16


def test_an_mp3_is_small_and_the_same_every_time():
    """A second takes 2 to 3 kB, and the same clip gives the same bytes."""
    said = clip(np.random.default_rng(0).normal(0, 3000, 160_000))
    first = mp3(said)
    assert 18_000 < len(first) < 33_000
    assert first == mp3(said)


@given(
    samples=st.lists(st.integers(-32768, 32767), min_size=1, max_size=400),
    columns=st.integers(1, 120),
)
def test_an_outline_bounds_every_sample(samples, columns):
    """Each column holds the least and the most of its own part; together they hold every sample once."""
    found = outline(clip(samples), columns)
    assert (min(columns, len(samples)), 2) == found.shape
    parts = [len(part) for part in np.array_split(samples, len(found))]
    assert len(samples) == sum(parts)
    assert (min(samples), max(samples)) == (found[:, 0].min(), found[:, 1].max())
    start = 0
    for column, (low, high) in enumerate(found):
        end = len(samples) * (column + 1) // len(found)
        assert (min(samples[start:end]), max(samples[start:end])) == (low, high)
        start = end
