"""The emulator's sockets, with another library's client as the peer; and with peers that are none."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import socket

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from harness import __version__
from harness.emulator.door import serve
from harness.emulator.door.serve import Service, listen, stop
from harness.emulator.model import respondent
from harness.emulator.model.answers import Answer, Answers
from harness.emulator.model.manners import Manners
from harness.emulator.quirks.mischief import Mischief, parsed
from harness.errors import InputError
from tests.emulator.hostile import SETUP, UPGRADE, attacks, masked
from tests.emulator.memory import GEMINI, VERTEX, kind, script
from tests.emulator.signals import burst

pytestmark = pytest.mark.wall

KEY = {"x-goog-api-key": "anything"}


@contextlib.asynccontextmanager
async def serving(**options):
    """Give a service that listens on loopback, and its port."""
    service = Service(**{"ear": script(" hello", " world"), "sessions": 100} | options)
    server = await listen(service, "127.0.0.1", 0)
    try:
        yield service, server.sockets[0].getsockname()[1]
    finally:
        await stop(service, [server])


def dial(port, path=GEMINI, headers=KEY, **options):
    """Open a WebSocket as an independent client does."""
    return connect(
        f"ws://127.0.0.1:{port}{path}", additional_headers=headers, proxy=None, **options
    )


async def turn(ws, pcm=None, *, set_up=True):
    """Hold one marked turn, after the setup unless that was sent, and return the server's messages up to its end."""
    if set_up:
        await ws.send(json.dumps(SETUP))
    audio = base64.b64encode(burst(0.5) if pcm is None else pcm).decode()
    blob = {"mimeType": "audio/pcm;rate=16000", "data": audio}
    await ws.send(json.dumps({"realtimeInput": {"activityStart": {}}}))
    await ws.send(json.dumps({"realtimeInput": {"audio": blob}}))
    await ws.send(json.dumps({"realtimeInput": {"activityEnd": {}}}).encode())
    told = []
    async for frame in ws:
        assert isinstance(frame, bytes)
        told.append(json.loads(frame))
        if told[-1].get("serverContent", {}).get("turnComplete"):
            return told
    raise AssertionError("the turn never ended")


STORY = ["setupComplete", "heard", "heard", "reply", "generationComplete", "turnComplete"]


async def test_a_session_over_a_socket():
    """Another library's client gets the turn in binary frames, an answer that says EMULATOR, and no compression."""
    async with serving() as (service, port), dial(port) as ws:
        assert f"{__version__}; scripted" == ws.response.headers["X-Live-Emulator"]
        assert "Sec-WebSocket-Extensions" not in ws.response.headers
        assert STORY == [kind(one) for one in await turn(ws)]
        assert 1 == service.open_sessions


@pytest.mark.capability("connection: Vertex AI: refreshed bearer tokens", side="emulator")
@pytest.mark.capability("connection: refusals at the upgrade", side="emulator")
@pytest.mark.parametrize(
    "path, headers, status",
    [
        ("/ws/nonsense", KEY, 404),
        ("/", KEY, 404),
        (VERTEX, {}, 401),
        (VERTEX, {"Authorization": "Bearer invalid"}, 401),
    ],
)
async def test_the_door_refuses_with_http(path, headers, status):
    """An unknown path is 404, Vertex AI without a token 401, and even then the answer says what it is."""
    async with serving() as (_, port):
        with pytest.raises(InvalidStatus) as refused:
            await dial(port, path, headers).__aenter__()
    assert status == refused.value.response.status_code
    assert "X-Live-Emulator" in refused.value.response.headers


@pytest.mark.capability("connection: API key in a header", side="emulator")
@pytest.mark.parametrize(
    "path, headers, code",
    [
        (GEMINI, {}, 1008),
        (GEMINI, {"x-goog-api-key": "invalid"}, 1007),
        (f"{GEMINI}?key=invalid", {}, 1007),
        (f"{GEMINI}Constrained?access_token=nonsense", {}, 1007),
        (f"{GEMINI}Constrained?access_token=auth_tokens/never-minted", {}, 1007),
    ],
)
async def test_a_bad_key_is_told_by_a_close(path, headers, code):
    """The Developer API takes the upgrade and closes at once; a close code tells what is wrong."""
    async with serving() as (_, port), dial(port, path, headers) as ws:
        with pytest.raises(ConnectionClosedError) as closed:
            await ws.recv()
    assert code == closed.value.rcvd.code


@pytest.mark.capability("connection: API key in a header", side="emulator")
@pytest.mark.capability("connection: Vertex AI: regional, global, multi-region", side="emulator")
@pytest.mark.capability("connection: Vertex AI: refreshed bearer tokens", side="emulator")
@pytest.mark.capability("connection: v1beta, v1alpha, v1", side="emulator")
@pytest.mark.parametrize(
    "path, headers",
    [
        (f"/{GEMINI}", KEY),
        (f"{GEMINI}?key=anything", {}),
        (GEMINI.replace("v1beta", "v1alpha"), KEY),
        (VERTEX, {"Authorization": "Bearer x"}),
    ],
)
async def test_every_way_in_is_open(path, headers):
    """Key by header or query, token, bearer, a doubled slash: all reach a session."""
    async with serving() as (_, port), dial(port, path, headers) as ws:
        await ws.send(json.dumps({"setup": {"model": "models/none"}}))
        with pytest.raises(ConnectionClosedError, match="not found"):
            await ws.recv()


@pytest.mark.capability("connection: refusals at the upgrade", side="emulator")
async def test_one_session_too_many_is_refused_for_quota():
    """When all places are taken an upgrade is answered 429; a place that is left is given again at once."""
    async with serving(sessions=1) as (service, port), dial(port) as ws:
        await turn(ws)
        with pytest.raises(InvalidStatus, match="429"):
            await dial(port).__aenter__()
        assert 1 == service.refused
        await ws.close()
        async with dial(port) as after:
            assert STORY == [kind(one) for one in await turn(after)]


async def test_the_first_can_be_refused():
    """For tests of clients: the first upgrades are refused for quota whatever is free."""
    mischief = Mischief(parsed(["http=429", "retry-after=7s", "first=2"]))
    async with serving(mischief=mischief) as (_, port):
        for _ in range(2):
            with pytest.raises(InvalidStatus, match="429") as refused:
                await dial(port).__aenter__()
            assert "7" == refused.value.response.headers["Retry-After"]
        async with dial(port):
            pass


async def test_it_tells_its_state():
    """`GET /` shows who hears, how many sessions are open and how many may be."""
    async with serving() as (_, port), dial(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 200 ")
    assert {
        "emulator": __version__,
        "assumed": {},
        "ear": "scripted",
        "voice": None,
        "sessions": 1,
        "capacity": 100,
        "served": 1,
        "refused": 0,
    } == json.loads(body)


async def test_a_message_in_fragments_is_one_message():
    """A client may divide its messages into frames, in the midst of a character."""
    async with serving() as (_, port), dial(port) as ws:
        await ws.send([part.encode() for part in json.dumps(SETUP)])
        assert {"setupComplete": {}} == json.loads(await ws.recv())


async def test_a_message_too_big_is_refused(monkeypatch):
    """A message over the limit ends the session with 1009 and nothing else."""
    monkeypatch.setattr(serve, "MAX_MESSAGE_BYTES", 10_000)
    async with serving() as (_, port), dial(port) as ws:
        await ws.send("x" * 20_000)
        with pytest.raises(ConnectionClosedError) as closed:
            await ws.recv()
        assert 1009 == closed.value.rcvd.code


async def test_who_says_nothing_is_dropped(monkeypatch):
    """A connection that never asks for anything ends after a while."""
    monkeypatch.setattr(serve, "UPGRADE_S", 0.2)
    async with serving() as (service, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert b"" == await reader.read()
        writer.close()
        assert not service.connections


async def test_a_goodbye_is_a_goodbye():
    """A client that closes is answered with its own code, and the session is over."""
    async with serving() as (service, port):
        ws = await dial(port)
        await turn(ws)
        await ws.close(1000)
        assert (1000, 1000) == (ws.close_code, ws.protocol.close_rcvd.code)
        await all_gone(service)


async def all_gone(service):
    """Wait until every connection is over."""
    if service.connections:
        await asyncio.wait([one.lost for one in service.connections], timeout=100)
    assert not service.connections
    assert 0 == service.open_sessions


async def test_when_it_stops_it_says_so():
    """A server that stops closes its sessions with 1001."""
    async with serving() as (service, _):
        server = await listen(service, "127.0.0.1", 0)
        ws = await dial(server.sockets[0].getsockname()[1])
        await turn(ws)
        await stop(service, [server])
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert 1001 == ws.close_code


async def test_a_port_in_use_is_named():
    """A place that cannot be listened at is an error that names it."""
    async with serving() as (service, port):
        with pytest.raises(InputError, match=str(port)):
            await listen(service, "127.0.0.1", port)


async def test_many_at_once():
    """A hundred sessions at the same time get each their own turn."""

    async def one(port):
        async with dial(port) as ws:
            return [kind(message) for message in await turn(ws)]

    async with serving() as (service, port):
        assert [STORY] * 100 == await asyncio.gather(*(one(port) for _ in range(100)))
        assert 100 == service.served


# ── hostile peers ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nothing_that_comes_in_stops_it():
    """Hundreds of connections with hostile bytes, torn off or left open; and then a session as if nothing had been."""
    broken = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))
    chance = random.Random(7)  # noqa: S311 - the same noise every time
    async with serving(sessions=1000) as (service, port):
        await attacks(port, chance, 500, at_once=25)
        await all_gone(service)
        assert 0 == service.held
        async with dial(port) as ws:
            assert STORY == [kind(message) for message in await turn(ws)]
    assert [] == broken


async def test_who_holds_most_makes_room(monkeypatch):
    """When unfinished messages fill the memory set aside for them, the greediest connection goes and the others stay."""
    monkeypatch.setattr(serve, "MOST_HELD", 1_000_000)
    async with serving() as (_, port), dial(port) as ws:
        await ws.send(json.dumps(SETUP))
        await ws.recv()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE + masked(b" " * 2_000_000, claims=15_000_000))
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        assert STORY[1:] == [kind(message) for message in await turn(ws, set_up=False)]


def instructed(letters: int) -> str:
    """Return a setup with an instruction of so many letters."""
    instruction = {"parts": [{"text": "x" * letters}]}
    return json.dumps({"setup": SETUP["setup"] | {"systemInstruction": instruction}})


LONG_TEXT = json.dumps({"realtimeInput": {"text": "x" * 200_000}})
HOARDS = {
    "a long setup": [instructed(300_000)],
    "a turn that is never ended": [
        json.dumps(SETUP),
        '{"realtimeInput":{"activityStart":{}}}',
        *[LONG_TEXT] * 6,
    ],
    "turns that are not complete": [
        json.dumps(SETUP),
        json.dumps({"clientContent": {"turns": [{"role": "user", "parts": [{"text": "x" * 1_100_000}]}]}}),
        '{"realtimeInput":{"activityStart":{}}}',
    ],
}  # fmt: skip


@pytest.mark.parametrize("frames", HOARDS.values(), ids=HOARDS)
async def test_who_has_most_kept_makes_room(monkeypatch, frames):
    """What a session keeps of its client's words counts as what is unfinished: the greediest goes, and gives it back."""
    monkeypatch.setattr(serve, "MOST_HELD", 1_000_000)
    async with serving() as (service, port), dial(port) as ws:
        await ws.send(json.dumps(SETUP))
        await ws.recv()
        async with dial(port) as greedy:
            with contextlib.suppress(ConnectionClosed):
                for frame in frames:
                    await greedy.send(frame)
            await greedy.wait_closed()
        assert STORY[1:] == [kind(message) for message in await turn(ws, set_up=False)]
        assert service.held < 10_000


async def test_answered_turns_are_kept_no_more():
    """A client may write more than may be kept, as long as it waits for its answers."""
    async with (
        serving(manners=Manners(answers=Answers([Answer(say="ok")]))) as (service, port),
        dial(port) as ws,
    ):
        await ws.send(json.dumps(SETUP))
        for _ in range(3):
            await ws.send(json.dumps({"realtimeInput": {"text": "x" * 30_000}}))
            async for frame in ws:
                if json.loads(frame).get("serverContent", {}).get("turnComplete"):
                    break
        await ws.send('{"realtimeInput":{"activityStart":{}}}')
        await (await ws.ping())
        assert service.held < 10_000


async def test_pings_must_be_read_too(monkeypatch):
    """A client that pings and reads nothing is dropped before the pongs fill the memory."""
    monkeypatch.setattr(serve, "MOST_UNREAD", 100_000)
    async with serving() as (service, port):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, UPGRADE)
        with contextlib.suppress(ConnectionError):
            while True:
                await loop.sock_sendall(sock, masked(bytes(120), opcode=9) * 1000)
        sock.close()
        await all_gone(service)


@pytest.mark.parametrize("beyond", [0, 1])
async def test_no_more_is_written_than_may_wait_to_be_read(monkeypatch, beyond):
    """A connection is cut off as soon as more than the bound waits to be read, and not before."""
    async with serving() as (service, port), dial(port) as ws:
        (one,) = service.connections
        waiting = serve.MOST_UNREAD + beyond
        monkeypatch.setattr(one._transport, "get_write_buffer_size", lambda: waiting)
        with pytest.raises(ConnectionClosed) if beyond else contextlib.nullcontext():
            await (await ws.ping())


async def test_turns_that_nobody_waits_for_are_refused(monkeypatch):
    """A client that ends turns faster than they can be answered is refused, and its memory is given back."""
    monkeypatch.setattr(respondent, "MOST_UNANSWERED", 50)
    async with serving(manners=Manners(reply_after_s=3600)) as (_, port), dial(port) as ws:
        await ws.send(json.dumps(SETUP))
        with contextlib.suppress(ConnectionClosed):
            for _ in range(200):
                await ws.send('{"realtimeInput":{"text":"x"}}')
            async for _ in ws:
                pass
        assert (1011, "RESOURCE_EXHAUSTED") == (ws.close_code, ws.close_reason)


async def test_more_connections_than_the_system_allows_are_dropped():
    """Connections over the most are dropped unanswered, and those before them live on."""
    async with serving(most_connections=3) as (_, port), dial(port) as ws:
        others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        gone = [reader for reader, _ in others[2:]]
        assert [b""] * 3 == [await reader.read() for reader in gone]
        assert STORY == [kind(message) for message in await turn(ws)]
        for _, writer in others:
            writer.close()


async def test_who_reads_nothing_is_dropped(monkeypatch):
    """A client that takes no answers is cut off before they fill the memory."""
    monkeypatch.setattr(serve, "MOST_UNREAD", 100_000)
    long = script("word " * 100_000)
    async with serving(ear=long, manners=Manners(part_every_s=0, reply_after_s=0)) as (
        service,
        port,
    ):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, UPGRADE + masked(json.dumps(SETUP).encode()))
        content = b'{"clientContent":{"turns":[{"parts":[{"text":"%s"}]}],"turnComplete":true}}'
        await loop.sock_sendall(sock, masked(content % (b"word " * 12_000)) * 60)
        await all_gone(service)
        sock.close()


def test_the_header_names_the_file_of_answers():
    """Who connects is told the file that answers are read from, in ASCII, and nothing where there is none."""
    answers = Answers(source="what\n is sä\u00efd.jsonl")
    service = Service(ear=script("a"), sessions=1, manners=Manners(answers=answers))
    assert f"{__version__}; scripted; what? is s??d.jsonl" == service.title
