"""Punctuation and casing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score.edits import EditCounts
from harness.score.readability import MarkCounts, readability

texts = st.text(alphabet="aB ,.?! ", max_size=20)


@given(texts)
def test_a_text_reads_like_itself(text):
    """A text has every mark and every case of itself."""
    found = readability(text, text, "en-US")
    assert 0 == found.punctuation.errors
    assert found.cased == found.cased_right
    assert all(counts == MarkCounts(right=counts.right) for counts in found.marks.values())


@given(texts, texts)
def test_kinds_add_up(reference, hypothesis):
    """The kinds' counts add up to those of all marks."""
    found = readability(reference, hypothesis, "en-US")
    whole = sum(found.marks.values(), MarkCounts())
    assert whole.right == found.punctuation.hits
    assert whole.missed == found.punctuation.substitutions + found.punctuation.deletions
    assert whole.extra == found.punctuation.substitutions + found.punctuation.insertions


@pytest.mark.parametrize(
    "locale, reference, hypothesis, punctuation, cased",
    [
        ("en-US", "Hello, World.", "hello world.", EditCounts(hits=1, deletions=1), (0, 2)),
        (
            "en-US",
            "Is it? Yes!",
            "is it. Yes, sir.",
            EditCounts(substitutions=2, insertions=1),
            (2, 3),
        ),
        ("en-US", "It’s 3.5 km.", "It's 3.5 km.", EditCounts(hits=1), (3, 3)),
        ("hi-IN", "क्या हुआ? हाँ।", "क्या हुआ हाँ।", EditCounts(hits=1, deletions=1), None),
        ("hi-IN", "राम आए॥ सीता आईं॥", "राम आए॥ सीता आईं।", EditCounts(hits=2), None),
        ("ar-XA", "ما اسمك؟", "ما اسمك?", EditCounts(hits=1), None),
        ("tr-TR", "Işık İzmir.", "ışık izmir.", EditCounts(hits=1), (0, 2)),
        ("tr-TR", "Ilık.", "ilık.", EditCounts(hits=1), (0, 0)),
        ("ja-JP", "はい、そうです。", "はいそうです。", EditCounts(hits=1, deletions=1), None),
        ("cmn-CN", "他说，好。", "他说，好", EditCounts(hits=1, deletions=1), None),
    ],
)
def test_readings(locale, reference, hypothesis, punctuation, cased):
    """Marks of every script are known; case only where the script has it."""
    found = readability(reference, hypothesis, locale)
    assert punctuation == found.punctuation
    assert cased == (None if found.cased is None else (found.cased_right, found.cased))


def test_thai_has_none():
    """Thai spaces are its punctuation."""
    assert readability("สวัสดี ครับ", "สวัสดีครับ", "th-TH") is None


def test_rates_are_of_sums():
    """Precision, recall and F1 come from counts, and are missing where there is nothing to count."""
    counts = MarkCounts(right=2, missed=2, extra=1) + MarkCounts(right=1)
    assert (3 / 4, 3 / 5, 6 / 9) == (counts.precision, counts.recall, counts.f1)
    empty = MarkCounts()
    assert (None, None, None) == (empty.precision, empty.recall, empty.f1)
