"""A plan tried on virtual time: what the model must never get wrong."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.run.assumptions import Assumptions, assumptions
from harness.run.folder import slots
from harness.run.rate import RateLimit
from harness.run.simulate import forecast
from tests.run.runs import plan, utterance


def made(count: int, seconds: float | None = None):
    """Return a plan of utterances of `seconds`, or of many lengths."""
    draw = random.Random(count)  # noqa: S311 - repeatable lengths
    return plan([utterance(n, seconds or draw.uniform(1, 12)) for n in range(count)])


def told(of, service=None, **how):
    """Return the forecast of all of a plan."""
    return forecast(of, slots(of), service or Assumptions(), **{"concurrency": 8} | how)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 12), st.sampled_from([None, 1, 3]), st.floats(0, 0.5))
def test_every_session_is_accounted_for(count, concurrency, sessions, faults):
    """Whatever the quota and the faults, each session of the plan ends; none is begun that is not told of."""
    service = Assumptions(sessions=sessions, faults=faults)
    found = told(made(count), service, concurrency=concurrency)
    assert (count, 0) == (found.sessions, found.unattempted)
    assert count <= found.attempts
    assert 0 <= found.attempts - count - found.refusals <= 2 * count
    assert found.sessions_at_once <= min(concurrency, sessions or concurrency)
    assert found.wall_s >= found.best_s


def test_the_same_plan_has_the_same_forecast():
    """A forecast can be repeated: same plan, same assumptions, same figures."""
    service = Assumptions(sessions=5, faults=0.2)
    assert told(made(60), service) == told(made(60), service)


def test_an_open_service_is_used_to_the_full():
    """Without a quota and faults the time is within 3 % of the best, and all that was asked for is open at once."""
    found = told(made(400))
    assert found.wall_s <= 1.03 * found.best_s
    assert (8, 0, 0, 400) == (
        found.sessions_at_once,
        found.refusals,
        found.failed,
        found.attempts,
    )


def test_a_quota_costs_what_it_must():
    """With half the sessions admitted a run takes about twice as long, not more: the limit finds the quota by itself."""
    free, held = told(made(400)), told(made(400), Assumptions(sessions=4))
    assert 1.9 * free.wall_s <= held.wall_s <= 2.3 * free.wall_s
    assert free.tokens == held.tokens
    assert free.cost_usd == held.cost_usd


def test_long_audio_goes_over_several_connections():
    """Half an hour over connections of nine minutes takes as long as it lasts and three seams."""
    found = told(made(1, 1800.0))
    seam = 0.3 + 0.2 + 0.3 + 2.0
    starts = 4 * 0.1  # each stream waits for its instant, less than a message
    assert 0 <= found.wall_s - (1800 + 4 * seam) <= starts


def test_rate_and_budget_hold_in_the_forecast():
    """The run's own rate and budget are in it: 60 sessions a minute take a second each, and money stops it."""
    found = told(made(60, 1.0), concurrency=50, rate=RateLimit(sessions=60))
    assert 59 <= found.wall_s <= 66
    half = told(made(60, 1.0), budget_usd=found.cost_usd / 2)
    assert half.cost_usd <= found.cost_usd / 2
    assert 28 <= half.unattempted <= 32
    assert "budget" in half.stopped


@pytest.mark.parametrize(
    "pair",
    [
        "",
        "sessions",
        "sessions=0",
        "sessions=2.5",
        "faults=1",
        "faults=nan",
        "mood=bad",
        "setup-s=11",
    ],
)
def test_what_is_no_assumption_is_refused(pair):
    """What is no assumption is refused with the names of those there are."""
    with pytest.raises(UsageError, match="not an assumption"):
        assumptions([pair])


def test_assumptions_are_read():
    """Names may be written with hyphens or underscores."""
    expected = Assumptions(sessions=3, faults=0.1, opening_s=1.0)
    assert expected == assumptions(["sessions=3", "faults=0.1", "opening-s=1"])
