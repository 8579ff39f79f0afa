"""Probes of long sessions: how they end, and how they go on. Minutes are seconds where an emulator is hurried."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from harness.audio.clip import AudioClip, MemoryPcm
from harness.session.probes.pictures import grey_png
from harness.session.probes.probe import (
    NOTES,
    NotShownError,
    Probe,
    asking,
    bill,
    quoted,
)
from harness.session.probes.texts import recalled
from harness.session.talk import FaultError
from harness.session.trial import trial
from harness.session.waits import Waits
from harness.trace.hypothesis import hypothesis
from harness.units import SAMPLE_BYTES, SAMPLE_RATE
from harness.wire.live.messages import (
    ContextWindowCompressionConfig,
    SessionResumptionConfig,
    SlidingWindow,
)
from harness.wire.live.setups import transcription_setup

if TYPE_CHECKING:
    from harness.session.probes.probe import Fields, Place
    from harness.session.talk import Talk
    from harness.units import Seconds

RESUMABLE: Final[Fields] = {"sessionResumption": {}}
ENDLESS: Final[Fields] = {"contextWindowCompression": {"slidingWindow": {}}}
"""A session whose window slides has no end of its own."""

TRIGGER: Final = 5_000
"""Tokens after which a context is compressed: the least that Vertex AI takes."""

SLIDING: Final[Fields] = {
    "contextWindowCompression": {
        "triggerTokens": TRIGGER,
        "slidingWindow": {"targetTokens": TRIGGER // 2},
    }
}

_NOTE: Final = NOTES + "antidisestablishmentarianism " * 280
"""Some 2,000 tokens, of long words: an emulator that repeats it does so a few words at a time."""

_NOTES_TAKEN: Final = 4
"""Texts that are said: the third one's prompt is beyond `TRIGGER`, or would be."""

SEAMED_S: Final[Seconds] = 6.0
"""Audio that is longer than a hurried connection has time for."""

_BRISK: Final = Waits(quiet_s=0.5)
"""The text of a hurried connection's audio is there before its time is up."""

_APART_S: Final[Seconds] = 0.5
"""Least difference between two limits of a hurried emulator, which are seconds apart."""

_MINUTES: Final = (
    "it takes the minutes that a connection lives, here {}; harness emulate {} shortens them"
)


async def _gone(place: Place) -> str:
    """Wait for goAway, close at once, and go on with the newest handle."""
    hurried = place.require_hurried(_MINUTES.format("10", "--connection-life"))
    place.require_conversing()
    at = place.at(hurried)
    async with place.session(RESUMABLE | ENDLESS, at=at) as conversation:
        conversation.say("My name is Ada.")
        await conversation.turn()
        handle = await conversation.handle()
        await conversation.until(lambda _: conversation.client.go_away_s is not None, "goAway")
        left, handle = conversation.client.go_away_s, conversation.client.handle or handle
        conversation.hang_up()
    resumed = {"sessionResumption": {"handle": handle}}
    async with place.session(ENDLESS | resumed, at=at) as again:
        return f"with {left:g} s left; closed, and resumed: {await recalled(again, place)}"


async def _resumed(conversation: Talk, place: Place) -> str:
    place.ask(conversation, "My name is Ada.")
    await conversation.turn()
    handle = await conversation.handle()
    conversation.hang_up()
    async with place.session({"sessionResumption": {"handle": handle}}) as again:
        return f"the old connection closed first, then {await recalled(again, place)}"


async def _compressed(conversation: Talk, place: Place) -> str:
    """Say long texts: the second one's prompt holds the first, and a later one's is shorter than that before it."""
    prompts: list[int] = []
    told = ""
    for _ in range(_NOTES_TAKEN):
        place.ask(conversation, _NOTE)
        prompts.append((await bill(conversation)).prompt_token_count or 0)
        told = f"prompts of {', '.join(map(str, prompts))} tokens"
        if len(prompts) == 2 and not prompts[0] < prompts[1]:
            raise NotShownError(f"{told}: nothing is remembered that could be let go")
        if prompts[-1] < max(prompts):
            return f"{told}: beyond {TRIGGER} the oldest is let go"
    raise NotShownError(f"{told}: nothing was let go")


async def _limited(place: Place) -> str:
    """Outstay three limits, each longer than the last: of a session that saw a picture, of one that saw none, of a connection."""
    hurried = place.require_hurried(
        _MINUTES.format("10, or 15 and with video 2 of a session", "--session-life")
    )

    async def end(name: str, fields: Fields, *, seen: bool = False) -> tuple[Seconds, str]:
        async with place.session(fields, at=place.at(hurried)) as conversation:
            if seen:
                conversation.send(conversation.client.video(grey_png(), "image/png"))
            ended = await conversation.end()
        lived_s = asyncio.get_running_loop().time() - began
        if ended.kind != "duration":
            raise ended
        return lived_s, f"{name} after {lived_s:.1f} s: {quoted(str(ended))}"

    began = asyncio.get_running_loop().time()

    ends = await asyncio.gather(
        end("with video", {}, seen=True),
        end("audio alone", {}),
        end("a connection", ENDLESS),
        return_exceptions=True,
    )
    lives, told = [], []
    for one in ends:
        if isinstance(one, BaseException):
            raise one
        lives.append(one[0])
        told.append(one[1])
    if any(longer < shorter + _APART_S for shorter, longer in pairwise(lives)):
        raise FaultError("two limits are one", why="; ".join(told))
    return "; ".join(told)


async def _seamed(place: Place) -> str:
    """Stream more audio than one connection has time for: the next one goes on with what was not sent."""
    hurried = place.require_hurried(_MINUTES.format("10", "--connection-life"))
    place.require_conversing()
    setup = msgspec.structs.replace(
        transcription_setup(place.model, turns="manual", transcript="input"),
        session_resumption=SessionResumptionConfig(),
        context_window_compression=ContextWindowCompressionConfig(sliding_window=SlidingWindow()),
    )
    size = round(SEAMED_S * SAMPLE_RATE) * SAMPLE_BYTES
    pcm = (place.speech * (size // len(place.speech) + 1))[:size]
    clip = AudioClip(pcm=MemoryPcm(pcm))
    result = await trial(clip, place.connect, place.at(hurried), setup, place.model, waits=_BRISK)
    if result.ending.failure is not None:
        raise FaultError("the session failed", why=result.ending.reason)
    heard = hypothesis(result.recorder.trace()[0], "input")
    if not heard.seams:
        raise FaultError("one connection took it all")
    return f"{SEAMED_S:g} s of audio over {len(heard.seams) + 1} connections: {quoted(heard.text)}"


PROBES: Final = (
    Probe(capability="long sessions: goAway", walk=_gone, transcribes=True),
    Probe(capability="long sessions: resumption", walk=asking(_resumed, RESUMABLE)),
    Probe(
        capability="long sessions: context-window compression", walk=asking(_compressed, SLIDING)
    ),
    Probe(
        capability="long sessions: limits of sessions and connections",
        walk=_limited,
        transcribes=True,
    ),
    Probe(capability="long sessions: replay and seams", walk=_seamed, transcribes=True),
)
