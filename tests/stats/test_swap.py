"""The test of percentiles: scipy's where both can be exact, and true to its level."""

from __future__ import annotations

import numpy as np
import pytest
import scipy

from harness.stats.swap import percentile_test


def test_p_is_scipys():
    """With one pair a block, p is that of scipy's permutation test over paired samples, to the drawing's error."""
    draw = np.random.default_rng(1)
    a, b = draw.gamma(2, 1, size=(2, 9))
    b += 0.8

    def statistic(x, y, axis):
        return np.quantile(x, 0.5, axis=axis) - np.quantile(y, 0.5, axis=axis)

    exact = scipy.stats.permutation_test(
        (a, b), statistic, permutation_type="samples", n_resamples=np.inf
    )
    blocks = [([x], [y]) for x, y in zip(a, b, strict=True)]
    found = percentile_test(blocks, 0.5, replicates=4_000)
    assert exact.pvalue == pytest.approx(found.p, abs=0.03)
    assert exact.statistic == pytest.approx(found.statistic)


def test_sides_exchanged_flip_the_sign_alone():
    """A against B has the p of B against A, and the opposite difference."""
    draw = np.random.default_rng(2)
    blocks = [(list(draw.normal(0, 1, 3)), list(draw.normal(1, 1, 3))) for _ in range(12)]
    found = percentile_test(blocks, 0.95)
    swapped = percentile_test([(b, a) for a, b in blocks], 0.95)
    assert (found.p, found.statistic) == (swapped.p, -swapped.statistic)


def test_equal_sides_show_nothing():
    """A side against itself has p 1."""
    assert percentile_test([([1.0, 2.0], [1.0, 2.0]), ([5.0], [5.0])], 0.5).p == 1.0


def test_luck_is_never_ruled_out():
    """What no drawing reaches has p = 1 / (1 + drawings), not 0 (Phipson & Smyth 2010)."""
    assert 1 / 100 == percentile_test([([0.0], [1.0])] * 60, 0.95, replicates=99).p


def test_the_unit_does_not_matter():
    """Tenths of seconds have the p of whole ones, though differences of tenths that are equal differ in their last bits."""
    whole = [([1], [4]), ([3], [9]), ([3], [2]), ([9], [5]), ([1], [2])]
    tenths = [([a / 10], [b / 10]) for (a,), (b,) in whole]
    assert percentile_test(whole, 0.5).p == percentile_test(tenths, 0.5).p


def test_the_level_holds_when_blocks_differ():
    """With speakers that differ, and by system, at most about 5 % of runs without a difference are found to have one."""
    draw = np.random.default_rng(3)
    found = 0
    for seed in range(150):
        speakers = draw.normal(1, 0.5, 12)
        blocks = [
            tuple(list(draw.normal(own + draw.normal(0, 0.3), 0.2, 8)) for _ in "ab")
            for own in speakers
        ]
        found += percentile_test(blocks, 0.5, replicates=99, seed=seed).p <= 0.05
    assert found / 150 <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5
