"""How far a run is: a live line on a terminal, a line now and then everywhere else; on stderr."""

from __future__ import annotations

import asyncio
import sys
from time import monotonic
from typing import TYPE_CHECKING, Final

from harness.units import Seconds, duration_text, usd_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from harness.run.pool import Pool

LIVE_EVERY_S: Final[Seconds] = 0.25
LINE_EVERY_S: Final[Seconds] = 10.0


async def show_progress(pool: Pool, *, emulated: bool) -> None:
    """Show `pool`'s tally until cancelled; `emulated` says that our emulator answers, which has no quota."""
    if sys.stderr.isatty():
        await _live(pool, emulated)
    else:
        await _lines(pool, emulated)


def done_text(pool: Pool, elapsed_s: Seconds) -> str:
    """Return what must always be seen: how much is done, since when, and how long the rest takes at this speed."""
    tally = pool.tally
    parts = [f"{tally.done}/{tally.wanted} done", duration_text(elapsed_s)]
    if 0 < tally.done < tally.wanted:
        left_s = elapsed_s / tally.done * (tally.wanted - tally.done)
        parts.append(f"about {duration_text(left_s)} left")
    return " · ".join(parts)


def details_text(pool: Pool, *, emulated: bool) -> str:
    """Return the rest of the tally, what matters most first."""
    tally, gate = pool.tally, pool.gate
    parts = [f"{tally.failed} failed"] if tally.failed else []
    if emulated and tally.quota_waits:
        parts.append(f"the recogniser hears {gate.limit} sessions at once")
    else:
        parts.append(f"{gate.open} of {gate.limit} sessions open")
        if tally.quota_waits:
            parts.append(f"{tally.quota_waits} waits for quota")
    parts.append(f"{duration_text(tally.audio_s)} of audio")
    if tally.cost_usd:
        parts.append(usd_text(tally.cost_usd))
    return " · ".join(parts)


async def _lines(pool: Pool, emulated: bool) -> None:
    began = monotonic()
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        head, details = done_text(pool, monotonic() - began), details_text(pool, emulated=emulated)
        sys.stderr.write(f"{head} · {details}\n")
        sys.stderr.flush()


async def _live(pool: Pool, emulated: bool) -> None:
    from rich.console import Console

    with live_bar(Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, details="")
        began = monotonic()
        while True:
            bar.update(
                task,
                completed=pool.tally.done,
                total=pool.tally.wanted or None,
                description=done_text(pool, monotonic() - began),
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
