"""One figure of two runs over the same utterances: both values, how they differ, and whether that is more than luck.

Every utterance counts once: its rows' mean over the repeats. Tests and intervals are over blocks (speakers, else
recordings, else sentences). Figures are columns of `summary.csv`; latency leaves out what our own client sent late.

Knows pairs; does not know verdicts (that is `compare`) or bounds (that is `gate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from harness.stats.percentiles import percentile
from harness.stats.significance import macro_differences, permutation_test
from harness.stats.swap import percentile_test

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.report.difference.pairing import Pair
    from harness.report.rows.kinship import Block
    from harness.report.rows.row import Row
    from harness.score.edits import EditCounts
    from harness.stats.significance import Test

Blocks = list[tuple[float, float, float]]
"""Per block: errors of the base, errors of the new run, reference tokens."""

RATES: Final[dict[str, Callable[[Row], EditCounts | None]]] = {
    "rate": lambda row: row.counts,
    "rate_norm1": lambda row: row.companions.norm_1,
    "wer": lambda row: row.companions.wer,
    "cer": lambda row: row.companions.cer,
    "cerns": lambda row: row.companions.cerns,
}
"""Columns that are Σ errors / Σ reference tokens."""

SHARES: Final[dict[str, Callable[[Row], bool | None]]] = {"pass_rate": lambda row: row.passed}
"""Columns that are shares of utterances, of which more is better."""

TIMES: Final = {
    "first_text_p50_s": ("first_text_s", 50),
    "first_text_p95_s": ("first_text_s", 95),
    "final_text_p50_s": ("final_text_s", 50),
    "final_text_p95_s": ("final_text_s", 95),
    "first_reply_p50_s": ("first_reply_s", 50),
    "first_reply_p95_s": ("first_reply_s", 95),
    "first_audio_p50_s": ("first_audio_s", 50),
    "first_audio_p95_s": ("first_audio_s", 95),
}
"""Columns that are percentiles: of what, and which."""

SUMS: Final[dict[str, Callable[[Row], float | None]]] = {
    "failed": lambda row: float(row.must_rerun),
    "late_sessions": lambda row: float(row.late is True),
    "prompt_tokens": lambda row: row.prompt_tokens,
    "response_tokens": lambda row: row.response_tokens,
    "total_tokens": lambda row: row.total_tokens,
    "cost_usd": lambda row: row.cost_usd,
}
"""Columns that are sums over rows, of which less is better."""

MACROS: Final = {"macro_cerns": ("cerns", None), "macro_wer": ("rate", "WER")}
"""Plain means over test sets, of a model on a dataset: of which column, and over locales of which metric (None: all)."""

PAIRED: Final = (*RATES, *SHARES, *TIMES, *SUMS, *MACROS)
"""Figures whose difference can be told over the same utterances; less is better of all but `SHARES`."""

UNPOOLED: Final = ("MER", "WIL")
"""Metrics whose value is no ratio of errors to reference tokens: they have no paired difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A figure of two runs over the same utterances."""

    base: float
    new: float
    n: int
    """Utterances that both figures rest on."""

    test: Test | None
    """Of “no difference”; None: not asked for."""

    @property
    def change(self) -> float:
        """New less base."""
        return self.new - self.base


def difference(pairs: Sequence[Pair], column: str, *, tested: bool = True) -> Difference | None:
    """Return how `column` (one of `PAIRED`, macro rates excepted) differs over the pairs of one cell.

    None: no pair has it on both sides; or it is a sum and some pair lacks it, since a sum over a part would mislead.
    """
    if column in RATES or column in SHARES:
        return _ratio(*ratio_blocks(pairs, column), tested=tested)
    if column in TIMES:
        field, percent = TIMES[column]
        return _percentile(timed(pairs, field), percent, tested=tested)
    return _sum(pairs, SUMS[column], tested=tested)


def macro_difference(
    strata: Sequence[Sequence[Pair]], column: str, *, tested: bool
) -> Difference | None:
    """Return how the plain mean of a rate over some locales' pairs differs; None: a locale has no rate, or there is none."""
    found = [ratio_blocks(pairs, column) for pairs in strata]
    if not found or not all(sum(block[2] for block in blocks) for blocks, _ in found):
        return None
    base, new = (
        fmean(sum(block[side] for block in blocks) / sum(block[2] for block in blocks) for blocks, _ in found)
        for side in (0, 1)
    )  # fmt: skip
    test = None
    if tested:
        shares = macro_differences([[(b, a, n) for a, b, n in blocks] for blocks, _ in found])
        test = permutation_test(shares)
    return Difference(base=base, new=new, n=sum(n for _, n in found), test=test)


def ratio_blocks(pairs: Iterable[Pair], column: str = "rate") -> tuple[Blocks, int]:
    """Return errors and tokens per block over the pairs that are scored on both sides, and the number of those pairs.

    For a share they are the utterances that have it, and all utterances.
    """
    blocks: dict[Block, tuple[float, float, float]] = {}
    n = 0
    for pair in pairs:
        base, new = _counted(pair.base, column), _counted(pair.new, column)
        if base is None or new is None:
            continue
        n += 1
        a, b, tokens = blocks.get(pair.block, (0.0, 0.0, 0.0))
        blocks[pair.block] = (a + base[0], b + new[0], tokens + base[1])
    return list(blocks.values()), n


def errors(rows: Iterable[Row]) -> float | None:
    """Return an utterance's errors, the mean over its repeats; None: none of them is scored.

    Where answers were held against what was expected, it is the share that was not as expected.
    """
    own = list(rows)
    if (passed := _counted(own, "pass_rate")) is not None:
        return 1 - passed[0]
    found = _counted(own, "rate")
    return None if found is None else found[0]


def timed(pairs: Iterable[Pair], field: str) -> list[tuple[Pair, list[float], list[float]]]:
    """Return the pairs with this latency on both sides, measured from the same end of speech; and each side's values, s."""
    found = []
    for pair in pairs:
        base, new = _punctual(pair.base, field), _punctual(pair.new, field)
        # Latencies from another end of speech (audio gone since) differ by more than the service.
        if base and new and len({row.speech_bounds_source for row in (*base, *new)}) == 1:
            found.append((pair, _values(base, field), _values(new, field)))
    return found


def _counted(rows: Iterable[Row], column: str) -> tuple[float, int] | None:
    """Return the mean over the scored repeats of a rate's errors or of a share, and the tokens that it is of."""
    if column in SHARES:
        held = [flag for row in rows if (flag := SHARES[column](row)) is not None]
        return (fmean(held), 1) if held else None
    counts = [found for row in rows if (found := RATES[column](row)) is not None]
    if not counts:
        return None
    return fmean(count.errors for count in counts), counts[0].reference_tokens


def _ratio(blocks: Blocks, n: int, *, tested: bool) -> Difference | None:
    tokens = sum(block[2] for block in blocks)
    if not tokens:
        return None
    return Difference(
        base=sum(block[0] for block in blocks) / tokens,
        new=sum(block[1] for block in blocks) / tokens,
        n=n,
        test=permutation_test([b - a for a, b, _ in blocks]) if tested else None,
    )


def _percentile(
    found: Sequence[tuple[Pair, list[float], list[float]]], percent: int, *, tested: bool
) -> Difference | None:
    base = percentile(sorted(value for _, values, _ in found for value in values), percent)
    new = percentile(sorted(value for _, _, values in found for value in values), percent)
    if base is None or new is None:
        return None
    blocks: dict[Block, tuple[list[float], list[float]]] = {}
    for pair, ours, theirs in found:
        block = blocks.setdefault(pair.block, ([], []))
        block[0].extend(ours)
        block[1].extend(theirs)
    test = percentile_test(list(blocks.values()), percent / 100) if tested else None
    return Difference(base=base, new=new, n=len(found), test=test)


def _sum(
    pairs: Sequence[Pair], value: Callable[[Row], float | None], *, tested: bool
) -> Difference | None:
    base = new = 0.0
    blocks: dict[Block, float] = {}
    for pair in pairs:
        ours, theirs = [value(row) for row in pair.base], [value(row) for row in pair.new]
        known = [one for one in (*ours, *theirs) if one is not None]
        if len(known) < len(ours) + len(theirs):
            return None
        a, b = fmean(known[: len(ours)]), fmean(known[len(ours) :])
        base, new = base + a, new + b
        blocks[pair.block] = blocks.get(pair.block, 0.0) + b - a
    if not pairs:
        return None
    test = permutation_test(list(blocks.values())) if tested else None
    return Difference(base=base, new=new, n=len(pairs), test=test)


def _punctual(rows: Iterable[Row], field: str) -> list[Row]:
    return [row for row in rows if row.late is False and getattr(row, field) is not None]


def _values(rows: Iterable[Row], field: str) -> list[float]:
    return [getattr(row, field) for row in rows]
