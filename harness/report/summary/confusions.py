"""What goes wrong most often, pooled over many scores: pairs of tokens, and where in an utterance words are lost.

From one minimal alignment an utterance; where several are minimal, another might pair tokens otherwise.

Knows scores and ids; does not know files or pages.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.score.score import Score

BINS = 10
EXAMPLES = 3

Piece: TypeAlias = "tuple[str, str | None, str | None]"
"""Operation, and what it is of reference and hypothesis: a token, or a run of characters."""


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of error."""

    op: Literal["S", "D", "I"]
    reference: str | None
    """None: inserted."""

    hypothesis: str | None
    """None: deleted."""

    count: int
    share: float
    """Of all errors, 0 to 1."""

    examples: tuple[str, ...]
    """Ids of the first three utterances that have it."""


class Tenth(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of the reference in a tenth of the utterances, and how many of them were not heard."""

    deleted: int
    tokens: int


def confusions(scores: Iterable[tuple[str, Score]], *, most: int = 20) -> list[Confusion]:
    """Return the commonest substitutions, deletions and insertions, `most` of each, of scores with their ids."""
    aligned = ((name, score.alignment) for name, score in scores if score.counts.errors)
    return commonest(aligned, most=most)


def commonest(
    alignments: Iterable[tuple[str, Iterable[Piece]]], *, most: int = 20
) -> list[Confusion]:
    """Return the commonest pieces of alignments that are errors, `most` of each operation, of alignments with ids."""
    counts: Counter[Piece] = Counter()
    examples: dict[Piece, tuple[str, ...]] = {}
    for identifier, steps in alignments:
        for step in steps:
            if step[0] != "=":
                counts[step] += 1
                found = examples.get(step, ())
                if len(found) < EXAMPLES and identifier not in found:
                    examples[step] = (*found, identifier)
    total = counts.total()
    table = []
    for op in ("S", "D", "I"):
        own = ((step, count) for step, count in counts.items() if step[0] == op)
        ranked = sorted(own, key=lambda one: (-one[1], str(one[0])))
        table += [
            Confusion(
                op=op,
                reference=step[1],
                hypothesis=step[2],
                count=count,
                share=count / total,
                examples=examples[step],
            )
            for step, count in ranked[:most]
        ]
    return table


def deletions_by_position(alignments: Iterable[Iterable[Piece]]) -> list[Tenth]:
    """Return deleted and all reference tokens in ten parts of the utterance, from its start to its end.

    Many deletions in the first or last part are a transcript that starts late or ends early.
    """
    deleted, tokens = [0] * BINS, [0] * BINS
    lengths: Counter[int] = Counter()
    for steps in alignments:
        ops = [op for op, said, _ in steps if said is not None]
        lengths[len(ops)] += 1
        if "D" in ops:
            for place, op in enumerate(ops):
                deleted[place * BINS // len(ops)] += op == "D"
    for length, times in lengths.items():
        for place in range(length):
            tokens[place * BINS // length] += times
    return [Tenth(deleted=own, tokens=every) for own, every in zip(deleted, tokens, strict=True)]
