"""What a difference of error rates, or of shares passed, is worth: interval, test, the smallest difference that would show, and a verdict.

A verdict rests on the paired permutation test over blocks (speakers), which alone holds its level when speakers are few
and differ. Knows counts per block; does not know rows.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from harness.stats.intervals import difference_interval, macro_interval, standard_error
from harness.stats.power import detectable_difference
from harness.stats.significance import macro_differences, permutation_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.difference.difference import Blocks
    from harness.stats.intervals import Interval

LEVEL: Final = 0.05
"""p at or below which a difference counts."""

Better = Literal["lower", "higher"]
"""Which rate is the better one."""

Verdict = Literal["better", "worse", "no worse", "cannot tell"]
"""What may be said of the new run against the base. `no worse`: by less than the margin."""


class RateDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How an error rate differs, or the share of answers that passed, and what may be said of it."""

    better: Better

    base_rate: float | None
    """Over the pairs; None: no pair has a rate."""

    new_rate: float | None
    difference: float | None
    low: float | None
    """Ends of the paired 95 % interval of `difference`, over blocks; None: too little to say."""

    high: float | None
    interval: str | None
    """How it was made: `bootstrap` or `linearised`."""

    blocks: int
    """Utterances that move together (`harness.report.rows.kinship`): how many there are."""

    p: float | None
    """Of the paired permutation test that flips whole blocks; None: nothing to test."""

    p_adjusted: float | None
    """`p` adjusted so that it holds for all rows of this pair of models together (Holm); in the ranking of a run, for
    all pairs of a dataset's models (Bonferroni). Of a macro rate it is `p` itself."""

    q: float | None = None
    """For exploring: the share of false finds among all rows with a q as small (Benjamini–Hochberg); not of macro rates."""

    detectable: float | None
    """The smallest true difference that these pairs would show with 80 % power."""

    verdict: Verdict
    why: str | None
    """Why nothing can be told; None where something can."""


def rate_difference(
    blocks: Blocks, *, margin: float | None = None, better: Better = "lower"
) -> RateDifference:
    """Return how the rates of two runs differ over `(base's errors, new errors, tokens)` per block.

    The verdict is by `p` alone: `judged` gives the one that holds among others.
    """
    tokens = sum(block[2] for block in blocks)
    if not tokens:
        return silence(len(blocks), "no pair has a rate", better=better)
    base, new = (sum(block[side] for block in blocks) / tokens for side in (0, 1))
    interval = difference_interval([(b, a, n) for a, b, n in blocks])
    p = permutation_test([b - a for a, b, _ in blocks]).p
    return judged(_found((base, new), interval, p, [blocks], better), p, margin=margin)


def macro_difference(
    strata: Sequence[Blocks], *, margin: float | None = None, better: Better = "lower"
) -> RateDifference:
    """Return how the plain mean of the rates over strata (locales) differs.

    Every stratum has a token, and the test is stratified.
    """
    base, new = (
        fmean(sum(block[side] for block in blocks) / sum(block[2] for block in blocks) for blocks in strata)
        for side in (0, 1)
    )  # fmt: skip
    interval = macro_interval([[(b - a, n) for a, b, n in blocks] for blocks in strata])
    shares = macro_differences([[(b, a, n) for a, b, n in blocks] for blocks in strata])
    p = permutation_test(shares).p
    return judged(_found((base, new), interval, p, strata, better), p, margin=margin)


def judged(
    found: RateDifference, p_adjusted: float, q: float | None = None, *, margin: float | None
) -> RateDifference:
    """Return `found` with the verdict that an adjusted p allows, and its q value in the family."""
    verdict, why = _verdict(found, p_adjusted, margin)
    return msgspec.structs.replace(found, p_adjusted=p_adjusted, q=q, verdict=verdict, why=why)


def _verdict(found: RateDifference, p: float, margin: float | None) -> tuple[Verdict, str | None]:
    if p <= LEVEL and found.difference:
        return ("better" if (found.difference > 0) == (found.better == "higher") else "worse"), None
    if 2.0 ** (1 - found.blocks) > LEVEL:
        why = f"too few speakers, recordings or sentences ({found.blocks}): p cannot fall to {LEVEL:g}"
        # So few cannot show either that it is no worse, however alike they are.
        return "cannot tell", why
    if found.low is None:
        why = "a locale has a single speaker, recording or sentence"
    elif found.detectable is None:
        why = "no pair differs in errors" if found.better == "lower" else "no answer differs"
    else:
        why = f"a true difference under {100 * found.detectable:.1f} points would seldom show"
    # Where no pair differs the interval has no width, which is no sign that others would not.
    if (
        margin is not None
        and found.low != found.high
        and found.low is not None
        and found.high is not None
    ):
        worst = found.high if found.better == "lower" else -found.low
        if worst < margin:
            return "no worse", None
    return "cannot tell", why


def _found(
    rates: tuple[float, float],
    interval: Interval | None,
    p: float,
    strata: Sequence[Blocks],
    better: Better,
) -> RateDifference:
    return RateDifference(
        better=better,
        base_rate=rates[0],
        new_rate=rates[1],
        difference=rates[1] - rates[0],
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        interval=interval.method if interval else None,
        blocks=sum(map(len, strata)),
        p=p,
        p_adjusted=None,
        detectable=_detectable(strata),
        verdict="cannot tell",
        why=None,
    )


def silence(
    blocks: int,
    why: str,
    *,
    base: float | None = None,
    new: float | None = None,
    better: Better = "lower",
) -> RateDifference:
    """Return a difference of which nothing can be told, and why."""
    return RateDifference(
        better=better,
        base_rate=base,
        new_rate=new,
        difference=None if base is None or new is None else new - base,
        low=None,
        high=None,
        interval=None,
        blocks=blocks,
        p=None,
        p_adjusted=None,
        detectable=None,
        verdict="cannot tell",
        why=why,
    )


def _detectable(strata: Sequence[Blocks]) -> float | None:
    """Return the difference of (mean) rates that these blocks would show with 80 % power; None: there is only one block."""
    import numpy as np

    if any(len(blocks) < 2 for blocks in strata):
        return None
    tables = [np.asarray(blocks, dtype=float) for blocks in strata]
    variance = sum(standard_error(table[:, 1] - table[:, 0], table[:, 2]) ** 2 for table in tables)
    return float(detectable_difference(variance**0.5 / len(strata))) or None
