"""Which run goes on: a folder that lacks its plan or cannot be read is never passed over, as if nothing had been paid there."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from harness.clock import run_virtual
from harness.errors import InputError
from harness.run import runs
from harness.run.execute import open_folder
from harness.run.folder import JOURNAL, PLAN, REPORT, TRACES, read_plan, unfinished
from harness.run.orphans import read_attempts
from harness.run.plan import run_id
from tests.run.crash import planned, sitting, tables
from tests.run.disk import Disk, Killed
from tests.run.runs import plan, run, utterance
from tests.session.memory import Service, polite

MADE = plan([utterance(n, 0.2) for n in range(3)])


@pytest.fixture
def ran(tmp_path):
    """Give a run's folder as it is named by itself, without a report."""
    folder = tmp_path / "reports" / run_id(MADE)
    run_virtual(run(MADE, folder, Service(polite(" hello"))))
    return folder


def left(folder, out):
    """Return what is left to be asked of `MADE` when it is run again, after a look at where it goes on."""
    opened = open_folder(MADE, out, folder.parent)
    assert (folder, True) == (opened.folder, opened.continues)
    return unfinished(opened.plan, read_attempts(folder))


@pytest.mark.parametrize("named", [False, True], ids=["by itself", "--out"])
@pytest.mark.parametrize("rest", ["all", "no journal", "no traces", "reported"])
def test_a_plan_that_is_gone_is_written_again(ran, capsys, named, rest):
    """The same command knows the run by its name, writes the plan anew, says so on stderr and in the plan, and asks nothing again."""
    (ran / PLAN).unlink()
    if rest == "no journal":
        (ran / JOURNAL).unlink()
    if rest == "no traces":
        shutil.rmtree(ran / TRACES)
    if rest == "reported":
        (ran / REPORT).write_text("page")
    assert len(left(ran, ran if named else None)) == (3 if rest == "no journal" else 0)
    told = capsys.readouterr().err
    (note,) = read_plan(ran).notes
    assert "plan.json was missing and was written again at 20" in note
    assert f"note: {ran}: {note}\n" == told
    (ran / REPORT).unlink(missing_ok=True)
    service = Service(polite(" hello"))
    run_virtual(run(MADE, ran, service))
    assert [] == service.lines
    assert [] == unfinished(MADE, read_attempts(ran))


def test_a_folder_of_another_name_is_known_by_its_traces(ran, tmp_path):
    """What --out named is the run's own when a trace says so; when none does, that is said, and nothing is written or asked."""
    folder = (ran.parent / "mine").resolve()
    ran.rename(folder)
    (folder / PLAN).unlink()
    other = plan([utterance(n, 0.3) for n in range(2)])
    for asked, without in ((other, None), (MADE, folder / TRACES)):
        if without:
            without.rename(tmp_path / "away")
        with pytest.raises(InputError, match=r"its plan\.json is missing") as told:
            open_folder(asked, folder, ran.parent)
        assert "put plan.json back from a copy" in told.value.hint
        assert not (folder / PLAN).exists()
    (tmp_path / "away").rename(folder / TRACES)
    assert [] == left(folder, None)


def test_a_report_of_a_run_without_its_plan_says_what_to_do(ran, tmp_path):
    """Who reports it is told to give the run's command again, for this folder; who names any other folder is not."""
    (ran / PLAN).unlink()
    for folder, words in ((ran, f"again with --out {ran}"), (tmp_path, "harness run … --out DIR")):
        with pytest.raises(InputError, match="not a run folder") as told:
            read_plan(folder)
        assert words in told.value.hint


def test_what_is_no_folder_at_all_is_said(tmp_path):
    """A name that is mistyped, and a file, are told from a folder that holds no run."""
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name, why in (("nope", "no such folder"), ("file", "a file"), ("folder", "no plan.json")):
        with pytest.raises(InputError, match="not a run folder") as told:
            read_plan(tmp_path / name)
        assert why in told.value.why


def test_what_was_open_when_a_run_died_is_told_once_though_its_plan_is_gone(tmp_path):
    """Killed between a trace and its line, and robbed of its plan, a run still goes on to an undisturbed run's tables."""
    with Disk(tmp_path / "quiet").watched() as disk:
        sitting(planned(1), tmp_path / "quiet", 3)
    folder, at = tmp_path / "run", disk.steps.index("write journal.jsonl") + 12
    with Disk(folder, dies_at=at).watched(), pytest.raises((Killed, BaseExceptionGroup)):
        sitting(planned(1), folder, 3)
    (folder / PLAN).unlink()
    sitting(planned(1), folder, 3)
    assert tables(tmp_path / "quiet") == tables(folder)


def test_runs_of_other_plans_are_told_by_their_outline(ran, monkeypatch):
    """Of a folder full of runs only those are read that may be of the plan: the others may have a million utterances."""
    read = []
    monkeypatch.setattr(runs, "read_plan", lambda folder: read.append(folder) or read_plan(folder))
    for other in ({"setups": {}}, {"repeats": 2}, {"utterances": MADE.utterances[:2]}):
        told = msgspec.structs.replace(MADE, hash="0" * 64, **other)
        assert [] == list(runs.runs_of(told, None, ran.parent))
    assert [] == read
    assert [ran] == [run.folder for run in runs.runs_of(MADE, None, ran.parent)]
    assert [ran] == read


@pytest.mark.parametrize("file", [PLAN, JOURNAL])
def test_an_unfinished_run_that_cannot_be_read_is_not_paid_again(ran, tmp_path, file):
    """By itself the command names its file and line and what to do; --out begins another run; a finished one is in nobody's way."""
    whole = (ran / file).read_bytes()
    (ran / file).write_bytes(b"{}\n" + whole)
    with pytest.raises(InputError, match=rf"cannot go on: .*{file}") as told:
        open_folder(MADE, None, ran.parent)
    assert "--out DIR begins another run, which pays for every session again" in told.value.hint
    assert not open_folder(MADE, tmp_path / "new", ran.parent).continues
    (ran / REPORT).write_text("page")
    later = plan(MADE.utterances, created_at="2026-01-03T00:00:00.000Z")
    assert not open_folder(later, None, ran.parent).continues


@pytest.mark.parametrize(
    "change",
    [
        (b'"id": "u0001"', b'"id": "u0009"'),
        (b'"hash": "', b'"hash": "0'),
        (b'"pace": 1.0', b'"pace": 4.0'),
    ],
)
@pytest.mark.parametrize("named", [False, True], ids=["by itself", "--out"])
def test_a_plan_that_was_changed_is_named(ran, change, named):
    """One that is not what its own hash is of is no other run's plan: it is named, and written anew when it is taken away."""
    whole = (ran / PLAN).read_bytes()
    (ran / PLAN).write_bytes(whole.replace(*change, 1))
    assert whole != (ran / PLAN).read_bytes()
    with pytest.raises(InputError, match=r"plan\.json: is not the plan that its hash is of"):
        open_folder(MADE, ran if named else None, ran.parent)
    (ran / PLAN).unlink()
    assert [] == left(ran, ran if named else None)
