"""Words written together or apart: `ice cream` for `icecream`, and the other way round.

As with numbers, only the hypothesis is rewritten, so the reference's tokens stay what they are. Hyphens are spaces by
now. Joining or dividing is free, everything else costs one, and the cheapest reading is taken (kaldialign's
`merge_compounds`).

Knows words; does not know metrics.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST = 8
"""Words of the longest compound."""

MOST = 300
"""Words of a part that is looked at as one, about: time and memory grow with its square."""


def compounded(
    said: list[str], heard: list[str], same: Iterable[tuple[int, int, int]]
) -> list[str]:
    """Return what was heard with compounds divided as in what was said, where that lowers the errors.

    `same` are the runs of a minimal alignment that are equal: `(start in said, start in heard, length)`, in order.
    """
    if not _candidates(said, heard):
        return heard
    rewritten: list[str] = []
    for (i, j), (i_end, j_end) in pairwise(_cuts(len(said), len(heard), same)):
        part, answer = said[i:i_end], heard[j:j_end]
        rewritten += answer if part == answer else _divided(part, answer)
    return rewritten


def _cuts(said: int, heard: int, same: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the places, in so many words said and heard, between which compounds are looked for; begin and end are two.

    A long equal run is taken as settled in its middle, so that the work grows with the errors and not with the square. In
    texts that have little in common there is a cut after some `MOST` words: behind an equal run, or where there is none
    anywhere.
    """
    i = j = 0
    yield i, j
    behind = i, j
    for from_start, to_start, length in (*same, (said, heard, 0)):
        if max(from_start - i, to_start - j) > MOST:
            yield behind
            i, j = behind
        while max(from_start - i, to_start - j) > MOST:
            # Between two equal runs no pair is equal, so all ways that go straight on as long as they can cost the same.
            i, j = min(i + MOST, from_start), min(j + MOST, to_start)
            yield i, j
        behind = from_start + length, to_start + length
        if length > 2 * LONGEST:
            yield from_start + LONGEST, to_start + LONGEST
            i, j = behind[0] - LONGEST, behind[1] - LONGEST
            yield i, j
    yield said, heard


def _candidates(said: list[str], heard: list[str]) -> bool:
    """Return whether any run of words on one side is a word of the other."""
    return any(
        not one.isdisjoint(joined)
        for one, runs in ((set(said), _runs(heard)), (set(heard), _runs(said)))
        for joined in runs
    )


def _runs(words: list[str]) -> list[dict[str, int]]:
    """Return for every word the compounds that end with it, and how many words each takes."""
    return [
        {"".join(words[end - count : end]): count for count in range(2, min(LONGEST, end) + 1)}
        for end in range(1, len(words) + 1)
    ]


def _divided(said: list[str], heard: list[str]) -> list[str]:
    """Return what was heard, written as the cheapest reading has it: edit distance with joins at no cost."""
    runs_said, runs_heard = _runs(said), _runs(heard)
    # Each cell: the least cost of the two beginnings, and the cell before it.
    costs = [[0] * (len(heard) + 1) for _ in range(len(said) + 1)]
    before = [[(0, 0)] * (len(heard) + 1) for _ in range(len(said) + 1)]
    for i in range(len(said) + 1):
        for j in range(len(heard) + 1):
            if not i and not j:
                continue
            ways = []
            if i and j:
                ways.append((costs[i - 1][j - 1] + (said[i - 1] != heard[j - 1]), i - 1, j - 1))
                if count := runs_said[i - 1].get(heard[j - 1]):
                    ways.append((costs[i - count][j - 1], i - count, j - 1))
                if count := runs_heard[j - 1].get(said[i - 1]):
                    ways.append((costs[i - 1][j - count], i - 1, j - count))
            if i:
                ways.append((costs[i - 1][j] + 1, i - 1, j))
            if j:
                ways.append((costs[i][j - 1] + 1, i, j - 1))
            cost, *cell = min(ways)
            costs[i][j], before[i][j] = cost, (cell[0], cell[1])
    i, j = len(said), len(heard)
    rewritten: list[str] = []
    while i or j:
        i_before, j_before = before[i][j]
        joined = (i - i_before) + (j - j_before) > 2
        words = said[i_before:i] if joined else heard[j_before:j]
        rewritten += reversed(words)
        i, j = i_before, j_before
    return rewritten[::-1]
