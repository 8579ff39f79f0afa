"""Whether a difference is more than luck: paired tests over the same utterances, and what many tests do to p values.

The headline is the permutation test over blocks (speakers): in simulation it alone keeps its level when speakers are
few and differ. MAPSSWE, NIST's test, is here for comparison with published tables; it takes segments for independent.

Knows differences per block and alignments; does not know texts or tables. Seeds are for numpy's PCG64.
"""

from __future__ import annotations

from itertools import product
from math import sqrt
from statistics import NormalDist, fmean, stdev
from typing import TYPE_CHECKING, Literal

import msgspec

from harness.stats.intervals import REPLICATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


EXACT_BLOCKS = 13
"""Blocks with a difference up to which every assignment of signs is counted: 8192 of them."""


class Test(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a paired test of “no difference”, two-sided."""

    p: float
    """How often luck alone gives a difference as large, 0 to 1."""

    method: Literal["permutation, exact", "permutation, drawn", "MAPSSWE"]
    n: int
    """Blocks with a difference, or segments."""

    statistic: float
    """Σ of differences (permutation), Z (MAPSSWE)."""

    seed: int | None = None
    """Seed of the drawing; None: nothing was drawn."""


def permutation_test(
    differences: Sequence[float], *, replicates: int = REPLICATES, seed: int = 0
) -> Test:
    """Return the test that flips the sign of whole blocks; `differences` are errors of A less errors of B, per block.

    Exact up to 13 blocks with a difference; else p = (1 + #{T* ≥ T}) / (1 + replicates).
    """
    moved = [difference for difference in differences if difference]
    observed = sum(moved)
    # Sums of the same numbers in another order differ in the last bits.
    bound = abs(observed) - 1e-9 * sum(abs(difference) for difference in moved)
    if len(moved) <= EXACT_BLOCKS:
        signs = product((1, -1), repeat=len(moved))
        extreme = sum(
            abs(sum(sign * size for sign, size in zip(row, moved, strict=True))) >= bound
            for row in signs
        )
        return Test(
            p=extreme / 2 ** len(moved),
            method="permutation, exact",
            n=len(moved),
            statistic=float(observed),
        )
    import numpy as np

    # Blocks of the same size are interchangeable: it is enough to draw how many of them keep their sign.
    sizes, times = np.unique(np.abs(moved), return_counts=True)
    generator = np.random.Generator(np.random.PCG64(seed))
    kept = generator.binomial(times, 0.5, size=(replicates, len(sizes)))
    drawn = np.abs((2 * kept - times) @ sizes)
    return Test(
        p=(1 + int((drawn >= bound).sum())) / (1 + replicates),
        method="permutation, drawn",
        n=len(moved),
        statistic=float(observed),
        seed=seed,
    )


def macro_differences(
    strata: Sequence[Sequence[tuple[float, float, float]]],
) -> list[float]:
    """Return each block's share in the difference of two macro rates, for one stratified `permutation_test`.

    Strata (locales) hold blocks of `(errors_a, errors_b, tokens)`; the shares sum to the difference.
    """
    shares = []
    for blocks in strata:
        tokens = sum(block[2] for block in blocks)
        shares += [(a - b) / (tokens * len(strata)) for a, b, _ in blocks]
    return shares


def mapsswe(segments: Sequence[int]) -> Test:
    """Return the matched-pair sentence-segment word-error test over differences of errors per segment (NIST).

    Z = mean / (sd / √segments), two-sided normal; wants about 50 independent segments (Gillick & Cox 1989). Where all
    segments differ alike there is no spread to hold the mean against: Z is 0, as sc_stats prints it.
    """
    n = len(segments)
    spread = stdev(segments) if n > 1 else 0.0
    z = fmean(segments) / (spread / sqrt(n)) if spread else 0.0
    return Test(p=2 * NormalDist().cdf(-abs(z)), method="MAPSSWE", n=n, statistic=z)


def segments(first: str, second: str, *, good: int = 2) -> list[int]:
    """Return the errors of the first less the second per segment of one sentence, from two alignments with one reference.

    A segment is bounded by `good` words in a row that both systems have right, or by the sentence's edge, and holds
    an error of either. Alignments are runs of operations, `=4S1D2I1`.
    """
    found: list[int] = []
    difference, wrong, right_in_row = 0, False, 0
    for errors_a, errors_b in zip(_per_slot(first), _per_slot(second), strict=True):
        (gap_a, word_a), (gap_b, word_b) = errors_a, errors_b
        difference += gap_a + word_a - gap_b - word_b
        if gap_a or gap_b:
            wrong, right_in_row = True, 0
        if word_a or word_b:
            wrong, right_in_row = True, 0
            continue
        right_in_row += 1
        if wrong and right_in_row >= good:
            found.append(difference)
            difference, wrong = 0, False
    return [*found, difference] if wrong else found


def _per_slot(operations: str) -> list[tuple[int, int]]:
    """Return for each word of the reference, and for its end, the tokens inserted before it and whether it is wrong."""
    slots: list[tuple[int, int]] = []
    inserted = 0
    for op, length in _runs(operations):
        if op == "I":
            inserted += length
            continue
        for _ in range(length):
            slots.append((inserted, int(op != "=")))
            inserted = 0
    return [*slots, (inserted, 0)]


def _runs(operations: str) -> Iterable[tuple[str, int]]:
    op, digits = "", ""
    for character in operations + "=":
        if character.isdigit():
            digits += character
        else:
            if op:
                yield op, int(digits)
            op, digits = character, ""


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values that hold for the whole family, in the order given (Holm 1979)."""
    n = len(p_values)
    adjusted = [0.0] * n
    highest = 0.0
    for rank, index in enumerate(sorted(range(n), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (n - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return q values, the false-discovery rates at which each is found, in the order given (1995)."""
    n = len(p_values)
    adjusted = [0.0] * n
    lowest = 1.0
    for rank, index in enumerate(sorted(range(n), key=p_values.__getitem__, reverse=True)):
        lowest = min(lowest, p_values[index] * n / (n - rank))
        adjusted[index] = lowest
    return adjusted
