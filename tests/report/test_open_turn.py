"""A turn whose end is never told: its text is waited for, and what may be missing of it is said."""

from __future__ import annotations

import msgspec
import pytest

from harness.clock import run_virtual
from harness.report.build import build_reports
from harness.run.folder import read_journal
from tests.run.runs import plan, run, utterance
from tests.session.memory import MODEL, Service, ready

SAID = "good morning ladies and gentlemen"


def slow(after_s: float, *, ends: bool):
    """Return an answer whose last words come so long after the first, and which then tells the end of its turn, or not."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if "activityEnd" in frame.get("realtimeInput", {}):
            first, second = ({"text": text} for text in (" good morning", " ladies and gentlemen"))
            line.say({"serverContent": {"inputTranscription": first}}, 0.1)
            line.say({"serverContent": {"inputTranscription": second}}, 0.1 + after_s)
            if ends:
                line.say({"serverContent": {"turnComplete": True}}, 0.2 + after_s)

    return answer


def reported(folder, after_s: float, *, ends: bool):
    """Return what came of a run of two utterances: the journal's records, the rows, and the warnings of open turns."""
    said = [msgspec.structs.replace(utterance(n), reference=SAID) for n in range(2)]
    run_virtual(run(plan(said), folder, Service(slow(after_s, ends=ends))))
    table = build_reports(folder)
    told = [one for one in table.summary.warnings if "never said that the turn" in one.text]
    return read_journal(folder), table.rows, told


@pytest.mark.parametrize("after_s", [1.0, 14.0])
def test_text_of_a_turn_that_goes_on_is_waited_for(tmp_path, after_s):
    """However long a recogniser takes over a clip's second half, as long as its turn is open it is heard."""
    records, rows, told = reported(tmp_path, after_s, ends=True)
    assert {(SAID, False)} == {(record.hypothesis, record.open_turn) for record in records}
    assert all(row.final_text_s is not None for row in rows)
    assert [] == told


@pytest.mark.parametrize("after_s, heard", [(1.0, SAID), (16.0, "good morning")])
def test_a_turn_that_never_ends_is_told(tmp_path, after_s, heard):
    """What came is scored, has no latency of a final text, and the report says that its end may be missing."""
    records, rows, told = reported(tmp_path, after_s, ends=False)
    assert {("ok", heard, True)} == {(r.outcome, r.hypothesis, r.open_turn) for r in records}
    assert {None} == {row.final_text_s for row in rows}
    (warning,) = told
    assert "serious" == warning.level
    assert warning.text.startswith("In 2 sessions the service never said")


def test_text_behind_a_turn_that_ended_in_the_silence_after_the_clip_is_late(tmp_path):
    """Under automatic detection a turn may end before all is sent; text that follows is heard, and of no open turn."""
    begun: set[int] = set()

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if "audio" in frame.get("realtimeInput", {}) and id(line) not in begun:
            begun.add(id(line))
            line.say({"serverContent": {"inputTranscription": {"text": " good morning"}}}, 0.5)
            line.say({"serverContent": {"turnComplete": True}}, 1.5)  # the clip ended after 1 s
            late = {"text": " ladies and gentlemen"}
            line.say({"serverContent": {"inputTranscription": late}}, 2.0)

    setups = {MODEL: ready(MODEL, turns="auto", transcript="input")}
    said = [msgspec.structs.replace(utterance(0), reference=SAID)]
    run_virtual(run(plan(said, turns="auto"), tmp_path, Service(answer), setups=setups))
    (record,) = read_journal(tmp_path)
    assert (SAID, False) == (record.hypothesis, record.open_turn)
