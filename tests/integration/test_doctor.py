"""`harness doctor`, in a process of its own: against its own emulators, others' servers, and servers that are none."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import socket
import threading

import pytest
from websockets.exceptions import ConnectionClosed

from tests.capabilities import CAPABILITIES
from tests.integration.conftest import emulating
from tests.session.live_server import live_server, pretty

pytestmark = [pytest.mark.wall, pytest.mark.timeout(240)]

ACCEPTED = (
    "setup: every field, with its defaults",
    "native audio: affective dialogue",
    "later models: language hints, vocabulary, verbatim mode",
)
"""What nothing on the wire tells the effect of."""

KEY = "AIzaSy-a-key-that-nobody-may-see"


def test_the_doctor_asks_once_where_that_is_enough(harness, emulator_url):
    """`harness doctor --quick` checks everything with one session and exits with 0; a refused key is exit 4."""
    ran = harness("doctor", "--quick", "--url", emulator_url)
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert "EMULATED" in ran.stdout
    model = ("--model", "gemini-live-2.5-flash-preview")
    there = ("doctor", "--service", "gemini", *model, "--url", emulator_url)
    refused = harness(*there, env={"GEMINI_API_KEY": "invalid"})
    assert 4 == refused.returncode, refused.stdout + refused.stderr


@pytest.mark.capability("connection: API key in a header", side="emulator")
@pytest.mark.capability("connection: ephemeral tokens, locked setups", side="emulator")
@pytest.mark.capability("connection: Vertex AI: express mode", side="emulator")
@pytest.mark.capability("connection: TLS", side="emulator")
@pytest.mark.capability("connection: refusals at the upgrade", side="emulator")
@pytest.mark.capability("setup: unknown fields are kept", side="emulator")
@pytest.mark.capability("text: incremental context", side="emulator")
@pytest.mark.capability("text: history seeding", side="emulator")
@pytest.mark.capability("text: realtime text", side="emulator")
@pytest.mark.capability("audio in: 16 kHz sent, 4 to 192 kHz taken", side="emulator")
@pytest.mark.capability("audio in: sensitivities, padding, silence", side="emulator")
@pytest.mark.capability("audio in: turn coverage", side="emulator")
@pytest.mark.capability("audio in: activity handling", side="emulator")
@pytest.mark.capability("audio out: voices", side="emulator")
@pytest.mark.capability("audio out: language code", side="emulator")
@pytest.mark.capability("audio out: interruption", side="emulator")
@pytest.mark.capability("video in: media resolution", side="emulator")
@pytest.mark.capability("native audio: affective dialogue", side="emulator")
@pytest.mark.capability("native audio: proactive audio", side="emulator")
@pytest.mark.capability("native audio: thinking", side="emulator")
@pytest.mark.capability("tools: declarations, calls, responses", side="emulator")
@pytest.mark.capability("tools: blocking and not", side="emulator")
@pytest.mark.capability("tools: cancellation", side="emulator")
@pytest.mark.capability("tools: search grounding", side="emulator")
@pytest.mark.capability("usage: absent is unknown", side="emulator")
@pytest.mark.capability("long sessions: goAway", side="emulator")
@pytest.mark.capability("long sessions: resumption", side="emulator")
@pytest.mark.capability("long sessions: context-window compression", side="emulator")
@pytest.mark.capability("long sessions: limits of sessions and connections", side="emulator")
@pytest.mark.capability("long sessions: replay and seams", side="emulator")
@pytest.mark.capability("later models: interim hypotheses", side="emulator")
@pytest.mark.capability("later models: fields and eras", side="emulator")
@pytest.mark.capability("later models: context updates", side="emulator")
def test_the_doctor_walks_through_every_capability(harness):
    """`harness doctor` starts emulators and finds each row of docs/protocol.md at work, in its order, with its time."""
    ran = harness("doctor", "--json", env={"HARNESS_EMULATE_EAR": "scripted"})
    found = json.loads(ran.stdout)
    assert 0 == ran.returncode, ran.stdout
    walked = [one for one in found if ":" in one["check"]]
    assert [f"{area}: {one}" for area, details in CAPABILITIES.items() for one in details] == [
        one["check"] for one in walked
    ]
    verdicts = {one["check"]: one["verdict"] for one in walked}
    assert dict.fromkeys(verdicts, "ok") | dict.fromkeys(ACCEPTED, "accepted") == verdicts
    assert all(one["took_s"] > 0 for one in walked)


def test_the_doctor_tells_what_a_model_lacks(harness, emulator_url):
    """With one model the doctor asks for what that model has, and names the rule by which the rest is not offered."""
    model = ("--model", "gemini-3.5-transcribe-live")
    ran = harness("doctor", "--json", "--url", emulator_url, *model)
    found = {one["check"]: one for one in json.loads(ran.stdout)}
    assert 0 == ran.returncode, ran.stdout
    assert "ok" == found["audio in: audioStreamEnd"]["verdict"]
    assert "ok" == found["later models: interim hypotheses"]["verdict"]
    lacking = found["tools: declarations, calls, responses"]
    assert "not offered" == lacking["verdict"]
    assert "gemini-3.5-transcribe-live does nothing but transcribe" == lacking["found"]
    plain = found["connection: TLS"]
    assert "not walked" == plain["verdict"]
    assert "is not encrypted" in plain["found"]


def test_what_does_not_work_is_the_row_that_says_so(harness):
    """A service that resumes no session fails in that row, with its words; the other rows stand, and it is exit 5."""
    with emulating("--quirk", "stale-handles") as url:
        ran = harness("doctor", "--url", url)
    assert 5 == ran.returncode, ran.stdout
    failed = [line for line in ran.stdout.splitlines() if line.startswith("FAIL")]
    assert 1 == len(failed), ran.stdout
    assert "long sessions: resumption" in failed[0]
    assert "closed 1008: BidiGenerateContent session not found" in failed[0]


@contextlib.contextmanager
def deaf():
    """Give the URL of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"ws://127.0.0.1:{server.getsockname()[1]}"


@contextlib.contextmanager
def foreign():
    """Give the URL of a web server that knows no WebSocket."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"ws://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "server, code, words",
    [
        (deaf, 3, "no answer to the upgrade within 15 s"),
        (foreign, 3, "it does not speak WebSocket"),
        (lambda: emulating("--quirk", "no-setup-complete"), 3, "no setupComplete within 10 s"),
        (lambda: emulating("--quirk", "wrong-json=cut"), 3, "no Live message"),
        (lambda: emulating("--quirk", "not-websocket"), 3, "session"),
        (lambda: emulating("--quirk", "http=403"), 4, "HTTP 403"),
    ],
)
def test_a_server_that_is_none_ends_the_walk_before_it_begins(harness, server, code, words):
    """What does not hold one session is told by the row that tried, with the wait by name and what to check; the doctor ends."""
    with server() as url:
        ran = harness("doctor", "--url", url)
    assert code == ran.returncode, ran.stdout + ran.stderr
    *_, last, hint, tally = ran.stdout.splitlines()
    assert last.startswith("FAIL")
    assert "session " in last
    assert words in last
    assert hint.lstrip().startswith("try: check the key" if code == 4 else "try: check --url")
    assert ", 1 FAIL (does not work)" in tally


@contextlib.contextmanager
def echoing():
    """Give the URL of a service that repeats a connection's credential in all it says, and the set of what it saw."""
    seen = set()

    async def handler(wire):
        headers = wire.request.headers
        said = headers.get("x-goog-api-key") or headers.get("Authorization", "")
        seen.add(said)
        with contextlib.suppress(ConnectionClosed):
            await echo(wire, said)

    async def echo(wire, said):
        async for frame in wire:
            if "setup" in json.loads(frame):
                await wire.send(pretty({"setupComplete": {}}))
            for message in (
                {"serverContent": {"inputTranscription": {"text": said}}},
                {"serverContent": {"interimInputTranscription": {"text": said}}},
                {"serverContent": {"outputTranscription": {"text": f"{said}\x1b[31m"}}},
                {"serverContent": {"modelTurn": {"parts": [{"text": f"Ada {said}"}]}}},
                {"serverContent": {"groundingMetadata": {"webSearchQueries": [said]}}},
                {"toolCall": {"functionCalls": [{"id": "1", "name": said, "args": {"a": said}}]}},
                {"toolCallCancellation": {"ids": [said]}},
                {"sessionResumptionUpdate": {"newHandle": said, "resumable": True}},
            ):
                await wire.send(pretty(message))
            usage = {"promptTokenCount": 5, "responseTokenCount": 1, "totalTokenCount": 6}
            ended = {"turnComplete": True, "interrupted": True}
            await wire.send(pretty({"serverContent": ended, "usageMetadata": usage}))
            if "audioStreamEnd" in json.loads(frame).get("realtimeInput", {}):
                await wire.close(1011, f"no more for {said}"[:120])

    url, loop = [], asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()

    async def serve():
        async with live_server(handler) as place:
            url.append(place)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    yield url[0], seen
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


def test_no_secret_reaches_the_doctors_output(harness):
    """A service that echoes a session's credential in every field finds it in no line, nor an escape of its own."""
    with echoing() as (url, seen):
        ran = harness("doctor", "--url", url)
        told = ran.stdout + ran.stderr
        assert "[secret]" in told, told
        assert "text: turns" in told
        quick = ("doctor", "--quick", "--json", "--service", "gemini", "--url", url)
        told += harness(*quick, env={"GEMINI_API_KEY": KEY}).stdout
    assert KEY in seen
    for secret in seen - {"invalid"}:
        value = secret.rpartition(" ")[2].removeprefix("auth_tokens/")
        assert not any(value[at : at + 8] in told for at in range(len(value) - 7)), told
    assert "\x1b" not in told
