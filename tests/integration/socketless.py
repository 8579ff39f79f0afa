"""TCP in memory and virtual time: the client's transport and the emulator's sockets, with nothing but the wire left out.

`SocketlessLoop.create_server` and `.create_connection` join protocols as a loopback socket would: bytes arrive on a later
turn of the loop, in order; buffers are bounded, so a peer that does not read makes the sender pause; an end of the stream
arrives after what was sent before it; an abort arrives as a reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import SimpleNamespace

from harness.clock import VirtualTimeLoop

IN_FLIGHT = 256 * 2**10
"""Bytes that the systems of both ends hold together."""


class End(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, loop, protocol) -> None:
        super().__init__({"socket": None})
        self.loop = loop
        self.protocol = protocol
        self.peer: End | None = None
        self.outgoing = bytearray()
        self.incoming = bytearray()
        self.high, self.low = 64 * 2**10, 16 * 2**10
        self.full = self.paused = self.scheduled = False
        self.eof_sent = self.eof_come = self.eof_told = False
        self.closing = self.over = False

    # ── what a protocol calls ──
    def set_write_buffer_limits(self, high=None, low=None) -> None:
        self.high = high if high is not None else 64 * 2**10
        self.low = low if low is not None else self.high // 4

    def get_write_buffer_size(self) -> int:
        return len(self.outgoing)

    def write(self, data) -> None:
        assert not self.eof_sent or self.closing, "a stream that was ended can carry no more"
        if self.over or self.closing:
            return
        self.outgoing += data
        if len(self.outgoing) > self.high and not self.full:
            self.full = True
            self.protocol.pause_writing()
        self.stir()

    def writelines(self, pieces) -> None:
        self.write(b"".join(pieces))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof_sent = True
        self.stir()

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = self.eof_sent = True
            self.stir()

    def abort(self) -> None:
        self.closing = True
        self.loop.call_soon(self.lose, None)
        self.loop.call_soon(self.peer.lose, ConnectionResetError("Connection reset by peer"))

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        self.stir()

    # ── the wire ──
    def stir(self) -> None:
        """Look on the next turn of the loop what there is to do."""
        for end in (self, self.peer):
            if not end.scheduled and not end.over:
                end.scheduled = True
                self.loop.call_soon(end.turn)

    def turn(self) -> None:
        """Pass on what fits, hand over what came."""
        self.scheduled = False
        if self.over:
            return
        self.pass_on()
        if not self.paused and not self.closing:
            if self.incoming:
                data, self.incoming = bytes(self.incoming), bytearray()
                self.protocol.data_received(data)
                self.stir()
            elif self.eof_come and not self.eof_told:
                self.eof_told = True
                if not self.protocol.eof_received():
                    self.close()
        if self.closing and not self.outgoing:
            self.lose(None)

    def pass_on(self) -> None:
        peer = self.peer
        room = IN_FLIGHT - len(peer.incoming)
        if self.outgoing and room > 0 and not peer.over:
            peer.incoming += self.outgoing[:room]
            del self.outgoing[:room]
            self.stir()
        if peer.over or peer.closing:
            self.outgoing.clear()  # nobody will read it
        if self.full and len(self.outgoing) <= self.low:
            self.full = False
            self.protocol.resume_writing()
        if self.eof_sent and not self.outgoing and not peer.eof_come:
            peer.eof_come = True
            self.stir()

    def lose(self, error) -> None:
        if not self.over:
            self.over = self.closing = True
            self.protocol.connection_lost(error)
            if not self.peer.over:
                self.peer.eof_come = True
                self.peer.stir()


class SocketlessLoop(VirtualTimeLoop):
    """An event loop whose servers are reached without sockets, by their port."""

    def __init__(self) -> None:
        super().__init__()
        self.listening: dict[int, object] = {}
        self.connections = 0
        """Asked for so far."""

    async def create_server(self, factory, host=None, port=None, **options):
        self.listening[port] = factory
        plug = SimpleNamespace(getsockname=lambda: (host, port))
        return SimpleNamespace(sockets=[plug], close=lambda: self.listening.pop(port, None))

    async def create_connection(self, factory, host=None, port=None, **options):
        self.connections += 1
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if port not in self.listening:
            raise ConnectionRefusedError(111, "Connection refused")
        near, far = End(self, factory()), End(self, self.listening[port]())
        near.peer, far.peer = far, near
        far.protocol.connection_made(far)
        near.protocol.connection_made(near)
        return near, near.protocol


def run_socketless(main):
    """Return the result of `main`, run to its end on a new `SocketlessLoop`."""
    with asyncio.Runner(loop_factory=SocketlessLoop) as runner:
        return runner.run(main)


@contextlib.asynccontextmanager
async def served(service, port=1):
    """Serve an emulator's `service` at the port where the runs of tests look for it."""
    from harness.emulator.door.serve import listen, stop

    server = await listen(service, "127.0.0.1", port)
    try:
        yield
    finally:
        await stop(service, [server])
