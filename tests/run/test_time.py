"""Clocks that misbehave: a machine that slept, a process that was stopped, a wall clock that was set."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import VirtualTimeLoop, run_virtual
from harness.run import stream, vigil
from harness.run.folder import read_journal
from harness.run.stream import Streamer
from harness.trace.file import read_trace
from tests.run.runs import plan, run, utterance
from tests.session.memory import Service, polite


def watched(work: Streamer):
    """Have the process watched as the command has it, by the loop's clock alone: virtual time runs beside any other."""
    loop = asyncio.get_running_loop()
    return loop.create_task(vigil.keep_vigil(work.stood_still, loop.time))


class Stopping(VirtualTimeLoop):
    """A loop that stands still for `pause_s` at `at_s`: all timers of that span fire late, at once."""

    def __init__(self, at_s: float, pause_s: float) -> None:
        super().__init__()
        self.call_at(at_s, self._stand_still, pause_s)

    def _stand_still(self, pause_s: float) -> None:
        self._jumping.now += pause_s


def stopped(folder, monkeypatch, *, at_s: float, pause_s: float, service=None):
    """Return the records by utterance of a run of three clips of 5 s, one after the other, that stands still once."""
    tasks = []
    init = Streamer.__init__

    def begun(self, **more):
        init(self, **more)
        tasks.append(watched(self))

    monkeypatch.setattr(Streamer, "__init__", begun)
    made = plan([utterance(n, 5.0) for n in range(3)])
    with asyncio.Runner(loop_factory=lambda: Stopping(at_s, pause_s)) as runner:
        runner.run(run(made, folder, service or Service(polite(" hello")), concurrency=1))
    return {r.utterance: r for r in read_journal(folder) if r.final}


@pytest.mark.parametrize("at_s", [2.55, 5.05])
def test_a_process_that_stood_still_reports_no_latency(tmp_path, monkeypatch, at_s):
    """A session during which nothing of ours ran is late, while it streams or while it listens; the others are not."""
    found = stopped(tmp_path, monkeypatch, at_s=at_s, pause_s=30.0)
    assert {"u0000": True, "u0001": False, "u0002": False} == {k: r.late for k, r in found.items()}
    assert {"ok"} == {r.outcome for r in found.values()}
    trace = read_trace(tmp_path / found["u0000"].trace)
    (told,) = [e.frame["stood_still"]["s"] for e in trace.events if "stood_still" in e.frame]
    assert 30.0 == pytest.approx(told, abs=0.2)


def test_frames_that_left_late_are_seen_in_their_lag(tmp_path, monkeypatch):
    """Frames that were due while the process was stopped count their lag from when they were due."""
    found = stopped(tmp_path, monkeypatch, at_s=2.55, pause_s=1.0)
    assert 900 < found["u0000"].send_lag_max_ms < 1100
    assert found["u0001"].send_lag_max_ms < 1


def test_a_short_hiccup_is_no_standstill(tmp_path, monkeypatch):
    """A delay of 50 ms is left to the send lag to tell."""
    found = stopped(tmp_path, monkeypatch, at_s=2.55, pause_s=0.05)
    assert not any(
        "stood_still" in e.frame
        for r in found.values()
        for e in read_trace(tmp_path / r.trace).events
        if e.dir == "!"
    )


def test_sleep_that_the_loops_clock_does_not_count_is_noticed():
    """A machine that slept 60 s while the loop's clock stood is told, by the clock that went on."""
    told = []
    clock = itertools.chain([0.0, 0.1, 0.2], itertools.count(60.3, 0.1))

    async def main():
        keeping = asyncio.create_task(vigil.keep_vigil(told.append, lambda: next(clock)))
        await asyncio.sleep(5)
        keeping.cancel()

    run_virtual(main())
    assert [60.0] == told


@settings(max_examples=25)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_a_wall_clock_that_is_set_changes_no_figure(tmp_path_factory, jumps):
    """However the wall clock is set back and forth during a run, its figures are those of a steady clock."""
    import msgspec

    from harness import clock

    hours = itertools.cycle(jumps)
    found = []
    for now in (clock.utc_now, lambda: f"{2026 + int(next(hours)) % 50}-01-01T00:00:00.000Z"):
        folder = tmp_path_factory.mktemp("run")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stream, "utc_now", now)
            made = plan([utterance(n, 0.3) for n in range(4)])
            run_virtual(run(made, folder, Service(polite(" hello")), concurrency=2))
        found.append([msgspec.structs.replace(r, started_at="") for r in read_journal(folder)])
    assert found[0] == found[1]
