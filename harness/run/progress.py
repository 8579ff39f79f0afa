"""How far a run is: a live line on a terminal, a line now and then everywhere else; on stderr."""

from __future__ import annotations

import asyncio
import sys
from time import monotonic
from typing import TYPE_CHECKING, Final

from harness.units import Seconds, duration_text, rough_text, usd_text

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from rich.console import Console
    from rich.progress import Progress

    from harness.run.gate import Gate
    from harness.run.pool import Pool, Tally

LIVE_EVERY_S: Final[Seconds] = 0.25
LINE_EVERY_S: Final[Seconds] = 10.0


def show_progress(pool: Pool, *, emulated: bool) -> Coroutine[None, None, None]:
    """Return what shows `pool`'s tally until cancelled; `emulated` says that our emulator answers, which has no quota.

    What it draws with is loaded in this call, before any session is open whose frames would be late for it.
    """
    if not sys.stderr.isatty():
        return _lines(pool, emulated)
    from rich.console import Console

    return _live(pool, emulated, live_bar(Console(stderr=True)))


class Outlook:
    """How long the rest will take, by the speed at which the sessions that have ended did."""

    def __init__(self, clock: Callable[[], Seconds] = monotonic) -> None:
        self._clock = clock
        self._began = self._last_end = clock()
        self._done = 0

    def text(self, tally: Tally, gate: Gate) -> str:
        """Return what must always be seen: how much is done, since when, and how long the rest takes.

        Before as many have ended as are open at once nobody can know, nor while nothing answers. Where sessions wait for
        the rate, those that have ended say nothing of it.
        """
        now = self._clock()
        if tally.done != self._done:
            self._done, self._last_end = tally.done, now
        parts = [f"{tally.done}/{tally.wanted} done", duration_text(now - self._began)]
        if tally.done >= max(1, gate.open) and not (gate.absences or gate.spaced):
            rest_s = (self._last_end - self._began) / tally.done * (tally.wanted - tally.done)
            left_s = rest_s - (now - self._last_end)
            # Nothing where the sessions that are open take longer than those that have ended.
            parts += [f"about {rough_text(left_s)} left"] if left_s >= 1 else []
        return " · ".join(parts)


def details_text(pool: Pool, *, emulated: bool) -> str:
    """Return the rest of the tally, what matters most first."""
    tally, gate = pool.tally, pool.gate
    parts = ["nothing answers, looking again"] if gate.absences else []
    parts += ["waits for --rate"] if gate.spaced and not gate.absences else []
    parts += [f"{tally.failed} failed"] if tally.failed else []
    if emulated and tally.quota_waits:
        parts.append(f"{gate.limit} heard at once")
    else:
        parts.append(f"{gate.open} of {gate.limit} sessions open")
        if tally.quota_waits:
            parts.append(f"{tally.quota_waits} waits for quota")
    if tally.audio_s:
        parts.append(f"{duration_text(tally.audio_s)} of audio")
    if tally.cost_usd:
        parts.append(usd_text(tally.cost_usd))
    return " · ".join(parts)


async def _lines(pool: Pool, emulated: bool) -> None:
    outlook = Outlook()
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        sys.stderr.write(
            f"{outlook.text(pool.tally, pool.gate)} · {details_text(pool, emulated=emulated)}\n"
        )
        sys.stderr.flush()


async def _live(pool: Pool, emulated: bool, bar: Progress) -> None:
    with bar:
        task = bar.add_task("", total=None, details="")
        outlook = Outlook()
        while True:
            bar.update(
                task,
                completed=pool.tally.done,
                total=pool.tally.wanted or None,
                description=outlook.text(pool.tally, pool.gate),
                details=details_text(pool, emulated=emulated),
            )
            bar.refresh()
            await asyncio.sleep(LIVE_EVERY_S)


def live_bar(console: Console) -> Progress:
    """Return a line whose description is never cut; where it is narrow the field `details` is."""
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=10),
        TextColumn(
            "{task.fields[details]}",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        console=console,
        transient=True,
        expand=True,
        auto_refresh=False,  # its thread would make our frames late
    )
