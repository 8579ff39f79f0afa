"""What goes wrong most often, pooled over many scores: pairs of tokens, and where in an utterance words are lost.

From one minimal alignment an utterance; where several are minimal, another might pair tokens otherwise.

Knows scores and ids; does not know files or pages.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.score.score import Score

BINS = 10
EXAMPLES = 3

Piece: TypeAlias = "tuple[str, str | None, str | None]"
"""Operation, and what it is of reference and hypothesis: a token, or a run of characters."""

TokenClass = Literal["number", "edge", "rare", "frequent", "other"]
"""What a token of the reference is; the first that fits."""

FREQUENT = 100
"""How many of a set's commonest tokens are called frequent."""


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


def confusions(scores: Iterable[tuple[str, Score]], *, most: int = 20) -> list[Confusion]:
    """Return the commonest substitutions, deletions and insertions, `most` of each, of scores with their ids."""
    aligned = ((name, score.alignment) for name, score in scores if score.counts.errors)
    return commonest(aligned, most=most)


def commonest(
    alignments: Iterable[tuple[str, Iterable[Piece]]], *, most: int = 20
) -> list[Confusion]:
    """Return the commonest pieces of alignments that are errors, `most` of each operation, of alignments with ids."""
    counts: Counter[Piece] = Counter()
    examples: dict[Piece, dict[str, None]] = {}
    for identifier, steps in alignments:
        for step in steps:
            if step[0] != "=":
                counts[step] += 1
                found = examples.setdefault(step, {})
                if len(found) < EXAMPLES:
                    found[identifier] = None
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
                examples=tuple(examples[step]),
            )
            for step, count in ranked[:most]
        ]
    return table


def deletions_by_position(scores: Iterable[Score]) -> list[tuple[int, int]]:
    """Return deleted and all reference tokens in ten parts of the utterance, from its start to its end.

    Many deletions in the first or last part are a transcript that starts late or ends early.
    """
    parts = [[0, 0] for _ in range(BINS)]
    for score in scores:
        tokens = score.counts.reference_tokens
        place = 0
        for op, said, _ in score.alignment:
            if said is not None:
                part = parts[place * BINS // tokens]
                part[0] += op == "D"
                part[1] += 1
                place += 1
    return [(deleted, all_tokens) for deleted, all_tokens in parts]


def by_class(scores: Sequence[Score]) -> dict[TokenClass, tuple[int, int]]:
    """Return wrong and all reference tokens by what they are.

    `number` has a digit; `edge` is the first or last of an utterance; `rare` occurs once in all references,
    `frequent` is among the 100 commonest that occur more often than once.
    """
    spoken = [[step for step in score.alignment if step[1] is not None] for score in scores]
    uses = Counter(said for steps in spoken for _, said, _ in steps if said is not None)
    frequent = {token for token, count in uses.most_common(FREQUENT) if count > 1}
    table: dict[TokenClass, list[int]] = {}
    for steps in spoken:
        for place, (op, said, _) in enumerate(steps):
            kind = _class(said or "", place in {0, len(steps) - 1}, uses, frequent)
            row = table.setdefault(kind, [0, 0])
            row[0] += op != "="
            row[1] += 1
    return {kind: (wrong, every) for kind, (wrong, every) in table.items()}


_DIGIT = regex.compile(r"\d")


def _class(token: str, edge: bool, uses: Counter[str], frequent: set[str]) -> TokenClass:
    if _DIGIT.search(token):
        return "number"
    if edge:
        return "edge"
    if uses[token] == 1:
        return "rare"
    return "frequent" if token in frequent else "other"
