"""Signals and files that the tests of audio make themselves."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile


def speechlike(rate, seconds, channels=1, seed=0):
    """Return a signal with the ups and downs of speech, float32, shape (frames, channels), peak about 0.6."""
    frames = round(rate * seconds)
    t = np.arange(frames)[:, None] / rate
    pitch = 120 + 40 * np.arange(1, channels + 1)
    voice = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 12))
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * t)
    noise = np.random.default_rng(seed).standard_normal((frames, channels))
    return (0.3 * voice * syllables + 0.003 * noise).astype(np.float32)


@pytest.fixture
def written(tmp_path):
    """Return a function that writes samples to a file of any format and gives its path."""

    def write(samples, rate, *, name="clip.wav", kind=None, coding=None):
        samples = np.asarray(samples)
        path = tmp_path / name
        with soundfile.SoundFile(
            path,
            "w",
            samplerate=rate,
            channels=1 if samples.ndim == 1 else samples.shape[1],
            format=kind,
            subtype=coding,
        ) as file:
            # In pieces: libsndfile 1.2.2 overflows its stack on long Vorbis writes.
            for first in range(0, len(samples), 4096):
                file.write(samples[first : first + 4096])
        return path

    return write


@pytest.fixture
def speech():
    """Return the function that makes a speech-like signal."""
    return speechlike
