"""Every file of a report but the page: CSV, JSON, Parquet. Whole or not at all, and the same bytes every time."""

from __future__ import annotations

import csv
import io
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.errors import InputError
from harness.report.tables.columns import STREAMING_COLUMNS, SUMMARY_COLUMNS, UTTERANCE_COLUMNS
from harness.report.tables.table import UTTERANCES, frame, text_cell
from harness.run.folder import REPORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.report.rows.row import Row
    from harness.report.summary.document import Cell, Summary
    from harness.report.summary.latencies import StreamedSession
    from harness.report.tables.columns import Column
    from harness.report.tables.table import RunTable

SUMMARY_CSV = "summary.csv"
SUMMARY_JSON = "summary.json"
STREAMING = "streaming.csv"
SUMMARY_MD = "summary.md"
PARQUET = "utterances.parquet"
PAGE = REPORT

BOM = b"\xef\xbb\xbf"


_GROUP: Final = 16_384
"""Rows of the Parquet file that are made at a time: a frame of a million takes gigabytes on its way."""


def table_files(table: RunTable, *, excel: bool) -> dict[str, Iterable[bytes]]:
    """Return the tables of `table` by file name, each piece by piece; the Parquet file only where pyarrow is installed.

    `excel` puts a byte-order mark before the CSV files, without which Excel takes them for its local encoding.
    """
    mark = [BOM] if excel else []
    files: dict[str, Iterable[bytes]] = {
        UTTERANCES: chain(mark, csv_lines(table.rows, UTTERANCE_COLUMNS)),
        SUMMARY_CSV: chain(mark, csv_lines(table.summary.cells, SUMMARY_COLUMNS)),
        SUMMARY_JSON: [json_bytes(table.summary)],
    }
    if table.streamed:
        files[STREAMING] = chain(mark, csv_lines(table.streamed, STREAMING_COLUMNS))
    parquet = _parquet(table)
    return files if parquet is None else {**files, PARQUET: [parquet]}


def csv_lines(
    records: Sequence[Row] | Sequence[Cell] | Sequence[StreamedSession], columns: Sequence[Column]
) -> Iterator[bytes]:
    """Yield `records` as CSV (RFC 4180, UTF-8) with exactly `columns`, row by row; a missing value is an empty cell."""
    writer = csv.writer(_HandedBack())
    yield writer.writerow(column.name for column in columns)
    cells = attrgetter(*(column.name for column in columns))
    for record in records:
        yield writer.writerow(
            text_cell(cell) if isinstance(cell, str) else cell for cell in cells(record)
        )


class _HandedBack:
    """A file that hands back what is written into it, as UTF-8: so that is what `writerow` returns."""

    def write(self, text: str) -> bytes:
        """Return `text`."""
        return text.encode()


def json_bytes(summary: Summary) -> bytes:
    """Return the document of `summary.json`."""
    return msgspec.json.format(msgspec.json.encode(summary), indent=1) + b"\n"


def _parquet(table: RunTable) -> bytes | None:
    """Return the rows as Parquet, with the run's identity in the frame's `attrs`; None without pyarrow."""
    if find_spec("pyarrow") is None:
        return None
    import pyarrow as pa  # type: ignore[import-untyped]  # it has no stubs
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    sink = io.BytesIO()
    identity: dict[Any, str] = {
        "plan_hash": table.summary.plan_hash,
        "profile": table.summary.profile.id,
    }
    with ExitStack() as open_files:
        writer = None
        for start in range(0, len(table.rows), _GROUP):
            part = frame(table.rows[start : start + _GROUP], UTTERANCE_COLUMNS)
            part.attrs = identity
            group = pa.Table.from_pandas(part, preserve_index=False)
            if writer is None:
                named = {**group.schema.metadata, b"PANDAS_ATTRS": msgspec.json.encode(identity)}
                schema = group.schema.with_metadata(named)
                writer = pq.ParquetWriter(sink, schema, compression="zstd")
                open_files.enter_context(writer)
            writer.write_table(group)
    return sink.getvalue()


def write_files(folder: Path, files: Mapping[str, Iterable[bytes]]) -> None:
    """Write every file, given piece by piece, whole or not at all; InputError when the folder does not let itself be written."""
    for name, data in files.items():
        path = folder / name
        unfinished = path.with_name(path.name + ".part")
        try:
            _write_whole(path, unfinished, data)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written",
                why=error.strerror or str(error),
                hint="the run itself is safe: free the place, then harness report " + str(folder),
            ) from error


def _write_whole(path: Path, unfinished: Path, data: Iterable[bytes]) -> None:
    """Write `data` to `path` by way of `unfinished`, which does not stay; OSError as the disk's, and whatever `data` raises."""
    try:
        with unfinished.open("wb") as file:
            file.writelines(data)
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):  # nothing can be removed where nothing can be written
            unfinished.unlink(missing_ok=True)
        raise
