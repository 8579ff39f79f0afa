"""Which language a text is in, among the languages that are written in the same script.

A naive Bayes classifier over letter groups of one to three, edges of words among them (Cavnar & Trenkle 1994 rank such
groups; Dunning 1994 multiplies their probabilities). The table is small and its languages are those of the registry: a
text in any other language is taken for the one most like it.

Knows letters; does not know references or scores.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from importlib.resources import files
from math import log
from typing import TYPE_CHECKING, Final

import regex

from harness.text.locales import LOCALES

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_LETTERS: Final = 20
"""Shorter texts are noise."""

_UNSEEN: Final = 0.5
"""How often a group that a language's table lacks is taken to have been seen."""

_NO_LETTERS: Final = regex.compile(r"[^\p{L}\p{M}' ]+")


def language_of(text: str, script: str) -> str | None:
    """Return the likeliest language (`de`) of a normal text in a script; None: too few letters, or no choice."""
    likelihoods = log_likelihoods(text, script)
    return max(likelihoods, key=likelihoods.__getitem__) if likelihoods else None


def log_likelihoods(text: str, script: str) -> dict[str, float]:
    """Return the log-likelihood of a normal text in each language of a script (ISO 15924).

    Empty: the text has fewer than 20 letters, or the script has fewer than two languages.
    """
    tables = _tables().get(script, {})
    if len(tables) < 2 or sum(map(str.isalpha, text)) < LEAST_LETTERS:
        return {}
    groups = letter_groups(text)
    return {
        language: sum(count * known.get(group, unseen) for group, count in groups.items())
        for language, (known, unseen) in tables.items()
    }


def letter_groups(text: str) -> Counter[str]:
    """Return how often one, two and three letters stand together in the words of a text; `_` is a word's edge."""
    groups: Counter[str] = Counter()
    for word in _NO_LETTERS.sub(" ", text).split():
        edged = f"_{word}_"
        for size in (1, 2, 3):
            groups.update(edged[start : start + size] for start in range(len(edged) - size + 1))
    return groups


@cache
def _tables() -> Mapping[str, dict[str, tuple[dict[str, float], float]]]:
    """Return by script, then by language: log-probabilities of letter groups, and that of any other."""
    script_of = {code.partition("-")[0]: locale.script for code, locale in LOCALES.items()}
    tables: dict[str, dict[str, tuple[dict[str, float], float]]] = {}
    for line in files(__package__).joinpath("letter_groups.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        language, total, *cells = line.split(" ")
        known = {
            group: log(int(count) / int(total))
            for group, count in zip(cells[::2], cells[1::2], strict=True)
        }
        by_language = tables.setdefault(script_of[language], {})
        by_language[language] = known, log(_UNSEEN / int(total))
    return tables
