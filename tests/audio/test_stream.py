"""PCM that arrives bit by bit at any rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.audio.stream import StreamResampler

RATES = [4_000, 8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000]


def tone(rate: int, seconds: float = 1.0, hz: float = 440.0) -> np.ndarray:
    """Return a pure tone at half of full scale, float."""
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)


def pcm(samples: np.ndarray) -> bytes:
    """Return samples as s16le."""
    return np.rint(samples * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_stays_the_tone(rate):
    """At whatever rate a second of a tone came, it is the same second at 16 kHz: the formula's own samples."""
    resampler = StreamResampler(rate)
    out = np.frombuffer(resampler.feed(pcm(tone(rate))) + resampler.flush(), "<i2") / 32767
    assert abs(len(out) - 16_000) <= 1
    inner = slice(800, 15_000)  # the ends have nothing beyond them to be made of
    assert tone(16_000)[inner] == pytest.approx(out[inner], abs=2e-3)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(RATES), st.lists(st.integers(1, 3000), min_size=1, max_size=12))
def test_pieces_change_nothing(rate, sizes):
    """However a stream is cut, what goes out is the same."""
    whole = pcm(tone(rate, sum(sizes) / rate))
    at_once, bit_by_bit = StreamResampler(rate), StreamResampler(rate)
    pieces, start = [], 0
    for size in sizes:
        pieces.append(bit_by_bit.feed(whole[start : start + 2 * size]))
        start += 2 * size
    pieces.append(bit_by_bit.feed(whole[start:]) + bit_by_bit.flush())
    assert at_once.feed(whole) + at_once.flush() == b"".join(pieces)
