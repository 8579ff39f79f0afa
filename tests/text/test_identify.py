"""Which language a text is in."""

import json
from collections import Counter
from pathlib import Path

import pytest

from harness.text.identify import language_of, letter_groups, log_likelihoods
from harness.text.locales import LOCALES

# Articles of the Universal Declaration of Human Rights that the table was not made from, by language.
HELD_OUT = json.loads(
    (Path(__file__).parents[1] / "golden" / "declaration_held_out.json").read_text(encoding="utf-8")
)
SCRIPT = {code.partition("-")[0]: locale.script for code, locale in LOCALES.items()}


@pytest.mark.parametrize("words, least", [(4, 0.97), (8, 0.98), (12, 0.99)])
def test_held_out_text_is_identified(words, least):
    """Of passages of four words 97 % are put to their language, of eight 98 %, of twelve 99 %."""
    found = Counter()
    for language, texts in HELD_OUT.items():
        for text in texts:
            tokens = text.split()
            for start in range(0, len(tokens), words):
                guess = language_of(" ".join(tokens[start : start + words]), SCRIPT[language])
                found[guess == language] += guess is not None
    assert found.total() > 500
    assert found[True] / found.total() >= least


def test_every_language_that_shares_its_script_is_known():
    """A script of several languages has a table of each; one of a single language has nothing to tell apart."""
    shared = Counter(SCRIPT.values())
    assert set(HELD_OUT) == {language for language, script in SCRIPT.items() if shared[script] > 1}
    text = "ทุกคนเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ"
    assert language_of(text, "Thai") is None


def test_short_texts_are_not_guessed():
    """Fewer than 20 letters are noise."""
    assert {} == log_likelihoods("a" * 19, "Latn")
    assert "de" in log_likelihoods("a" * 20, "Latn")


def test_letter_groups_are_within_words():
    """Groups do not reach over the edges of words, and figures are not letters."""
    assert {"_": 4, "a": 2, "b": 1, "_a": 2, "ab": 1, "b_": 1, "a_": 1, "_ab": 1, "ab_": 1, "_a_": 1} == letter_groups("ab 12 a")  # fmt: skip
