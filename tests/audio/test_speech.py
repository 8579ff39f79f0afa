"""Speech bounds on signals whose bounds are known."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import harness.audio.speech
from harness.audio.clip import AudioClip, MemoryPcm
from harness.audio.speech import speech_bounds

RATE = 16_000


def clip_of(signal):
    """Return a clip of a signal at 16 kHz and full scale ±1."""
    pcm = np.clip(np.rint(np.asarray(signal) * 32768), -32768, 32767).astype("<i2")
    return AudioClip(pcm=MemoryPcm(pcm.tobytes()))


def noise(frames, dbfs, seed=0):
    """Return white noise of that RMS."""
    return 10 ** (dbfs / 20) * np.random.default_rng(seed).standard_normal(frames)


def padded(sound, before_s, after_s, floor_dbfs=None):
    """Return a sound with silence around it, in noise of that RMS."""
    signal = np.pad(sound, (round(before_s * RATE), round(after_s * RATE)))
    return signal if floor_dbfs is None else signal + noise(len(signal), floor_dbfs)


def tone(hz, seconds, peak=0.3):
    """Return a sine."""
    return peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


FLOORS = st.sampled_from([None, -90.0, -70.0, -50.0, -40.0])


@settings(max_examples=60)
@given(
    before_s=st.floats(0.1, 2),
    after_s=st.floats(0.1, 2),
    seconds=st.floats(0.2, 3),
    hz=st.floats(200, 5_000),
    floor_dbfs=FLOORS,
)
def test_bounds_of_a_tone(before_s, after_s, seconds, hz, floor_dbfs):
    """A tone in silence or noise is found within 20 ms."""
    signal = padded(tone(hz, seconds), before_s, after_s, floor_dbfs)
    bounds = speech_bounds(clip_of(signal))
    assert abs(bounds.start_s - before_s) < 0.02
    assert abs(bounds.end_s - before_s - seconds) < 0.02


@settings(max_examples=40)
@given(
    before_s=st.floats(0.1, 1),
    words=st.lists(st.tuples(st.floats(0.12, 0.6), st.floats(0.05, 0.8)), min_size=1, max_size=5),
    floor_dbfs=FLOORS,
)
def test_bounds_span_all_words(before_s, words, floor_dbfs):
    """The bounds go from the first word's start to the last word's end, whatever the pauses, within 50 ms."""
    sound = np.concatenate(
        [
            np.concatenate([noise(round(word_s * RATE), -20), np.zeros(round(pause_s * RATE))])
            for word_s, pause_s in words
        ]
    )
    signal = padded(sound, before_s, 0.2, floor_dbfs)
    bounds = speech_bounds(clip_of(signal))
    end_s = before_s + sum(map(sum, words)) - words[-1][1]
    assert abs(bounds.start_s - before_s) < 0.05
    assert abs(bounds.end_s - end_s) < 0.05


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gain_db=st.floats(-30, 0), before_s=st.floats(0.2, 1))
def test_bounds_do_not_depend_on_gain(gain_db, before_s, speech):
    """A quiet recording has the bounds of a loud one, to a frame."""
    sound = padded(speech(RATE, 2.0)[:, 0], before_s, 0.5, -60.0)
    loud, quiet = (speech_bounds(clip_of(sound * gain)) for gain in (1, 10 ** (gain_db / 20)))
    assert abs(loud.start_s - quiet.start_s) <= 0.011
    assert abs(loud.end_s - quiet.end_s) <= 0.011


@pytest.mark.parametrize("block", [100, 320, 1_000, 16_001])
def test_block_size_is_invisible(speech, monkeypatch, block):
    """Bounds do not depend on how much is looked at at a time."""
    clip = clip_of(padded(speech(RATE, 2.0)[:, 0], 0.7, 0.4, -60.0))
    bounds = speech_bounds(clip)
    monkeypatch.setattr(harness.audio.speech, "_BLOCK", block)
    assert bounds == speech_bounds(clip)


def test_second_witness_for_the_bounds(speech):
    """On speech in silence librosa's own trimming agrees within its frame of 32 ms."""
    signal = padded(speech(RATE, 2.0)[:, 0], 0.8, 0.6)
    bounds = speech_bounds(clip_of(signal))
    _, (first, last) = librosa.effects.trim(signal, top_db=35, frame_length=512, hop_length=160)
    assert abs(bounds.start_s - first / RATE) < 0.032
    assert abs(bounds.end_s - last / RATE) < 0.032


@pytest.mark.parametrize(
    "signal",
    [
        np.zeros(0),
        np.zeros(1),
        np.zeros(RATE),
        np.full(RATE, 0.2),
        noise(3 * RATE, -70),
        noise(3 * RATE, -30),
        tone(440, 3),
        padded(tone(440, 1, peak=0.0005), 1, 1),
        padded(np.ones(10) * 0.9, 1, 1),
        padded(tone(50, 1), 1, 1, -60),
    ],
    ids=["empty", "one", "zeros", "dc", "hiss", "noise", "tone", "faint", "click", "hum"],
)
def test_no_speech(signal):
    """Silence, a steady sound, a click, mains hum and what is too faint are not speech."""
    assert speech_bounds(clip_of(signal)) is None


def test_click_beside_speech_is_left_out():
    """A click a second before the speech does not move its start, nor one after it its end."""
    click = np.ones(80) * 0.8
    signal = np.concatenate([np.zeros(RATE), click, padded(tone(300, 1.0), 1, 1), click])
    bounds = speech_bounds(clip_of(padded(signal, 0, 0.5, -70)))
    assert abs(bounds.start_s - 2.005) < 0.02
    assert abs(bounds.end_s - 3.005) < 0.02


def test_speech_at_the_edges_begins_and_ends_with_the_clip(speech):
    """Where speech is cut off by the clip's edges, the bounds are the clip's."""
    signal = np.concatenate([tone(300, 1.0), np.zeros(RATE), tone(300, 1.0)])
    bounds = speech_bounds(clip_of(signal))
    assert (0.0, 3.0) == (bounds.start_s, bounds.end_s)


def test_padding_with_zeros_does_not_hide_the_noise(speech):
    """Digital silence around a noisy recording does not make its noise speech."""
    noisy = padded(speech(RATE, 2.0)[:, 0], 0.5, 0.5, -50.0)
    bounds = speech_bounds(clip_of(padded(noisy, 1.0, 1.0)))
    plain = speech_bounds(clip_of(noisy))
    assert abs(bounds.start_s - 1.0 - plain.start_s) < 0.03
    assert abs(bounds.end_s - 1.0 - plain.end_s) < 0.03


@pytest.mark.parametrize("snr_db", [30.0, 20.0, 10.0])
def test_the_noise_beside_a_sound_is_measured(snr_db):
    """A sound in white noise of known power stands out from it by as much, within 2 dB."""
    sound = tone(440, 1.5, peak=0.3)
    floor_dbfs = 10 * np.log10(0.3**2 / 2) - snr_db
    # The band of speech holds that share of the noise's power.
    in_band_db = 10 * np.log10((7_500 - 150) / 8_000)
    bounds = speech_bounds(clip_of(padded(sound, 0.7, 0.7, floor_dbfs)))
    assert snr_db - in_band_db == pytest.approx(bounds.snr_db, abs=2.0)
