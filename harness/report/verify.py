"""Whether what lies in a run folder is what its traces and its journal say: everything is worked out again and compared.

Of the page the clips alone are taken as they lie in it: their files may be gone, and encoders have their own ways.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import InputError
from harness.report.assembly import settled_table
from harness.report.build import derived_files
from harness.report.comparison.comparable import reported_profile
from harness.report.page.clips import Embed, KeptClips
from harness.report.page.render import page
from harness.report.rows.bounds import SpeechBook
from harness.report.rows.exhibits import Exhibits
from harness.report.summary.document import SUMMARY_SCHEMA
from harness.report.summary.retelling import contradictions, miscounted
from harness.report.tables.changed_cells import changed_cells
from harness.report.tables.table import UTTERANCES
from harness.report.tables.write import BOM, PAGE, PARQUET, SUMMARY_JSON
from harness.run.folder import UNREADABLE, read_plan, whole
from harness.run.heard import changed, read_heard
from harness.run.orphans import read_attempts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.report.summary.document import Summary
    from harness.report.tables.table import RunTable
    from harness.run.record import Plan, UtteranceRecord


OTHER_VERSION: Final = (
    "the tables and the page: written by another version of live-harness; "
    "write them again with `harness report`, then verify"
)
"""What is said of a report that is not compared: that it is not what this version writes accuses nobody."""


def differences(folder: Path) -> Iterator[str]:
    """Yield in words where `folder` does not hold what its own traces, journal and plan give; nothing when it does.

    InputError says what cannot be read at all: the plan, the journal, or a summary that no version of ours wrote.
    """
    plan = read_plan(folder)
    records = read_attempts(folder)
    yield from miscounted(plan, records)
    for record in records:
        yield from contradictions(folder, plan, record, listen=True)
    yield from changed(folder, read_heard(folder).values())
    yield from _of_reports(folder, plan, records)


def _of_reports(folder: Path, plan: Plan, records: Sequence[UtteranceRecord]) -> Iterator[str]:
    """Yield the files of the report that are not what the journal gives under their own profile and metric."""
    if (written := reported_profile(folder)) is None:
        raise InputError(
            f"{folder}: there is no report to verify", hint=f"harness report {folder} writes it"
        )
    if _written_schema(folder) != SUMMARY_SCHEMA:
        yield OTHER_VERSION
        return
    profile, metric = written
    rows = folder / UTTERANCES
    excel = rows.exists() and _begins_with(rows, BOM)
    speech = SpeechBook(folder)
    exhibits = Exhibits(folder, plan, speech, records)
    table = settled_table(folder, plan, records, speech, exhibits, profile=profile, metric=metric)
    table = replace(table, summary=_as_written(folder, table.summary))
    for name, data in derived_files(table, excel=excel).items():
        if name == PARQUET and not (folder / name).exists():
            continue  # written where pyarrow was not installed
        yield from _unlike(folder, name, b"".join(data))
    yield from _unlike(folder, PAGE, _page_again(folder, table, exhibits))


def _begins_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


def _unlike(folder: Path, name: str, wanted: bytes) -> Iterator[str]:
    """Yield in words that a file is not what is wanted."""
    try:
        path = folder / name
        there = path.read_bytes()
    except OSError as error:
        yield f"{name}: {error.strerror}"
    else:
        if there != wanted:
            cells = changed_cells(there, wanted) if path.suffix == ".csv" else ""
            yield f"{name} is not what the journal gives" + (f": {cells}" if cells else "")


def _page_again(folder: Path, table: RunTable, exhibits: Exhibits) -> bytes:
    """Return the page, with the clips of the one that lies in `folder`; with none where that is no page of ours."""
    try:
        sound: KeptClips | Embed = KeptClips((folder / PAGE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        sound = Embed(clips=0)
    return page(table, exhibits, sound)


def _as_written(folder: Path, summary: Summary) -> Summary:
    """Return `summary` with what no journal knows: versions of libraries, and the folder's name when it was reported."""
    try:
        kept = msgspec.json.decode(whole(folder / SUMMARY_JSON), type=_Kept)
    except (OSError, InputError, *UNREADABLE):
        return summary
    profile = msgspec.structs.replace(summary.profile, versions=kept.profile.versions)
    return msgspec.structs.replace(summary, profile=profile, run=kept.run)


def _written_schema(folder: Path) -> int | None:
    """Return the schema that a run's report was written in; None: it names none."""
    try:
        return msgspec.json.decode(whole(folder / SUMMARY_JSON), type=_Versioned).schema
    except (OSError, InputError, *UNREADABLE):
        return None


class _Versioned(msgspec.Struct):
    schema: int | None = None


class _KeptProfile(msgspec.Struct):
    versions: dict[str, str]


class _Kept(msgspec.Struct):
    run: str
    profile: _KeptProfile
