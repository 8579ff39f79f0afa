"""Attempts without a line in the journal: what is known of them counts, before anybody goes on with the run and after."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from harness.clock import run_virtual
from harness.report.assembly import run_table
from harness.report.build import build_reports
from harness.report.rows.bounds import SpeechBook
from harness.report.summary.retelling import contradictions
from harness.report.verify import differences
from harness.run import orphans
from harness.run.bill import spent_usd
from harness.run.demand import transcription
from harness.run.folder import BEGUN, JOURNAL, REPORT, TRACES, read_journal, read_plan, unfinished
from harness.run.journal import KILLED, Journal
from harness.run.ledger import Ledger, Stake
from harness.run.orphans import OPEN, read_attempts
from harness.trace.file import read_trace, write_trace
from tests.run.crash import Fates, load, planned, sitting, tables, undisturbed
from tests.run.disk import Disk, Killed
from tests.run.runs import plan, run, utterance
from tests.session.memory import Service, polite


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """Give the steps of a run that nothing happens to, and its tables."""
    return undisturbed(tmp_path_factory.mktemp("quiet") / "run")


def dies(folder, at, asked=None, torn=0.0):
    """Leave in `folder` what a run leaves that dies at a step."""
    with Disk(folder, dies_at=at, torn=torn).watched():
        try:
            sitting(planned(1), folder, 3, asked)
        except Killed:
            return
        except BaseExceptionGroup as errors:
            if (others := errors.split(Killed)[1]) is not None:
                raise others from None


def continued(folder):
    """Return what a sitting that goes on writes down of what was open."""
    with Journal(folder):
        pass
    return read_journal(folder)


def test_a_report_counts_what_a_continuation_would(tmp_path, quiet):
    """Wherever a run dies, its attempts by a report are those by the journal of whoever goes on, but for the words."""
    steps, _ = quiet
    opened = 0
    for n in range(steps.index("write begun.jsonl"), len(steps), 4):
        folder = tmp_path / str(n)
        dies(folder, n)
        before = read_attempts(folder)
        opened += any(record.reason == OPEN for record in before)
        named = [
            msgspec.structs.replace(one, reason=KILLED) if one.reason == OPEN else one
            for one in before
        ]
        after = continued(folder)
        assert after == named
        assert after == list(read_attempts(folder))
        shutil.rmtree(folder)
    assert 3 < opened


def table(folder):
    """Return the run in `folder` as its report has it."""
    return run_table(
        folder,
        read_plan(folder),
        read_attempts(folder),
        SpeechBook(folder),
        profile="norm-1n",
        metric="auto",
    )


def test_a_report_of_a_killed_run_names_and_prices_what_was_open(tmp_path, quiet):
    """Its sessions are named, counted as attempts, and what they may have cost is in the estimate, as after continuation."""
    steps, _ = quiet
    journal = [n for n, step in enumerate(steps) if step == "write journal.jsonl"]
    dies(tmp_path / "run", journal[4])
    folder = tmp_path / "run"
    assert (folder / BEGUN).exists()
    before = table(folder)
    told = [one.text for one in before.summary.warnings if "begun and not ended" in one.text]
    open_then = [one for one in read_attempts(folder) if one.reason == OPEN]
    assert open_then
    assert all(one.utterance in told[0] for one in open_then[:3])
    assert 0 < sum(spent_usd(one) for one in open_then)
    continued(folder)
    after = table(folder)
    assert before.summary.attempts == after.summary.attempts
    assert before.summary.cost_usd == after.summary.cost_usd
    assert [row.attempts for row in before.rows] == [row.attempts for row in after.rows]
    assert not any("begun and not ended" in one.text for one in after.summary.warnings)


def test_a_report_of_a_killed_run_can_be_verified(tmp_path, quiet):
    """What is reported of a killed run is what its journal, traces and begun sessions give."""
    steps, _ = quiet
    dies(tmp_path / "run", steps.index("write journal.jsonl") + 20)
    build_reports(tmp_path / "run")
    assert [] == list(differences(tmp_path / "run"))


def test_a_session_whose_trace_lies_there_is_not_paid_twice(tmp_path, quiet):
    """Killed between a trace and its line, a run goes on with the trace's record, marked so, and asks for no session again."""
    steps, whole = quiet
    lines = [n for n, step in enumerate(steps) if step == "write journal.jsonl"]
    sessions = []
    sitting(planned(1), tmp_path / "quiet", 3, sessions)
    found = 0
    for number, at in enumerate(lines):
        folder, asked = tmp_path / str(number), []
        dies(folder, at, asked)
        kept = [one for one in continued(folder) if one.recovered]
        found += len(kept)
        assert all(one.lost is None and one.trace is not None for one in kept)
        sitting(planned(1), folder, 3, asked)
        lost = sum(one.lost is not None for one in read_journal(folder))
        assert len(asked) <= len(sessions) + lost, "none of them is asked for again"
        assert whole == tables(folder)
        assert [] == list(told_otherwise(folder))
        shutil.rmtree(folder)
    assert len(lines) / 2 < found


def told_otherwise(folder):
    """Yield where a journal is not what its traces give."""
    made = read_plan(folder)
    for one in read_journal(folder):
        yield from contradictions(folder, made, one)


@pytest.mark.parametrize("how", ["torn", "another plan", "another attempt"])
def test_a_trace_that_is_not_the_attempts_own_is_not_taken(tmp_path, how):
    """Half a trace, or one of another plan or attempt, tells nothing: the attempt counts for what it was to take."""
    made, folder = plan([utterance(1, 0.2)]), tmp_path / "run"
    run_virtual(run(made, folder, Fates(folder), load=load))
    (first, last) = read_journal(folder)
    begun = folder / BEGUN
    begun.write_bytes(stake_of(last))
    (folder / JOURNAL).write_bytes(msgspec.json.encode(first) + b"\n")
    (told,) = read_attempts(folder)[1:]
    assert (True, True, last.usage) == (told.recovered, told.final, told.usage)
    assert [] == unfinished(made, read_attempts(folder))
    path = folder / last.trace
    if how == "torn":
        path.write_bytes(path.read_bytes()[:-30])
    else:
        trace = read_trace(path)
        change = {"plan": "00"} if how == "another plan" else {"attempt": 7}
        header = msgspec.structs.replace(trace.header, **change)
        write_trace(path, msgspec.structs.replace(trace, header=header))
    (told,) = read_attempts(folder)[1:]
    assert (False, False, OPEN) == (told.recovered, told.final, told.reason)
    assert told.lost is not None


LOSSES = {
    "all": lambda lines: lines[:0],
    "its first lines": lambda lines: lines[7:],
    "its last lines": lambda lines: lines[:7],
    "torn": lambda lines: [*lines[:9], lines[9][:-20]],
    "every second line": lambda lines: lines[::2],
    "the others": lambda lines: lines[1::2],
    "a name": lambda lines: [line.replace(b"u0006", b"u0013") for line in lines],
    "an attempt": lambda lines: [line.replace(b'"attempt":2', b'"attempt":9') for line in lines],
}


@pytest.mark.parametrize("loss", [*LOSSES, "removed"])
def test_no_session_is_paid_again_whose_line_is_lost(tmp_path, quiet, loss):
    """Whatever lines a journal has lost, traces take their place: nothing is asked again, and every text is there.

    The tables are the same where no line was lost before another of its utterance's: such an attempt is only missed.
    """
    _, whole = quiet
    folder, asked = tmp_path / "run", []
    sitting(planned(1), folder, 3)
    journal = folder / JOURNAL
    (folder / REPORT).unlink()
    if loss == "removed":
        journal.unlink()
    else:
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join(LOSSES[loss](lines)))
    sitting(planned(1), folder, 3, asked)
    assert [] == asked
    assert texts(whole) == texts(tables(folder))
    if loss in ("all", "its last lines", "torn", "removed"):
        assert whole == tables(folder)
    if loss not in ("a name", "an attempt"):  # what such a line says is named by its trace
        assert [] == list(told_otherwise(folder))


def texts(found):
    """Return what came of each utterance, less of the one that was given another's name."""
    rows, _ = found
    names = ("utterance_id", "outcome", "hypothesis")
    return [[row[name] for name in names] for row in rows if row["utterance_id"] != "u0013"]


def test_a_session_without_line_and_trace_is_done_again(tmp_path):
    """Who wants a session again takes out its line and its trace."""
    made, folder = plan([utterance(1, 0.2)]), tmp_path / "run"
    run_virtual(run(made, folder, Service(polite(" old"))))
    (folder / JOURNAL).write_bytes(b"")
    for path in (folder / TRACES).iterdir():
        path.unlink()
    run_virtual(run(made, folder, Service(polite(" new"))))
    (whole,) = read_journal(folder)
    assert ("new", 1, False) == (whole.hypothesis, whole.attempt, whole.recovered)


@pytest.mark.parametrize("how", ["another plan", "another place"])
def test_a_trace_that_is_not_the_runs_own_stands_for_none_of_its_sessions(tmp_path, how):
    """A trace of another plan, or one that lies where another's would, is not taken; killed while it is done again, it counts."""
    made, folder, killed = plan([utterance(1, 0.2)]), tmp_path / "run", tmp_path / "killed"
    run_virtual(run(made, folder, Service(polite(" old"))))
    (record,) = read_journal(folder)
    (folder / JOURNAL).write_bytes(b"")
    trace = read_trace(folder / record.trace)
    change = {"plan": "00"} if how == "another plan" else {"attempt": 7}
    header = msgspec.structs.replace(trace.header, **change)
    write_trace(folder / record.trace, msgspec.structs.replace(trace, header=header))
    answer = polite(" new")

    def dying(line, frame):
        if "activityEnd" in frame.get("realtimeInput", {}):
            shutil.copytree(folder, killed)  # what a process leaves that dies now
        answer(line, frame)

    run_virtual(run(made, folder, Service(dying)))
    for found in (read_attempts(killed), continued(killed)):
        (told,) = found
        assert (False, False, None) == (told.recovered, told.final, told.hypothesis)
        assert told.lost is not None
    (whole,) = read_journal(folder)
    assert ("new", 1) == (whole.hypothesis, whole.attempt)


def stake_of(record):
    """Return the line that says that `record`'s attempt was begun."""
    names = ("utterance", "dataset", "locale", "model", "repeat", "attempt")
    facts = {name: getattr(record, name) for name in names}
    stake = Stake(**facts, takes=transcription(0.2), at=record.started_at)
    return msgspec.json.encode(stake) + b"\n"


def test_a_session_that_ends_while_attempts_are_read_is_told_once(tmp_path, monkeypatch):
    """What was open when a report asked, and is in the journal when it reads that, has one record: the journal's."""
    run_virtual(run(plan([utterance(1)]), tmp_path, Service(polite("hello"))))
    (ended,) = read_journal(tmp_path)
    line = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(b"")
    (tmp_path / BEGUN).write_bytes(stake_of(ended))

    class Ending(Ledger):
        """What is begun, and ends once somebody has looked."""

        def __init__(self, folder):
            super().__init__(folder)
            (folder / JOURNAL).write_bytes(line)
            (folder / BEGUN).unlink()

    monkeypatch.setattr(orphans, "Ledger", Ending)
    assert [ended] == list(read_attempts(tmp_path))
