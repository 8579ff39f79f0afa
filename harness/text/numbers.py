"""Numbers written another way: `25` for `twenty five`, and the other way round.

Only the hypothesis is ever rewritten, only between digits and a written form of the same number, and only where
that brings it nearer to the reference. So the reference's tokens stay what they are, errors never grow, and a
different number does not become right.

Knows numbers in texts; does not know metrics: what is near is for the caller to say.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import regex

from harness.text.normalise import normalised
from harness.text.numerals import written_forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DIGIT = regex.compile("[0-9]")
_NUMBER = regex.compile(r"[0-9]+(?:\.[0-9]+)?")
_SUFFIXED = regex.compile(r"[0-9]+(?:st|nd|rd|th)\b")
_ORDINAL = regex.compile(r"(?:first|second|third|th)$")
_WITHIN_WORDS = ("cmn", "ja", "ko", "th")
"""Languages that write numbers next to other words without a space."""


def has_digits(text: str) -> bool:
    """Return whether a number is written in digits in a normalised text."""
    return _DIGIT.search(text) is not None


def tolerant(
    reference: str,
    hypothesis: str,
    locale: str,
    profile: str,
    errors: Callable[[str], int],
) -> str:
    """Return the hypothesis with numbers written as the reference writes them, wherever that lowers its errors.

    Both texts are normalised under `profile`; `errors` counts the errors of a hypothesis against the reference.
    """
    if not (has_digits(reference) or has_digits(hypothesis)):
        return hypothesis
    hypothesis, least = _spelt(hypothesis, locale, profile, errors, errors(hypothesis))
    for digits, forms in _written_in(reference, locale, profile):
        for form in forms:
            if least and form in hypothesis:
                pattern = _standing(form, locale)
                hypothesis, least = _in_digits(hypothesis, pattern, digits, errors, least)
    return hypothesis


def _written_in(reference: str, locale: str, profile: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each number that a reference writes in digits, once, and its forms in words: `21st` has those of an ordinal."""
    if locale.startswith("en"):
        for ordinal in dict.fromkeys(_SUFFIXED.findall(reference)):
            forms = _forms(ordinal[:-2], locale, profile)
            yield ordinal, tuple(form for form in forms if _ORDINAL.search(form))
    for digits in dict.fromkeys(_NUMBER.findall(reference)):
        yield digits, _forms(digits, locale, profile)


@lru_cache(maxsize=1 << 14)
def _forms(digits: str, locale: str, profile: str) -> tuple[str, ...]:
    normal = (normalised(form, locale, profile) for form in written_forms(digits, locale))
    return tuple(dict.fromkeys(form for form in normal if form))


def _spelt(
    hypothesis: str, locale: str, profile: str, errors: Callable[[str], int], least: int
) -> tuple[str, int]:
    """Return the hypothesis with its digits in words where that lowers `least`, and the new least."""
    position = 0
    while least and (found := _NUMBER.search(hypothesis, position)):
        start, end = found.span()
        if locale.startswith("en") and (suffixed := _SUFFIXED.match(hypothesis, start)):
            end = suffixed.end()
        before, after = hypothesis[:start], hypothesis[end:]
        position = end
        for form in _forms(found[0], locale, profile):
            if (now := errors(before + form + after)) < least:
                hypothesis, least, position = before + form + after, now, start + len(form)
    return hypothesis, least


def _in_digits(
    hypothesis: str,
    form: regex.Pattern[str],
    digits: str,
    errors: Callable[[str], int],
    least: int,
) -> tuple[str, int]:
    """Return the hypothesis with `form` as `digits` where that lowers `least`, and the new least."""
    position = 0
    while least and (found := form.search(hypothesis, position)):
        rewritten = hypothesis[: found.start()] + digits + hypothesis[found.end() :]
        position = found.end()
        if (now := errors(rewritten)) < least:
            hypothesis, least, position = rewritten, now, found.start() + len(digits)
    return hypothesis, least


@lru_cache(maxsize=1 << 12)
def _standing(form: str, locale: str) -> regex.Pattern[str]:
    """Return the pattern that finds a written number, as whole words where the language divides them."""
    if locale.partition("-")[0] in _WITHIN_WORDS:
        return regex.compile(regex.escape(form))
    return regex.compile(
        rf"(?<![\p{{L}}\p{{M}}\p{{N}}]){regex.escape(form)}(?![\p{{L}}\p{{M}}\p{{N}}])"
    )
