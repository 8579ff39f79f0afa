"""Ten thousand connections that mean no good, to one emulator in its own process, while others have their sessions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from harness.session.drive import Session
from harness.session.pace import Pacer
from harness.session.transport import connect
from tests.chaos.section import Section, table
from tests.emulator.hostile import UPGRADE, attacks, masked
from tests.session.memory import assignment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.section import Options

AT_ONCE = 100
HOGS = 60
HOG_BYTES = 12 * 2**20
"""Each of so many connections sends this much of one message, and never the rest: 720 MiB together."""

MOST_MIB = 512
"""Memory that the emulator may need at most: 128 MiB of unfinished messages, and as much again for each copy that a
buffer's growth makes."""


@contextlib.contextmanager
def emulator(said: IO[bytes]) -> Iterator[tuple[subprocess.Popen, str]]:
    """Give an emulator's process, and its URL; what it complains of goes to `said`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "emulate", "--port", "0", "--ear", "scripted"],
        stdout=subprocess.PIPE,
        stderr=said,
    )
    try:
        yield process, json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def memory_mib(process: subprocess.Popen, what: str) -> float | None:
    """Return `VmRSS`, the memory of a process, or `VmHWM`, the most it ever was; None where the system does not tell."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    except OSError:
        return None
    lines = (line for line in status.splitlines() if line.startswith(what))
    return next(int(line.split()[1]) / 1024 for line in lines)


def state(url: str) -> dict:
    """Return what the emulator tells of itself."""
    with urllib.request.urlopen(url.replace("ws://", "http://"), timeout=30) as answer:  # noqa: S310 - ours
        return json.load(answer)


async def sessions(url: str, until: asyncio.Event) -> list[str]:
    """Return the outcomes of sessions, one after the other, until it is said that they are enough."""
    outcomes = []
    pacer = Pacer(asyncio.get_running_loop())
    while not until.is_set():
        todo = assignment(1.0, url=url)
        outcomes.append((await Session(todo, connect, pacer).run()).ending.outcome)
    return outcomes


async def hog(port: int) -> None:
    """Send the beginning of a message that never ends, and wait to be dropped."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE + masked(bytes(HOG_BYTES), opcode=2, claims=15 * 2**20))
        await asyncio.wait_for(writer.drain(), 60)
        await asyncio.wait_for(reader.read(), 3)
        writer.close()


async def besiege(url: str, options: Options) -> list[str]:
    """Return the outcomes of the sessions that went on during all attacks."""
    port = urlsplit(url).port
    enough = asyncio.Event()
    others = [asyncio.create_task(sessions(url, enough)) for _ in range(2)]
    chance = random.Random(options.seed)  # noqa: S311 - the same noise every time
    await attacks(port, chance, options.connections, at_once=AT_ONCE)
    await asyncio.gather(*(hog(port) for _ in range(HOGS)))
    enough.set()
    return [outcome for task in others for outcome in await task]


def section(options: Options) -> Section:
    """Return what became of the emulator and of the sessions beside the attacks."""
    with tempfile.TemporaryFile() as said:
        made = _section(options, said)
        said.seek(0)
        if complaints := said.read().decode(errors="replace").splitlines():
            made.broken.append(f"it complained {len(complaints)} times, first: {complaints[0]}")
    return made


def _section(options: Options, said: IO[bytes]) -> Section:
    with emulator(said) as (process, url):
        before = memory_mib(process, "VmRSS")
        begun = time.monotonic()
        outcomes = asyncio.run(besiege(url, options))
        took = time.monotonic() - begun
        peak, after = memory_mib(process, "VmHWM"), memory_mib(process, "VmRSS")
        told = state(url)
        running = process.poll() is None
    broken = []
    if not running:
        broken.append(f"the emulator ended with {process.returncode}")
    if process.returncode != 0:
        broken.append(f"the emulator's exit code is {process.returncode}")
    if set(outcomes) != {"ok"}:
        broken.append(f"sessions beside the attacks ended otherwise: {sorted(set(outcomes))}")
    if told["sessions"]:
        broken.append(f"{told['sessions']} sessions were never given back")
    if peak is not None and peak > MOST_MIB:
        broken.append(f"it needed {peak:.0f} MiB, not {MOST_MIB} MiB at most")
    mib = ("?" if one is None else f"{one:.0f}" for one in (before, peak, after))
    rows = [
        [f"{options.connections:,} + {HOGS}", f"{took:.0f}", len(outcomes), *mib, told["sessions"]]
    ]
    head = [
        "hostile connections",
        "wall s",
        "sessions beside them, all ok",
        "memory before, MiB",
        "peak",
        "after",
        "sessions left open",
    ]
    text = (
        f"One `harness emulate` in its own process, {AT_ONCE} hostile connections at a time: noise, half handshakes, huge "
        "heads, TLS on the plain port, frames that WebSocket forbids or that claim 15 MiB, fragments without end, pings by "
        "the hundred, turns by the hundred, wrong messages after a right setup; torn off, reset or left open. Then "
        f"{HOGS} that each hold {HOG_BYTES // 2**20} MiB of a message back at once. Two clients have one session after "
        "the other meanwhile, over real sockets. The bench fails when the emulator's process ever needs more than "
        f"{MOST_MIB} MiB, by `VmHWM`.\n\n"
    )
    return Section(title="Hostile connections", text=text + table(head, rows), broken=broken)
