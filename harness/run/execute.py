"""A run from its plan to its last session: the folder, the journal, the pool, and how it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.errors import InputError
from harness.run.attempt import LATE_MS
from harness.run.certificate import watched, write_certificates
from harness.run.farm import Farm
from harness.run.folder import (
    PLAN,
    begun,
    is_planless,
    iter_journal,
    read_plan,
    unfinished,
    write_plan,
)
from harness.run.identity import amended
from harness.run.journal import Journal
from harness.run.plan import longest_first, run_id
from harness.run.pool import Pool, Tally
from harness.run.progress import show_progress
from harness.run.runs import continued, finished, require_unchanged
from harness.run.stream import Streamer
from harness.session.transport import connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    from harness.audio.clip import AudioClip
    from harness.run.pipe import Orders
    from harness.run.rate import RateLimit
    from harness.run.record import Plan, PlannedUtterance
    from harness.units import Milliseconds, Usd
    from harness.wire.live.endpoint import Endpoint
    from harness.wire.live.messages import Setup

INTERRUPTED = "interrupted"


def open_folder(plan: Plan, out: Path | None, reports: Path) -> Opened:
    """Return the folder for `plan`, made and holding its plan, which is an unfinished run's where one goes on.

    InputError when `out` holds a finished or another run, or when the place cannot be written.
    """
    if (found := continued(plan, out, reports)) is not None and _amend(*found, plan):
        return Opened(found[0], read_plan(found[0]), continues=True)
    folder = out or reports / run_id(plan)
    if (folder / PLAN).exists():
        there = read_plan(folder)
        if not finished(folder, there):
            require_unchanged(folder, there)
        if there.hash != plan.hash:
            raise InputError(
                f"{folder}: holds the run of another plan", hint="choose another --out"
            )
        raise InputError(
            f"{folder}: this run is finished", hint="choose another --out to run it again"
        )
    if is_planless(folder):
        raise InputError(
            f"{folder}: its {PLAN} is missing, and nothing says that its sessions are of this plan",
            hint=f"put {PLAN} back from a copy, or give the command that began it; for another run, choose another --out",
        )
    try:
        if begun(folder):
            raise InputError(f"{folder}: is not empty and no run", hint="choose another --out")
        folder.mkdir(parents=True, exist_ok=True)
        write_plan(folder, plan)
    except OSError as error:
        raise _not_made(folder, error) from error
    return Opened(folder, plan, continues=False)


class Opened(NamedTuple):
    """A run's folder that is ready for a sitting."""

    folder: Path
    plan: Plan
    """As the folder has it."""

    continues: bool
    """True: something was there before."""


def _amend(folder: Path, goes_on: Plan, plan: Plan) -> bool:
    """Write down what `plan` has mended in the run of `folder`, and return whether it goes on; HarnessError, InputError.

    Where the run's own plan is gone, all of it is written again as it `goes_on`.
    """
    if is_planless(folder):
        _rewrite(folder, goes_on)
        sys.stderr.write(f"note: {folder}: {goes_on.notes[-1]}\n")
        return True
    there = read_plan(folder)
    if amended(there, plan, iter_journal(folder)) == there:
        return True
    with Journal(folder):  # nobody else is at work there, and what was killed has its record
        mended = amended(there, plan, iter_journal(folder))
        if mended is None:
            return False
        _rewrite(folder, mended)
    return True


def _rewrite(folder: Path, plan: Plan) -> None:
    try:
        write_plan(folder, plan)
    except OSError as error:
        raise _not_made(folder, error) from error


def _not_made(folder: Path, error: OSError) -> InputError:
    return InputError(f"{folder}: cannot be written: {error.strerror}", hint="choose another --out")


def discard_untouched(folder: Path) -> bool:
    """Remove the run in `folder` if nothing was ever heard from the service, and return whether it was so.

    A refusal is an answer: it stays, with its trace. So does what somebody moved away, or emptied, meanwhile.
    """
    if not (folder / PLAN).exists():
        return False
    untouched = all(
        record.setup_s is None
        and record.lost is None
        and record.failure in ("transient", "client", "input")
        for record in iter_journal(folder)
    )
    if untouched:
        shutil.rmtree(folder, ignore_errors=True)
    return untouched


async def execute(
    plan: Plan,
    folder: Path,
    *,
    setups: Mapping[str, Setup],
    endpoint: Callable[[], Endpoint],
    load: Callable[[PlannedUtterance], AudioClip],
    client: str,
    concurrency: int,
    budget_usd: Usd | None,
    rate: RateLimit | None = None,
    orders: Orders | None = None,
) -> Tally:
    """Bring every part of `plan` that has no final record yet to one, and return the tally.

    SIGINT or SIGTERM once drains; twice stops now (KeyboardInterrupt). Both leave a run that the same command
    continues. Errors are the pool's and the journal's. `orders` are for the streaming processes; None: this one streams.
    """
    with Journal(folder) as journal:
        needs: dict[str, Any] = {
            "plan": plan,
            "folder": folder,
            "journal": journal,
            "setups": setups,
            "endpoint": endpoint,
            "connect": connect,
            "load": load,
            "client": client,
        }
        work = Streamer(**needs) if orders is None else Farm(orders=orders, **needs)
        pool = Pool(
            work,
            concurrency=concurrency,
            seed=plan.seed,
            budget_usd=budget_usd,
            rate=rate,
            before=iter_journal(folder),
        )
        wanted = longest_first(plan, unfinished(plan, iter_journal(folder)))
        beside = [
            asyncio.create_task(journal.keep_synced()),
        ]
        progress = show_progress(pool, emulated=plan.service == "emulator")
        try:
            async with _punctual(work, folder) as (p50, p99):
                beside.append(asyncio.create_task(progress))
                if plan.pace:
                    sys.stderr.write(_floor_text(p50, p99))
                with _signals(pool, asyncio.current_task()):
                    return await pool.run(wanted)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


def _floor_text(p50: Milliseconds, p99: Milliseconds) -> str:
    """Return in words how late timers are before the first session: nothing that is measured is more exact than these."""
    late = f"{p50:.1f} ms late in the median, {p99:.1f} ms at the 99th percentile"
    if p99 <= LATE_MS / 2:
        return f"timers before the first session: {late}\n"
    return (
        f"warning: this machine is busy: with nothing to do yet, its timers are {late}. A session whose audio is over "
        f"{LATE_MS:g} ms late has no latencies in the tables\n"
    )


@contextlib.asynccontextmanager
async def _punctual(
    work: Streamer, folder: Path
) -> AsyncIterator[tuple[Milliseconds, Milliseconds]]:
    """Give the timers' floor where `work` streams; in the end, write down how punctual it was."""
    if isinstance(work, Farm):
        try:
            async with work:
                yield work.floor_ms()
        finally:
            write_certificates(folder, work.certificates)
        return
    async with watched(work.sessions, work.stood_still) as watch:
        floor = watch.certificate()
        try:
            yield floor.floor_p50_ms, floor.floor_p99_ms
        finally:
            write_certificates(folder, [watch.certificate()])


@contextlib.contextmanager
def _signals(pool: Pool, main: asyncio.Task[object] | None) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM drain the pool and the second cancel `main`."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if pool.tally.stopped is None:
            pool.stop(INTERRUPTED)
            sys.stderr.write(
                f"stopping: {pool.gate.open} open sessions end first; once more to stop now\n"
            )
        elif main is not None:
            main.cancel()

    caught = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in caught}
    try:
        for number in caught:
            loop.add_signal_handler(number, stop)
    except NotImplementedError:  # Windows: Ctrl-C interrupts at once
        yield
        return
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])
