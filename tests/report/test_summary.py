"""Figures over many rows: laws, and second witnesses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.build import build_reports
from harness.report.rows.diff import merged
from harness.report.words.ears import ear_limit
from harness.score.score import score_text

WORDS = st.lists(st.sampled_from(["the", "quick", "brown", "fox", "für", "é"]), max_size=8).map(
    " ".join
)
LETTERS = st.text("人生而自由すべての ", max_size=12)


@given(
    texts=st.one_of(
        st.tuples(st.just("en-US"), WORDS, WORDS), st.tuples(st.just("ja-JP"), LETTERS, LETTERS)
    )
)
def test_a_merged_alignment_is_still_the_texts(texts):
    """Its pieces spell both normalised texts in order, and hold as many errors as were counted."""
    locale, said, heard = texts
    score = score_text(said, heard, locale)
    spaced = locale == "en-US"
    joint = " " if spaced else ""
    pieces = merged(score.alignment, spaced=spaced)
    for side, text in ((1, score.normalised_reference), (2, score.normalised_hypothesis)):
        spelt = joint.join(piece[side] for piece in pieces if piece[side] is not None)
        assert (text if spaced else text.replace(" ", "")) == spelt
    letters = [max(len(said or ""), len(heard or "")) for op, said, heard in pieces if op != "="]
    assert score.counts.errors == (len(letters) if spaced else sum(letters))


def test_models_rank_by_macro_cerns_and_incomplete_ones_last(run, said):
    """The lowest macro rate leads; a model that lacks a locale gets no place before complete ones."""
    one = said.Said
    table = build_reports(
        run(
            [
                one(id="a", model="bad", hypothesis="the"),
                one(id="a", model="good"),
                one(id="a", model="lacking"),
                one(id="b", model="bad", locale="de-DE"),
                one(id="b", model="good", locale="de-DE"),
                one(id="b", model="lacking", locale="de-DE", hypothesis=None),
            ]
        )
    )
    assert ["good", "bad", "lacking"] == [standing.model for standing in table.summary.standings]
    assert [2, 2, 1] == [standing.ranked_locales for standing in table.summary.standings]


def test_models_rank_within_what_all_of_them_completed(run, said):
    """The mean rank is over the locales that every model completed; equals share their places, and one alone has none."""
    one = said.Said
    heard = {"en-US": "the quick brown fox", "de-DE": "the quick", "tr-TR": "the"}
    rows = [one(id=code, locale=code, model="a", hypothesis=text) for code, text in heard.items()]
    rows += [one(id=code, locale=code, model="b") for code in ("en-US", "de-DE")]
    rows.append(one(id="tr-TR", locale="tr-TR", model="b", hypothesis=None))
    standings = build_reports(run(rows)).summary.standings
    assert {"a": (1.5 + 2) / 2, "b": (1.5 + 1) / 2} == {s.model: s.mean_rank for s in standings}
    (alone,) = build_reports(run([one(id="x")])).summary.standings
    assert alone.mean_rank is None


def test_what_all_answered_is_over_the_same_utterances(run, said):
    """Where one of two models failed, both have a second rate: over the utterances that both answered."""
    one = said.Said
    rows = [
        one(id="a", model="m", hypothesis="the quick brown"),
        one(id="b", model="m", hypothesis=None, outcome="failed_server", failure="transient"),
        one(id="a", model="n", hypothesis="the quick"),
        one(id="b", model="n", hypothesis="the"),
    ]
    first, second = build_reports(run(rows)).summary.cells
    assert ((0.25 + 1) / 2, 0.25) == (first.rate, first.rate_answered)
    assert ((0.5 + 0.75) / 2, 0.5) == (second.rate, second.rate_answered)


def test_a_macro_rate_is_the_plain_mean_of_its_cells(run, said):
    """Macro CERns is over all complete locales, macro WER over those measured in words, never both in one."""
    one = said.Said
    table = build_reports(
        run(
            [
                one(id="a", hypothesis="the quick brown"),
                one(id="b", locale="de-DE", reference="eins zwei", hypothesis="eins"),
                one(id="c", locale="ja-JP", reference="自由", hypothesis="自"),
            ]
        )
    )
    standing = table.summary.standings[0]
    cells = table.summary.cells
    assert np.mean([cell.cerns for cell in cells]) == pytest.approx(standing.macro_cerns)
    assert (0.25 + 0.5) / 2 == standing.macro_wer
    assert (3, 2) == (standing.ranked_locales, standing.word_locales)


@pytest.mark.parametrize(
    "ear, locale, fitness",
    [
        ("whisper-base", "en-US", None),
        ("whisper-base int8", "bn-BD", "unusable"),
        ("whisper-base", "hi-IN", "weak"),
        ("pocketsphinx en-us 5.1.0", "de-DE", "unusable"),
        ("pocketsphinx en-us 5.1.0", "en-IN", None),
        ("another", "bn-IN", None),
        ("scripted", "th-TH", None),
    ],
)
def test_an_ears_limits_are_known_by_language(ear, locale, fitness):
    """A recogniser's limits go with its name and the language, whatever the region."""
    limit = ear_limit(ear, locale)
    assert fitness == (limit.fitness if limit else None)
