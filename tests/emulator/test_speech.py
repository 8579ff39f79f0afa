"""Speech output: when it comes, in which parts, in whose voice, and what it costs; in virtual time, by a drone."""

from __future__ import annotations

import asyncio
import os
import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run_virtual
from harness.emulator.ear.scripted import Line, Scripted
from harness.emulator.voice import speech, voice
from harness.emulator.voice.voice import VoiceLostError
from harness.wire.live import voices
from tests.emulator.memory import MANUAL, VERTEX, Call, Drone, turn
from tests.emulator.signals import burst, hush

AUDIO = {"generationConfig": {"responseModalities": ["AUDIO"]}}
NATIVE = {"model": "models/gemini-2.5-flash-native-audio-preview-09-2025"}
SENTENCE = "Two plus two is four, and nothing else."


def spoken(config=None, **setup):
    """Return the call in which a text is repeated aloud."""

    async def scene():
        call = Call(voice=Drone())
        call.set_up(**AUDIO | {"outputAudioTranscription": {}} | setup)
        call.say(turn(SENTENCE))
        await asyncio.sleep(60)
        return call

    return run_virtual(scene())


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = st.text(st.sampled_from('ab .,!?。\n’"日'), max_size=900) | st.text(max_size=60)


@given(TEXTS)
def test_phrases_concatenate_to_the_text(text):
    """Nothing of a text is lost where it is divided, and no phrase is endless."""
    found = list(speech.phrases(text))
    assert text == "".join(found)
    assert all(0 < len(one) <= 240 for one in found)


@given(TEXTS, st.integers(0, 30_000))
def test_parts_hold_all_the_speech_and_all_the_words(text, samples):
    """Parts concatenate to the speech, and their words to the text, but for space at its end."""
    pcm = bytes(2 * samples)
    parts = list(speech._parts(text, pcm))
    assert pcm == b"".join(one.pcm for one in parts)
    assert text.rstrip() == "".join(one.words for one in parts).rstrip()


@given(TEXTS)
def test_what_has_more_latin_letters_than_others_is_read(text):
    """A text is read as it is when at least half of its letters are Latin, or it has none; else it is excused."""
    letters = [one for one in text if one.isalpha()]
    latin = sum(unicodedata.name(one, "").startswith("LATIN ") for one in letters)
    assert (2 * latin >= len(letters)) is (speech.unread(text) is None)


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("audio out: 24 kHz PCM", side="emulator")
def test_a_text_is_spoken():
    """Speech and its words, the end of generation, the end of the turn: in this order, every word before the end."""
    call = spoken()
    story = [one for one, after in pairwise([*call.story, ""]) if one != after]
    assert "setupComplete" == story[0]
    assert {"reply", "outputTranscription"} == set(story[1:-2])
    assert ["generationComplete", "turnComplete"] == story[-2:]
    assert SENTENCE == "".join(call.texts("output"))
    assert burst(len(SENTENCE) / 10, rate=24_000) == b"".join(pcm for _, pcm in call.speech)


@pytest.mark.parametrize(
    "text, writing",
    [
        ("Привіт, як справи?", "Cyrillic"),
        ("صباح الخير", "Arabic"),
        ("শুভ সকাল 12", "Bengali"),
        ("おはよう Gemini", None),
        ("おはようございます Gemini", "Japanese"),
        ("你好", "Chinese characters"),
        ("Bună dimineața", None),
        ("12:30!", None),
    ],
)
def test_what_no_voice_reads_is_told_in_words(text, writing):
    """Where the voice would fall silent it says why, in English, and the transcription is of that, not of the text."""

    async def scene():
        drone = Drone()
        call = Call(voice=drone)
        call.set_up(**AUDIO | {"outputAudioTranscription": {}} | NATIVE)
        call.say(turn(text))
        await asyncio.sleep(60)
        return call, drone

    call, drone = run_virtual(scene())
    said = text if writing is None else f"This emulator has no voice that reads {writing}."
    assert said == "".join(call.texts("output"))
    assert [(said, "en-US", 1.0)] == drone.said
    assert call.speech
    assert "turnComplete" == call.story[-1]


@pytest.mark.capability("audio out: 24 kHz PCM", side="emulator")
def test_speech_comes_in_small_parts_faster_than_it_is_played():
    """Parts are of 80 ms and come every 64 ms, so a listener who starts at once never waits."""
    call = spoken()
    sizes = {len(pcm) for _, pcm in call.speech[:-1]}
    assert {80 * 24 * 2} == sizes
    times = [t for t, _ in call.speech]
    assert all(0.064 == pytest.approx(after - before) for before, after in pairwise(times))


@pytest.mark.capability("audio out: 24 kHz PCM", side="emulator")
def test_the_turn_lasts_until_its_speech_is_played():
    """The frame turnComplete waits for the playback that it assumes; generationComplete does not."""
    call = spoken()
    began = call.speech[0][0]
    assert call.when("generationComplete") < began + 3.3
    assert began + len(SENTENCE) / 10 == pytest.approx(call.when("turnComplete"))


@pytest.mark.capability("audio out: output transcription", side="emulator")
def test_words_come_with_the_sound_they_begin_in():
    """A word is transcribed when about that share of the speech was sent, neither at once nor in the end."""
    call = spoken()
    times = [t for t, m in call.heard if "outputTranscription" in m.get("serverContent", {})]
    assert 8 == len(times)
    assert all(0.1 < after - before < 1.2 for before, after in pairwise(times))


@pytest.mark.capability("audio out: output transcription", side="emulator")
def test_speech_is_not_transcribed_unless_asked():
    """Without outputAudioTranscription there is sound alone."""
    call = spoken(outputAudioTranscription=None)
    assert [] == call.texts("output")
    assert call.speech


@pytest.mark.capability("usage: per modality, turn and session", side="emulator")
def test_speech_is_billed_by_its_seconds():
    """The answer's tokens are AUDIO, 25 a second, and are in the next turn's prompt."""

    async def scene():
        call = Call(voice=Drone())
        call.set_up(**AUDIO)
        for _ in range(2):
            call.say(turn("x" * 40))
            await asyncio.sleep(10)
        return call

    first, second = run_virtual(scene()).usage
    assert [{"modality": "AUDIO", "tokenCount": 100}] == first["responseTokensDetails"]
    assert 10 + 100 + 10 == second["promptTokenCount"]
    assert {"modality": "AUDIO", "tokenCount": 100} in second["promptTokensDetails"]


def test_the_longest_answer_is_cut():
    """At maxOutputTokens the speech ends, and the turn as if nothing were missing."""
    config = {"responseModalities": ["AUDIO"], "maxOutputTokens": 50}
    call = spoken(generationConfig=config)
    assert 2.0 == pytest.approx(sum(len(pcm) for _, pcm in call.speech) / 48_000)
    assert "generationComplete" in call.story


def test_a_slow_voice_holds_up_nobody_else():
    """While one session's speech is being made, another one is answered."""

    async def scene():
        slow, other = Call(voice=Drone(takes_s=5.0)), Call(voice=Drone())
        for call in (slow, other):
            call.set_up(**AUDIO)
            call.say(turn("hello"))
        await asyncio.sleep(2)
        early = (list(slow.speech), list(other.speech))
        await asyncio.sleep(20)
        return slow, early

    slow, (none, some) = run_virtual(scene())
    assert ([], True) == (none, bool(some))
    assert slow.speech


@pytest.mark.capability("audio out: interruption", side="emulator")
def test_it_hears_while_it_speaks():
    """With NO_INTERRUPTION what is said into an answer is transcribed while the answer goes on."""

    async def scene():
        call = Call(voice=Drone())
        call.set_up(**AUDIO, realtimeInputConfig={"activityHandling": "NO_INTERRUPTION"})
        call.say(turn("x" * 100))
        await call.stream(hush(0.5) + burst(1.0) + hush(1.0))
        return call

    call = run_virtual(scene())
    assert "heard" in call.story
    assert "turnComplete" not in call.story
    assert "interrupted" not in call.story


# ── interruption ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("audio out: interruption", side="emulator")
@pytest.mark.parametrize("after_s, generated", [(2.0, False), (9.0, True)])
def test_speech_is_cut_where_the_user_speaks(after_s, generated):
    """What was not sent is never sent; what was stays; its seconds are billed. Cut in playback, it was all generated."""

    async def scene():
        call = Call(voice=Drone())
        call.set_up(**AUDIO | MANUAL)
        call.say(turn("x" * 100))
        await asyncio.sleep(after_s)
        call.signal("activityStart")
        at = call.loop.time()
        await asyncio.sleep(10)
        return call, at

    call, at = run_virtual(scene())
    assert at == call.when("interrupted") == call.when("turnComplete")
    assert ["interrupted", "turnComplete"] == call.story[-2:]
    assert generated is ("generationComplete" in call.story)
    seconds = sum(len(pcm) for _, pcm in call.speech) / 48_000
    assert seconds == pytest.approx(10.0 if generated else after_s * 1.25, abs=0.1)
    assert round(seconds * 25) == call.usage[0]["responseTokenCount"]


# ── whose voice ──────────────────────────────────────────────────────────────────────────────────────────────────────


def orders(ear=None, speech_config=None, **setup):
    """Return what the voice is asked to say when something is heard."""

    async def scene():
        drone = Drone()
        call = Call(ear, voice=drone)
        config = {"responseModalities": ["AUDIO"], "speechConfig": speech_config}
        call.set_up(**MANUAL | {"generationConfig": config} | setup)
        call.signal("activityStart")
        call.speak(burst(1.0))
        call.signal("activityEnd")
        await asyncio.sleep(10)
        return call, drone.said

    return run_virtual(scene())


@pytest.mark.capability("audio out: language code", side="emulator")
@pytest.mark.parametrize(
    "detected, asked, spoken_in",
    [
        ("de", "fr-FR", "fr-FR"),
        ("de", None, "de-DE"),
        ("en", None, "en-US"),
        ("pl", None, "en-US"),
        (None, None, "en-US"),
        ("de", "en-GB", "en-GB"),
    ],
)
def test_the_language_is_that_asked_for_or_heard(detected, asked, spoken_in):
    """It speaks what speechConfig says, else the language it heard, else US English."""
    ear = Scripted({"*": Line(fragments=[" hallo"], language=detected)})
    _, said = orders(ear, {"languageCode": asked} if asked else None)
    assert [("hallo", spoken_in, 1.0)] == said


@pytest.mark.capability("audio out: language code", side="emulator")
@pytest.mark.parametrize("setup", [{}, NATIVE])
def test_a_language_without_a_voice_is_refused(setup):
    """What it cannot speak it does not fake: the service's error names the language and the model."""
    call, said = orders(speech_config={"languageCode": "pl-PL"}, **setup)
    assert [] == said
    code, reason = call.closed
    model = setup.get("model", "models/gemini-live-2.5-flash-preview")
    assert (1007, f"Unsupported language code 'pl-PL' for model {model}"[:123]) == (code, reason)


@pytest.mark.capability("audio out: voices", side="emulator")
def test_a_voice_sets_the_pitch():
    """Every name is told from every other by its pitch, and the default voice is the synthesiser's own."""
    pitches = [voice.pitch_of(name) for name in voices.NATIVE_AUDIO_VOICES]
    assert len(pitches) == len(set(pitches))
    assert all(0.8 <= one <= 1.25 for one in pitches)
    assert 1.0 == voice.pitch_of(None) == voice.pitch_of(voices.DEFAULT_VOICE)
    config = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}
    _, ((_, _, pitch),) = orders(speech_config=config)
    assert voice.pitch_of("kore") == pitch


@pytest.mark.capability("usage: both spellings", side="emulator")
def test_speech_on_vertex_has_its_names():
    """On Vertex AI's path the speech's tokens are candidates."""

    async def scene():
        call = Call(path=VERTEX, voice=Drone())
        model = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash"
        call.set_up(model=model, **AUDIO)
        call.say(turn("hello"))
        await asyncio.sleep(5)
        return call

    (usage,) = run_virtual(scene()).usage
    assert [{"modality": "AUDIO", "tokenCount": 12}] == usage["candidatesTokensDetails"]


def test_a_lost_voice_is_an_internal_error():
    """When the synthesiser dies its session is closed as the service closes one, after what was already said."""

    class Mute(Drone):
        async def speech(self, text, *, locale, pitch):
            raise VoiceLostError("the voice died")

    async def scene():
        call = Call(voice=Mute())
        call.set_up(**AUDIO)
        call.say(turn("hello"))
        await asyncio.sleep(1)
        return call

    assert (1011, "Internal error encountered.") == run_virtual(scene()).closed


# ── the synthesiser ──────────────────────────────────────────────────────────────────────────────────────────────────


async def remote(*orders):
    """Return what the synthesiser's process says to some orders (text, locale, pitch), then end it."""
    found = voice.RemoteVoice()
    try:
        return [await found.speech(text, locale=locale, pitch=p) for text, locale, p in orders]
    finally:
        await found.stop()


needs_voice = pytest.mark.skipif(not voice.installed(), reason="needs py-nanotts")


@pytest.mark.wall
@pytest.mark.ear
@needs_voice
def test_hostile_text_does_not_end_the_voice():
    """Markup, NUL, heaps of symbols and nothing at all: each is said or not, and the next one is said."""
    texts = [
        "<speed level='500'>a</speed>",
        "a\0b",
        "\t;^bh日4\u202e;97^é6;g~|'तא*?,d)",
        "",
        "日本",
    ]
    said = asyncio.run(remote(*((text, "en-US", 1.0) for text in [*texts, "hello"])))
    assert all(0 == len(pcm) % 2 for pcm in said)
    assert said[-1]
    assert 2 < len(said[0]) / 48_000, "markup is no command: it is read out"


@pytest.mark.wall
@pytest.mark.ear
@needs_voice
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc clears memory")
def test_a_text_sounds_the_same_whatever_was_said_before():
    """Speech is billed by its length: who asks again, in another order or another process, gets the same bytes."""
    orders = [
        ("Hello there, how are you today?", "en-US", 1.0),
        ("Guten Morgen, wie geht es Ihnen?", "de-DE", 1.1),
        ("It is raining again in the north.", "en-GB", 0.9),
    ]
    first = asyncio.run(remote(*orders))
    later = asyncio.run(remote(*orders[::-1], *orders))
    assert first == later[3:] == later[2::-1]


@pytest.mark.wall
@pytest.mark.ear
@needs_voice
def test_a_voice_that_died_comes_back():
    """Who waits for a voice that dies is told; the next one is spoken to. Whoever stops waiting disturbs nobody."""

    async def scene():
        found = voice.RemoteVoice()
        try:
            before = await found.speech("hello", locale="en-US", pitch=1.0)
            os.kill(found._process.pid, 9)
            with pytest.raises(VoiceLostError):
                await found.speech("hello", locale="en-US", pitch=1.0)
            impatient = asyncio.create_task(found.speech("a " * 100, locale="en-US", pitch=1.0))
            await asyncio.sleep(0)
            impatient.cancel()
            after = await found.speech("hello", locale="en-US", pitch=1.0)
        finally:
            await found.stop()
        return before, after

    before, after = asyncio.run(scene())
    assert len(before) == pytest.approx(len(after), rel=0.5)


@pytest.mark.capability("audio out: 24 kHz PCM", side="emulator")
@pytest.mark.capability("audio out: voices", side="emulator")
@pytest.mark.wall
@pytest.mark.ear
@needs_voice
def test_a_recogniser_understands_the_voice():
    """The portable recogniser hears most of what the voice says, at its lowest and highest pitch as well."""
    from harness.audio.stream import StreamResampler
    from harness.emulator.ear.sphinx import PocketSphinx

    text = "the weather is good today and we are going home"
    pitches = (1.0, voice.pitch_of("Charon"), voice.pitch_of("Zubenelgenubi"))
    for pcm in asyncio.run(remote(*((text, "en-US", pitch) for pitch in pitches))):
        resampler = StreamResampler(24_000)
        listener = PocketSphinx().listener(())
        heard = listener.hear(resampler.feed(pcm) + resampler.flush(), last=True).split()
        assert 6 <= len(set(text.split()) & set(heard)), heard
