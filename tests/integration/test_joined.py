"""The whole client against the whole emulator, in memory and virtual time."""

from __future__ import annotations

import msgspec
import pytest

from harness.clock import run_virtual
from harness.emulator.ear.scripted import Line, Scripted
from harness.emulator.model.manners import Manners
from harness.run.attempt import record
from harness.run.folder import read_journal, slots
from harness.trace.hypothesis import hypothesis
from tests.integration.joined import Emulator
from tests.run.runs import final_slots, plan, run, utterance
from tests.session.memory import assignment, drive

WORDS = {"*": Line(fragments=[" Guten", " Morgen."], delay_s=0.2, every_s=0.1)}


@pytest.mark.parametrize("pace", [1.0, 0.0])
@pytest.mark.parametrize("channel", ["input", "reply"])
def test_a_turn_is_heard_and_answered(pace, channel):
    """Our client and our emulator understand each other: the script's text arrives on either channel, with a bill."""
    emulator = Emulator(Scripted(WORDS))
    ending, trace = run_virtual(drive(emulator, assignment(3.0, pace=pace, channel=channel)))
    assert "ok" == ending.outcome
    assert "Guten Morgen." == hypothesis(trace, channel).text
    kept = record(trace, channel, path=None, final=True)
    assert "test; scripted" == kept.emulator
    assert 1 == kept.usage.records
    assert 3.0 * 25 == kept.usage.prompt_by_modality["AUDIO"]


def test_latency_is_what_the_script_says():
    """With an ear that takes 0.2 s to its first text and 0.3 s to its last, that is what the trace says."""
    _, trace = run_virtual(drive(Emulator(Scripted(WORDS)), assignment(3.0)))
    kept = record(trace, "input", path=None, final=True)
    assert 3.2 == pytest.approx(kept.first_text_t, abs=1e-3)
    assert 3.3 == pytest.approx(kept.final_text_t, abs=1e-3)


@pytest.mark.capability("long sessions: replay and seams")
def test_connections_that_end_lose_nothing():
    """With connections of 30 s and goAway 10 s before, a two-minute clip is heard whole: every second once."""
    script = {"*": Line(fragments=[" {seconds}"])}
    emulator = Emulator(Scripted(script), Manners(connection_s=30.0, go_away_lead_s=10.0))
    ending, trace = run_virtual(drive(emulator, assignment(120.0)))
    assert "ok" == ending.outcome
    parts = [float(part) for part in hypothesis(trace, "input").text.split()]
    assert len(parts) == len(emulator.joints) > 3
    assert 120.0 == pytest.approx(sum(parts), abs=0.05 * len(parts))
    kept = record(trace, "input", path=None, final=True)
    assert len(parts) - 1 == kept.seams
    assert kept.send_lag_p99_ms < 1


@pytest.mark.capability("setup: close codes and reasons", side="emulator")
def test_a_setup_that_the_service_refuses_is_refused_in_its_words():
    """AUDIO without a voice is refused by the emulator as the service does, and the client calls it configuration."""
    import dataclasses

    todo = assignment(1.0)
    generation = msgspec.structs.replace(
        todo.setup.generation_config, response_modalities=["AUDIO"]
    )
    setup = msgspec.structs.replace(todo.setup, generation_config=generation)
    ending, _ = run_virtual(
        drive(Emulator(Scripted(WORDS)), dataclasses.replace(todo, setup=setup))
    )
    assert ("failed_client", "config") == (ending.outcome, ending.failure)
    assert "(AUDIO) is not supported" in ending.reason


def test_a_run_over_many_sessions(tmp_path):
    """A run of forty utterances, eight at a time, ends with forty transcripts and an exact bill."""
    made = plan([utterance(n, 1.0 + n % 5) for n in range(40)])
    run_virtual(run(made, tmp_path, Emulator(Scripted(WORDS)), concurrency=8))
    records = read_journal(tmp_path)
    assert sorted(slots(made)) == sorted(final_slots(tmp_path))
    assert {("ok", "Guten Morgen.")} == {(r.outcome, r.hypothesis) for r in records}
    assert sum(1 + n % 5 for n in range(40)) * 25 == sum(
        r.usage.prompt_by_modality["AUDIO"] for r in records
    )
