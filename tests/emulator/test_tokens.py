"""Ephemeral tokens of the emulator: minted, counted, run out."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from harness.emulator.door import tokens as minting
from harness.emulator.door.post import MOST_BYTES, MalformedRequestError, PostReader
from harness.emulator.door.tokens import RequestRefusedError, Tokens
from harness.errors import InputError, RefusedError, UsageError
from harness.secret import Secret
from harness.session.minting import mint
from harness.wire.live import codec
from harness.wire.live.messages import SessionResumptionConfig, Setup
from harness.wire.live.refusals import Refused
from harness.wire.live.tokens import TokenRequest, mask_of, unknown
from tests.emulator.memory import GEMINI, MODEL
from tests.emulator.test_serve import SETUP, STORY, dial, kind, serving, turn

pytestmark = pytest.mark.capability("connection: ephemeral tokens", side="parts and emulator")

CONSTRAINED = GEMINI.replace("v1beta", "v1alpha") + "Constrained"
NOW = 1_700_000_000.0
RESUMING = Setup(session_resumption=SessionResumptionConfig(handle="h"))


class Clock:
    """Unix time that a test sets."""

    now = NOW

    def __call__(self):
        return self.now


def at(seconds: float) -> str:
    """Return the time so long after now, RFC 3339."""
    return datetime.fromtimestamp(NOW + seconds, UTC).isoformat().replace("+00:00", "Z")


def minted(clock=None, **request):
    """Return what a fresh token allows."""
    tokens = Tokens(now=clock or Clock())
    return tokens.grant(tokens.mint(json.dumps(request).encode()))


def test_large_requests_leave_room_for_few(monkeypatch):
    """The oldest tokens are forgotten when the requests of all are too long together, or too many."""
    monkeypatch.setattr(minting, "_MOST_BYTES", 10_000)
    tokens = Tokens(now=Clock())
    instruction = {"parts": [{"text": "x" * 3000}]}
    body = json.dumps({"bidiGenerateContentSetup": {"systemInstruction": instruction}}).encode()
    first, *_, last = [tokens.mint(body) for _ in range(5)]
    assert tokens.grant(last)
    with pytest.raises(Refused):
        tokens.grant(first)
    assert 3 == len(tokens._grants)


@pytest.mark.parametrize("uses, sessions", [(None, 1), (1, 1), (3, 3), (0, 50)])
def test_a_token_opens_so_many_sessions(uses, sessions):
    """One use unless it is said, any number for 0, and resuming a session takes none."""
    grant = minted(**({} if uses is None else {"uses": uses}))
    for _ in range(sessions):
        grant.begun(grant.setup(Setup()))
        grant.begun(grant.setup(RESUMING))
    if uses != 0:
        with pytest.raises(Refused, match="1008"):
            grant.setup(Setup())
    grant.setup(RESUMING)


@pytest.mark.parametrize(
    "request_, door_s, life_s",
    [
        ({}, 60, 1800),
        ({"expireTime": at(90), "newSessionExpireTime": at(30)}, 30, 90),
        ({"expire_time": at(90)}, 60, 90),
    ],
)
def test_a_token_runs_out(request_, door_s, life_s):
    """It opens sessions for a minute and lasts for half an hour, or as long as it was minted for."""
    clock = Clock()
    tokens = Tokens(now=clock)
    name = tokens.mint(json.dumps({"uses": 0} | request_).encode())
    clock.now = NOW + door_s - 1
    tokens.grant(name).setup(Setup())
    clock.now = NOW + door_s
    with pytest.raises(Refused, match="start a session"):
        tokens.grant(name).setup(Setup())
    tokens.grant(name).setup(RESUMING)
    clock.now = NOW + life_s
    with pytest.raises(Refused, match="expired"):
        tokens.grant(name)


@pytest.mark.parametrize(
    "body, words",
    [
        (b"{", "Invalid JSON payload"),
        (b"[" * 5000, "too deep"),
        (b'{"hello": 1}', 'Unknown name "hello"'),
        (b'{"bidiGenerateContentSetup": {"hello": 1}}', 'Unknown name "hello"'),
        (b'{"uses": -1}', "uses"),
        (b'{"uses": "many"}', "uses"),
        (b'{"fieldMask": "nonsense"}', "has no nonsense"),
        (
            b'{"bidiGenerateContentSetup": {"model": "m"}, "fieldMask": "model,generation_config.top_q"}',
            "has no generationConfig.topQ",
        ),
        (
            b'{"expireTime": "soon"}',
            "'expire_time' (type.googleapis.com/google.protobuf.Timestamp)",
        ),
        (json.dumps({"expireTime": at(-1)}).encode(), "in the future"),
        (json.dumps({"newSessionExpireTime": at(20 * 3600)}).encode(), "less than 20 hours"),
        (
            b'{"bidiGenerateContentSetup": {"model": "m", "generationConfig": {"topP": 1}}, "fieldMask": "model"}',
            "not specified in field_mask: generationConfig.topP",
        ),
    ],
)
def test_a_bad_request_is_named(body, words):
    """What cannot be minted is refused with what is wrong with it."""
    with pytest.raises(RequestRefusedError) as refused:
        Tokens(now=Clock()).mint(body)
    assert words in str(refused.value)


@given(st.binary(max_size=200), st.lists(st.integers(1, 300), max_size=5))
def test_a_post_is_read_however_it_comes(body, cuts):
    """Path, query, headers and body are the same, whatever pieces the request comes in."""
    whole = b"POST /a?b=c HTTP/1.1\r\nX-Y:  z \r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    reader, place, post = PostReader(), 0, None
    for cut in [*sorted(cuts), len(whole)]:
        assert post is None
        post = reader.add(whole[place:cut])
        place = max(place, cut)
        if place >= len(whole):
            break
    assert ("/a", "b=c", body) == (post.path, post.query, post.body)
    assert ("X-Y", "z") in post.headers


@pytest.mark.parametrize(
    "data",
    [
        b"POST\r\n\r\n",
        b"POST / HTTP/1.1\r\nno header\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"P" * (MOST_BYTES + 1),
    ],
)
def test_what_is_no_request_is_not_waited_for(data):
    """A request that never will be whole is refused at once."""
    with pytest.raises(MalformedRequestError):
        PostReader().add(data)


# ── Over sockets ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def minted_at(port, **request):
    """Return a token that our own client has minted."""
    return await asyncio.to_thread(
        mint, Secret("any-key"), TokenRequest(**request), url=f"ws://127.0.0.1:{port}"
    )


@pytest.mark.wall
@pytest.mark.parametrize("where", ["query", "header", "key"])
async def test_a_minted_token_opens_one_session(where):
    """A token of ours opens the constrained method by query or header, once; the second session is refused."""
    async with serving() as (_, port):
        token = (await minted_at(port)).reveal()
        path = f"{CONSTRAINED}?access_token={token}" if where == "query" else CONSTRAINED
        headers = {
            "query": {},
            "header": {"Authorization": f"Token {token}"},
            "key": {"x-goog-api-key": token},
        }[where]
        async with dial(port, path, headers) as ws:
            assert STORY == [kind(one) for one in await turn(ws)]
        async with dial(port, path, headers) as ws:
            await ws.send(json.dumps(SETUP))
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
        assert 1008 == closed.value.rcvd.code


@pytest.mark.wall
async def test_a_setup_that_is_refused_takes_no_use():
    """A token of one use opens a session after setups that the service or the emulator refuses."""
    async with serving() as (_, port):
        token = (await minted_at(port)).reveal()
        headers = {"Authorization": f"Token {token}"}
        speaking = {"generationConfig": {"responseModalities": ["AUDIO"]}}
        for wrong in ({"model": "models/nonsense"}, speaking):
            async with dial(port, CONSTRAINED, headers) as ws:
                await ws.send(json.dumps({"setup": SETUP["setup"] | wrong}))
                with pytest.raises(ConnectionClosed):
                    await ws.recv()
        async with dial(port, CONSTRAINED, headers) as ws:
            assert STORY == [kind(one) for one in await turn(ws)]


def test_every_field_of_a_setup_can_be_masked():
    """What the SDK locks of a setup, and any deeper field, is a path that a request may name."""
    setup = {
        "model": "m",
        "generationConfig": {"topP": 1, "thinkingConfig": {"thinkingBudget": 0}},
        "sessionResumption": {},
        "realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}},
    }
    paths = [
        *mask_of(codec.message_from(setup, Setup)),
        "generation_config.thinking_config.thinking_budget",
        "realtimeInputConfig.automaticActivityDetection.disabled",
    ]
    assert unknown(TokenRequest(field_mask=",".join(paths))) is None


@pytest.mark.wall
async def test_a_locked_model_is_the_sessions():
    """Whatever the client asks for, its session has the setup that the token locks."""
    async with serving() as (_, port):
        fixed = Setup(model=MODEL)
        token = await minted_at(port, bidi_generate_content_setup=fixed, field_mask="model")
        headers = {"Authorization": f"Token {token.reveal()}"}
        asked = {"setup": SETUP["setup"] | {"model": "models/nonsense"}}
        async with dial(port, CONSTRAINED, headers) as ws:
            await ws.send(json.dumps(asked))
            assert "setupComplete" in json.loads(await ws.recv())


@pytest.mark.wall
async def test_a_sessions_end_is_its_tokens():
    """A session ends when its token runs out, with the service's class of close."""
    clock = Clock()
    async with serving(tokens=Tokens(now=clock)) as (service, port):
        token = service.tokens.mint(json.dumps({"expireTime": at(0.05)}).encode())
        async with dial(port, CONSTRAINED, {"Authorization": f"Token {token}"}) as ws:
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
    assert (1008, "Auth token expired.") == (closed.value.rcvd.code, closed.value.rcvd.reason)


@pytest.mark.wall
async def test_refusals_to_mint_reach_the_user():
    """No key, a bad key, a bad request, nobody there and a plain-text address are told apart."""
    async with serving() as (_, port):
        url = f"ws://127.0.0.1:{port}"
        with pytest.raises(RefusedError, match="no token") as refused:
            await asyncio.to_thread(mint, Secret("invalid"), TokenRequest(), url=url)
        assert "HTTP 400: API key not valid" in str(refused.value)
        with pytest.raises(RefusedError) as refused:
            await asyncio.to_thread(
                mint, Secret("any"), TokenRequest(expire_time="2001-01-01T00:00:00Z"), url=url
            )
        assert "in the future" in str(refused.value)
    with pytest.raises(InputError, match="no answer"):
        await asyncio.to_thread(mint, Secret("any"), TokenRequest(), url=url)
    with pytest.raises(UsageError, match="not encrypted"):
        mint(Secret("any"), TokenRequest(), url="ws://example.com")


@pytest.mark.wall
@pytest.mark.parametrize(
    "request_, status",
    [
        (b"POST /v1alpha/auth_tokens HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", b"403"),
        (b"POST /v1beta/files HTTP/1.1\r\nx-goog-api-key: k\r\n\r\n", b"404"),
        (b"POST nonsense\r\n\r\n", b"400"),
        (b"PUT / HTTP/1.1\r\n\r\n", b"404"),
        (b"PUT /v1alpha/auth_tokens HTTP/1.1\r\nx-goog-api-key: k\r\n\r\n", b"404"),
    ],
)
async def test_every_request_is_answered(request_, status):
    """Whatever is posted is answered with a status and JSON, and the connection is closed."""
    async with serving() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status == head.split()[1]
    assert int(status) == json.loads(body)["error"]["code"]


@pytest.mark.wall
async def test_the_command_prints_a_token():
    """`harness token` prints the token alone, which then opens a session; without a key it is exit 4."""
    async with serving() as (service, port):

        def ran(*arguments, key="any"):
            environment = {"PATH": "/usr/bin:/bin", "GEMINI_API_KEY": key}
            command = [sys.executable, "-m", "harness", "token", *arguments]
            return subprocess.run(
                command, capture_output=True, text=True, env=environment, timeout=100, check=False
            )

        address = ("--url", f"ws://127.0.0.1:{port}")
        locks = ("--only", "--model", "m", "--set", "seed=1", "--lock", "tools")
        plain, lacking, wrong = await asyncio.gather(
            asyncio.to_thread(ran, *address, "--uses", "2", "--json"),
            asyncio.to_thread(ran, *address, key=""),
            asyncio.to_thread(ran, *address, *locks),
        )
        document = json.loads(plain.stdout)
        assert 2 == service.tokens.grant(document["name"]).left == document["uses"]
        assert 4 == lacking.returncode, lacking.stderr
        assert 2 == wrong.returncode, wrong.stderr
        locks = ("--only", "--model", "m", "--set", "generationConfig.seed=1", "--lock", "tools")
        token = await asyncio.to_thread(ran, *address, *locks)
        request = service.tokens.grant(token.stdout.strip()).request
        assert "model,generationConfig.seed,tools" == request.field_mask
        assert "models/m" == request.bidi_generate_content_setup.model
