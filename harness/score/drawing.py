"""An alignment drawn for people: the reference above the hypothesis, a letter below each error, as jiwer draws it.

Knows alignments; does not know what they were cut from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.score.align import Op, Step

_AS_JIWER_NAMES_THEM: dict[Op, str] = {
    "=": "equal",
    "S": "substitute",
    "D": "delete",
    "I": "insert",
}


def drawing(steps: Sequence[Step], *, divided: bool, width: int) -> str:
    """Return an alignment in lines of about `width` characters: `REF:`, `HYP:`, and S, D or I below each error.

    It is the alignment that was counted, not one that jiwer makes. `divided`: a space stands between tokens.
    """
    from jiwer import AlignmentChunk, CharacterOutput, WordOutput, visualize_alignment

    chunks, i, j = [], 0, 0
    for op, reference, hypothesis in steps:
        to_i, to_j = i + (reference is not None), j + (hypothesis is not None)
        chunks.append(AlignmentChunk(_AS_JIWER_NAMES_THEM[op], i, to_i, j, to_j))
        i, j = to_i, to_j
    aligned: dict[str, Any] = {
        "references": [[said for _, said, _ in steps if said is not None]],
        "hypotheses": [[heard for *_, heard in steps if heard is not None]],
        "alignments": [chunks],
    }
    # Numbers are not drawn.
    counts: dict[str, Any] = dict.fromkeys(("hits", "substitutions", "insertions", "deletions"), 0)
    output = (
        WordOutput(**aligned, **counts, wer=0, mer=0, wil=0, wip=0)
        if divided
        else CharacterOutput(**aligned, **counts, cer=0)
    )
    drawn = visualize_alignment(output, show_measures=False, skip_correct=False, line_width=width)
    # The first line is the number of the sentence: it is the only one.
    lines: list[str] = drawn.partition("\n\n")[2].splitlines()
    return "\n".join(line.rstrip() for line in lines).rstrip()
