"""The journal on disk: nothing finished is lost, nothing torn is believed, nobody shares it."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.run.folder import JOURNAL, read_journal
from harness.run.journal import Journal
from harness.run.record import UtteranceRecord

HOLD = """
import sys, pathlib
from harness.run.journal import Journal
with Journal(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def entry(number: int, **more) -> UtteranceRecord:
    """Return a record."""
    facts = {
        "utterance": f"u{number}",
        "dataset": "d",
        "locale": "ar-XA",
        "model": "m",
        "repeat": 1,
        "attempt": 1,
        "final": True,
        "trace": None,
        "outcome": "ok",
        "started_at": "2026-01-01T00:00:00Z",
        "hypothesis": "line\nbreak \u2028 واحد",
    }
    return UtteranceRecord(**(facts | more))


def test_what_is_appended_is_read_back(tmp_path):
    """Records come back equal and in order, over several openings."""
    for start in (0, 3):
        with Journal(tmp_path) as journal:
            for number in range(start, start + 3):
                journal.append(entry(number))
    assert [entry(n) for n in range(6)] == read_journal(tmp_path)


@given(st.integers(0, 2000))
def test_a_torn_line_is_repaired(tmp_path_factory, cut):
    """Wherever the file is cut, every whole line is kept, the torn one is dropped, and appending goes on."""
    folder = tmp_path_factory.mktemp("journal")
    with Journal(folder) as journal:
        for number in range(5):
            journal.append(entry(number))
    path = folder / JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole))])
    kept = whole[: min(cut, len(whole))].count(b"\n")
    assert kept == len(read_journal(folder))
    with Journal(folder) as journal:
        journal.append(entry(99))
    assert [*(entry(n) for n in range(kept)), entry(99)] == read_journal(folder)


def test_a_corrupt_line_in_the_middle_is_named(tmp_path):
    """A line that cannot be read is an error with its file and number, never passed over."""
    with Journal(tmp_path) as journal:
        journal.append(entry(0))
    path = tmp_path / JOURNAL
    path.write_bytes(path.read_bytes() + b'{"half":\n' + msgspec.json.encode(entry(1)) + b"\n")
    with pytest.raises(InputError, match=r"journal\.jsonl:2"):
        read_journal(tmp_path)


@pytest.mark.wall
def test_two_processes_cannot_write_one_journal(tmp_path):
    """While one process holds the folder, another is told so; when it has died, the lock died with it."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLD,
            str(tmp_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert b"held\n" == holder.stdout.readline()
        with pytest.raises(InputError, match="another run"), Journal(tmp_path):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with Journal(tmp_path) as journal:
        journal.append(entry(0))
    assert [entry(0)] == read_journal(tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_a_full_disk_is_named(tmp_path):
    """When nothing more can be written, that is said, and what was finished is kept."""
    journal = Journal(tmp_path)
    import os

    journal._fd = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(InputError, match="No space left"):
        journal.append(entry(0))
    os.close(journal._fd)
