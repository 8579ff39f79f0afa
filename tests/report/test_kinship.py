"""What utterances have in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.rows import kinship
from harness.report.rows.kinship import block, kinds, recordings

CLIPS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.frozensets(st.tuples(st.sampled_from("xyzw"), st.just(0.0)), max_size=3),
)


@pytest.mark.parametrize(
    "known, expected",
    [
        (("ann", "tape", "hello"), ("speaker", "ann")),
        ((None, "tape", "hello"), ("recording", "tape")),
        (("", None, "hello"), ("sentence", "hello")),
        ((None, None, " "), ("utterance", "u")),
        ((None, None, None), ("utterance", "u")),
    ],
)
def test_the_first_that_is_known_counts(known, expected):
    """An utterance moves with its speaker, else its recording, else its sentence, else alone."""
    speaker, recording, reference = known
    assert expected == block(
        speaker=speaker, recording=recording, reference=reference, utterance="u"
    )


def test_blocks_are_named_by_their_kinds():
    """Each kind is said once."""
    assert "speaker or recording" == kinds([("speaker", "a"), ("recording", "b"), ("speaker", "c")])


def test_a_recording_is_what_several_clips_are_cut_from():
    """A file heard twice from the same place is no recording of several."""
    assert {"a"} == recordings([("a", 0.0), ("a", 1.5), ("b", 2.0), ("b", 2.0), ("c", 0.0)])


@given(CLIPS)
def test_test_sets_are_what_shares_clips(clips):
    """Two places are one test set exactly where a chain of shared clips leads from one to the other; the first names it."""
    found = kinship.test_sets(clips)
    assert list(clips) == list(found)
    reached = {place: {place} for place in clips}
    for _ in clips:
        for place in clips:
            reached[place] |= {
                other for other in clips if any(clips[other] & clips[one] for one in reached[place])
            }
    for place in clips:
        assert min(reached[place], key=list(clips).index) == found[place]
