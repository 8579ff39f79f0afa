"""Error rates of parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.summary.breakdown import groups_of, length_label, parts
from harness.score.edits import EditCounts
from harness.score.score import total

counts = st.builds(
    EditCounts,
    hits=st.integers(0, 9),
    substitutions=st.integers(0, 9),
    deletions=st.integers(0, 9),
    insertions=st.integers(0, 9),
)


@given(st.lists(st.tuples(st.sampled_from("abc"), counts), max_size=12))
def test_parts_make_up_the_whole(labelled):
    """Nothing is lost or counted twice, and the worst rate comes first."""
    found = parts(labelled, "WER")
    whole = total(own for _, own in labelled)
    assert len(labelled) == sum(part.utterances for part in found)
    assert whole.errors == sum(part.errors for part in found)
    assert whole.reference_tokens == sum(part.reference_tokens for part in found)
    rates = [part.rate for part in found if part.rate is not None]
    assert sorted(rates, reverse=True) == rates


@pytest.mark.parametrize(
    "length, label", [(0.0, "0 to 2 s"), (2.0, "2 to 4 s"), (59.9, "30 to 60 s"), (60, "60 s and over")]
)  # fmt: skip
def test_lengths_are_labelled(length, label):
    """A bucket holds its lower end, not its upper."""
    assert label == length_label(length)


def test_a_tag_divides_when_it_has_some_values():
    """One value divides nothing, many are ids, and figures are measurements."""
    tags = [
        {"sex": "fm"[n % 2], "id": f"x{n}", "all": "one", "snr": str(n % 3), "age": ["40s", "50s"][n % 2]}
        for n in range(40)
    ]  # fmt: skip
    assert ["age", "sex"] == groups_of(tags)
