"""Moments in which this process did not run: it was stopped, its machine was asleep, or something held up the loop.

Whatever arrived meanwhile is stamped when the loop runs again, so times taken over such a moment are not the service's.
Knows clocks; does not know sessions.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.units import Seconds

LOOK_EVERY_S: Final[Seconds] = 0.1

STANDSTILL_S: Final[Seconds] = 0.25
"""How long the loop must have stood still to be told. Lesser delays are seen in the send lag of the frames."""


def awake_s() -> Seconds:
    """Return seconds on a clock that also runs while the machine sleeps, where there is one; monotonic elsewhere."""
    clock = getattr(
        time, "CLOCK_BOOTTIME", None
    )  # Linux; macOS counts sleep in its monotonic clock
    return time.monotonic() if clock is None else time.clock_gettime(clock)


async def keep_vigil(
    stood_still: Callable[[Seconds], None], clock: Callable[[], Seconds] = awake_s
) -> None:
    """Tell `stood_still` each time the loop did not run for `STANDSTILL_S` or longer, and for how long, until cancelled.

    The loop's own clock stops while a Linux machine sleeps, so `clock` is asked as well.
    """
    loop = asyncio.get_running_loop()
    before, outside = loop.time(), clock()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        now, there = loop.time(), clock()
        lost = max(now - before, there - outside) - LOOK_EVERY_S
        if lost >= STANDSTILL_S:
            stood_still(round(lost, 3))
        before, outside = now, there
