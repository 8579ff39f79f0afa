"""How small a difference n utterances can show, and how many a difference takes, at 5 % and with 80 % power.

Knows planning formulas; does not know measured data, except the spread that it is given.
"""

from __future__ import annotations

from math import ceil, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DISPERSION = 2.5
"""Variance of an utterance's errors over their mean, when nothing is measured yet: a planning assumption."""

CORRELATION = 0.6
"""Of two systems' errors on the same utterances, when nothing is measured yet: a planning assumption."""


def detectable_difference(
    standard_error: float, *, level: float = 0.95, power: float = 0.8
) -> float:
    """Return the smallest true difference found with `power`: (z₁ + z₂) · SE, 2.80 · SE as it stands."""
    return _quantiles(level, power) * standard_error


def assumed_spread(rate: float, words: float) -> float:
    """Return the standard deviation of the difference of two systems' errors on one utterance of `words` tokens."""
    return sqrt(2 * (1 - CORRELATION) * DISPERSION * words * rate)


def planned_difference(
    n: int, *, rate: float, words: float, block: float = 1.0, icc: float = 0.0
) -> float:
    """Return the difference of rates that `n` utterances can show, before anything is measured.

    `words` tokens an utterance; `block` utterances a speaker, whose errors correlate by `icc`.
    """
    return detectable_difference(
        assumed_spread(rate, words) / words * sqrt(design_effect(block, icc) / n)
    )


def measured_difference(blocks: Sequence[tuple[int, int]]) -> float | None:
    """Return the difference of rates to another system on the same utterances that these can show.

    `blocks` are errors and tokens of a measured system's speakers. None: fewer than two, no tokens, or no spread.
    The other system's errors are assumed to spread alike and to correlate by `CORRELATION`.
    """
    import numpy as np

    from harness.stats.intervals import standard_error

    errors, tokens = np.array(blocks, dtype=float).reshape(-1, 2).T
    if len(errors) < 2 or not tokens.sum():
        return None
    error = sqrt(2 * (1 - CORRELATION)) * standard_error(errors, tokens)
    return detectable_difference(error) or None


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What a planned cell can show of two systems near `PLANNED_RATE`, at 5 % and with 80 % power."""

    dataset: str
    locale: str
    utterances: int
    """Those whose reference has tokens."""

    tokens: float
    """Mean tokens of a reference."""

    difference: float
    """The smallest difference of rates that it finds."""

    utterances_for: dict[str, int]
    """How many utterances a difference takes: by points, `"0.5"`, `"1"`, `"2"`."""


PLANNED_RATE = 0.10
POINTS = (0.5, 1.0, 2.0)


def planned(lengths: Mapping[tuple[str, str], Sequence[int]]) -> list[Planned]:
    """Return what each cell can show, of the lengths of its references in tokens by dataset and locale.

    Cells without a token are left out. Where few people speak, it is less (`design_effect`).
    """
    found = []
    for (dataset, locale), own in lengths.items():
        filled = [length for length in own if length]
        if not filled:
            continue
        words = sum(filled) / len(filled)
        spread = assumed_spread(PLANNED_RATE, words)
        found.append(
            Planned(
                dataset=dataset,
                locale=locale,
                utterances=len(filled),
                tokens=words,
                difference=planned_difference(len(filled), rate=PLANNED_RATE, words=words),
                utterances_for={
                    f"{points:g}": utterances_needed(points / 100, spread=spread, words=words)
                    for points in POINTS
                },
            )
        )
    return found


def planned_text(cells: Sequence[Planned]) -> list[str]:
    """Return in lines what the cells can show, and how many utterances a point takes: at best, and at worst."""
    if not cells:
        return ["no difference of systems: no utterance has a reference"]
    ordered = sorted(cells, key=lambda cell: cell.difference)
    shown = ordered if len(ordered) <= 4 else [ordered[0], ordered[-1]]
    joint = ", " if len(ordered) <= 4 else " to "
    differences = joint.join(
        f"{100 * cell.difference:.1f} points ({cell.locale})" for cell in shown
    )
    needs = sorted(cell.utterances_for["1"] for cell in cells)
    needed = f"{needs[0]:,}" if needs[0] == needs[-1] else f"{needs[0]:,} to {needs[-1]:,}"
    return [
        f"a difference of {differences} between two systems near {100 * PLANNED_RATE:.0f} % errors; more where few people speak",
        f"a difference of one point with about {needed} utterances of a locale",
    ]


def utterances_needed(
    difference: float,
    *,
    spread: float,
    words: float,
    block: float = 1.0,
    icc: float = 0.0,
    level: float = 0.95,
    power: float = 0.8,
) -> int:
    """Return how many utterances show `difference`: deff · ((z₁ + z₂) · spread / (words · difference))².

    `spread` is the standard deviation of an utterance's difference of errors.
    """
    per_utterance = _quantiles(level, power) * spread / (words * difference)
    return ceil(design_effect(block, icc) * per_utterance**2)


def design_effect(block: float, icc: float) -> float:
    """Return 1 + (m - 1) ρ: how many times more utterances it takes when `block` of them share a speaker (Kish 1965)."""
    return 1 + (block - 1) * icc


def _quantiles(level: float, power: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power)
