"""The short version of the bench's damaged run folders."""

from __future__ import annotations

from collections import Counter

from tests.chaos.folders import judged


def test_a_damaged_run_goes_on_or_names_the_file():
    """Forty run folders with a file or two damaged go on or name the file; nobody's answer is asked for again."""
    found = [judged(0, number) for number in range(40)]
    assert [] == [wrong for _, wrong in found if wrong]
    verdicts = Counter(verdict for verdict, _ in found)
    assert min(verdicts["goes on"], verdicts["named"]) > 5
