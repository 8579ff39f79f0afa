"""Planning: what n utterances can show."""

import numpy as np
import pytest
import scipy

from harness.stats.power import (
    design_effect,
    detectable_difference,
    measured_difference,
    planned,
    planned_difference,
    planned_text,
    utterances_needed,
)


@pytest.mark.parametrize(
    "rate, expected",
    [
        (0.05, [1.9, 1.0, 0.7, 0.6, 0.4, 0.3]),
        (0.10, [2.7, 1.4, 1.1, 0.8, 0.6, 0.4]),
        (0.20, [3.8, 2.0, 1.5, 1.2, 0.8, 0.5]),
    ],
)
def test_the_planning_table(rate, expected):
    """Points that 100, 350, 650, 1000, 2000 and 5000 utterances of 22 words can show, at 80 % power."""
    sizes = (100, 350, 650, 1000, 2000, 5000)
    found = [100 * planned_difference(n, rate=rate, words=22) for n in sizes]
    assert expected == pytest.approx(found, abs=0.06)


def test_a_difference_of_the_detectable_size_is_found_four_times_in_five():
    """In simulation, the detectable difference is found with 80 % power."""
    draw = np.random.Generator(np.random.PCG64(1))
    n, spread = 400, 2.0
    shift = detectable_difference(spread / np.sqrt(n))
    samples = draw.normal(shift, spread, size=(3000, n))
    z = samples.mean(axis=1) / (samples.std(axis=1, ddof=1) / np.sqrt(n))
    assert np.mean(np.abs(z) > scipy.stats.norm.ppf(0.975)) == pytest.approx(0.8, abs=0.03)


def test_a_measured_spread_replaces_the_assumed_one():
    """What a measured system can show is 2.80 standard errors of a difference; without speakers it is unknown."""
    draw = np.random.Generator(np.random.PCG64(3))
    tokens = draw.integers(10, 30, size=5000)
    errors = draw.binomial(tokens, 0.1)
    # Independent words: variance of a rate is p (1 - p) / tokens; two systems that correlate by 0.6 differ by 0.8 of it.
    expected = 2.80 * np.sqrt(0.8 * 0.09 / tokens.sum())
    blocks = list(zip(errors.tolist(), tokens.tolist(), strict=True))
    assert expected == pytest.approx(measured_difference(blocks), rel=0.05)
    assert measured_difference(blocks[:1]) is None
    assert measured_difference([(0, 0), (0, 0)]) is None
    assert measured_difference([]) is None


def test_a_plan_says_what_it_can_show():
    """Few locales are all named, of many the best and the worst; without references there is nothing to show."""
    cells = planned({("d", "de-DE"): [22] * 350, ("d", "te-IN"): [22] * 100 + [0], ("d", "x"): [0]})
    assert [("de-DE", 350, 22.0), ("te-IN", 100, 22.0)] == [
        (cell.locale, cell.utterances, cell.tokens) for cell in cells
    ]
    said, needed = planned_text(cells)
    assert "1.4 points (de-DE), 2.7 points (te-IN)" in said
    assert "a difference of one point with about 714 utterances of a locale" == needed
    many = planned_text(planned({("d", f"l{n}"): [22] * (100 * n) for n in range(1, 8)}))[0]
    assert "points (l7) to 2.7 points (l1)" in many
    assert ["no difference of systems: no utterance has a reference"] == planned_text([])


def test_what_a_plan_needs_is_what_shows_it():
    """The utterances that a cell is said to need for a difference show just that."""
    (cell,) = planned({("d", "de-DE"): [12, 30] * 20})
    for points, n in cell.utterances_for.items():
        found = planned_difference(n, rate=0.10, words=cell.tokens)
        assert float(points) == pytest.approx(100 * found, rel=0.01)


def test_the_planner_inverts_the_detectable_difference():
    """As many utterances as a difference takes can show that difference, and one fewer cannot."""
    n = utterances_needed(0.01, spread=1.5, words=20, block=10, icc=0.1)
    error = 1.5 / 20 * np.sqrt(design_effect(10, 0.1))
    assert detectable_difference(error / np.sqrt(n)) <= 0.01
    assert detectable_difference(error / np.sqrt(n - 1)) > 0.01
