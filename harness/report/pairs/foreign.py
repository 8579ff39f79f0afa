"""Tables that somebody already has, record by record: CSV, TSV, JSON lines, Parquet.

Knows files, and what is wrong with a line of one. Does not know what the columns mean.
"""

from __future__ import annotations

import csv
from importlib import import_module
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
import regex

from harness.corpus.divider import declared, divider
from harness.corpus.lines import Line, lines
from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

_GUARDED = regex.compile(r"'(?=[=+\-@\t\r'])")
"""The quote that our CSV files put before what a spreadsheet would run."""


_MOST_FAULTS = 20


class UnusableError(Exception):
    """What is wrong with one line; the reader goes on to collect the next."""


def input_error(path: Path, faults: Sequence[str]) -> InputError:
    """Return the error that names the first 20 faults of a file."""
    more = len(faults) - _MOST_FAULTS
    shown = [*islice(faults, _MOST_FAULTS), *([f"and {more} more"] if more > 0 else [])]
    return InputError(f"{path}: cannot be scored as it is", why="\n".join(shown))


Record: TypeAlias = "tuple[int, dict[str, Any] | UnusableError]"
"""The 1-based line or row, and its cells by column, or what is wrong with it."""

Columns: TypeAlias = "Collection[Collection[str]]"
"""The columns that a table should have, each by all names that it goes by."""


def numbered(path: Path) -> Iterator[Record | Line]:
    """Yield the lines of a file; what is wrong with one in its place."""
    for line in lines(path, str(path)):
        if isinstance(line, Line):
            nul = line.text.find("\0")
            if nul < 0:
                yield line
            else:
                yield line.number, UnusableError(f"a NUL byte, character {nul + 1} of the line")
        elif line.line is None:
            raise InputError(f"{path}: {line.what}")
        elif not line.warning:
            yield line.line, UnusableError(line.what)


def _csv_records(path: Path, columns: Columns) -> Iterator[Record]:
    broken: list[Record] = []
    numbers: list[int] = []

    def texts() -> Iterator[str]:
        for line in numbered(path):
            if isinstance(line, Line):
                numbers.append(line.number)
                yield line.text + "\n"
            else:
                broken.append(line)

    source = texts()
    head = next((text for text in source if text != "\n"), "")
    mark = declared(head.removesuffix("\n"))
    ahead = [] if mark else [head]
    skipped = len(numbers) - len(ahead)
    reader = csv.reader(chain(ahead, source), delimiter=mark or divider(head, columns), strict=True)
    header: list[str] | None = None
    while True:
        first = skipped + reader.line_num
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield numbers[first], UnusableError(f"not CSV: {error}")
            break
        if cells is None:
            break
        if not cells:
            continue
        if header is None:
            header = _header(path, numbers[first], cells)
            continue
        yield (
            numbers[first],
            _named(
                header, [_GUARDED.sub("", cell, 1) if cell[:1] == "'" else cell for cell in cells]
            ),
        )
    yield from broken


def _tsv_records(path: Path, _columns: Columns) -> Iterator[Record]:
    header: list[str] | None = None
    for line in numbered(path):
        if not isinstance(line, Line):
            yield line
        elif header is None:
            header = _header(path, line.number, line.text.split("\t"))
        elif line.text:
            yield line.number, _named(header, line.text.split("\t"))


def _header(path: Path, number: int, cells: Sequence[str]) -> list[str]:
    """Return the names of the columns; InputError: divided by something else, or one name twice."""
    names = [name.strip() for name in cells]
    if len(names) == 1:
        divided = next((mark for mark in ";\t|," if names[0].count(mark) > 1), None)
        if divided is not None:
            kind = {"\t": "tabs", ";": "“;”", "|": "“|”", ",": "commas"}[divided]
            hint = {
                "\t": "name it .tsv",
                ",": "name it .csv",
            }.get(divided, "save it with commas, or with tabs as .tsv")
            raise InputError(f"{path}:{number}: its columns are divided by {kind}", hint=hint)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}:{number}: two columns are named “{twice}”")
    return names


def _named(header: list[str], cells: list[str]) -> dict[str, Any] | UnusableError:
    if len(cells) != len(header):
        return UnusableError(f"{len(cells)} cells where the header has {len(header)}")
    return dict(zip(header, cells, strict=True))


def _json_records(path: Path, _columns: Columns) -> Iterator[Record]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for line in numbered(path):
        if not isinstance(line, Line):
            yield line
        elif line.text.strip():
            try:
                yield line.number, decode(line.text)
            except (msgspec.DecodeError, RecursionError) as error:
                yield line.number, UnusableError(f"not a JSON object: {error}")


def _parquet_records(path: Path, _columns: Columns) -> Iterator[Record]:
    try:
        parquet = import_module("pyarrow.parquet")
        invalid = import_module("pyarrow").ArrowException
    except ImportError as error:
        raise InputError(
            f"{path}: Parquet needs a library", hint="pip install 'live-harness[parquet]'"
        ) from error
    try:
        table = parquet.read_table(path)
    except (OSError, invalid) as error:
        raise InputError(f"{path}: cannot be read as Parquet", why=str(error)) from error
    yield from enumerate(table.to_pylist(), start=1)


READERS: Final[Mapping[str, Callable[[Path, Columns], Iterator[Record]]]] = {
    ".csv": _csv_records,
    ".tsv": _tsv_records,
    ".jsonl": _json_records,
    ".ndjson": _json_records,
    ".parquet": _parquet_records,
}
"""Suffix, in lower case → what yields the records of such a file; InputError where it is none."""
