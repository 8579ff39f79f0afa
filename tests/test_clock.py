"""The loop of a run in real time; virtual time is what nearly every other test runs on."""

from __future__ import annotations

import asyncio
import select
import socket
import time

import pytest

from harness import clock
from harness.clock import run_punctual

pytestmark = [
    pytest.mark.wall,
    pytest.mark.skipif(not hasattr(select, "epoll"), reason="the loop is the system's"),
]


@pytest.fixture
def waits(monkeypatch):
    """Return the waits that are asked of `select`, s, as they come."""
    asked = []
    real = select.select

    def noted(reads, writes, errors, timeout):
        asked.append(timeout)
        return real(reads, writes, errors, timeout)

    monkeypatch.setattr(select, "select", noted)
    return asked


def test_a_timer_is_waited_for_as_long_as_it_takes(waits):
    """A quarter of a millisecond is waited for as that, and not rounded up to a whole one; nothing is early."""

    async def main():
        loop = asyncio.get_running_loop()
        late = []
        # A machine at other work may take longer than that to come to the wait: then there is none, and another is asked for.
        while not any(0 < wait <= 0.00025 for wait in waits):
            fired = loop.create_future()
            due = loop.time() + 0.00025
            loop.call_at(due, lambda fired=fired, due=due: fired.set_result(loop.time() - due))
            late.append(await fired)
        return min(late)

    assert -time.get_clock_info("monotonic").resolution <= run_punctual(main())


@pytest.mark.parametrize("most", [0, clock._MOST_SELECTED])
def test_what_arrives_ends_the_wait(waits, monkeypatch, most):
    """Bytes, other threads and signals wake the loop from a wait for a timer, also where `select` cannot be used."""
    monkeypatch.setattr(clock, "_MOST_SELECTED", most)

    async def main():
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        never = loop.call_later(3600, ours.close)
        reading = loop.create_task(loop.sock_recv(ours, 5))
        await asyncio.to_thread(theirs.sendall, b"hello")
        said = await reading
        never.cancel()
        ours.close()
        theirs.close()
        return said

    assert b"hello" == run_punctual(main())
    assert most or not waits
