"""The alignment of NIST's sclite: weights 4, 3, 3 and its order of ties, so that the split of errors is its own.

sclite minimises 4 · substitutions + 3 · (deletions + insertions), and where that ties it takes a pair before a gap,
and an insertion before a deletion, from the end of the texts (SCTK, src/sclite/net_dp.c). On transcripts
that are mostly wrong it may count more errors than the minimum.

Knows tokens; does not know sclite's markup, upper and lower case, or files. Takes time and memory with the product of
the lengths: half a second for two texts of 1,000 tokens.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from harness.score import align

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.score.edits import EditCounts

SUBSTITUTION = 4
GAP = 3

_PAIR, _DELETION, _INSERTION = 0, 1, 2


def edits(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[str, EditCounts]:
    """Return sclite's alignment as runs of operations, `=4S1D2`, and its counts."""
    steps = []
    ways = _ways(reference, hypothesis)
    i, j = len(reference), len(hypothesis)
    while i or j:
        way = ways[i][j]
        if way == _PAIR:
            i, j = i - 1, j - 1
            steps.append("=" if reference[i] == hypothesis[j] else "S")
        elif way == _DELETION:
            i -= 1
            steps.append("D")
        else:
            j -= 1
            steps.append("I")
    operations = "".join(f"{op}{sum(1 for _ in run)}" for op, run in groupby(reversed(steps)))
    return operations, align.counts(operations)


def _ways(reference: Sequence[str], hypothesis: Sequence[str]) -> list[bytearray]:
    """Return for each pair of beginnings the last step of the cheapest way there."""
    width = len(hypothesis) + 1
    costs = [GAP * j for j in range(width)]
    ways = [bytearray([_INSERTION]) * width]
    for said in reference:
        last, costs = costs, [costs[0] + GAP]
        way = bytearray(width)
        way[0] = _DELETION
        left = costs[0]
        for j, heard in enumerate(hypothesis, start=1):
            paired = last[j - 1] if said == heard else last[j - 1] + SUBSTITUTION
            deleted, inserted = last[j] + GAP, left + GAP
            if paired <= deleted and paired <= inserted:
                left = paired
            elif deleted < inserted:
                left, way[j] = deleted, _DELETION
            else:
                left, way[j] = inserted, _INSERTION
            costs.append(left)
        ways.append(way)
    return ways
