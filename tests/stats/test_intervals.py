"""Intervals: against scipy, against enumeration, and against the truth in simulation."""

import itertools
import random
from math import comb, floor

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import intervals
from harness.stats.intervals import (
    apart_interval,
    difference_interval,
    macro_interval,
    percentile_interval,
    percentile_ranks,
    rate_interval,
    share_interval,
    standard_error,
    t_probability,
    t_quantile,
)


def people(speakers, utterances, *, spread=0.5, rate=0.1, words=20, seed=0):
    """Return (errors, tokens) per speaker, whose rates differ by a log-normal factor of `spread`."""
    draw = np.random.Generator(np.random.PCG64(seed))
    own = rate * np.exp(draw.normal(-(spread**2) / 2, spread, size=speakers))
    tokens = np.full(speakers, words * utterances)
    return list(zip(draw.poisson(own * tokens).tolist(), tokens.tolist(), strict=True))


@pytest.mark.parametrize("degrees", [*range(1, 60), 1000, 1001, 3000, 10**7])
def test_t_quantiles_are_scipys(degrees):
    """The t distribution's quantiles and probabilities are those of scipy."""
    for probability in (0.005, 0.3, 0.5, 0.9, 0.975, 0.9995):
        assert scipy.stats.t.ppf(probability, degrees) == pytest.approx(
            t_quantile(probability, degrees), rel=1e-8, abs=1e-9
        )
    if degrees < 10**6:
        cdf = scipy.stats.t.cdf(1.3, degrees)
        assert cdf == pytest.approx(t_probability(1.3, degrees), rel=1e-12)


@settings(max_examples=200)
@given(st.integers(0, 60), st.integers(1, 60))
def test_wilson_is_scipys(count, n):
    """Wilson's interval is that of scipy, and stays within 0 and 1."""
    count = min(count, n)
    ours = share_interval(count, n)
    theirs = scipy.stats.binomtest(count, n).proportion_ci(method="wilson")
    assert theirs.low == pytest.approx(ours.low, abs=1e-9)
    assert theirs.high == pytest.approx(ours.high, abs=1e-9)


def test_the_drawn_sums_of_a_small_case_are_those_of_enumeration():
    """Drawing blocks gives the distribution of all samples with replacement, whichever way it is drawn."""
    blocks = [(0, 4), (1, 5), (3, 6)]
    every = sorted(
        sum(block[0] for block in sample) / sum(block[1] for block in sample)
        for sample in itertools.product(blocks, repeat=3)
    )
    from harness.stats.intervals import _drawn_ratios

    above, below = np.array(blocks, dtype=float).T
    drawn = _drawn_ratios(above, below, 40_000, np.random.Generator(np.random.PCG64(1)))
    for share in (0.1, 0.5, 0.9):
        below_it = np.mean(drawn <= np.quantile(every, share, method="inverted_cdf") + 1e-12)
        exact = np.mean(np.array(every) <= np.quantile(every, share, method="inverted_cdf") + 1e-12)
        assert exact == pytest.approx(below_it, abs=0.01)


def test_drawing_distinct_pairs_is_drawing_blocks():
    """Blocks that repeat are drawn by their counts: the interval is the one of drawing each block."""
    few = [(0, 20)] * 500 + [(1, 20)] * 300 + [(4, 25)] * 200
    fast = rate_interval(few, seed=3)
    above, below = np.array(few, dtype=float).T
    chosen = np.random.Generator(np.random.PCG64(4)).integers(0, 1000, size=(4000, 1000))
    slow = np.quantile(above[chosen].sum(axis=1) / below[chosen].sum(axis=1), [0.025, 0.975])
    assert slow[0] == pytest.approx(fast.low, rel=0.01)
    assert slow[1] == pytest.approx(fast.high, rel=0.01)


def test_the_same_seed_gives_the_same_interval():
    """An interval can be drawn again from its seed, and only from it."""
    blocks = people(60, 10)
    assert rate_interval(blocks, seed=7) == rate_interval(blocks, seed=7)
    assert rate_interval(blocks, seed=7) != rate_interval(blocks, seed=8)
    assert 7 == rate_interval(blocks, seed=7).seed


def test_linearised_error_agrees_with_the_bootstrap():
    """With many blocks, the linearised standard error and the spread of drawn rates agree within 3 %."""
    from harness.stats.intervals import _drawn_ratios

    above, below = np.array(people(400, 10), dtype=float).T
    drawn = _drawn_ratios(above, below, 10_000, np.random.Generator(np.random.PCG64(1)))
    assert drawn.std() == pytest.approx(standard_error(above, below), rel=0.03)


@pytest.mark.parametrize("speakers", [4, 7, 29])
def test_blocks_of_equal_length_have_students_interval(speakers):
    """Where every block has as many tokens, the rate is a mean: its interval is scipy's of Student's t."""
    errors = [block[0] for block in people(speakers, 10, spread=0.2)]
    theirs = scipy.stats.ttest_1samp([count / 200 for count in errors], 0).confidence_interval(0.95)
    found = rate_interval([(count, 200) for count in errors])
    assert theirs.low > 0
    assert (theirs.low, theirs.high) == pytest.approx((found.low, found.high))


def test_rates_apart_without_spread_have_no_interval():
    """Where the blocks of either are all alike nothing tells how far another drawing would lie: no interval of no width."""
    alike, others = [(1, 10)] * 4, [(2, 10)] * 5
    assert apart_interval(alike, others) is None
    assert apart_interval([(0, 10)] * 4, [(0, 20)] * 4) is None
    assert apart_interval([*alike, (2, 10)], others) is not None


def test_rates_apart_have_welchs_interval():
    """Over blocks of equal length, two rates and their mean have the error and degrees of freedom of Welch's test."""
    first = [(count, 100) for count in (3, 9, 4, 14, 7)]
    second = [(count, 100) for count in (20, 26, 24, 21, 23, 25, 19, 22, 25)]
    rates = [[errors / tokens for errors, tokens in blocks] for blocks in (first, second)]
    welch = scipy.stats.ttest_ind(*rates, equal_var=False)
    apart = np.mean(rates[0]) - np.mean(rates[1])
    # Tables have whole degrees of freedom: fewer are the wider interval.
    half = scipy.stats.t.ppf(0.975, floor(welch.df)) * apart / welch.statistic
    found = apart_interval(first, second)
    assert (apart - half, apart + half) == pytest.approx((found.low, found.high))
    mean = np.mean([np.mean(own) for own in rates])
    found = macro_interval([first, second])
    assert (mean - half / 2, mean + half / 2) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize(
    "speakers, utterances, least", [(6, 50, 0.88), (12, 25, 0.87), (60, 10, 0.90)]
)
def test_intervals_over_speakers_hold_the_truth(speakers, utterances, least):
    """When speakers differ, about 95 % of the intervals over speakers hold the true rate."""
    held = 0
    runs = 300
    for seed in range(runs):
        blocks = people(speakers, utterances, seed=seed)
        found = rate_interval(blocks, replicates=500)
        held += found.low <= 0.1 <= found.high
    assert held / runs >= least


def test_intervals_over_utterances_do_not():
    """That is why blocks are speakers: over utterances, far fewer intervals hold the truth."""
    held = 0
    for seed in range(100):
        draw = random.Random(seed)  # noqa: S311 - seeded
        blocks = []
        for errors, tokens in people(12, 25, seed=seed):
            share = [draw.random() < errors / tokens for _ in range(tokens)]
            blocks += [(sum(share[start : start + 20]), 20) for start in range(0, tokens, 20)]
        found = rate_interval(blocks, replicates=300)
        held += found.low <= 0.1 <= found.high
    assert held < 80


@pytest.mark.parametrize(
    "blocks, method",
    [
        ([], None),
        ([(1, 10), (2, 10), (3, 10)], None),
        ([(1, 0), (2, 0)] * 3, None),
        ([(0, 10), (0, 9)] * 3, None),
        ([(0, 10), (0, 9)] * 30, None),
        ([(1, 10)] * 29, None),
        ([(1, 10), (2, 10)] * 2, "linearised"),
        ([(1, 10)] * 28 + [(2, 10)], "linearised"),
        ([(1, 10)] * 29 + [(2, 10)], "bootstrap"),
    ],
)
def test_the_method_follows_the_number_of_blocks(blocks, method):
    """Too few: under four blocks, no token, or blocks all alike. t below 30 blocks; drawn from there on."""
    found = rate_interval(blocks)
    assert method == (found and found.method)
    if found:
        assert len(blocks) == found.n_blocks


def test_a_rate_is_never_negative():
    """The lower end of a rate's interval stops at 0; that of a difference does not."""
    blocks = [(0, 10)] * 5 + [(9, 10)]
    assert 0.0 == rate_interval(blocks).low
    assert difference_interval([(e, 0, n) for e, n in blocks]).low < 0


def counted(generator):
    """Return a generator that keeps how much was drawn with it: numbers one by one, and counts."""

    class Counting(np.random.Generator):
        def integers(self, *limits, size, **options):
            self.drawn = getattr(self, "drawn", 0) + size[0] * size[1]
            return super().integers(*limits, size=size, **options)

        def multinomial(self, n, shares, *, size):
            self.drawn = getattr(self, "drawn", 0) + size * len(shares)
            return super().multinomial(n, shares, size=size)

    return Counting(generator.bit_generator)


@pytest.mark.parametrize("blocks, alike, least", [(50, 1, 50), (5000, 40, 125), (4995, 15, 4995)])
def test_alike_blocks_are_drawn_together(blocks, alike, least):
    """Blocks of equal counts cost one number a drawing where a pair stands for 20; the distribution is the same."""
    draw = np.random.Generator(np.random.PCG64(7))
    distinct = blocks // alike
    above = np.repeat(draw.permutation(distinct), alike).astype(float)
    below = np.repeat(draw.integers(200, 300, distinct), alike).astype(float)
    generator = counted(np.random.Generator(np.random.PCG64(1)))
    ratios = intervals._drawn_ratios(above, below, 2000, generator)
    assert 2000 * least == generator.drawn
    chosen = draw.integers(0, blocks, (2000, blocks))
    plainly = above[chosen].sum(axis=1) / below[chosen].sum(axis=1)
    assert scipy.stats.ks_2samp(plainly, ratios).pvalue > 0.001


def test_silent_blocks_do_not_break_the_drawing():
    """Blocks without a token carry their insertions; a drawing of nothing but them is left out."""
    found = rate_interval([(2, 0)] * 30 + [(1, 10)] * 2)
    assert found is not None
    assert 0 < found.low <= found.high


def test_a_macro_interval_is_over_locales():
    """The mean over locales is drawn within each; a locale with one block gives none."""
    strata = [people(40, 10, seed=1), people(40, 10, rate=0.3, seed=2)]
    means = [sum(e for e, _ in blocks) / sum(n for _, n in blocks) for blocks in strata]
    found = macro_interval(strata)
    assert found.low < sum(means) / 2 < found.high
    assert macro_interval([*strata, [(1, 10)]]) is None


@pytest.mark.parametrize("locales, speakers", [(3, 3), (1, 6), (10, 2), (3, 12)])
def test_a_macro_interval_of_few_speakers_covers(locales, speakers):
    """With few speakers a locale, the interval of a mean of differences holds the true one in about 95 % of runs."""
    covered = 0
    for seed in range(200):
        strata = [
            [
                (a - b, n)
                for (a, n), (b, _) in zip(
                    people(speakers, 10, seed=2 * (seed * locales + place)),
                    people(speakers, 10, seed=2 * (seed * locales + place) + 1),
                    strict=True,
                )
            ]
            for place in range(locales)
        ]
        found = macro_interval(strata)
        covered += found.low <= 0 <= found.high
    assert covered / 200 >= 0.95 - 3 * (0.05 * 0.95 / 200) ** 0.5


@settings(max_examples=60)
@given(st.integers(1, 120), st.sampled_from([0.5, 0.9, 0.95]))
def test_percentile_ranks_reach_their_level(n, share):
    """Two order statistics hold the percentile with 95 %, each side missing it with at most 2.5 %."""
    ranks = percentile_ranks(n, share)
    below = [comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    if ranks is None:
        assert share**n > 0.025 or (1 - share) ** n > 0.025
        return
    low, high = ranks
    assert sum(below[:low]) <= 0.025 + 1e-12
    assert sum(below[high:]) <= 0.025 + 1e-12
    assert sum(below[: low + 1]) > 0.025
    assert sum(below[high - 1 :]) > 0.025


@pytest.mark.parametrize("share, fewest", [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368)])
def test_too_few_values_bound_no_percentile(share, fewest):
    """A p99 of fewer than 368 values has no interval."""
    assert percentile_interval(list(range(fewest - 1)), share) is None
    found = percentile_interval([float(value) for value in range(fewest)], share)
    assert found.low <= share * fewest <= found.high + 1
