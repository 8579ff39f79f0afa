"""How much is done for one thing of many. A limit is a tenth above what it was when it was set."""

from __future__ import annotations

import msgspec

from harness.clock import run_virtual
from harness.report.build import build_reports
from harness.report.page import explorer
from harness.run.assumptions import Assumptions
from harness.run.attempts import Attempts, Slots
from harness.run.folder import JOURNAL, iter_journal, read_plan, slots
from harness.run.simulate import forecast
from harness.score.score import counts_of, score_text
from tests.bench.records import record, run
from tests.bench.scoring import transcripts
from tests.run.runs import plan, utterance
from tests.session.memory import Service, assignment, drive, polite
from tests.work import calls, peak, share

SAID, HEARD = transcripts(120)


def test_counting_an_utterance_takes_few_calls():
    """Texts that are normalised and counted, and nothing else, take no more than 64 calls each."""

    def counted(count: int):
        return lambda: counts_of(SAID[:count], HEARD[:count], "en-US", profile="norm-1")

    assert share(calls, counted, 20, 120) <= 64


def test_scoring_an_utterance_takes_few_calls():
    """A score with its alignment and companions takes no more than 110 calls."""

    def scored(count: int):
        def work() -> None:
            for said, heard in zip(SAID[:count], HEARD[:count], strict=True):
                score_text(said, heard, "en-US")

        return work

    assert share(calls, scored, 20, 120) <= 110


def test_a_record_of_the_journal_is_read_with_few_calls(tmp_path):
    """A record takes no more than six calls to be read, and nothing of it stays when the next one is read."""

    def read(count: int):
        folder = tmp_path / f"{count}"
        folder.mkdir(exist_ok=True)
        lines = [msgspec.json.encode(record(number, "so it is")) for number in range(count)]
        (folder / JOURNAL).write_bytes(b"\n".join([*lines, b""]))
        return lambda: sum(one.final for one in iter_journal(folder))

    assert share(calls, read, 100, 300) <= 6
    assert share(peak, read, 100, 300) < 20


def test_a_row_of_a_report_takes_bounded_work(tmp_path, monkeypatch):
    """A row, scored under every profile and written into all tables and the page, takes no more than 1,370 calls and 2.8 KiB.

    A timeline, which a page has of some rows, is left out.
    """
    monkeypatch.setattr(explorer, "SESSIONS", 0)

    def reported(count: int):
        folder = tmp_path / f"{count}"
        if not folder.exists():
            run(folder, count)
        return lambda: build_reports(folder)

    assert share(calls, reported, 50, 150) <= 1370
    assert share(peak, reported, 50, 150) <= 2.8 * 1024


def test_of_a_records_attempts_only_their_places_are_kept(tmp_path):
    """Until its row is made, a record takes no more than 192 bytes, most of them to find its utterance by its id."""

    def placed(count: int):
        folder = tmp_path / f"{count}"
        if not folder.exists():
            run(folder, count)
        planned = read_plan(folder)
        return lambda: len(Slots(planned, Attempts(folder)).places(next(slots(planned))))

    assert share(peak, placed, 2000, 4000) <= 192


def test_a_simulated_session_takes_few_calls():
    """A session of a plan that is tried session by session takes no more than 220 calls, its plan left out."""

    def tried(count: int):
        made = plan([utterance(number) for number in range(count)])
        return lambda: forecast(made, slots(made), Assumptions(faults=1e-6), concurrency=8)

    assert share(calls, tried, 50, 250) <= 220


def test_a_message_takes_few_calls():
    """A fragment of a transcript takes no more than 110 calls: received, looked at, kept, and written into the trace."""

    def received(count: int):
        def work() -> None:
            words = [f" w{number}" for number in range(count)]
            ending, _ = run_virtual(drive(Service(polite(*words)), assignment(0.5)))
            assert "ok" == ending.outcome

        return work

    assert share(calls, received, 10, 110) <= 110
