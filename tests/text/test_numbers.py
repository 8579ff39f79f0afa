"""Numbers written another way."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.score.score import score_text
from harness.text.locales import LOCALES
from harness.text.numerals import library, missing_library, written_forms

spelt = pytest.mark.skipif(
    any(missing_library(locale) for locale in LOCALES), reason="the extra `text` is not installed"
)


def form(number, locale):
    """Return the first written form of a number."""
    return written_forms(str(number), locale)[0]


@spelt
@settings(max_examples=300)
@given(st.sampled_from(sorted(LOCALES)), st.integers(0, 9999))
def test_a_number_in_words_equals_its_digits(locale, number):
    """In every language, digits and the written form of the same number are no error, either way round."""
    words = form(number, locale)
    assert 0 == score_text(words, str(number), locale).counts.errors
    assert 0 == score_text(str(number), words, locale).counts.errors


@spelt
def test_another_number_never_becomes_right():
    """No two different numbers come out equal: 2,000 random pairs over all locales."""
    draw = random.Random(20)  # noqa: S311 - seeded
    for locale in LOCALES:
        for _ in range(30):
            said, heard = draw.sample(range(10 ** draw.randint(1, 4)), 2)
            assert score_text(form(said, locale), str(heard), locale).counts.errors
            assert score_text(str(said), form(heard, locale), locale).counts.errors


@spelt
@settings(max_examples=200)
@given(
    st.sampled_from(["en-US", "de-DE", "hi-IN", "ja-JP", "th-TH", "ko-KR"]),
    st.lists(st.one_of(st.integers(0, 3000), st.sampled_from(["a", "b", "point"])), max_size=6),
    st.lists(st.one_of(st.integers(0, 3000), st.sampled_from(["a", "b", "point"])), max_size=6),
    st.randoms(use_true_random=False),
)
def test_tolerance_never_adds_an_error_and_never_changes_the_reference(locale, said, heard, draw):
    """With tolerance there are at most as many errors, over the same reference tokens, for every metric."""

    def text(words):
        return " ".join(
            form(word, locale) if isinstance(word, int) and draw.random() < 0.5 else str(word)
            for word in words
        )

    reference, hypothesis = text(said), text(heard)
    for metric in ("WER", "CER", "CERns", "gCER", "MixER"):
        strict = score_text(reference, hypothesis, locale, profile="norm-1", metric=metric)
        tolerant = score_text(reference, hypothesis, locale, profile="norm-1n", metric=metric)
        assert strict.normalised_reference == tolerant.normalised_reference
        assert strict.counts.reference_tokens == tolerant.counts.reference_tokens
        assert tolerant.counts.errors <= strict.counts.errors
        assert strict.counts == tolerant.companions["norm-1"]


@spelt
@pytest.mark.parametrize(
    "locale, reference, hypothesis, errors",
    [
        ("en-US", "the twenty first of may", "the 21st of may", 0),
        ("en-US", "two thousand and five", "2005", 0),
        ("en-US", "flight one oh one", "flight 101", 0),
        ("en-US", "a hundred people", "100 people", 0),
        ("en-US", "ten thirty", "10:30", 0),
        ("en-IN", "one lakh rupees", "1,00,000 rupees", 0),
        ("de-DE", "drei komma eins vier", "3,14", 0),
        ("es-ES", "tres coma catorce", "3,14", 0),
        ("ja-JP", "三点五キロ", "3.5キロ", 0),
        ("cmn-CN", "一万零五", "10005", 0),
        ("cmn-CN", "两百个", "200个", 0),
        ("cmn-CN", "一亿", "100000000", 0),
        ("ko-KR", "스무 명", "20명", 0),
        ("ko-KR", "만 오천 원", "15,000원", 0),
        ("ru-RU", "тысяча рублей", "1000 рублей", 0),
        ("nl-NL", "honderdeen", "101", 0),
        ("vi-VN", "hai mươi tư", "24", 0),
        ("hi-IN", "एक हजार", "१०००", 0),
        ("en-US", "seven", "007", 0),
        ("en-US", "a hundred and twenty five", "25", 3),
        ("en-US", "the 21st of may", "the twenty first of may", 0),
        ("en-US", "the 1st and the 1st", "the first and the first", 0),
        ("en-US", "the 21st of may", "the twenty one of may", 1),
    ],
)
def test_readings(locale, reference, hypothesis, errors):
    """Ordinals, years, digits one by one, decimals and both systems of a language are known."""
    assert errors == score_text(reference, hypothesis, locale).counts.errors


@spelt
def test_a_number_within_a_word_is_none():
    """The ten of `attend` and `tenor` is no number, though a 10 in its place would be fewer wrong characters."""
    for heard in ("attend pens", "tenor pens", "kitten pens"):
        scored = score_text("10 pens", heard, "en-US", metric="CER")
        assert heard == scored.normalised_hypothesis


@pytest.mark.parametrize(
    "number, expected",
    [
        (0, "零"), (10, "十"), (105, "一百零五"), (110, "一百一十"), (1010, "一千零一十"), (10_000, "一万"),
        (100_010, "十万零一十"), (20_300, "二万零三百"), (100_000_000, "一亿"), (100_010_000, "一亿零一万"),
        (123_456_789, "一亿二千三百四十五万六千七百八十九"),
    ],
)  # fmt: skip
def test_chinese_numerals(number, expected):
    """Chinese cardinals have their zeros where print has them."""
    assert expected == form(number, "cmn-CN")


def some_numbers():
    """Return every number under a thousand, and 500 of up to eleven digits."""
    draw = random.Random(3)  # noqa: S311 - seeded
    return [*range(1000), *(draw.randrange(10 ** draw.randint(3, 11)) for _ in range(500))]


@pytest.mark.witness
def test_chinese_japanese_and_korean_agree_with_the_libraries():
    """Our East Asian numerals are those of cn2an and num2words."""
    an2cn = pytest.importorskip("cn2an").an2cn
    num2words = pytest.importorskip("num2words").num2words
    for number in some_numbers():
        if not 10 <= number < 20:
            assert an2cn(number) == form(number, "cmn-CN").replace("两", "二")
        assert num2words(number, lang="ko").replace(" ", "") == form(number, "ko-KR")


def test_a_locale_names_the_library_it_takes():
    """Only Chinese, Japanese and Korean spell numbers without another package."""
    own = {locale for locale in LOCALES if library(locale) is None}
    assert {"cmn-CN", "ja-JP", "ko-KR"} == own
