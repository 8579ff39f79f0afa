"""Attempts that have no line in the journal: what came of each by its trace, else what it was to take.

A process may die between a session's trace and its record, and a journal may lose lines that it had. The trace is then as
good as any: the record is made of it, and the session, which is paid, is not asked for again. Knows folders and records;
does not know who died, nor why.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import InputError, RemoteProtocolError
from harness.run import attempt
from harness.run.attempts import Attempts
from harness.run.folder import (
    TRACES,
    read_plan,
    settles,
    settling,
    slot,
    slots,
    trace_name,
    traces_there,
)
from harness.run.ledger import Ledger
from harness.run.record import UtteranceRecord
from harness.run.work import failed_once
from harness.session.retry import STANDING_REFUSALS, tries_again
from harness.trace.file import read_trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harness.run.folder import Slot
    from harness.run.record import Plan

OPEN: Final = "the run was ended, or is at work, while this session was open"
"""Reason of sessions that were begun and have no end, as long as the run is not continued."""

_ASKED_AGAIN: Final = ("quota", *STANDING_REFUSALS)
"""Refusals that concern more than one session: the service is asked once more, which costs nothing, and says whether they still hold."""

_NAMED: Final = 3
"""Utterances that are named."""

NO_TRACE: Final = (AttributeError, KeyError, IndexError, TypeError, ValueError)
"""Raised when a record is derived from JSON that has not the shape of a session."""


def read_attempts(folder: Path) -> Attempts:
    """Return all attempts of the run in `folder`: the journal's, and behind them those that were begun and have no line in it.

    The latter are what a sitting that goes on with the run would write down first, but for the reason. InputError says what
    cannot be read.
    """
    try:
        # Before the journal: a session that ends between the two is in both, not in neither.
        ledger = Ledger(folder)
    except OSError as error:
        raise InputError(f"{folder}: what is begun cannot be read", why=error.strerror) from error
    records = Attempts(folder)
    if ledger.open:
        for record in records:
            ledger.end(record)
    records.behind = found(folder, ledger.lost(OPEN), records)
    return records


def unended(records: Sequence[UtteranceRecord]) -> list[str]:
    """Return in words which sessions have no end, where the run was not continued."""
    own = [record for record in records if record.reason == OPEN]
    if not own:
        return []
    names = ", ".join(record.utterance for record in own[:_NAMED]) + ("…" if own[_NAMED:] else "")
    sessions = f"{len(own):,} session{'s' if own[1:] else ''} begun and not ended ({names})"
    why = "since the run was ended or is at work"
    then = "what was to be taken is counted as spent, and the same command goes on."
    return [f"{sessions}, {why}: {then}"]


def found(
    folder: Path, lost: Sequence[UtteranceRecord], before: Iterable[UtteranceRecord]
) -> list[UtteranceRecord]:
    """Return the records of `lost` attempts, worked out from their traces where they left one.

    `lost` itself tells only what each was to take; `before` are the journal's records.
    """
    there = traces_there(folder) if lost else frozenset()
    traced = {path for path in map(_trace_of, lost) if path in there}
    if not traced:
        return list(lost)
    try:
        plan = read_plan(folder)
    except InputError:
        return list(lost)
    failures = Counter(slot(record) for record in before if failed_once(record))
    return [
        (_trace_of(one) in traced and recovered(folder, plan, one, failures)) or one for one in lost
    ]


def unrecorded(folder: Path, records: Iterable[UtteranceRecord]) -> list[UtteranceRecord]:
    """Return the records of sessions that have a whole trace in `folder` and no line in the journal, which lost them.

    `records` are the journal's. Only what they have not settled is looked for: a session that is paid is not asked for again.
    """
    left = set(traces_there(folder))
    settled: set[Slot] = set()
    unsent: list[UtteranceRecord] = []
    failures: Counter[Slot] = Counter()
    for record in records:
        if record.trace is not None:
            left.discard(_trace_of(record))
        if record.unsent is not None:
            unsent.append(record)
        elif settles(record):
            settled.add(slot(record))
        failures[slot(record)] += failed_once(record)
    traced = [one for path in left if (one := _of_trace(folder, path)) is not None]
    if not traced:
        return []
    try:
        plan = read_plan(folder)
    except InputError:
        return []
    # What could not be sent may have been mended and sent since.
    settled.update(slot(record) for record in filter(settling(plan), unsent))
    wanted = set(slots(plan)) - settled
    found = []
    for one in sorted(traced, key=lambda one: one.attempt):
        if slot(one) not in wanted or (told := recovered(folder, plan, one, failures)) is None:
            continue
        failures[slot(told)] += failed_once(told)
        if settles(told):
            wanted.discard(slot(told))
        found.append(told)
    return found


def _of_trace(folder: Path, path: str) -> UtteranceRecord | None:
    """Return which attempt the trace at `path` says it is of; None: it is not whole, or lies at another's place."""
    try:
        header = read_trace(folder / path).header
    except InputError:
        return None
    one = UtteranceRecord(
        utterance=header.utterance,
        dataset=header.dataset,
        locale=header.locale,
        model=header.model,
        repeat=header.repeat,
        attempt=header.attempt,
        final=False,
        trace=path,
        outcome="failed_client",
        started_at=header.started_at,
    )
    return one if _trace_of(one) == path else None


def recovered(
    folder: Path, plan: Plan, lost: UtteranceRecord, failures: Counter[Slot]
) -> UtteranceRecord | None:
    """Return the record of a `lost` attempt as its trace tells it; None: it left none that is whole.

    `failures` says how many attempts had failed before; it is final as it would have been.
    """
    path = _trace_of(lost)
    try:
        trace = read_trace(folder / path)
        told = attempt.record(trace, plan.transcript, path=path, final=True, task=plan.task)
    except (InputError, RemoteProtocolError, *NO_TRACE):
        return None
    if (slot(told), told.attempt) != (slot(lost), lost.attempt):
        return None
    if trace.header.plan not in (plan.hash, *plan.formerly):
        return None
    if told.failure is not None:
        again = tries_again(told.failure, failures[slot(told)] + 1)
        told = msgspec.structs.replace(told, final=not again and told.failure not in _ASKED_AGAIN)
    return msgspec.structs.replace(told, recovered=True)


def _trace_of(lost: UtteranceRecord) -> str:
    """Return where an attempt's trace lies, as its record would name it."""
    name = trace_name(lost.utterance, lost.dataset, lost.model, lost.repeat, lost.attempt)
    return f"{TRACES}/{name}.jsonl.gz"
