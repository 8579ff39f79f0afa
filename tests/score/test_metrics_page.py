"""The page about metrics cannot lie."""

import doctest
from pathlib import Path

import pytest

from harness.score.score import METRICS
from harness.text.locales import LOCALES
from harness.text.normalise import PROFILES
from harness.text.numerals import missing_library
from tests.score.agreement import LINES

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.mark.skipif(
    any(missing_library(locale) for locale in LOCALES), reason="the extra `text` is not installed"
)
def test_its_examples_are_true():
    """Every example of docs/metrics.md gives what stands below it."""
    for library in ("num2words", "fugashi", "pythainlp"):
        pytest.importorskip(library)
    failures, examples = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert 0 == failures
    assert examples > 60


def test_it_names_every_metric_and_profile():
    """No metric or profile is without a definition."""
    text = PAGE.read_text(encoding="utf-8")
    for name in (*METRICS, *PROFILES):
        assert f"`{name}`" in text


def test_its_table_of_agreement_can_be_made_again():
    """`make agreement` writes every line of the table, and each once, so that none is left as it was."""
    table = PAGE.read_text(encoding="utf-8").partition("|---|---|---|\n| jiwer ")[2]
    lines = ["| jiwer " + table.splitlines()[0], *table.splitlines()[1:]]
    assert len(LINES) == len(lines)
    for start in LINES:
        assert 1 == sum(line.startswith(start) for line in lines)
