"""What shows that our own client was on time: how punctual the streaming process was beside its sessions.

Every frame's lag is in its trace. Here is what could have caused it: how late the loop woke up, how long the garbage
collector stopped everything, how much of a core was used, and how many sessions were open. And the floor: how late a
timer is on this machine when nothing else happens, measured when the process begins.

One line of `certificate.jsonl` for each streaming process of each sitting.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from array import array
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.clock import utc_now
from harness.errors import InputError
from harness.run.folder import UNREADABLE, unwritable
from harness.run.lines import numbered_lines
from harness.run.vigil import keep_vigil
from harness.stats.percentiles import nearest_rank
from harness.units import Milliseconds, Seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

CERTIFICATE = "certificate.jsonl"
"""File of the run folder."""

LOOK_EVERY_S: Final[Seconds] = 0.05
"""Between two looks at the loop's lag, s."""

MOST_SAMPLES: Final = 300
"""When there are so many samples, pairs are joined: an hour's certificate is as large as a minute's. An even number."""

SWITCH_S: Final[Seconds] = 0.0005
"""How long a worker thread may keep the interpreter to itself while the loop wants it, s: Python gives it ten times that."""

_FLOOR_TIMERS: Final = 50
_FLOOR_EVERY_S: Final[Seconds] = 0.003


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a sitting."""

    t: Seconds
    """Its end, s from the start of the sitting."""

    open: int
    """Most sessions of this process open at a look."""

    lag_max_ms: Milliseconds
    """Longest that the loop woke up late."""

    cpu: float
    """Share of one core that the process used, worker threads included."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """How punctual one streaming process was in one sitting."""

    started_at: str
    """ISO 8601 UTC."""

    process: int = 1
    """1-based, of `processes`."""

    processes: int = 1
    wall_s: Seconds
    cpu_s: Seconds
    """User and system time, worker threads included."""

    floor_p50_ms: Milliseconds
    """How late a timer was with nothing else to do, before the first session: median."""

    floor_p99_ms: Milliseconds
    lag_p50_ms: Milliseconds | None
    """How late the loop woke up while sessions ran; None: it ran for less than a look."""

    lag_p99_ms: Milliseconds | None
    lag_max_ms: Milliseconds | None
    gc_pauses: int
    """Collections that the garbage collector stopped everything for."""

    gc_total_ms: Milliseconds
    gc_max_ms: Milliseconds
    open_max: int
    """Most of its sessions open at once."""

    samples: list[Sample]


async def timer_floor_ms() -> tuple[Milliseconds, Milliseconds]:
    """Return the median and the 99th percentile of how late timers are on a loop that does nothing else; takes 0.15 s."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    lags: list[Milliseconds] = []

    def fired(due: Seconds) -> None:
        lags.append((loop.time() - due) * 1000)
        if len(lags) == _FLOOR_TIMERS:
            done.set_result(None)

    first = loop.time()
    for number in range(1, _FLOOR_TIMERS + 1):
        due = first + number * _FLOOR_EVERY_S
        loop.call_at(due, fired, due)
    await done
    return _rounded(nearest_rank(lags, 50)) or 0.0, _rounded(nearest_rank(lags, 99)) or 0.0


class Watch:
    """Watches this process while it streams. `await keep(...)` in a task; `certificate()` when all is over."""

    def __init__(self, floor_ms: tuple[Milliseconds, Milliseconds]) -> None:
        self._floor = floor_ms
        self._started_at = utc_now()
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._began = loop.time()
        self._cpu_began = time.process_time()
        self._lags = array("f")
        self._samples: list[Sample] = []
        self._looks = 1
        self._open_max = 0
        self._gc_began = 0.0
        self._gc_ms = array("f")

    async def keep(self, count: Callable[[], int]) -> None:
        """Look at the loop again and again until cancelled; `count` says how many sessions are open."""
        gc.callbacks.append(self._collecting)
        try:
            most, worst, looks = 0, 0.0, 0
            cpu, since = time.process_time(), self._loop.time()
            while True:
                due = self._loop.time() + LOOK_EVERY_S
                await asyncio.sleep(LOOK_EVERY_S)
                now = self._loop.time()
                lag = (now - due) * 1000
                self._lags.append(lag)
                most, worst, looks = max(most, count()), max(worst, lag), looks + 1
                self._open_max = max(self._open_max, most)
                if looks >= self._looks:
                    used = time.process_time()
                    self._take(
                        Sample(
                            t=round(now - self._began, 3),
                            open=most,
                            lag_max_ms=round(worst, 3),
                            cpu=round((used - cpu) / max(now - since, 1e-9), 4),
                        )
                    )
                    most, worst, looks, cpu, since = 0, 0.0, 0, used, now
        finally:
            gc.callbacks.remove(self._collecting)

    def certificate(self, process: int = 1, processes: int = 1) -> Certificate:
        """Return what was seen."""
        lags = list(self._lags)
        return Certificate(
            started_at=self._started_at,
            process=process,
            processes=processes,
            wall_s=round(self._loop.time() - self._began, 3),
            cpu_s=round(time.process_time() - self._cpu_began, 3),
            floor_p50_ms=self._floor[0],
            floor_p99_ms=self._floor[1],
            lag_p50_ms=_rounded(nearest_rank(lags, 50)),
            lag_p99_ms=_rounded(nearest_rank(lags, 99)),
            lag_max_ms=_rounded(max(lags, default=None)),
            gc_pauses=len(self._gc_ms),
            gc_total_ms=round(sum(self._gc_ms), 3),
            gc_max_ms=round(max(self._gc_ms, default=0.0), 3),
            open_max=self._open_max,
            samples=self._samples,
        )

    def _take(self, sample: Sample) -> None:
        self._samples.append(sample)
        if len(self._samples) == MOST_SAMPLES:
            self._looks *= 2
            pairs = zip(self._samples[::2], self._samples[1::2], strict=True)
            self._samples = [_joined(one, two) for one, two in pairs]

    def _collecting(self, phase: str, _info: dict[str, Any]) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._gc_began = now
        else:
            self._gc_ms.append((now - self._gc_began) * 1000)


@contextlib.asynccontextmanager
async def watched(
    count: Callable[[], int], stood_still: Callable[[Seconds], None]
) -> AsyncIterator[Watch]:
    """Give the watch over this process while it streams, from its floor on; what is in memory by then stays there.

    `count` says how many sessions are open; `stood_still` hears when nothing of ours ran for a while.
    """
    watch = Watch(await timer_floor_ms())
    beside = [asyncio.create_task(watch.keep(count)), asyncio.create_task(keep_vigil(stood_still))]
    gc.collect()
    gc.freeze()  # a full collection of what stays would stall every session
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield watch
    finally:
        sys.setswitchinterval(switch_s)
        gc.unfreeze()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


def write_certificates(folder: Path, certificates: list[Certificate]) -> None:
    """Add a sitting's certificates to the run's, whole or not at all; InputError when the folder cannot be written."""
    path = folder / CERTIFICATE
    unfinished = path.with_name(path.name + ".part")
    lines = b"".join(msgspec.json.encode(one) + b"\n" for one in certificates)
    try:
        before = path.read_bytes() if path.exists() else b""
        unfinished.write_bytes(before + lines)
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise unwritable(folder, CERTIFICATE, error) from error


def read_certificates(folder: Path) -> list[Certificate]:
    """Return the certificates of all sittings; empty when there are none. InputError names a line that is none."""
    path = folder / CERTIFICATE
    decode = msgspec.json.Decoder(Certificate).decode
    found = []
    try:
        for number, line in numbered_lines(path):
            try:
                found.append(decode(line))
            except UNREADABLE as error:
                raise InputError(f"{path}:{number}: not a certificate", why=str(error)) from error
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path}: cannot be read", why=error.strerror) from error
    return found


def _joined(one: Sample, two: Sample) -> Sample:
    return Sample(
        t=two.t,
        open=max(one.open, two.open),
        lag_max_ms=max(one.lag_max_ms, two.lag_max_ms),
        cpu=round((one.cpu + two.cpu) / 2, 4),
    )


def _rounded(ms: Milliseconds | None) -> Milliseconds | None:
    return None if ms is None else round(ms, 3)
