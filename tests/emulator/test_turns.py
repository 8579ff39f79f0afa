"""Activity detection and turns, on signals whose bounds are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emulator.ear.ear import Appetite
from harness.emulator.user.activity import FRAME_BYTES, SpeechDetector
from harness.emulator.user.turns import (
    Begun,
    Detection,
    Ended,
    Piece,
    Turns,
    Usual,
    detection,
)
from harness.wire.live.messages import AutomaticActivityDetection
from tests.emulator.signals import burst, hush, seconds_of

PHRASES = Appetite(piece_s=None)
STREAM = Appetite(piece_s=0.2)
EVERYTHING = Appetite(piece_s=0.5, trimmed=False)


def steps_of(turns, pcm, chunk=3200):
    """Return what follows from `pcm` in chunks."""
    found = []
    for offset in range(0, len(pcm), chunk):
        found += list(turns.audio(pcm[offset : offset + chunk]))
    return found


def automatic(appetite=PHRASES, **asked):
    """Return turns under automatic detection as a client asks for it."""
    return Turns(appetite, detection(AutomaticActivityDetection(**asked)), manual=False)


def manual(appetite=PHRASES):
    """Return turns that a client marks, one of them begun."""
    turns = Turns(appetite, detection(None), manual=True)
    assert [Begun()] == list(turns.start())
    return turns


def pieces(steps):
    """Return the PCM of every piece."""
    return [step.pcm for step in steps if isinstance(step, Piece)]


def shape(steps):
    """Return the steps as words."""
    return [type(step).__name__ for step in steps]


def bounds(margin_db, pcm):
    """Return the first and the last moment of speech in `pcm`, s."""
    flags = [speech for _, speech, _ in SpeechDetector(margin_db).feed(pcm)]
    first = flags.index(True)
    last = len(flags) - flags[::-1].index(True)
    return first * 0.02, last * 0.02


@pytest.mark.capability("audio in: automatic activity detection", side="emulator")
@given(st.floats(0.3, 2.0), st.floats(0.3, 2.0), st.sampled_from([-12.0, -25.0, -38.0]))
def test_speech_is_found_within_a_frame(before, length, dbfs):
    """A burst is found where it is, to 20 ms on either side, loud or soft."""
    start, end = bounds(8.0, hush(before) + burst(length, dbfs=dbfs) + hush(0.5))
    assert before == pytest.approx(start, abs=0.0201)
    assert before + length == pytest.approx(end, abs=0.0201)


def test_a_steady_noise_ceases_to_be_speech():
    """A fan at -40 dBFS is the background after a few seconds, and speech still stands out from it."""
    detector = SpeechDetector(8.0)
    fan = [speech for _, speech, _ in detector.feed(burst(6.0, dbfs=-40))]
    assert not any(fan[200:])
    assert all(speech for _, speech, _ in detector.feed(burst(0.5, dbfs=-20)))


def test_digital_silence_is_no_speech():
    """Zeros are silence, from the first one on, and so is a constant offset."""
    for pcm in (bytes(64_000), b"\x00\x10" * 32_000):
        assert not any(speech for _, speech, _ in SpeechDetector(8.0).feed(pcm))


@given(st.integers(2, 9000).map(lambda n: n * 2), st.sampled_from([PHRASES, STREAM, EVERYTHING]))
def test_how_audio_is_cut_into_frames_does_not_matter(chunk, appetite):
    """The same audio gives the same steps, however the client divides it."""
    pcm = hush(0.5) + burst(1.5) + hush(0.7) + burst(1.2) + hush(1.5) + burst(1.1) + hush(0.2)

    def told(size):
        turns = automatic(appetite)
        return [*steps_of(turns, pcm, size), *turns.end()]

    assert told(len(pcm)) == told(chunk)


@given(st.lists(st.tuples(st.floats(0.05, 3.0), st.floats(0.05, 2.0)), min_size=1, max_size=5))
def test_an_ear_that_wants_everything_gets_everything(parts):
    """Between activityStart and activityEnd every byte reaches an untrimmed ear once, in order."""
    pcm = b"".join(burst(loud) + hush(quiet) for loud, quiet in parts) + b"\x01\x00"
    turns = manual(EVERYTHING)
    steps = [*steps_of(turns, pcm, 1234), *turns.end()]
    assert pcm == b"".join(pieces(steps))
    assert [False] * (len(pieces(steps)) - 1) + [True] == [
        step.last for step in steps if isinstance(step, Piece)
    ]


@given(st.lists(st.tuples(st.floats(0.05, 3.0), st.floats(0.05, 2.0)), min_size=1, max_size=5))
def test_speech_is_heard_once(parts):
    """Phrase by phrase, all speech of a turn reaches the ear, once, and never more than was sent."""
    pcm = b"".join(burst(loud) + hush(quiet) for loud, quiet in parts)
    turns = manual()
    heard = pieces([*steps_of(turns, pcm), *turns.end()])
    assert seconds_of(b"".join(heard)) <= seconds_of(pcm)
    spoken = sum(loud for loud, _ in parts)
    assert seconds_of(b"".join(heard)) >= spoken - 0.02 * len(parts) * 2


@pytest.mark.capability("audio in: sensitivities, padding, silence", side="emulator")
@pytest.mark.parametrize(
    "asked, silence, turns_heard",
    [
        ({}, 0.7, 1),
        ({}, 0.9, 2),
        ({"silence_duration_ms": 300}, 0.4, 2),
        ({"silence_duration_ms": 2000}, 1.9, 1),
        ({"end_of_speech_sensitivity": "END_SENSITIVITY_LOW"}, 1.1, 1),
        ({"end_of_speech_sensitivity": "END_SENSITIVITY_LOW"}, 1.3, 2),
    ],
)
def test_silence_ends_a_turn(asked, silence, turns_heard):
    """A pause longer than `silenceDurationMs` makes two turns of one; the default is 0.8 s, 1.2 s at low sensitivity."""
    turns = automatic(**asked)
    steps = steps_of(turns, hush(0.5) + burst(1.5) + hush(silence) + burst(1.5) + hush(2.1))
    assert ["Begun", "Ended"] * turns_heard == [s for s in shape(steps) if s != "Piece"]


@pytest.mark.capability("audio in: sensitivities, padding, silence", side="emulator")
@pytest.mark.parametrize(
    "asked, spoken, begins",
    [
        ({}, 0.06, True),
        ({"prefix_padding_ms": 300}, 0.2, False),
        ({"prefix_padding_ms": 300}, 0.4, True),
        ({"start_of_speech_sensitivity": "START_SENSITIVITY_LOW"}, 0.08, False),
        ({"start_of_speech_sensitivity": "START_SENSITIVITY_LOW"}, 0.2, True),
    ],
)
def test_speech_begins_a_turn(asked, spoken, begins):
    """A turn begins after `prefixPaddingMs` of speech, and not before."""
    steps = steps_of(automatic(**asked), hush(0.5) + burst(spoken) + hush(0.5))
    assert begins is (Begun() in steps)


@pytest.mark.capability("audio in: sensitivities, padding, silence", side="emulator")
@pytest.mark.parametrize("silence_ms", [200, 300, 800, 1240])
def test_a_turn_ends_after_just_so_much_silence(silence_ms):
    """A turn ends with the frame of 20 ms that completes `silenceDurationMs`, neither before nor after."""
    turns = automatic(silence_duration_ms=silence_ms)
    steps_of(turns, hush(0.5) + burst(1.0))
    frames = silence_ms // 20
    assert "Ended" not in shape(steps_of(turns, hush(0.02 * (frames - 1))))
    assert "Ended" in shape(steps_of(turns, hush(0.02)))


@pytest.mark.capability("audio in: sensitivities, padding, silence", side="emulator")
@pytest.mark.parametrize("prefix_ms", [20, 40, 300])
def test_a_turn_begins_after_just_so_much_speech(prefix_ms):
    """A turn begins with the frame of 20 ms that completes `prefixPaddingMs`, neither before nor after."""
    turns = automatic(prefix_padding_ms=prefix_ms)
    steps_of(turns, hush(0.5))
    spoken = burst(prefix_ms / 1000)
    assert [] == steps_of(turns, spoken[:-640])
    assert Begun() in steps_of(turns, spoken[-640:])


@pytest.mark.capability("audio in: sensitivities, padding, silence", side="emulator")
@pytest.mark.parametrize(
    "sensitivity, dbfs, begins",
    [("HIGH", -56, False), ("HIGH", -50, True), ("LOW", -50, False), ("LOW", -44, True)],
)
def test_at_low_sensitivity_speech_must_be_clearer(sensitivity, dbfs, begins):
    """Over a noise of -60 dBFS, speech 10 dB above begins a turn at HIGH alone, 16 dB above at LOW too, 4 dB at neither."""
    asked = f"START_SENSITIVITY_{sensitivity}"
    turns = automatic(start_of_speech_sensitivity=asked, prefix_padding_ms=40)
    steps = steps_of(turns, hush(2, dbfs=-60) + burst(0.5, dbfs=dbfs))
    assert begins is (Begun() in steps)


def test_the_beginning_is_not_lost():
    """What came just before a turn was committed is part of it: padding and the speech that proved it."""
    turns = automatic(prefix_padding_ms=400)
    steps = [*steps_of(turns, hush(2.0) + burst(1.0)), *turns.end()]
    (phrase,) = pieces(steps)
    assert 1.0 + 0.3 == pytest.approx(seconds_of(phrase), abs=0.05)


def test_a_pause_cuts_a_phrase_and_not_the_turn():
    """At half a second of silence a phrase is given to the ear, while the turn goes on."""
    turns = manual()
    steps = steps_of(turns, burst(1.5) + hush(0.6) + burst(1.5))
    assert ["Piece"] == shape(steps)
    assert ["Piece", "Ended"] == shape(list(turns.end()))


def test_a_long_speech_is_cut_where_it_is_quietest():
    """Without a pause, a phrase is cut within 15 s, at the quietest moment of its last three."""
    syllable = burst(0.2) + hush(0.04, dbfs=-45)
    pcm = syllable * 54 + hush(0.1) + syllable * 30
    steps = steps_of(manual(), pcm)
    assert [13.0] == [pytest.approx(seconds_of(one), abs=0.1) for one in pieces(steps)]


def test_silence_in_a_window_gives_the_ear_nothing():
    """A turn without speech begins and ends, and nobody hears it."""
    turns = manual()
    assert ["Ended"] == shape([*steps_of(turns, hush(3.0)), *turns.end()])


@pytest.mark.capability("audio in: audioStreamEnd", side="emulator")
def test_a_stream_that_ends_ends_the_turn():
    """The end of the stream ends a turn that lasts, at once, and is nothing when there is none."""
    turns = automatic()
    assert [] == list(turns.end())
    steps_of(turns, hush(0.3) + burst(1.0))
    assert ["Piece", "Ended"] == shape(list(turns.end()))
    assert [] == list(turns.end())


def test_a_streaming_ear_hears_while_audio_comes():
    """An ear that wants pieces of 0.2 s gets them within that time of their being spoken."""
    turns = manual(STREAM)
    steps = steps_of(turns, burst(1.0), FRAME_BYTES)
    assert 5 == len(pieces(steps))
    assert [True] == [step.last for step in turns.end() if isinstance(step, Piece)]


@pytest.mark.capability("audio in: sensitivities, padding, silence", side="emulator")
def test_the_emulators_own_silence_is_used_when_the_client_says_none():
    """`silenceDurationMs` of the client beats the emulator's default, which is a parameter."""
    half = Usual(silence_ms=500)
    assert Detection(margin_db=8.0, start_ms=40, silence_ms=500) == detection(None, half)
    asked = AutomaticActivityDetection(silence_duration_ms=100, prefix_padding_ms=0)
    assert Detection(margin_db=8.0, start_ms=0, silence_ms=100) == detection(asked, half)


def test_a_silent_window_after_a_turn_starts_afresh():
    """What one turn heard is not heard again in the next."""
    turns = manual()
    steps_of(turns, burst(1.0))
    assert ["Piece", "Ended"] == shape(list(turns.end()))
    assert [Begun()] == list(turns.start())
    assert [Ended()] == list(turns.end())
