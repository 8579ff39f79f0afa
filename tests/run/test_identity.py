"""What a run is known by, and what of it may be mended while it stays the same run."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run_virtual
from harness.corpus.scenario import Scenario
from harness.errors import BusyError, InputError
from harness.report.summary.retelling import retelling
from harness.run.execute import open_folder
from harness.run.folder import (
    JOURNAL,
    PLAN,
    REPORT,
    read_journal,
    read_plan,
    slots,
    unfinished,
    write_plan,
)
from harness.run.identity import amended, fingerprint, identity
from harness.run.journal import Journal
from harness.run.record import UtteranceRecord
from harness.run.runs import continued, mendable
from tests.run.runs import plan as bare
from tests.run.runs import run, utterance
from tests.run.test_plan import made as made_of_files
from tests.session.memory import Service, polite

UTTERANCES = 6


def plan(utterances, **more):
    """Return a plan that is called after what it asks."""
    told = bare(utterances, **more)
    return msgspec.structs.replace(told, hash=identity(told))


def record(one, **more):
    """Return a final record of an utterance."""
    facts = {
        "utterance": one.id,
        "dataset": one.dataset,
        "locale": one.locale,
        "model": bare([one]).models[0],
        "repeat": 1,
        "attempt": 1,
        "final": True,
        "trace": f"traces/{one.id}.jsonl.gz",
        "outcome": "ok",
        "started_at": "2026-01-02T03:04:05.000Z",
    }
    return UtteranceRecord(**(facts | more))


def unsent(one):
    """Return the record of an utterance that could not be sent."""
    told = {"trace": None, "outcome": "failed_client", "failure": "input", "reason": "no such file"}
    return record(one, unsent=fingerprint(one), **told)


def other(one):
    """Return an utterance with other audio."""
    return msgspec.structs.replace(one, sha256=f"{one.id}, mended")


numbers = st.sets(st.integers(0, UTTERANCES - 1))


@given(sent=numbers, changed=numbers)
def test_a_run_stays_the_same_where_nothing_that_was_sent_has_changed(sent, changed):
    """Another clip makes another run where the first one was sent; else it is the same run, with the new clip to send."""
    were = [utterance(number) for number in range(UTTERANCES)]
    are = [other(one) if number in changed else one for number, one in enumerate(were)]
    there, now = plan(were), plan(are)
    records = [record(one) if number in sent else unsent(one) for number, one in enumerate(were)]
    goes_on = amended(there, now, records)
    if sent & changed:
        assert goes_on is None
        return
    assert (are, now.hash) == (goes_on.utterances, goes_on.hash)
    assert ([there.hash] if changed else []) == goes_on.formerly
    left = {wanted[1] for wanted in unfinished(goes_on, records)}
    assert {were[number].id for number in changed} == left
    assert [] == unfinished(there, records)


@pytest.mark.parametrize(
    "change",
    [
        {"pace": 2.0},
        {"repeats": 2},
        {"models": ("another",)},
        {"task": "speak"},
        {"endpoint": "wss://elsewhere.example/"},
        {"api_version": "v1alpha"},
        {"interrupt_after_s": 1.0},
        {"quiet_s": 5.0},
    ],
)
def test_a_run_that_asks_something_else_is_another(change):
    """What is asked beside the utterances is never amended, whatever was sent."""
    were = [utterance(0), utterance(1)]
    now = plan([other(were[0]), were[1]], **change)
    assert amended(plan(were), now, [unsent(were[0]), record(were[1])]) is None


def test_more_fewer_or_moved_utterances_are_another_run():
    """Utterances that came, went or changed places make another plan: nobody asked for those in the first."""
    were = [utterance(0), utterance(1)]
    for are in ([*were, utterance(2)], were[:1], were[::-1], [were[0], utterance(2)]):
        assert amended(plan(were), plan(are), map(unsent, were)) is None


def test_what_was_sent_is_judged_as_it_was_planned():
    """A mended reference of what was sent is for scoring again; only where files are is taken over."""
    was = utterance(0)
    now = msgspec.structs.replace(was, reference="mended", audio="/elsewhere/u0.wav")
    goes_on = amended(plan([was]), plan([now]), [record(was)])
    assert [msgspec.structs.replace(was, audio="/elsewhere/u0.wav")] == goes_on.utterances
    assert goes_on.formerly == []


def test_what_was_lacking_may_come_with_the_same_hash():
    """An expectation is no part of what is asked, so its question is the same run's, and is asked once it is there."""
    was = msgspec.structs.replace(utterance(0), scenario=Scenario())
    there = plan([was], task="ask")
    now = msgspec.structs.replace(was, reference="what was not there")
    goes_on = amended(there, plan([now], task="ask"), [unsent(was)])
    assert there.hash == goes_on.hash
    assert list(slots(goes_on)) == unfinished(goes_on, [unsent(was)])


def test_a_session_that_may_have_cost_something_was_sent():
    """What a killed process was asking for counts as sent, though no trace tells of it."""
    from harness.run.demand import transcription

    was = utterance(0)
    killed = record(
        was, trace=None, outcome="failed_client", failure="transient", lost=transcription(1)
    )
    assert amended(plan([was]), plan([other(was)]), [killed]) is None


def test_the_hash_of_a_plan_is_that_of_what_it_holds(tmp_path):
    """Whoever has a plan can tell its hash from it."""
    told = made_of_files(tmp_path, api_version="v1alpha", quiet_s=3.0, url="ws://127.0.0.1:1000/")
    assert identity(told) == told.hash
    write_plan(tmp_path, told)
    assert identity(read_plan(tmp_path)) == told.hash


class Counting(Service):
    """Answers politely, and counts its sessions."""

    def __init__(self) -> None:
        self.asked = 0
        answer = polite(" hello")

        def counting(line, frame):
            self.asked += "setup" in frame
            answer(line, frame)

        super().__init__(counting)


def mended_run(folder):
    """Run four utterances of which two cannot be read, mend one; return there and now."""
    were = [utterance(0), utterance(1, None), utterance(2, None), utterance(3)]
    there = plan(were, repeats=2)
    service = Counting()
    run_virtual(run(there, folder, service))
    assert 4 == service.asked
    (folder / REPORT).touch()
    mended = [were[0], msgspec.structs.replace(other(were[1]), duration_s=1.0), *were[2:]]
    return there, plan(mended, repeats=2)


def test_a_finished_run_goes_on_with_what_was_mended_and_nothing_else(tmp_path):
    """Named by its folder, it asks for the mended clip alone; its records contradict neither plan nor traces."""
    folder = tmp_path / "20260102-030405-00000000"
    there, now = mended_run(folder)
    assert continued(now, None, tmp_path) is None, (
        "a finished run goes on when it is named, not before"
    )
    assert folder == mendable(now, tmp_path)
    assert mendable(there, tmp_path) is None
    goes_on = continued(now, folder, tmp_path)
    service = Counting()
    run_virtual(run(goes_on[1], folder, service))
    assert 2 == service.asked
    kept = read_plan(folder)
    assert (now.hash, [there.hash]) == (kept.hash, kept.formerly)
    records = read_journal(folder)
    assert ["u0002", "u0002"] == [
        one.utterance
        for one in records
        if one.unsent and one.unsent == fingerprint(kept.utterances[2])
    ]
    assert [] == unfinished(kept, records)
    assert () == retelling(folder, kept, records).contradictions


def test_an_unfinished_run_goes_on_by_itself(tmp_path):
    """What was never reported goes on with the mended clip by the same command, found under its old name."""
    folder = tmp_path / "20260102-030405-00000000"
    _, now = mended_run(folder)
    (folder / REPORT).unlink()
    opened = open_folder(now, None, tmp_path)
    assert (folder, True) == (opened.folder, opened.continues)
    assert 2 == len(unfinished(opened.plan, read_journal(folder)))
    assert opened.plan == read_plan(folder)
    assert opened == open_folder(now, None, tmp_path)


@pytest.fixture
def gone_on(tmp_path):
    """Give the folder of a run that went on with a mended clip, and the plan as it is since, which asks for nothing more."""
    folder = tmp_path / "reports" / "run"
    there, now = mended_run(folder)
    goes_on = continued(now, folder, folder.parent)
    run_virtual(run(goes_on[1], folder, Counting()))
    return folder.rename(folder.with_name(f"20260102-030405-{there.hash[:8]}")), now


def asked_again(now, folder, out):
    """Return how many sessions the same command asks for, which must go on with the run in `folder`, and what it then lacks."""
    opened = open_folder(now, out, folder.parent)
    assert (folder, True) == (opened.folder, opened.continues)
    service = Counting()
    run_virtual(run(opened.plan, folder, service))
    records = read_journal(folder)
    return service.asked, [
        *unfinished(opened.plan, records),
        *retelling(folder, opened.plan, records).contradictions,
    ]


def test_a_mended_clip_whose_line_is_lost_is_not_paid_again(gone_on):
    """Its trace takes the line's place, though the line that says it could not be sent is still there."""
    folder, now = gone_on
    journal = folder / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-2]))
    assert (0, []) == asked_again(now, folder, None)


@pytest.mark.parametrize("named", [False, True], ids=["by itself", "--out"])
@pytest.mark.parametrize("journal", [False, True], ids=["no journal", "journal"])
def test_a_mended_run_is_known_though_its_plan_is_gone(gone_on, named, journal):
    """Its newest traces tell whose it is, the others what its plan was before: none is another plan's, none is paid again."""
    folder, now = gone_on
    (folder / PLAN).unlink()
    if not journal:
        (folder / JOURNAL).unlink()
    asked, wrong = asked_again(now, folder, folder if named else None)
    assert 0 == asked
    # What could not be sent left no trace: its line is what the journal lacks.
    lacking = "u0001, attempt 1: is not in the journal, and a later one is"
    assert ([] if journal else [lacking, lacking]) == wrong


def test_a_run_whose_plan_is_gone_is_not_of_what_it_was_before_it_was_mended(gone_on):
    """Its name says so, but its newest trace is of a clip that the plan of then had not."""
    folder, _ = gone_on
    (folder / PLAN).unlink()
    before = plan([utterance(0), utterance(1, None), utterance(2, None), utterance(3)], repeats=2)
    with pytest.raises(InputError, match="nothing says that its sessions are of this plan"):
        open_folder(before, folder, folder.parent)


def test_a_run_at_work_is_not_amended(tmp_path):
    """While a process writes a run's journal no other one changes its plan."""
    folder = tmp_path / "run"
    there, now = mended_run(folder)
    with Journal(folder), pytest.raises(BusyError):
        open_folder(now, folder, tmp_path)
    assert there == read_plan(folder)


def test_a_run_whose_sent_clip_changed_is_another_one(tmp_path):
    """By its folder it is refused, by itself another folder is begun."""
    folder = tmp_path / "run"
    there = plan([utterance(0), utterance(1, None)])
    run_virtual(run(there, folder, Counting()))
    now = plan([other(utterance(0)), utterance(1, None)])
    with pytest.raises(InputError, match="another plan"):
        open_folder(now, folder, tmp_path)
    assert folder != open_folder(now, None, tmp_path).folder


def test_a_named_folder_that_cannot_be_read_is_told(tmp_path):
    """A journal of another's making is named with its line, not called another plan."""
    there = plan([utterance(0)])
    write_plan(tmp_path, there)
    (tmp_path / "journal.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"journal\.jsonl:1"):
        open_folder(there, tmp_path, tmp_path.parent)
