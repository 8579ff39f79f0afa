"""Intervals: how far a figure would move if other people had been recorded.

The unit that is drawn again is a block: a speaker, else a recording, else a sentence. Utterances of one speaker are
alike, and an interval that forgets it is too narrow by half.

Knows counts per block; does not know texts or tables. Seeds are for numpy's PCG64.
"""

from __future__ import annotations

from math import atan, cos, exp, lgamma, log, pi, sin, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

REPLICATES = 10_000
FEWEST_BLOCKS = 30
"""Blocks below which percentiles of a bootstrap are too narrow, and the linearised error with t is used."""

FEWEST_SPREAD = 4
"""Blocks below which there is no interval: with three, t is 4.3 and the ends say nothing."""

_NO_SPREAD = 1e-9
"""An interval narrower than this share of its figure is rounding: the blocks are all alike."""

_MANY_DEGREES = 1000
"""Degrees of freedom beyond which t is all but normal; its exact sum would have half as many terms."""

_CHUNK = 1 << 15
"""Random numbers drawn at once: as many as stay in a processor's cache."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Where a figure lies at the level asked for (95 % unless said)."""

    low: float
    high: float
    method: Literal["bootstrap", "linearised", "wilson", "order"]
    """`bootstrap`: percentiles over drawn blocks; `linearised`: standard error of the ratio and a t quantile."""

    n_blocks: int
    """How many blocks, or observations, it rests on."""

    seed: int | None = None
    """Seed of the drawing; None: nothing was drawn."""


def rate_interval(
    blocks: Sequence[tuple[int, int]],
    *,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval | None:
    """Return the interval of Σ errors / Σ tokens over blocks of `(errors, tokens)`.

    None, “too few”: fewer than four blocks, no token, or no spread (all blocks alike: none has an error). Below 30 blocks
    the linearised standard error with a t quantile, from there on the percentiles of a block bootstrap (Bisani & Ney
    2004; Liu & Peng 2020 for blocks).
    """
    import numpy as np

    if len(blocks) < FEWEST_SPREAD:
        return None
    table = np.asarray(blocks, dtype=np.float64)
    interval = _ratio_interval(table[:, 0], table[:, 1], level, replicates, seed)
    if interval is None or interval.high - interval.low <= _NO_SPREAD * max(1.0, interval.high):
        return None
    # A rate is not negative, though its linearised error may reach below 0.
    return msgspec.structs.replace(interval, low=max(0.0, interval.low))


def difference_interval(
    blocks: Sequence[tuple[float, float, float]],
    *,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval | None:
    """Return the interval of the difference of two rates over the same blocks of `(errors_a, errors_b, tokens)`.

    None: fewer than two blocks, or no token. Two systems without any difference have the interval 0 to 0.
    """
    import numpy as np

    table = np.asarray(blocks, dtype=np.float64).reshape(-1, 3)
    return _ratio_interval(table[:, 0] - table[:, 1], table[:, 2], level, replicates, seed)


def apart_interval(
    first: Sequence[tuple[int, int]], second: Sequence[tuple[int, int]], *, level: float = 0.95
) -> Interval | None:
    """Return the interval of the first rate less the second, over blocks of `(errors, tokens)` that are not shared.

    Linearised, with Welch's and Satterthwaite's degrees of freedom. None, “too few”: either has fewer than four blocks or
    no token, or there is no spread in either.
    """
    import numpy as np

    if min(len(first), len(second)) < FEWEST_SPREAD:
        return None
    tables = [np.asarray(blocks, dtype=np.float64) for blocks in (first, second)]
    if any(not table[:, 1].sum() for table in tables):
        return None
    rates = [table[:, 0].sum() / table[:, 1].sum() for table in tables]
    # Half the interval of a mean of two, twice.
    half = 2 * _combined_half(tables, level)
    if half <= _NO_SPREAD:
        return None
    return Interval(
        low=float(rates[0] - rates[1] - half),
        high=float(rates[0] - rates[1] + half),
        method="linearised",
        n_blocks=len(first) + len(second),
    )


def macro_interval(
    strata: Sequence[Sequence[tuple[float, float]]],
    *,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval | None:
    """Return the interval of the mean of rates over strata (locales), of blocks within each stratum.

    None when any stratum has fewer than two blocks or no token. Where one has fewer than 30, the linearised standard
    errors are combined with Welch's and Satterthwaite's degrees of freedom: drawing from few blocks is too narrow
    (83 % for 95 with 3 speakers a locale).
    """
    import numpy as np

    tables = [np.asarray(blocks, dtype=np.float64).reshape(-1, 2) for blocks in strata]
    if not tables or any(len(table) < 2 or not table[:, 1].sum() for table in tables):
        return None
    blocks_in_all = sum(len(table) for table in tables)
    if any(len(table) < FEWEST_BLOCKS for table in tables):
        mean = sum(table[:, 0].sum() / table[:, 1].sum() for table in tables) / len(tables)
        half = _combined_half(tables, level)
        return Interval(
            low=float(mean - half),
            high=float(mean + half),
            method="linearised",
            n_blocks=blocks_in_all,
        )
    generator = np.random.Generator(np.random.PCG64(seed))
    means = np.zeros(replicates)
    for table in tables:
        means += _drawn_ratios(table[:, 0], table[:, 1], replicates, generator) / len(tables)
    low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        low=float(low), high=float(high), method="bootstrap", n_blocks=blocks_in_all, seed=seed
    )


def share_interval(count: int, n: int, *, level: float = 0.95) -> Interval | None:
    """Return Wilson's interval of the share `count` / `n` (Wilson 1927); None when `n` is 0."""
    if not n:
        return None
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = count / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(
        low=max(0.0, middle - half) if count else 0.0,
        high=min(1.0, middle + half) if count < n else 1.0,
        method="wilson",
        n_blocks=n,
    )


def percentile_interval(
    values: Sequence[float], share: float, *, level: float = 0.95
) -> Interval | None:
    """Return the interval of a percentile (`share` 0.95 for p95) as two order statistics, without any model.

    Its level is at least the one asked for, whatever the distribution (David & Nagaraja 2003, §7.1).
    None: too few values to bound it; a p50 takes 6, a p95 72, a p99 368 at 95 %.
    """
    ranks = percentile_ranks(len(values), share, level=level)
    if ranks is None:
        return None
    ordered = sorted(values)
    return Interval(
        low=ordered[ranks[0] - 1], high=ordered[ranks[1] - 1], method="order", n_blocks=len(values)
    )


def percentile_ranks(n: int, share: float, *, level: float = 0.95) -> tuple[int, int] | None:
    """Return the 1-based ranks of the order statistics that bound a percentile; None when `n` is too few."""
    tail = (1 - level) / 2
    # P(X_(l) > q) = P(at most l - 1 values lie below q); P(X_(u) < q) = P(at least u do).
    low = _largest_rank(n, share, tail)
    high = n + 1 - _largest_rank(n, 1 - share, tail)
    return (low, high) if low >= 1 and high <= n else None


def _largest_rank(n: int, share: float, tail: float) -> int:
    """Return the largest rank l with P(Binomial(n, share) < l) ≤ tail; 0 when there is none."""
    # More than 15 standard deviations below the mean there is nothing that a sum would notice.
    first = max(0, int(n * share - 15 * sqrt(n * share * (1 - share)) - 15))
    total = 0.0
    for count in range(first, n + 1):
        total += exp(
            lgamma(n + 1)
            - lgamma(count + 1)
            - lgamma(n - count + 1)
            + count * log(share)
            + (n - count) * log(1 - share)
        )
        if total > tail:
            return count
    return n


def t_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t with a whole number of degrees of freedom, to 1e-9."""
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    if degrees > _MANY_DEGREES:
        return _nearly_normal(probability, degrees)
    low, high = 0.0, 1.0
    while t_probability(high, degrees) < probability:
        low, high = high, high * 2
    while high - low > 1e-10 * max(1.0, high):
        middle = (low + high) / 2
        if t_probability(middle, degrees) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _nearly_normal(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t from the normal one: Abramowitz & Stegun, 26.7.5, whose error falls with ν⁻⁴."""
    z = NormalDist().inv_cdf(probability)
    return (
        z
        + (z**3 + z) / (4 * degrees)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    )


def t_probability(t: float, degrees: int) -> float:
    """Return P(T ≤ t) for Student's t: the finite sums of Abramowitz & Stegun, 26.7.3 and 26.7.4."""
    angle = atan(t / sqrt(degrees))
    cosine = cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for step in range(3 if odd else 2, degrees - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    within = (angle + sin(angle) * total) * 2 / pi if odd else sin(angle) * total
    return 0.5 + within / 2


def _ratio_interval(
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    level: float,
    replicates: int,
    seed: int,
) -> Interval | None:
    import numpy as np

    blocks = len(above)
    if blocks < 2 or not below.sum():
        return None
    if blocks < FEWEST_BLOCKS:
        ratio = above.sum() / below.sum()
        half = t_quantile((1 + level) / 2, blocks - 1) * standard_error(above, below)
        return Interval(
            low=float(ratio - half),
            high=float(ratio + half),
            method="linearised",
            n_blocks=blocks,
        )
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = _drawn_ratios(above, below, replicates, generator)
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        low=float(low), high=float(high), method="bootstrap", n_blocks=blocks, seed=seed
    )


def _combined_half(tables: Sequence[NDArray[np.float64]], level: float) -> float:
    """Return half the interval of the strata's mean: t · √Σ se² / L, of (Σ se²)² / Σ (se⁴ / (K-1)) degrees of freedom."""
    variances = [standard_error(table[:, 0], table[:, 1]) ** 2 for table in tables]
    spread = sum(variances)
    if not spread:
        return 0.0
    own = sum(v * v / (len(table) - 1) for v, table in zip(variances, tables, strict=True))
    degrees = max(1, int(spread * spread / own))
    return t_quantile((1 + level) / 2, degrees) * sqrt(spread) / len(tables)


def standard_error(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    """Return the linearised standard error of Σ above / Σ below: K/(K-1) Σ (a - W b)² / (Σ b)², its root."""
    blocks = len(above)
    residuals = above - above.sum() / below.sum() * below
    return sqrt(blocks / (blocks - 1) * float(residuals @ residuals)) / float(below.sum())


def _drawn_ratios(
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    replicates: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Return Σ above / Σ below for each of `replicates` drawings of as many blocks as there are.

    Blocks of equal counts are interchangeable, so it is enough to draw how often each distinct pair occurs; that is
    the same distribution, and faster where a pair stands for 20 blocks or more (measured).
    """
    import numpy as np

    blocks = len(above)
    # A pair is one complex number, so that both of its parts are looked up and summed at once.
    table = above + 1j * below
    pairs, times = np.unique(table, return_counts=True)
    repeated = 20 * len(pairs) < blocks
    width = np.uint16 if blocks <= 1 << 16 else np.uint32
    sums = np.empty(replicates, dtype=np.complex128)
    rows = max(1, _CHUNK // (len(pairs) if repeated else blocks))
    for start in range(0, replicates, rows):
        count = min(rows, replicates - start)
        if repeated:
            drawn = generator.multinomial(blocks, times / blocks, size=count) @ pairs
        else:
            chosen = generator.integers(0, blocks, size=(count, blocks), dtype=width)
            drawn = table.take(chosen).sum(axis=1)
        sums[start : start + count] = drawn
    # A drawing without any token has no rate and is left out; that takes blocks almost all of which are empty.
    return sums.real / np.where(sums.imag > 0, sums.imag, np.nan)
