"""Dividing long clips."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.audio.clip import AudioClip, MemoryPcm
from harness.audio.cuts import quiet_cuts


def clip(signal) -> AudioClip:
    """Return int16 samples as a clip."""
    return AudioClip(pcm=MemoryPcm(np.asarray(signal, "<i2").tobytes()))


@given(st.floats(0.0, 60.0), st.floats(5.0, 20.0), st.integers(0, 5))
def test_no_part_is_longer_than_allowed(seconds, longest_s, seed):
    """The parts between cuts are in order, cover the clip, and none is longer than asked for."""
    noise = np.random.default_rng(seed).integers(-500, 500, round(seconds * 16000))
    edges = [0, *quiet_cuts(clip(noise), longest_s), len(noise)]
    assert sorted(edges) == edges
    assert all(b - a <= round(longest_s * 16000) for a, b in pairwise(edges))


def test_a_clip_that_fits_is_not_cut():
    """A clip no longer than a part may be has no cut."""
    assert () == quiet_cuts(clip(np.ones(16000 * 10)), 10.0)


def test_the_cut_lies_in_the_pause():
    """With one pause in the last tenth of a part, the cut is inside that pause."""
    signal = np.random.default_rng(0).integers(-8000, 8000, 16000 * 15)
    pause = slice(round(9.3 * 16000), round(9.8 * 16000))
    signal[pause] = 0
    (cut,) = quiet_cuts(clip(signal), 10.0)
    assert pause.start < cut < pause.stop
