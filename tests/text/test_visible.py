"""What a terminal is shown of text that others wrote."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.text.visible import visible


@given(st.text())
def test_nothing_that_moves_a_terminal_is_left(text):
    """No control, line separator, bidirectional control or lone surrogate survives, and letters all do."""
    shown = visible(text)
    assert not {"Cc", "Zl", "Zp", "Cs"} & {unicodedata.category(character) for character in shown}
    bidirectional = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not bidirectional & {unicodedata.bidirectional(character) for character in shown}
    assert [c for c in text if c.isalpha()] == [c for c in shown if c.isalpha()] or "\\" in shown


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\u202eb", "a\\u202eb"),
        ("two\nlines", "two\\nlines"),
        ("\udcff", "\\udcff"),
        ("नमस्ते क्‍ष می‌خواهم", "नमस्ते क्‍ष می‌خواهم"),
    ],
)
def test_what_is_escaped_and_what_is_not(text, shown):
    """Escapes are Python's; the joiners that Indic and Persian spelling needs stay."""
    assert shown == visible(text)
