"""Alignments drawn for people, against jiwer's own drawings."""

import jiwer
import pytest

from harness.score import align
from harness.score.drawing import drawing
from harness.score.score import score_text


def body(output, width):
    """Return what jiwer draws of one sentence, without the sentence's number and spaces at the end of lines."""
    drawn = jiwer.visualize_alignment(
        output, show_measures=False, skip_correct=False, line_width=width
    )
    lines = drawn.partition("\n\n")[2].splitlines()
    return "\n".join(line.rstrip() for line in lines).rstrip()


@pytest.mark.parametrize("width", [40, 200])
def test_a_drawing_is_jiwers_own(pairs, width):
    """Words and characters are drawn as jiwer draws its own alignment, which is ours."""
    for _, said, heard in pairs(300, seed=5):
        if not said:
            continue
        reference, hypothesis = " ".join(said), " ".join(heard)
        steps = align.alignment(align.edits(said, heard)[0], said, heard)
        theirs = body(jiwer.process_words(reference, hypothesis), width)
        assert theirs == drawing(steps, divided=True, width=width)
        steps = align.alignment(align.edits(reference, hypothesis)[0], reference, hypothesis)
        theirs = body(jiwer.process_characters(reference, hypothesis), width)
        assert theirs == drawing(steps, divided=False, width=width)


def test_what_was_counted_is_drawn():
    """With sclite's order of ties, the drawing is sclite's alignment, which jiwer would not make."""
    steps = score_text("d e f", "e f f", "en-US", aligner="sclite").alignment
    assert "REF: d e * f\nHYP: * e f f\n     D   I" == drawing(steps, divided=True, width=80)
