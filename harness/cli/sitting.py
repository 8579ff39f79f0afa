"""One sitting of a run: what is unfinished of the plan is streamed, all of it reported, and the exit code told."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.interrupts import heed_no_more, noted
from harness.cli.typed import typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.corpus.utterance import Dataset
    from harness.run.execute import Opened
    from harness.run.folder import Slot
    from harness.run.pool import Tally
    from harness.run.rate import RateLimit
    from harness.run.record import Plan
    from harness.units import Usd

REPORTS = Path("reports")
"""Where run folders are made that nobody gave another place."""


def sit(
    plan: Plan,
    datasets: list[Dataset],
    service: Any,
    url: str | None,
    *,
    concurrency: int,
    processes: int | None,
    rate: RateLimit | None,
    budget: float | None,
    gate: Path | None,
    ear: str | None,
    out: Path | None,
    version: str,
    as_json: bool,
) -> int:
    """Stream what is unfinished, report, and return the exit code; `ear` hears the speech that was kept."""
    import signal

    from harness.cli.companion import companion
    from harness.cli.tasks import emulated_answers, emulator_is
    from harness.clock import run_punctual
    from harness.errors import BusyError, HarnessError
    from harness.run.access import access
    from harness.run.execute import INTERRUPTED, discard_untouched, execute
    from harness.run.farm import processes_needed
    from harness.run.folder import iter_journal, unfinished
    from harness.run.pipe import Orders
    from harness.version import __version__

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # before and after the sessions too
    folder, plan, continues = _opened(plan, out)
    with _stopped_at_will(folder):
        if continues and not unfinished(plan, iter_journal(folder)):
            return _ended(plan, folder, gate, ear, as_json=as_json)  # only its reports are missing
        with contextlib.ExitStack() as stack:
            if service == "emulator" and url is None:
                answers = emulated_answers(plan.task, datasets, folder)
                click.echo(f"starting the emulator: {emulator_is(plan.task, answers)}", err=True)
                url = stack.enter_context(companion(folder / "emulator.log", answers=answers))
            given = access(plan, service=service, url=url, version=version, environment=os.environ)
            client = f"live-harness/{__version__}"
            needed = processes or processes_needed(
                concurrency, plan.chunk_ms, plan.pace, os.cpu_count() or 1
            )
            orders = Orders(
                folder=str(folder.resolve()),
                service=service,
                url=url,
                version=version,
                client=client,
                process=1,
                processes=needed,
            )

            async def stream() -> Tally:
                try:
                    return await execute(
                        plan,
                        folder,
                        setups=given.setups,
                        endpoint=given.endpoint,
                        load=given.load,
                        client=client,
                        concurrency=concurrency,
                        rate=rate,
                        orders=orders if needed > 1 else None,
                        budget_usd=budget,
                    )
                finally:
                    given.stopped.set()  # nobody waits for hours of audio to be converted

            try:
                tally = run_punctual(stream())
            except BusyError:
                raise  # what lies there is the other's
            except HarnessError:
                gone = not continues and discard_untouched(folder)
                if gone:
                    click.echo("nothing came of it: its folder is removed", err=True)
                elif any(record.final for record in iter_journal(folder)):
                    _report(folder, gate, ear, as_json=as_json)
                raise
        code = _ended(plan, folder, gate, ear, as_json=as_json)
        _say_end(tally, plan, budget)
        _say_unsent(plan, folder, out)
        if tally.stopped == INTERRUPTED and tally.done < tally.wanted:
            heed_no_more()
            return 130
        return code


def _opened(plan: Plan, out: Path | None) -> Opened:
    """Return the folder that is ready for this sitting, after it was said which it is."""
    from harness.run.execute import open_folder
    from harness.run.runs import mendable

    opened = open_folder(plan, out, REPORTS)
    click.echo(
        f"{'continuing in' if opened.continues else 'run folder'} {shown(opened.folder)}", err=True
    )
    if not opened.continues and (other := mendable(plan, REPORTS)):
        click.echo(f"note: {mended_note(other)}", err=True)
    return opened


@contextlib.contextmanager
def _stopped_at_will(folder: Path) -> Iterator[None]:
    """Say how a run goes on that is interrupted at whatever it does, and exit with 130."""
    try:
        yield
    except KeyboardInterrupt:
        heed_no_more()
        click.echo(f"stopped. The same command continues; the run is in {shown(folder)}", err=True)
        sys.exit(130)


def _ended(plan: Plan, folder: Path, gate: Path | None, ear: str | None, *, as_json: bool) -> int:
    """Report and return the exit code of a run that no session is open of any more."""
    return _report(folder, gate, ear, as_json=as_json) or (5 if _incomplete(plan, folder) else 0)


def _report(folder: Path, gate: Path | None, ear: str | None, *, as_json: bool) -> int:
    """Score, report and check the gate in a process of its own, since this one must not load what that takes; return its exit code."""
    import subprocess

    arguments = [
        sys.executable,
        "-P",
        "-m",
        "harness",
        "report",
        str(folder),
        *(["--gate", str(gate)] if gate else []),
        *(["--heard-by", ear] if ear else []),
        *(["--json"] if as_json else []),
    ]
    click.echo("scoring, and writing the report", err=True)
    with noted() as came:
        reporter = subprocess.Popen(  # noqa: S603 - our own command
            arguments,
            start_new_session=True,  # Ctrl-C is for the run, which ends the report itself
        )
    with reporter:
        try:
            if came:
                raise KeyboardInterrupt  # noqa: TRY301 - as it would have been raised a moment later
            return reporter.wait()
        except KeyboardInterrupt:
            reporter.kill()
            raise


def _incomplete(plan: Plan, folder: Path) -> bool:
    """Return whether something of the plan failed, was not attempted, or cannot be scored."""
    from harness.run.folder import iter_journal, slot, unfinished

    failed: set[Slot] = set()
    for record in iter_journal(folder):
        if not record.final:
            continue
        # What was refused for quota, or reached nobody, may have been answered since.
        if record.failure is None:
            failed.discard(slot(record))
        else:
            failed.add(slot(record))
    return (
        bool(failed)
        or bool(unfinished(plan, iter_journal(folder)))
        or (plan.task != "ask" and any(one.reference is None for one in plan.utterances))
    )


def _say_end(tally: Tally, plan: Plan, budget: Usd | None) -> None:
    from harness.units import usd_text

    if tally.stopped and tally.done < tally.wanted:
        left = tally.wanted - tally.done
        all_of_it = len(plan.utterances) * len(plan.models) * plan.repeats
        click.echo(
            f"stopped: {tally.stopped}; {left} of the plan's {all_of_it} were not attempted",
            err=True,
        )
        again = typed()
        if budget is not None and tally.next_usd is not None:
            takes = f"{usd_text(tally.cost_usd)} are spent, and the next session takes up to {usd_text(tally.next_usd)}"
            # Bills below the estimates give room back when the sessions have ended that were open.
            fits = tally.cost_usd + tally.next_usd <= budget
            click.echo(
                f"  {takes}, together {'within' if fits else 'more than'} the budget", err=True
            )
            again = again if fits else "the same command with a larger --budget"
        click.echo(f"  to continue: {again}", err=True)
    if tally.absent:
        click.echo(f"the service could not be reached any more: {tally.absent}", err=True)
        click.echo(f"  to try again what it did not answer: {typed()}", err=True)
    if tally.failed:
        click.echo(f"{tally.failed} failed: utterances.csv says why, one by one", err=True)


def _say_unsent(plan: Plan, folder: Path, out: Path | None) -> None:
    """Say how what could not be sent is sent once it is mended."""
    from harness.run.folder import iter_journal, settling

    if any(record.unsent for record in filter(settling(plan), iter_journal(folder))):
        again = typed() if out else shlex.join([*shlex.split(typed()), "--out", shown(folder)])
        click.echo(
            f"  once what could not be sent is mended, this sends it alone: {again}", err=True
        )


def mended_note(folder: Path) -> str:
    """Return what is said of a finished run in `folder` that could go on, where another one is begun."""
    return (
        f"what could not be sent in the finished run {shown(folder)} is mended: --out {shown(folder)} sends that alone, "
        "and keeps the rest"
    )


def shown(path: Path) -> str:
    """Return `path` as it is typed here: below this folder where it lies there."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
