"""The event loop is the clock.

All code inside a session asks its running loop for the time (`loop.time()`, seconds, monotonic) and for wake-ups.
So a run on `VirtualTimeLoop` takes no longer than its own computing: when every task waits, time jumps to the next timer;
and in real time a timer is as punctual as the loop's selector.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from harness.units import Seconds

if TYPE_CHECKING:
    from collections.abc import Coroutine


_T = TypeVar("_T")

_EPOLL: Final = hasattr(select, "epoll")


def utc_now() -> str:
    """Return the wall-clock time as ISO 8601 in UTC with milliseconds, for records that people read."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_MOST_SELECTED: Final = 1024
"""Number below which a file must be for `select` (FD_SETSIZE)."""


class _FineSelector(selectors.DefaultSelector):
    """A selector that wakes within microseconds of a timer: epoll alone rounds every wait up to a whole millisecond.

    An epoll is itself a file that can be waited for, and `select` counts in microseconds. Bytes come in bursts: after some
    have come, it looks once for more before it waits.
    """

    _came = False

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout <= 0 or self.fileno() >= _MOST_SELECTED:
            return super().select(timeout)
        ready = super().select(0) if self._came else []
        if not ready:
            readable, _, _ = select.select((self.fileno(),), (), (), timeout)
            ready = super().select(0) if readable else []
        self._came = bool(ready)
        return ready


class _PunctualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with that selector. Its time is read for every frame, so `time` is the system's own function."""

    time = staticmethod(time.monotonic)

    def __init__(self) -> None:
        super().__init__(_FineSelector())


def run_punctual(main: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of `main`, run as `asyncio.run` does, on a loop whose timers are as fine as the system's.

    kqueue (macOS) and Windows have the loop they always have.
    """
    with asyncio.Runner(loop_factory=_PunctualLoop if _EPOLL else None) as runner:
        return runner.run(main)


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that never waits for a timer: it moves the clock to it instead."""

    now: Seconds = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready: list[Any] = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # No timer is set and nothing is readable: only another thread can wake us.
            return super().select(None)
        self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` starts at 0 and moves only when every task is waiting.

    Deterministic as long as nothing outside the process is awaited: no sockets, no threads.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> Seconds:
        """Return the virtual time in seconds since the loop was made."""
        return self._jumping.now


def run_virtual(main: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of `main`, run to its end on a new `VirtualTimeLoop`."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
