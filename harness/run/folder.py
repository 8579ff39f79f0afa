"""The run folder on disk: which file is which, and how plan and journal are read back.

`plan.json` and `journal.jsonl` with `traces/` are the truth; everything else in the folder is derived from them.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import InputError
from harness.run.identity import fingerprint
from harness.run.lines import numbered_lines
from harness.run.record import PLAN_SCHEMA, RECORD_SCHEMA, Plan, UtteranceRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from harness.run.record import PlannedUtterance

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON that somebody may have damaged raises: msgspec leaves bytes that are no UTF-8 to Python."""

PLAN = "plan.json"
JOURNAL = "journal.jsonl"
BEGUN = "begun.jsonl"
"""What `harness.run.ledger` keeps while sessions are open; gone when each has its record."""

TRACES = "traces"
AUDIO = "audio"
REPORT = "report.html"
"""Written last of all, and taken away when a run goes on: where it lies, the tables are those of the whole journal."""

DOCUMENT_BYTES: Final = 2**31
"""Longest plan or report that is read: of a million utterances, 2 KiB each."""

_BESIDE = frozenset({PLAN + ".part", "emulator.log"})
"""What a folder may hold whose run was killed before it had a plan."""


def write_plan(folder: Path, plan: Plan) -> None:
    """Write `plan` whole or not at all, and on the disk before anything is asked of the service; OSError otherwise."""
    data = msgspec.json.format(msgspec.json.encode(plan), indent=1)
    unfinished = folder / (PLAN + ".part")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / PLAN)


def read_plan(folder: Path) -> Plan:
    """Return the plan of the run in `folder`; InputError that says what is missing or wrong, with any of its files."""
    path = folder / PLAN
    try:
        for entry in folder.iterdir():
            _require_file(entry)
        data = whole(path)
    except (FileNotFoundError, NotADirectoryError):
        lacks = f"it has no {PLAN}" if folder.is_dir() else "it is a file"
        raise InputError(
            f"{folder}: not a run folder",
            why=lacks if folder.exists() else "there is no such folder",
            hint=f"give the command of that run again with --out {folder}: it writes {PLAN} anew"
            if is_planless(folder)
            else "harness run … --out DIR makes one",
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read", why=str(error)) from error
    schema = _schema(data)
    if schema is not None and schema != PLAN_SCHEMA:
        raise _other_schema(str(path), "plan", schema, PLAN_SCHEMA)
    try:
        return msgspec.json.decode(data, type=Plan)
    except UNREADABLE as error:
        raise InputError(
            f"{path}: not a readable plan",
            why=str(error),
            hint=f"take {PLAN} from a copy, or remove it and give the command of that run again: it writes it anew",
        ) from error


def is_planless(folder: Path) -> bool:
    """Return whether `folder` holds a run's sessions and not its plan."""
    parts = (folder / JOURNAL, folder / TRACES)
    return not (folder / PLAN).exists() and any(part.exists() for part in parts)


def whole(path: Path) -> bytes:
    """Return all of a document of the run folder; InputError when it is longer than any of ours, OSError as the disk's."""
    if path.stat().st_size > DOCUMENT_BYTES:
        raise InputError(f"{path}: more than {DOCUMENT_BYTES / 2**20:g} MiB, which is none of ours")
    return path.read_bytes()


def _require_file(entry: Path) -> None:
    """Raise InputError when `entry` of a run folder is a pipe or a device: reading it may never end."""
    try:
        mode = entry.stat().st_mode
    except OSError:
        return  # a link that leads nowhere: it is as good as missing
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{entry}: is a pipe or a device, not a file", hint="remove it")


class _Versioned(msgspec.Struct, frozen=True):
    """What every file of ours says first."""

    schema: int | None = None


def _schema(data: bytes) -> int | None:
    """Return the schema that a plan or record names, whatever else is in it; None: it names none."""
    try:
        return msgspec.json.decode(data, type=_Versioned).schema
    except UNREADABLE:
        return None


def _other_schema(where: str, kind: str, schema: int, known: int) -> InputError:
    """Return the error that names the schema of a plan or record which this version does not read."""
    newer = schema > known
    return InputError(
        f"{where}: {kind} of schema {schema}, this version reads {known}",
        why=f"{'a newer' if newer else 'an older'} version of live-harness wrote it",
        hint="upgrade live-harness" if newer else "report it with the version that wrote it",
    )


def _unreadable(where: str, line: bytes, error: Exception) -> InputError:
    """Return the error of a journal's line that is no record: of another schema, or none at all."""
    schema = _schema(line)
    if schema is not None and schema != RECORD_SCHEMA:
        return _other_schema(where, "record", schema, RECORD_SCHEMA)
    return InputError(
        f"{where}: not a readable record",
        why=str(error),
        hint="remove that line, and give the run's command again: what the trace of that session tells takes its place",
    )


def losses(folder: Path, records: Iterable[UtteranceRecord]) -> list[str]:
    """Return in words which traces the run in `folder` has lost; what its journal lacks is `Attempts.lacks`."""
    there = traces_there(folder)
    traces = gone = 0
    for record in records:
        if record.final and record.trace:
            traces += 1
            gone += record.trace not in there
    if not gone:
        return []
    return [
        f"{gone:,} of {traces:,} traces are missing: those sessions have no timeline, and are in no error rate by time after speech."
    ]


def trace_path(folder: Path, told: str) -> Path | None:
    """Return where the trace that a record names lies; None: what it names is not in the folder of traces."""
    parts = PurePosixPath(told).parts
    inside = len(parts) > 1 and parts[0] == TRACES and ".." not in parts and "\0" not in told
    return folder / told if inside else None


def traces_there(folder: Path) -> frozenset[str]:
    """Return the traces in `folder`, as records name them; empty when their folder is gone."""
    try:
        return frozenset(f"{TRACES}/{path.name}" for path in (folder / TRACES).iterdir())
    except OSError:
        return frozenset()


def iter_journal(folder: Path) -> Iterator[UtteranceRecord]:
    """Yield the finished attempts in the order they ended; a torn last line is passed over.

    InputError names the line of any other that cannot be read. A missing journal is an empty one.
    """
    path = folder / JOURNAL
    try:
        for number, line in numbered_lines(path):
            if line[-1:] != b"\n":
                return  # torn: its session is as good as never finished
            yield record_of(line, path, number)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path}: cannot be read", why=str(error)) from error


_decoded: Final = msgspec.json.Decoder(UtteranceRecord).decode


def record_of(line: bytes, path: Path, number: int) -> UtteranceRecord:
    """Return the record in a line of the journal at `path`; InputError names the line when it holds none of ours."""
    try:
        record = _decoded(line)
    except UNREADABLE as error:
        raise _unreadable(f"{path}:{number}", line, error) from error
    if record.schema != RECORD_SCHEMA:
        raise _other_schema(f"{path}:{number}", "record", record.schema, RECORD_SCHEMA)
    return record


def read_journal(folder: Path) -> list[UtteranceRecord]:
    """Return all finished attempts, in the order they ended; errors as `iter_journal`."""
    return list(iter_journal(folder))


_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_NO_PLACE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
_TAKEN: Final = (errno.EISDIR, errno.EEXIST)


def unwritable(folder: Path, what: str, error: OSError) -> InputError:
    """Return the error of a run at work in `folder` where `what` can no longer be written, and what to do then."""
    if error.errno in _NO_PLACE:
        return InputError(
            f"{folder / what}: cannot be written: the run folder is not there, or not whole, any more",
            why="somebody moved or removed it while the run was at work",
            hint="put it back where it was, then give the same command again: it continues",
        )
    first = "make the folder writable"
    if error.errno in _NO_ROOM:
        first = "make room"
    elif error.errno in _TAKEN:
        first = "take away what is in its place"
    return InputError(
        f"{folder / what}: cannot be written: {error.strerror}",
        why="what was finished before is kept",
        hint=f"{first}, then give the same command again: it continues",
    )


def begun(folder: Path) -> bool:
    """Return whether `folder` holds anything that is not of a run killed before it had a plan; OSError as listing it."""
    return folder.is_dir() and any(entry.name not in _BESIDE for entry in folder.iterdir())


Slot = tuple[str, str, str, int]
"""What a plan asks for once: dataset, utterance, model, repeat."""


def slot(record: UtteranceRecord) -> Slot:
    """Return which part of the plan `record` is an attempt at."""
    return (record.dataset, record.utterance, record.model, record.repeat)


def planned_sessions(plan: Plan) -> Iterator[tuple[PlannedUtterance, str, int]]:
    """Yield utterance, model and repeat of everything that `plan` asks for, in plan order.

    Repeats are outermost, then models, then utterances.
    """
    for repeat in range(1, plan.repeats + 1):
        for model in plan.models:
            for utterance in plan.utterances:
                yield utterance, model, repeat


def slots(plan: Plan) -> Iterator[Slot]:
    """Yield everything that `plan` asks for, in plan order."""
    for utterance, model, repeat in planned_sessions(plan):
        yield (utterance.dataset, utterance.id, model, repeat)


def settles(record: UtteranceRecord) -> bool:
    """Return whether `record` settles its part of the plan, as long as the plan has its utterance as it was.

    What was given up for quota, since the service could not be reached or was not there, or since our own process died does
    not: nothing was heard, so asking again costs nothing twice. What else failed does: the service broke it off, refuses it,
    or its audio cannot be read.
    """
    if record.outcome == "failed_client":
        return record.final and record.failure != "transient"
    return record.final and record.outcome != "failed_quota" and not record.away


def settling(plan: Plan) -> Callable[[UtteranceRecord], bool]:
    """Return what tells whether a record settles its part of `plan`: not where the utterance could not be sent and was mended."""

    @functools.cache
    def fingerprints() -> dict[tuple[str, str], str]:
        return {(one.dataset, one.id): fingerprint(one) for one in plan.utterances}

    def settled(record: UtteranceRecord) -> bool:
        if record.unsent is None or not settles(record):
            return settles(record)
        return fingerprints().get((record.dataset, record.utterance)) == record.unsent

    return settled


def unfinished(plan: Plan, records: Iterable[UtteranceRecord]) -> list[Slot]:
    """Return what `plan` asks for and the service has not answered, in plan order.

    That is what has no record that answers it.
    """
    done = {slot(r) for r in filter(settling(plan), records)}
    return [wanted for wanted in slots(plan) if wanted not in done]


def trace_name(utterance: str, dataset: str, model: str, repeat: int, attempt_number: int) -> str:
    """Return the stem of an attempt's trace file; the hash tells apart what slugs alike."""
    identity = f"{dataset}\0{utterance}\0{model}"
    digest = hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{_slug(utterance)}-{_slug(model)}-r{repeat}-a{attempt_number}-{digest}"


def _slug(text: str, most: int = 60) -> str:
    """Return `text` as a piece of a file name: ASCII letters, digits, `.` and `_`, at most `most` characters."""
    return re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("._")[:most] or "x"
