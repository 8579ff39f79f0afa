"""What goes wrong, and where: the commonest mistakes of every cell, its errors divided, and flagged rows.

Counted from the alignments that the rates were counted from.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from harness.report.rows.diff import Steps
from harness.report.summary.breakdown import Utterance, breakdown
from harness.report.summary.confusions import commonest
from harness.report.summary.document import CellBreakdown, Flag, Mistakes
from harness.report.summary.pooling import grouped
from harness.score.edits import EditCounts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.report.rows.row import Row

_COMMONEST: Final = 5
"""How many of each operation are kept for a cell."""

_EXAMPLES: Final = 3


def mistakes(rows: Iterable[Row]) -> list[Mistakes]:
    """Return the commonest mistakes of every cell that has any."""
    mistaken = (row for row in rows if row.errors)
    cells = grouped(mistaken, lambda row: (row.dataset, row.model, row.locale))
    return [
        Mistakes(
            dataset=dataset,
            model=model,
            locale=locale,
            commonest=commonest(((row.utterance_id, row.diff) for row in own), most=_COMMONEST),
        )
        for (dataset, model, locale), own in cells.items()
    ]


def breakdowns(rows: Iterable[Row]) -> list[CellBreakdown]:
    """Return where the errors are, of every cell whose references have tokens."""
    cells: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in rows:
        if row.counts is not None and row.metric is not None and row.reference is not None:
            key = row.dataset, row.model, row.locale, row.metric
            cells.setdefault(key, []).append(row)
    return [
        CellBreakdown(
            dataset=dataset,
            model=model,
            locale=locale,
            metric=metric,
            errors=breakdown(list(map(_utterance, own))),
        )
        for (dataset, model, locale, metric), own in cells.items()
        if any(row.reference_tokens for row in own)
    ]


def _utterance(row: Row) -> Utterance:
    """Return a scored row as what its cell's errors are divided by."""
    metric = row.metric or ""
    return Utterance(
        id=row.utterance_id,
        locale=row.locale,
        reference=row.reference or "",
        metric=metric,
        counts=row.counts or EditCounts(),
        steps=Steps(row.diff_text, metric),
        speaker=row.speaker,
        block=row.block,
        audio_s=row.audio_s,
        tags=row.tags,
        snr_db=row.snr_db,
        began_at=row.session.started_at if row.session else None,
    )


def flags(rows: Iterable[Row]) -> list[Flag]:
    """Return what the detectors found, the commonest first."""
    judged = [row for row in rows if row.counts is not None]
    flagged: dict[str, list[Row]] = {}
    for row in judged:
        for fault in row.faults:
            flagged.setdefault(fault, []).append(row)
    found = [
        Flag(
            fault=fault,
            rows=len(own),
            scored=len(judged),
            locales=dict(Counter(row.locale for row in own).most_common()),
            examples=list(dict.fromkeys(row.utterance_id for row in own))[:_EXAMPLES],
        )
        for fault, own in flagged.items()
    ]
    return sorted(found, key=lambda flag: -flag.rows)
