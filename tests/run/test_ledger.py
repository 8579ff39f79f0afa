"""What was begun: written down before it can cost anything, read back whatever was torn, and kept small."""

from __future__ import annotations

import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.run import ledger
from harness.run.bill import spent_usd
from harness.run.demand import Demand, transcription
from harness.run.folder import BEGUN, read_journal
from harness.run.journal import KILLED, STOPPED, Journal
from harness.run.ledger import Ledger, Stake
from harness.run.orphans import read_attempts
from tests.run.test_journal import entry
from tests.session.memory import MODEL

ONE = transcription(1.0)


def stake(number: int, takes: Demand | None = ONE, attempt=1) -> Stake:
    """Return what is written of the attempt at an utterance."""
    return Stake(
        utterance=f"u{number}",
        dataset="d",
        locale="ar-XA",
        model=MODEL,
        repeat=1,
        attempt=attempt,
        takes=takes,
        at="2026-01-01T00:00:00Z",
    )


def record(number: int, attempt=1):
    """Return the record of that attempt."""
    return entry(number, model=MODEL, attempt=attempt)


@given(
    steps=st.lists(st.tuples(st.sampled_from(["begin", "end", "not"]), st.integers(0, 5))),
    most=st.integers(1, 9),
)
def test_what_was_open_is_known_after_a_kill(tmp_path_factory, steps, most):
    """Whatever was begun, gone on with, ended and never asked, and however often the file was written anew: it says what is open."""
    folder = tmp_path_factory.mktemp("run")
    kept = Ledger(folder)
    known: dict[tuple[int, int], Demand] = {}
    ended = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "MOST_LINES", most)
        for what, number in steps:
            attempt = 1 + sum(one.utterance == f"u{number}" for one in ended)
            before = known.pop((number, attempt), Demand())
            match what:
                case "begin":
                    kept.begin(stake(number, attempt=attempt))
                    known[number, attempt] = before + transcription(1.0)
                case "not":
                    kept.begin(stake(number, None, attempt=attempt))
                case "end":
                    ended.append(record(number, attempt))
                    kept.end(ended[-1])
    again = Ledger(folder)
    for one in ended:
        again.end(one)
    assert known == {(int(r.utterance[1:]), r.attempt): r.lost for r in again.lost("why")}
    assert [] == list(folder.glob("*.part"))
    if (folder / BEGUN).exists():
        assert (folder / BEGUN).read_bytes().count(b"\n") <= most + 6


@given(st.integers(0, 1000))
def test_a_torn_line_is_no_session(tmp_path_factory, cut):
    """Wherever the file is cut, what its whole lines tell of is open; the torn one was never asked for."""
    folder = tmp_path_factory.mktemp("run")
    kept = Ledger(folder)
    for number in range(3):
        kept.begin(stake(number))
    whole = (folder / BEGUN).read_bytes()[:cut]
    (folder / BEGUN).write_bytes(whole)
    again = Ledger(folder)
    lines = whole.count(b"\n")
    assert [f"u{n}" for n in range(lines)] == [r.utterance for r in again.lost("why")]


def test_a_session_that_was_killed_has_a_record_of_what_it_was_to_take(tmp_path):
    """When a run goes on, each attempt without a record gets one that counts for its estimate; none that has one does."""
    kept = Ledger(tmp_path)
    for number in range(3):
        kept.begin(stake(number))
    kept.begin(stake(2, transcription(0.5)))
    (tmp_path / "journal.jsonl").write_bytes(msgspec.json.encode(record(1)) + b"\n")
    with Journal(tmp_path):
        assert not (tmp_path / BEGUN).exists()
    done, *lost = read_journal(tmp_path)
    assert record(1) == done
    assert [("u0", 1, False), ("u2", 1, False)] == [(r.utterance, r.attempt, r.final) for r in lost]
    assert {KILLED} == {r.reason for r in lost}
    assert [transcription(1.0), transcription(1.0) + transcription(0.5)] == [r.lost for r in lost]
    assert all(spent_usd(r) > 0 for r in lost)
    with Journal(tmp_path):
        pass
    assert [done, *lost] == read_journal(tmp_path), "once"


def test_a_run_that_ends_leaves_a_record_of_each_session(tmp_path):
    """What is open when the journal is closed, whyever that is, has its record then, and the file is gone."""
    with Journal(tmp_path) as journal:
        for number in range(3):
            journal.begin(stake(number))
        assert 3 == (tmp_path / BEGUN).read_bytes().count(b"\n")
        journal.append(record(0))
        journal.begin(stake(1, None))
    assert not (tmp_path / BEGUN).exists()
    done, lost = read_journal(tmp_path)
    assert (record(0), "u2", STOPPED) == (done, lost.utterance, lost.reason)


@pytest.mark.parametrize("cut", [1, -1])
def test_what_is_begun_behind_half_a_line_is_known(tmp_path, cut):
    """Where a run died in the midst of its first line, the session that is begun next is not lost with it."""
    begun = msgspec.json.encode(stake(0)) + b"\n"
    (tmp_path / BEGUN).write_bytes(begun[:cut])
    with Journal(tmp_path) as journal:
        journal.begin(stake(1))
        assert ["u1"] == [r.utterance for r in Ledger(tmp_path).lost("why")]
    assert [("u1", STOPPED)] == [(r.utterance, r.reason) for r in read_journal(tmp_path)]


def test_a_line_in_the_midst_that_cannot_be_read_is_named(tmp_path):
    """It was whole once, so its session may have been paid: it is not passed over as if it had been torn."""
    lines = [msgspec.json.encode(stake(n)) + b"\n" for n in range(3)]
    lines[1] = lines[1][:40] + b"\n"
    (tmp_path / BEGUN).write_bytes(b"".join(lines))
    for reader in (Journal(tmp_path).__enter__, lambda: read_attempts(tmp_path)):
        with pytest.raises(
            InputError, match=r"begun\.jsonl:2: not a readable line of what is begun"
        ) as told:
            reader()
        assert "remove that line" in str(told.value)


def test_a_session_costs_one_write(tmp_path, monkeypatch):
    """To begin a session is one write and nothing else that reaches the disk; to end it, none."""
    calls = []
    for name in ("write", "open", "fsync", "fdatasync", "replace", "close"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, _name=name, _real=real: calls.append(_name) or _real(*a)
        )
    kept = Ledger(tmp_path)
    kept.begin(stake(0))
    assert ["open", "write"] == calls
    for number in range(1, 100):
        kept.begin(stake(number))
        kept.end(record(number))
    assert ["open"] + 100 * ["write"] == calls


def test_no_session_is_begun_that_cannot_be_written_down(tmp_path, monkeypatch):
    """On a full disk that is said before the service is asked, and half a line is no session and the last."""
    whole = os.write
    with Journal(tmp_path) as journal:
        journal.begin(stake(0))
        monkeypatch.setattr(os, "write", lambda fd, data: whole(fd, data[:20]))
        with pytest.raises(InputError, match=r"begun\.jsonl: cannot be written: No space left"):
            journal.begin(stake(1))
        monkeypatch.undo()
        with pytest.raises(InputError, match="No space left"):
            journal.begin(stake(2))
    assert ["u0"] == [r.utterance for r in read_journal(tmp_path)]


def test_a_ledger_that_cannot_be_read_is_named(tmp_path):
    """One that is no file is an error with its path, and the journal is free again."""
    (tmp_path / BEGUN).mkdir()
    with pytest.raises(InputError, match=r"begun\.jsonl: cannot be read"), Journal(tmp_path):
        pass
    (tmp_path / BEGUN).rmdir()
    with Journal(tmp_path):
        pass
