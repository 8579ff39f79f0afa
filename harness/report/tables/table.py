"""`RunTable`: a run as tables, and `read_run`, which gives them back from a folder.

The only module that turns rows into data frames. Columns keep the types that `columns` declares, with pandas' own
missing value where a cell is empty; there is no NaN among them.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.errors import InputError
from harness.report.tables.columns import SUMMARY_COLUMNS, UTTERANCE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from harness.report.rows.row import Row
    from harness.report.summary.document import Cell, Summary
    from harness.report.summary.latencies import StreamedSession
    from harness.report.tables.columns import Column, Kind

UTTERANCES = "utterances.csv"

_DTYPES: Final = {"text": "string", "whole": "Int64", "real": "Float64", "flag": "boolean"}

_VALUES: Final[Mapping[str, Callable[[str], object]]] = {
    "whole": int,
    "real": float,
    "flag": {"True": True, "False": False}.__getitem__,
}
"""What a cell that is not empty stands for, by its column's kind; ValueError or KeyError when it is none."""

_EXECUTED = tuple("=+-@\t\r'")
"""First characters that make a spreadsheet run a cell (OWASP, CSV Injection), and the mark that stops it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """A run: a row a planned session, and the document that sums them up."""

    folder: Path
    rows: Sequence[Row]
    summary: Summary
    streamed: Sequence[StreamedSession] = ()
    """Empty: not looked at, or not paced at real time."""

    def utterances(self) -> pd.DataFrame:
        """Return a row per utterance × model × repeat, with the columns of `utterances.csv`."""
        return frame(self.rows, UTTERANCE_COLUMNS)

    def cells(self) -> pd.DataFrame:
        """Return a row per dataset × model × locale, with the columns of `summary.csv`."""
        return frame(self.summary.cells, SUMMARY_COLUMNS)


def frame(records: Sequence[Row] | Sequence[Cell], columns: Sequence[Column]) -> pd.DataFrame:
    """Return `records` as a data frame of exactly `columns`, typed as they declare."""
    import pandas as pd

    return pd.DataFrame(
        {
            column.name: pd.array(
                list(map(attrgetter(column.name), records)),
                dtype=_DTYPES[column.kind],  # type: ignore[call-overload]  # the stubs want a literal
            )
            for column in columns
        },
        copy=False,
    )


def read_run(path: str | Path) -> pd.DataFrame:
    """Return the rows of the run at `path` (its folder or its `utterances.csv`), typed, missing cells as `pd.NA`.

    InputError names the file and line when it is missing or not such a table.
    """
    path = Path(path)
    file = path / UTTERANCES if path.is_dir() else path
    return read_table(file, UTTERANCE_COLUMNS)


def read_table(file: Path, columns: Sequence[Column]) -> pd.DataFrame:
    """Return the CSV at `file`, typed as `columns` declares; columns that are not declared are left as text."""
    import pandas as pd

    header, rows = _shape(file)
    kinds = {column.name: column.kind for column in columns}
    if missing := [name for name in kinds if name not in header]:
        raise InputError(
            f"{file}: not a table of a run",
            why=f"it lacks the column {', '.join(missing)}",
            hint=f"harness report {file.parent} writes it again",
        )
    kinds = {name: kinds.get(name, "text") for name in header}
    if rows is None:
        if wrong := _misfit(file, kinds):
            raise wrong
        rows = sum(1 for _ in _rows(file)) - 1
    try:
        arrays = _arrays(file, kinds, rows)
    except ValueError as error:
        raise _misfit(file, kinds) or _unreadable(file, error) from error
    return pd.DataFrame(arrays, copy=False)


_AT_ONCE: Final = 16_384
"""Rows that are parsed at a time: what a parser needs beside the columns that it fills is theirs alone."""


def _arrays(file: Path, kinds: Mapping[str, Kind], rows: int) -> dict[str, pd.Series]:
    """Return the columns of the CSV at `file`, which has so many rows; ValueError when a cell is not of its kind.

    Numbers go where they stay, so that nothing is held twice.
    """
    import numpy as np
    import pandas as pd

    made = {
        "whole": (np.int64, pd.arrays.IntegerArray),
        "real": (np.float64, pd.arrays.FloatingArray),
        "flag": (np.bool_, pd.arrays.BooleanArray),
    }
    numbers: dict[str, tuple[np.ndarray, np.ndarray]] = {
        name: (np.zeros(rows, made[kind][0]), np.ones(rows, np.bool_))
        for name, kind in kinds.items()
        if kind != "text"
    }
    texts: dict[str, list[pd.Series]] = {name: [] for name in kinds if name not in numbers}
    at = 0
    with pd.read_csv(
        file,
        dtype={
            name: _parsed_text() if kind == "text" else _DTYPES[kind]
            for name, kind in kinds.items()
        },
        keep_default_na=False,
        na_values=[""],
        encoding="utf-8-sig",
        chunksize=_AT_ONCE,
    ) as reader:
        for part in reader:
            to = at + len(part)
            for name, own in texts.items():
                own.append(_unmarked(part[name]))
            for name, (values, empty) in numbers.items():
                empty[at:to] = part[name].isna()
                if not empty[at:to].all():
                    values[at:to] = part[name].to_numpy(values.dtype, na_value=0)
            at = to
    return {
        name: pd.Series(made[kind][1](*numbers.pop(name)))
        if kind != "text"
        else pd.concat(texts.pop(name), ignore_index=True)
        for name, kind in kinds.items()
    }


def _parsed_text() -> Any:
    """Return what texts are parsed as: Arrow's own where it is installed, without a Python object each in between."""
    if find_spec("pyarrow") is None:
        return "string"
    import pandas as pd
    import pyarrow as pa  # type: ignore[import-untyped]  # it has no stubs

    return pd.ArrowDtype(pa.large_string())


def _unmarked(texts: pd.Series) -> pd.Series:
    """Return texts without the mark that stops a spreadsheet."""
    own = texts.astype("string")
    return own.str.removeprefix("'") if own.str.startswith("'").any() else own


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the header and the rows, each with the number of its last line; InputError when there is no such table."""
    csv.field_size_limit(sys.maxsize)  # a reference may be the transcript of ten hours
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            for row in reader:
                yield reader.line_num, row
    except FileNotFoundError:
        raise InputError(
            f"{file}: there is no such table",
            hint=f"harness report {file.parent} writes it, when the folder holds a run",
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(file, error) from error


def _shape(file: Path) -> tuple[list[str], int | None]:
    """Return the names of the columns, and how many rows there are; None: they look as if some had more or fewer cells."""
    rows = _rows(file)
    _, header = next(rows, (1, []))
    _, first = next(rows, (1, header))
    commas, ends = _separators(file)
    even = len(first) == len(header) and commas == ends * (len(header) - 1)
    return header, ends - 1 if even else None


def _separators(file: Path) -> tuple[int, int]:
    """Return how many commas and ends of lines a CSV has outside of quotes."""
    commas = ends = 0
    quoted = False
    with file.open("rb") as stream:
        while block := stream.read(2**20):
            parts = block.split(b'"')
            for outside in parts[quoted::2]:
                commas += outside.count(b",")
                ends += outside.count(b"\n")
            quoted ^= len(parts) % 2 == 0
    return commas, ends


def _misfit(file: Path, kinds: Mapping[str, str]) -> InputError | None:
    """Return what is wrong with the first row that is: its length, or a cell that is not of its column's kind."""
    rows = _rows(file)
    next(rows)
    for number, row in rows:
        if len(row) != len(kinds):
            return InputError(
                f"{file}:{number}: {len(row)} cells where the header has {len(kinds)}"
            )
        for cell, (name, kind) in zip(row, kinds.items(), strict=False):
            try:
                if cell and kind != "text":
                    _VALUES[kind](cell)
            except (ValueError, KeyError):
                return InputError(f"{file}:{number}: {name} is {cell!r}, not a {kind} value")
    return None


def _unreadable(file: Path, error: Exception) -> InputError:
    return InputError(f"{file}: not a readable table", why=str(error))


def text_cell(text: str) -> str:
    """Return `text` as a cell of a CSV file: what a spreadsheet would run gets a leading `'`."""
    return "'" + text if text.startswith(_EXECUTED) else text
