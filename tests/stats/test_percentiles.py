"""Both ways of taking a percentile, held against numpy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.percentiles import nearest_rank, percentile

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=1)
PERCENTS = st.sampled_from([0, 5, 50, 95, 99, 100])


@given(values=VALUES, percent=PERCENTS)
def test_percentiles_are_numpys(values, percent):
    """A percentile equals numpy's default, to the millionth."""
    assert np.percentile(values, percent) == pytest.approx(
        percentile(sorted(values), percent), abs=1e-6
    )


@given(values=VALUES, percent=PERCENTS)
def test_the_nearest_rank_is_numpys(values, percent):
    """A nearest-rank percentile is a value that was there: numpy's inverted distribution."""
    assert np.percentile(values, percent, method="inverted_cdf") == nearest_rank(values, percent)


def test_nothing_has_no_percentile():
    """The percentile of no values is missing, not 0."""
    assert percentile([], 50) is None
    assert nearest_rank([], 50) is None
