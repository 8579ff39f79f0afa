"""A minimal alignment of two token sequences, by RapidFuzz (the engine of jiwer), on tokens of our own making.

The total of errors is the Levenshtein distance. Where several alignments are minimal, which one this is, and so the
split into substitutions, deletions and insertions, is RapidFuzz's choice: “one minimal alignment”.

Knows tokens; does not know what they were cut from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import regex
from rapidfuzz.distance import Levenshtein

from harness.score.edits import EditCounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Op: TypeAlias = Literal["=", "S", "D", "I"]
"""Equal, substituted, deleted (only in the reference), inserted (only in the hypothesis)."""

Step: TypeAlias = "tuple[Op, str | None, str | None]"
"""What happened, to which token of the reference, and what the hypothesis has there."""

_OPS: dict[str, Op] = {"equal": "=", "replace": "S", "delete": "D", "insert": "I"}
_RUN = regex.compile(r"([=SDI])([0-9]+)")


def distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Return the least number of edits between two token sequences."""
    return Levenshtein.distance(reference, hypothesis)


def operations(reference: Sequence[str], hypothesis: Sequence[str]) -> str:
    """Return a minimal alignment as runs of operations: `=4S1D2`; empty for two empty sequences."""
    runs = []
    for block in Levenshtein.opcodes(reference, hypothesis):
        length = max(block.src_end - block.src_start, block.dest_end - block.dest_start)
        runs.append(f"{_OPS[block.tag]}{length}")
    return "".join(runs)


def counts(operations: str) -> EditCounts:
    """Return how often each operation stands in runs like `=4S1D2`."""
    of = {"=": 0, "S": 0, "D": 0, "I": 0}
    for op, length in _RUN.findall(operations):
        of[op] += int(length)
    return EditCounts(hits=of["="], substitutions=of["S"], deletions=of["D"], insertions=of["I"])


def alignment(
    operations: str, reference: Sequence[str], hypothesis: Sequence[str]
) -> Iterator[Step]:
    """Yield the alignment that `operations` describes, step by step, over the sequences it was made from."""
    left, right = iter(reference), iter(hypothesis)
    for op, length in _RUN.findall(operations):
        for _ in range(int(length)):
            yield op, None if op == "I" else next(left), None if op == "D" else next(right)
