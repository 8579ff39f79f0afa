"""Whether the journal says what its traces say: every record is worked out again from what the network said.

Knows records and traces. Does not know scores or tables.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.errors import InputError, RemoteProtocolError
from harness.report.summary.document import Retold
from harness.run import attempt
from harness.run.folder import TRACES, settling, slot, slots, trace_path, traces_there
from harness.run.journal import as_written
from harness.run.orphans import NO_TRACE
from harness.run.record import Usage
from harness.run.speech import unlike_speech
from harness.trace.file import read_trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.run.folder import Slot
    from harness.run.record import Plan, UtteranceRecord

MOST_HEARD: Final = 20_000
"""Traces that a report reads again, evenly spread where there are more: some fifteen seconds. Verifying takes all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retelling:
    """What a run's traces said when they were asked again."""

    traces: int
    """Of the records that have one in the folder."""

    heard: int
    """So many of them were read."""

    contradictions: tuple[str, ...]
    """Where the journal says otherwise, in words: one for each field."""

    attempts: int
    """How many attempts these are about."""


def retelling(
    folder: Path, plan: Plan, records: Sequence[UtteranceRecord], *, most: int = MOST_HEARD
) -> Retelling:
    """Return what the traces of `records` say, of at most `most` of them; a trace that is gone says nothing."""
    files = traces_there(folder)
    there = array("q")
    untraced: list[list[str]] = []
    for place, record in enumerate(records):
        if not record.trace:
            untraced.append(list(contradictions(folder, plan, record)))
        elif record.trace in files:
            there.append(place)
    asked = min(most, len(there))
    heard = [there[n * len(there) // asked] for n in range(asked)]
    told = [list(contradictions(folder, plan, records[place])) for place in heard]
    told += untraced
    told += [[one] for one in miscounted(plan, records)]
    told = [one for one in told if one]
    return Retelling(
        traces=len(there),
        heard=len(heard),
        contradictions=tuple(what for one in told for what in one),
        attempts=len(told),
    )


def told_again(heard: Retelling | None) -> Retold | None:
    """Return what a report tells of it."""
    if heard is None:
        return None
    return Retold(traces=heard.traces, read=heard.heard, contradicted=heard.attempts)


def miscounted(plan: Plan, records: Sequence[UtteranceRecord]) -> Iterator[str]:
    """Yield in words which attempts are in the journal more than once, and would count twice, or were taken out of it.

    Also those that nobody asked for: of what the plan does not have, or behind an answer that was final; and utterances of
    which not every attempt had the same samples to send.
    """
    yield from _unlike_clips(records)
    wanted_slots = set(slots(plan))
    numbers: dict[Slot, dict[int, int]] = {}
    answered: set[Slot] = set()
    settles = settling(plan)
    for record in records:
        its = slot(record)
        if its not in wanted_slots:
            yield f"{record.utterance}, attempt {record.attempt}: the plan has no such utterance, model or repeat"
        if its in answered:
            yield f"{record.utterance}, attempt {record.attempt}: comes behind the utterance's final record"
        if settles(record):
            answered.add(its)
        # What was never sent has the number 1, whatever went before.
        times = numbers.setdefault(its, {})
        times[record.attempt] = times.get(record.attempt, 0) + (record.trace is not None)
    for wanted, times in numbers.items():
        for number in range(1, max(times) + 1):
            if number not in times:
                yield f"{wanted[1]}, attempt {number}: is not in the journal, and a later one is"
            elif times[number] > 1:
                yield f"{wanted[1]}, attempt {number}: is written {times[number]} times in the journal"


def _unlike_clips(records: Sequence[UtteranceRecord]) -> Iterator[str]:
    """Yield the utterances that had another clip in one attempt than in another: repeats and models cannot be compared then."""
    clips: dict[tuple[str, str], int] = {}
    for record in records:
        if record.audio_crc32 is None:
            continue
        first = clips.setdefault((record.dataset, record.utterance), record.audio_crc32)
        if first != record.audio_crc32:
            yield f"{record.utterance}, attempt {record.attempt}: its clip is not that of the attempts before ({record.model}, repeat {record.repeat})"


def contradictions(
    folder: Path, plan: Plan, kept: UtteranceRecord, *, listen: bool = False
) -> Iterator[str]:
    """Yield what the journal says otherwise than the trace of an attempt, or why that trace says nothing.

    `listen`: the speech that was kept is read as well, and held against what came. Without a trace nothing was sent, or the process died that sent it: the journal may not tell what came of it.
    """
    if kept.trace is None:
        yield from _untold(kept)
        return
    who = f"{kept.utterance}, attempt {kept.attempt}"
    if (path := trace_path(folder, kept.trace)) is None:
        yield f"{who}: its trace is said to lie outside of {folder / TRACES}"
        return
    try:
        trace = read_trace(path)
        told = attempt.record(
            trace, plan.transcript, path=kept.trace, final=kept.final, task=plan.task
        )
        unlike = list(unlike_speech(folder, trace, kept.trace)) if listen else ()
    except InputError as error:
        yield f"{who}: {error.what}"
        return
    except (RemoteProtocolError, *NO_TRACE) as error:
        yield f"{who}: {kept.trace} is no trace of a session: {type(error).__name__}: {error}"
        return
    if trace.header.plan not in (plan.hash, *plan.formerly):
        yield f"{who}: its trace is of another plan than the folder's"
    told = as_written(msgspec.structs.replace(told, recovered=kept.recovered))
    if told.reason is None and (kept.reason or "").startswith(attempt.OF_THE_AUDIO):
        # In traces of older versions the clip's faults are not.
        told = msgspec.structs.replace(told, reason=kept.reason)
    if _of_older_version(kept, told):
        kept, told = _before_caches(kept), _before_caches(told)
    for name in told.__struct_fields__:
        here, there = getattr(kept, name), getattr(told, name)
        if here != there:
            yield f"{who}: {name} is {_short(here)} in the journal and {_short(there)} by the trace"
    yield from (f"{who}: {what}" for what in unlike)


LATER_COUNTS: Final = {
    field.name: field.default
    if field.default_factory is msgspec.NODEFAULT
    else field.default_factory()
    for field in msgspec.structs.fields(Usage)
    if field.name.startswith(("cached_", "tool_use_"))
}
"""Counts that earlier versions did not make, each with the value that a record of theirs is read with: nothing."""


def _of_older_version(kept: UtteranceRecord, told: UtteranceRecord) -> bool:
    """Return whether a record lacks counts that its trace has, as the records of earlier versions do."""
    said = [{name: getattr(one.usage, name) for name in LATER_COUNTS} for one in (kept, told)]
    return said[0] == LATER_COUNTS != said[1]


def _before_caches(record: UtteranceRecord) -> UtteranceRecord:
    """Return `record` without those counts, and without what is wrong with its bills: other rules held for them then."""
    found = tuple(one for one in record.violations if "usage record" not in one)
    usage = msgspec.structs.replace(record.usage, **LATER_COUNTS)
    return msgspec.structs.replace(record, usage=usage, violations=found)


UNTRACED: Final = frozenset(
    ("schema", "utterance", "dataset", "locale", "model", "repeat", "attempt", "final", "trace", "outcome", "failure",
     "reason", "unsent", "started_at", "lost", "audio_samples")
)  # fmt: skip
"""What a record may say of an attempt that left no trace; the rest is what a session says."""


def _untold(kept: UtteranceRecord) -> Iterator[str]:
    """Yield what a record without a trace tells that only a trace can."""
    who = f"{kept.utterance}, attempt {kept.attempt}"
    if not kept.outcome.startswith("failed"):
        yield f"{who}: its outcome is {kept.outcome}, and there is no trace of it"
    for field in msgspec.structs.fields(kept):
        said = getattr(kept, field.name)
        if field.name not in UNTRACED and said != field.default:
            yield f"{who}: {field.name} is {_short(said)}, and there is no trace that says so"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
