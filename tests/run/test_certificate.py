"""What shows that our own client was on time."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import sys
import time
import weakref

import pytest

from harness.clock import run_virtual
from harness.errors import InputError
from harness.run.certificate import (
    CERTIFICATE,
    LOOK_EVERY_S,
    MOST_SAMPLES,
    Watch,
    read_certificates,
    timer_floor_ms,
    watched,
    write_certificates,
)
from harness.run.execute import _floor_text
from tests.run.crash import CERTIFICATE as SITTING
from tests.run.disk import Disk


def test_a_clock_that_is_never_late_has_no_floor_and_no_lag():
    """In virtual time timers fire when they are due: the floor, and the lag of an idle process, are nothing."""

    async def main():
        watch = Watch(await timer_floor_ms())
        task = asyncio.create_task(watch.keep(lambda: 3))
        await asyncio.sleep(10)
        task.cancel()
        return watch.certificate()

    told = run_virtual(main())
    assert (0.0, 0.0) == (told.floor_p50_ms, told.floor_p99_ms)
    assert 0.0 == pytest.approx(told.lag_max_ms, abs=1e-3)
    assert 3 == told.open_max
    assert 10 == pytest.approx(told.wall_s, abs=0.2)


@pytest.mark.parametrize(
    "p99, told",
    [(0.4, "timers before the first session: 0.1 ms"), (10.5, "warning: this machine is busy")],
)
def test_the_floor_is_told_before_the_first_session(p99, told):
    """A run says how late timers are with nothing to do, and warns when that is half of what a session may be late."""
    text = _floor_text(0.1, p99)
    assert text.startswith(told)
    assert f"{p99} ms at the 99th percentile" in text


def test_what_holds_up_the_loop_is_seen():
    """Work of 80 ms on the loop is a lag of at least 50 ms, in the sample of its time."""

    async def main():
        async with watched(lambda: 1, lambda _: None) as watch:
            await asyncio.sleep(0.2)
            until = time.monotonic() + 0.08
            while time.monotonic() < until:
                pass
            await asyncio.sleep(0.1)
            return watch.certificate()

    told = asyncio.run(main())
    assert told.lag_max_ms >= 80 - LOOK_EVERY_S * 1000
    assert told.lag_max_ms == pytest.approx(max(s.lag_max_ms for s in told.samples), abs=0.01)
    assert 0 < told.cpu_s <= told.wall_s


def test_collections_are_counted_with_their_pauses():
    """Each collection while it is watched is a pause; what was there before is not looked through again."""

    async def main():
        async with watched(lambda: 1, lambda _: None) as watch:
            frozen = gc.get_freeze_count()
            await asyncio.sleep(0.01)
            for _ in range(3):
                gc.collect()
            return frozen, watch.certificate()

    frozen, told = asyncio.run(main())
    assert frozen > 0
    assert 0 == gc.get_freeze_count()
    assert 3 <= told.gc_pauses
    assert 0 < told.gc_max_ms <= told.gc_total_ms


def test_worker_threads_hand_over_soon_while_sessions_run():
    """While a run streams, a thread keeps the interpreter for half a millisecond at most; afterwards as long as before."""

    async def main():
        async with watched(lambda: 0, lambda _: None):
            return sys.getswitchinterval()

    before = sys.getswitchinterval()
    assert 0.0005 == pytest.approx(run_virtual(main()))
    assert before == sys.getswitchinterval()


def test_no_garbage_is_kept_for_good():
    """What is of no use any more when streaming begins is let go before the rest is set aside."""

    class Link:
        pass

    async def main():
        link = Link()
        link.itself = link
        gone = weakref.ref(link)
        del link
        async with watched(lambda: 1, lambda _: None):
            return gone() is None

    gc.disable()
    try:
        assert asyncio.run(main())
    finally:
        gc.enable()


@pytest.mark.parametrize("minutes", [1, 90])
def test_a_long_run_has_no_longer_certificate(minutes):
    """However long the run, there are at most so many samples; they reach to its end and keep the most of everything."""
    sessions = iter(range(1, 10**9))

    async def main():
        watch = Watch((0.0, 0.0))
        task = asyncio.create_task(watch.keep(lambda: next(sessions)))
        await asyncio.sleep(minutes * 60)
        task.cancel()
        return watch.certificate()

    told = run_virtual(main())
    assert MOST_SAMPLES / 2 - 1 <= len(told.samples) <= MOST_SAMPLES
    assert minutes * 60 == pytest.approx(told.samples[-1].t, rel=0.02)
    opens = [sample.open for sample in told.samples]
    assert sorted(opens) == opens
    assert told.open_max == next(sessions) - 1


def test_no_look_is_lost_when_samples_are_joined():
    """One look with most sessions open is in the certificate, whenever it was."""

    async def main(peak):
        looks = itertools.count()
        watch = Watch((0.0, 0.0))
        task = asyncio.create_task(watch.keep(lambda: 9 if next(looks) == peak else 1))
        await asyncio.sleep(0.05 * 2 * MOST_SAMPLES)
        task.cancel()
        return watch.certificate().open_max

    assert [9] * 4 == [
        run_virtual(main(peak)) for peak in (0, MOST_SAMPLES - 1, MOST_SAMPLES, MOST_SAMPLES + 1)
    ]


def test_the_most_open_sessions_are_known_before_their_sample_is():
    """Sessions that are open after the last whole sample count as well."""

    async def main():
        watch = Watch((0.0, 0.0))
        opened = [1]
        task = asyncio.create_task(watch.keep(lambda: opened[0]))
        await asyncio.sleep(40)
        opened[0] = 9
        await asyncio.sleep(0.11)
        task.cancel()
        return watch.certificate()

    found = run_virtual(main())
    assert 1 == max(sample.open for sample in found.samples)
    assert 9 == found.open_max


def test_a_full_disk_is_named_and_tears_no_line(tmp_path):
    """Where there is no room for a sitting's certificate that is said, and those of other sittings stay as they were."""
    write_certificates(tmp_path, [SITTING])
    with (
        Disk(tmp_path, full_at=0, torn=0.5).watched(),
        pytest.raises(InputError, match="No space left"),
    ):
        write_certificates(tmp_path, [SITTING])
    assert [SITTING] == read_certificates(tmp_path)
    assert [CERTIFICATE] == [path.name for path in tmp_path.iterdir()]


def test_each_sitting_adds_its_lines(tmp_path):
    """What one sitting wrote the next keeps; a line that is none is named."""

    async def main():
        return Watch((0.5, 1.0)).certificate(2, 3)

    told = run_virtual(main())
    assert [] == read_certificates(tmp_path)
    write_certificates(tmp_path, [told])
    write_certificates(tmp_path, [told, told])
    assert [told] * 3 == read_certificates(tmp_path)
    with (tmp_path / CERTIFICATE).open("ab") as file:
        file.write(b"{}" + os.linesep.encode())
    with pytest.raises(InputError, match=":4: not a certificate"):
        read_certificates(tmp_path)
