"""SMART transcription: what is left out, and what never is."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run_virtual
from harness.emulator.quirks.mischief import Mischief, parsed
from harness.emulator.user.tidy import tidied
from tests.emulator.memory import MANUAL, Call, script
from tests.emulator.signals import burst

WORDS = st.lists(
    st.sampled_from(
        ["uh", "we", "we", "go", "home", "hmm", "7", "7", "I", "Wien", "w-", "und", "um"]
    ),
    max_size=12,
)


@given(WORDS, st.sampled_from(["en", "de", None]))
def test_what_is_tidy_stays(words, language):
    """Tidied once more a text is the same; every word left was said, in its order, and only its first may grow."""
    once = tidied("".join(f" {word}" for word in words), language)
    assert once == tidied(once, language)
    said = iter(word.casefold() for word in words)
    assert all(any(word.casefold() == other for other in said) for word in once.split())


@pytest.mark.parametrize(
    "said, language, meant",
    [
        (" um, I I want uh to go", "en", " I want to go"),
        (" we want to we want to go home", "en", " We want to go home"),
        (" I w- I want it", "en", " I want it"),
        (" call 7 7 7 4 4", "en", " Call 7 7 7 4 4"),
        (" well-known people", "en", " Well-known people"),
        (" er kommt um acht, ähm, um neun", "de", " Er kommt um acht, um neun"),
        (" um um oito", "pt", " Um oito"),
        (" えーと 行きます", "ja", " 行きます"),
        (" uh hmm", None, ""),
        ("", "en", ""),
    ],
)
def test_hesitations_repetitions_and_false_starts_go(said, language, meant):
    """Fillers of the language, a phrase said twice and a word broken off are left out; figures and words stay."""
    assert meant == tidied(said, language)


SAID = (" so um I I think", " uh yes")


@pytest.mark.capability("later models: language hints, vocabulary, verbatim mode", side="emulator")
@pytest.mark.parametrize(
    "mode, quirks, heard",
    [
        (None, [], " so um I I think uh yes"),
        ("VERBATIM", [], " so um I I think uh yes"),
        ("SMART", [], " So um I think yes"),
        ("SMART", ["verbatim-anyway"], " so um I I think uh yes"),
    ],
)
def test_a_dedicated_model_tells_what_was_meant_where_asked(mode, quirks, heard):
    """In the mode SMART the whole is tidied, and the guesses are not; where nobody asks it is word for word."""

    async def scene():
        call = Call(script(*SAID))
        trouble = Mischief(parsed(quirks)).next()
        if trouble is not None:
            trouble.join(call.conversation.received)
            call.conversation.received = trouble.received
        asked = {"mode": mode} if mode else {}
        call.set_up(
            model="models/gemini-3.5-transcribe-live", inputAudioTranscription=asked, **MANUAL
        )
        call.signal("activityStart")
        call.speak(burst(1.0))
        call.signal("activityEnd")
        await asyncio.sleep(5)
        return call

    call = run_virtual(scene())
    assert [heard] == call.texts("input")
    guesses = [
        message["serverContent"]["interimInputTranscription"]["text"]
        for _, message in call.heard
        if "interimInputTranscription" in message.get("serverContent", {})
    ]
    assert "".join(SAID) == guesses[-1]
