"""`RunTable`: a run as tables, and `read_run`, which gives them back from a folder.

The only module that turns rows into data frames. Columns keep the types that `columns` declares, with pandas' own
missing value where a cell is empty; there is no NaN among them.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import InputError
from harness.report.columns import SUMMARY_COLUMNS, UTTERANCE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from harness.report.columns import Column
    from harness.report.document import Cell, Summary
    from harness.report.latencies import StreamedSession
    from harness.report.rows import Row

UTTERANCES = "utterances.csv"

_DTYPES = {"text": "string", "whole": "Int64", "real": "Float64", "flag": "boolean"}

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
                [getattr(record, column.name) for record in records],
                dtype=_DTYPES[column.kind],  # type: ignore[call-overload]  # the stubs want a literal
            )
            for column in columns
        }
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

    header, lines = _lines(file)
    declared = {column.name: column for column in columns}
    if missing := [name for name in declared if name not in header]:
        raise InputError(
            f"{file}: not a table of a run",
            why=f"it lacks the column {', '.join(missing)}",
            hint=f"harness report {file.parent} writes it again",
        )
    values: dict[str, Any] = {}
    for place, name in enumerate(header):
        kind = declared[name].kind if name in declared else "text"
        cells = [_value(file, number, name, kind, line[place]) for number, line in lines]
        values[name] = pd.array(cells, dtype=_DTYPES[kind])  # type: ignore[call-overload]  # as above
    return pd.DataFrame(values)


def _lines(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    csv.field_size_limit(sys.maxsize)  # a reference may be the transcript of ten hours
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            lines = [(reader.line_num, line) for line in reader]
    except FileNotFoundError:
        raise InputError(
            f"{file}: there is no such table",
            hint=f"harness report {file.parent} writes it, when the folder holds a run",
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: not a readable table", why=str(error)) from error
    for number, line in lines:
        if len(line) != len(header):
            raise InputError(
                f"{file}:{number}: {len(line)} cells where the header has {len(header)}"
            )
    return header, lines


def _value(
    file: Path, number: int, name: str, kind: str, cell: str
) -> str | int | float | bool | None:
    if cell == "":
        return None
    try:
        match kind:
            case "whole":
                return int(cell)
            case "real":
                return float(cell)
            case "flag":
                return {"True": True, "False": False}[cell]
            case _:
                return cell.removeprefix("'")
    except (ValueError, KeyError):
        raise InputError(f"{file}:{number}: {name} is {cell!r}, not a {kind} value") from None


def csv_cell(value: object) -> str:
    """Return `value` as a cell: nothing when missing; text that a spreadsheet would run gets a leading `'`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return "'" + value if value.startswith(_EXECUTED) else value
    return repr(value)
