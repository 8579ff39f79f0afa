"""What goes wrong most: the commonest substitutions, deletions and insertions of every cell, and flagged rows.

Counted from the alignments that the rates were counted from.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from harness.report.confusions import commonest
from harness.report.document import Flag, Mistakes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.report.rows import Row

_COMMONEST: Final = 5
"""How many of each operation are kept for a cell."""

_EXAMPLES: Final = 3


def mistakes(rows: Iterable[Row]) -> list[Mistakes]:
    """Return the commonest mistakes of every cell that has any."""
    cells: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.errors:
            cells.setdefault((row.dataset, row.model, row.locale), []).append(row)
    return [
        Mistakes(
            dataset=dataset,
            model=model,
            locale=locale,
            commonest=commonest(((row.utterance_id, row.diff) for row in own), most=_COMMONEST),
        )
        for (dataset, model, locale), own in cells.items()
    ]


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
