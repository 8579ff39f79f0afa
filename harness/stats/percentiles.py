"""Percentiles of values: linear between neighbours for latencies of many sessions, nearest rank for lags of one.

A lag that is reported is one that a frame had; a latency over sessions is an estimate. Knows numbers alone.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def fewest(percent: float) -> int:
    """Return how many values a percentile takes: so many that one of them is expected beyond it.

    A p90 takes 10, a p95 20, a p99 100: of fewer it is no more than the largest value. A median is one of any.
    """
    return 1 if percent <= 50 else ceil(100 / (100 - percent))


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the percentile of ascending values, as `quantile` does; None, “too few”, of less than it takes (`fewest`)."""
    return quantile(ordered, percent) if len(ordered) >= fewest(percent) else None


def quantile(ordered: Sequence[float], percent: float) -> float | None:
    """Return where `percent` % of ascending values end, linear between neighbours (numpy's default); None of nothing."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 6)


def nearest_rank(values: Sequence[float], percent: float) -> float | None:
    """Return the nearest-rank percentile of `values`: the smallest that `percent` % of them do not exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)  # ceiling
    return ordered[max(0, int(rank) - 1)]
