"""When to send: one schedule of absolute deadlines for all sessions of a process.

A deadline is never moved by lateness, so nothing drifts. A stream that is late sends what is due, a few frames a round, in
turn with the others; how late every frame left is read from its trace.

Streams start on a common grid, so that many fall due in the same instant and are served by one wake-up: a wake-up costs
more than a frame. Nothing is late for it, since the grid is where they are due.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    import asyncio

    from harness.units import Seconds

Instant: TypeAlias = int
"""A time of the loop's clock, in ticks of 0.1 µs: an int, so that streams that are due together are due at the very
same one."""

TICKS: Final = 10_000_000
"""Instants a second."""

GRID_S: Final = 0.010
"""Distance between starts of streams, s: 200 streams of 100 ms a frame are then served twenty at a time."""

SPREAD: Final = 10
"""Most starts that streams are spread over, 100 ms together: where a frame is a second long, no session waits a second
to start."""

ROUND: Final = 32
"""Streams served in one go, before the loop looks what has come: its time should be noted soon."""


def instant(t: Seconds) -> Instant:
    """Return the instant nearest to a time of the loop's clock."""
    return round(t * TICKS)


class Stream(Protocol):
    """Something with frames to send at set times."""

    def send_due(self, now: Instant) -> Instant | None:
        """Send the frame that is due and return when the next one is; None when there is none."""

    def broke(self, error: Exception) -> None:
        """Hear that `send_due` raised `error`, and that it is not called again."""


class Pacer:
    """Calls each stream's `send_due` at its deadlines, by the loop's clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._instants: list[Instant] = []
        self._waiting: dict[Instant, list[Stream]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._streams = 0

    def start(self, period_s: Seconds) -> Seconds:
        """Return when the next stream is to start, within the coming `period_s` and `SPREAD`: not all at once, on the grid.

        The golden ratio's multiples spread any number of phases evenly (Weyl's equidistribution).
        """
        self._streams += 1
        slots = max(1, round(period_s / GRID_S))
        apart = period_s / slots
        among = min(slots, SPREAD)
        phase = math.floor(self._streams * 0.6180339887498949 % 1.0 * among) * apart
        now = self._loop.time()
        return now + (phase - now) % (among * apart)

    def add(self, stream: Stream, due: Instant) -> None:
        """Serve `stream` from `due` on, until it has nothing more to send."""
        self._waiting_for(due).append(stream)
        self._arm()

    def _waiting_for(self, due: Instant) -> list[Stream]:
        """Return the streams that are due then, to which more may be added."""
        if (waiting := self._waiting.get(due)) is None:
            waiting = self._waiting[due] = []
            heapq.heappush(self._instants, due)
        return waiting

    def _taken(self, now: Instant) -> list[Stream]:
        """Return streams that are due by `now`, the earliest first, `ROUND` at most; they wait no longer."""
        taken: list[Stream] = []
        while self._instants and self._instants[0] <= now and len(taken) < ROUND:
            waiting = self._waiting[self._instants[0]]
            taken += waiting[: (room := ROUND - len(taken))]
            del waiting[:room]
            if not waiting:
                del self._waiting[heapq.heappop(self._instants)]
        return taken

    def _arm(self) -> None:
        if not self._instants:
            return
        due = self._instants[0] / TICKS
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._round)

    def _round(self) -> None:
        """Serve the streams that are due now, each once; what is more than `ROUND` waits for the next round."""
        self._timer = None
        now = instant(self._loop.time()) + 1  # a timer may come a rounding early
        due: Instant | None = None
        together: list[Stream] = []
        for stream in self._taken(now):
            try:
                after = stream.send_due(now)
            except Exception as error:  # noqa: BLE001 - whatever one stream does, the others keep their times
                stream.broke(error)
                continue
            if after is None:
                continue
            if after != due:
                due, together = after, self._waiting_for(after)
            together.append(stream)
        self._arm()
