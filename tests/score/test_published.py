"""What other projects publish that they expect, expected of us."""

import pytest

from harness.score import align, sclite
from harness.score.edits import EditCounts
from harness.score.score import counts_of, rate, total

# jitsi/jiwer, tests/test_measures.py (Apache-2.0), some from Morris et al. 2004: WER, MER, WIL.
MEASURES = [
    ("This is a test", "This is a test", 0, 0, 0),
    ("This is a test", "", 1, 1, 1),
    ("This is a test", "This test", 0.5, 0.5, 0.5),
    ("i am a short ground truth", "i am a considerably longer and very much incorrect hypothesis", 7 / 6, 0.7, 0.85),
    ("X", "X", 0, 0, 0),
    ("X", "X X Y Y", 3, 0.75, 0.75),
    ("X Y X", "X Z", 2 / 3, 2 / 3, 5 / 6),
    ("X", "Y", 1, 1, 1),
    ("X", "Y Z", 2, 1, 1),
]  # fmt: skip

# jitsi/jiwer, tests/test_cer.py: references, hypotheses, CER of them all.
CHARACTERS = [
    (["This is a test"], ["This is a test"], 0),
    (["This is a test"], [""], 1),
    (["This is a test"], ["This test"], 5 / 14),
    (["X"], ["X X Y Y"], 6),
    (["X Y X"], ["X Z"], 3 / 5),
    (["X"], ["Y"], 1),
    (["X"], ["Y Z"], 3),
    (["i", "am i good"], ["i am", "i good"], 0.6),
    (["am i good", "i"], ["i good", "i am"], 0.6),
    (["i", "am i good"], ["i am", "y good"], 0.7),
]

# pzelasko/kaldialign, tests/test_align.py (Apache-2.0): substitutions, deletions, insertions.
EDITS = [
    ("abc", "asxc", (1, 0, 1)),
    ("ab", "bc", (0, 1, 1)),
    ("ABC", "DCA", (1, 1, 1)),
    ("ABCD", "CEDF", (0, 2, 2)),
]


CORPORA = [
    (["abc", "def"], ["abd", "eff"], 0.5),
    (["abc", "def"], ["abc", "eef"], 1 / 6),
]


@pytest.mark.parametrize("reference, hypothesis, wer, mer, wil", MEASURES)
def test_jiwers_measures(reference, hypothesis, wer, mer, wil):
    """WER, MER and WIL are what jiwer's tests expect."""
    (counts,) = counts_of([reference], [hypothesis], "en-US", profile="raw-1", metric="WER")
    found = [rate(metric, counts) for metric in ("WER", "MER", "WIL")]
    assert pytest.approx([wer, mer, wil]) == found


@pytest.mark.parametrize("references, hypotheses, cer", CHARACTERS)
def test_jiwers_character_rates(references, hypotheses, cer):
    """CER of one text and of several is what jiwer's tests expect."""
    counts = counts_of(references, hypotheses, "en-US", profile="raw-1", metric="CER")
    assert pytest.approx(cer) == total(counts).rate


@pytest.mark.parametrize("reference, hypothesis, split", EDITS)
def test_kaldialigns_edits(reference, hypothesis, split):
    """The total is what kaldialign's tests expect; the split is another choice among equals, and sclite's is theirs."""
    ours = align.counted(reference, hypothesis)
    assert sum(split) == ours.errors
    theirs = sclite.edits(reference, hypothesis)[1]
    assert split == (theirs.substitutions, theirs.deletions, theirs.insertions)


@pytest.mark.parametrize("references, hypotheses, expected", CORPORA)
def test_kaldialigns_corpora(references, hypotheses, expected):
    """Its corpus of two utterances has a rate of a half, and of a sixth with the second system."""
    pairs = zip(references, hypotheses, strict=True)
    counts = sum((align.counted(*pair) for pair in pairs), EditCounts.zero())
    assert pytest.approx(expected) == counts.rate
