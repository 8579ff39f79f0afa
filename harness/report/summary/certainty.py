"""How certain pooled rates are: their 95 % intervals over blocks of rows, and what difference of them could be shown.

A block is what moves together, as one speaker's utterances do (`harness.report.rows.kinship`): rows are not drawn alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harness.report.difference.difference import UNPOOLED
from harness.report.rows.kinship import kinds
from harness.report.summary.document import Basis
from harness.report.summary.pooling import grouped, pooled
from harness.stats.intervals import macro_interval, rate_interval
from harness.stats.power import measured_difference

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from harness.report.rows.kinship import Block
    from harness.report.rows.row import Row
    from harness.score.edits import EditCounts
    from harness.stats.intervals import Interval


def rate_certainty(scored: Sequence[Row]) -> tuple[Interval | None, Basis] | None:
    """Return the 95 % interval of the rows' pooled rate, None where there are too few blocks, and what it rests on.

    `scored` are rows with counts of one metric; None where that is no ratio of errors to reference tokens.
    """
    if scored[0].metric in UNPOOLED:
        return None
    blocks = grouped(scored, lambda row: row.block)
    found = rate_interval(_ratios(blocks.values(), lambda row: row.counts))
    return found, basis(found, blocks)


def detectable_difference(scored: Sequence[Row]) -> float | None:
    """Return the smallest difference of pooled rates that the rows can show; None where there is no telling."""
    if scored[0].metric in UNPOOLED:
        return None
    blocks = grouped(scored, lambda row: row.block)
    return measured_difference(_ratios(blocks.values(), lambda row: row.counts))


def macro_ends(sets: Iterable[Sequence[Row]]) -> tuple[float, float] | None:
    """Return the ends of the 95 % interval of the mean of the test sets' CERns, which is never below 0.

    None: too few blocks, or none differs from another, which shows nothing of what others would do.
    """
    found = macro_interval(
        [
            _ratios(grouped(own, lambda row: row.block).values(), lambda row: row.companions.cerns)
            for own in sets
        ]
    )
    return (max(0.0, found.low), found.high) if found and found.low < found.high else None


def basis(interval: Interval | None, blocks: Collection[Block]) -> Basis:
    """Return what an interval over these blocks, each once, rests on; an interval that is None had too few of them."""
    method: Literal["bootstrap", "linearised", "too few"] = "too few"
    if interval is not None:
        method = "bootstrap" if interval.method == "bootstrap" else "linearised"
    return Basis(
        method=method,
        blocks=len(blocks),
        block=kinds(blocks),
        seed=interval.seed if interval else None,
    )


def _ratios(
    blocks: Iterable[Iterable[Row]], counts: Callable[[Row], EditCounts | None]
) -> list[tuple[int, int]]:
    """Return each block's errors and reference tokens."""
    sums = [pooled(map(counts, block)) for block in blocks]
    return [(one.errors, one.reference_tokens) for one in sums]
