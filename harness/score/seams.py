"""Errors at seams: what was lost or heard twice where one connection of a long recording ended and the next went on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.score.align import equal_runs
from harness.score.edits import EditCounts
from harness.score.score import tokens_of
from harness.text.normalise import normalised, strict_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.score.score import Score


def at_seams(score: Score, heard: str, seams: Sequence[int]) -> EditCounts:
    """Return the errors at the seams of a transcript: deletions are tokens lost, insertions tokens doubled or made up.

    `heard` is the raw transcript of `score`, `seams` how many of its characters came before each seam. Counted are the
    errors, without a hit between, that touch a seam; the hits beside them are not. An error that touches two seams
    counts once.
    """
    if not seams:
        return EditCounts()
    tokens = tokens_of(score.metric, score.locale)
    profile = strict_profile(score.profile)
    operations = [operation for operation, _, _ in score.alignment]
    after = [0]  # how many tokens of the transcript lie before each operation
    for operation in operations:
        after.append(after[-1] + (operation != "D"))
    whole = tokens(normalised(heard, score.locale, profile))
    scored = tokens(score.normalised_hypothesis)
    touching: set[int] = set()
    for seam in seams:
        before = len(tokens(normalised(heard[:seam], score.locale, profile)))
        touching.update(_around(operations, after, _place(before, whole, scored)))
    found = [operations[at] for at in touching]
    return EditCounts(
        substitutions=found.count("S"),
        deletions=found.count("D"),
        insertions=found.count("I"),
    )


def _place(before: int, heard: Sequence[str], scored: Sequence[str]) -> int:
    """Return how many of the `scored` tokens lie before the place behind the first `before` that were `heard`.

    Those that are scored have numbers and compounds as the reference writes them; a place within one is behind it.
    """
    if not before or heard == scored:
        return before
    for start, scored_start, length in equal_runs(heard, scored):
        if before <= start:
            return scored_start
        if before <= start + length:
            return scored_start + before - start
    return len(scored)


def _around(operations: Sequence[str], after: Sequence[int], before: int) -> set[int]:
    """Return which operations are errors that touch the place behind the transcript's first `before` tokens."""
    places = [at for at, count in enumerate(after) if count == before] or [len(operations)]
    left, right = places[0], places[-1]
    while left > 0 and operations[left - 1] != "=":
        left -= 1
    while right < len(operations) and operations[right] != "=":
        right += 1
    return set(range(left, right))
