"""What goes wrong most often."""

from hypothesis import given
from hypothesis import strategies as st

from harness.report.confusions import by_class, confusions, deletions_by_position
from harness.score.score import score_text


def scores(*pairs):
    """Return scores of pairs of texts."""
    return [score_text(said, heard, "en-US", profile="norm-1") for said, heard in pairs]


texts = st.text(alphabet="abc1 ", max_size=16)


@given(st.lists(st.tuples(texts, texts), max_size=6))
def test_every_error_is_in_the_tables(pairs):
    """The tables count every error once, and every reference token once."""
    found = scores(*pairs)
    errors = sum(score.counts.errors for score in found)
    tokens = sum(score.counts.reference_tokens for score in found)
    deleted = sum(score.counts.deletions for score in found)
    inserted = sum(score.counts.insertions for score in found)
    table = confusions(((str(n), score) for n, score in enumerate(found)), most=1000)
    assert errors == sum(row.count for row in table)
    parts = deletions_by_position(found)
    assert (deleted, tokens) == tuple(map(sum, zip(*parts, strict=True)))
    classes = by_class(found).values()
    assert tokens == sum(every for _, every in classes)
    assert errors - inserted == sum(wrong for wrong, _ in classes)


def test_the_commonest_come_first_with_their_examples():
    """Rows say what became what, how often, and where to look."""
    found = scores(("a b c", "a x c"), ("b", "x"), ("b", "x"), ("b", "x"), ("d e", "d"))
    first, *rest = confusions(zip("12345", found, strict=True))
    assert ("S", "b", "x", 4, 0.8, ("1", "2", "3")) == (
        first.op, first.reference, first.hypothesis, first.count, first.share, first.examples,
    )  # fmt: skip
    assert [("D", "e", None, ("5",))] == [
        (row.op, row.reference, row.hypothesis, row.examples) for row in rest
    ]


def test_lost_starts_show_in_the_first_part():
    """Deletions are counted where in the utterance they are."""
    parts = deletions_by_position(scores(("a b c d e f g h i j", "c d e f g h i j")))
    assert [1, 1, 0, 0, 0, 0, 0, 0, 0, 0] == [deleted for deleted, _ in parts]


def test_classes():
    """Numbers, edges, rare and frequent tokens are told apart, in this order."""
    table = by_class(scores(("x 7 a a q y", "x 8 a a r y")))
    assert {"number": (1, 1), "edge": (0, 2), "frequent": (0, 2), "rare": (1, 1)} == table
