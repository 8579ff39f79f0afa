"""What kind of token goes wrong: numbers, names, compounds, the first and the last, rare ones, frequent ones.

Knows aligned tokens and the reference as it was written; does not know files or pages.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import msgspec
import regex

from harness.text.locales import LOCALES
from harness.text.normalise import normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.summary.confusions import Piece

TokenClass = Literal[
    "number", "latin", "capitalised", "hyphenated", "edge", "rare", "frequent", "other"
]
"""What a token of the reference is; the first that fits.

- `number` has a digit; `latin` has a Latin letter where the language is written otherwise.
- `capitalised` is written so within a sentence: a name, in German any noun; `hyphenated` is part of such a word. Both
  are looked for where words are counted.
- `edge` is the first or the last of an utterance.
- `rare` occurs once in all references; `frequent` is among the 100 commonest that occur more often than once.
"""

FREQUENT: Final = 100
"""How many of a set's commonest tokens are called frequent."""

_DIGIT = regex.compile(r"\d")
_LATIN = regex.compile(r"\p{Latin}")
_CAPITALISED = regex.compile(r"^\P{L}*\p{Lu}\p{L}")
_HYPHENATED = regex.compile(r"\p{L}[-‐‑]\p{L}")
_CAPITALISED_WITHIN = regex.compile(r"\s\P{L}*\p{Lu}\p{L}")
"""A word that is, and is not the first of a text."""

_SENTENCE_END = regex.compile(r"[.!?…:]\P{L}*$")


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of the reference, and how many of them are substituted or deleted."""

    wrong: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """An aligned utterance."""

    steps: Iterable[Piece]
    """Its alignment, token by token."""

    reference: str
    """As it was written, case and punctuation included."""

    locale: str
    words: bool
    """Whether its tokens are words."""


def by_class(spoken: Sequence[Spoken]) -> dict[TokenClass, Tally]:
    """Return wrong and all reference tokens by what they are, in the order above; all utterances are of one script."""
    latin = all(LOCALES[one.locale].script == "Latn" for one in spoken[:1])
    table: dict[TokenClass, list[int]] = defaultdict(_nothing)
    uses: Counter[str] = Counter()
    by_letters: dict[str, TokenClass | None] = {}
    # Wrong and all uses of tokens that nothing but how often they occur tells apart.
    plain: dict[str, list[int]] = defaultdict(_nothing)
    for one in spoken:
        own = [(op, said) for op, said, _ in one.steps if said is not None]
        written = _written(one.reference, one.locale) if one.words else {}
        last = len(own) - 1
        for place, (op, token) in enumerate(own):
            uses[token] += 1
            if token not in by_letters:
                by_letters[token] = _by_letters(token, latin=latin)
            kind = by_letters[token] or written.get(token)
            if kind is None and place in {0, last}:
                kind = "edge"
            row = plain[token] if kind is None else table[kind]
            row[0] += op != "="
            row[1] += 1
    frequent = {token for token, count in uses.most_common(FREQUENT) if count > 1}
    for token, (wrong, tokens) in plain.items():
        by_use: TokenClass = (
            "rare" if uses[token] == 1 else "frequent" if token in frequent else "other"
        )
        row = table[by_use]
        row[0] += wrong
        row[1] += tokens
    kinds: tuple[TokenClass, ...] = get_args(TokenClass)
    return {
        kind: Tally(wrong=(row := table[kind])[0], tokens=row[1]) for kind in kinds if kind in table
    }


def _nothing() -> list[int]:
    """Return the wrong and all tokens of no tokens."""
    return [0, 0]


def _by_letters(token: str, *, latin: bool) -> TokenClass | None:
    if _DIGIT.search(token):
        return "number"
    return "latin" if not latin and _LATIN.search(token) else None


def _written(reference: str, locale: str) -> dict[str, TokenClass]:
    """Return the normal tokens of a reference that are capitalised within a sentence, or hyphenated.

    A reference without lower case says nothing of capitals.
    """
    found: dict[str, TokenClass] = {}
    if not (_CAPITALISED_WITHIN.search(reference) or _HYPHENATED.search(reference)):
        return found
    spelled = not reference.isupper()
    begins = True
    for word in reference.split():
        if not begins and spelled and _CAPITALISED.search(word):
            found |= _tokens(word, locale, "capitalised")
        elif _HYPHENATED.search(word):
            found |= _tokens(word, locale, "hyphenated")
        begins = _SENTENCE_END.search(word) is not None
    return found


def _tokens(word: str, locale: str, kind: TokenClass) -> Iterable[tuple[str, TokenClass]]:
    return [(token, kind) for token in normalised(word, locale, "norm-1").split()]
