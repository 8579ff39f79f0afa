"""`Score`: the golden cases, and what always holds."""

import json
from pathlib import Path

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.score import align
from harness.score import score as score_module
from harness.score.score import (
    TOKENS,
    Score,
    Unscored,
    counts_of,
    judgement,
    metric_of,
    profile_block,
    score_text,
    total,
)
from harness.text.compat import LIBRARIES
from harness.text.locales import LOCALES
from harness.text.normalise import PROFILES, normalised
from harness.text.numerals import missing_library

PROFILE_OF_CASE = {
    "raw": "raw-1",
    "orth": "orth-1",
    "norm": "norm-1",
    "normn": "norm-1n",
    "lenient": "lenient-1",
}
CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "golden" / "scoring_cases.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']}-{case['locale']}")
def test_golden_cases(case):
    """Each case normalises, aligns and counts as it says."""
    if case["profile"] == "normn" and missing_library(case["locale"]):
        pytest.skip("the extra `text` is not installed")
    scored = score_text(
        case["raw_ref"],
        case["raw_hyp"],
        case["locale"],
        profile=PROFILE_OF_CASE[case["profile"]],
        metric=case["metric"],
    )
    assert case["norm_ref"] == scored.normalised_reference
    assert case["norm_hyp"] == scored.normalised_hypothesis
    assert case["N"] == scored.counts.reference_tokens
    assert case["errors"] == scored.counts.errors
    if not case["tie"]:
        split = (scored.counts.substitutions, scored.counts.deletions, scored.counts.insertions)
        assert (case["S"], case["D"], case["I"]) == split
    assert case["rate"] == (
        scored.rate if scored.rate is None else pytest.approx(scored.rate, abs=1e-6)
    )


OWN_PROFILES = sorted(set(PROFILES) - set(LIBRARIES))
texts = st.text(alphabet="abc 1२३के की.’", max_size=25)


@settings(max_examples=200)
@given(
    texts,
    texts,
    st.sampled_from(["en-US", "hi-IN", "ja-JP", "th-TH"]),
    st.sampled_from(OWN_PROFILES),
)
def test_companions_are_the_scores_one_would_ask_for(reference, hypothesis, locale, profile):
    """A companion's counts are those of a score of that metric or profile."""
    scored = score_text(reference, hypothesis, locale, profile=profile)
    for name in ("WER", "CER", "CERns"):
        alone = score_text(reference, hypothesis, locale, profile=profile, metric=name)
        assert alone.counts == scored.companions[name]
    strict = score_text(reference, hypothesis, locale, profile="norm-1")
    assert strict.counts == scored.companions["norm-1"]


@settings(max_examples=200)
@given(
    st.lists(st.tuples(texts, texts), max_size=4),
    st.sampled_from(["en-US", "hi-IN", "ja-JP", "th-TH"]),
    st.sampled_from(OWN_PROFILES),
    st.sampled_from(list(TOKENS)),
)
def test_counts_of_many_are_those_of_each(pairs, locale, profile, metric):
    """Counting a whole list gives the counts of each transcript's score."""
    options = {"profile": profile, "metric": metric}
    references, hypotheses = [a for a, _ in pairs], [b for _, b in pairs]
    found = counts_of(references, hypotheses, locale, **options)
    assert [score_text(a, b, locale, **options).counts for a, b in pairs] == found


@settings(max_examples=200)
@given(texts, texts, st.sampled_from(list(TOKENS)))
def test_the_alignment_is_what_was_counted(reference, hypothesis, metric):
    """Counting the alignment's steps gives the counts, whatever the metric."""
    scored = score_text(reference, hypothesis, "en-US", metric=metric)
    ops = [op for op, _, _ in scored.alignment]
    assert [ops.count(op) for op in "=SDI"] == [
        scored.counts.hits,
        scored.counts.substitutions,
        scored.counts.deletions,
        scored.counts.insertions,
    ]


@given(st.lists(st.tuples(texts, texts), max_size=5))
def test_a_corpus_is_the_sum_of_its_utterances(pairs):
    """Summed counts give jiwer's corpus rate on the same normal texts."""
    scores = [score_text(*pair, "en-US", profile="norm-1") for pair in pairs]
    pooled = total(score.counts for score in scores)
    said = [normalised(reference, "en-US") for reference, _ in pairs]
    heard = [normalised(hypothesis, "en-US") for _, hypothesis in pairs]
    if pooled.reference_tokens:
        assert jiwer.process_words(said, heard).wer == pytest.approx(pooled.rate)


def test_each_distinct_text_is_normalised_once(monkeypatch):
    """A reference that many models share is normalised once."""
    seen = []
    steps = {"count": lambda text: seen.append(text) or text}
    normalised.cache_clear()
    monkeypatch.setattr("harness.text.normalise._steps", lambda *_: steps)
    for hypothesis in ("one", "two", "one"):
        score_text("said", hypothesis, "en-US")
    normalised.cache_clear()
    assert ["said", "one", "two"] == seen
    seen.clear()
    counts_of(["said", "said", "said"], ["one", "two", "one"], "en-US")
    assert ["said", "one", "two"] == seen


def test_without_a_reference_there_is_no_score():
    """No reference is a reason, an empty one a score without a rate, no answer all deletions."""
    assert isinstance(judgement(None, "a", "en-US"), Unscored)
    empty = judgement("", "a b", "en-US")
    assert isinstance(empty, Score)
    assert (None, 2) == (empty.rate, empty.counts.insertions)
    silent = judgement("a b", None, "en-US")
    assert isinstance(silent, Score)
    assert (1.0, 2) == (silent.rate, silent.counts.deletions)


def test_metrics_are_the_locales_own():
    """`auto` is characters without spaces in four locales and words elsewhere."""
    own = {locale for locale in LOCALES if metric_of(locale) == "CERns"}
    assert {"ja-JP", "cmn-CN", "th-TH", "ko-KR"} == own


@pytest.mark.parametrize(
    "metric, expected", [("WER", 1 / 3), ("MER", 1 / 3), ("WIL", 1 - (2 / 3) ** 2), ("CER", 1 / 11)]
)
def test_every_metric_has_its_own_value(metric, expected):
    """The rate is the metric's: WIL is no error rate."""
    assert expected == pytest.approx(
        score_text("the cat sat", "the cat sit", "en-US", metric=metric).rate
    )


@pytest.mark.parametrize(
    "arguments, named",
    [({"metric": "wer"}, "WER"), ({"profile": "norm"}, "norm-1"), ({"locale": "de-CH"}, "de-DE")],
)
def test_what_is_unknown_is_named_with_the_nearest(arguments, named):
    """A typing mistake is answered with what was probably meant."""
    with pytest.raises(UsageError, match=named):
        score_text("a", "b", **{"locale": "en-US", **arguments})


def test_a_profile_block_says_what_made_the_score(monkeypatch):
    """The id is of profile and locale, and an absent library is part of it: such scores never share a table."""
    monkeypatch.setattr(score_module, "missing_library", lambda _: None)
    block = profile_block("norm-1n", "de-DE")
    assert "glt-norm-1n/de-DE" == block["id"]
    assert 64 == len(block["code_sha256"])
    assert {"python", "unicode", "regex", "rapidfuzz", "num2words"} <= set(block["versions"])
    assert block["code_sha256"] == profile_block("raw-1", "ja-JP")["code_sha256"]
    monkeypatch.setattr(score_module, "missing_library", lambda _: "num2words")
    assert "glt-norm-1n-without-num2words/de-DE" == profile_block("norm-1n", "de-DE")["id"]
    assert "glt-norm-1/de-DE" == profile_block("norm-1", "de-DE")["id"]
    assert "glt-norm-1n-without-num2words" == profile_block("norm-1n", "de-DE", "fr-FR")["id"]


def test_an_hour_takes_no_longer_than_its_minutes(monkeypatch):
    """Numbers of a long transcript are looked for piece by piece: the tokens compared grow with its length alone."""
    compared = []
    real = align.distance

    def counted(reference, hypothesis):
        compared.append(len(reference))
        return real(reference, hypothesis)

    monkeypatch.setattr(align, "distance", counted)
    minute = [f"w{n}" for n in range(60)]
    said = " ".join([*minute, "25", *minute, "nineteen ninety nine"])
    heard = " ".join([*minute, "twenty five", "uh", *minute, "1999"])
    costs = []
    for minutes in (10, 40):
        compared.clear()
        score = score_text(
            " ".join([said] * minutes), " ".join([heard] * minutes), "en-US", metric="WER"
        )
        assert score.counts.errors == minutes
        assert score.companions["norm-1"].errors == minutes * 6
        costs.append(sum(compared))
    assert costs[1] < 6 * costs[0]


def test_counting_without_end_takes_no_longer_than_it_is(monkeypatch):
    """Nor does it matter which of the texts is long: a service that counts on and on is compared piece by piece."""
    compared = []
    real = align.distance

    def counted(reference, hypothesis):
        compared.append(len(hypothesis))
        return real(reference, hypothesis)

    monkeypatch.setattr(align, "distance", counted)
    costs = []
    for most in (400, 1600):
        compared.clear()
        heard = " ".join(f"{number % 100}" for number in range(most))
        score = score_text("we counted up to 9 and to ten", heard, "en-US", metric="WER")
        assert score.counts.errors <= score.companions["norm-1"].errors
        costs.append(sum(compared))
    assert costs[1] < 6 * costs[0]


@pytest.mark.skipif(bool(missing_library("en-US")), reason="the extra `text` is not installed")
def test_a_number_that_is_nearer_in_its_piece_alone_stays():
    """Characters may pair what words do not: 1 for `one` is right by words, and an error more than `one` for `tone`."""
    nouns = [f"{a}{b}x" for a in "abcdefghij" for b in "klmnopqrstuvwxyzabcd"][:199]
    tail = ["and so the story went on"]
    said = " ".join([*nouns, "tone", "1", *tail])
    heard = " ".join(["uh", *(f"{noun}s" for noun in nouns), "one", *tail])
    assert heard == score_text(said, heard, "en-US", metric="CER").normalised_hypothesis


@pytest.mark.parametrize("locale", ["en-US", "ja-JP", "ko-KR"])
@given(draw=st.randoms(use_true_random=False))
@settings(max_examples=6, deadline=None)
def test_long_transcripts_keep_what_numbers_promise(locale, draw):
    """However a long pair is cut, tolerance changes no reference and adds no error, and the alignment spells both texts."""
    words = {
        "en-US": ["a", "b", "five", "5", "twenty", "25"],
        "ja-JP": list("人生五5二十25"),
        "ko-KR": ["가", "나", "오", "5"],
    }
    said, heard = (
        " ".join(draw.choices(words[locale], k=draw.randint(200, 700))) for _ in range(2)
    )
    if draw.random() < 0.7:
        heard = " ".join(w if draw.random() < 0.9 else "x" for w in said.split())
    score = score_text(said, heard, locale)
    strict = score_text(said, heard, locale, profile="norm-1")
    assert strict.normalised_reference == score.normalised_reference
    assert score.counts.errors <= strict.counts.errors
    assert score.counts.reference_tokens == strict.counts.reference_tokens
