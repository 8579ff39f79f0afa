"""The paired permutation test for figures that are no sums: percentiles.

Knows values per block; does not know what is measured. Seeds are for numpy's PCG64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.stats.significance import Test

if TYPE_CHECKING:
    from collections.abc import Sequence

REPLICATES = 2_000


def percentile_test(
    blocks: Sequence[tuple[Sequence[float], Sequence[float]]],
    share: float,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Test:
    """Return the test of “both have the same percentile” (`share` 0.95 for p95), two-sided.

    `blocks` hold values of A and values of B, at least one of each; whole blocks exchange their sides. The statistic
    is A's percentile less B's, linear between neighbours, and p = (1 + #{|T*| ≥ |T|}) / (1 + replicates).
    """
    import numpy as np

    values = np.asarray([value for block in blocks for side in block for value in side])
    owner = np.repeat(np.arange(len(blocks)), [len(a) + len(b) for a, b in blocks])
    of_b = np.asarray([side for a, b in blocks for side in [False] * len(a) + [True] * len(b)])

    def statistic(second: np.ndarray) -> float:
        return float(np.quantile(values[~second], share) - np.quantile(values[second], share))

    observed = statistic(of_b)
    generator = np.random.Generator(np.random.PCG64(seed))
    extreme = 0
    for _ in range(replicates):
        exchanged = generator.random(len(blocks)) < 0.5
        extreme += abs(statistic(of_b ^ exchanged[owner])) >= abs(observed) - 1e-12
    return Test(
        p=(1 + extreme) / (1 + replicates),
        method="permutation, drawn",
        n=len(blocks),
        statistic=observed,
        seed=seed,
    )
