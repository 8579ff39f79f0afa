"""Counts add; rates are derived."""

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score.edits import EditCounts

counts = st.builds(
    EditCounts,
    hits=st.integers(0, 50),
    substitutions=st.integers(0, 50),
    deletions=st.integers(0, 50),
    insertions=st.integers(0, 50),
)


@given(counts, counts, counts)
def test_counts_are_a_commutative_monoid(a, b, c):
    """Adding is associative and commutative, and zero changes nothing."""
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a == a + EditCounts.zero()
    assert (a + b).errors == a.errors + b.errors


@given(counts)
def test_a_rate_is_missing_only_without_a_reference(counts):
    """The rate is None iff the reference is empty, is never clipped, and MER and WIL stay within 0 and 1."""
    assert (counts.rate is None) == (counts.reference_tokens == 0)
    assert (counts.information_lost is None) == (counts.reference_tokens == 0)
    if counts.rate is not None:
        assert counts.errors == pytest.approx(counts.rate * counts.reference_tokens)
        assert 0 <= counts.match_error_rate <= 1
        assert -1e-12 <= counts.information_lost <= 1


@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=12),
    st.lists(st.sampled_from("abcd"), max_size=12),
)
def test_every_measure_is_the_one_of_jiwer(reference, hypothesis):
    """WER, MER and WIL of counts are what jiwer says of the texts."""
    theirs = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    ours = EditCounts(
        hits=theirs.hits,
        substitutions=theirs.substitutions,
        deletions=theirs.deletions,
        insertions=theirs.insertions,
    )
    assert theirs.wer == pytest.approx(ours.rate)
    assert theirs.mer == pytest.approx(ours.match_error_rate)
    assert theirs.wil == pytest.approx(ours.information_lost)


def test_hallucinations_are_not_clipped():
    """Four words for one are a rate of 4."""
    assert EditCounts(substitutions=1, insertions=3).rate == 4.0
