"""Every file of a run folder's report. Knows which; what they say is `assembly`, how they are written `table` and `page`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.assembly import settled_table
from harness.report.page.clips import Embed
from harness.report.page.render import page
from harness.report.rows.bounds import SPEECH, SpeechBook
from harness.report.rows.exhibits import Exhibits
from harness.report.tables.table import RunTable
from harness.report.tables.write import PAGE, SUMMARY_MD, table_files, write_files
from harness.report.words.digest import summary_markdown
from harness.run.folder import read_plan
from harness.run.orphans import read_attempts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def build_reports(
    folder: Path,
    *,
    profile: str = "norm-1n",
    metric: str = "auto",
    excel: bool = False,
    embed: Embed | None = None,
) -> RunTable:
    """Score the run in `folder`, write every report into it, and return its table.

    `embed` says which clips are put into the page; None: the worst within the budget.

    Speech bounds are found once per clip and kept in `speech.jsonl`. UsageError names an unknown profile or metric;
    InputError says what is missing or cannot be written.
    """
    plan = read_plan(folder)
    speech = SpeechBook(folder)
    records = read_attempts(folder)
    exhibits = Exhibits(folder, plan, speech, records)
    table = settled_table(folder, plan, records, speech, exhibits, profile=profile, metric=metric)
    shown = page(table, exhibits, embed or Embed())
    write_files(
        folder,
        {
            SPEECH: speech.lines(),
            **derived_files(table, excel=excel),
            PAGE: [shown],
        },
    )
    return table


def derived_files(table: RunTable, *, excel: bool) -> dict[str, Iterable[bytes]]:
    """Return every file of a report but the page, by name and piece by piece."""
    digest = summary_markdown(table.summary).encode()
    return {**table_files(table, excel=excel), SUMMARY_MD: [digest]}
