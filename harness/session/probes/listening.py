"""Probes of audio that goes in: rates, activity, and what of it counts."""

from __future__ import annotations

from contextlib import suppress
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from harness.audio.stream import StreamResampler
from harness.session.probes.probe import (
    MANUAL,
    TEN,
    TRANSCRIBED,
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
    from harness.session.probes.probe import Fields, Place
    from harness.session.talk import Talk
    from harness.units import Seconds
    from harness.wire.live.messages import UsageMetadata

RATES: Final = (8_000, 24_000, 44_100, 48_000)
"""What is declared beside the usual 16 kHz: a telephone's, this API's own speech, a disc's, and a browser's."""

ALIKE: Final = 0.6
"""Least likeness of two transcripts of the same recording, 0 to 1; at a wrong speed nothing like it is heard."""

_END_S: Final[Seconds] = 3.0
"""Wait for the end of a turn after the first of its transcript: not every service tells it."""

_LONG_S: Final[Seconds] = 3.0
"""Silence that ends a turn wherever nobody says how much does."""

_BRIEF_S: Final[Seconds] = 1.0
"""Silence that ends a turn only where less was asked for: `BRIEF` asks for 300 ms."""

BRIEF: Final[Fields] = {
    "realtimeInputConfig": {
        "automaticActivityDetection": {
            "startOfSpeechSensitivity": "START_SENSITIVITY_HIGH",
            "endOfSpeechSensitivity": "END_SENSITIVITY_LOW",
            "prefixPaddingMs": 20,
            "silenceDurationMs": 300,
        }
    }
}


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
    """Say the recording at each rate; NotShownError when one is heard as something else than the usual one."""
    usual = await _heard_at(SAMPLE_RATE, place)
    for rate in RATES:
        heard = await _heard_at(rate, place)
        if SequenceMatcher(None, heard.casefold(), usual.casefold()).ratio() < ALIKE:
            raise NotShownError(
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


async def _sensitive(conversation: Talk, place: Place) -> str:
    await conversation.speak(place.speech + _silence(_BRIEF_S), place.pause_s)
    return f"{_BRIEF_S:g} s of silence ends the turn: {await transcribed(conversation)}"


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
    await conversation.until(lambda one: one.pcm, "speech")
    conversation.send(conversation.client.text("Stop."))
    heard = await conversation.until(lambda one: one.turns or one.interrupted, "end of a turn")
    if heard.interrupted:
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
        walk=asking(_sensitive, BRIEF | TRANSCRIBED),
        transcribes=True,
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
