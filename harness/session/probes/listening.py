"""Probes of audio that goes in: rates, activity, and what of it counts."""

from __future__ import annotations

import asyncio
from array import array
from contextlib import suppress
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from harness.audio.stream import StreamResampler
from harness.session.probes.probe import (
    MANUAL,
    TEN,
    TRANSCRIBED,
    MisheardError,
    NotShownError,
    Probe,
    asking,
    bill,
    quoted,
    transcribed,
)
from harness.session.talk import SilenceError
from harness.units import SAMPLE_BYTES, SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.session.probes.probe import Place
    from harness.session.talk import Talk
    from harness.units import Seconds
    from harness.wire.live.messages import UsageMetadata

RATES: Final = (8_000, 24_000, 44_100, 48_000)
"""What is declared beside the usual 16 kHz: a telephone's, this API's own speech, a disc's, and a browser's."""

ALIKE: Final = 0.6
"""Least likeness of two transcripts of the same recording, 0 to 1; at a wrong speed nothing like it is heard."""

_END_S: Final[Seconds] = 3.0
"""Least wait for a message that is optional, such as the end of a turn after its transcript."""

_LONG_S: Final[Seconds] = 3.0
"""Silence that ends a turn wherever the setup does not say how much does."""

_BRIEF_S: Final[Seconds] = 0.9
"""Silence that ends a turn where little is asked for, and does not where much is."""

_SYLLABLE_S: Final[Seconds] = 0.08
"""Speech that begins a turn at high sensitivity alone."""

AT_ONCE: Final = 2
"""Sessions that are open at once: the least quota of the service is 3."""

SETTINGS: Final[tuple[tuple[str, Any, Any], ...]] = (
    ("startOfSpeechSensitivity", "START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW"),
    ("endOfSpeechSensitivity", "END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"),
    ("prefixPaddingMs", 20, 10_000),
    ("silenceDurationMs", 300, 3_000),
)
"""Each setting of the detection with a value at which the recording and `_BRIEF_S` of silence are a turn (a syllable of
it, for the first), and one at which they are none, or not yet a whole one."""


def _silence(seconds: Seconds) -> bytes:
    return bytes(round(seconds * SAMPLE_RATE) * SAMPLE_BYTES)


async def marked(conversation: Talk, place: Place, *, rate: int = SAMPLE_RATE) -> str:
    """Say the recording between activity signals, at a declared rate; return its transcript."""
    resampler = StreamResampler(SAMPLE_RATE, rate)
    pcm = resampler.feed(place.speech) + resampler.flush()
    client = conversation.client
    conversation.send(client.activity_start())
    await conversation.speak(pcm, place.pause_s, rate=rate)
    conversation.send(client.activity_end())
    return await transcribed(conversation)


async def stream_end(conversation: Talk, place: Place) -> str:
    """Say the recording and that the microphone pauses; return its transcript."""
    await conversation.speak(place.speech, place.pause_s)
    conversation.send(conversation.client.audio_stream_end())
    return await transcribed(conversation)


async def _rates(place: Place) -> str:
    """Say the recording at each rate; MisheardError when one is heard as something else than the usual one."""
    usual = await _heard_at(SAMPLE_RATE, place)
    for rate in RATES:
        heard = await _heard_at(rate, place)
        if SequenceMatcher(None, heard.casefold(), usual.casefold()).ratio() < ALIKE:
            raise MisheardError(
                f"at {rate / 1000:g} kHz it heard {quoted(heard)}, and not {quoted(usual)}"
            )
    rates = ", ".join(f"{rate / 1000:g}" for rate in RATES)
    return f"{quoted(usual)}, and much the same at {rates} kHz"


async def _heard_at(rate: int, place: Place) -> str:
    async with place.session(MANUAL | TRANSCRIBED) as conversation:
        await marked(conversation, place, rate=rate)
        with suppress(SilenceError):
            await conversation.until(lambda one: one.turns, "end of a turn", _END_S)
        return conversation.heard.transcript.strip()


async def _detected(conversation: Talk, place: Place) -> str:
    await conversation.speak(place.speech + _silence(_LONG_S), place.pause_s)
    return await transcribed(conversation)


async def _settings(place: Place) -> str:
    """Say the same under both values of each setting: with one there is an answer, with the other there is none."""
    room = asyncio.Semaphore(AT_ONCE)

    async def waited(setting: str, value: object, longest_s: Seconds) -> Seconds | None:
        async with room:
            return await _replied_after(place, setting, value, longest_s)

    answered = await asyncio.gather(*(waited(name, yes, place.wait_s) for name, yes, _ in SETTINGS))
    waits = [one for one in answered if one is not None]
    if not waits:
        raise SilenceError("speech with silence behind it was no turn, whatever was set")
    if len(waits) < len(SETTINGS):
        raise NotShownError(
            f"no turn where there should be: {_names(one is None for one in answered)}"
        )
    longest_s = max(_END_S, 3 * max(waits))
    ignored = await asyncio.gather(*(waited(name, no, longest_s) for name, _, no in SETTINGS))
    if any(one is not None for one in ignored):
        names = _names(one is not None for one in ignored)
        raise NotShownError(f"it makes no difference: {names}")
    values = (f"{name} {_value(yes)} or {_value(no)}" for name, yes, no in SETTINGS)
    return f"{', '.join(values)}: a turn or none"


def _names(wanted: Iterable[bool]) -> str:
    """Return the names of those settings, in words."""
    return ", ".join(name for (name, _, _), one in zip(SETTINGS, wanted, strict=True) if one)


def _value(value: object) -> str:
    return str(value).rpartition("_")[2]


async def _replied_after(
    place: Place, setting: str, value: object, wait_s: Seconds
) -> Seconds | None:
    """Return how long after the recording and a brief silence an answer begins under a setting; None: it does not."""
    detection = {"automaticActivityDetection": {setting: value}}
    speech = place.speech
    if setting == "startOfSpeechSensitivity":
        speech = _silence(_BRIEF_S) + _loudest(speech, _SYLLABLE_S)
    async with place.session(TRANSCRIBED | {"realtimeInputConfig": detection}) as conversation:
        await conversation.speak(speech + _silence(_BRIEF_S), place.pause_s)
        began = asyncio.get_running_loop().time()
        with suppress(SilenceError):
            await conversation.until(lambda one: one.replied, "answer", wait_s)
        took = asyncio.get_running_loop().time() - began
        return took if conversation.heard.replied else None


def _loudest(pcm: bytes, seconds: Seconds) -> bytes:
    """Return so much of a recording around its loudest sample."""
    samples = array("h", pcm)
    length = round(seconds * SAMPLE_RATE)
    loudest = max(range(len(samples)), key=lambda at: abs(samples[at]))
    start = max(0, min(loudest - length // 2, len(samples) - length))
    return samples[start : start + length].tobytes()


async def _covered(place: Place) -> str:
    """Say the recording after silence, and see whether the silence counts."""
    prompts = {}
    for coverage in ("TURN_INCLUDES_ONLY_ACTIVITY", "TURN_INCLUDES_ALL_INPUT"):
        async with place.session({"realtimeInputConfig": {"turnCoverage": coverage}}) as talking:
            await talking.speak(_silence(_LONG_S) + place.speech, place.pause_s)
            talking.send(talking.client.audio_stream_end())
            prompts[coverage] = _audio_tokens(await bill(talking))
    less, more = prompts.values()
    if not less < more:
        raise NotShownError(f"{less} tokens of audio with activity alone, {more} with all input")
    return f"{less} tokens of audio with activity alone, {more} with all input"


def _audio_tokens(usage: UsageMetadata) -> int:
    told = [one.token_count for one in usage.prompt_tokens_details if one.modality == "AUDIO"]
    return sum(told) if told else usage.prompt_token_count or 0


async def _uninterrupted(conversation: Talk, place: Place) -> str:
    """Speak into an answer that may not be interrupted; NotShownError when it is."""
    place.ask(conversation, TEN)
    heard = await conversation.until(lambda one: one.pcm, "speech")
    if heard.turns:
        raise NotShownError("the answer was over before it could be interrupted")
    before = len(heard.pcm)
    conversation.send(conversation.client.text("Stop."))
    heard = await conversation.until(lambda one: one.turns or one.interrupted, "end of a turn")
    if heard.interrupted or len(heard.pcm) == before:
        raise NotShownError("the answer was interrupted all the same")
    return "NO_INTERRUPTION: the answer went on to its end"


async def _marked(conversation: Talk, place: Place) -> str:
    return await marked(conversation, place)


PROBES: Final = (
    Probe(capability="audio in: 16 kHz sent, 4 to 192 kHz taken", walk=_rates, transcribes=True),
    Probe(
        capability="audio in: automatic activity detection",
        walk=asking(_detected, TRANSCRIBED),
        transcribes=True,
    ),
    Probe(
        capability="audio in: sensitivities, padding, silence",
        walk=_settings,
    ),
    Probe(
        capability="audio in: manual activity",
        walk=asking(_marked, MANUAL | TRANSCRIBED),
        transcribes=True,
    ),
    Probe(
        capability="audio in: audioStreamEnd",
        walk=asking(stream_end, TRANSCRIBED),
        transcribes=True,
    ),
    Probe(capability="audio in: turn coverage", walk=_covered),
    Probe(
        capability="audio in: activity handling",
        walk=asking(
            _uninterrupted,
            {"realtimeInputConfig": {"activityHandling": "NO_INTERRUPTION"}},
            speaks=True,
        ),
        doubted=True,
    ),
    Probe(
        capability="audio in: transcription",
        walk=asking(stream_end, TRANSCRIBED),
        transcribes=True,
    ),
)
