"""What goes wrong most often."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.rows.diff import SPACED, Steps, merged, pieces, tokenwise, written
from harness.report.summary.confusions import confusions, deletions_by_position
from harness.report.summary.token_classes import Spoken, by_class
from harness.score.score import TOKENS, score_text


def scores(*pairs):
    """Return scores of pairs of texts."""
    return [score_text(said, heard, "en-US", profile="norm-1") for said, heard in pairs]


def spoken(score, reference):
    """Return an aligned utterance of words."""
    return Spoken(steps=score.alignment, reference=reference, locale=score.locale, words=True)


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
    parts = deletions_by_position(score.alignment for score in found)
    assert (deleted, tokens) == (sum(p.deleted for p in parts), sum(p.tokens for p in parts))
    classes = by_class([spoken(score, said) for score, (said, _) in zip(found, pairs, strict=True)])
    assert tokens == sum(tally.tokens for tally in classes.values())
    assert errors - inserted == sum(tally.wrong for tally in classes.values())


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
    (found,) = scores(("a b c d e f g h i j", "c d e f g h i j"))
    parts = deletions_by_position([found.alignment])
    assert [1, 1, 0, 0, 0, 0, 0, 0, 0, 0] == [part.deleted for part in parts]


@pytest.mark.parametrize(
    "said, heard, locale, classes",
    [
        ("x 7 a a q y", "x 8 a a r y", "en-US", {"number": (1, 1), "edge": (0, 2), "frequent": (0, 2), "rare": (1, 1)}),
        ("We met Anna there.", "we met hannah there", "en-US", {"edge": (0, 2), "rare": (0, 1), "capitalised": (1, 1)}),
        ("Yes. We saw I think a well-known man", "yes we saw a well no man", "en-US",
         {"edge": (0, 2), "rare": (2, 5), "hyphenated": (1, 2)}),
        ("GO HOME NOW MAN", "go home man", "en-US", {"edge": (0, 2), "rare": (1, 2)}),
        ("Ich fuhr nach Köln", "ich fuhr nach keln", "de-DE", {"edge": (0, 1), "rare": (0, 2), "capitalised": (1, 1)}),
        ("मैं iPhone लाया", "मैं आईफोन लाया", "hi-IN", {"edge": (0, 2), "latin": (1, 1)}),
        ("он купил iPhone вчера", "он купил айфон вчера", "ru-RU", {"edge": (0, 2), "rare": (0, 1), "latin": (1, 1)}),
    ],
)  # fmt: skip
def test_classes(said, heard, locale, classes):
    """Numbers, foreign letters, names, compounds, edges, rare and frequent tokens are told apart, in this order."""
    score = score_text(said, heard, locale, profile="norm-1")
    found = by_class([spoken(score, said)])
    assert classes == {kind: (tally.wrong, tally.tokens) for kind, tally in found.items()}


@pytest.mark.parametrize("metric", TOKENS)
@given(pair=st.tuples(st.text(alphabet="ab我 नी", max_size=12), st.text(alphabet="ab我 नी", max_size=12)))  # fmt: skip
def test_a_merged_alignment_is_cut_again(metric, pair):
    """What a page draws in runs has the tokens that were counted, written as a text and read again as well."""
    score = score_text(*pair, "hi-IN", metric=metric, profile="raw-1")
    runs = merged(score.alignment, spaced=metric in SPACED)
    assert list(runs) == pieces(written(runs))
    steps = Steps(written(runs), metric)
    assert tokenwise(runs, metric) == list(steps) == list(steps)
    if metric != "gCER":
        assert score.alignment == tokenwise(runs, metric)
    assert score.counts.deletions <= sum(op == "D" for op, *_ in tokenwise(runs, metric))
