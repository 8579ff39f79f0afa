"""Other people's normalisers, exactly as they are: to reproduce published numbers, never for a headline.

Whisper's basic one turns every combining mark into a space: it deletes the vowels of Indic scripts and the tones of
Thai, and with them the errors. Whisper's English one rewrites numbers, spelling and contractions.

Knows spelling; does not know which table used what.
"""

from __future__ import annotations

import string
import unicodedata
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import regex

from harness.errors import UsageError
from harness.text.mms import mms

if TYPE_CHECKING:
    from collections.abc import Callable

PROFILES = (
    "compat-whisper-basic",
    "compat-whisper-en",
    "compat-openasr-ml",
    "compat-mms",
    "compat-vistaar",
)
"""Whisper's basic and English normalisers (openai/whisper, normalizers/), Open ASR Leaderboard's multilingual one, that
of MMS (`harness.text.mms`), and that of AI4Bharat's Vistaar (evaluation.py: no punctuation, then the Indic NLP
Library)."""

LIBRARIES = {
    "compat-whisper-en": ("whisper-normalizer", "whisper_normalizer.english"),
    "compat-openasr-ml": ("num2words", "num2words"),
    "compat-vistaar": ("indic-nlp-library", "indicnlp.normalize.indic_normalize"),
}
"""By profile: the package that it is, or that it takes, and the module to import."""

_NOT_IN_TEXT = {"indic-nlp-library": "pip install --no-deps indic-nlp-library"}
"""Packages that the extra `text` leaves out, and how they are installed: it asks for a documentation generator."""


def steps(locale: str, profile: str) -> dict[str, Callable[[str], str]]:
    """Return the steps of a profile; UsageError: the package that it takes is not installed, or not for that language."""
    match profile:
        case "compat-whisper-en":
            return {"whisper_en": _library(profile).EnglishTextNormalizer(), "ws": _spaced}
        case "compat-openasr-ml":
            return {
                "whisper_basic": whisper_basic,
                "words_only": _words_only,
                "numbers": _numbers(locale.partition("-")[0], _library(profile).num2words),
                "ws": _spaced,
            }
        case "compat-mms":
            language = locale.partition("-")[0]
            return {"mms": lambda text: mms(text, language)}
        case "compat-vistaar":
            language = locale.partition("-")[0]
            factory = _library(profile).IndicNormalizerFactory()
            if not factory.is_language_supported(language):
                raise UsageError(
                    f"text profile {profile!r} is not for {locale}",
                    why="it is for the languages of India written in its own scripts",
                    hint="score them alone, or take norm-1n",
                )
            normaliser = factory.get_normalizer(language)
            return {
                "unpunctuated": _without_vistaar_marks,
                "indic_nlp": normaliser.normalize,
                "ws": _spaced,
            }
        case _:
            return {"whisper_basic": whisper_basic, "ws": _spaced}


def _library(profile: str) -> Any:
    package, module = LIBRARIES[profile]
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            f"text profile {profile!r} takes {package}, which is not installed",
            hint=_NOT_IN_TEXT.get(package, "pip install 'live-harness[text]'"),
        ) from error


_VISTAAR_MARKS = str.maketrans("", "", string.punctuation + "।۔॥")


def _without_vistaar_marks(text: str) -> str:
    return text.translate(_VISTAAR_MARKS)


_BRACKETED = regex.compile(r"[<\[][^>\]]*[>\]]")
_PARENTHESISED = regex.compile(r"\(([^)]+?)\)")


def whisper_basic(text: str) -> str:
    """Return the text as Whisper's BasicTextNormalizer writes it: marks, symbols and punctuation are spaces."""
    text = _PARENTHESISED.sub("", _BRACKETED.sub("", text.lower()))
    return "".join(
        " " if category in "MSP" else character
        for character, category in _categories(unicodedata.normalize("NFKC", text))
    ).lower()


def _categories(text: str) -> list[tuple[str, str]]:
    return [(character, unicodedata.category(character)[0]) for character in text]


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _words_only(text: str) -> str:
    # What Python's own `re` takes for a word character.
    kept = "".join(c for c in text if c.isalnum() or c == "_" or c.isspace())
    return _spaced(kept)


_GROUP = regex.compile(r"(\d)\s+(\d{3})\b")
_DIGITS = regex.compile(r"\d+")


@cache
def _numbers(language: str, spell: Callable[..., str]) -> Callable[[str], str]:
    """Return the step that joins digit groups and spells whole numbers, in the languages that num2words knows."""

    def in_words(digits: str) -> str:
        try:
            return spell(int(digits), lang=language)
        except (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError):
            return digits

    def step(text: str) -> str:
        return _DIGITS.sub(lambda found: in_words(found[0]), _GROUP.sub(r"\1\2", text))

    return step
