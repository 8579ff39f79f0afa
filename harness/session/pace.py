"""When to send: one schedule of absolute deadlines for all sessions of a process.

A deadline is never moved by lateness, so nothing drifts. A stream that is late sends what is due, a few frames a round, in
turn with the others; how late every frame left is read from its trace.

Streams start on a common grid, so that many fall due in the same instant and are served by one wake-up: a wake-up costs
more than a frame. Nothing is late for it, since the grid is where they are due.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import asyncio

    from harness.units import Seconds


GRID_S: Final = 0.005
"""Distance of the instants at which streams start, s: 200 streams of 100 ms a frame are served ten at a time."""

SAME_S: Final = 1e-7
"""Deadlines closer than this are the same, s: they differ by the rounding of sums."""

_TICKS: Final = round(1 / SAME_S)
"""Instants a second."""


class Stream(Protocol):
    """Something with frames to send at set times."""

    def send_due(self, now: Seconds) -> Seconds | None:
        """Send the frame that is due and return when the next one is, by the loop's clock; None when there is none."""

    def broke(self, error: Exception) -> None:
        """Hear that `send_due` raised `error`, and that it is not called again."""


class Pacer:
    """Calls each stream's `send_due` at its deadlines, by the loop's clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._instants: list[int] = []
        self._waiting: dict[int, list[Stream]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._streams = 0

    def start(self, period_s: Seconds) -> Seconds:
        """Return when the next stream is to start, within the coming `period_s`: not all at once, and on the grid.

        The golden ratio's multiples spread any number of phases evenly (Weyl's equidistribution).
        """
        self._streams += 1
        slots = max(1, round(period_s / GRID_S))
        phase = math.floor(self._streams * 0.6180339887498949 % 1.0 * slots) * period_s / slots
        now = self._loop.time()
        return now + (phase - now) % period_s

    def add(self, stream: Stream, due: Seconds) -> None:
        """Serve `stream` from `due` on, until it has nothing more to send."""
        self._put(stream, due)
        self._arm()

    def _put(self, stream: Stream, due: Seconds) -> None:
        """Have `stream` wait for its instant, with all that are due in the same."""
        instant = round(due * _TICKS)
        if (waiting := self._waiting.get(instant)) is None:
            waiting = self._waiting[instant] = []
            heapq.heappush(self._instants, instant)
        waiting.append(stream)

    def _arm(self) -> None:
        if not self._instants:
            return
        due = self._instants[0] / _TICKS
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._round)

    def _round(self) -> None:
        """Serve every stream that is due now, each once."""
        self._timer = None
        now = self._loop.time()
        horizon = round((now + SAME_S) * _TICKS)
        due_now: list[Stream] = []
        while self._instants and self._instants[0] <= horizon:
            due_now += self._waiting.pop(heapq.heappop(self._instants))
        for stream in due_now:
            try:
                after = stream.send_due(now)
            except Exception as error:  # noqa: BLE001 - whatever one stream does, the others keep their times
                stream.broke(error)
                continue
            if after is not None:
                self._put(stream, after)
        self._arm()
