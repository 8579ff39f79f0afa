"""What sending and receiving cost, and how punctual they are: our sessions, Google's SDK, and bare sockets, in turn."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from harness.session.pace import GRID_S
from harness.wire.live.codec import decode_server
from tests.bench.drain import SPOKEN, written
from tests.bench.measure import Goal, ratio, ratios

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSIONS = 200
SENDERS = ("ours", "sdk", "raw")


@dataclass(frozen=True, kw_only=True)
class Sink:
    """A server that looks at no audio."""

    url: str
    ca_file: str | None
    """What its certificate is checked with; None: plain sockets."""

    def client(
        self, kind: str, sessions: int, seconds: float, chunk_ms: int, pace: float, *more: str
    ) -> dict:
        """Return what one client process says."""
        (told,) = self.clients(1, kind, sessions, seconds, chunk_ms, pace, *more)
        return told

    def clients(self, processes: int, *what: str | float) -> list[dict]:
        """Return what so many client processes say that run at one time, each asked for the same."""
        trusted = {"SSL_CERT_FILE": self.ca_file} if self.ca_file else {}
        kind, *numbers = what
        command = [sys.executable, "-m", "tests.bench.clients", kind, self.url, *map(str, numbers)]
        begun = [
            subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | trusted)
            for _ in range(processes)
        ]
        said = [process.communicate()[0] for process in begun]
        if any(process.returncode for process in begun):
            raise ValueError(f"{command} failed")
        return [json.loads(one) for one in said]


@contextlib.contextmanager
def sink(
    *,
    together: int,
    messages: int = 0,
    every_s: float = 0.0,
    tls: bool = False,
    spoken: bool = False,
) -> Iterator[Sink]:
    """Give a server in its own process; it sets up `together` sessions at one time."""
    with tempfile.TemporaryDirectory() as folder:
        pem, ca_file = [], None
        if tls:
            pem, ca_file = _certificate(Path(folder))
        process = subprocess.Popen(
            [
                sys.executable, "-m", "tests.bench.drain", str(messages), str(every_s), str(together),
                str(int(spoken)), *pem,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            address = f"127.0.0.1:{process.stdout.readline().strip()}"
            yield Sink(url=f"{'wss' if tls else 'ws'}://{address}", ca_file=ca_file)
        finally:
            process.communicate()


def _certificate(folder: Path) -> tuple[list[str], str]:
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        folder / "key.pem"
    )
    return [str(folder / "key.pem")], str(folder / "ca.pem")


def opening(rounds: int = 3) -> str:
    """What it costs to open a session over TLS, with one message, and to close it."""
    found = {kind: [] for kind in SENDERS}
    with sink(together=SESSIONS, tls=True) as server:
        for _ in range(rounds):
            for kind, told in found.items():
                told.append(server.client(kind, SESSIONS, 0.1, 100, 0.0)["cpu"] / SESSIONS * 1e3)
    goals = [
        Goal("ours to the SDK", ratios(found["ours"], found["sdk"]), 1.0),
        Goal("ours to a bare handshake", ratios(found["ours"], found["raw"]), 2.5),
    ]
    return f"""## Opening a session

CPU of {SESSIONS} sessions at once over TLS, of one message each: our sessions with all that they record; Google's SDK with one
client; and, as the floor, blocking sockets: TLS handshake, upgrade, setup, a ready frame. {rounds} rounds in turn.

{_senders("ms a session", found)}

{Goal.table(goals)}"""


def send(rounds: int = 3, seconds: float = 12.0) -> str:
    """What a message costs to send as fast as it goes, and what a session costs to open and close."""
    measured = {kind: [] for kind in SENDERS}
    with sink(together=SESSIONS) as server:
        for _ in range(rounds):
            for kind, found in measured.items():
                found.append(_slope(server, kind, seconds))
    us = {kind: [one for one, _ in found] for kind, found in measured.items()}
    opening = {kind: [one for _, one in found] for kind, found in measured.items()}
    goals = [Goal("ours to the SDK", ratios(us["ours"], us["sdk"]), 1 / 6)]
    return f"""## Sending as fast as it goes

CPU of {SESSIONS} sessions at once on plain loopback sockets, 100 ms a message, to a server that looks at no audio: our
sessions with all that they record; Google's SDK with one client; and, as the floor, blocking sockets that send ready,
masked frames. A message's share is the slope over two lengths of audio; a session's is what is left at none: opening it and
closing it. {rounds} rounds in turn.

{_senders("µs a message", us)}
| ms a session | {" | ".join(f"{median(opening[kind]):.2f}" for kind in SENDERS)} | {ratio(opening["ours"], opening["sdk"])} | {ratio(opening["ours"], opening["raw"])} |

{Goal.table([*goals, Goal("opening and closing, to the SDK", ratios(opening["ours"], opening["sdk"]), 1.0)])}"""


def _slope(server: Sink, kind: str, seconds: float) -> tuple[float, float]:
    """Return CPU µs a message, and ms a session."""
    short, long = (
        server.client(kind, SESSIONS, length, 100, 0.0)["cpu"] for length in (1.0, 1.0 + seconds)
    )
    message_s = (long - short) / (SESSIONS * seconds * 10)
    return message_s * 1e6, (short / SESSIONS - message_s * 10) * 1e3


def _senders(what: str, found: dict[str, list[float]]) -> str:
    """Return a table's head and its first row."""
    cells = " | ".join(f"{median(found[kind]):.1f}" for kind in SENDERS)
    return (
        "| | ours | SDK | sockets | ours to the SDK | ours to sockets |\n|---|---|---|---|---|---|\n"
        f"| {what} | {cells} | {ratio(found['ours'], found['sdk'])} | {ratio(found['ours'], found['raw'])} |"
    )


def paced(chunk_ms: int, *, tls: bool = False, rounds: int = 3, frames: int = 40) -> str:
    """What a message costs to send in real time, and how late it leaves; `frames` of each session."""
    seconds = frames * chunk_ms / 1000
    senders = ("ours", "sdk", "framed", "raw")
    kinds = (*senders, "timers")
    measured = {kind: [] for kind in kinds}
    with sink(together=SESSIONS, tls=tls) as server:
        for _ in range(rounds):
            for kind, found in measured.items():
                found.append(server.client(kind, SESSIONS, seconds, chunk_ms, 1.0))
    us = {kind: [one["message_us"] for one in measured[kind]] for kind in senders}
    p50, p99 = (
        {kind: [one["lag"][at] for one in measured[kind]] for kind in kinds} for at in (0, 1)
    )
    goals = [
        Goal("CPU, ours to the SDK", ratios(us["ours"], us["sdk"]), 1 / 4),
        Goal(
            "CPU, ours to sockets",
            ratios(us["ours"], us["raw"]),
            1.7,
            floor=f"to frame and mask each message takes {median(ratios(us['framed'], us['raw'])):.2f} times as much as the "
            f"sockets, and ours {median(ratios(us['ours'], us['framed'])):.2f} times that",
        ),
    ]
    drifts = [one["drift"] for one in measured["ours"]]
    early = [one["early"] * 100 for one in measured["ours"]]
    goals += [
        Goal("last tenth of the frames later than the first, ms", drifts, 1.0),
        Goal("frames early by more than 1 ms, %", early, 2.0),
    ]
    if chunk_ms == 100 and not tls:
        goals += [
            Goal(
                "median lag, ms",
                p50["ours"],
                1.0,
                floor="an event loop's timers are rounded up to whole milliseconds: bare ones are late too",
            ),
            Goal("99th percentile of the lag, ms", p99["ours"], 2.0),
            Goal("that, to bare timers'", ratios(p99["ours"], p99["timers"]), 1.5),
        ]
    memory = ""
    if tls:
        kib = {kind: [one["kib"] for one in measured[kind]] for kind in ("ours", "sdk")}
        goals.append(Goal("memory of a session, KiB", kib["ours"], 310.0))
        memory = f" A session takes {median(kib['ours']):.0f} KiB of memory, the SDK's {median(kib['sdk']):.0f}."
    cpu = " | ".join(f"{median(us[kind]):.1f}" for kind in senders)
    to = " | ".join(ratio(us["ours"], us[kind]) for kind in senders[1:])
    lag = " | ".join(f"{median(p50[kind]):.2f} / {median(p99[kind]):.2f}" for kind in kinds)
    return f"""## Sending in real time: {chunk_ms} ms a message{", TLS" if tls else ""}

{SESSIONS} sessions at once on {"TLS" if tls else "plain"} loopback sockets, {seconds:g} s, from when all are open; the SDK with a task a session on absolute
deadlines. Two floors, both in the slots that ours has, {GRID_S * 1000:g} ms apart: blocking sockets that send frames made and masked
beforehand; and a loop like ours that frames and masks each message, stamps it, and does nothing else. Lag is how late frames
leave, all of them; bare timers are an event loop's `call_at` with nothing to send. {rounds} rounds in turn.{memory}

| | ours | SDK | framed, masked | sockets | bare timers |
|---|---|---|---|---|---|
| CPU µs a message | {cpu} | |
| ours to it | | {to} | |
| lag, ms, median / 99th percentile | {lag} |

{Goal.table(goals)}"""


LOADS = ((500, 100, 1, ("ours", "sdk")), (250, 40, 1, ("ours", "sdk")), (1000, 40, 1, ("ours", "timers")), (1000, 40, 2, ("ours",)))  # fmt: skip
"""Sessions, ms a message, processes, and who is measured."""


def lag(rounds: int = 3, seconds: float = 2.0) -> str:
    """How late frames leave a process that has much to send."""
    found = {}
    for sessions, chunk_ms, processes, kinds in LOADS:
        key = (sessions, chunk_ms, processes)
        found |= {(*key, kind): [] for kind in kinds}
        with sink(together=sessions) as server:
            for _ in range(rounds):
                for kind in kinds:
                    told = server.clients(
                        processes, kind, sessions // processes, seconds, chunk_ms, 1.0
                    )
                    found[*key, kind].append(max((one["lag"] for one in told), key=lambda p: p[1]))
    rows = "\n".join(
        f"| {sessions:,} sessions × {chunk_ms} ms{', two processes' if processes > 1 else ''} | "
        + " | ".join(
            f"{median(p for p, _ in lags):.2f} / {median(p for _, p in lags):.2f}"
            if (lags := found.get((sessions, chunk_ms, processes, kind)))
            else ("not run" if kind == "sdk" else "")
            for kind in ("ours", "sdk", "timers")
        )
        + " |"
        for sessions, chunk_ms, processes, _ in LOADS
    )
    p99 = {key: [p for _, p in lags] for key, lags in found.items()}
    ours, theirs = p99[500, 100, 1, "ours"], p99[500, 100, 1, "sdk"]
    goals = [
        Goal("500 × 100 ms: 99th percentile, ours to the SDK", ratios(ours, theirs), 1 / 5),
        Goal("1,000 × 40 ms: 99th percentile, ms", p99[1000, 40, 1, "ours"], 10.0),
        Goal("1,000 × 40 ms in two processes: 99th percentile, ms", p99[1000, 40, 2, "ours"], 10.0),
    ]
    return f"""## Lag of many sessions

How late frames leave in real time, from when all sessions are open, ms: median / 99th percentile over all frames, of two
processes the later one's; {rounds} rounds of {seconds:g} s in turn. With 1,000 sessions of 40 ms the SDK is seconds late and never
gets done: 250 are about what one process of it manages. Bare timers are an event loop's `call_at` with nothing to send.

| | ours | SDK | bare timers |
|---|---|---|---|
{rows}

{Goal.table(goals)}"""


def _decoding(count: int = 5_000) -> float:
    """Return how many times as long it takes to decode a message of speech as a plain one."""
    took = []
    for frame in (written(), SPOKEN):
        began = time.process_time()
        for _ in range(count):
            decode_server(frame)
        took.append(time.process_time() - began)
    return took[1] / took[0]


def receive(rounds: int = 3, sessions: int = 50, messages: int = 300) -> str:
    """What a message costs to receive, and how late it is stamped."""
    cpu = {kind: [] for kind in ("ours", "sdk")}
    spoken = {kind: [] for kind in cpu}
    with (
        sink(together=sessions) as quiet,
        sink(together=sessions, messages=messages) as loud,
        sink(together=sessions, messages=messages, spoken=True) as speaking,
    ):
        for _ in range(rounds):
            for kind, found in cpu.items():
                base, full, more = (
                    server.client(kind, sessions, 1.0, 100, 0.0)["cpu"]
                    for server in (quiet, loud, speaking)
                )
                found.append((full - base) / sessions / messages * 1e6)
                spoken[kind].append((more - base) / sessions / messages * 1e6)
    stamp = {key: [] for key in ((200, "ours"), (200, "sdk"), (500, "ours"))}
    for _ in range(rounds):
        for (count, kind), found in stamp.items():
            with sink(together=count, messages=15, every_s=0.1) as server:
                found.append(server.client(kind, count, 2.0, 100, 1.0)["stamp"])
    shown = {
        key: f"{median(p for p, _ in late):.2f} / {median(p for _, p in late):.2f}"
        for key, late in stamp.items()
    }
    p50, p99 = ({key: [one[at] for one in late] for key, late in stamp.items()} for at in (0, 1))
    goals = [
        Goal("CPU, ours to the SDK", ratios(cpu["ours"], cpu["sdk"]), 1 / 7),
        Goal(
            "a message with speech nobody needs, to a plain one",
            ratios(spoken["ours"], cpu["ours"]),
            2.0,
            floor=f"to decode its JSON and base64 takes {_decoding():.1f} times as long as a plain one's JSON, and its speech is kept",
        ),
        Goal(
            "200 sessions: median lateness of a stamp, to the SDK's",
            ratios(p50[200, "ours"], p50[200, "sdk"]),
            0.6,
        ),
        Goal(
            "200 sessions: 99th percentile, to the SDK's",
            ratios(p99[200, "ours"], p99[200, "sdk"]),
            0.6,
        ),
        Goal("200 sessions: median lateness of a stamp, ms", p50[200, "ours"], 0.3),
        Goal("200 sessions: 99th percentile, ms", p99[200, "ours"], 1.0),
        Goal("500 sessions: 99th percentile, ms", p99[500, "ours"], 2.0),
    ]
    return f"""## Receiving

CPU to receive a transcription message of 200 bytes, kept and looked at, {sessions} sessions of {messages} messages; and how much
later than the server sent it a message is stamped, median / 99th percentile, while each session streams 100 ms chunks and
gets ten messages a second. {rounds} rounds in turn.

| | ours | SDK | ours to the SDK |
|---|---|---|---|
| CPU a message, µs | {median(cpu["ours"]):.1f} | {median(cpu["sdk"]):.1f} | {ratio(cpu["ours"], cpu["sdk"])} |
| a message with 5 KiB of speech, µs | {median(spoken["ours"]):.1f} | {median(spoken["sdk"]):.1f} | {ratio(spoken["ours"], spoken["sdk"])} |
| stamp, 200 sessions, ms | {shown[200, "ours"]} | {shown[200, "sdk"]} | {ratio(p99[200, "ours"], p99[200, "sdk"])} |
| stamp, 500 sessions, ms | {shown[500, "ours"]} | | |

{Goal.table(goals)}"""
