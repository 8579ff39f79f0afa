"""What an error is counted over: words, characters, grapheme clusters, or a mixture.

Texts are normalised: their only white space is single spaces.

Knows how a normalised text is cut; does not know how it was normalised.
"""

from __future__ import annotations

from functools import cache

import regex

UNSPACED = (
    r"\u0e00-\u0e7f\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
"""Characters of scripts that put no space between words, as the inside of a regex class: Thai, kana, Han."""

_CLUSTER = regex.compile(r"\X")
_MIXED = regex.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")


def words(text: str) -> list[str]:
    """Return what stands between white space."""
    return text.split()


def characters(text: str) -> str:
    """Return the code points, single spaces among them."""
    return text


def characters_unspaced(text: str) -> str:
    """Return the code points without spaces."""
    return text.replace(" ", "")


def clusters(text: str) -> list[str]:
    """Return what a reader calls characters, without spaces: extended grapheme clusters of Unicode's UAX 29.

    Where clusters end depends on the Unicode version of the library `regex`.
    """
    return _CLUSTER.findall(characters_unspaced(text))


@cache
def clusters_unicode() -> str:
    """Return the Unicode version whose rules `clusters` follows, as far as behaviour tells: `regex` names none."""
    if len(_CLUSTER.findall("a\u094d\u0924")) == 1:
        return "18.0"  # GB9c: a virama joins what follows, whatever stands before it
    for version, first in (("17.0", "\u20c1"), ("16.0", "\u1c89")):
        if regex.match(r"\p{Assigned}", first):
            return version
    return "15.1" if len(_CLUSTER.findall("\u0915\u094d\u0924")) == 1 else "15.0 or older"


def mixed(text: str) -> list[str]:
    """Return single characters of unspaced scripts and whole words of the others, for code-switched speech."""
    return _MIXED.findall(text)
