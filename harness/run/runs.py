"""Which runs of a plan lie where, and which of them goes on.

Knows run folders by their plans, and where a plan is gone by what is left of the run. Does not know how a run goes on.
"""

from __future__ import annotations

import contextlib
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from harness.clock import utc_now
from harness.errors import InputError
from harness.run.folder import (
    JOURNAL,
    PLAN,
    REPORT,
    TRACES,
    UNREADABLE,
    is_planless,
    iter_journal,
    read_plan,
    traces_there,
    unfinished,
    whole,
)
from harness.run.identity import amended, identity
from harness.trace.file import read_header

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.run.record import Plan
    from harness.trace.trace import TraceHeader

_LOOKS: Final = 20
"""Traces that are asked whose plan they are of: the newest."""


def finished(folder: Path, plan: Plan) -> bool:
    """Return whether the run in `folder` has all of `plan` answered and reported; InputError as `read_journal`."""
    reported = (folder / REPORT).exists() and (folder / PLAN).exists()
    return reported and not unfinished(plan, iter_journal(folder))


def continued(plan: Plan, out: Path | None, reports: Path) -> tuple[Path, Plan] | None:
    """Return the folder of the run that goes on with `plan`, and its own plan as it then is; None: there is none.

    That is `out`, or the newest below `reports` that is not finished. InputError where that cannot be told, since one of
    them cannot be read: its sessions are paid, and are not asked for again without a word.
    """
    own = (
        (run.folder, run.plan)
        for run in runs_of(plan, out, reports)
        if (out or not run.was_finished) and not run.is_finished
    )
    if (found := next(own, None)) is None and out is None:
        _require_readable(plan, reports)
    return found


def mendable(plan: Plan, reports: Path) -> Path | None:
    """Return the newest finished run of `plan` where something could not be sent that has been mended since; None: there is none.

    It goes on only when somebody names its folder: the rest of it may have been said long ago.
    """
    runs = runs_of(plan, None, reports)
    return next(
        (run.folder for run in runs if run.was_finished and not run.is_finished),
        None,
    )


class Own(NamedTuple):
    """A run of a plan."""

    folder: Path
    plan: Plan
    """As it is when the run goes on."""

    was_finished: bool
    """True: all was answered and reported as it was planned there."""

    is_finished: bool
    """True: it is as well as `plan` has it, which may have mended something."""


def runs_of(plan: Plan, out: Path | None, reports: Path) -> Iterator[Own]:
    """Yield the runs of `plan` at `out`, else below `reports`: first those named after its hash, of either the newest first.

    InputError when what lies at `out` cannot be read.
    """
    if out:
        if run := _own(out, plan):
            yield run
        return
    for folder in _by_name(reports, plan.hash[:8]):
        with contextlib.suppress(InputError):  # a folder that cannot be read is none to continue
            if run := _own(folder, plan):
                yield run


def _own(folder: Path, plan: Plan) -> Own | None:
    if is_planless(folder):
        there = planned_again(folder, plan)
    else:
        there = read_plan(folder) if _may_be_of(folder, plan) else None
        if there and there.hash == plan.hash and _asked(there) != _asked(plan):
            raise _changed(folder)
    goes_on = there and amended(there, plan, iter_journal(folder))
    if there is None or goes_on is None:
        return None
    was_finished = finished(folder, there)
    is_finished = was_finished if goes_on is there else finished(folder, goes_on)
    return Own(folder, goes_on, was_finished, is_finished)


class _Outline(msgspec.Struct, frozen=True):
    """Of a plan, what tells most others from it, in a fraction of the time that reading it takes."""

    hash: str
    setups: dict[str, dict[str, Any]]
    repeats: int
    utterances: list[msgspec.Raw]


def _may_be_of(folder: Path, plan: Plan) -> bool:
    """Return whether there is a plan in `folder` that `plan` may be, or may have mended: a look at its outline."""
    path = folder / PLAN
    if not path.is_file():
        return path.exists()
    try:
        told = msgspec.json.decode(whole(path), type=_Outline)
    except (OSError, *UNREADABLE):
        return True  # whoever reads it says what is wrong
    alike = (told.setups, told.repeats) == (plan.setups, plan.repeats)
    return told.hash == plan.hash or (alike and len(told.utterances) == len(plan.utterances))


def planned_again(folder: Path, plan: Plan) -> Plan | None:
    """Return `plan` for a run whose own is gone, with a note that says so; None: nothing says that the run is of this plan.

    Its newest trace does, since earlier ones may be of what the plan was before something was mended; where none can be
    read, the folder's name does.
    """
    headers = filter(None, map(_header, _newest_first(folder)))
    if newest := max(islice(headers, _LOOKS), key=lambda header: header.started_at, default=None):
        if newest.plan != plan.hash:
            return None
    elif not _is_named(folder, plan):
        return None
    every = {header.plan for header in filter(None, map(_header, _newest_first(folder)))}
    note = f"{PLAN} was missing and was written again at {utc_now()}, as the command of then planned it"
    return msgspec.structs.replace(
        plan, formerly=sorted(every - {plan.hash}), notes=[*plan.notes, note]
    )


def _newest_first(folder: Path) -> list[Path]:
    """Return the traces in `folder`, those that were written last first."""

    def written_at(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0

    return sorted(
        (folder / one for one in sorted(traces_there(folder))), key=written_at, reverse=True
    )


def _header(path: Path) -> TraceHeader | None:
    """Return what a trace says first; None: it cannot be read."""
    try:
        return read_header(path)
    except InputError:
        return None


def _require_readable(plan: Plan, reports: Path) -> None:
    """Raise InputError when a run named after `plan` cannot be read, and was not finished as far as anybody can tell."""
    for folder in _by_name(reports, plan.hash[:8]):
        if not _is_named(folder, plan) or (folder / REPORT).exists():
            continue
        try:
            if _own(folder, plan) is None and (folder / PLAN).exists():
                require_unchanged(folder, read_plan(folder))
        except InputError as error:
            raise InputError(
                f"the unfinished run of this plan cannot go on: {error.what}",
                why=error.why,
                hint=f"{error.hint or 'mend it'}; --out DIR begins another run, which pays for every session again",
            ) from error


def require_unchanged(folder: Path, there: Plan) -> None:
    """Raise InputError when the plan in `folder` is not the one that its own hash is of: then no command's is it any more."""
    if identity(there) != there.hash:
        raise _changed(folder)


def _changed(folder: Path) -> InputError:
    return InputError(
        f"{folder / PLAN}: is not the plan that its hash is of",
        why="somebody changed it, or another version of live-harness wrote it",
        hint=f"take {PLAN} from a copy, or remove it and give the command of that run again: it writes it anew",
    )


def _asked(plan: Plan) -> tuple[str, list[tuple[str, str]]]:
    """Return what plans of one hash have alike: how they ask, and for what; what of an utterance is sent may be mended."""
    bare = msgspec.structs.replace(
        plan, utterances=[], api_version=None
    )  # earlier plans do not say
    return identity(bare), [(one.dataset, one.id) for one in plan.utterances]


def _is_named(folder: Path, plan: Plan) -> bool:
    return folder.name.endswith(f"-{plan.hash[:8]}")


def _by_name(reports: Path, ending: str) -> list[Path]:
    """Return the run folders below `reports`: those whose name ends so, then the others, of either the newest first."""
    there = {path.parent for what in (PLAN, JOURNAL, TRACES) for path in reports.glob(f"*/{what}")}
    folders = sorted(there, reverse=True)
    return sorted(folders, key=lambda folder: not folder.name.endswith(f"-{ending}"))
