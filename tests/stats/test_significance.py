"""Paired tests: exact in small cases, and true to their level in simulation."""

import itertools

import numpy as np
import pytest
import scipy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.stats.significance import (
    benjamini_hochberg,
    holm,
    macro_differences,
    mapsswe,
    permutation_test,
    segments,
)

differences = st.lists(st.integers(-6, 6), max_size=9)


@settings(max_examples=100)
@given(differences)
def test_small_cases_are_enumerated(differences):
    """Up to 13 blocks, p is the share of all sign assignments with a sum as large; blocks without a difference do not count."""
    sums = [
        abs(sum(sign * size for sign, size in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    expected = sum(value >= abs(sum(differences)) for value in sums) / len(sums)
    found = permutation_test(differences)
    assert expected == pytest.approx(found.p)
    assert "permutation, exact" == found.method


def test_drawing_agrees_with_scipy():
    """With many blocks, p is close to that of scipy's permutation test."""
    draw = np.random.Generator(np.random.PCG64(2))
    moved = draw.integers(-5, 7, size=40)
    theirs = scipy.stats.permutation_test(
        (moved,), lambda x: abs(x.sum()), permutation_type="samples",
        n_resamples=20_000, alternative="greater", rng=1,
    )  # fmt: skip
    ours = permutation_test(moved.tolist())
    assert theirs.pvalue == pytest.approx(ours.p, abs=0.01)
    assert ("permutation, drawn", 0) == (ours.method, ours.seed)


def test_luck_is_never_ruled_out():
    """What no drawing reaches has p = 1 / (1 + drawings), not 0 (Phipson & Smyth 2010)."""
    assert 1 / 10_001 == permutation_test([1] * 60).p
    assert 1 / 100 == permutation_test([1] * 60, replicates=99).p


@settings(max_examples=100)
@given(st.lists(st.integers(-6, 6), max_size=20))
@example([1, 6, -4])
@example([3, -3, 6, 1, 1, 1])
@example([1, 2, 3, -4] * 5)
def test_the_unit_does_not_matter(differences):
    """Errors by tenths have the p of errors, though sums of tenths in another order differ in their last bits."""
    tenths = permutation_test([difference / 10 for difference in differences])
    assert permutation_test(differences).p == tenths.p


def test_the_direction_does_not_matter():
    """A against B and B against A give the same p."""
    moved = [3, -1, 2, 0, 5, 1, -2, 4, 1, 1, 2, 3, -1, 2, 6, 1]
    assert permutation_test(moved).p == permutation_test([-size for size in moved]).p


@pytest.mark.parametrize("speakers, utterances", [(10, 25), (30, 20), (6, 50)])
def test_flipping_speakers_holds_its_level(speakers, utterances):
    """Two equal systems that suit different speakers are called different in about 5 % of runs, not more."""
    draw = np.random.Generator(np.random.PCG64(speakers))
    false_alarms, over_utterances, runs = 0, 0, 300
    for _ in range(runs):
        hard = 0.1 * np.exp(draw.normal(0, 0.5, size=speakers))
        own = np.exp(draw.normal(0, 0.15, size=(2, speakers)))
        errors = draw.poisson((hard * own)[:, :, None] * 20, size=(2, speakers, utterances))
        moved = (errors[0] - errors[1]).astype(float)
        false_alarms += permutation_test(moved.sum(axis=1).tolist(), replicates=400).p <= 0.05
        over_utterances += permutation_test(moved.ravel().tolist(), replicates=400).p <= 0.05
    assert false_alarms / runs <= 0.08
    assert over_utterances > 1.5 * false_alarms


def test_a_real_difference_is_found():
    """A system that is better for every speaker is found better."""
    assert permutation_test([5] * 20).p < 0.001


def test_macro_differences_sum_to_the_difference_of_macro_rates():
    """One stratified test is on the difference of the mean rates over locales."""
    strata = [[(3, 1, 10), (2, 2, 30)], [(5, 9, 50)]]
    rates = [[sum(b[k] for b in s) / sum(b[2] for b in s) for s in strata] for k in (0, 1)]
    expected = np.mean(rates[0]) - np.mean(rates[1])
    assert expected == pytest.approx(sum(macro_differences(strata)))


@pytest.mark.parametrize(
    "first, second, expected",
    [
        ("=4", "=4", []),
        ("=2S1=3", "=6", [1]),
        ("S1=1S1=2", "=5", [2]),
        ("S1=2S1", "=4", [1, 1]),
        ("=2I1=2", "=1S1=2", [0]),
        ("=1I2", "=1", [2]),
        ("S1=1I1=2S1", "=5", [2, 1]),
        ("D3", "S1=1D1", [1]),
        ("", "I1", [-1]),
    ],
)
def test_segments_are_bounded_by_two_good_words(first, second, expected):
    """A segment ends where both systems have two words in a row right, or the sentence ends."""
    assert expected == segments(first, second)


def test_mapsswe_is_a_paired_z_test():
    """Z is the mean over its standard error, and p two-sided normal; equal systems have p 1."""
    values = [1, 0, -1, 2, 1, 1, 0, 3, -1, 1]
    found = mapsswe(values)
    assert np.mean(values) / (np.std(values, ddof=1) / np.sqrt(10)) == pytest.approx(
        found.statistic
    )
    assert 2 * scipy.stats.norm.sf(abs(found.statistic)) == pytest.approx(found.p)
    assert 1.0 == mapsswe([]).p == mapsswe([0, 0]).p
    # sc_stats 1.3 prints a standard deviation and a Z of 0.000 for these.
    assert (1.0, 0.0) == (mapsswe([1] * 12).p, mapsswe([1] * 12).statistic)


p_values = st.lists(st.floats(0, 1), max_size=12)


@given(p_values)
def test_benjamini_hochberg_is_scipys(p_values):
    """Q values are those of scipy."""
    if p_values:
        assert scipy.stats.false_discovery_control(p_values) == pytest.approx(
            benjamini_hochberg(p_values)
        )
    assert len(p_values) == len(benjamini_hochberg(p_values))


@given(p_values)
def test_holm_is_its_definition(p_values):
    """Holm's p is the largest of (n - rank) p over the smaller ones, keeps their order, and is at most Bonferroni's."""
    found = holm(p_values)
    n = len(p_values)
    order = sorted(range(n), key=lambda index: (p_values[index], index))
    for place, index in enumerate(order):
        expected = min(1.0, max((n - rank) * p_values[order[rank]] for rank in range(place + 1)))
        assert expected == pytest.approx(found[index])
        assert found[index] <= min(1.0, n * p_values[index]) + 1e-12
