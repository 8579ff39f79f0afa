"""Probes: what is there is found, what is not is told apart from what is broken."""

from __future__ import annotations

import asyncio

import pytest

from harness.clock import run_virtual
from harness.secret import Secret
from harness.session.probes import (
    PROBES,
    NotOfferedError,
    NotShownError,
    Place,
    opened,
    outcome,
    refusal,
)
from harness.session.talk import HungUpError, SilenceError
from harness.wire.live import endpoint as live
from harness.wire.live.endpoint import Route
from tests.session.memory import Service

KEY = "a-key-nobody-may-see"
HALF = "gemini-live-2.5-flash-preview"
BY_NAME = {probe.capability: probe for probe in PROBES}


def place(answer, model=HALF, version="v1beta"):
    """Return a place in memory whose service answers frames as `answer` says."""
    return Place(
        connect=Service(answer).connect,
        endpoint=lambda _: live.gemini(Secret(KEY), url="ws://127.0.0.1:1"),
        route=lambda _: Route(platform="gemini", version=version),
        model=model,
        speech=bytes(6400),
        pause_s=0.1,
    )


def service(**replies):
    """Return an answer that takes a setup, and says `replies[kind]` to the first frame of a kind."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        for kind in frame:
            for message in replies.get(kind, ()):
                line.say(message)

    return answer


def found(name, answer, **options):
    """Return what a probe finds in a service."""
    return run_virtual(outcome(BY_NAME[name], place(answer, **options)))


TURN = [
    {"serverContent": {"modelTurn": {"parts": [{"text": "Good morning."}]}}},
    {"serverContent": {"turnComplete": True}, "usageMetadata": {"totalTokenCount": 5}},
]


def test_an_answer_is_found():
    """A probe returns what came, in a few words."""
    assert "“Good morning.”" == found("text: turns", service(clientContent=TURN))
    assert "5 in all" in found("usage: a bill for each turn", service(clientContent=TURN))


def test_an_empty_turn_is_no_answer():
    """A turn that ends without a word is a capability that does not work."""
    with pytest.raises(SilenceError, match="without an answer"):
        found("text: turns", service(clientContent=TURN[1:]))


def test_silence_is_waited_for_and_told():
    """What never comes is told after half a minute, not waited for."""
    with pytest.raises(SilenceError, match="no end of a turn within 30 s"):
        found("text: turns", service())
    with pytest.raises(SilenceError, match="no setupComplete"):
        found("text: turns", lambda *_: None)


def test_a_close_is_told_with_its_words_and_no_secret():
    """A service that hangs up is quoted; a key that it echoes is not."""

    def answer(line, frame):
        line.hang_up(1011, f"Internal error with {KEY}")

    with pytest.raises(HungUpError) as hung_up:
        found("text: turns", answer)
    assert "closed 1011: Internal error with [secret]" == str(hung_up.value)


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("native audio: affective dialogue", {}, "v1alpha"),
        ("native audio: affective dialogue", {"version": "v1alpha"}, "no affective dialogue"),
        ("native audio: thinking budget, summaries", {}, "thinkingConfig"),
        ("text: turns", {"model": "gemini-3.5-transcribe-live"}, "nothing but transcribe"),
        (
            "audio out: interruption",
            {"model": "gemini-3.5-transcribe-live"},
            "nothing but transcribe",
        ),
    ],
)
def test_what_a_model_lacks_is_not_asked_for(name, options, words):
    """A rule that forbids a probe's setup is named, and nothing is sent."""

    def answer(line, frame):
        raise AssertionError("nothing may be sent")

    with pytest.raises(NotOfferedError, match=words):
        found(name, answer, **options)


@pytest.mark.parametrize("name", ["tools: calls and responses", "tools: search grounding"])
def test_a_model_that_does_otherwise_is_told(name):
    """A model that answers without calling or searching is neither a success nor a failure."""
    with pytest.raises(NotShownError, match="answered"):
        found(name, service(clientContent=TURN))


@pytest.mark.parametrize("name", ["text: incremental context", "text: history seeding"])
def test_what_was_told_must_be_told_again(name):
    """A model that answers and has forgotten shows no memory; one that remembers does."""
    with pytest.raises(NotShownError, match="Good morning"):
        found(name, service(clientContent=TURN))
    knows = [{"serverContent": {"modelTurn": {"parts": [{"text": "You are Ada."}]}}}, TURN[1]]
    assert "“You are Ada.”" == found(name, service(clientContent=knows))


def test_a_stranger_is_asked_for_everything():
    """A model that the catalogue lacks is asked in speech, since every conversational one speaks."""
    asked = []

    def answer(line, frame):
        asked.append(frame)
        service(clientContent=TURN)(line, frame)

    found("text: turns", answer, model="brand-new")
    assert ["AUDIO"] == asked[0]["setup"]["generationConfig"]["responseModalities"]


@pytest.mark.capability("setup: close codes and reasons", side="client")
def test_a_refusal_is_what_is_looked_for():
    """An unknown model must be refused as such: taken it is a fault, and so is any other close."""
    words = "models/no-such-model is not found for API version v1beta"

    def close(code, reason):
        return lambda line, _: line.hang_up(code, reason)

    assert words[:40] in run_virtual(refusal(place(close(1008, words))))
    with pytest.raises(HungUpError):
        run_virtual(refusal(place(close(1011, "Internal error encountered."))))
    with pytest.raises(SilenceError, match="was taken"):
        run_virtual(refusal(place(service())))


@pytest.mark.capability("connection: ephemeral tokens", side="client")
def test_a_session_by_token_is_opened_and_closed():
    """A session that another credential opens is tried with the same setup."""
    here = place(service())
    run_virtual(opened(here, live.gemini_token(Secret("auth_tokens/x"), url="ws://127.0.0.1:1")))


def test_recordings_are_sent_whole():
    """Speech goes out in frames of 100 ms, all of it, between its signals."""
    heard = []

    def answer(line, frame):
        heard.append(frame)
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if "activityEnd" in frame.get("realtimeInput", {}):
            line.say({"serverContent": {"inputTranscription": {"text": " Hello"}}})

    async def scene():
        began = asyncio.get_running_loop().time()
        told = await outcome(BY_NAME["audio in: manual activity"], place(answer))
        return told, asyncio.get_running_loop().time() - began

    told, seconds = run_virtual(scene())
    assert "“Hello”" == told
    kinds = [next(iter(frame.get("realtimeInput", {"setup": 1}))) for frame in heard]
    assert ["setup", "activityStart", "audio", "audio", "activityEnd"] == kinds
    assert seconds == pytest.approx(0.2, abs=0.01)
