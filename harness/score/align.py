"""A minimal alignment of two token sequences, by RapidFuzz (the engine of jiwer), on tokens of our own making.

The total of errors is the Levenshtein distance. Where several alignments are minimal, which one this is, and so the
split into substitutions, deletions and insertions, is RapidFuzz's choice: “one minimal alignment”.

Knows tokens; does not know what they were cut from.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import regex
from rapidfuzz.distance import Levenshtein, Postfix, Prefix

from harness.score.edits import EditCounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Op: TypeAlias = Literal["=", "S", "D", "I"]
"""Equal, substituted, deleted (only in the reference), inserted (only in the hypothesis)."""

Step: TypeAlias = "tuple[Op, str | None, str | None]"
"""What happened, to which token of the reference, and what the hypothesis has there."""

_RUN = regex.compile(r"([=SDI])([0-9]+)")


# Bound once: a look-up in a module is a tenth of what a short utterance takes.
_editops: Any = Levenshtein.editops  # the type stubs lack half of what it returns
_begun_alike = Prefix.similarity
_ended_alike = Postfix.similarity


def distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Return the least number of edits between two token sequences."""
    return Levenshtein.distance(reference, hypothesis)


def edits(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[str, EditCounts]:
    """Return a minimal alignment as runs of operations, `=4S1D2`, and its counts."""
    runs = []
    hits = substitutions = deletions = insertions = 0
    for tag, from_start, from_end, to_start, to_end in opcodes(reference, hypothesis):
        if tag == "equal":
            hits += (length := from_end - from_start)
            runs.append(f"={length}")
        elif tag == "replace":
            substitutions += (length := from_end - from_start)
            runs.append(f"S{length}")
        elif tag == "delete":
            deletions += (length := from_end - from_start)
            runs.append(f"D{length}")
        else:
            insertions += (length := to_end - to_start)
            runs.append(f"I{length}")
    return "".join(runs), EditCounts(
        hits=hits, substitutions=substitutions, deletions=deletions, insertions=insertions
    )


def counted(reference: Sequence[str], hypothesis: Sequence[str], beside: int = 0) -> EditCounts:
    """Return the counts that `edits` returns, and no alignment: sooner, for where only counts are wanted.

    `beside` are hits that are known already, of tokens that are in neither sequence.
    """
    said, heard = len(reference), len(hypothesis)
    if reference == hypothesis:
        return EditCounts(hits=beside + said)
    steps = _editops(reference, hypothesis)
    errors, longer = len(steps), said - heard
    # S + D + I is known, and so is D - I. What they leave to S is even or odd, so one left is one substitution.
    substitutions = errors - abs(longer)
    if substitutions > 1:
        # 2 H + 2 S + D + I tokens are in the two sequences. Equal runs are fewer than steps.
        substitutions = said + heard - errors
        for run in steps.as_matching_blocks():
            substitutions -= 2 * run.size
    deletions = (errors - substitutions + longer) // 2
    return EditCounts(
        hits=beside + said - substitutions - deletions,
        substitutions=substitutions,
        deletions=deletions,
        insertions=errors - substitutions - deletions,
    )


def counted_words(reference: str, hypothesis: str) -> EditCounts:
    """Return what `counted` returns for the words of two texts whose white space is single spaces between words.

    Words that both begin or end with are not even cut: RapidFuzz sets them aside before it aligns, so nothing changes.
    """
    words = reference.count(" ") + 1
    if reference == hypothesis:
        return EditCounts(hits=words if reference else 0)
    if not (reference and hypothesis):
        return counted(reference.split(), hypothesis.split())
    longer = len(reference) - len(hypothesis)
    start = reference.rfind(" ", 0, _begun_alike(reference, hypothesis)) + 1
    # The ends that are alike begin at a space, and in neither text within what the beginnings have in common.
    alike = len(reference) - _ended_alike(reference, hypothesis)
    least = start + longer if longer > 0 else start
    end = reference.find(" ", alike if alike > least else least)  # noqa: FURB136 - max() takes three times as long
    if end < 0:
        said, heard = reference[start:].split(" "), hypothesis[start:].split(" ")
    else:
        said = reference[start:end].split(" ")
        heard = hypothesis[start : end - longer].split(" ")
    if len(said) == 1 == len(heard):
        return EditCounts(hits=words - 1, substitutions=1)
    return counted(said, heard, words - len(said))


def equal_runs(reference: Sequence[str], hypothesis: Sequence[str]) -> list[tuple[int, int, int]]:
    """Return the equal runs of a minimal alignment, in order: start in each sequence, and length."""
    return [
        (from_start, to_start, from_end - from_start)
        for tag, from_start, from_end, to_start, _ in opcodes(reference, hypothesis)
        if tag == "equal"
    ]


def pieces(
    reference: Sequence[str], hypothesis: Sequence[str], *, size: int, most: int, run: int
) -> list[tuple[slice, slice]]:
    """Return parts of two sequences that a minimal alignment pairs, in order; together they are the whole.

    Cuts are in the middle of equal runs of `run` tokens or more, so that a part has `size` tokens of the reference or
    more; where no such run comes in time, anywhere, so that it has `most` tokens of either or fewer.
    """
    found = []
    last = (0, 0)

    def cut(i: int, j: int) -> None:
        nonlocal last
        found.append((slice(last[0], i), slice(last[1], j)))
        last = (i, j)

    for tag, i, to_i, j, to_j in opcodes(reference, hypothesis):
        half = (to_i - i) // 2
        if tag == "equal" and to_i - i >= run and size <= i + half - last[0] <= most:
            i, j = i + half, j + half  # noqa: PLW2901 - the rest of the run
            cut(i, j)
        while (left := most - max(i - last[0], j - last[1])) < max(to_i - i, to_j - j):
            i, j = min(i + left, to_i), min(j + left, to_j)  # noqa: PLW2901 - the rest of the run
            cut(i, j)
    return [*found, (slice(last[0], None), slice(last[1], None))]


def opcodes(
    reference: Sequence[str], hypothesis: Sequence[str]
) -> list[tuple[str, int, int, int, int]]:
    """Return the runs of a minimal alignment: `equal`, `replace`, `delete` or `insert`, and start and end in each sequence."""
    # Tuples are cheaper than RapidFuzz's own objects; its type stubs give no width.
    return cast("Any", Levenshtein.opcodes(reference, hypothesis).as_list())  # type: ignore[no-any-return]


def counts(operations: str) -> EditCounts:
    """Return how often each operation stands in runs like `=4S1D2`."""
    of = {"=": 0, "S": 0, "D": 0, "I": 0}
    for op, length in _RUN.findall(operations):
        of[op] += int(length)
    return EditCounts(hits=of["="], substitutions=of["S"], deletions=of["D"], insertions=of["I"])


def alignment(operations: str, reference: Sequence[str], hypothesis: Sequence[str]) -> list[Step]:
    """Return the alignment that `operations` describes, step by step, over the sequences it was made from."""
    steps: list[Step] = []
    i = j = 0
    for op, digits in _RUN.findall(operations):
        length = int(digits)
        said: Iterable[str | None] = repeat(None, length)
        heard: Iterable[str | None] = repeat(None, length)
        if op != "I":
            said = reference[i : (i := i + length)]
        if op != "D":
            heard = hypothesis[j : (j := j + length)]
        steps += zip(repeat(op), said, heard, strict=False)
    return steps
