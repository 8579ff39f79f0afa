"""What errors are counted over."""

from pathlib import Path

import jiwer
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from harness.text import tokenise
from harness.text.tokenise import (
    characters,
    characters_unspaced,
    clusters,
    clusters_unicode,
    mixed,
    words,
)

# Unicode's own test of where grapheme clusters end.
BREAKS = [
    [[chr(int(code, 16)) for code in part.split(" × ")] for part in line.strip("÷ ").split(" ÷ ")]
    for line in (Path(__file__).parents[1] / "golden" / "grapheme_break_test.txt")
    .read_text(encoding="utf-8")
    .splitlines()
    if line.startswith("÷")
]

# A virama that follows no consonant. Since Unicode 18 it joins the letter after it (rule GB9c; lines 179 and 859 of its
# GraphemeBreakTest have it so), and `regex` 2026.11 follows Unicode 18. No Indic word has one there.
JOINED_SINCE_18 = {"\u094d\u0915", "\u094d\u0308\u0915", "a\u094d\u0924", "?\u094d\u0924"}


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
    """All 766 cases of Unicode 17's GraphemeBreakTest; the four that Unicode 18 changed are as the library's version has them."""
    assert 766 == len(BREAKS)
    found = {text: clusters for parts in BREAKS for text, clusters in [_cut(parts)]}
    changed = {text for text, (expected, cut) in found.items() if expected != cut}
    if clusters_unicode() == "18.0":
        assert changed == JOINED_SINCE_18
        assert all(len(found[text][1]) == 1 for text in changed)
    else:
        assert not changed


def _cut(parts):
    expected = ["".join(part) for part in parts]
    text = "".join(expected)
    return text, (expected, tokenise._CLUSTER.findall(text))


@pytest.mark.parametrize(
    "text, expected", [("\u0915\u094d\u0924", 1), ("a\u094d\u0924", 1), ("\u0bb2\u0bcd\u0bb2", 2)]
)
def test_which_unicode_it_is(text, expected):
    """The version that is printed is the one whose rules are seen."""
    assert regex.fullmatch(r"[0-9]+\.[0-9](?: or older)?", clusters_unicode())
    if clusters_unicode() == "18.0":
        assert expected == len(clusters(text))
