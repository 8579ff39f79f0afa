"""Where the sound of a clip begins, roughly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audio.clip import AudioClip, MemoryPcm
from harness.audio.cuts import first_sound


def clip(*parts: tuple[float, float]) -> AudioClip:
    """Return a clip of tones, each of so many seconds at such an amplitude."""
    pieces = [
        amplitude * np.sin(2 * np.pi * 440 * np.arange(round(seconds * 16_000)) / 16_000)
        for seconds, amplitude in parts
    ]
    samples = np.concatenate([np.zeros(0), *pieces]).astype("<i2")
    return AudioClip(pcm=MemoryPcm(samples.tobytes()))


@given(st.floats(0, 2), st.floats(0.02, 1))
def test_sound_begins_where_silence_ends(quiet_s, loud_s):
    """After silence of any length the tone is found, to within the 10 ms of a frame."""
    found = first_sound(clip((quiet_s, 0), (loud_s, 8000)))
    assert quiet_s == pytest.approx(found / 16_000, abs=0.0105)


def test_noise_before_the_sound_is_no_sound():
    """What is less than a tenth as loud as the loudest does not count."""
    assert 8_000 == first_sound(clip((0.5, 500), (0.5, 8000)))
    assert 0 == first_sound(clip((0.5, 1500), (0.5, 8000)))


@pytest.mark.parametrize("silent", [clip(), clip((1.0, 0)), clip((0.001, 9))])
def test_silence_begins_at_once(silent):
    """A clip without sound, or shorter than a frame, begins with its first sample."""
    assert 0 == first_sound(silent)
