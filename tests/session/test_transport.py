"""The WebSocket itself, against another library's server on loopback."""

from __future__ import annotations

import asyncio
import http
import os
import socket
import ssl
import struct
import tracemalloc
from dataclasses import replace
from itertools import islice
from unittest.mock import patch

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import serve
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from harness.run.attempt import send_lags_ms
from harness.run.invariants import violations
from harness.secret import Secret
from harness.session import stock, transport
from harness.session.drive import Session
from harness.session.inbound import Inbound
from harness.session.pace import Pacer
from harness.session.stock import Stock
from harness.session.transport import connect, masking_keys, text_frame
from harness.wire.live import endpoint as live
from tests.session.live_server import live_server, pretty
from tests.session.memory import assignment

pytestmark = pytest.mark.wall


class Ear:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.opened = loop.create_future()
        self.over = loop.create_future()
        self.frames: asyncio.Queue = asyncio.Queue()

    def upgraded(self, upgraded, t):
        self.opened.set_result(upgraded)

    def received(self, frame, t):
        self.frames.put_nowait((frame, t))

    def closed(self, closed, t):
        self.over.set_result(closed)


def at(url):
    """Return an endpoint at `url`."""
    return live.gemini(Secret("key-of-the-test"), url=url)


@pytest.mark.capability("connection: API key in a header", side="parts")
async def test_the_upgrade_carries_the_key_and_offers_no_compression():
    """The key travels in a header, never in the URL, and compression is not offered."""
    seen = {}

    async def note(socket):
        seen.update(path=socket.request.path, headers=dict(socket.request.headers.raw_items()))

    async with live_server(note) as url:
        ear = Ear()
        await connect(at(url), ear)
        await ear.over
    assert "key-of-the-test" == seen["headers"]["x-goog-api-key"]
    assert "key" not in seen["path"]
    assert "Sec-WebSocket-Extensions" not in seen["headers"]


@pytest.mark.parametrize(
    "sent", ["text", b"binary", "é" * 40_000, b"\x00" * 300_000, ["in ", "three ", "parts"]]
)
async def test_messages_arrive_whole(sent):
    """Text, binary, long and fragmented messages each arrive as one, with a time."""

    async def say(socket):
        await socket.send(sent)

    async with live_server(say) as url:
        ear = Ear()
        before = asyncio.get_running_loop().time()
        await connect(at(url), ear)
        frame, t = await ear.frames.get()
        await ear.over
    assert ("".join(sent) if isinstance(sent, list) else sent) == frame
    assert before <= t <= asyncio.get_running_loop().time()


async def test_a_message_has_the_time_it_came_at_not_the_time_it_was_read(monkeypatch):
    """However long it takes to find a message in what came, its time is from before that."""
    loop = asyncio.get_running_loop()
    came = {}
    cut = Inbound.pieces

    def slowly(inbound, data):
        t = loop.time()
        came[b"the words" in data] = t
        while loop.time() < t + 0.001:
            pass
        yield from cut(inbound, data)

    monkeypatch.setattr(Inbound, "pieces", slowly)
    async with live_server(lambda socket: socket.send("the words")) as url:
        ear = Ear()
        await connect(at(url), ear)
        _, t = await ear.frames.get()
        await ear.over
    assert t <= came[True]


async def test_a_message_that_comes_with_the_upgrade_has_its_time(monkeypatch):
    """What arrives in one read with the answer to the upgrade came when that came, however long the protocol takes over it."""
    loop = asyncio.get_running_loop()
    read = transport.ClientProtocol.receive_data
    take = transport._Socket.data_received
    first = []

    def noting(taker, data):
        first.append(data)
        take(taker, data)

    def slowly(protocol, data):
        t = loop.time()
        read(protocol, data)
        while loop.time() < t + 0.001:
            pass

    async def serving(reader, writer):
        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        (request,) = protocol.events_received()
        protocol.send_response(protocol.accept(request))
        protocol.send_text(pretty({"sessionResumptionUpdate": {}}))
        writer.write(b"".join(protocol.data_to_send()))
        while data := await reader.read(2**16):
            protocol.receive_data(data)
            for frame in protocol.events_received():
                if b'"setup"' in frame.data:
                    protocol.send_text(pretty({"setupComplete": {}}))
                elif b"activityEnd" in frame.data:
                    text = {"inputTranscription": {"text": "hi"}, "turnComplete": True}
                    protocol.send_text(pretty({"serverContent": text}))
            writer.writelines(protocol.data_to_send())
        writer.close()

    monkeypatch.setattr(transport._Socket, "data_received", noting)
    monkeypatch.setattr(transport.ClientProtocol, "receive_data", slowly)
    server = await asyncio.start_server(serving, "127.0.0.1", 0)
    async with server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        result = await Session(assignment(0.2, url=url), connect, Pacer(loop)).run()
    assert b"101 Switching" in first[0]
    assert b"sessionResumptionUpdate" in first[0]
    trace, _ = result.recorder.trace()
    assert "ok" == result.ending.outcome
    assert () == violations(trace)


async def test_what_is_sent_arrives_in_order():
    """A thousand messages arrive as text, in order, none lost."""
    got = []

    async def gather(socket):
        async for message in socket:
            got.append(message)
            if len(got) == 1000:
                return

    async with live_server(gather) as url:
        ear = Ear()
        connection = await connect(at(url), ear)
        await ear.opened
        for number in range(1000):
            connection.send(b"%d" % number)
        await ear.over
    assert [str(number) for number in range(1000)] == got


@given(
    st.sampled_from([0, 1, 125, 126, 65_535, 65_536]) | st.integers(0, 10_000),
    st.binary(min_size=4, max_size=4),
)
def test_our_frames_are_the_librarys(size, key):
    """A message is framed and masked to the very bytes that websockets makes of it with the same key."""
    payload = bytes(range(256)) * (size // 256 + 1)
    with patch("secrets.token_bytes", return_value=key):
        theirs = Frame(Opcode.TEXT, payload[:size]).serialize(mask=True)
    assert theirs == text_frame(payload[:size], key)


def test_no_frame_has_the_key_of_another():
    """Keys are four bytes, and the next cannot be told from those before: they do not come again."""
    keys = list(islice(masking_keys(), 1000))
    assert {4} == {len(key) for key in keys}
    assert 990 < len(set(keys))


async def test_a_full_connection_says_that_it_is_congested():
    """When the peer does not read, the connection tells its sender to hold back, and recovers."""
    release = asyncio.Event()
    got = 0

    async def slow(socket):
        nonlocal got
        await release.wait()
        async for message in socket:
            got += len(message)

    async with live_server(slow, max_queue=1) as url:
        ear = Ear()
        connection = await connect(at(url), ear)
        await ear.opened
        sent = 0
        while not connection.congested:
            connection.send(b"x" * 65_536)
            sent += 65_536
            assert sent < 256 * 2**20
        release.set()
        while connection.congested:  # noqa: ASYNC110 - what is tested is the flag itself
            await asyncio.sleep(0)
        connection.close()
        await ear.over
    assert sent == got


async def test_a_slow_uplink_is_seen_as_lag():
    """A frame that the network does not take is late in the trace: it is not hidden in our buffers, and none is lost."""

    async def slow(socket):
        async for message in socket:
            if '"setup"' in message:
                await socket.send(pretty({"setupComplete": {}}))
            elif "activityEnd" in message:
                await socket.send(pretty({"serverContent": {"turnComplete": True}}))
                await socket.send(pretty({"serverContent": {"inputTranscription": {"text": "hi"}}}))
            else:
                await asyncio.sleep(0.05)  # the throttle: half of what is sent in real time

    plug = socket.create_server(("127.0.0.1", 0))
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    async with serve(slow, sock=plug, max_queue=1, compression=None):
        url = f"ws://127.0.0.1:{plug.getsockname()[1]}"
        todo = replace(assignment(4.0, pace=4.0), endpoint=at(url))
        result = await Session(todo, connect, Pacer(asyncio.get_running_loop())).run()
    trace = result.recorder.trace()[0]
    lags = send_lags_ms(trace)
    assert "ok" == result.ending.outcome
    assert 40 == len(lags)
    assert 200 < max(lags)
    assert lags[0] < lags[-1]


@pytest.mark.parametrize(
    "code, reason", [(1000, ""), (1011, "Internal error encountered."), (1008, "no " + "x" * 119)]
)
async def test_the_peers_close_is_told(code, reason):
    """Code and reason of the peer's close arrive, and that it was the peer who closed."""

    async def leave(socket):
        await socket.close(code, reason)

    async with live_server(leave) as url:
        ear = Ear()
        await connect(at(url), ear)
        closed = await ear.over
    assert (code, reason, False) == (closed.code, closed.reason, closed.by_us)


async def test_our_close_is_ours():
    """After our close the peer's echo is not taken for its own will."""

    async def stay(socket):
        await socket.wait_closed()

    async with live_server(stay) as url:
        ear = Ear()
        connection = await connect(at(url), ear)
        await ear.opened
        connection.close()
        closed = await ear.over
        connection.send(b"too late")
    assert (1000, True) == (closed.code, closed.by_us)


async def test_a_broken_connection_is_1006():
    """A connection that ends without a close handshake is told as 1006."""

    async def drop(socket):
        socket.transport.abort()

    async with live_server(drop) as url:
        ear = Ear()
        await connect(at(url), ear)
        closed = await ear.over
    assert (1006, False) == (closed.code, closed.by_us)


async def test_what_is_sent_too_late_reaches_nobody():
    """When a connection has broken, nothing is written any more: its file number may be another connection's by then."""

    async def drop(peer):
        plug = peer.transport.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        peer.transport.abort()

    async with live_server(drop) as url:
        ear = Ear()
        connection = await connect(at(url), ear)
        number = connection._transport.get_extra_info("socket").fileno()
        await ear.over
        await asyncio.sleep(0)  # the transport closes its socket when it has told us
        ends = (one, other) = socket.socketpair()
        if number not in map(socket.socket.fileno, ends):
            one = socket.socket(fileno=os.dup2(one.fileno(), number))
        with one, other, ends[0]:
            connection.send(b"too late")
            for end in (one, other):
                end.setblocking(False)
                with pytest.raises(BlockingIOError):
                    end.recv(1)


@pytest.mark.capability("connection: refusals at the upgrade", side="parts")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_a_refused_upgrade_tells_its_status(status):
    """The HTTP status that refuses an upgrade arrives, with Retry-After."""

    def refuse(connection, request):
        response = connection.respond(http.HTTPStatus(status), "not today\n")
        response.headers["Retry-After"] = "7"
        return response

    async with live_server(process_request=refuse) as url:
        ear = Ear()
        await connect(at(url), ear)
        closed = await ear.over
    assert (status, 7.0, False) == (closed.status, closed.retry_after_s, closed.unreachable)
    assert "not today" == closed.reason


@pytest.mark.parametrize(
    "asked, date, seconds",
    [
        ("30", None, 30.0),
        ("Sun, 06 Nov 1994 08:50:07 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 30.0),
        ("Sun, 06 Nov 1994 08:49:07 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:49:07 GMT", None, 0.0),
        ("soon", None, None),
        ("-5", None, None),
        ("nan", None, None),
        ("1e400", None, None),
    ],
)
async def test_retry_after_is_seconds_or_a_date(asked, date, seconds):
    """Retry-After is read in both its forms, a date by the service's own clock; anything else is no request."""

    def refuse(connection, request):
        response = connection.respond(http.HTTPStatus.TOO_MANY_REQUESTS, "not today\n")
        del response.headers["Date"]
        if date:
            response.headers["Date"] = date
        response.headers["Retry-After"] = asked
        return response

    async with live_server(process_request=refuse) as url:
        ear = Ear()
        await connect(at(url), ear)
        closed = await ear.over
    assert seconds == closed.retry_after_s


async def test_what_is_no_websocket_ends_the_connection_at_once():
    """A peer that breaks WebSocket and never answers our close is told as 1002 by us, without a wait."""
    heard = asyncio.Event()

    async def stay(socket):
        socket.transport.write(b"\xf2\x02{}")
        await heard.wait()

    async with live_server(stay, close_timeout=0.1) as url:
        ear = Ear()
        await connect(at(url), ear)
        closed = await asyncio.wait_for(ear.over, 100)
        heard.set()
    assert (1002, True) == (closed.code, closed.by_us)


async def test_a_port_where_nothing_listens_is_unreachable():
    """When nobody answers, that is told as a close, with the address."""
    async with live_server() as url:
        pass
    ear = Ear()
    await connect(at(url), ear)
    closed = await ear.over
    assert closed.unreachable
    assert "cannot connect to 127.0.0.1" in closed.reason


async def test_a_server_that_is_no_websocket_server_is_unreachable():
    """A peer that answers with something else than WebSocket is told as a close."""

    async def shout(reader, writer):
        writer.write(b"SSH-2.0-not-a-websocket\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    async with server:
        ear = Ear()
        await connect(at(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"), ear)
        closed = await asyncio.wait_for(ear.over, 100)
    assert closed.unreachable


@pytest.mark.capability("connection: TLS", side="parts")
async def test_one_tls_context_serves_the_process(monkeypatch):
    """However many TLS connections are opened, one context is made: making one costs more than streaming."""
    transport.tls_context.cache_clear()
    made = []
    real = ssl.create_default_context
    monkeypatch.setattr(
        ssl, "create_default_context", lambda *a, **k: made.append(1) or real(*a, **k)
    )
    async with live_server() as url:
        for _ in range(3):
            ear = Ear()
            await connect(at(url.replace("ws://", "wss://")), ear)
            closed = await ear.over
            assert closed.unreachable
    assert [1] == made
    transport.tls_context.cache_clear()


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """Give a certificate authority that the process trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    transport.tls_context.cache_clear()
    yield made
    transport.tls_context.cache_clear()


async def test_a_tls_session_takes_little_memory(authority):
    """A connection over TLS and the server's end of it take less than 200 KiB of Python's memory together."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def stay(socket):
        await socket.wait_closed()

    async def opened() -> Ear:
        ear = Ear()
        await connect(at(url.replace("ws://", "wss://")), ear)
        await ear.opened
        return ear

    transport.tls_context()
    async with live_server(stay, ssl=context, compression=None) as url:
        first = await opened()
        tracemalloc.start()
        ears = [await opened() for _ in range(10)]
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert all(closed.code == 1001 for closed in [await ear.over for ear in (first, *ears)])
    assert taken / len(ears) < 200 * 2**10


async def test_a_close_frame_ends_the_connection_even_without_the_end_of_tcp():
    """A peer that says goodbye and keeps the socket open is gone all the same."""
    import base64
    import hashlib

    async def rude(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line.split(b": ")[1]
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324 - RFC 6455
        accept = base64.b64encode(digest).decode()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            + b"\x88\x02\x03\xf3"  # close 1011
        )
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    async with server:
        ear = Ear()
        await connect(at(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"), ear)
        closed = await asyncio.wait_for(ear.over, 100)
    assert (1011, False) == (closed.code, closed.by_us)


async def test_a_peer_that_pings_and_reads_nothing_fills_no_memory():
    """Answers to pings do not pile up: the last one waits until the peer reads, and answers all before it."""
    release, pings = asyncio.Event(), 40_000
    answers = bytearray()

    async def pinging(reader, writer):
        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        (request,) = protocol.events_received()
        protocol.send_response(protocol.accept(request))
        for data in protocol.data_to_send():
            writer.write(data)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for number in range(pings):
            writer.write(b"\x89\x7d" + f"{number:0125}".encode())
            await writer.drain()
        writer.write(b"\x82\x01x")
        await release.wait()
        while f"{pings - 1:0125}".encode() not in bytes(answers):
            protocol.receive_data(await reader.read(2**16))
            for frame in protocol.events_received():
                answers.extend(frame.data)
        writer.close()

    server = await asyncio.start_server(pinging, "127.0.0.1", 0, limit=2**10)
    async with server:
        ear = Ear()
        connection = await connect(at(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"), ear)
        await ear.frames.get()
        # What is owed for a last read of 256 KiB, on top of the 64 KiB from which a transport is congested; not 5 MiB.
        assert connection._transport.get_write_buffer_size() < 400 * 2**10
        release.set()
        await ear.over
    assert len(answers) < pings * 125


def part(opcode, size, sent=None):
    """Return the beginning of a frame of `size` bytes, of which so many are `sent`; None: all."""
    return opcode + b"\x7f" + size.to_bytes(8) + b"x" * (size if sent is None else sent)


@pytest.mark.parametrize(
    "unfinished",
    [
        part(b"\x01", 290_000),
        part(b"\x81", 300_000, sent=290_000),
        part(b"\x01", 10_000) + part(b"\x00", 10_000) * 28,
    ],
    ids=["a fragment", "a frame", "fragments"],
)
async def test_what_is_not_whole_is_bounded_over_all_connections(monkeypatch, unfinished):
    """Messages that never end, in fragments or in one frame, are left where all together are too many; others are heard."""
    room = Stock(400_000)
    monkeypatch.setattr(transport, "_UNFINISHED", room)
    monkeypatch.setattr(stock, "SPARED", 10_000)

    async def endless(reader, writer):
        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        (request,) = protocol.events_received()
        protocol.send_response(protocol.accept(request))
        writer.writelines(protocol.data_to_send())
        writer.write(unfinished)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with server, live_server(pretty) as whole:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        first, second, honest = Ear(), Ear(), Ear()
        held = await connect(at(url), first)
        while room.held < 200_000:  # noqa: ASYNC110 - no event tells of bytes that are no message yet
            await asyncio.sleep(0)
        left = await connect(at(url), second)
        closed = await second.over
        assert 0 == len(left._fragments) + len(left._ws.reader.buffer)
        assert (1009, True) == (closed.code, closed.by_us)
        assert "too much at once" in closed.reason
        assert room.held < 300_000
        other = await connect(at(whole), honest)
        await honest.opened
        other.close()
        await honest.over
        assert not first.over.done()
        held.abort()
        await first.over
    assert 0 == room.held


@pytest.mark.capability("connection: refusals at the upgrade", side="parts")
async def test_a_refusal_that_breaks_off_keeps_its_status():
    """An upgrade refused with a body that is cut short is still refused with its HTTP status, not unreachable."""

    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 500\r\n\r\nYou exceeded")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        ear = Ear()
        await connect(at(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"), ear)
        closed = await ear.over
    assert (429, "Too Many Requests", False) == (closed.status, closed.reason, closed.unreachable)
