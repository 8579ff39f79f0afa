"""What comes in over a connection, however it is cut: held against the library's own parser."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from harness.secret import Secret
from harness.session.inbound import BINARY, TEXT, Inbound
from harness.session.transport import MAX_MESSAGE_BYTES, _Socket
from harness.wire.fragments import Fragments
from harness.wire.live import endpoint as live

URI = parse_uri("ws://127.0.0.1:1/")
ENDPOINT = live.gemini(Secret("key-of-the-test"), url="ws://127.0.0.1:1/")


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self._closing = False

    def write(self, data):
        self.written += data

    def close(self):
        self._closing = True

    def is_closing(self):
        return self._closing

    def can_write_eof(self):
        return True

    def write_eof(self):
        """Say nothing."""

    def set_write_buffer_limits(self, high=None, low=None):
        """Take as much as there is."""


class Ear:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.messages = []
        self.over = None

    def upgraded(self, upgraded, t):
        """Wait for messages."""

    def received(self, frame, t):
        self.messages.append(frame)

    def closed(self, closed, t):
        self.over = closed


class Clock:
    """A loop that has a time."""

    def time(self):
        return 1.0


def accepted(request: bytes) -> bytes:
    """Return the answer that lets a client's upgrade through."""
    server = ServerProtocol()
    server.receive_data(bytes(request))
    (asked,) = server.events_received()
    server.send_response(server.accept(asked))
    return b"".join(server.data_to_send())


def said_back(written: bytes) -> list:
    """Return the frames that a client has written: opcode and payload."""
    server = ServerProtocol()
    server.receive_data(bytes(written))
    server.send_response(server.accept(server.events_received()[0]))
    return [(frame.opcode, bytes(frame.data)) for frame in server.events_received()]


def heard(data: bytes, cuts: list[int]) -> tuple:
    """Return what our socket makes of bytes behind an upgrade, cut anywhere: messages, close code, what it answers."""
    ear, wire = Ear(), Wire()
    socket = _Socket(ENDPOINT, URI, ear, Clock())
    socket.connection_made(wire)
    data = accepted(wire.written) + data
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, stop in pairwise(places):
        socket.data_received(data[start:stop])
    if ear.over is None:
        socket.eof_received()
        socket.connection_lost(None)
    return ear.messages, ear.over.code, said_back(wire.written)


def parsed(data: bytes) -> tuple:
    """Return what the library makes of the same: its messages up to the end, and the code that the connection ends with."""
    client = ClientProtocol(URI, max_size=MAX_MESSAGE_BYTES)
    client.send_request(client.connect())
    request = b"".join(client.data_to_send())
    client.receive_data(accepted(request) + data)
    fragments, messages, text = Fragments(), [], False
    for frame in client.events_received()[1:]:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            continue
        if (message := fragments.add(frame.data, last=frame.fin)) is not None:
            messages.append(message.decode(errors="surrogateescape") if text else message)
    answers = b"".join(client.data_to_send())
    if client.close_rcvd is not None:
        code = int(client.close_rcvd.code)
    elif client.close_sent is not None:
        code = int(client.close_sent.code)
    else:
        code = 1006
    return messages, code, said_back(request + answers)


def frame(opcode: Opcode, payload: bytes, *, fin: bool = True, masked: bool = False) -> bytes:
    """Return a frame's bytes."""
    return Frame(opcode, payload, fin=fin).serialize(mask=masked)


SIZES = st.sampled_from([0, 1, 5, 125, 126, 127, 200, 65_535, 65_536])
DATA = st.sampled_from([Opcode.TEXT, Opcode.BINARY])
WHOLE = st.builds(lambda opcode, size: frame(opcode, b"m" * size), DATA, SIZES)
ODD = st.builds(lambda text: frame(Opcode.TEXT, text), st.binary(max_size=8))
CONTROL = st.builds(frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=9))
BROKEN_UP = st.builds(
    lambda opcode, between, size: (
        frame(opcode, b"1" * size, fin=False)
        + between
        + frame(Opcode.CONT, b"2", fin=False)
        + frame(Opcode.CONT, b"3")
    ),
    DATA,
    st.just(b"") | CONTROL,
    SIZES,
)
CLOSE = st.builds(
    lambda code: frame(Opcode.CLOSE, code.to_bytes(2, "big") + b"why"),
    st.sampled_from([1000, 1007, 1011, 4000, 999]),
)
WRONG = st.one_of(
    st.binary(min_size=1, max_size=12),
    st.builds(lambda size: frame(Opcode.TEXT, b"m" * size, masked=True), SIZES),
    st.just(frame(Opcode.CONT, b"of nothing")),
    st.just(frame(Opcode.TEXT, b"never ended", fin=False)),
    st.just(bytes([0x81, 127]) + (MAX_MESSAGE_BYTES + 1).to_bytes(8, "big")),
)
STREAMS = st.lists(st.one_of(WHOLE, WHOLE, ODD, CONTROL, BROKEN_UP, CLOSE, WRONG), max_size=8).map(
    b"".join
)


@given(STREAMS, st.lists(st.integers(0, 2000), max_size=12))
@example(frame(Opcode.TEXT, b"a") * 3, list(range(2000)))
@example(frame(Opcode.TEXT, b"b" * 70_000), list(range(0, 80_000, 999)))
@example(frame(Opcode.TEXT, b"1", fin=False) + frame(Opcode.TEXT, b"2"), [])
def test_however_it_is_cut_it_is_what_the_library_reads(data, cuts):
    """Messages, the end of the connection and what is answered are those of the library, fed with all of it at once."""
    assert parsed(data) == heard(data, cuts)


def test_a_message_in_one_piece_never_reaches_the_library(monkeypatch):
    """What nearly all a service sends is made of takes no parser: that is what this module is for."""
    monkeypatch.setattr(ClientProtocol, "receive_data", None)
    inbound = Inbound()
    data = frame(Opcode.TEXT, b"one") + frame(Opcode.BINARY, b"2" * 70_000)
    assert [(TEXT, b"one"), (BINARY, b"2" * 70_000)] == list(inbound.pieces(data))


def test_what_waits_for_the_rest_of_a_head_is_a_few_bytes():
    """However much comes, no more than a head that is not whole is kept here: the library bounds the rest."""
    inbound = Inbound()
    big = frame(Opcode.TEXT, bytes(100_000))
    for at in range(0, len(big), 7):
        assert all(len(piece) <= 7 + 10 for _, piece in inbound.pieces(big[at : at + 7]))
        assert len(inbound._begun) < 10
