"""Errors at seams: those that touch one are counted, every other is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score.score import score_text
from harness.score.seams import at_seams

SAID = "one two three four five six seven eight nine ten"


def counted(heard: str, *seams: int, said: str = SAID):
    """Return the errors at the seams of a transcript: (substitutions, deletions, insertions)."""
    found = at_seams(score_text(said, heard, "en-US", metric="WER"), heard, seams)
    return (found.substitutions, found.deletions, found.insertions)


FIVE = len("one two three four five")


@pytest.mark.parametrize(
    "heard, seam, errors",
    [
        (SAID, FIVE, (0, 0, 0)),
        ("one two three four six seven eight nine ten", len("one two three four"), (0, 1, 0)),
        ("one two three six seven eight nine ten", len("one two three"), (0, 2, 0)),
        ("one two three four five five six seven eight nine ten", FIVE, (0, 0, 1)),
        ("one two three four five four five six seven eight nine ten", FIVE, (0, 0, 2)),
        ("one two three four hive six seven eight nine ten", len("one two three four hive"), (1, 0, 0)),
        ("one three four five six seven eight nine ten", len("one three four five"), (0, 0, 0)),
        ("one two three four five six seven eight nine", FIVE, (0, 0, 0)),
        ("two three four five six seven eight nine ten", 0, (0, 1, 0)),
        ("one two three four five six seven eight nine", len(SAID), (0, 1, 0)),
        ("", 0, (0, 10, 0)),
    ],
)  # fmt: skip
def test_errors_that_touch_a_seam(heard, seam, errors):
    """Words lost, doubled or changed beside the seam are counted; an error elsewhere is not."""
    assert errors == counted(heard, seam)


@pytest.mark.parametrize(
    "said, before, after, metric, errors",
    [
        ("in 1999 and in 2005 it was one two three four", "in nineteen ninety nine and in two thousand and five it was", "four", "WER", (0, 3, 0)),
        ("in nineteen ninety nine and in two thousand and five it was one two three four", "in 1999 and in 2005 it was", "four", "WER", (0, 3, 0)),
        ("in 1999 and in 2005 it was one", "in nineteen ninety nine", "and in two thousand and five it was one", "WER", (0, 0, 0)),
        ("in 1999 and so on", "in nineteen ninety", "nine and so on", "WER", (0, 0, 0)),
        ("a data base and one two three", "a database and", "three", "WERc", (0, 2, 0)),
    ],
)  # fmt: skip
def test_numbers_before_a_seam_do_not_move_it(said, before, after, metric, errors):
    """What is scored has numbers and compounds as the reference has them; a seam stays between the words it was between."""
    heard = f"{before} {after}"
    found = at_seams(score_text(said, heard, "en-US", metric=metric), heard, [len(before)])
    assert errors == (found.substitutions, found.deletions, found.insertions)


def test_an_error_between_two_seams_counts_once():
    """A word that is lost where two seams meet is one word lost."""
    heard = "one two three four six seven eight nine ten"
    at = len("one two three four")
    assert (0, 1, 0) == counted(heard, at, at)


@given(st.lists(st.integers(0, len(SAID)), max_size=4))
def test_a_perfect_transcript_has_none(seams):
    """Wherever connections ended, a transcript without errors has none at its seams."""
    assert (0, 0, 0) == counted(SAID, *seams)


@given(
    st.lists(st.sampled_from(SAID.split()), max_size=12), st.lists(st.integers(0, 60), max_size=3)
)
def test_never_more_than_there_are(words, seams):
    """No seam counts an error that the whole transcript does not have."""
    heard = " ".join(words)
    whole = score_text(SAID, heard, "en-US", metric="WER").counts
    subs, lost, more = counted(heard, *seams)
    assert subs <= whole.substitutions
    assert lost <= whole.deletions
    assert more <= whole.insertions
