"""The journal on disk: nothing finished is lost, nothing torn is believed, nobody shares it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run_virtual
from harness.errors import InputError
from harness.report.comparison.comparable import reported_profile
from harness.run import folder, lines
from harness.run.certificate import read_certificates
from harness.run.folder import JOURNAL, read_journal
from harness.run.heard import read_heard
from harness.run.journal import SYNC_EVERY_S, Journal
from harness.run.ledger import Ledger
from harness.run.record import Usage, UtteranceRecord
from tests.run.runs import directly, plan, utterance

HOLD = """
import sys, pathlib
from harness.run.journal import SYNC_EVERY_S, Journal
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


def test_a_line_from_before_a_field_was_known_is_read(tmp_path):
    """A journal of an earlier version, whose records lack what has been added since, is read with that unknown."""
    billed = msgspec.structs.replace(entry(0), usage=Usage(records=1, prompt_tokens=5))
    line = msgspec.to_builtins(billed)
    for name in ("cached_tokens", "tool_use_tokens", "cached_by_modality", "tool_use_by_modality"):
        del line["usage"][name]
    (tmp_path / JOURNAL).write_bytes(msgspec.json.encode(line) + b"\n")
    assert [billed] == read_journal(tmp_path)


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
    with Journal(tmp_path) as journal:
        journal.append(entry(0))
        real, journal._fd = journal._fd, os.open("/dev/full", os.O_WRONLY)
        with pytest.raises(InputError, match="No space left"):
            journal.append(entry(1))
        os.close(journal._fd)
        journal._fd = real
    assert [entry(0)] == read_journal(tmp_path)


def test_nothing_is_written_behind_half_a_line(tmp_path, monkeypatch):
    """After a line that found no room no other is written, so the torn one is the last and is mended by the next sitting."""
    whole = os.write
    with Journal(tmp_path) as journal:
        journal.append(entry(0))
        monkeypatch.setattr(os, "write", lambda fd, data: whole(fd, data[:20]))
        with pytest.raises(InputError, match="No space left"):
            journal.append(entry(1))
        monkeypatch.undo()
        with pytest.raises(InputError, match="No space left"):
            journal.append(entry(2))
    with Journal(tmp_path) as journal:
        journal.append(entry(1))
    assert [entry(0), entry(1)] == read_journal(tmp_path)


def test_a_disk_that_cannot_be_synced_is_told_by_the_next_line(tmp_path, monkeypatch):
    """An error of the sync beside the loop is raised by the next append, and by the close; what was written stays."""
    told = []

    def failing(fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def main(journal):
        monkeypatch.setattr(os, "fdatasync", failing)
        keeping = asyncio.create_task(journal.keep_synced())
        journal.append(entry(0))
        await asyncio.sleep(1.5 * SYNC_EVERY_S)
        keeping.cancel()
        try:
            journal.append(entry(1))
        except (
            InputError
        ) as error:  # the close raises one too, and would hide that this one is missing
            told.append(str(error))

    monkeypatch.setattr(asyncio, "to_thread", directly)
    with pytest.raises(InputError, match="Input/output error"), Journal(tmp_path) as journal:
        run_virtual(main(journal))
    assert ["Input/output error" in words for words in told] == [True]
    assert [entry(0)] == read_journal(tmp_path)


def test_a_system_without_fdatasync_syncs_the_whole(tmp_path, monkeypatch):
    """Where the system brings only whole files onto the disk, as macOS does, a journal is written all the same."""
    synced = []
    monkeypatch.delattr(os, "fdatasync")
    monkeypatch.setattr(os, "fsync", synced.append)
    with Journal(tmp_path) as journal:
        journal.append(entry(0))
    assert synced
    assert [entry(0)] == read_journal(tmp_path)


def test_what_is_written_is_on_the_disk_a_second_later(tmp_path, monkeypatch):
    """Within a second of a line the journal is synced, once for all lines of that second, and never without one."""
    synced = []

    async def main(journal):
        def times() -> list[float]:
            return [round(at, 6) for at in synced]

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(os, "fdatasync", lambda _: synced.append(loop.time()))
        keeping = asyncio.create_task(journal.keep_synced())
        await asyncio.sleep(2.5)
        assert [] == times()
        journal.append(entry(0))
        await asyncio.sleep(SYNC_EVERY_S)
        assert [3.0] == times()
        journal.append(entry(1))
        journal.append(entry(2))
        await asyncio.sleep(5.0)
        assert [3.0, 4.0] == times()
        keeping.cancel()

    monkeypatch.setattr(asyncio, "to_thread", directly)
    with Journal(tmp_path) as journal:
        run_virtual(main(journal))
        journal.append(entry(3))
        before = len(synced)
    assert before + 1 == len(synced), "and when it is closed"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows keeps no modes")
def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    """A journal that may not be opened for writing is an error with its path and the system's words."""

    def refusing(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(
        InputError, match=r"journal\.jsonl: cannot be written[^$]*Permission denied"
    ):
        Journal(tmp_path).__enter__()


@given(st.binary(max_size=300), st.integers(0, 3))
def test_any_bytes_are_read_or_named(tmp_path_factory, data, whole):
    """Whatever bytes a journal holds, it is read, or an error names the line; nothing else is raised."""
    folder = tmp_path_factory.mktemp("journal")
    lines = b"".join(msgspec.json.encode(entry(n)) + b"\n" for n in range(whole))
    (folder / JOURNAL).write_bytes(lines + data)
    try:
        found = read_journal(folder)
    except InputError as error:
        told = str(error)
        found = [entry(n) for n in range(whole)]
    else:
        told = f"{JOURNAL}:{whole + 1}"
    assert [entry(n) for n in range(whole)] == found[:whole]
    assert f"{JOURNAL}:{whole + 1}" in told or b"\n" in data


READERS = {
    "journal.jsonl": read_journal,
    "begun.jsonl": Ledger,
    "certificate.jsonl": read_certificates,
    "heard.jsonl": read_heard,
}
"""Files of a line each, and who reads them."""


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("whole", [0, 3])
def test_a_line_without_end_is_named(tmp_path, monkeypatch, name, whole):
    """A line that is longer than any of ours is named with its file, not read to its end; one that is merely torn is not."""
    monkeypatch.setattr(lines, "LINE_BYTES", 10_000)
    whole = whole if LINES[name] else 0
    (tmp_path / name).write_bytes(LINES[name] * whole)
    READERS[name](tmp_path)
    with (tmp_path / name).open("ab") as file:
        file.write(b"{" * 10_000)
    with pytest.raises(InputError, match=rf"{name}:{whole + 1}: a line of more than"):
        READERS[name](tmp_path)


LINES = {
    "journal.jsonl": msgspec.json.encode(entry(0)) + b"\n",
    "begun.jsonl": b"",
    "certificate.jsonl": b"",
    "heard.jsonl": b"",
}


@pytest.mark.parametrize("name", READERS)
def test_ten_gigabytes_without_a_line_end_take_no_memory(tmp_path, name):
    """A file of ten gigabytes of nothing is named after as much as the longest line of ours; no more is ever in memory."""
    with (tmp_path / name).open("wb") as file:
        file.truncate(10 * 2**30)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=rf"{name}:1: a line of more than 32 MiB"):
            READERS[name](tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 4 * lines.LINE_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_journal_that_is_removed_is_told_at_the_next_record(tmp_path):
    """Nobody goes on paying for sessions whose records are in a file that no folder has any more."""
    with Journal(tmp_path) as journal:
        journal.append(entry(0))
        (tmp_path / JOURNAL).unlink()
        with pytest.raises(InputError, match="not there, or not whole, any more"):
            journal.append(entry(1))


def test_a_record_that_no_line_holds_is_named(tmp_path, monkeypatch):
    """A record beyond a line's length is written as a failure that says so: the run goes on, and everybody can read its journal."""
    monkeypatch.setattr("harness.run.journal.LINE_BYTES", 10_000)
    monkeypatch.setattr(lines, "LINE_BYTES", 10_000)
    flood = Usage(records=1, prompt_by_modality={"X" * 100_000: 1})
    with Journal(tmp_path) as journal:
        journal.append(entry(0, usage=flood, trace="traces/u0.jsonl.gz"))
        journal.append(entry(1))
    told, other = read_journal(tmp_path)
    assert ("u0", "failed_client", True) == (told.utterance, told.outcome, folder.settles(told))
    assert "more than a line of the journal may" in told.reason
    assert entry(1) == other


def test_a_record_that_no_line_holds_costs_what_it_cost(tmp_path, monkeypatch):
    """What the service counted of a session too long to be told is kept: a budget goes by its bill, not by an estimate."""
    monkeypatch.setattr("harness.run.journal.LINE_BYTES", 10_000)
    bill = Usage(records=1, total_tokens=77, prompt_by_modality={"AUDIO": 70}, response_tokens=7)
    with Journal(tmp_path) as journal:
        journal.append(entry(0, usage=bill, hypothesis="x" * 20_000))
    (told,) = read_journal(tmp_path)
    assert (bill, None) == (told.usage, told.hypothesis)


def test_ten_gigabytes_in_the_place_of_a_document_are_named(tmp_path):
    """A plan or a summary that is longer than any of ours is named by its size, and no byte of it is read."""
    folder.write_plan(tmp_path, plan([utterance(0)]))
    with (tmp_path / "plan.json").open("r+b") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(InputError, match=r"plan\.json: more than 2048 MiB"):
        folder.read_plan(tmp_path)
    with (tmp_path / "summary.json").open("wb") as file:
        file.truncate(10 * 2**30)
    assert reported_profile(tmp_path) is None


def test_a_torn_end_of_any_length_is_cut_off(tmp_path):
    """What stands behind the last line's end is cut off though it is longer than a look at the end takes in."""
    with (tmp_path / JOURNAL).open("wb") as file:
        file.write(LINES[JOURNAL] * 2)
        file.truncate(5 * 2**20)
    with Journal(tmp_path):
        assert 2 * LINES[JOURNAL] == (tmp_path / JOURNAL).read_bytes()


DEEP = [b"[" * 100_000, b'{"a":' * 100_000, b'{"frame":' + b"[" * 5000 + b"]" * 5000 + b"}"]


@pytest.mark.parametrize("deep", DEEP, ids=["lists", "objects", "closed"])
def test_deep_json_is_named(tmp_path, deep):
    """JSON that nests without end is an error that names the file and line, in whichever file of a run it stands."""
    for name, read in READERS.items():
        (tmp_path / name).write_bytes(deep + b"\n")
        with pytest.raises(InputError, match=rf"{name}:1: "):
            read(tmp_path)
        (tmp_path / name).unlink()
    (tmp_path / "plan.json").write_bytes(deep)
    with pytest.raises(InputError, match=r"plan\.json: not a readable plan"):
        folder.read_plan(tmp_path)
    (tmp_path / "summary.json").write_bytes(deep)
    assert reported_profile(tmp_path) is None


@pytest.mark.parametrize("text", [b"\\ud800", b"\xed\xa0\x80", b"\xff", b"\x00"])
def test_text_that_is_none_is_named(tmp_path, text):
    """A lone surrogate, bytes that are no UTF-8 and NUL in a journal are read as text that can be printed, or named."""
    line = LINES[JOURNAL].replace(b'"ar-XA"', b'"' + text + b'"')
    (tmp_path / JOURNAL).write_bytes(line)
    with contextlib.suppress(InputError):
        (record,) = read_journal(tmp_path)
        record.locale.encode()


@pytest.mark.parametrize("name", ["plan.json", "journal.jsonl", "report.html", "heard.jsonl"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_named(tmp_path, name, kind):
    """A pipe or a device in a run folder is named before anybody reads it, since nobody comes to its end."""
    folder.write_plan(tmp_path, plan([utterance(0)]))
    (tmp_path / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(InputError, match=f"{name}: is a pipe or a device"):
        folder.read_plan(tmp_path)


@pytest.mark.parametrize("field", ["total_tokens", "prompt_by_modality"])
def test_a_count_that_no_table_holds_is_named(tmp_path, field):
    """A journal that was edited to a number which no column takes is named, and does not end the report as a bug."""
    with Journal(tmp_path) as journal:
        journal.append(entry(0, usage=Usage(total_tokens=77, prompt_by_modality={"AUDIO": 77})))
    line = (tmp_path / JOURNAL).read_text(encoding="utf-8")
    old = '"total_tokens":77' if field == "total_tokens" else '"AUDIO":77'
    assert old in line
    (tmp_path / JOURNAL).write_text(line.replace(old, old + "0" * 20), encoding="utf-8")
    with pytest.raises(InputError, match=r"journal.jsonl:1: not a readable record"):
        read_journal(tmp_path)


@pytest.mark.parametrize(
    "fault, hint",
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.ENOENT, "put it back where it was"),
        (errno.ENOTDIR, "put it back where it was"),
        (errno.EISDIR, "take away what is in its place"),
        (errno.EEXIST, "take away what is in its place"),
        (errno.EACCES, "make the folder writable"),
        (errno.EROFS, "make the folder writable"),
    ],
)
def test_what_to_do_about_a_place_is_told_by_its_fault(tmp_path, fault, hint):
    """Whoever has moved the folder is not told to make room, nor who has filled the disk to put it back."""
    said = str(folder.unwritable(tmp_path, JOURNAL, OSError(fault, os.strerror(fault))))
    assert f"{tmp_path / JOURNAL}: cannot be written" in said
    assert f"try: {hint}" in said


@pytest.mark.parametrize(
    "end, settled",
    [
        ({"outcome": "ok"}, True),
        ({"outcome": "ok", "final": False}, False),
        ({"outcome": "partial", "failure": "transient"}, True),
        ({"outcome": "failed_server", "failure": "transient"}, True),
        ({"outcome": "failed_server", "failure": "transient", "away": True}, False),
        ({"outcome": "failed_client", "failure": "transient"}, False),
        ({"outcome": "failed_client", "failure": "input"}, True),
        ({"outcome": "failed_quota", "failure": "quota"}, False),
    ],
)
def test_what_was_never_heard_settles_nothing(end, settled):
    """The same command tries again what was refused for quota, reached nobody or was never let through; nothing else is paid twice."""
    assert settled == folder.settles(entry(0, **end))
