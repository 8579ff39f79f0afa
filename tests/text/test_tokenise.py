"""What errors are counted over."""

from pathlib import Path

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.text import tokenise
from harness.text.tokenise import characters, characters_unspaced, clusters, mixed, words

# Unicode's own test of where grapheme clusters end.
BREAKS = [
    [[chr(int(code, 16)) for code in part.split(" × ")] for part in line.strip("÷ ").split(" ÷ ")]
    for line in (Path(__file__).parents[1] / "golden" / "grapheme_break_test.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if line.startswith("÷")
]

# A Devanagari virama that follows no consonant: `regex` 2026.11, of Unicode 18, joins the consonant after it to it.
# No Indic word has one there.
OTHERWISE = {"\u094d\u0915", "\u094d\u0308\u0915", "a\u094d\u0924", "?\u094d\u0924"}


@given(st.text(alphabet="aé नीन้ำ한我い😀", max_size=20))
def test_no_character_is_lost_or_added(text):
    """However a text is cut, its pieces make up its characters without spaces, in order."""
    unspaced = text.replace(" ", "")
    for cut in (words, characters_unspaced, clusters, mixed):
        assert unspaced == "".join(cut(text))
    assert text == characters(text)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("打开 machine learning 课件", ["打", "开", "machine", "learning", "课", "件"]),
        ("我用iphone拍照", ["我", "用", "iphone", "拍", "照"]),
        ("データ3.5", ["デ", "ー", "タ", "3.5"]),
        ("", []),
    ],
)
def test_mixed_tokens(text, expected):
    """Characters of unspaced scripts stand alone, words of the others stay whole."""
    assert expected == mixed(text)


@pytest.mark.parametrize(
    "text, n", [("น้ำ", 1), ("हिन्दी", 2), ("பல்லி", 3), ("👨‍👩‍👧 a", 2), ("e\u0301", 1)]
)
def test_clusters(text, n):
    """A cluster is what a reader sees as one character."""
    assert n == len(clusters(text))


def test_characters_are_those_of_jiwer():
    """CER counts what jiwer counts, single spaces among them."""
    assert jiwer.process_characters("ice cream", "").deletions == len(characters("ice cream"))


def test_clusters_end_where_unicode_says():
    """All 766 cases of Unicode's GraphemeBreakTest, but for four in which newer rules may differ."""
    assert 766 == len(BREAKS)
    for parts in BREAKS:
        expected = ["".join(part) for part in parts]
        if (text := "".join(expected)) not in OTHERWISE:
            assert expected == tokenise._CLUSTER.findall(text), ascii(text)
