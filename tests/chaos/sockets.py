"""A few faults over real sockets, in real time: what memory cannot show. The waits are shortened."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from unittest import mock

from harness.session import transport
from harness.session.drive import Session
from harness.session.pace import Pacer
from harness.session.waits import Waits
from tests.chaos.section import Section, table
from tests.session.memory import assignment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.session.retry import Ending
    from harness.units import Seconds
    from tests.chaos.section import Options

WAITS = Waits(
    upgrade_s=4.0,
    setup_s=3.0,
    stall_s=1.0,
    quiet_s=0.3,
    late_text_s=0.3,
    more_text_s=0.5,
    first_text_s=1.0,
    close_s=0.5,
)
CLIP_S = 0.8

FAULTS = (
    ((), ("ok", None, False), ""),
    (("tls=expired",), ("failed_client", "transient", True), "certificate has expired"),
    (("tls=untrusted",), ("failed_client", "transient", True), "certificate"),
    (("tls=other-host",), ("failed_client", "transient", True), "IP address mismatch"),
    (("tls=reset",), ("failed_client", "transient", True), "cannot connect"),
    (("reset=accept",), ("failed_client", "transient", True), ""),
    (("reset=setup",), ("failed_server", "transient", False), "1006"),
    (("reset=audio",), ("failed_server", "transient", False), "1006"),
    (("reset=end",), ("failed_server", "transient", False), "1006"),
    (("silent=upgrade",), ("failed_client", "transient", True), "no answer to the upgrade"),
    (("silent=setup",), ("failed_server", "transient", False), "no setupComplete"),
    (("half-open=audio",), ("failed_server", "transient", False), "vanished"),
    (("cut-frame=text",), ("partial", "transient", False), "1006"),
    (("throttled=100KiB/s", "latency=50ms", "jitter=50ms"), ("ok", None, False), ""),
    (("bad-websocket=reserved",), ("failed_server", "transient", False), "1002"),
    (("http=429", "retry-after=7s"), ("failed_quota", "quota", False), "429"),
)
"""Quirks; outcome, failure, and whether nothing answered at the address; what the reason says."""


@contextlib.contextmanager
def emulator(*quirks: str) -> Iterator[dict]:
    """Give what an emulator with these quirks says of itself."""
    command = [
        sys.executable,
        "-m",
        "harness",
        "emulate",
        "--port",
        "0",
        "--ear",
        "scripted",
        "--tls",
    ]
    process = subprocess.Popen(
        [*command, *(f"--quirk={quirk}" for quirk in quirks)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def session(url: str, ca_file: str | None = None) -> tuple[Ending, Seconds]:
    """Return how a session at `url` ends, and after how long."""

    async def one() -> tuple[Ending, Seconds]:
        todo = assignment(CLIP_S, url=url, waits=WAITS)
        loop = asyncio.get_running_loop()
        began = loop.time()
        ending = (await Session(todo, transport.connect, Pacer(loop)).run()).ending
        took_s = loop.time() - began
        await asyncio.sleep(0.1)  # the loop lets go of the socket before it ends
        return ending, took_s

    transport.tls_context.cache_clear()
    trusted = {"SSL_CERT_FILE": ca_file} if ca_file else {}
    with mock.patch.dict(os.environ, trusted):
        try:
            return asyncio.run(one())
        finally:
            transport.tls_context.cache_clear()


def met(quirks: tuple[str, ...]) -> tuple[Ending, Seconds]:
    """Return how a session ends at an emulator with `quirks`, and when: over TLS, except for the faults of TCP."""
    with emulator(*quirks) as told:
        plain = any(quirk.partition("=")[0] in ("reset", "half-open") for quirk in quirks)
        return session(told["url"]) if plain else session(told["tls_url"], told["ca_file"])


def nobody() -> tuple[Ending, Seconds]:
    """Return how a session ends at a port where nobody listens, and when."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return session(f"ws://127.0.0.1:{port}")


def nowhere() -> tuple[Ending, Seconds]:
    """Return how a session ends at a name that does not exist (RFC 6761: `.invalid` never does), and when."""
    return session("ws://nowhere.invalid:80")


def summary(ending: Ending) -> tuple[str, str | None, bool]:
    """Return what is expected of an ending."""
    return ending.outcome, ending.failure, ending.unreachable


def section(options: Options) -> Section:
    """Return the table of faults over real sockets."""
    rows, broken = [], []
    unreached = ("failed_client", "transient", True)
    cases = [
        ("nobody listens at the port", nobody(), unreached, "cannot connect"),
        ("the name cannot be resolved", nowhere(), unreached, "cannot be resolved"),
    ]
    cases += [
        (f"`{' '.join(quirks)}`" if quirks else "none", met(quirks), expected, words)
        for quirks, expected, words in FAULTS
    ]
    for name, (ending, took_s), expected, words in cases:
        if summary(ending) != expected or words not in (ending.reason or ""):
            broken.append(f"{name}: {ending}")
        outcome = ending.outcome + (f", {ending.failure}" if ending.failure else "")
        rows.append([name, outcome, f"{took_s:.1f}", (ending.reason or "").partition("\n")[0]])
    text = (
        "One session each at `harness emulate --tls` in its own process, over loopback sockets, in real time with shortened "
        "waits. Where nothing answers, a run waits and tries again.\n\n"
    )
    found = table(["fault", "outcome", "s", "reason"], rows)
    return Section(title="Real sockets", text=text + found, broken=broken)
