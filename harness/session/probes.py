"""Every capability of the Live API in a session each: a question, and what must come back.

Knows how to ask for a capability, and what shows that it is there. A capability that the model or the platform lacks is
told by the rules, before anything is sent. A probe costs a sentence or two, or the seconds of one short recording.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from harness.errors import UsageError
from harness.secret import redact
from harness.session.talk import HungUpError, SilenceError, Talk, talk
from harness.units import SAMPLE_BYTES, SAMPLE_RATE
from harness.wire.live import catalogue, codec
from harness.wire.live.messages import Setup
from harness.wire.live.rules import require_taken

if TYPE_CHECKING:
    from harness.session.transport import Connect
    from harness.units import Seconds
    from harness.wire.live.catalogue import Model
    from harness.wire.live.endpoint import Endpoint, Route
    from harness.wire.live.messages import FunctionCall

Fields: TypeAlias = dict[str, Any]
"""A setup's JSON."""


class NotOfferedError(Exception):
    """The model or the platform does not have it; the text says which rule says so."""


class NotShownError(Exception):
    """The model could have, and did otherwise; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to probe, and with what."""

    connect: Connect
    endpoint: Callable[[Route], Endpoint]
    """Gives the endpoint for a method, with credentials."""

    route: Callable[[Setup], Route]
    """Gives the method that a setup needs."""

    model: str
    speech: bytes
    """A short recording: s16le mono 16 kHz."""

    pause_s: Seconds
    """Between its 100 ms frames: 0.1 is real time."""

    def named(self, fields: Fields) -> tuple[Setup, Endpoint]:
        """Return the setup with the model's name, and where it goes; NotOfferedError when a rule forbids it."""
        setup = codec.message_from(fields, Setup)
        route = self.route(setup)
        try:
            require_taken(setup, self.model, route)
        except UsageError as error:
            raise NotOfferedError(error.what.partition(": ")[2]) from None
        endpoint = self.endpoint(route)
        return msgspec.structs.replace(setup, model=endpoint.model_name(self.model)), endpoint


Act: TypeAlias = Callable[[Talk, Place], Awaitable[str]]
"""Asks, and returns what came; SilenceError or HungUpError when it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One capability."""

    capability: str
    """`area: what`."""

    act: Act
    fields: Fields
    """Of the setup, beside the modality."""

    speaks: bool = False
    """True: the answer must be speech."""

    transcribes: bool = False
    """True: a dedicated transcription model can do it; all others need one that converses."""

    doubted: bool = False
    """True: whether every platform has it is not known, so that a refusal says that this one has not."""


async def outcome(probe: Probe, place: Place) -> str:
    """Return what a probe found; NotOfferedError, NotShownError, SilenceError or HungUpError say why it found nothing."""
    model = catalogue.find(place.model)
    if model is not None and model.kind == "transcribe" and not probe.transcribes:
        raise NotOfferedError(f"{model.id} does nothing but transcribe")
    setup, endpoint = place.named(_merged(_modality(model, speaks=probe.speaks), probe.fields))
    async with talk(place.connect, endpoint, setup) as conversation:
        try:
            return redact(await probe.act(conversation, place), conversation.secrets)
        except NotShownError as error:
            raise NotShownError(redact(str(error), conversation.secrets)) from None
        except HungUpError as error:
            if probe.doubted and error.kind == "config":
                raise NotOfferedError(f"the service refuses it: {error}") from None
            raise


def _modality(model: Model | None, *, speaks: bool) -> Fields:
    """Return the part of a setup that asks for answers in words, written where the model can."""
    if not speaks and model is not None and "TEXT" in model.modalities:
        return {"generationConfig": {"responseModalities": ["TEXT"]}}
    generation: Fields = {"responseModalities": ["AUDIO"]}
    if model is not None and model.least_thinking is not None:
        generation["thinkingConfig"] = {"thinkingLevel": model.least_thinking}
    return {"generationConfig": generation, "outputAudioTranscription": {}}


def _merged(one: Fields, other: Fields) -> Fields:
    inner = one.get("generationConfig", {}) | other.get("generationConfig", {})
    return one | other | {"generationConfig": inner}


def _quoted(text: str) -> str:
    shown = text if len(text) < 60 else f"{text[:57]}…"
    return f"“{shown}”" if shown.isprintable() else ascii(shown)


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────

QUESTION: Final = "Please say: good morning."
TEMPERATURE: Final = "What is the temperature in Gdynia? Use the function."
NEWS: Final = "Search the web: what is the news today?"
RIDDLE: Final = "Think about it first: which number follows 2, 4, 8?"
COUNT: Final = "Count slowly from one to forty, in words."
PRIVATE: Final = "I am talking to somebody else, so do not answer this."

_FUNCTION: Final = {
    "name": "get_temperature",
    "description": "The temperature in a city, in degrees Celsius.",
    "parameters": {
        "type": "OBJECT",
        "properties": {"city": {"type": "STRING"}},
        "required": ["city"],
    },
}
_MANUAL: Final = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}


async def _answered(conversation: Talk) -> str:
    heard = await conversation.turn()
    if not heard.answer:
        raise SilenceError("the turn ended without an answer")
    return _quoted(heard.answer)


async def _recalled(conversation: Talk) -> str:
    """Ask for what was said before; NotShownError when the answer does not tell it."""
    conversation.say("What is my name?")
    answer = await _answered(conversation)
    if "ada" not in answer.casefold():
        raise NotShownError(f"the model does not tell what it was told: {answer}")
    return answer


async def _turn(conversation: Talk, _: Place) -> str:
    conversation.say(QUESTION)
    return await _answered(conversation)


async def _context(conversation: Talk, _: Place) -> str:
    conversation.say("My name is Ada.", complete=False)
    return await _recalled(conversation)


async def _history(conversation: Talk, _: Place) -> str:
    conversation.say("My name is Ada.", complete=False)
    conversation.say("Hello, Ada.", complete=False, role="model")
    return await _recalled(conversation)


async def _realtime_text(conversation: Talk, _: Place) -> str:
    conversation.send(conversation.client.text(QUESTION))
    return await _answered(conversation)


async def _marked(conversation: Talk, place: Place) -> str:
    client = conversation.client
    conversation.send(client.activity_start())
    await conversation.speak(place.speech, place.pause_s)
    conversation.send(client.activity_end())
    return await _transcribed(conversation)


async def _stream_end(conversation: Talk, place: Place) -> str:
    await conversation.speak(place.speech, place.pause_s)
    conversation.send(conversation.client.audio_stream_end())
    return await _transcribed(conversation)


async def _detected(conversation: Talk, place: Place) -> str:
    silence = bytes(3 * SAMPLE_RATE * SAMPLE_BYTES)
    await conversation.speak(place.speech + silence, place.pause_s)
    return await _transcribed(conversation)


async def _transcribed(conversation: Talk) -> str:
    heard = await conversation.until(lambda one: one.transcript.strip(), "transcript")
    return _quoted(heard.transcript.strip())


async def _speech(conversation: Talk, _: Place) -> str:
    conversation.say(QUESTION)
    heard = await conversation.turn()
    if not heard.pcm:
        raise SilenceError("the turn ended without speech")
    if heard.mime_types != {"audio/pcm;rate=24000"}:
        raise SilenceError(f"the speech is {', '.join(sorted(heard.mime_types))}")
    seconds = len(heard.pcm) / SAMPLE_BYTES / 24_000
    return f"{seconds:.1f} s of 24 kHz PCM, {_quoted(heard.answer)}"


async def _interruption(conversation: Talk, _: Place) -> str:
    conversation.say(COUNT)
    await conversation.until(lambda one: one.pcm, "speech")
    conversation.say("Stop.")
    heard = await conversation.until(lambda one: one.interrupted, "interruption")
    return f"interrupted after {len(heard.pcm) / SAMPLE_BYTES / 24_000:.1f} s of speech"


async def _picture(conversation: Talk, _: Place) -> str:
    conversation.send(conversation.client.video(_grey_png(), "image/png"))
    conversation.say("What colour is the picture?")
    return await _answered(conversation)


async def _maybe_silent(conversation: Talk, _: Place) -> str:
    conversation.say(PRIVATE)
    heard = await conversation.turn()
    return f"answered {_quoted(heard.answer)}" if heard.answer else "silent, as it may be"


async def _thinking(conversation: Talk, _: Place) -> str:
    conversation.say(RIDDLE)
    heard = await conversation.turn()
    billed = any(one.thoughts_token_count for one in heard.usage)
    if not heard.thoughts and not billed:
        raise NotShownError("the model answered without a thought")
    return _quoted(heard.thoughts.strip()) if heard.thoughts else "billed, without a summary"


async def _call(conversation: Talk, _: Place) -> str:
    call = await _called(conversation)
    conversation.respond(call, {"celsius": 11})
    heard = await conversation.until(lambda one: one.answer and one.turns, "answer")
    return f"{call.name}({codec.excerpt(str(call.args))}), then {_quoted(heard.answer)}"


async def _called(conversation: Talk) -> FunctionCall:
    """Return the call that the model makes; NotShownError when it answers instead."""
    conversation.say(TEMPERATURE)
    heard = await conversation.until(lambda one: one.calls or one.turns, "function call")
    if not heard.calls:
        raise NotShownError("the model answered instead of calling")
    return heard.calls[0]


async def _cancelled(conversation: Talk, _: Place) -> str:
    await _called(conversation)
    conversation.say("Never mind.")
    heard = await conversation.until(lambda one: one.cancelled, "cancellation")
    return f"{len(heard.cancelled)} call taken back"


async def _grounded(conversation: Talk, _: Place) -> str:
    conversation.say(NEWS)
    heard = await conversation.until(lambda one: one.grounded or one.turns, "answer")
    if not heard.grounded:
        raise NotShownError("the model answered without a search")
    return "grounding metadata came"


async def _billed(conversation: Talk, _: Place) -> str:
    conversation.say(QUESTION)
    heard = await conversation.until(lambda one: one.turns and one.usage, "usage record")
    usage = heard.usage[-1]
    return f"{usage.prompt_token_count} tokens in, {usage.response_tokens} out, {usage.total_token_count} in all"


async def _resumed(conversation: Talk, place: Place) -> str:
    conversation.say("My name is Ada.")
    await conversation.turn()
    handle = await conversation.handle()
    if conversation.connection is not None:
        conversation.connection.close()
    fields = _modality(catalogue.find(place.model), speaks=False)
    setup, endpoint = place.named(fields | {"sessionResumption": {"handle": handle}})
    async with talk(place.connect, endpoint, setup) as again:
        return f"resumed: {await _recalled(again)}"


async def _set_up(_conversation: Talk, _: Place) -> str:
    return "taken"


def _grey_png(side: int = 64) -> bytes:
    """Return a grey picture, PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x80" * side) * side
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


_KORE: Final = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}

PROBES: Final[tuple[Probe, ...]] = (
    Probe(
        capability="setup: detection, coverage, activity handling",
        act=_set_up,
        fields={
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "realtimeInputConfig": {
                "automaticActivityDetection": {
                    "startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
                    "endOfSpeechSensitivity": "END_SENSITIVITY_LOW",
                    "prefixPaddingMs": 20,
                    "silenceDurationMs": 500,
                },
                "activityHandling": "NO_INTERRUPTION",
                "turnCoverage": "TURN_INCLUDES_ALL_INPUT",
            },
            "generationConfig": {"temperature": 0.2, "topP": 0.9, "maxOutputTokens": 64},
        },
    ),
    Probe(capability="text: turns", act=_turn, fields={}),
    Probe(capability="text: incremental context", act=_context, fields={}),
    Probe(capability="text: history seeding", act=_history, fields={}),
    Probe(capability="text: realtime text", act=_realtime_text, fields={}, doubted=True),
    Probe(
        capability="audio in: manual activity",
        act=_marked,
        fields=_MANUAL | {"inputAudioTranscription": {}},
        transcribes=True,
    ),
    Probe(
        capability="audio in: automatic detection",
        act=_detected,
        fields={"inputAudioTranscription": {}},
        transcribes=True,
    ),
    Probe(
        capability="audio in: audioStreamEnd",
        act=_stream_end,
        fields={"inputAudioTranscription": {}},
        transcribes=True,
    ),
    Probe(
        capability="audio out: speech, output transcription", act=_speech, fields={}, speaks=True
    ),
    Probe(
        capability="audio out: voice and language",
        act=_speech,
        fields={"generationConfig": {"speechConfig": _KORE | {"languageCode": "en-US"}}},
        speaks=True,
    ),
    Probe(capability="audio out: interruption", act=_interruption, fields={}, speaks=True),
    Probe(
        capability="video in: pictures, media resolution",
        act=_picture,
        fields={"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW"}},
    ),
    Probe(
        capability="native audio: affective dialogue",
        act=_turn,
        fields={"generationConfig": {"enableAffectiveDialog": True}},
    ),
    Probe(
        capability="native audio: proactive audio",
        act=_maybe_silent,
        fields={"proactivity": {"proactiveAudio": True}},
    ),
    Probe(
        capability="native audio: thinking budget, summaries",
        act=_thinking,
        fields={
            "generationConfig": {"thinkingConfig": {"thinkingBudget": 256, "includeThoughts": True}}
        },
    ),
    Probe(
        capability="tools: calls and responses",
        act=_call,
        fields={"tools": [{"functionDeclarations": [_FUNCTION]}]},
    ),
    Probe(
        capability="tools: calls that do not block",
        act=_call,
        fields={"tools": [{"functionDeclarations": [_FUNCTION | {"behavior": "NON_BLOCKING"}]}]},
    ),
    Probe(
        capability="tools: cancellation",
        act=_cancelled,
        fields={"tools": [{"functionDeclarations": [_FUNCTION]}]},
    ),
    Probe(
        capability="tools: search grounding",
        act=_grounded,
        fields={"tools": [{"googleSearch": {}}]},
    ),
    Probe(capability="usage: a bill for each turn", act=_billed, fields={}),
    Probe(capability="long sessions: resumption", act=_resumed, fields={"sessionResumption": {}}),
    Probe(
        capability="long sessions: compression",
        act=_turn,
        fields={
            "contextWindowCompression": {
                "triggerTokens": "25600",
                "slidingWindow": {"targetTokens": "12800"},
            }
        },
    ),
    Probe(
        capability="later models: language hints, verbatim",
        act=_stream_end,
        fields={"inputAudioTranscription": {"languageCodes": ["en-US"], "mode": "VERBATIM"}},
        transcribes=True,
    ),
)
"""In the order of the guides."""


async def opened(place: Place, endpoint: Endpoint) -> None:
    """Open a session at another endpoint than the place's own; SilenceError or HungUpError say why there is none."""
    setup = codec.message_from(_modality(catalogue.find(place.model), speaks=False), Setup)
    named = msgspec.structs.replace(setup, model=endpoint.model_name(place.model))
    async with talk(place.connect, endpoint, named):
        pass


async def refusal(place: Place) -> str:
    """Return the words in which the service refuses a model that it cannot have; SilenceError when it does not."""
    setup = codec.message_from({"model": "models/no-such-model"}, Setup)
    try:
        async with talk(place.connect, place.endpoint(place.route(setup)), setup):
            pass
    except HungUpError as error:
        if error.kind == "model_not_found":
            return _quoted(str(error))
        raise
    raise SilenceError("a model that does not exist was taken")
