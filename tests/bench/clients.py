"""One client process: `python -m tests.bench.clients KIND URL SESSIONS SECONDS CHUNK_MS PACE [CLIP]`. Prints JSON.

KIND is `ours`, `sdk` (Google's), `raw` (ready frames on blocking sockets), `framed` (framed and masked on a loop, and nothing
else) or `timers` (an event loop's, and nothing sent).
CPU is user and system time, imports left out: of the whole of it, and of a message while all sessions stream; `kib` is a session's memory when all stream; lags are how late frames left, and stamps how late messages were noted
after the server sent them, both in ms: median and 99th percentile. `ours` converts CLIP in a thread all the while.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import math
import os
import resource
import socket
import ssl
import sys
import time
from array import array
from itertools import chain, count
from pathlib import Path
from types import SimpleNamespace

from harness.clock import run_punctual
from harness.session.pace import GRID_S
from tests.bench.beside import converting
from tests.bench.drain import BEGIN_S

RATE = 16_000

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SETUP = b"\x81\xfe" + (300).to_bytes(2, "big") + bytes(4) + b" " * 300


def used() -> float:
    """Return this process's CPU, s."""
    told = resource.getrusage(resource.RUSAGE_SELF)
    return told.ru_utime + told.ru_stime


def resident_kib() -> int:
    """Return this process's memory, KiB."""
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])


class Meter:
    """The CPU that messages take, from when all sessions stream to when the first ones end; and what a session keeps.

    The server has sessions begin up to `BEGIN_S` apart: some are that far ahead of others.
    """

    def __init__(self, todo) -> None:
        frames = math.ceil(todo.seconds * 1000 / todo.chunk_ms)
        apart = math.ceil(BEGIN_S * 1000 / todo.chunk_ms)
        self.first, self.last = todo.sessions * (apart + 5), todo.sessions * (frames - apart - 1)
        self.numbers = count(1)
        self.at_first = self.at_last = 0.0

        self.sessions, self.kib, self.kib_before = todo.sessions, 0.0, resident_kib()

    def sent(self) -> None:
        """Note that a message has left."""
        number = next(self.numbers)
        if number == self.first:
            self.kib = (resident_kib() - self.kib_before) / self.sessions
            self.at_first = used()
        elif number == self.last:
            self.at_last = used()

    @property
    def message_us(self) -> float:
        """CPU a message, µs."""
        return (self.at_last - self.at_first) / (self.last - self.first) * 1e6


def spread(values: list[float]) -> list[float]:
    """Return the median and the 99th percentile; empty of nothing."""
    ordered = sorted(values)
    return [ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]] if ordered else []


def stamps(texts) -> list[float]:
    """Return how late messages were noted, ms, of (time noted, text)."""
    return [(t - float(text.split()[0])) * 1000 for t, text in texts if text[1:2].isdigit()]


async def ours(todo) -> dict:
    """Stream with our sessions."""
    from harness.audio.clip import AudioClip, MemoryPcm
    from harness.run.attempt import send_lags_ms
    from harness.run.certificate import SWITCH_S
    from harness.secret import Secret
    from harness.session import transport
    from harness.session.assignment import Assignment, Waits
    from harness.session.drive import Session
    from harness.session.frames import Frames
    from harness.session.pace import Pacer
    from harness.trace.trace import TraceHeader
    from harness.wire.live import endpoint as live
    from harness.wire.live.setups import transcription_setup

    model = "gemini-live-2.5-flash-preview"
    header = TraceHeader(
        utterance="u", dataset="d", locale="en-US", model=model, repeat=1, attempt=1, plan="0",
        endpoint="bench", client="bench", started_at="", chunk_ms=todo.chunk_ms, pace=todo.pace, turns="manual",
    )  # fmt: skip
    frames = Frames(AudioClip(pcm=MemoryPcm(todo.pcm)), todo.chunk_ms)
    assignment = Assignment(
        header=header,
        name="u",
        endpoint=live.gemini(Secret("key"), url=todo.url),
        setup=transcription_setup(model, turns="manual", transcript="input"),
        frames=frames,
        pace=todo.pace,
        waits=Waits(setup_s=60.0),
    )
    pacer = Pacer(asyncio.get_running_loop())
    meter = Meter(todo)

    send = transport._Socket.send

    def metered(connection, payload: bytes) -> None:
        send(connection, payload)
        meter.sent()

    transport._Socket.send = metered
    gc.collect()
    gc.freeze()  # as a run does
    sys.setswitchinterval(SWITCH_S)
    began = used()
    results = await asyncio.gather(
        *(Session(assignment, transport.connect, pacer).run() for _ in range(todo.sessions))
    )
    cpu = used() - began
    traces = [result.recorder.trace()[0] for result in results]
    assert {"ok"} == {result.ending.outcome for result in results}, results[0].ending
    lags = [send_lags_ms(trace) for trace in traces]
    zeros = [result.recorder._zero for result in results]
    heard = [
        (event.t + zero, event.frame["serverContent"]["inputTranscription"]["text"])
        for trace, zero in zip(traces, zeros, strict=True)
        for event in trace.events
        if event.dir == "<" and "inputTranscription" in event.frame.get("serverContent", {})
    ]
    return {
        "cpu": cpu,
        "message_us": meter.message_us,
        "kib": meter.kib,
        "lag": spread(list(chain.from_iterable(lags))),
        "drift": drift(lags),
        "early": share_early(lags),
        "stamp": spread(stamps(heard)),
    }


def drift(lags: list[list[float]]) -> float:
    """Return how much later the last tenth of the frames leave than the first tenth, ms, in the mean over all sessions."""
    tenth = len(lags[0]) // 10
    if not tenth:
        return 0.0
    first = [lag for one in lags for lag in one[:tenth]]
    last = [lag for one in lags for lag in one[-tenth:]]
    return sum(last) / len(last) - sum(first) / len(first)


def share_early(lags: list[list[float]]) -> float:
    """Return which share of the frames left more than a millisecond early."""
    return sum(lag < -1 for one in lags for lag in one) / max(1, sum(map(len, lags)))


async def sdk(todo) -> dict:
    """Stream with Google's SDK, a task a session on absolute deadlines."""
    from google import genai
    from google.genai import types

    client = genai.Client(api_key="key")
    api = client._api_client
    api._websocket_base_url = lambda *_: todo.url
    if todo.url.startswith("ws:"):
        api._websocket_ssl_ctx = {}
    detection = types.AutomaticActivityDetection(disabled=True)
    config = types.LiveConnectConfig(
        response_modalities=["TEXT"],
        realtime_input_config=types.RealtimeInputConfig(automatic_activity_detection=detection),
    )
    loop = asyncio.get_running_loop()
    lags: list[float] = []
    heard: list[tuple[float, str]] = []
    step = todo.chunk_ms * RATE // 1000 * 2
    meter = Meter(todo)
    chunks = [todo.pcm[at : at + step] for at in range(0, len(todo.pcm), step)]

    async def listen(session) -> None:
        async for said in session.receive():
            t = loop.time()
            if (content := said.server_content) and content.input_transcription:
                heard.append((t, content.input_transcription.text))

    async def one(number: int) -> None:
        async with client.aio.live.connect(
            model="gemini-live-2.5-flash-preview", config=config
        ) as s:
            listening = asyncio.create_task(listen(s))
            period = todo.chunk_ms / 1000 / todo.pace if todo.pace else 0.0
            begins = loop.time() + number * 0.618034 % 1 * period
            await s.send_realtime_input(activity_start=types.ActivityStart())
            for place, chunk in enumerate(chunks, 1):
                due = begins + place * period
                if todo.pace:
                    await asyncio.sleep(due - loop.time())
                await s.send_realtime_input(
                    audio=types.Blob(data=chunk, mime_type="audio/pcm;rate=16000")
                )
                meter.sent()
                if todo.pace:
                    lags.append((loop.time() - due) * 1000)
            await s.send_realtime_input(activity_end=types.ActivityEnd())
            await listening

    gc.collect()
    gc.freeze()
    began = used()
    await asyncio.gather(*(one(number) for number in range(todo.sessions)))
    return {
        "cpu": used() - began,
        "message_us": meter.message_us,
        "kib": meter.kib,
        "lag": spread(lags),
        "stamp": spread(stamps(heard)),
    }


def opened(todo) -> list[socket.socket]:
    """Return sockets that have asked for their session."""
    address = todo.url.rpartition("/")[2].split(":")
    tls = ssl.create_default_context() if todo.url.startswith("wss:") else None
    plugs = []
    for _ in range(todo.sessions):
        plug = socket.create_connection(address)
        plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            plug = tls.wrap_socket(plug, server_hostname=address[0])
        plug.sendall(UPGRADE)
        plug.recv(4096)
        plug.sendall(SETUP)
        plugs.append(plug)
    return plugs


def messages(todo) -> tuple[list[bytes], bytes]:
    """Return the texts of the audio messages, and the frame of a small one."""
    import base64

    head = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"'
    step = todo.chunk_ms * RATE // 1000 * 2
    bodies = [
        head + base64.b64encode(todo.pcm[at : at + step]) + b'"}}}'
        for at in range(0, len(todo.pcm), step)
    ]
    return bodies, b"\x81\x90" + bytes(4) + b" " * 16


def raw(todo) -> dict:
    """Send ready, masked frames over blocking sockets, all that is due in a slot at once: the floor."""
    bodies, small = messages(todo)
    ready = [b"\x81\xfe" + len(body).to_bytes(2, "big") + bytes(4) + body for body in bodies]
    meter = Meter(todo)
    began = used()
    plugs = opened(todo)
    for plug in plugs:
        plug.recv(4096)
        plug.sendall(small)
    period = todo.chunk_ms / 1000 / todo.pace if todo.pace else 0.0
    slots = max(1, round(period / GRID_S))
    first, lags = time.monotonic() + 0.005, []
    for place, frame in enumerate(ready, 1):
        for slot in range(slots):
            due = first + place * period + slot * period / slots
            if todo.pace and (wait := due - time.monotonic()) > 0:
                time.sleep(wait)
            for plug in plugs[slot::slots]:
                plug.sendall(frame)
                meter.sent()
                if todo.pace:
                    lags.append((time.monotonic() - due) * 1000)
    for plug in plugs:
        plug.sendall(small)
        plug.recv(65536)
        plug.close()
    return {"cpu": used() - began, "message_us": meter.message_us, "lag": spread(lags)}


async def joined(todo, heard: asyncio.Semaphore) -> list:
    """Return what writes to each session, once all are set up; `heard` is released for all that comes."""
    from harness.session.transport import tls_context

    class Ear(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            heard.release()

    host, port = todo.url.rpartition("/")[2].split(":")
    tls = tls_context() if todo.url.startswith("wss:") else None
    writes = []
    for _ in range(todo.sessions):
        transport, _ = await asyncio.get_running_loop().create_connection(Ear, host, port, ssl=tls)
        transport.write(UPGRADE)
        await heard.acquire()
        transport.write(SETUP)
        writes.append(transport.write)
    for _ in writes:
        await heard.acquire()
    return writes


async def framed(todo) -> dict:
    """Frame, mask, send and stamp messages on a loop, all that is due in a slot at once: what no client can leave out."""
    from struct import Struct

    from websockets.speedups import apply_mask

    loop = asyncio.get_running_loop()
    keys = chain.from_iterable(map(Struct("4s" * 256).unpack, iter(lambda: os.urandom(1024), b"")))
    bodies, small = messages(todo)
    meter, ready = Meter(todo), asyncio.Semaphore(0)
    head, join, now = Struct("!BBH").pack, b"".join, loop.time

    began = used()
    writes = await joined(todo, ready)
    for write in writes:
        write(small)
    period = todo.chunk_ms / 1000 / todo.pace
    slots = max(1, round(period / GRID_S))
    first, lags = now() + GRID_S, array("d")
    over = loop.create_future()

    def serve(place: int, slot: int) -> None:
        body = bodies[place]
        due = first + (place + 1) * period + slot * period / slots
        for write in writes[slot::slots]:
            write(join((head(0x81, 0xFE, len(body)), key := next(keys), apply_mask(body, key))))
            lags.append(now() - due)
            meter.sent()
        slot += 1
        if slot == slots:
            place, slot = place + 1, 0
        if place == len(bodies):
            over.set_result(None)
        else:
            loop.call_at(first + (place + 1) * period + slot * period / slots, serve, place, slot)

    loop.call_at(first + period, serve, 0, 0)
    await over
    for write in writes:
        write(small)
    for _ in writes:
        await ready.acquire()
    return {
        "cpu": used() - began,
        "message_us": meter.message_us,
        "lag": spread([lag * 1000 for lag in lags]),
    }


async def timers(todo) -> dict:
    """Let every session's deadlines come, and do nothing: the floor of punctuality."""
    loop = asyncio.get_running_loop()
    period, lags = todo.chunk_ms / 1000 / todo.pace, []
    frames = math.ceil(todo.seconds * 1000 / todo.chunk_ms)

    def tick(due: float, left: int) -> None:
        lags.append((loop.time() - due) * 1000)
        if left > 1:
            loop.call_at(due + period, tick, due + period, left - 1)

    began = used()
    for number in range(todo.sessions):
        due = loop.time() + 0.05 + number * 0.618034 % 1 * period
        loop.call_at(due, tick, due, frames)
    await asyncio.sleep(0.2 + (frames + 1) * period)
    return {"cpu": used() - began, "lag": spread(lags)}


def main() -> None:
    """Measure once and print."""
    kind, url, sessions, seconds, chunk_ms, pace, *clip = sys.argv[1:]
    todo = SimpleNamespace(
        url=url,
        sessions=int(sessions),
        seconds=float(seconds),
        chunk_ms=int(chunk_ms),
        pace=float(pace),
        pcm=os.urandom(round(float(seconds) * RATE) * 2),
    )
    tasks = {"sdk": sdk, "timers": timers}
    if kind == "raw":
        told = raw(todo)
    elif kind == "framed":
        told = run_punctual(framed(todo))
    elif kind == "ours":
        with converting(Path(clip[0])) if clip else contextlib.nullcontext():
            told = run_punctual(ours(todo))
    else:
        told = asyncio.run(tasks[kind](todo))
    print(json.dumps(told))  # noqa: T201 - for the parent


main()
