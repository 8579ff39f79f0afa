"""Emulators in memory behind the door of a service, with a fault between them and who talks to them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from harness.cli import walk
from harness.cli.joined import Joint
from harness.emulator.conversation.handles import Handles
from harness.emulator.door.tokens import Tokens
from harness.emulator.ear.scripted import Line, Scripted
from harness.emulator.model.answers import Answer, Answers
from harness.emulator.model.manners import Manners
from harness.secret import Secret
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
    """Emulators in memory, behind the door of a service, with a fault between them and the client."""

    fault: Fault = field(default_factory=Fault)
    ear: Lengths = field(default_factory=Lengths)
    handles: Handles = field(default_factory=Handles)
    tokens: Tokens = field(default_factory=lambda: Tokens(now=lambda: 0.0))
    trusted: bool = False
    wires: list[Wire] = field(default_factory=list)
    """All connections, in order."""

    async def connect(self, endpoint, listener):
        headers = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in endpoint.headers
        }
        wire = Wire(listener, self.fault, endpoint.url, headers)
        self.wires.append(wire)
        if endpoint.secure and not (self.trusted or self.fault.trusting):
            wire.refuse(Closed(code=None, reason="TLS: unable to get local issuer certificate"))
            return wire
        try:
            url, headers = self.fault.door(endpoint.url, headers)
            where, grant = self._admitted(url, headers)
        except Refused as refused:
            refusal = refused.refusal
            if not refusal.at_upgrade:
                listener.upgraded(Upgraded(headers={}), asyncio.get_running_loop().time())
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
        listener.upgraded(Upgraded(headers={}), asyncio.get_running_loop().time())
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
    """A connection with a fault in it: the client's `Connection`, and the joint's `Listener`."""

    congested = False

    def __init__(self, listener, fault: Fault, url: str, headers: dict[str, str]) -> None:
        self.listener, self.fault, self.url, self.headers = listener, fault, url, headers
        self.heard: list[Message] = []
        self.said: list[Message] = []
        self.joint = self.grant = None
        self.quirky = self.over = False

    def join(self, joint, grant, *, quirky: bool) -> None:
        self.joint, self.grant, self.quirky = joint, grant, quirky

    # what the client calls
    def send(self, payload: bytes) -> None:
        if self.joint is None:
            return
        self.heard.append(json.loads(payload))
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
            self.said.append(message)
            self.listener.received(json.dumps(message).encode(), t)

    def closed(self, closed: Closed, t: float) -> None:
        if not self.over:
            self.over = True
            self.listener.closed(closed, t)


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
