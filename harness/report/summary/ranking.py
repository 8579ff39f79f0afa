"""How far each model of a run is from the first: paired over the utterances that both were asked.

A plain reading of two intervals misleads, since all models hear the same utterances. The verdict is that of `harness
compare`, adjusted over all pairs of a dataset's models (Bonferroni), since which is the first was read from the same data. Knows rows and standings; does not know how they were pooled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from harness.report.difference.difference import ratio_blocks
from harness.report.difference.pairing import by_test_set, paired
from harness.report.difference.verdict import judged, macro_difference, rate_difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.difference.pairing import Pair
    from harness.report.difference.verdict import RateDifference
    from harness.report.rows.row import Row
    from harness.report.summary.document import Cell, Standing


def ranked(
    standings: Sequence[Standing], cells: Sequence[Cell], rows: Sequence[Row]
) -> list[Standing]:
    """Return the standings, in their order, each with its difference from the first of its dataset."""
    found = []
    for dataset in dict.fromkeys(one.dataset for one in standings):
        first, *others = (one for one in standings if one.dataset == dataset)
        own = [row for row in rows if row.dataset == dataset]
        differences = [_difference(first, other, cells, own) for other in others]
        known = [one for one in differences if one is not None]
        pairs = len(known) * (len(known) + 1) // 2
        adjusted = (min(1.0, pairs * (one.p or 0.0)) for one in known)
        found.append(first)
        found += [
            structs.replace(other, behind=one and judged(one, next(adjusted), margin=None))
            for other, one in zip(others, differences, strict=True)
        ]
    return found


def _difference(
    first: Standing, other: Standing, cells: Sequence[Cell], rows: Sequence[Row]
) -> RateDifference | None:
    """Return how the macro CERns, or the share passed, of `other` differs; None: nothing of both is complete."""
    keys = dict.fromkeys((row.dataset, row.utterance_id) for row in rows)
    pairs = paired(keys, rows, rows, (first.model, other.model))
    if first.passed and other.passed:
        found = rate_difference(ratio_blocks(pairs, "pass_rate")[0], better="higher")
        return found if found.p is not None else None
    models = {first.model, other.model}
    lacking = {cell.locale for cell in cells if cell.dataset == first.dataset and cell.model in models and not cell.complete}  # fmt: skip
    by_locale: dict[str, list[Pair]] = {}
    for pair in pairs:
        if pair.base[0].locale not in lacking:
            by_locale.setdefault(pair.base[0].locale, []).append(pair)
    rated = [group for group in by_locale.values() if _tokens(group)]
    sets = by_test_set(pair for group in rated for pair in group)
    return macro_difference([ratio_blocks(one, "cerns")[0] for one in sets]) if sets else None


def _tokens(pairs: Sequence[Pair]) -> float:
    """Return how many tokens the pairs' references have that are scored on both sides."""
    return sum(block[2] for block in ratio_blocks(pairs, "cerns")[0])
