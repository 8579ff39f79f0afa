"""The pool's real work: clips prepared once for all who want them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from harness.clock import run_virtual
from harness.run.folder import read_journal
from harness.session.leg import Leg
from tests.run.runs import clip, plan, run, utterance
from tests.session.memory import MODEL, Service, polite


def test_a_clip_is_prepared_once_for_all_models_and_repeats(tmp_path):
    """Two models and three repeats of an utterance read its clip once, however many sessions there are at a time."""
    read: Counter = Counter()

    def load(planned):
        read[planned.id] += 1
        return clip(planned)

    made = plan([utterance(n, 1.0) for n in range(8)], models=(MODEL, "another"), repeats=3)
    tally = run_virtual(run(made, tmp_path, Service(polite(" hello")), concurrency=5, load=load))
    assert 48 == tally.done
    assert {1} == set(read.values())


def test_what_is_wrong_with_the_audio_is_in_the_row(tmp_path):
    """Audio that could be read only in part is transcribed, and its record says what is wrong with it."""

    def load(planned):
        return replace(clip(planned), faults=("damaged after 0.5 s",))

    tally = run_virtual(run(plan([utterance(1)]), tmp_path, Service(polite(" hello")), load=load))
    [kept] = read_journal(tmp_path)
    assert (1, 0) == (tally.done, tally.failed)
    assert ("ok", "the audio: damaged after 0.5 s") == (kept.outcome, kept.reason)


def test_a_bug_in_one_session_is_that_sessions_row(tmp_path, monkeypatch):
    """Whatever sending raises ends the one session, with its reason; the others keep their times."""
    send_due = Leg.send_due

    def breaks(leg, now):
        if leg._todo.header.utterance == "u0001" and leg.span.cursor > 0:
            raise ValueError("not foreseen")
        return send_due(leg, now)

    monkeypatch.setattr(Leg, "send_due", breaks)
    made = plan([utterance(n) for n in range(3)])
    tally = run_virtual(run(made, tmp_path, Service(polite(" hello")), concurrency=3))
    kept = {record.utterance: record for record in read_journal(tmp_path) if record.final}
    assert (3, 1) == (tally.done, tally.failed)
    assert "client" == kept["u0001"].failure
    assert "ValueError: not foreseen" in kept["u0001"].reason
    assert {"ok"} == {kept[name].outcome for name in ("u0000", "u0002")}
    assert not any(kept[name].late for name in ("u0000", "u0002"))
