"""How far a run is: a live line on a terminal, a line now and then everywhere else; on stderr."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final

from harness.units import Seconds, duration_text, usd_text

if TYPE_CHECKING:
    from harness.run.pool import Pool

LIVE_EVERY_S: Final[Seconds] = 0.25
LINE_EVERY_S: Final[Seconds] = 10.0


async def show_progress(pool: Pool) -> None:
    """Show `pool`'s tally until cancelled."""
    if sys.stderr.isatty():
        await _live(pool)
    else:
        await _lines(pool)


def tally_text(pool: Pool) -> str:
    """Return the tally in one line."""
    tally, gate = pool.tally, pool.gate
    parts = [f"{tally.done}/{tally.wanted} done", f"{gate.open} of {gate.limit} sessions open"]
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    if tally.quota_waits:
        parts.append(f"{tally.quota_waits} waits for quota")
    parts.append(f"{duration_text(tally.audio_s)} of audio")
    if tally.cost_usd:
        parts.append(usd_text(tally.cost_usd))
    return " · ".join(parts)


async def _lines(pool: Pool) -> None:
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        sys.stderr.write(tally_text(pool) + "\n")
        sys.stderr.flush()


async def _live(pool: Pool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,  # its thread would make our frames late
    )
    with bar:
        task = bar.add_task("", total=pool.tally.wanted or None)
        while True:
            words = tally_text(pool).split(" · ", 1)[1]
            bar.update(task, completed=pool.tally.done, total=pool.tally.wanted, description=words)
            bar.refresh()
            await asyncio.sleep(LIVE_EVERY_S)
