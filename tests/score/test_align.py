"""A minimal alignment, against two other implementations."""

import itertools
import random

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.score import align


def textbook(reference, hypothesis):
    """Return the Levenshtein distance as the textbook writes it down."""
    row = list(range(len(hypothesis) + 1))
    for i, said in enumerate(reference, start=1):
        diagonal, row[0] = row[0], i
        for j, heard in enumerate(hypothesis, start=1):
            diagonal, row[j] = (
                row[j],
                min(row[j] + 1, row[j - 1] + 1, diagonal + (said != heard)),
            )
    return row[-1]


def test_counts_are_those_of_jiwer_and_totals_those_of_the_textbook(pairs):
    """On thousands of pairs in eight scripts, jiwer counts the same and a textbook finds the same total."""
    for script, reference, hypothesis in pairs(4000):
        counts = align.edits(reference, hypothesis)[1]
        assert textbook(reference, hypothesis) == counts.errors, script
        assert align.distance(reference, hypothesis) == counts.errors
        assert align.counted(reference, hypothesis) == counts
        assert align.counted_words(" ".join(reference), " ".join(hypothesis)) == counts
        theirs = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
        assert (theirs.hits, theirs.substitutions, theirs.deletions, theirs.insertions) == (
            counts.hits,
            counts.substitutions,
            counts.deletions,
            counts.insertions,
        )


def test_character_counts_are_those_of_jiwer(pairs):
    """Characters, combining marks among them, are counted as jiwer counts them."""
    for _, reference, hypothesis in pairs(800, seed=2):
        said, heard = " ".join(reference), " ".join(hypothesis)
        counts = align.edits(said, heard)[1]
        theirs = jiwer.process_characters(said, heard)
        assert theirs.substitutions + theirs.deletions + theirs.insertions == counts.errors
        assert theirs.hits == counts.hits


@pytest.mark.witness
def test_totals_are_those_of_kaldialign(pairs):
    """kaldialign, which breaks ties otherwise, finds the same totals."""
    edit_distance = pytest.importorskip("kaldialign").edit_distance
    for _, reference, hypothesis in pairs(2000, seed=3, corruption=0.8):
        theirs = edit_distance(reference, hypothesis)["total"]
        assert theirs == align.distance(reference, hypothesis)


@settings(max_examples=300)
@given(st.text(alphabet="abक़की ", max_size=20), st.text(alphabet="abक़की ", max_size=20))
def test_an_alignment_replays_to_both_texts(reference, hypothesis):
    """Reading an alignment's left side gives the reference, its right side the hypothesis, and `=` only equals."""
    operations, counts = align.edits(reference, hypothesis)
    steps = align.alignment(operations, reference, hypothesis)
    assert reference == "".join(said for _, said, _ in steps if said is not None)
    assert hypothesis == "".join(heard for _, _, heard in steps if heard is not None)
    for op, said, heard in steps:
        assert {"=": said == heard, "S": said != heard, "D": heard is None, "I": said is None}[op]
    assert len(steps) == counts.hits + counts.errors
    assert counts == align.counts(operations)


@settings(max_examples=500)
@given(st.text(alphabet="abcd", max_size=20), st.text(alphabet="abcd", max_size=20))
def test_counts_alone_are_those_of_the_alignment(reference, hypothesis):
    """Counting without an alignment gives what the alignment has."""
    assert align.edits(reference, hypothesis)[1] == align.counted(reference, hypothesis)


_WORDS = st.lists(st.sampled_from(["a", "b", "ab", "ba", "aab", "ä", "की"]), max_size=14)


@settings(max_examples=1000)
@given(_WORDS, _WORDS, _WORDS, _WORDS)
def test_words_that_are_not_cut_change_nothing(begun, said, heard, ended):
    """Words counted in two texts are those of their lists, whatever both texts begin and end with, words' parts too."""
    reference, hypothesis = begun + said + ended, begun + heard + ended
    counts = align.edits(reference, hypothesis)[1]
    assert counts == align.counted_words(" ".join(reference), " ".join(hypothesis))


def test_words_of_every_pair_of_short_texts():
    """All pairs of up to four of three words, of which one begins and ends another, are counted as their lists are."""
    texts = [text for n in range(5) for text in itertools.product(["a", "ba", "bab"], repeat=n)]
    for reference, hypothesis in itertools.product(texts, texts):
        counts = align.edits(reference, hypothesis)[1]
        assert counts == align.counted_words(" ".join(reference), " ".join(hypothesis))


@settings(max_examples=300)
@given(st.text(alphabet="abc", max_size=15), st.text(alphabet="abc", max_size=15))
def test_swapping_the_texts_exchanges_deletions_and_insertions(reference, hypothesis):
    """The other way round, the errors are the same, and what was deleted is inserted."""
    forth = align.edits(reference, hypothesis)[1]
    back = align.edits(hypothesis, reference)[1]
    assert forth.errors == back.errors
    assert forth.deletions - forth.insertions == back.insertions - back.deletions


@pytest.mark.parametrize(
    "reference, hypothesis, operations",
    [
        ("", "", ""),
        ("abc", "", "D3"),
        ("", "ab", "I2"),
        ("abcd", "abxd", "=2S1=1"),
        ("ab", "ba", "I1=1D1"),
    ],
)
def test_runs(reference, hypothesis, operations):
    """Operations are written as runs."""
    assert operations == align.edits(reference, hypothesis)[0]


def test_a_long_recording_is_aligned_in_little_memory():
    """Hours of words, 30,000 of them, are aligned."""
    draw = random.Random(5)  # noqa: S311 - seeded
    reference = [str(draw.randrange(5000)) for _ in range(30_000)]
    hypothesis = [word for word in reference if draw.random() > 0.02]
    counts = align.edits(reference, hypothesis)[1]
    assert len(reference) - len(hypothesis) == counts.deletions
    assert counts.insertions == 0


@given(
    said=st.text("ab", max_size=60), heard=st.text("abc", max_size=60), size=st.integers(1, 9), more=st.integers(0, 9), run=st.integers(1, 4)
)  # fmt: skip
def test_pieces_are_the_whole_and_their_errors_too(said, heard, size, more, run):
    """Parts follow each other, none is larger than asked for, and their least errors add up to those of the whole."""
    parts = align.pieces(said, heard, size=size, most=size + more, run=run)
    assert said == "".join(said[of_it] for of_it, _ in parts)
    assert heard == "".join(heard[of_ours] for _, of_ours in parts)
    assert all(max(len(said[a]), len(heard[b])) <= size + more for a, b in parts)
    whole = align.distance(said, heard)
    assert whole == sum(align.distance(said[a], heard[b]) for a, b in parts)
