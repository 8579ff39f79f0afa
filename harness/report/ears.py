"""What the emulator's recognisers cannot do, so that nobody reads their errors as a model's.

Measured on two UDHR sentences per locale (articles of the Universal Declaration of Human Rights, best free synthetic
voice of the locale, whisper-base int8 with beam 5): character error rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SOURCE = "measured on two UDHR sentences per locale"


@dataclass(frozen=True, slots=True, kw_only=True)
class EarLimit:
    """How badly a recogniser hears a language."""

    fitness: Literal["weak", "unusable"]
    """`weak`: 20–50 % of characters wrong; `unusable`: wrong script, loops, or more errors than characters."""

    measured: str
    """Its character error rate, in words."""


_WHISPER_BASE = {
    "mr": EarLimit(fitness="weak", measured="29 %"),
    "ta": EarLimit(fitness="weak", measured="30 %"),
    "ko": EarLimit(fitness="weak", measured="44 %"),
    "vi": EarLimit(fitness="weak", measured="48 %"),
    "ar": EarLimit(fitness="weak", measured="49 %"),
    "hi": EarLimit(fitness="weak", measured="50 %"),
    "bn": EarLimit(fitness="unusable", measured="100 % or more"),
    "gu": EarLimit(fitness="unusable", measured="100 % or more"),
    "kn": EarLimit(fitness="unusable", measured="100 % or more"),
    "ml": EarLimit(fitness="unusable", measured="100 % or more"),
    "te": EarLimit(fitness="unusable", measured="100 % or more"),
    "th": EarLimit(fitness="unusable", measured="90 to 140 %"),
}

LIMITS = {"whisper-base": _WHISPER_BASE}
"""Ear → language subtag → limit. A language that is not listed was heard with at most 20 % of characters wrong."""


def ear_limit(ear: str, locale: str) -> EarLimit | None:
    """Return how badly `ear` (as the emulator names it) hears `locale`; None: well enough, or nobody measured."""
    language = locale.partition("-")[0]
    for name, limits in LIMITS.items():
        if ear.casefold().startswith(name):
            return limits.get(language)
    return None
