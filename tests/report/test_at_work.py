"""A report of a folder in which something goes on while it is written."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.errors import InputError
from harness.report import build
from harness.report.tables.table import UTTERANCES
from harness.run.folder import JOURNAL, read_journal
from harness.run.journal import Journal
from harness.run.orphans import read_attempts
from tests.bench.records import run

HALF = 90
"""Bytes of a torn line."""


@pytest.fixture
def folder(tmp_path):
    """Return a run of six of which the last is half a line: somebody killed it."""
    run(tmp_path / "run", 6)
    path = tmp_path / "run" / JOURNAL
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:5]) + whole[5][:HALF])
    return tmp_path / "run"


def again(folder):
    """Return a record of the first utterance as if it were tried again and heard otherwise."""
    first = read_journal(folder)[0]
    return msgspec.structs.replace(first, attempt=2, hypothesis="something else")


def continued(path):
    """Let a run go on: half a line is cut off, and others are written."""
    record = again(path.parent)
    with Journal(path.parent) as journal:
        for _ in range(3):
            journal.append(record)


def torn(path):
    """Let a run be in the midst of a line."""
    with path.open("ab") as file:
        file.write(b'","outcome":"ok"}\n{"schema":1,"utte')


def turned(path):
    """Change the order of lines where they lie."""
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True)[:5])))


def meanwhile(monkeypatch, happens):
    """Let something happen to the journal once a report has found its lines."""

    def read(folder):
        records = read_attempts(folder)
        happens(folder / JOURNAL)
        return records

    monkeypatch.setattr(build, "read_attempts", read)


@pytest.mark.parametrize("happens", [continued, torn, Path.unlink])
def test_what_happens_meanwhile_is_in_no_row(folder, monkeypatch, happens):
    """A run goes on, writes half a line, or its journal is removed: the rows are those of when the report began."""
    build.build_reports(folder)
    before = (folder / UTTERANCES).read_bytes()
    (folder / UTTERANCES).unlink()
    meanwhile(monkeypatch, happens)
    build.build_reports(folder)
    assert before == (folder / UTTERANCES).read_bytes()


def test_a_journal_that_somebody_changes_meanwhile_is_named(folder, monkeypatch):
    """Lines that lie elsewhere than they did give no row of another utterance: the report stops, and says which line."""
    meanwhile(monkeypatch, turned)
    with pytest.raises(InputError, match=r"journal\.jsonl:1: is not the line any more"):
        build.build_reports(folder)
    assert not (folder / UTTERANCES).exists()
