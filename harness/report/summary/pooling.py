"""What rows come to together: sums, means and deviations, each None where a part of it is missing.

Counts add and rates are derived from the sums; a rate is never averaged inside a cell.
"""

from __future__ import annotations

from collections import Counter
from statistics import stdev
from typing import TYPE_CHECKING, TypeVar

from harness.report.summary.utterance_rates import share
from harness.score.score import total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harness.report.rows.row import Row
    from harness.report.summary.utterance_rates import Share
    from harness.score.edits import EditCounts
    from harness.units import Seconds, Usd

T = TypeVar("T")
K = TypeVar("K")


def grouped(of: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return what has the same key together, by key, in the order in which they are first met."""
    groups: dict[K, list[T]] = {}
    for one in of:
        groups.setdefault(key(one), []).append(one)
    return groups


def pooled(counts: Iterable[EditCounts | None]) -> EditCounts:
    """Return the sum of the counts that are there."""
    return total(count for count in counts if count is not None)


def ascending(values: Iterable[float | None]) -> list[float]:
    """Return the values that are there, ascending."""
    return sorted(value for value in values if value is not None)


def punctual(rows: Iterable[Row]) -> Iterable[Row]:
    """Return the rows whose latency is the service's: our own client was on time."""
    return (row for row in rows if row.late is False)


def audio(rows: Iterable[Row]) -> Seconds | None:
    """Return the audio that was sent; None when no clip was read."""
    return total_s(row.audio_s for row in rows)


def total_s(lengths: Iterable[Seconds | None]) -> Seconds | None:
    """Return the sum of what is there; None when nothing is."""
    known = [length for length in lengths if length is not None]
    return round(sum(known), 6) if known else None


def known_sum(counts: Iterable[int | None]) -> int | None:
    """Return the sum of what is there; None when nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def billed(rows: Sequence[Row], tokens: Callable[[Row], int | None]) -> int | None:
    """Return the rows' sum; None when a row that answered has none, or no row has any."""
    values = [tokens(row) for row in rows]
    if any(value is None and unbilled(row) for row, value in zip(rows, values, strict=True)):
        return None
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def cost(rows: Sequence[Row]) -> Usd | None:
    """Return the rows' sum; None when a row that answered, or that brought tokens, has no price."""
    if any(
        row.cost_usd is None and (unbilled(row) or row.total_tokens is not None) for row in rows
    ):
        return None
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    return round(sum(costs), 10) if costs else None


def unbilled(row: Row) -> bool:
    """Whether a row should have brought a bill: the service took its audio and answered."""
    return row.outcome in ("ok", "ok_empty", "partial", "blocked")


def by_modality(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the tokens of each modality, summed, by its name."""
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))


def passing(rows: Iterable[Row]) -> Share | None:
    """Return the share of rows that passed, of those that were held against an expectation; None: there are none."""
    held = [row.passed for row in rows if row.passed is not None]
    return share(sum(held), len(held))


def mean(values: Sequence[float | None]) -> float | None:
    """Return the unweighted mean; None of nothing, or when a value is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def deviation(values: Sequence[float | None]) -> float | None:
    """Return the standard deviation; None of fewer than two, or when a value is missing."""
    known = [value for value in values if value is not None]
    return stdev(known) if len(known) > 1 and len(known) == len(values) else None
