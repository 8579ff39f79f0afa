"""Every row of the doctor's walk can fail: where the capability is there it is found, and where it is broken it is not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import pytest

from harness.cli import walk
from harness.cli.joined import Joint
from harness.clock import run_virtual
from harness.emulator.answers import Answer, Answers
from harness.emulator.context import Handles
from harness.emulator.manners import Manners
from harness.emulator.scripted import Line, Scripted
from harness.emulator.tokens import Tokens
from harness.secret import Secret
from harness.session.config import route
from harness.session.probes import PROBES, connections
from harness.session.probes.probe import Place, Tls, outcome
from harness.session.transport import Closed, Upgraded
from harness.wire.live import codec, refusals
from harness.wire.live import endpoint as live
from harness.wire.live.assumptions import Assumptions
from harness.wire.live.credentials import authenticate, token_of
from harness.wire.live.messages import ClientMessage, Setup
from harness.wire.live.refusals import Refused
from tests.emulator.signals import burst, hush

if TYPE_CHECKING:
    from collections.abc import Callable

USUAL, HURRIED, ENCRYPTED = "ws://usual", "ws://hurried", "wss://encrypted"
SPEECH = hush(0.3) + burst(2.0) + hush(0.1)
"""With little silence behind it, so that what follows decides where a turn ends."""

ANSWERS = Answers(msgspec.convert(walk.answers(), list[Answer]))
MANNERS = Manners(answers=ANSWERS, assumed=Assumptions(cached_turns="told"))
BRISK = replace(MANNERS, connection_s=5, go_away_lead_s=3, session_s=2, video_session_s=1)
"""Of the hurried emulator, as `walk.HURRIED` says."""

Message = dict[str, Any]
"""The JSON of a frame."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with a service, and says so."""

    heard: Callable[[Message], Message | None] = lambda message: message
    """What becomes of a message of the client's; None: it is lost. Refused closes the connection."""

    said: Callable[[Message], Message | None] = lambda message: message
    """What becomes of a message of the service's."""

    door: Callable[[str, dict[str, str]], tuple[str, dict[str, str]]] = lambda url, headers: (
        url,
        headers,
    )
    """Which URL and headers the service sees. Refused refuses the upgrade."""

    minted: Callable[[Message], Message] = lambda request: request
    """What becomes of a request for a token."""

    trusting: bool = False
    """True: any certificate will do."""

    hurried: Manners = BRISK
    hurried_quirks: bool = True
    """True: the hurried emulator sends fields that nobody knows, and no bills."""


class Lengths(Scripted):
    """An ear that hears something else in a recording of another length."""

    name = "lengths"

    def __init__(self) -> None:
        texts = ["yes", "What a day", "knights fought", "who’d jump", "zebras", "lilac lid", "moo"]
        super().__init__({"*": Line(fragments=["{seconds}"])})
        self._texts = texts

    def listen(self, languages=(), vocabulary=()):
        return _Listening(super().listen(), self._texts)


class _Listening:
    def __init__(self, inner, texts) -> None:
        self.inner, self.texts, self.language = inner, texts, None

    async def hear(self, pcm, *, last):
        async for seconds in self.inner.hear(pcm, last=last):
            yield self.texts[round(float(seconds)) % len(self.texts)]

    def leave(self) -> None:
        self.inner.leave()


class Hum:
    """A voice that is another one at every pitch and in every language."""

    name = "hum"
    locales = ("de-DE", "en-US")

    async def speech(self, text: str, *, locale: str, pitch: float) -> bytes:
        seed = round(pitch * 1000) + self.locales.index(locale)
        return burst(len(text) / 20, rate=24_000, seed=seed)


@dataclass
class Peer:
    """Emulators in memory, behind the door of a service, with a fault between them and the doctor."""

    fault: Fault
    ear: Lengths = field(default_factory=Lengths)
    handles: Handles = field(default_factory=Handles)
    tokens: Tokens = field(default_factory=lambda: Tokens(now=lambda: 0.0))
    trusted: bool = False

    async def connect(self, endpoint, listener):
        headers = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in endpoint.headers
        }
        wire = Wire(listener, self.fault)
        if endpoint.secure and not (self.trusted or self.fault.trusting):
            wire.refuse(Closed(code=None, reason="TLS: unable to get local issuer certificate"))
            return wire
        try:
            url, headers = self.fault.door(endpoint.url, headers)
            where, grant = self._admitted(url, headers)
        except Refused as refused:
            refusal = refused.refusal
            if not refusal.at_upgrade:
                listener.upgraded(Upgraded(headers={}))
            code, status = (None, refusal.code) if refusal.at_upgrade else (refusal.code, None)
            wire.refuse(Closed(code=code, status=status, reason=refused.reason))
            return wire
        hurried = endpoint.url.startswith(HURRIED)
        wire.join(
            Joint(
                wire,
                self.ear,
                self.fault.hurried if hurried else MANNERS,
                self.handles,
                where,
                voice=Hum(),
            ),
            grant,
            quirky=hurried and self.fault.hurried_quirks,
        )
        listener.upgraded(Upgraded(headers={}))
        return wire

    def _admitted(self, url, headers):
        path, query = urlsplit(url).path, urlsplit(url).query
        where = live.route(path)
        if where is None:
            raise Refused(refusals.NOT_FOUND)
        refusal = authenticate(where, query, headers.items())
        if refusal is not None:
            raise Refused(refusal)
        return path, self.tokens.grant(token_of(query, headers.items())) if (
            where.constrained
        ) else None

    async def minted(self, place, request):
        asked = self.fault.minted(json.loads(codec.encode(request)))
        return Secret(self.tokens.mint(json.dumps(asked).encode()))

    def load_verify_locations(self, ca_file) -> None:
        """Trust an authority, as an SSL context does."""
        self.trusted = True


class Wire:
    """A connection with a fault in it: the doctor's `Connection`, and the joint's `Listener`."""

    congested = False

    def __init__(self, listener, fault: Fault) -> None:
        self.listener, self.fault = listener, fault
        self.joint = self.grant = None
        self.quirky = self.over = False

    def join(self, joint, grant, *, quirky: bool) -> None:
        self.joint, self.grant, self.quirky = joint, grant, quirky

    # what the doctor calls
    def send(self, payload: bytes) -> None:
        if self.joint is None:
            return
        try:
            message = self.fault.heard(json.loads(payload))
            if message is not None and "setup" in message and self.grant is not None:
                setup = self.grant.setup(codec.message_from(message["setup"], Setup))
                self.grant.begun(setup)
                message = json.loads(codec.encode(ClientMessage(setup=setup)))
        except Refused as refused:
            self.joint.loop.call_soon(self.joint.end, refused.code, refused.reason, False)
            return
        if message is not None:
            self.joint.send(json.dumps(message).encode())

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.joint is not None:
            self.joint.close(code, reason)

    def abort(self) -> None:
        if self.joint is not None:
            self.joint.abort()

    def refuse(self, closed: Closed) -> None:
        asyncio.get_running_loop().call_soon(self.closed, closed, 0.0)

    # what the joint calls
    def received(self, frame: bytes, t: float) -> None:
        message = json.loads(frame)
        if self.quirky:
            message = {"strange": 1} | (lacking("usageMetadata")(message) or {})
        message = self.fault.said(message)
        if message is not None:
            self.listener.received(json.dumps(message).encode(), t)

    def closed(self, closed: Closed, t: float) -> None:
        if not self.over:
            self.over = True
            self.listener.closed(closed, t)


def walked(capability: str, fault: Fault, monkeypatch):
    """Return what the doctor finds of a capability where this is wrong, asking one model after the other as it does."""
    peer = Peer(fault)
    monkeypatch.setattr(connections, "_minted", peer.minted)
    monkeypatch.setattr(connections, "tls_context", lambda: peer)
    place = Place(
        connect=peer.connect,
        endpoint=lambda to: live.gemini(Secret("doctor"), version=to.version, url=USUAL),
        route=lambda setup: route("emulator", None, [setup], {}),
        service="emulator",
        url=USUAL,
        key=Secret("doctor"),
        model=walk.EMULATED[0],
        speech=SPEECH,
        pause_s=0.0,
        hurried=HURRIED,
        tls=Tls(url=ENCRYPTED, ca_file="ca.pem"),
        answers=True,
    )
    (probe,) = (one for one in PROBES if one.capability == capability)
    found = None
    for model in walk.EMULATED:
        found = run_virtual(outcome(probe, replace(place, model=model)))
        if found.verdict != "not offered":
            break
    return found


# ── What may be wrong ────────────────────────────────────────────────────────────────────────────────────────────────


def lacking(*names: str) -> Callable[[Message], Message | None]:
    """Return what takes these fields out of a message wherever they stand; None where nothing else was in it."""

    def less(value):
        if isinstance(value, dict):
            return {name: less(inner) for name, inner in value.items() if name not in names}
        return [less(one) for one in value] if isinstance(value, list) else value

    def without(message: Message) -> Message | None:
        left = less(message)
        return None if left != message and not any(left.values()) else left

    return without


def deaf_to(*names: str) -> Fault:
    """Return a service that does not see these fields."""
    return Fault(heard=lacking(*names))


def never_says(*names: str) -> Fault:
    """Return a service that never sends these fields."""
    return Fault(said=lacking(*names))


def says(name: str, value: object) -> Fault:
    """Return a service that has nothing but `value` in a field, wherever it has the field."""

    def put(inner):
        if isinstance(inner, dict):
            return {one: value if one == name else put(other) for one, other in inner.items()}
        return [put(one) for one in inner] if isinstance(inner, list) else inner

    return Fault(said=put)


def refuses(wanted: Callable[[Message], object]) -> Fault:
    """Return a service that closes when it hears such a message."""

    def heard(message: Message) -> Message:
        if wanted(message):
            raise Refused(refusals.INVALID_ARGUMENT)
        return message

    return Fault(heard=heard)


def _with_key(key: str) -> Fault:
    """Return a service that takes any credential for this one."""

    def door(url, headers):
        return url, {
            name: value.replace("invalid", key) if "invalid" in value else value
            for name, value in headers.items()
        }

    return Fault(door=door)


def _shut(what: Callable[[str, dict[str, str]], bool]) -> Fault:
    """Return a service whose door is shut where `what` says so."""

    def door(url, headers):
        if what(url, headers):
            raise Refused(refusals.NOT_FOUND)
        return url, headers

    return Fault(door=door)


def _forgets_turns(message: Message) -> Message | None:
    """Lose turns that are not complete."""
    turns = message.get("clientContent")
    return None if turns is not None and not turns.get("turnComplete") else message


def _first_modality(message: Message) -> Message:
    config = message.get("setup", {}).get("generationConfig", {})
    if "responseModalities" in config:
        config["responseModalities"] = config["responseModalities"][:1]
    return message


def _any_model(message: Message) -> Message:
    if "setup" in message:
        message["setup"]["model"] = f"models/{walk.EMULATED[0]}"
    return message


def _at_16_khz(message: Message) -> Message:
    audio = message.get("realtimeInput", {}).get("audio")
    if audio:
        audio["mimeType"] = "audio/pcm;rate=16000"
    return message


def _undetected(message: Message) -> Message:
    if "setup" in message:
        detection = {"automaticActivityDetection": {"disabled": True}}
        message["setup"]["realtimeInputConfig"] = detection
    return message


def _thoughtless(message: Message) -> Message | None:
    parts = message.get("serverContent", {}).get("modelTurn", {}).get("parts", [])
    if any(part.get("thought") for part in parts):
        return None
    return lacking("thoughtsTokenCount")(message)


def _mute(message: Message) -> Message:
    """Hear every question as what nobody asked the model."""
    return json.loads(
        json.dumps(message).replace("Please say: good morning.", "I am talking to somebody else.")
    )


def _in_one_spelling(message: Message) -> Message:
    usage = message.get("usageMetadata", {})
    if "candidatesTokenCount" in usage:
        usage["responseTokenCount"] = usage.pop("candidatesTokenCount")
    return message


def _long(request: Message) -> Message:
    return request | {"uses": 0}


BROKEN: dict[str, list[Fault]] = {
    "connection: API key in a header": [_with_key("good")],
    "connection: ephemeral tokens": [Fault(minted=_long)],
    "connection: ephemeral tokens, locked setups": [
        Fault(minted=lambda request: {"uses": request.get("uses", 1)})
    ],
    "connection: Vertex AI: regional, global, multi-region": [
        refuses(lambda message: "locations/global" in str(message))
    ],
    "connection: Vertex AI: refreshed bearer tokens": [_with_key("good")],
    "connection: Vertex AI: express mode": [
        _shut(lambda url, headers: "aiplatform" in url and "x-goog-api-key" in headers)
    ],
    "connection: v1beta, v1alpha, v1": [_shut(lambda url, _: ".v1." in url)],
    "connection: another URL": [_shut(lambda url, _: url.startswith(USUAL))],
    "connection: TLS": [
        Fault(trusting=True),
        _shut(lambda url, _: url.startswith(ENCRYPTED)),
    ],
    "connection: refusals at the upgrade": [
        Fault(door=lambda url, headers: (url.replace("Elsewhere", ""), headers))
    ],
    "setup: every field, with its defaults": [
        deaf_to("temperament"),
        refuses(lambda message: "topK" in str(message)),
    ],
    "setup: rules, checked before connecting": [Fault(heard=_first_modality)],
    "setup: close codes and reasons": [Fault(heard=_any_model)],
    "setup: unknown fields are kept": [Fault(hurried_quirks=False)],
    "text: turns": [deaf_to("clientContent"), deaf_to("text")],
    "text: incremental context": [Fault(heard=_forgets_turns)],
    "text: history seeding": [Fault(heard=_forgets_turns)],
    "text: realtime text": [deaf_to("realtimeInput")],
    "audio in: 16 kHz sent, 4 to 192 kHz taken": [Fault(heard=_at_16_khz)],
    "audio in: automatic activity detection": [Fault(heard=_undetected)],
    "audio in: sensitivities, padding, silence": [
        deaf_to("automaticActivityDetection"),
        deaf_to("startOfSpeechSensitivity"),
        deaf_to("endOfSpeechSensitivity"),
        deaf_to("prefixPaddingMs"),
        deaf_to("silenceDurationMs"),
        Fault(heard=_undetected),
    ],
    "audio in: manual activity": [deaf_to("activityStart", "activityEnd"), deaf_to("activityEnd")],
    "audio in: audioStreamEnd": [deaf_to("audioStreamEnd")],
    "audio in: turn coverage": [deaf_to("turnCoverage")],
    "audio in: activity handling": [deaf_to("activityHandling")],
    "audio in: transcription": [never_says("inputTranscription")],
    "audio out: 24 kHz PCM": [
        says("mimeType", "audio/pcm;rate=16000"),
        never_says("inlineData"),
    ],
    "audio out: voices": [deaf_to("voiceConfig")],
    "audio out: language code": [deaf_to("languageCode")],
    "audio out: output transcription": [never_says("outputTranscription")],
    "audio out: interruption": [never_says("interrupted")],
    "video in: pictures": [deaf_to("video")],
    "video in: media resolution": [deaf_to("mediaResolution")],
    "native audio: affective dialogue": [
        deaf_to("enableAffectiveDialog", "enableAffectiveMonolog"),
        refuses(lambda message: "enableAffectiveDialog" in str(message)),
    ],
    "native audio: proactive audio": [deaf_to("proactivity"), Fault(heard=_mute)],
    "native audio: thinking": [Fault(said=_thoughtless), deaf_to("includeThoughts")],
    "tools: declarations, calls, responses": [deaf_to("tools"), deaf_to("toolResponse")],
    "tools: blocking and not": [deaf_to("behavior"), deaf_to("toolResponse")],
    "tools: cancellation": [never_says("toolCallCancellation")],
    "tools: search grounding": [deaf_to("tools"), never_says("groundingMetadata")],
    "usage: both spellings": [
        Fault(said=_in_one_spelling),
        never_says("responseTokenCount", "candidatesTokenCount"),
        never_says("usageMetadata"),
    ],
    "usage: per modality, turn and session": [
        never_says("promptTokensDetails"),
        says("promptTokenCount", 7),
        never_says("usageMetadata"),
    ],
    "usage: thoughts": [never_says("thoughtsTokenCount")],
    "usage: cached tokens": [never_says("cachedContentTokenCount")],
    "usage: tool-use tokens": [never_says("toolUsePromptTokenCount")],
    "usage: absent is unknown": [Fault(hurried_quirks=False)],
    "long sessions: goAway": [never_says("goAway"), deaf_to("handle")],
    "long sessions: resumption": [deaf_to("handle"), never_says("newHandle")],
    "long sessions: context-window compression": [
        deaf_to("contextWindowCompression"),
        says("promptTokenCount", 2000),
        never_says("usageMetadata"),
    ],
    "long sessions: limits of sessions and connections": [
        Fault(hurried=MANNERS),
        Fault(hurried=replace(BRISK, video_session_s=900)),
        Fault(hurried=replace(BRISK, session_s=900, video_session_s=1)),
        Fault(hurried=replace(BRISK, connection_s=600)),
    ],
    "long sessions: replay and seams": [Fault(hurried=MANNERS)],
    "later models: interim hypotheses": [never_says("interimInputTranscription")],
    "later models: language hints, vocabulary, verbatim mode": [
        deaf_to("languageCodons"),
        refuses(lambda message: "customVocabulary" in str(message)),
    ],
    "later models: fields and eras": [deaf_to("contextUpdate"), Fault(heard=_forgets_turns)],
}
"""What is wrong with a service that lacks a capability, or only says that it had it."""

ACCEPTED = {
    "setup: every field, with its defaults",
    "native audio: affective dialogue",
    "later models: language hints, vocabulary, verbatim mode",
}
"""What nothing on the wire tells the effect of."""


def test_every_row_has_been_seen_to_fail():
    """No row is without a service that breaks it, and none of these is for another."""
    assert [probe.capability for probe in PROBES] == list(BROKEN)


@pytest.mark.parametrize("capability", BROKEN)
def test_a_row_stands_where_nothing_is_wrong(capability, monkeypatch):
    """A service that has a capability shows it; where nothing could show, that it was taken is told apart from that."""
    found = walked(capability, Fault(), monkeypatch)
    assert ("accepted" if capability in ACCEPTED else "ok") == found.verdict, found.told


@pytest.mark.parametrize(
    "capability, fault",
    [
        pytest.param(name, fault, id=f"{name}-{number}")
        for name, faults in BROKEN.items()
        for number, fault in enumerate(faults)
    ],
)
def test_a_row_falls_where_its_capability_is_broken(capability, fault, monkeypatch):
    """A service that lacks a capability, or only says that it had it, fails in its row."""
    found = walked(capability, fault, monkeypatch)
    assert "failed" == found.verdict, found.told
