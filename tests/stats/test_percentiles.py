"""Both ways of taking a percentile, held against numpy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.percentiles import fewest, nearest_rank, percentile, quantile

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=1)
PERCENTS = st.sampled_from([0, 5, 50, 95, 99, 100])


@given(values=VALUES, percent=PERCENTS)
def test_quantiles_are_numpys(values, percent):
    """A quantile equals numpy's default, to the millionth."""
    assert np.percentile(values, percent) == pytest.approx(
        quantile(sorted(values), percent), abs=1e-6
    )


@given(values=VALUES, percent=PERCENTS)
def test_the_nearest_rank_is_numpys(values, percent):
    """A nearest-rank percentile is a value that was there: numpy's inverted distribution."""
    assert np.percentile(values, percent, method="inverted_cdf") == nearest_rank(values, percent)


@pytest.mark.parametrize("percent, least", [(0, 1), (50, 1), (90, 10), (95, 20), (99, 100)])
def test_a_percentile_takes_a_value_beyond_it(percent, least):
    """With fewer values than let one be expected beyond it, a percentile is missing; with as many it is the quantile."""
    assert least == fewest(percent)
    enough = [float(value) for value in range(least)]
    assert quantile(enough, percent) == percentile(enough, percent) is not None
    assert percentile(enough[1:], percent) is None


def test_nothing_has_no_percentile():
    """The percentile of no values is missing, not 0."""
    assert quantile([], 50) is None
    assert percentile([], 50) is None
    assert nearest_rank([], 50) is None
