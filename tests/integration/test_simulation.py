"""The simulated service on the command's own path: frame by frame and session by session say the same."""

from __future__ import annotations

import dataclasses
import json

import msgspec
import pytest

from harness.cli import simulation
from harness.run.simulate import Assumptions
from tests.run.runs import plan, utterance


def printed(made, service, capsys, **how):
    """Return what is printed for `made`, as JSON."""
    how = {"concurrency": 4, "budget": None, "rate": None} | how
    simulation.print_simulation(made, service, as_json=True, **how)
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("sessions", [None, 2])
def test_frames_and_model_agree(capsys, monkeypatch, sessions):
    """Every frame sent to the emulator, or none: the time differs by less than a tenth, the sessions not at all."""
    made = plan([utterance(n, 2.0 + n % 5) for n in range(24)])
    service = Assumptions(sessions=sessions)
    frames = printed(made, service, capsys)
    monkeypatch.setattr(simulation, "MOST_SESSIONS", 0)
    model = printed(made, service, capsys)
    assert ("frames", "sessions") == (frames["method"], model["method"])
    assert frames["wall_s"] == pytest.approx(model["wall_s"], rel=0.1)
    for name in ("sessions", "failed", "sessions_at_once", "audio_s"):
        assert frames[name] == model[name]
    assert frames["tokens"] == pytest.approx(model["tokens"], rel=0.25)


def test_a_simulation_says_that_it_is_one(capsys):
    """The text begins with SIMULATED, says that nothing was sent, and what the quota did."""
    made = plan([utterance(n, 2.0) for n in range(6)])
    simulation.print_simulation(
        made, Assumptions(sessions=2), concurrency=4, budget=None, rate=None, as_json=False
    )
    out = capsys.readouterr().out
    assert out.startswith("SIMULATED frame by frame")
    assert "Nothing was sent" in out
    assert "quota     2 sessions" in out


def test_breaks_are_said_to_be_simpler_than_real_ones(capsys):
    """Who assumes breaks reads that each is tried again whole, though a real session goes on where it can."""
    made, how = plan([utterance(0, 2.0)]), {"concurrency": 4, "budget": None, "rate": None}
    for faults, said in ((0.0, False), (0.25, True)):
        simulation.print_simulation(made, Assumptions(faults=faults), as_json=False, **how)
        assert said == ("25.00% of sessions, each tried again whole" in capsys.readouterr().out)


def test_the_same_simulation_twice_is_the_same(capsys):
    """Frame by frame, too, a plan has one forecast."""
    made = plan([utterance(n, 1.0 + n % 3) for n in range(12)])
    made = msgspec.structs.replace(made, chunk_ms=200)
    service = dataclasses.replace(Assumptions(), sessions=3)
    assert printed(made, service, capsys) == printed(made, service, capsys)


@pytest.mark.wall
def test_the_command_simulates_and_leaves_nothing(harness, tmp_path):
    """`harness run --service simulated` prints a forecast, exits 0, and makes no run folder."""
    ran = harness("run", "sample", "--limit", "1", "--service", "simulated")
    assert 0 == ran.returncode, ran.stderr
    assert ran.stdout.startswith("SIMULATED")
    assert not (tmp_path / "reports").exists()
    assert 2 == harness("run", "sample", "--assume", "sessions=3").returncode
