"""What sending and receiving cost, and how punctual they are: our sessions, Google's SDK, and bare sockets, in turn."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.measure import ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = ("ours", "sdk", "raw")


@contextlib.contextmanager
def drain(*arguments: object) -> Iterator[str]:
    """Give the port of a server that looks at no audio, in its own process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.drain", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate()


def client(kind: str, port: str, *what: float) -> dict:
    """Return what one client process says; `what` is sessions, seconds, chunk in ms, pace."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.bench.clients",
            *map(str, (kind, port, *what)),
        ],
        check=True,
        capture_output=True,
    )
    return json.loads(ran.stdout)


def message_us(
    kind: str, port: str, *, sessions: int, seconds: float, chunk_ms: int, pace: float
) -> tuple[float, float]:
    """Return CPU µs a message, and ms a session: the slope over two lengths, and what is left at none."""
    short, long = (
        client(kind, port, sessions, length, chunk_ms, pace)["cpu"]
        for length in (1.0, 1.0 + seconds)
    )
    frames = sessions * seconds * 1000 / chunk_ms
    slope = (long - short) / frames
    return slope * 1e6, (short - slope * sessions * 1000 / chunk_ms) / sessions * 1e3


CASES = {
    "unpaced, 100 ms": (0.0, 100, "1/6; –"),
    "real time, 100 ms": (1.0, 100, "1/4; 1.7"),
    "real time, 40 ms": (1.0, 40, "1/4; 1.7"),
}


def send(*cases: str, rounds: int = 3, sessions: int = 200, seconds: float = 3.0) -> str:
    """What a message costs to send, paced and not, and what a session costs to open and close; all of `CASES` or some."""
    lines = []
    with drain() as port:
        for name in cases or CASES:
            pace, chunk_ms, goals = CASES[name]
            measured = {kind: [] for kind in CLIENTS}
            for _ in range(rounds):
                for kind, found in measured.items():
                    found.append(
                        message_us(
                            kind, port, sessions=sessions, seconds=seconds if pace else 4 * seconds,
                            chunk_ms=chunk_ms, pace=pace,
                        )
                    )  # fmt: skip
            us = {kind: [one for one, _ in found] for kind, found in measured.items()}
            opening = {kind: median(one for _, one in found) for kind, found in measured.items()}
            lines.append(
                f"| {name} | {median(us['ours']):.1f} | {median(us['sdk']):.1f} | {median(us['raw']):.1f} "
                f"| {ratio(us['ours'], us['sdk'])} | {ratio(us['ours'], us['raw'])} | {goals} "
                f"| {opening['ours']:.1f} / {opening['sdk']:.1f} / {opening['raw']:.1f} |"
            )
    table = "\n".join(lines)
    return f"""## Sending

CPU µs a message, user and system, {sessions} sessions at once on plain loopback sockets to a server that looks at no audio:
our sessions (with trace, drain and all), Google's SDK (one client, a task a session on absolute deadlines), and bare
blocking sockets that send ready, masked frames in slots of 5 ms. Each from two lengths of audio, so that opening, shown
apart in ms a session, is not in it. {rounds} rounds in turn.

| | ours | SDK | sockets | ours to SDK | ours to sockets | goals | opening: ours / SDK / sockets, ms |
|---|---|---|---|---|---|---|---|
{table}"""


def punctual(rounds: int = 2, seconds: float = 5.0) -> str:
    """How late frames leave, with nothing else going on."""
    lines = []
    with drain() as port:
        for sessions, chunk_ms in ((200, 100), (500, 100), (1000, 40)):
            lags = {kind: [] for kind in CLIENTS}
            for _ in range(rounds):
                for kind, found in lags.items():
                    if kind != "sdk" or (sessions, chunk_ms) != (1000, 40):
                        found.append(client(kind, port, sessions, seconds, chunk_ms, 1.0)["lag"])
            told = " | ".join(
                f"{median(one[0] for one in found):.2f} / {median(one[1] for one in found):.2f}"
                if found
                else "saturated"
                for found in lags.values()
            )
            lines.append(f"| {sessions} × {chunk_ms} ms | {told} |")
    table = "\n".join(lines)
    return f"""## Lag

How late frames leave one process at real time, ms: median / 99th percentile over all frames, medians of {rounds} rounds.
Goals: 200 × 100 ms within 1 / 2; 500 × 100 ms a fifth of the SDK's; 1,000 × 40 ms within – / 10.

| | ours | SDK | sockets |
|---|---|---|---|
{table}"""


def receive(rounds: int = 3, sessions: int = 50, messages: int = 400) -> str:
    """What a message costs to receive, and how late it is stamped."""
    cpu = {kind: [] for kind in ("ours", "sdk")}
    with drain() as quiet, drain(messages, 0) as loud:
        for _ in range(rounds):
            for kind, found in cpu.items():
                base, full = (
                    client(kind, port, sessions, 1.0, 100, 0.0)["cpu"] for port in (quiet, loud)
                )
                found.append((full - base) / sessions / messages * 1e6)
    stamp = {(kind, n): [] for n in (200, 500) for kind in ("ours", "sdk")}
    with drain(25, 0.1) as port:
        for _ in range(2):
            for (kind, count), found in stamp.items():
                found.append(client(kind, port, count, 3.0, 100, 1.0)["stamp"])
    lines = "\n".join(
        f"| stamp, {n} sessions, ms | "
        + " | ".join(
            f"{median(p for p, _ in stamp[kind, n]):.2f} / {median(p for _, p in stamp[kind, n]):.2f}"
            for kind in ("ours", "sdk")
        )
        + f" | {ratio([p for _, p in stamp['ours', n]], [p for _, p in stamp['sdk', n]])} | {goal} |"
        for n, goal in ((200, "0.3 / 1"), (500, "– / 2"))
    )
    return f"""## Receiving

CPU µs to receive a transcription message of 200 bytes, kept and looked at, {sessions} sessions; and how much later than the
server sent it a message is stamped, median / 99th percentile, while each session streams 100 ms chunks and gets ten
messages a second.

| | ours | SDK | ratio | goal |
|---|---|---|---|---|
| CPU a message, µs | {median(cpu["ours"]):.1f} | {median(cpu["sdk"]):.1f} | {ratio(cpu["ours"], cpu["sdk"])} | 1/7 |
{lines}"""
