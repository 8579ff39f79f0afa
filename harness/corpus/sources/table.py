"""CSV and TSV with a header, as spreadsheets and pandas write them.

CSV is RFC 4180: cells in double quotes may hold commas, quotes (doubled) and line ends. Semicolons or tabs may stand for
the commas, as spreadsheets write them where the comma is a decimal mark. TSV has a record a line; a
cell that is wholly in double quotes is unquoted, and otherwise quotes are text.

A table of texts alone holds written items, to be spoken or asked: it has no audio column, or one that is empty throughout.
"""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any, Final, NamedTuple

from harness.corpus.divider import declared, divider
from harness.corpus.layout import AUDIO
from harness.corpus.lines import Line, lines
from harness.corpus.row import ALIASES, Place, Row
from harness.corpus.scenario import COLUMNS
from harness.corpus.utterance import Fault

MOST_LINES: Final = 100
"""Lines of one CSV record. A quote that nobody closes must not swallow the file."""


class Record(NamedTuple):
    """The cells of one record."""

    line: int
    """1-based line it begins on."""

    cells: list[str]


def rows_csv(place: Place) -> Iterator[Row | Fault]:
    """Yield a row for each record of a CSV file after its header."""
    where = place.where(place.start)
    columns = [
        {*ALIASES[ours], place.columns.get(ours, ours)}
        for ours in ("audio_filepath", "locale", "text")
    ]
    yield from titled(place, _csv_records(lines(place.start, where), where, columns))


def rows_tsv(place: Place) -> Iterator[Row | Fault]:
    """Yield a row for each record of a TSV file after its header."""
    yield from titled(place, tsv_records(place, unquote=True))


def titled(place: Place, records: Iterator[Record | Fault]) -> Iterator[Row | Fault]:
    """Yield a row for each record, its cells named by the first one; a header that cannot be used ends it.

    What comes before the first row that names audio is kept in memory until then.
    """
    unreadable = False
    for title in records:
        if not isinstance(title, Fault):
            break
        unreadable = unreadable or not title.warning
        yield title
    else:
        if not unreadable:
            yield Fault(where=place.where(place.start), what="empty: there is no header")
        return
    renamed = {theirs: ours for ours, theirs in place.columns.items()}
    header = [renamed.get(name.strip(), name.strip()) for name in title.cells]
    rows = _rows(place, header, records)
    first: list[Row | Fault] = []
    written = False
    if _has(header, "text"):
        for row in rows:
            first.append(row)
            if isinstance(row, Row):
                written = not _names_audio(row.cells)
                if not written:
                    break
    useless, unscored = _faults(header, place, written=written)
    for what in useless + unscored:
        yield Fault(where=place.where(place.start), line=title.line, what=what)
    if not useless:
        yield from map(_written, first) if written else first
        yield from rows


def _rows(
    place: Place, header: list[str], records: Iterator[Record | Fault]
) -> Iterator[Row | Fault]:
    where, base = place.where(place.start), str(place.start.parent)
    for record in records:
        if isinstance(record, Fault):
            yield record
        elif len(record.cells) != len(header):
            what = f"{len(record.cells)} cells where the header has {len(header)}"
            yield Fault(where=where, line=record.line, what=what)
        else:
            cells = {name: cell or None for name, cell in zip(header, record.cells, strict=True)}
            # pandas writes its index under no name.
            cells.pop("", None)
            if not _has(cells, "text"):
                # Said once, of the header.
                cells["text"] = None
            yield Row(where=where, line=record.line, base=base, cells=cells)


def _names_audio(cells: dict[str, Any]) -> bool:
    """Return whether a row has a cell for audio, or, but for an item of a task, a file of audio as a tag."""
    if any(cells.get(name) for name in ALIASES["audio_filepath"]):
        return True
    known = {name for names in ALIASES.values() for name in names}
    return not any(cells.get(name) for name in COLUMNS) and any(
        cell and PurePath(cell).suffix.lower() in AUDIO
        for name, cell in cells.items()
        if name not in known
    )


def _written(row: Row | Fault) -> Row | Fault:
    """Return a row of a table of texts alone, without the empty cell for audio; a fault when it has no text."""
    if isinstance(row, Fault):
        return row
    if not any(row.cells.get(name) for name in ALIASES["text"]):
        return Fault(where=row.where, line=row.line, what="neither audio nor text")
    audio = ALIASES["audio_filepath"]
    return replace(row, cells={name: cell for name, cell in row.cells.items() if name not in audio})


def tsv_records(place: Place, *, unquote: bool) -> Iterator[Record | Fault]:
    """Yield a record a line, divided at tabs; empty lines are skipped."""
    for line in lines(place.start, place.where(place.start)):
        if isinstance(line, Fault):
            yield line
        elif line.text:
            cells = line.text.split("\t")
            yield Record(line.number, [_unquoted(cell) for cell in cells] if unquote else cells)


def _unquoted(cell: str) -> str:
    inner = cell[1:-1]
    if len(cell) < 2 or cell[0] != '"' or cell[-1] != '"' or '"' in inner.replace('""', ""):
        return cell
    return inner.replace('""', '"')


def _csv_records(
    source: Iterator[Line | Fault], where: str, columns: Collection[Collection[str]]
) -> Iterator[Record | Fault]:
    """Yield the records of a CSV file; after one that is broken, go on with the line after its first.

    They are divided as the line above the header declares, else by what divides the header into most of `columns`.
    """
    mark: str | None = None
    ahead: deque[Line | Fault] = deque()
    while (line := ahead.popleft() if ahead else next(source, None)) is not None:
        if isinstance(line, Fault):
            yield line
        elif mark is None and (mark := declared(line.text)) is not None:
            continue
        elif line.text:
            mark = mark or divider(line.text, columns)
            cells, used = _csv_cells(line.text, mark, source, ahead)
            if isinstance(cells, str):
                yield Fault(where=where, line=line.number, what=cells)
                continue
            yield Record(line.number, cells)
            for _ in range(used):
                ahead.popleft()


def _csv_cells(
    text: str, mark: str, source: Iterator[Line | Fault], ahead: deque[Line | Fault]
) -> tuple[list[str] | str, int]:
    """Return the cells of the record that begins with `text`, or what is wrong, and how many lines `ahead` it took."""
    for used in range(MOST_LINES):
        try:
            return next(csv.reader([text], delimiter=mark, strict=True)), used
        except csv.Error as error:
            if "end of data" not in str(error):
                return f"not CSV: {error}", used
        if used == len(ahead) and (line := next(source, None)) is not None:
            ahead.append(line)
        if used == len(ahead) or isinstance(more := ahead[used], Fault):
            break
        text += "\n" + more.text
    return "a double quote is opened and never closed", 0


def _has(names: Collection[str], ours: str) -> bool:
    return any(name in names for name in ALIASES[ours])


def _faults(header: list[str], place: Place, *, written: bool) -> tuple[list[str], list[str]]:
    """Return what makes `header` useless, and whether it has no text, so that nothing can be scored.

    `written`: its rows need no audio.
    """
    if len(header) == 1 and (mark := next((c for c in ";\t|" if c in header[0]), None)):
        return [f"the cells are divided by {mark!r}: save it with commas, or as .tsv with tabs"], []
    useless = [
        f"two columns are named {name}" for name, n in Counter(header).items() if name and n > 1
    ]
    if not written and not _has(header, "audio_filepath"):
        useless.append(_missing("audio column", "audio_filepath", header))
    if not _has(header, "locale") and place.locale is None:
        useless.append(
            _missing("locale column", "locale", header)
            + "; one for all: --language en-US in harness run, --locale en-US in harness datasets"
        )
    if _has(header, "text"):
        return useless, []
    return useless, [_missing("text column, so nothing can be scored", "text", header)]


def _missing(what: str, ours: str, header: list[str]) -> str:
    names = " or ".join(ALIASES[ours])
    return f"no {what}: name it {names}, or map it in a recipe (there are: {', '.join(header)})"
