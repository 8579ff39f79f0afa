"""Percentiles of values: linear between neighbours for latencies of many sessions, nearest rank for lags of one.

A lag that is reported is one that a frame had; a latency over sessions is an estimate. Knows numbers alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the percentile of ascending values, linear between neighbours (numpy's default); None of nothing."""
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
