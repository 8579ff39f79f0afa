"""The tables: their columns, their cells, and what is read back."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.errors import InputError
from harness.report.build import build_reports
from harness.report.tables import table, write
from harness.report.tables.columns import SUMMARY_COLUMNS, UTTERANCE_COLUMNS, Column
from harness.report.tables.table import read_table
from harness.report.tables.write import csv_lines

CELLS = {
    "text": st.text(st.characters(exclude_categories=["Cs"])),
    "whole": st.integers(min_value=-(2**53), max_value=2**53),
    "real": st.floats(allow_nan=False, allow_infinity=False),
    "flag": st.booleans(),
}
HOSTILE = st.builds(str.__add__, st.sampled_from(list("=+-@\t\r\n'\"|,")), CELLS["text"])
RECORD = st.fixed_dictionaries(
    {
        column.name: st.none() | CELLS[column.kind] | (HOSTILE if column.kind == "text" else st.nothing())
        for column in UTTERANCE_COLUMNS
    }
)  # fmt: skip


@given(records=st.lists(RECORD, max_size=4))
def test_what_is_written_is_read_back(records, tmp_path_factory):
    """Every cell comes back as it was, whatever its text; only the empty text comes back as missing."""
    file = tmp_path_factory.mktemp("csv") / "utterances.csv"
    file.write_bytes(
        b"".join(csv_lines([SimpleNamespace(**record) for record in records], UTTERANCE_COLUMNS))
    )
    frame = read_table(file, UTTERANCE_COLUMNS)
    wanted = [
        {name: None if value == "" else value for name, value in record.items()}
        for record in records
    ]
    got = [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
    assert wanted == got


@pytest.mark.parametrize("arrow", [True, False])
def test_a_long_table_is_the_sum_of_its_parts(tmp_path, monkeypatch, arrow):
    """Read two rows at a time, with Arrow or without it, a table is what it is when read at once."""
    file = tmp_path / "utterances.csv"
    texts = ["007", "'quoted'", 'a "b", c', "two\r\nlines", None, "=1+1", "ß"]
    records = [
        {
            column.name: {"text": text, "whole": at or None, "real": at / 3, "flag": at % 2 == 0}[
                column.kind
            ]
            for column in UTTERANCE_COLUMNS
        }
        for at, text in enumerate(texts)
    ]
    file.write_bytes(
        b"".join(csv_lines([SimpleNamespace(**one) for one in records], UTTERANCE_COLUMNS))
    )
    whole = read_table(file, UTTERANCE_COLUMNS)
    monkeypatch.setattr(table, "_AT_ONCE", 2)
    if not arrow:
        monkeypatch.setattr(table, "find_spec", lambda _: None)
    parts = read_table(file, UTTERANCE_COLUMNS)
    pd.testing.assert_frame_equal(whole, parts)
    assert records == [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in parts.to_dict("records")
    ]


@given(records=st.lists(RECORD, min_size=1, max_size=4))
def test_no_cell_is_a_formula(records):
    """No text cell begins with what a spreadsheet runs, and no missing cell is written as a word."""
    lines = csv_lines([SimpleNamespace(**record) for record in records], UTTERANCE_COLUMNS)
    text = b"".join(lines).decode()
    for record, line in zip(records, csv.DictReader(io.StringIO(text, newline="")), strict=True):
        for column in UTTERANCE_COLUMNS:
            cell = line[column.name]
            if column.kind == "text":
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            if record[column.name] is None:
                assert "" == cell


def test_pandas_reads_the_same(run):
    """Pandas' own reader finds the same cells as ours, the leading quotes aside."""
    folder = run()
    build_reports(folder)
    ours = harness.read_run(folder)
    theirs = pd.read_csv(folder / "utterances.csv", dtype="string", keep_default_na=False)
    for name in ours:
        if ours[name].dtype == "string":
            assert list(ours[name].fillna("")) == [cell.removeprefix("'") for cell in theirs[name]]
    assert list(ours["errors"].dropna()) == [int(cell) for cell in theirs["errors"] if cell]


def test_the_columns_are_those_that_people_rely_on():
    """Names and order of both tables' first columns never change; new ones come behind them."""
    utterances = " ".join(column.name for column in UTTERANCE_COLUMNS)
    summary = " ".join(column.name for column in SUMMARY_COLUMNS)
    assert utterances.startswith(
        "utterance_id dataset locale model repeat outcome reference hypothesis metric errors hits substitutions "
        "deletions insertions reference_tokens rate audio_s first_text_s final_text_s speech_bounds_source setup_s "
        "send_lag_p50_ms send_lag_p99_ms late attempts prompt_tokens response_tokens total_tokens cost_usd reason"
    )
    assert summary.startswith(
        "dataset locale model metric utterances scored failed rate rate_low rate_high rate_norm1 wer cer cerns mer "
        "audio_s first_text_p50_s first_text_p95_s final_text_p50_s final_text_p95_s late_sessions prompt_tokens "
        "response_tokens total_tokens cost_usd profile"
    )


@pytest.mark.parametrize(
    "column", [*UTTERANCE_COLUMNS, *SUMMARY_COLUMNS], ids=lambda column: column.name
)
def test_a_column_is_documented(column: Column):
    """Every column says what it means, and a unit stands in the name or beside it."""
    assert column.meaning.endswith(".")
    assert column.missing
    units = (("_per_s", "1/s"), ("_s", "s"), ("_ms", "ms"), ("_usd", "USD"))
    unit = next((unit for suffix, unit in units if column.name.endswith(suffix)), column.unit)
    assert unit == column.unit


def test_types_are_as_declared(run):
    """`read_run` gives whole numbers as whole numbers, flags as flags, and pandas' missing value where there is none."""
    folder = run()
    build_reports(folder)
    frame = harness.read_run(str(folder))
    assert ("Int64", "Float64", "boolean", "string") == tuple(
        str(frame[name].dtype) for name in ("errors", "rate", "late", "reason")
    )
    never = frame[frame["utterance_id"] == "en-never"].iloc[0]
    assert pd.NA is never["outcome"]
    assert pd.NA is never["rate"]
    assert "not attempted" == never["reason"]


def test_excel_gets_its_mark_and_others_do_not(run):
    """`--excel` puts one byte-order mark before the CSV files, which `read_run` does not see; without it there is none."""
    folder = run()
    build_reports(folder)
    plain = (folder / "utterances.csv").read_bytes()
    build_reports(folder, excel=True)
    marked = (folder / "utterances.csv").read_bytes()
    assert b"utterance_id," == plain[:13]
    assert b"\xef\xbb\xbf" + plain == marked
    assert "utterance_id" == harness.read_run(folder).columns[0]


@pytest.mark.parametrize("group", [3, 10_000])
def test_parquet_holds_the_same(run, monkeypatch, group):
    """`utterances.parquet` holds the same rows and types as the CSV, and whose they are, in however many parts."""
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(write, "_GROUP", group)
    folder = run()
    built = build_reports(folder)
    parquet = pd.read_parquet(folder / "utterances.parquet")
    pd.testing.assert_frame_equal(built.utterances(), parquet, check_dtype=False)
    assert [str(one) for one in built.utterances().dtypes] == [str(one) for one in parquet.dtypes]
    assert {
        "plan_hash": built.summary.plan_hash,
        "profile": built.summary.profile.id,
    } == parquet.attrs


@pytest.mark.parametrize(
    "content, told",
    [
        (None, "there is no such table"),
        (b"id,text\r\n1,2\r\n", "lacks the column utterance_id"),
        (b"\xff\xfe\x00", "not a readable table"),
        ([1], "utterances.csv:2: 1 cells"),
        ([48, 46], "utterances.csv:2: 48 cells"),
        ([47, 46, 48], "utterances.csv:3: 46 cells"),
        ([47, 48], "utterances.csv:3: 48 cells"),
        ("word", "utterances.csv:2: repeat is 'often'"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, content, told):
    """A table that is missing, foreign, undecodable or torn is named, with the line where there is one."""
    header = ",".join(column.name for column in UTTERANCE_COLUMNS)
    if isinstance(content, list):
        rows = ["a" + "," * (cells - 1) for cells in content]
        content = "\r\n".join([header, *rows, ""]).encode()
    elif content == "word":
        cells = ["often" if column.name == "repeat" else "" for column in UTTERANCE_COLUMNS]
        content = f"{header}\r\n{','.join(cells)}\r\n".encode()
    if content is not None:
        (tmp_path / "utterances.csv").write_bytes(content)
    with pytest.raises(InputError) as error:
        harness.read_run(tmp_path)
    assert told in str(error.value)
