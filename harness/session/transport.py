"""One WebSocket to a Live service: `websockets`' sans-I/O protocol under an asyncio protocol of ours.

Knows bytes, frames and TLS. Does not know what a message means, when to send one, or whether to try again.

Compression is never offered (it makes sending five to thirteen times dearer for base64 audio), pings are answered but
never sent (the service's pongs come seconds late under load: googleapis/python-genai#2935), and one TLS context serves
the process (making one costs as much CPU as streaming a minute of audio).
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
import struct
from asyncio import sslproto
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache, partial
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

try:
    from websockets.speedups import apply_mask
except ImportError:  # a build without its C part
    from websockets.utils import apply_mask

from harness.secret import Secret
from harness.session.inbound import TEXT, Inbound
from harness.session.stock import Stock
from harness.wire.fragments import Fragments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from websockets.datastructures import Headers
    from websockets.uri import WebSocketURI

    from harness.units import Seconds
    from harness.wire.live.endpoint import Endpoint

MAX_MESSAGE_BYTES: Final = 64 * 2**20
"""Largest message taken from a service. The service states no limit and sends frames over 1 MiB; a bound keeps a
hostile one from filling the memory."""

MOST_UNFINISHED: Final = 256 * 2**20
"""Bytes of messages that have come in part, over all connections of the process; each is given room beyond for `SPARED`."""

_UNFINISHED: Final = Stock(MOST_UNFINISHED)

WRITE_HIGH_WATER: Final = 16 * 2**10
"""Bytes that may wait in our buffers, and as many in the system's, before a sender holds back: 0.4 s of audio as base64.
More would hide an uplink that is too slow: the frames would count as sent while they wait."""

_HEAD_BYTES: Final = 4096
"""How much of the answer to the upgrade is kept until it is whole: its first line is enough."""

_HEADERS_END: Final = b"\r\n\r\n"

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 ([345][0-9]{2})(?: ([^\r\n]*))?\r\n")

_TCP_NOTSENT_LOWAT: Final = getattr(socket, "TCP_NOTSENT_LOWAT", None)
"""Linux and macOS: how much the system may hold unsent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """The service has accepted the connection."""

    headers: Mapping[str, str]
    """Of the answer, names in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The connection is over, or never was."""

    code: int | None = None
    """WebSocket close code; 1006: it broke off; None: it was never open."""

    reason: str = ""
    """The peer's words, or what broke in ours."""

    status: int | None = None
    """HTTP status that refused the upgrade; None: it was not refused by HTTP."""

    retry_after_s: Seconds | None = None
    """The refusal's `Retry-After`."""

    by_us: bool = False
    """True: we closed first, or we broke it."""

    unreachable: bool = False
    """True: nothing answered as a WebSocket server, so nothing was asked of a service."""


class Listener(Protocol):
    """Who hears what comes in. Called by the loop, one call at a time."""

    def upgraded(self, upgraded: Upgraded, t: Seconds) -> None:
        """Hear that the connection is open, and the loop's time when its last bytes arrived, as with any message."""

    def received(self, frame: bytes | str, t: Seconds) -> None:
        """Hear a whole message, and the loop's time when its last bytes arrived, before anything looked at them."""

    def closed(self, closed: Closed, t: Seconds) -> None:
        """Hear that the connection is over: once, and nothing comes after it."""


class Connection(Protocol):
    """What a session needs of its connection."""

    def send(self, payload: bytes) -> None:
        """Send one text message; nothing happens when the connection is over."""

    @property
    def congested(self) -> bool:
        """Whether so much waits to be sent that a sender should hold back."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close; `Listener.closed` follows."""

    def abort(self) -> None:
        """Drop the connection now; `Listener.closed` follows."""


class Connect(Protocol):
    """How a connection is opened: over the network, or in memory."""

    async def __call__(self, endpoint: Endpoint, listener: Listener) -> Connection:
        """Return a connection whose events `listener` hears, `upgraded` or `closed` first."""


TLS_READ_BYTES: Final = 2**15
"""What a TLS connection reads at a time: two of TLS's largest records. asyncio sets this much aside for every connection, and
256 KiB unless told otherwise: most of what a session would take."""


@cache
def tls_context() -> ssl.SSLContext:
    """Return the process's one TLS context, with the system's certificates (or `SSL_CERT_FILE`'s)."""
    sslproto.SSLProtocol.max_size = TLS_READ_BYTES
    return ssl.create_default_context()


async def connect(endpoint: Endpoint, listener: Listener) -> Connection:
    """Open a WebSocket to `endpoint`; what cannot be opened is told to `listener` as closed, never raised."""
    loop = asyncio.get_running_loop()
    uri = _parsed(endpoint.url)
    socket_protocol = _Socket(endpoint, uri, listener, loop)
    try:
        await loop.create_connection(
            lambda: socket_protocol,
            uri.host,
            uri.port,
            ssl=tls_context() if uri.secure else None,
            server_hostname=uri.host if uri.secure else None,
        )
    except ssl.SSLCertVerificationError as error:
        socket_protocol.never_open(f"TLS: {error.verify_message}")
    except ssl.SSLError as error:
        socket_protocol.never_open(f"TLS: {error.reason}")
    except socket.gaierror as error:
        socket_protocol.never_open(f"the name {uri.host} cannot be resolved: {error.strerror}")
    except OSError as error:
        socket_protocol.never_open(
            f"cannot connect to {uri.host}:{uri.port}: {error.strerror or str(error) or type(error).__name__}"
        )
    return socket_protocol


@lru_cache(maxsize=8)
def _parsed(url: str) -> WebSocketURI:
    """Return the parts of a URL: a run has one, and asks for it with every connection."""
    return parse_uri(url)


_HEAD_16: Final = struct.Struct("!BBH")
_HEAD_64: Final = struct.Struct("!BBQ")


def text_frame(payload: bytes, key: bytes) -> bytes:
    """Return `payload` as a client's whole text message, masked with `key` of four bytes (RFC 6455 §5.2).

    The bytes are those of websockets' `Frame`, at a quarter of its cost: nearly all that a run sends goes through here.
    """
    size = len(payload)
    if 125 < size < 2**16:
        head = _HEAD_16.pack(0x81, 0xFE, size)
    elif size < 126:
        head = bytes((0x81, 0x80 | size))
    else:
        head = _HEAD_64.pack(0x81, 0xFF, size)
    return b"".join((head, key, apply_mask(payload, key)))


_SOME_KEYS: Final = struct.Struct("4s" * 256)


def masking_keys() -> Iterator[bytes]:
    """Return endless masking keys that nobody can foretell (RFC 6455 §10.3), drawn from the system 256 at a time."""
    drawn = iter(partial(os.urandom, _SOME_KEYS.size), b"")
    return chain.from_iterable(map(_SOME_KEYS.unpack, drawn))


_KEYS: Final = masking_keys()
"""Those of all connections: each frame takes the next."""


class _Socket(asyncio.Protocol):
    """The asyncio side: bytes between the transport and the sans-I/O protocol."""

    __slots__ = (  # noqa: RUF023 - what each frame needs lies side by side: that is read from memory for every one
        "_takes", "congested", "_file", "_transport",
        "_endpoint", "_fragments", "_head", "_inbound", "_listener", "_loop", "_open", "_over", "_owed", "_refusal", "_seam",
        "_text", "_unfinished", "_we_closed", "_ws",
    )  # fmt: skip

    def __init__(
        self,
        endpoint: Endpoint,
        uri: WebSocketURI,
        listener: Listener,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._ws = ClientProtocol(uri, max_size=MAX_MESSAGE_BYTES)
        self._endpoint = endpoint
        self._listener = listener
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._file: int | None = None
        """Of a plain connection, where frames are written while nothing waits in the transport: past it, they take half."""

        self._fragments = Fragments()
        self._unfinished = 0
        self._text = False
        self._takes = False
        self._open = False
        self._we_closed = False
        self._over = False
        self._refusal: Closed | None = None
        self._head = bytearray()
        self._seam = b""
        """The last bytes of the answer to the upgrade so far: its end may lie across two pieces."""

        self._inbound = Inbound()
        self.congested = False
        self._owed = b""

    # ── what the session calls ──

    def send(self, payload: bytes) -> None:
        if self._takes and self._transport is not None:
            frame = text_frame(payload, next(_KEYS))
            if self._file is not None and not self.congested:
                try:  # noqa: SIM105 - a context takes as long as framing
                    frame = frame[os.write(self._file, frame) :]
                except OSError:
                    pass  # the transport meets it too, and ends the connection
            if frame:
                self._transport.write(frame)

    def close(self, code: int = 1000, reason: str = "") -> None:
        if self._ws.state is State.OPEN:
            self._we_closed = True
            self._ws.send_close(code, reason)
            self._flush()
        elif self._ws.state is State.CONNECTING:
            self.abort()

    def abort(self) -> None:
        self._we_closed = True
        if self._transport is not None:
            self._transport.abort()
        else:
            self.never_open("given up before it was open")

    # ── what asyncio calls ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream socket's transport is one
        self._transport = transport
        plug = transport.get_extra_info("socket")
        if self._ws.uri.secure or plug is None:
            transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        else:
            transport.set_write_buffer_limits(high=0)  # congested: something waits
            self._file = plug.fileno()
        if plug is not None and _TCP_NOTSENT_LOWAT is not None:
            plug.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, WRITE_HIGH_WATER)
        if self._we_closed:
            transport.abort()
            return
        request = self._ws.connect()
        for name, value in self._endpoint.headers:
            request.headers[name] = value.reveal() if isinstance(value, Secret) else value
        self._ws.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        t = self._loop.time()
        if not self._open:
            data = self._upgrading(data, t)
        for opcode, piece in self._inbound.pieces(data):
            if self._over:
                return
            if opcode is None:
                self._hand_over(piece, t)
            else:
                self._message(piece, t, text=opcode == TEXT)

    def _upgrading(self, data: bytes, t: Seconds) -> bytes:
        """Take what belongs to the answer to the upgrade, and return what comes behind it."""
        if len(self._head) < _HEAD_BYTES:
            self._head += data[:_HEAD_BYTES]
        joined = self._seam + data
        end = joined.find(_HEADERS_END)
        # What comes behind a refusal is its body, the library's too.
        own = len(data) if end < 0 else end + len(_HEADERS_END) - len(self._seam)
        self._seam = joined[1 - len(_HEADERS_END) :]
        self._hand_over(data[:own], t)
        if not self._open and own < len(data):
            self._hand_over(data[own:], t)
            return b""
        return data[own:]

    def _hand_over(self, data: bytes, t: Seconds) -> None:
        """Have the library take what only it can, and say what comes of that."""
        self._ws.receive_data(data)
        self._flush()
        self._deliver(t)
        if not self._over and not self._keeps(len(self._ws.reader.buffer) + len(self._fragments)):
            self._leave(1009, "too much at once of messages that are not whole")

    def eof_received(self) -> None:
        self._ws.receive_eof()
        self._flush()
        self._deliver(self._loop.time())

    def pause_writing(self) -> None:
        self.congested = True

    def resume_writing(self) -> None:
        self.congested = False
        owed, self._owed = self._owed, b""
        if owed and self._takes and self._transport is not None:
            self._transport.write(owed)

    def connection_lost(self, exc: Exception | None) -> None:
        self._takes, self._file = False, None  # the number may soon be another connection's
        self._finish(self._refusal or self._how_it_ended(exc))

    # ── between them ──

    def _flush(self) -> None:
        """Write what the protocol wants written; an empty piece asks for the end of the stream."""
        self._takes = self._ws.state is State.OPEN
        if self._transport is None or self._transport.is_closing():
            return
        pieces = self._ws.data_to_send()
        if self.congested and self._takes and pieces:
            # These are pongs, and the peer reads nothing: the last alone is kept, since it answers all pings (RFC 6455 §5.5.3).
            self._owed = pieces[-1]
            return
        for data in pieces:
            if data:
                self._transport.write(data)
            elif self._ws.state is State.CLOSED or not self._transport.can_write_eof():
                self._transport.close()
            else:
                self._transport.write_eof()

    def _deliver(self, t: Seconds) -> None:
        for event in self._ws.events_received():
            if isinstance(event, Response):
                self._answered(event, t)
            elif isinstance(event, Frame):
                self._frame(event, t)
        if self._ws.handshake_exc is not None and self._refusal is None:
            self._refuse(self._ws.handshake_exc)
        said = self._ws.close_rcvd is not None or self._ws.parser_exc is not None
        if self._open and said and not self._over:
            # The peer has said that it is over, or what no WebSocket says; whether it ever ends the TCP connection does
            # not matter.
            if self._transport is not None:
                self._transport.close()
            self._finish(self._how_it_ended(None))

    def _answered(self, response: Response, t: Seconds) -> None:
        if self._ws.handshake_exc is None:
            self._open = True
            headers = {name.lower(): value for name, value in response.headers.raw_items()}
            self._listener.upgraded(Upgraded(headers=headers), t)
        else:
            self._refuse(self._ws.handshake_exc)

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, InvalidStatus):
            response = error.response
            body = (response.body or b"")[:500].decode(errors="replace").strip()
            self._refusal = Closed(
                status=response.status_code,
                reason=body or response.reason_phrase,
                retry_after_s=_retry_after(response.headers),
            )
        elif status := _STATUS_LINE.match(self._head):
            # An answer that broke off: what it said first still counts.
            phrase = status[2].decode(errors="replace").strip()
            self._refusal = Closed(status=int(status[1]), reason=phrase)
        else:
            what = str(error)
            if isinstance(error, InvalidHandshake):
                what = "it does not speak WebSocket" if self._head else "no answer came"
            self._refusal = Closed(reason=f"the upgrade failed: {what}", unreachable=True)
        if self._transport is not None:
            self._transport.close()

    def _leave(self, code: int, reason: str) -> None:
        """Fail the connection for what the peer has sent, and let go of that."""
        self._ws.fail(code, reason)
        self._flush()
        if self._transport is not None:
            self._transport.close()
        self._fragments = Fragments()
        self._finish(self._how_it_ended(None))

    def _keeps(self, size: int) -> bool:
        """Return whether so much of a message that is not whole may be kept, and count it."""
        more = size - self._unfinished
        if more > 0 and not _UNFINISHED.take(more, self._unfinished):
            return False
        if more < 0:
            _UNFINISHED.give_back(-more)
        self._unfinished = size
        return True

    def _frame(self, frame: Frame, t: Seconds) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return  # control frames: the protocol has answered them
        self._inbound.within = not frame.fin
        message = self._fragments.add(frame.data, last=frame.fin)
        if message is not None:
            self._message(message, t, text=self._text)

    def _message(self, message: bytes, t: Seconds, *, text: bool) -> None:
        self._listener.received(message.decode(errors="surrogateescape") if text else message, t)

    def _how_it_ended(self, exc: Exception | None) -> Closed:
        ws = self._ws
        if not self._open:
            why = (
                "what answers there does not speak WebSocket"
                if exc is None
                else f"no upgrade: {exc}"
            )
            return Closed(reason=why, by_us=self._we_closed, unreachable=True)
        if ws.close_rcvd is not None:
            by_us = ws.close_sent is not None and not ws.close_rcvd_then_sent
            return Closed(code=int(ws.close_rcvd.code), reason=ws.close_rcvd.reason, by_us=by_us)
        if ws.close_sent is not None and not self._we_closed:
            # The protocol failed the connection itself: the peer's bytes were no WebSocket, or too many.
            return Closed(
                code=int(ws.close_sent.code), reason=f"ours: {ws.close_sent.reason}", by_us=True
            )
        return Closed(
            code=1006, reason=str(exc) if exc else "the connection broke off", by_us=self._we_closed
        )

    def never_open(self, reason: str) -> None:
        """End what never began."""
        self._finish(Closed(reason=reason, by_us=self._we_closed, unreachable=True))

    def _finish(self, closed: Closed) -> None:
        if not self._over:
            self._over = True
            self._keeps(0)
            self._listener.closed(closed, self._loop.time())


def _retry_after(headers: Headers) -> Seconds | None:
    """Return what a refusal asks to wait: seconds, or until a date (RFC 9110 §10.2.3); None when it does not."""
    value = next(iter(headers.get_all("Retry-After")), "")
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        # By the service's own clock where it tells it: ours may be wrong.
        told = headers.get_all("Date")
        now = parsedate_to_datetime(told[0]) if told else datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None
