"""How latencies and error rates spread: the numbers that the page's plots are drawn from.

Summed up here once, so that a plot of a hundred thousand sessions costs a page no more than one of ten.
"""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, Final

from harness.report.summary.document import Bucket
from harness.report.summary.latencies import Latency, Percentile, Spread
from harness.report.summary.pooling import ascending, grouped, pooled, punctual
from harness.stats.intervals import percentile_interval
from harness.stats.percentiles import percentile, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.report.rows.row import Row
    from harness.report.summary.delays import Awaited
    from harness.units import Seconds

SHARES: Final = (
    0.0, 0.01, 0.02, *(share / 100 for share in range(5, 100, 5)), 0.98, 0.99, 1.0,
)  # fmt: skip
"""Where the distribution is noted."""

_EDGES_S: Final = (0.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, inf)
"""Of the duration buckets: a command, a sentence, two, a paragraph, minutes."""


def latencies(rows: Sequence[Row], awaited: Sequence[Awaited]) -> list[Latency]:
    """Return the latencies to what is awaited of every dataset × model, then of every dataset × model × locale."""
    return [
        *_latencies(rows, awaited, lambda row: (row.dataset, row.model, None)),
        *_latencies(rows, awaited, lambda row: (row.dataset, row.model, row.locale)),
    ]


def _latencies(
    rows: Iterable[Row],
    awaited: Sequence[Awaited],
    key: Callable[[Row], tuple[str, str, str | None]],
) -> list[Latency]:
    groups = grouped(punctual(rows), key)
    return [
        Latency(
            dataset=dataset,
            model=model,
            locale=locale,
            **{one.name: spread(getattr(row, one.column) for row in group) for one in awaited},
        )
        for (dataset, model, locale), group in groups.items()
    ]


def spread(values: Iterable[Seconds | None]) -> Spread | None:
    """Return the distribution of the values that are there; None of nothing."""
    ordered = ascending(values)
    if not ordered:
        return None
    return Spread(
        n=len(ordered),
        quantiles=[round(_at(ordered, share), 4) for share in SHARES],
        p50=_percentile(ordered, 0.5),
        p95=_percentile(ordered, 0.95),
        p99=_percentile(ordered, 0.99),
    )


def _at(ordered: Sequence[Seconds], share: float) -> Seconds:
    value = quantile(ordered, share * 100)
    assert value is not None  # noqa: S101 - there are values
    return value


def _percentile(ordered: Sequence[Seconds], share: float) -> Percentile:
    interval = percentile_interval(ordered, share)
    return Percentile(
        value=percentile(ordered, share * 100),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def buckets(rows: Iterable[Row]) -> list[Bucket]:
    """Return the error rates by length of clip, of every dataset × model; empty buckets are left out.

    In a bucket counts are summed within a locale and the rates averaged over locales: characters of different languages
    do not add up.
    """
    measured = (row for row in rows if row.counts is not None and row.audio_s is not None)
    groups = grouped(measured, lambda row: (row.dataset, row.model))
    found = []
    for (dataset, model), group in groups.items():
        metric = "WER" if {row.metric for row in group} == {"WER"} else "CERns"
        for low, high in pairwise(_EDGES_S):
            own = [row for row in group if row.audio_s is not None and low <= row.audio_s < high]
            if not own:
                continue
            rates = _rates(own, metric)
            found.append(
                Bucket(
                    dataset=dataset,
                    model=model,
                    from_s=low,
                    to_s=None if high == inf else high,
                    utterances=len(own),
                    locales=len(rates),
                    metric=metric,
                    rate=sum(rates) / len(rates) if rates else None,
                )
            )
    return found


def _rates(rows: Iterable[Row], metric: str) -> list[float]:
    """Return the pooled rate of each locale whose references have tokens."""
    by_locale = grouped(rows, lambda row: row.locale)
    rates = (pooled(row.companions.get(metric) for row in own).rate for own in by_locale.values())
    return [rate for rate in rates if rate is not None]
