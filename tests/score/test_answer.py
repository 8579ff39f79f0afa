"""What answers are right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.corpus.scenario import Expectation, ExpectedCall
from harness.score.answer import Answer, expectation, verdict
from harness.text.numerals import written_forms

CALL = ExpectedCall(name="get_temp", args={"city": "Gdynia"})


def passed(expected: Expectation, text="", calls=(), locale="en-US", *, spoke=False) -> bool:
    """Return whether an answer passes, having checked that a verdict says why iff it does not."""
    found = verdict(expected, Answer(text=text, calls=calls, spoke=spoke), locale)
    assert found.passed == (found.why is None)
    return found.passed


@given(st.integers(-(10**6), 10**6), st.sampled_from(["en-US", "de-DE", "fr-FR", "ja-JP"]))
def test_a_number_in_digits_is_the_number(number, locale):
    """Whatever the number, an answer that writes it in digits names it, and does not name the next one."""
    text = f"… {number} …"
    assert passed(Expectation(number=number), text, locale=locale)
    assert not passed(Expectation(number=number + 1), text, locale=locale)


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_answer_breaks_a_verdict(text, wanted):
    """Whatever was said and wanted, there is a verdict; only silence satisfies silence."""
    passed(Expectation(contains=wanted or "x"), text)
    passed(Expectation(number=3), text)
    assert (not text) == passed(Expectation(silence=True), text)


@pytest.mark.parametrize(
    ("wanted", "answer", "locale", "right"),
    [
        ("Warsaw", "The capital is WARSAW, of course.", "en-US", True),
        ("war", "The capital is Warsaw.", "en-US", False),
        ("New York", "new   york!", "en-US", True),
        ("Straße", "in der Straße.", "de-DE", True),
        ("東京", "東 京です。", "ja-JP", True),
        ("Москва", "москва́.", "ru-RU", False),
    ],
)
def test_an_answer_contains_whole_words(wanted, answer, locale, right):
    """Case, punctuation and spacing do not count; half a word is not contained where words are divided."""
    assert right == passed(Expectation(contains=wanted), answer, locale=locale)


@pytest.mark.parametrize(
    ("number", "tolerance", "answer", "locale", "right"),
    [
        (11, 0, "It is 11°C.", "en-US", True),
        (11, 0, "Es sind elf Grad.", "de-DE", True),
        (11, 0, "It is eleven degrees.", "en-US", True),
        (1234.5, 0, "1.234,5 Meter", "de-DE", True),
        (1234.5, 0, "1,234.5 metres", "en-US", True),
        (-4, 0, "It is -4 degrees.", "en-US", True),
        (-4, 0, "It is minus 4 degrees.", "en-US", True),
        (-4, 0, "It is 4 degrees.", "en-US", False),
        (4, 0, "It is -4 degrees.", "en-US", False),
        (3.14, 0.005, "about 3.1416", "en-US", True),
        (3.14, 0.001, "about 3.1416", "en-US", False),
        (1, 0, "It is 11.", "en-US", False),
        (4, 0, "no idea", "en-US", False),
        (5, 0, "Twenty-five.", "en-US", False),
        (25, 0, "Twenty-five.", "en-US", True),
        (100, 0, "one hundred twenty", "en-US", False),
        (120, 0, "one hundred twenty", "en-US", True),
        (4, 0, "quatre-vingt-dix", "fr-FR", False),
        (90, 0, "quatre-vingt-dix", "fr-FR", True),
        (1, 0, "二十一です", "ja-JP", False),
        (21, 0, "二十一です", "ja-JP", True),
        (5, 0, "पच्चीस", "hi-IN", False),
        (25, 0, "पच्चीस", "hi-IN", True),
        (5, 0, "minus five degrees", "en-US", False),
        (-5, 0, "minus five degrees", "en-US", True),
        (-5, 0, "five degrees", "en-US", False),
        (12345, 0, "twelve thousand three hundred and forty-five", "en-US", True),
        (12345, 0, "Twelve thousand, three hundred and forty-five.", "en-US", True),
        (20, 0, "Twenty! Five more than fifteen.", "en-US", True),
        (25, 0, "Twenty! Five more than fifteen.", "en-US", False),
        (2, 0, "One, two, three.", "en-US", True),
        (20, 0, "twenty – five more than fifteen", "en-US", True),
        (20, 0, "答えは二十。五を足す", "ja-JP", True),
    ],
)
def test_an_answer_names_a_number(number, tolerance, answer, locale, right):
    """Digits or words, with the marks of the locale and its sign; a word of a longer number names none, and no number goes over a pause."""
    expected = Expectation(number=number, tolerance=tolerance)
    assert right == passed(expected, answer, locale=locale)


@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from(["en-US", "ja-JP", "it-IT"]))
@settings(deadline=None)  # the first of a language learns its numerals
def test_a_number_in_words_is_the_number(said, expected, locale):
    """Below a thousand, an answer that writes a number in words names it, and no other."""
    words = written_forms(str(said), locale)[0]
    right = passed(Expectation(number=expected), f"… {words} …", locale=locale)
    assert right == (words in written_forms(str(expected), locale))


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ([("get_temp", {"city": "Gdynia"})], None),
        ([("other", {}), ("get_temp", {"city": " gdynia", "unit": "C"})], None),
        ([("get_temp", {"city": "Gdańsk"})], 'it called get_temp(city="Gdańsk")'),
        ([("get_temp", {})], "it called get_temp()"),
        ([("other", {})], "it did not call get_temp, but other"),
        ([], "it did not call get_temp"),
    ],
)
def test_a_call_needs_its_name_and_its_arguments(calls, why):
    """Every expected argument must be given; others may be."""
    expected = Expectation(tool=CALL)
    assert why == verdict(expected, Answer(calls=calls), "en-US").why


def test_all_that_is_expected_must_hold():
    """A call and words: one without the other is not enough."""
    both = Expectation(tool=CALL, contains=["eleven"])
    call = ("get_temp", {"city": "Gdynia"})
    assert passed(both, "Eleven degrees.", [call])
    assert not passed(both, "Eleven degrees.")
    assert not passed(both, "", [call])


def test_silence_is_no_words_no_speech_and_no_call():
    """Speech without a transcription is no silence."""
    quiet = Expectation(silence=True)
    assert passed(quiet)
    assert not passed(quiet, spoke=True)
    assert not passed(quiet, calls=[("f", {})])


def test_an_expectation_reads_well():
    """People are told what was expected in one line."""
    expected = Expectation(tool=CALL, number=11, tolerance=0.5, contains=["a", "b"])
    assert (
        'call get_temp(city="Gdynia"), number 11 ± 0.5, contains “a”, contains “b”'
        == expectation(expected)
    )
    assert "silence" == expectation(Expectation(silence=True))
