"""What a probe is, where it asks, and what came of it.

Knows how a session is opened, how long anything is waited for, and that nothing secret leaves it. What is asked for, and
what shows that it is there, is the other modules' business, an area of the Live API each.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

import msgspec

from harness.errors import HarnessError, UsageError
from harness.secret import Secret, redact
from harness.session.talk import WAIT_S, HungUpError, SilenceError, Talk, talk
from harness.wire.live import catalogue, codec
from harness.wire.live import endpoint as live
from harness.wire.live.messages import Setup
from harness.wire.live.rules import require_taken
from harness.wire.live.scalars import excerpt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from harness.session.config import Service
    from harness.session.transport import Connect
    from harness.units import Seconds
    from harness.wire.live.catalogue import Model
    from harness.wire.live.endpoint import Endpoint, Route
    from harness.wire.live.messages import UsageMetadata
    from harness.wire.live.refusals import FailureKind

Fields: TypeAlias = dict[str, Any]
"""A setup's JSON."""

LONGEST_S: Final[Seconds] = 150.0
"""Longest probe, whatever comes."""


Verdict: TypeAlias = Literal["ok", "accepted", "failed", "not offered", "not shown", "not walked"]


class NotFoundError(Exception):
    """A capability is not there to be found, which is no fault: one of those below."""

    verdict: ClassVar[Verdict]


class NotOfferedError(NotFoundError):
    """The model or the platform does not have it; the text says which rule says so."""

    verdict = "not offered"


class NotShownError(NotFoundError):
    """The model could have, and did otherwise; the text says what. A fault where its answers are ours."""

    verdict = "not shown"


class MisheardError(NotShownError):
    """The same recording was heard as something else; the text says as what. A poor recogniser's own doing, no fault."""


class NotWalkedError(NotFoundError):
    """It cannot be asked for here; the text says why, and what would."""

    verdict = "not walked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Where an emulator of ours listens with TLS."""

    url: str
    ca_file: str
    """The authority to trust."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where to probe, and with what."""

    connect: Connect
    endpoint: Callable[[Route], Endpoint]
    """Gives the endpoint for a method, with credentials."""

    route: Callable[[Setup], Route]
    """Gives the method that a setup needs."""

    service: Service
    url: str | None
    """Another endpoint than the service's own."""

    key: Secret | None
    """An API key; None: there is none."""

    model: str
    speech: bytes
    """A short recording: s16le mono 16 kHz."""

    pause_s: Seconds
    """Between its 100 ms frames: 0.1 is real time."""

    hurried: str | None = None
    """URL of an emulator whose connections and sessions last seconds, with quirks; None: there is none."""

    tls: Tls | None = None
    answers: bool = False
    """True: it has our answers to what is asked, so that it has no choice but to show what it can."""

    poor_ear: bool = False
    """True: its recogniser is known to hear little, so that what it hears otherwise shows nothing."""

    wait_s: Seconds = WAIT_S
    """Longest wait for anything."""

    secrets: list[Secret] = field(default_factory=list)
    """All credentials that were used; none of them may be told."""

    def named(self, fields: Fields, endpoint: Endpoint | None = None) -> tuple[Setup, Endpoint]:
        """Return the setup with the model's name, and where it goes; NotOfferedError when a rule forbids it."""
        setup = codec.message_from(fields, Setup)
        try:
            require_taken(setup, self.model, self.route(setup))
        except UsageError as error:
            raise NotOfferedError(error.what.partition(": ")[2]) from None
        return self.unchecked(fields, endpoint)

    def unchecked(self, fields: Fields, endpoint: Endpoint | None = None) -> tuple[Setup, Endpoint]:
        """Return the setup with the model's name, and where it goes, whatever the rules say."""
        setup = codec.message_from(fields, Setup)
        endpoint = endpoint or self.endpoint(self.route(setup))
        return msgspec.structs.replace(setup, model=endpoint.model_name(self.model)), endpoint

    @contextlib.asynccontextmanager
    async def talk(self, setup: Setup, endpoint: Endpoint) -> AsyncIterator[Talk]:
        """Give a conversation as `session.talk.talk` does, and remember its credentials."""
        self.secrets.extend(one for _, one in endpoint.headers if isinstance(one, Secret))
        async with talk(self.connect, endpoint, setup, wait_s=self.wait_s) as conversation:
            yield conversation

    @contextlib.asynccontextmanager
    async def session(
        self, fields: Fields | None = None, *, speaks: bool = False, at: Endpoint | None = None
    ) -> AsyncIterator[Talk]:
        """Give a session of the model with these fields; NotOfferedError when a rule forbids them.

        `speaks`: it must answer in speech; `at`: another endpoint than the place's own.
        """
        setup, endpoint = self.named(merged(self.modality(speaks=speaks), fields or {}), at)
        async with self.talk(setup, endpoint) as conversation:
            yield conversation

    async def opened(self, endpoint: Endpoint) -> None:
        """Open a session at `endpoint` and close it; SilenceError or HungUpError say why there is none."""
        setup = codec.message_from(self.modality(speaks=False), Setup)
        named = msgspec.structs.replace(setup, model=endpoint.model_name(self.model))
        async with self.talk(named, endpoint):
            pass

    async def refusal(self, setup: Setup, endpoint: Endpoint, kind: FailureKind) -> str:
        """Return the words in which the service refuses `setup`; SilenceError when it does not.

        HungUpError: it refuses, and not as `kind`.
        """
        try:
            async with self.talk(setup, endpoint):
                pass
        except HungUpError as error:
            if error.kind == kind:
                return quoted(str(error))
            raise
        raise SilenceError("it was taken")

    async def scruple(self, fields: Fields, *, speaks: bool = False) -> str:
        """Return the words in which the service refuses a setup with `fields`, which no service should take.

        NotShownError when it takes them: then it takes anything, and that it takes others says nothing.
        """
        setup, endpoint = self.unchecked(merged(self.modality(speaks=speaks), fields))
        try:
            return await self.refusal(setup, endpoint, "config")
        except SilenceError:
            told = msgspec.json.encode(fields).decode()
            raise NotShownError(f"it takes anything: {excerpt(told)}") from None

    def at(self, url: str) -> Endpoint:
        """Return the endpoint of an emulator of ours."""
        return live.gemini(Secret("doctor"), url=url)

    def modality(self, *, speaks: bool) -> Fields:
        """Return the part of a setup that asks for answers in words, written where the model can."""
        model = catalogue.find(self.model)
        if not speaks and model is not None and "TEXT" in model.modalities:
            return {"generationConfig": {"responseModalities": ["TEXT"]}}
        generation: Fields = {"responseModalities": ["AUDIO"]}
        if model is not None and model.least_thinking is not None:
            generation["thinkingConfig"] = {"thinkingLevel": model.least_thinking}
        return {"generationConfig": generation, "outputAudioTranscription": {}}

    def ask(self, conversation: Talk, words: str) -> None:
        """Say something in writing that is answered: as a turn, or as realtime text where turns are history alone."""
        model = catalogue.find(self.model)
        if model is None or model.content_any_time:
            conversation.say(words)
        else:
            conversation.send(conversation.client.text(words))

    def require(self, able: Callable[[Model], bool], lack: str) -> None:
        """Raise NotOfferedError, the model's id and `lack`, when it is known not to be able."""
        model = catalogue.find(self.model)
        if model is not None and not able(model):
            raise NotOfferedError(f"{model.id} {lack}")

    def require_conversing(self) -> None:
        """Raise NotOfferedError when the model is known to do nothing but transcribe."""
        self.require(lambda one: one.kind != "transcribe", "does nothing but transcribe")

    def require_hurried(self, why: str) -> str:
        """Return the URL of the hurried emulator; NotWalkedError, with `why`, where there is none."""
        if self.hurried is None:
            raise NotWalkedError(why)
        return self.hurried


Walk: TypeAlias = Callable[[Place], Awaitable[str]]
"""Asks, and returns what came; NotFoundError and HarnessError say why nothing did."""

Act: TypeAlias = Callable[[Talk, Place], Awaitable[str]]
"""The same in a session that is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One capability."""

    capability: str
    """`area: what`, as in docs/protocol.md."""

    walk: Walk
    transcribes: bool = False
    """True: a dedicated transcription model can do it; all others need one that converses."""

    seen: bool = True
    """False: nothing on the wire tells what the capability does, only that it is taken."""

    doubted: bool = False
    """True: it, or the realtime text it asks with, may be lacking on a platform, so that a refusal says that it is."""


def asking(act: Act, fields: Fields | None = None, *, speaks: bool = False) -> Walk:
    """Return the walk that opens one session with these fields and acts in it."""

    async def walk(place: Place) -> str:
        async with place.session(fields, speaks=speaks) as conversation:
            return await act(conversation, place)

    return walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a probe found."""

    verdict: Verdict
    told: str
    """In a few words, without a secret."""

    silent: bool = False
    """True: something was waited for in vain."""


async def outcome(probe: Probe, place: Place) -> Outcome:
    """Return what a probe found, after `LONGEST_S` at the latest."""
    found = await _outcome(probe, place)
    return Outcome(
        verdict=found.verdict, told=redact(found.told, place.secrets), silent=found.silent
    )


async def _outcome(probe: Probe, place: Place) -> Outcome:
    try:
        if not probe.transcribes:
            place.require_conversing()
        async with asyncio.timeout(LONGEST_S):
            told = await probe.walk(place)
            return Outcome(verdict="ok" if probe.seen else "accepted", told=told)
    except NotFoundError as error:
        misheard = place.poor_ear and isinstance(error, MisheardError)
        at_fault = place.answers and error.verdict == "not shown" and not misheard
        return Outcome(verdict="failed" if at_fault else error.verdict, told=str(error))
    except TimeoutError:
        return Outcome(verdict="failed", told=f"not done within {LONGEST_S:g} s", silent=True)
    except HarnessError as error:
        if probe.doubted and isinstance(error, HungUpError) and error.kind == "config":
            return Outcome(verdict="not offered", told=f"the service refuses it: {error}")
        told = f"{error.what}: {error.why}" if error.why else error.what
        return Outcome(verdict="failed", told=told, silent=isinstance(error, SilenceError))


def merged(one: Fields, other: Fields) -> Fields:
    """Return the fields of both, those of `other` where both have them."""
    inner = one.get("generationConfig", {}) | other.get("generationConfig", {})
    return one | other | {"generationConfig": inner}


def quoted(text: str) -> str:
    """Return `text` in quotation marks, cut where it is long."""
    return f"“{text if len(text) < 60 else f'{text[:57]}…'}”"


async def answered(conversation: Talk, wanted: str = "") -> str:
    """Return the answer of the turn that comes next, quoted; SilenceError when it has none.

    NotShownError when it lacks the word that is wanted.
    """
    heard = await conversation.turn()
    if not heard.answer:
        raise SilenceError("the turn ended without an answer")
    if wanted not in heard.answer.casefold():
        raise NotShownError(f"the answer is {quoted(heard.answer)}")
    return quoted(heard.answer)


async def transcribed(conversation: Talk) -> str:
    """Return the transcript of what was said to the service, quoted."""
    heard = await conversation.until(lambda one: one.transcript.strip(), "transcript")
    return quoted(heard.transcript.strip())


async def bill(conversation: Talk) -> UsageMetadata:
    """Return the record of usage that comes with the end of a turn."""
    heard = await conversation.until(lambda one: one.turns and one.usage, "usage record")
    conversation.forget()
    return heard.usage[-1]


def by_modality(usage: UsageMetadata) -> str:
    """Return the prompt's tokens by modality, in words."""
    return ", ".join(f"{one.modality} {one.token_count}" for one in usage.prompt_tokens_details)


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────

QUESTION: Final = "Please say: good morning."
MORNING: Final = "morning"
"""In every answer to that."""

TEMPERATURE: Final = "What is the temperature in Gdynia? Use the function."
NEWS: Final = "Search the web: what is the news today?"
RIDDLE: Final = "Think about it first: which number follows 2, 4, 8?"
COUNT: Final = "Count slowly from one to forty, in words."
TEN: Final = "Count slowly from one to ten, in words."
PRIVATE: Final = "I am talking to somebody else, so do not answer this."
NAME: Final = "What is my name?"
COLOUR: Final = "What colour is the picture?"
NOTES: Final = "Take note of the following and answer with one word. "

MANUAL: Final[Fields] = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
TRANSCRIBED: Final[Fields] = {"inputAudioTranscription": {}}
FUNCTION: Final[Fields] = {
    "name": "get_temperature",
    "description": "The temperature in a city, in degrees Celsius.",
    "parameters": {
        "type": "OBJECT",
        "properties": {"city": {"type": "STRING"}},
        "required": ["city"],
    },
}
