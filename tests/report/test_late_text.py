"""Text that comes when a session has stopped listening: it is lost, and the report says what of that can be known."""

from __future__ import annotations

import msgspec
import pytest

from harness.clock import run_virtual
from harness.report.build import build_reports
from harness.run.folder import read_journal
from tests.run.runs import plan, run, utterance
from tests.session.memory import Service

SAID = "good morning ladies and gentlemen"


def late(after_s: float, *, first: bool = True):
    """Return an answer whose last words come so long after the turn was said to be over; `first`: others before it."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if "activityEnd" in frame.get("realtimeInput", {}):
            early, second = ({"text": text} for text in (" good morning", " ladies and gentlemen"))
            if first:
                line.say({"serverContent": {"inputTranscription": early}}, 0.1)
            line.say({"serverContent": {"turnComplete": True}}, 0.2)
            line.say({"serverContent": {"inputTranscription": second}}, 0.2 + after_s)

    return answer


def reported(folder, after_s: float, quiet_s: float, *, first: bool = True):
    """Return what came of a run of two utterances: their texts, the longest waits, and the warnings of the report."""
    said = [msgspec.structs.replace(utterance(n), reference=SAID) for n in range(2)]
    run_virtual(run(plan(said, quiet_s=quiet_s), folder, Service(late(after_s, first=first))))
    table = build_reports(folder)
    records = read_journal(folder)
    assert {"ok"} == {record.outcome for record in records}
    return (
        {record.hypothesis for record in records},
        {record.behind_turn_s for record in records},
        [warning for warning in table.summary.warnings if "--quiet" in warning.text],
    )


def test_text_within_the_wait_is_heard_and_says_how_near_it_was(tmp_path):
    """Text that comes 1.5 s behind the end of the turn is whole, and the report warns that 2 s are little then."""
    texts, waits, warnings = reported(tmp_path, 1.5, 2.0)
    assert {SAID} == texts
    assert {1.5} == {round(wait, 3) for wait in waits}
    (warning,) = warnings
    assert "serious" == warning.level
    assert "In 2 sessions text came after the turn was said to be over" in warning.text
    assert "1.5 s of silence" in warning.text
    assert "A session listens 2 s after its turn is said to be over (3 s while" in warning.text


def test_text_longer_awaited_than_a_session_with_text_listens_is_no_contradiction(tmp_path):
    """All text came 2.9 s behind the end of the turn: it is whole, since a session without any text listens 3 s, as told."""
    texts, waits, (warning,) = reported(tmp_path, 2.9, 2.0, first=False)
    assert {SAID.removeprefix("good morning ")} == texts
    assert {2.9} == {round(wait, 3) for wait in waits}
    assert "2.9 s of silence" in warning.text
    assert "2 s after its turn is said to be over (3 s while it has no text yet)" in warning.text


def test_text_behind_the_wait_is_lost_and_its_lack_is_told(tmp_path):
    """Text that comes 4 s behind the end of the turn is not heard; the report says that transcripts lack their ends."""
    texts, waits, warnings = reported(tmp_path, 4.0, 2.0)
    assert {"good morning"} == texts
    assert {None} == waits
    (warning,) = warnings
    assert "serious" == warning.level
    assert "2 transcripts of sessions that ended well lack the end" in warning.text
    assert "Their latency is of the text that came, not of what is missing." in warning.text


@pytest.mark.parametrize("after_s", [0.3, 4.0])
def test_a_session_that_listens_longer_hears_it(tmp_path, after_s):
    """With a longer wait the same text is whole, and where that was ample nothing is warned of."""
    texts, _, warnings = reported(tmp_path, after_s, 10.0)
    assert {SAID} == texts
    assert [] == warnings
