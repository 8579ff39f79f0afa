"""What divides the cells of a CSV's header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.corpus.divider import divider


@given(st.text())
def test_whatever_a_header_is_something_divides_it(header):
    """A header that is no CSV is no error here: whoever reads the file says what is wrong with it."""
    assert divider(header, [["text"], ["locale"]]) in {",", ";", "\t"}


@pytest.mark.parametrize(
    "header, expected",
    [
        ("text,locale", ","),
        ("text;locale", ";"),
        ("text\tlocale", "\t"),
        ("text;locale,region", ";"),
        ("text", ","),
        ("audio;sprache", ";"),
        ("text\rlocale", ","),
        ("text," + "x" * 200_000, ","),
    ],
)
def test_the_mark_that_yields_most_columns_divides(header, expected):
    """Of marks that yield as many columns, one that divides anything, and the comma first."""
    assert expected == divider(header, [["text"], ["locale"]])
