"""Which cells of a CSV are not what they should be, in words. Knows no table of ours but the columns that name its rows."""

from __future__ import annotations

import csv
import io
import sys
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_NAMED: Final = 3
"""Differences in words; the others are counted."""

_MOST_SHOWN: Final = 60
"""Characters of a cell."""

_NAMES: Final = ("dataset", "utterance_id", "locale", "model", "repeat")
"""Columns that say which row it is, as far as a table has them."""


def changed_cells(there: bytes, wanted: bytes) -> str:
    """Return the first cells where the CSV `there` is not `wanted`, and how many more; empty: they differ in their bytes alone.

    Rows are held against each other by their place. Where there are more or fewer, that is said, and the first that differ.
    """
    csv.field_size_limit(sys.maxsize)  # a reference may be the transcript of ten hours
    ours, theirs = _rows(there), _rows(wanted)
    header, columns = next(ours, []), next(theirs, [])
    if header != columns:
        return "its columns are others"
    named: list[str] = []
    found, lengths = 0, [0, 0]
    for number, (row, right) in enumerate(zip_longest(ours, theirs), 1):
        lengths[0] += row is not None
        lengths[1] += right is not None
        if row is None or right is None or row == right:
            continue
        place = _place(number, dict(zip(columns, right, strict=False)))
        cells = list(zip_longest([*columns], row, right, fillvalue=""))
        told = [f"{place}: {name} is {_shown(is_)}, not {_shown(should)}" for name, is_, should in cells if is_ != should]  # fmt: skip
        found += len(told)
        named += told[: MOST_NAMED - len(named)]
    parts = [] if lengths[0] == lengths[1] else [f"it has {lengths[0]:,} rows, not {lengths[1]:,}"]
    parts += named
    if found > len(named):
        parts.append(f"and {found - len(named):,} more")
    return "; ".join(parts)


def _rows(data: bytes) -> Iterator[list[str]]:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", errors="replace", newline="")
    return csv.reader(text)


def _place(number: int, row: dict[str, str]) -> str:
    """Return which row it is: `row 5 (sample, a-3, en-US, model)`."""
    return f"row {number:,} ({', '.join(row[name] for name in _NAMES if row.get(name))})"


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= _MOST_SHOWN else cell[:_MOST_SHOWN] + "…") if cell else "empty"
