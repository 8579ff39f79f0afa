"""The way between two sockets: late, slow, in pieces, or to nowhere.

A `Cable` lies between asyncio's transport and a connection's protocol. It is the protocol of the one and the transport of
the other; either notices nothing but what a bad network would let it notice. Knows bytes and time. Does not know what
they say, save that one write is one WebSocket frame.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from harness.emulator.quirks import frames
from harness.emulator.quirks.quirk import Parameter, Quirk

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from harness.emulator.quirks.quirk import Stage
    from harness.units import Seconds

_GREETING: Final = b"SSH-2.0-not-a-websocket\r\n\r\n"

_ENDLESS_EVERY_S: Final[Seconds] = 0.01
_ENDLESS_FRAGMENTS: Final = 4
"""A message that never ends grows by 240 kB every 10 ms."""

FROZEN_S: Final[Seconds] = 600.0
"""How long a connection that is neither read nor ended is kept, s: the Live API's own connections live as long."""

QUIRKS: Final = (
    Quirk(
        name="latency",
        takes=Parameter(kind="duration", default="200ms"),
        does="Everything takes VALUE longer, each way.",
        source="a long way",
    ),
    Quirk(
        name="jitter",
        takes=Parameter(kind="duration", default="100ms"),
        does="Everything takes up to VALUE longer, each way, in its order.",
        source="a busy network",
    ),
    Quirk(
        name="throttled",
        takes=Parameter(kind="rate", default="16KiB/s"),
        does="VALUE pass each way; 16 kHz audio is 42 KiB/s as base64.",
        source="a narrow network",
    ),
    Quirk(
        name="dribble",
        takes=Parameter(kind="bytes", default="1B"),
        does="Bytes arrive in pieces of VALUE.",
        source="TCP keeps no boundaries",
    ),
    Quirk(
        name="slow-pongs",
        takes=Parameter(kind="duration", default="30s"),
        does="A ping is answered VALUE later.",
        source="googleapis/python-genai#2935",
    ),
    Quirk(
        name="not-websocket",
        does="What answers there speaks another protocol.",
        source="another service at the port",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a cable does to what passes."""

    latency_s: Seconds = 0.0
    jitter_s: Seconds = 0.0
    rate: int | None = None
    """Bytes a second, each way; None: any."""

    piece: int | None = None
    """Bytes that arrive together; None: as they come."""

    pong_s: Seconds = 0.0
    """How much later a ping is answered."""

    other_protocol: bool = False
    text: bool = False
    """True: binary messages become text."""

    fragment: int | None = None
    """Bytes of payload of a fragment; None: messages are whole."""

    keep_open: bool = False
    """True: a close is never answered."""


class _Way:
    """One direction: what is put in comes out in order, when its time has come."""

    def __init__(self, shape: Shape, chance: random.Random, out: Callable[[bytes], None]) -> None:
        self._shape = shape
        self._chance = chance
        self._out = out
        self._loop = asyncio.get_running_loop()
        self._free_at: Seconds = 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self.pending = 0
        """Bytes under way."""

    def put(self, data: bytes) -> None:
        """Let `data` out in its time."""
        shape = self._shape
        for piece in _pieces(data, shape.piece):
            now = self._loop.time()
            due = max(
                self._free_at, now + shape.latency_s + self._chance.uniform(0, shape.jitter_s)
            )
            if shape.rate:
                due += len(piece) / shape.rate
            if due <= now and not self._timers:
                self._out(piece)
                continue
            self.pending += len(piece)
            self._at(due, partial(self._let_out, piece))

    def then(self, what: Callable[[], None]) -> None:
        """Do `what` when all that was put in is out."""
        if self._timers:
            self._at(self._free_at, what)
        else:
            what()

    def cancel(self) -> None:
        """Lose what is under way."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.pending = 0

    def _at(self, due: Seconds, what: Callable[[], None]) -> None:
        # Timers of one instant fire in any order; a nanosecond apart they keep theirs.
        self._free_at = due + 1e-9

        def fire() -> None:
            self._timers.discard(timer)
            what()

        timer = self._loop.call_at(due, fire)
        self._timers.add(timer)

    def _let_out(self, piece: bytes) -> None:
        self.pending -= len(piece)
        self._out(piece)


class Cable(asyncio.Protocol, asyncio.Transport):
    """A socket's protocol and a connection's transport at once; `reached` hears the stages that only it can see."""

    def __init__(
        self,
        inner: asyncio.Protocol,
        shape: Shape,
        chance: random.Random,
        reached: Callable[[Stage], None],
    ) -> None:
        super().__init__()
        self._inner = inner
        self._shape = shape
        self._reached = reached
        self._loop = asyncio.get_running_loop()
        self._socket: asyncio.Transport | None = None
        self._down = _Way(shape, chance, self._write_now)
        self._up = _Way(shape, chance, self._read_now)
        self._reads = self._writes = True
        self._held = False
        self._closing = False
        self._lost = False
        self._endless: asyncio.TimerHandle | None = None
        self._frozen: asyncio.TimerHandle | None = None

    # ── what can be done to it ───────────────────────────────────────────────────────────────────────────────────────

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        plug = self.get_extra_info("socket")
        if plug is not None:
            # Closed with this, a socket sends RST instead of FIN.
            with suppress(OSError):
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.drop()

    def freeze(self, *, reads: bool = False, writes: bool = False) -> None:
        """Read, or write, nothing from now on, and never end the connection."""
        if self._frozen is None:
            self._frozen = self._loop.call_later(FROZEN_S, self.drop)
        if reads:
            self._reads = False
            self._up.cancel()
            self._hold_socket()
        if writes:
            self._writes = False

    def cut(self) -> None:
        """Send half a frame and end the connection."""
        self._writes = False
        self._down.cancel()
        if self._socket is not None and not self._socket.is_closing():
            self._socket.write(b'\x82\x7e\x01\x00{"serverContent": {"inputTr')
            self._socket.close()

    def drop(self) -> None:
        """Drop the socket, frozen or not."""
        if self._socket is not None:
            self._socket.abort()

    def insert(self, data: bytes) -> None:
        """Send bytes that the connection does not know of."""
        if self._writes:
            self._down.put(data)

    def insert_endlessly(self) -> None:
        """Send a message that never ends."""
        self.insert(frames.never_ending(0))
        self._writes = False
        self._go_on()

    def _go_on(self) -> None:
        plug = self._socket
        if plug is not None and not self._lost and not plug.is_closing():
            if not plug.get_write_buffer_size():
                plug.write(frames.never_ending(_ENDLESS_FRAGMENTS)[2:])
            self._endless = self._loop.call_later(_ENDLESS_EVERY_S, self._go_on)

    # ── the socket's protocol ────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server makes no other
        self._socket = transport
        self._extra = {"socket": transport.get_extra_info("socket")}
        self._inner.connection_made(self)
        if self._shape.other_protocol:
            transport.write(_GREETING)
            transport.close()
            return
        self._reached("accept")

    def data_received(self, data: bytes) -> None:
        self._reached("upgrade")
        if self._reads and not self._lost:
            self._up.put(data)
            self._hold_socket()

    def _read_now(self, data: bytes) -> None:
        if self._reads and not self._lost:
            self._inner.data_received(data)
            self._hold_socket()

    def eof_received(self) -> bool:
        def end() -> None:
            if not self._lost and not self._inner.eof_received():
                self.close()

        if self._reads:
            self._up.then(end)
        return True

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._up.cancel()
        self._down.cancel()
        for timer in (self._endless, self._frozen):
            if timer is not None:
                timer.cancel()
        self._inner.connection_lost(exc)

    # ── the connection's transport ───────────────────────────────────────────────────────────────────────────────────

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._writes or not data:
            return
        whole = bytes(data)
        shape = self._shape
        if whole[0] == frames.PONG and shape.pong_s:
            self._loop.call_later(shape.pong_s, self._write_now, whole)
            return
        if whole[0] == frames.CLOSE and shape.keep_open:
            self.freeze(writes=True)
            return
        if whole[0] == frames.BINARY and shape.text:
            whole = bytes([frames.TEXT]) + whole[1:]
        if whole[0] in (frames.TEXT, frames.BINARY) and shape.fragment:
            whole = b"".join(frames.fragments(whole, shape.fragment))
        self._down.put(whole)

    def _write_now(self, data: bytes) -> None:
        if self._socket is not None and not self._socket.is_closing():
            self._socket.write(data)

    def get_write_buffer_size(self) -> int:
        beyond = self._socket.get_write_buffer_size() if self._socket is not None else 0
        return beyond + self._down.pending

    def can_write_eof(self) -> bool:
        return self._socket is not None and self._socket.can_write_eof()

    def write_eof(self) -> None:
        def end() -> None:
            if self._writes and self._socket is not None and not self._socket.is_closing():
                self._socket.write_eof()

        self._down.then(end)

    def is_closing(self) -> bool:
        return self._closing or self._lost

    def close(self) -> None:
        self._closing = True
        if self._writes:
            self._down.then(self._end)

    def abort(self) -> None:
        self._closing = True
        if self._writes:
            self.drop()

    def _end(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def pause_reading(self) -> None:
        self._held = True
        self._hold_socket()

    def resume_reading(self) -> None:
        self._held = False
        self._hold_socket()

    def _hold_socket(self) -> None:
        """Let the socket be read when the connection wants to, and what came before has arrived."""
        if self._socket is None or self._lost:
            return
        narrow = self._shape.rate is not None and self._up.pending > 0
        with suppress(RuntimeError):  # a transport that closes can be neither
            if self._held or narrow or not self._reads:
                self._socket.pause_reading()
            else:
                self._socket.resume_reading()


def _pieces(data: bytes, size: int | None) -> Iterator[bytes]:
    if size is None:
        yield data
        return
    for start in range(0, len(data), size):
        yield data[start : start + size]
