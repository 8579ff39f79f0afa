"""The pacer, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run_virtual
from harness.session.pace import ROUND, TICKS, Pacer, instant


class Ticks:
    """A stream that notes when it was served."""

    def __init__(self, start: float, period: float, count: int, log: list) -> None:
        self.start, self.period, self.count, self.log = start, period, count, log
        self.sent = 0

    def send_due(self, now: int) -> int | None:
        self.log.append((now / TICKS, id(self)))
        self.sent += 1
        return None if self.sent == self.count else instant(self.start + self.sent * self.period)


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.sampled_from([0.02, 0.04, 0.1])), min_size=1, max_size=20
    )
)
def test_every_stream_is_served_at_its_deadlines(streams):
    """However many streams there are, each is served exactly at its absolute deadlines, without drift."""

    async def main():
        loop = asyncio.get_running_loop()
        pacer = Pacer(loop)
        logs = []
        for start, period in streams:
            log: list = []
            logs.append(log)
            pacer.add(Ticks(start, period, 100, log), instant(start))
        await asyncio.sleep(60)
        return logs

    for (start, period), log in zip(streams, run_virtual(main()), strict=True):
        assert 100 == len(log)
        for k, (when, _) in enumerate(log):
            assert abs(when - (start + k * period)) < 1e-6


def test_a_late_stream_does_not_starve_the_others():
    """A stream that is always due takes turns with one that keeps its deadlines."""

    async def main():
        loop = asyncio.get_running_loop()
        pacer = Pacer(loop)
        log: list = []

        class Greedy:
            served = 0

            def send_due(self, now):
                self.served += 1
                return now if self.served < 1000 else None

        greedy = Greedy()
        pacer.add(greedy, 0)
        calm = Ticks(0.0, 0.1, 10, log)
        pacer.add(calm, 0)
        await asyncio.sleep(2)
        return greedy.served, [round(t, 6) for t, _ in log]

    served, times = run_virtual(main())
    assert 1000 == served
    assert [round(k * 0.1, 6) for k in range(10)] == times


@given(st.integers(1, 200))
def test_what_comes_waits_for_few_frames(count):
    """However many streams are due together, each is served once and in turn, and the loop looks for news between rounds."""

    async def main():
        loop = asyncio.get_running_loop()
        pacer = Pacer(loop)
        log: list = []
        streams = [Ticks(1.0, 0.1, 3, log) for _ in range(count)]
        for stream in streams:
            pacer.add(stream, instant(1.0))
        looked = []

        def look():
            looked.append(len(log))
            if len(log) < count:
                loop.call_soon(look)

        loop.call_at(1.0, look)
        await asyncio.sleep(2)
        return [id(stream) for stream in streams], log, looked

    order, log, looked = run_virtual(main())
    assert order * 3 == [who for _, who in log]
    assert {1.0, 1.1, 1.2} == {round(t, 6) for t, _ in log}
    assert all(after - before <= ROUND for before, after in pairwise(looked))


def test_starts_spread():
    """The starts of many streams fill the period evenly: no tenth of it holds more than twice its share."""

    async def main():
        pacer = Pacer(asyncio.get_running_loop())
        return [pacer.start(0.1) for _ in range(100)]

    starts = run_virtual(main())
    for tenth in range(10):
        share = sum(tenth * 0.01 <= start + 1e-9 < (tenth + 1) * 0.01 for start in starts)
        assert 5 <= share <= 20


@given(st.floats(0, 1000), st.floats(0.001, 2.0))
def test_streams_start_soon_and_on_a_grid(now, period):
    """A stream is due within its period and a tenth of a second, and streams share few instants: one per 10 ms."""

    async def main():
        loop = asyncio.get_running_loop()
        pacer = Pacer(loop)
        starts = []
        await asyncio.sleep(now)
        for _ in range(100):
            starts.append((loop.time(), pacer.start(period)))
            await asyncio.sleep(period * 0.37)
        return starts

    starts = run_virtual(main())
    soon = min(
        period, 0.105
    )  # instants are 10 ms apart, or a little more where the period wants it
    assert all(-1e-9 <= start - at <= soon + 1e-9 for at, start in starts)
    instants = {round(start % period / period * 1e6) % 1_000_000 for _, start in starts}
    assert len(instants) <= max(1, round(period / 0.010)) * 2


def test_streams_due_together_are_served_by_one_wake_up():
    """Two hundred streams of 100 ms a frame for a second need no more than 10 wake-ups each 100 ms."""
    rounds = 0

    async def main():
        nonlocal rounds
        loop = asyncio.get_running_loop()
        pacer = Pacer(loop)
        served = pacer._round

        def counted():
            nonlocal rounds
            rounds += 1
            served()

        pacer._round = counted
        log: list = []
        for _ in range(200):
            pacer.add(Ticks(pacer.start(0.1), 0.1, 10, log), instant(loop.time()))
        await asyncio.sleep(3)
        return log

    log = run_virtual(main())
    assert 2000 == len(log)
    assert rounds <= 10 * 11
