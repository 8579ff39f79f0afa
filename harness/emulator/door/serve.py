"""The emulator's sockets: `websockets`' sans-I/O protocol under an asyncio protocol of ours, and the door's rules.

Answers upgrades as the service does (404, 401, 429, or a close right after), says that it is an emulator in a header of
every answer, and hands frames to a `Conversation`. Any bytes may come in; none of them stops the server. `GET /` tells
its state as JSON. Knows sockets, and how many sessions the ear can bear; does not know what is said in them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from harness.emulator.conversation.conversation import Conversation
from harness.emulator.conversation.handles import Handles
from harness.emulator.door.post import MalformedRequestError, PostReader
from harness.emulator.door.tokens import Tokens, failure
from harness.emulator.model.manners import Manners
from harness.emulator.quirks.mischief import Mischief
from harness.emulator.quirks.network import Cable
from harness.errors import InputError
from harness.version import __version__
from harness.wire.fragments import Fragments
from harness.wire.live import codec, endpoint, refusals
from harness.wire.live.assumptions import departures
from harness.wire.live.credentials import authenticate, token_of
from harness.wire.live.messages import ServerMessage
from harness.wire.live.refusals import Refused
from harness.wire.live.server import LiveServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from harness.emulator.door.tokens import Grant
    from harness.emulator.ear.ear import Ear
    from harness.emulator.quirks.mischief import Trouble
    from harness.emulator.voice.voice import Voice
    from harness.units import Seconds
    from harness.wire.live.catalogue import Era
    from harness.wire.live.refusals import Refusal

MAX_MESSAGE_BYTES: Final = 16 * 2**20
"""Largest message taken: six minutes of 16 kHz audio as base64, in one frame as the guides' samples send it."""

UPGRADE_S: Final[Seconds] = 10.0
"""Longest wait for a whole request."""

CLOSE_S: Final[Seconds] = 5.0
"""Longest wait for the peer to close after we have."""

STOP_S: Final[Seconds] = 1.0
"""Longest wait for the peers to close when the server stops."""

MOST_UNREAD: Final = 8 * 2**20
"""Bytes that a client may leave unread before it is dropped."""

MOST_CONNECTIONS: Final = 4096
"""Open sockets, sessions or not, where the system allows as many; more are dropped unanswered."""

SPARE_FILES: Final = 64
"""Files that the process keeps for everything but connections."""

MOST_HELD: Final = 128 * 2**20
"""Bytes of unfinished messages and of what sessions keep of them, over all connections; when there are more, the connection
that holds most is dropped."""

_silent = logging.getLogger("harness.emulator.door.serve.websockets")
_silent.setLevel(logging.CRITICAL)
"""For the protocol library: what a hostile peer sends is no news."""


def _most_connections() -> int:
    """Return how many sockets may be open: as many as the system allows, less what else needs files."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(MOST_CONNECTIONS, max(1, files - SPARE_FILES))


@dataclass(slots=True, kw_only=True)
class Service:
    """What all connections share."""

    ear: Ear
    sessions: int
    """How many may be open at once."""

    voice: Voice | None = None
    """None: it cannot speak, and AUDIO is refused."""

    manners: Manners = field(default_factory=Manners)
    era: Era = "later"
    handles: Handles = field(default_factory=Handles)
    tokens: Tokens = field(default_factory=lambda: Tokens(now=time.time))
    mischief: Mischief = field(default_factory=lambda: Mischief({}))
    """How the service misbehaves; by default not at all."""

    open_sessions: int = 0
    served: int = 0
    """Sessions since the start."""

    refused: int = 0
    """Upgrades refused for quota since the start."""

    connections: set[_Connection] = field(default_factory=set)
    most_connections: int = field(default_factory=_most_connections)
    held: int = 0
    """Bytes that are kept for connections, over all of them."""

    @property
    def title(self) -> str:
        """What the header says: version and ear, and the file that answers are read from."""
        source = self.manners.answers.source
        said = f"{self.ear.name}; {source}" if source else self.ear.name
        return f"{__version__}; " + "".join(one if 32 <= ord(one) < 127 else "?" for one in said)

    def status(self) -> dict[str, object]:
        """Return the state that `GET /` shows."""
        return {
            "emulator": __version__,
            "assumed": departures(self.manners.assumed),
            "ear": self.ear.name,
            "voice": self.voice and self.voice.name,
            "sessions": self.open_sessions,
            "capacity": self.sessions,
            "served": self.served,
            "refused": self.refused,
        }

    def admit(self) -> bool:
        """Return whether one more session fits, and count the refusal when it does not."""
        if self.open_sessions < self.sessions:
            return True
        self.refused += 1
        return False

    def connection(self) -> asyncio.Protocol:
        """Return the protocol of the next connection's socket."""
        trouble = self.mischief.next()
        connection = _Connection(self, trouble)
        return connection if trouble is None else trouble.cable(connection)


async def listen(
    service: Service, host: str, port: int, tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Return a server that listens; InputError names the place that cannot be listened at."""
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(
            service.connection,
            host,
            port,
            ssl=tls,
            ssl_handshake_timeout=UPGRADE_S if tls else None,
        )
    except OSError as error:
        raise InputError(
            f"cannot listen on {host} port {port}",
            why=error.strerror or str(error),
            hint="--port 0 picks a free one",
        ) from error


async def stop(service: Service, servers: list[asyncio.Server]) -> None:
    """Listen no more and close every connection, the slow ones after a second."""
    for server in servers:
        server.close()
    lost = [connection.lost for connection in service.connections]
    for connection in list(service.connections):
        connection.close(1001, "")
    if lost:
        await asyncio.wait(lost, timeout=STOP_S)
    for connection in list(service.connections):
        connection.abort()


class _Connection(asyncio.Protocol):
    """One client. It is the `Line` of its conversation."""

    def __init__(self, service: Service, trouble: Trouble | None = None) -> None:
        self._service = service
        self._trouble = trouble
        self._ws = ServerProtocol(extensions=None, max_size=MAX_MESSAGE_BYTES, logger=_silent)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._conversation: Conversation | None = None
        self._fragments = Fragments()
        self._receive: Callable[[bytes], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._fresh = True
        self._post: PostReader | None = None
        self.held = 0
        """Bytes of an unfinished message, and of what the session keeps."""

        self.lost: asyncio.Future[None] = self._loop.create_future()
        """Done when the socket is closed."""

    # ── asyncio's side ───────────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._transport = transport
        if len(self._service.connections) >= self._service.most_connections:
            transport.abort()
            return
        self._service.connections.add(self)
        self._timer = self._loop.call_later(UPGRADE_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._post is None and self._fresh and data.startswith(b"P"):
            # An upgrade is a GET, so this is somebody who wants a token.
            self._post = PostReader()
        self._fresh = False
        if self._post is not None:
            if not self._ws.eof_sent:  # what comes behind a request that is answered is for nobody
                self._take_post(self._post, data)
            return
        self._ws.receive_data(data)
        for event in self._ws.events_received():
            match event:
                case Request():
                    self._answer(event)
                case Frame():
                    self._frame(event)
                case Response():
                    pass  # Only a client's protocol gives one.
        self._flush()
        kept = self._conversation.kept if self._conversation is not None else 0
        self.note_held(len(self._ws.reader.buffer) + len(self._fragments) + kept)

    def note_held(self, held: int) -> None:
        """Note how many bytes are kept for this connection; who keeps most makes room when it is too much."""
        service = self._service
        service.held += held - self.held
        self.held = held
        if service.held > MOST_HELD:
            greediest = max(service.connections, key=lambda one: one.held)
            greediest.abort()
            greediest.note_held(0)

    def eof_received(self) -> None:
        self._ws.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)
        self._service.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self.note_held(0)
        self._leave()

    # ── the door ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, request: Request) -> None:
        """Answer the one HTTP request of this connection."""
        if self._ws.eof_sent:
            # What came right behind the request has already broken the protocol.
            self.abort()
            return
        service = self._service
        path, _, query = request.path.partition("?")
        route = endpoint.route(path)
        if route is None:
            if path.strip("/") == "" and "Upgrade" not in request.headers:
                self._respond(HTTPStatus.OK, json.dumps(service.status()), "application/json")
            else:
                self._respond(HTTPStatus.NOT_FOUND, refusals.NOT_FOUND.text())
            return
        if self._trouble is not None and (status := self._trouble.status) is not None:
            self._respond(status, status.phrase)
            return
        headers = list(request.headers.raw_items())
        assumed = service.manners.assumed
        refusal, grant = authenticate(route, query, headers, assumed), None
        if refusal is not None and refusal.at_upgrade:
            self._respond(HTTPStatus(refusal.code), refusal.text())
            return
        if refusal is None and route.constrained:
            try:
                grant = service.tokens.grant(token_of(query, headers), assumed)
            except Refused as refused:
                refusal = refused.refusal
        response = self._ws.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._send_response(response)
        elif not service.admit():
            self._turn_away(route, response)
        else:
            self._send_response(response)
            self._begin(route, refusal, grant)

    def _turn_away(self, route: endpoint.Route, response: Response) -> None:
        """Refuse a session for quota, whose upgrade would be answered with `response`."""
        if self._service.manners.assumed.too_many_sessions == "by-close":
            self._send_response(response)
            self._begin(route, refusals.QUOTA, None)
        else:
            self._respond(HTTPStatus.TOO_MANY_REQUESTS, refusals.TOO_MANY_REQUESTS.text())

    def _begin(self, route: endpoint.Route, refusal: Refusal | None, grant: Grant | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        service = self._service
        if refusal is not None:
            refused = Refused(refusal)
            if service.manners.assumed.error_frames == "before-close":
                self.send(codec.encode_server(ServerMessage(error=refused.error)))
            self.close(refused.code, refused.reason)
            return
        service.open_sessions += 1
        service.served += 1
        trouble = self._trouble
        if grant is not None:
            gone, left_s = refusals.TOKEN_EXPIRED, grant.expires_s - grant.now()
            self._timer = self._loop.call_later(
                max(0.0, left_s), lambda: self.close(gone.code, gone.text())
            )
        lock, begun = (grant.setup, grant.begun) if grant else (None, lambda _: None)
        self._conversation = Conversation(
            LiveServer(route, service.era, lock, service.manners.assumed),
            service.ear,
            self if trouble is None else trouble.between(self),
            service.manners,
            service.handles,
            voice=service.voice,
            begun=begun,
        )
        self._receive = self._conversation.received
        if trouble is not None:
            self._receive = trouble.received
            trouble.join(self._conversation.received)

    def _respond(
        self, status: HTTPStatus, text: str, kind: str = "text/plain; charset=utf-8"
    ) -> None:
        body = f"{text}\n".encode()
        headers = Headers(
            [
                ("Connection", "close"),
                ("Content-Length", str(len(body))),
                ("Content-Type", kind),
            ]
        )
        self._send_response(Response(status.value, status.phrase, headers, body))

    def _send_response(self, response: Response) -> None:
        response.headers[endpoint.EMULATOR_HEADER] = self._service.title
        if self._trouble is not None and response.status_code >= 400:
            response.headers.update(self._trouble.headers)
        self._ws.send_response(response)

    # ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _take_post(self, reader: PostReader, data: bytes) -> None:
        """Answer a request once it is whole: a new token, or why there is none."""
        try:
            post = reader.add(data)
        except MalformedRequestError as error:
            self._tell_json(*failure(HTTPStatus.BAD_REQUEST, str(error)))
        else:
            if post is not None:
                self._tell_json(*self._service.tokens.answer(post))
        self._flush()

    def _tell_json(self, status: HTTPStatus, document: dict[str, object]) -> None:
        if self._ws.state is State.CONNECTING:
            self._respond(status, json.dumps(document), "application/json")

    # ── frames ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _frame(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        message = self._fragments.add(frame.data, last=frame.fin)
        if message is not None and self._receive is not None:
            self._receive(message)

    # ── what the conversation calls ──────────────────────────────────────────────────────────────────────────────────

    def send(self, frame: bytes) -> None:
        """Send a binary message; a client that reads nothing is dropped."""
        if self._ws.state is not State.OPEN or self._transport is None:
            return
        self._ws.send_binary(frame)
        self._flush()

    def close(self, code: int, reason: str) -> None:
        """Close the WebSocket; the socket follows, at the latest after a while."""
        if self._ws.state is State.OPEN:
            self._ws.send_close(code, reason)
            self._flush()
        elif self._ws.state is State.CONNECTING and self._transport is not None:
            self._transport.abort()

    def abort(self) -> None:
        """Drop the socket now, whatever is wrong with it."""
        if isinstance(self._transport, Cable):
            self._transport.drop()
        elif self._transport is not None:
            self._transport.abort()

    def hold(self, full: bool) -> None:
        """Stop reading while `full`: the client's own socket then tells it to wait."""
        if self._transport is None or self.lost.done():
            return
        with suppress(RuntimeError):  # a transport that closes can be neither
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None or self.lost.done():
            return
        if transport.get_write_buffer_size() > MOST_UNREAD:
            # Whoever asks, by pings or else, has to read the answers.
            transport.abort()
            return
        for data in self._ws.data_to_send():
            if transport.is_closing():
                continue  # asyncio would complain of each
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                with suppress(OSError):
                    transport.write_eof()
            else:
                # TLS has no half-close: the rest is written before the transport ends.
                transport.close()
        if self._ws.close_expected():
            self._bid_farewell(transport)

    def _bid_farewell(self, transport: asyncio.Transport) -> None:
        # The place is free before the peer hears of it: it may knock again at once.
        self._leave()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(CLOSE_S, transport.abort)
        self.hold(full=False)

    def _leave(self) -> None:
        if self._conversation is not None:
            self._service.open_sessions -= 1
            self._conversation.gone()
            self._conversation = self._receive = None
        if self._trouble is not None:
            self._trouble.gone()
