"""What the emulator's recognisers cannot do, so that nobody reads their errors as a model's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.report.summary.document import DeafSpot
from harness.report.words.provenance import ear_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.report.rows.row import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class EarLimit:
    """How badly a recogniser hears a language."""

    fitness: Literal["weak", "unusable"]
    """`weak`: 20–50 % of characters wrong; `unusable`: wrong script, loops, or more errors than characters."""

    why: str
    """What it does, in words."""

    source: str
    """Where that is from, in words."""


def _measured(fitness: Literal["weak", "unusable"], rate: str) -> EarLimit:
    return EarLimit(
        fitness=fitness,
        why=f"CER {rate} even when it is told the language",
        source="measured on two UDHR sentences per locale, in a synthetic voice",
    )


def _mistaken(fitness: Literal["weak", "unusable"], rate: str) -> EarLimit:
    return EarLimit(
        fitness=fitness,
        why=f"CER {rate} where it must find the language by itself: it takes it for another",
        source="measured on the bundled synthetic sentence",
    )


_WHISPER_BASE = {
    "mr": _measured("weak", "29 %"),
    "ta": _measured("weak", "30 %"),
    "ko": _measured("weak", "44 %"),
    "vi": _measured("weak", "48 %"),
    "ar": _measured("weak", "49 %"),
    "hi": _measured("weak", "50 %"),
    "bn": _measured("unusable", "100 % or more"),
    "gu": _measured("unusable", "100 % or more"),
    "kn": _measured("unusable", "100 % or more"),
    "ml": _measured("unusable", "100 % or more"),
    "te": _measured("unusable", "100 % or more"),
    "th": _measured("unusable", "90 to 140 %"),
    "ro": _mistaken("weak", "24 %"),
    "nl": _mistaken("weak", "44 %"),
    "tr": _mistaken("unusable", "100 %"),
    "uk": _mistaken("unusable", "140 %"),
}
"""Language subtag → limit, of whisper-base int8 with beam 5 on the best free synthetic voice of each locale (two
articles of the Universal Declaration of Human Rights), told the language. Every other locale had at most 20 % of
characters wrong; of these it mistakes four when it must find the language by itself, as the emulator's ear must."""

_MISTAKEN = frozenset({"ro", "nl", "tr", "uk"})
"""Those of them that it mistakes."""

_ENGLISH_ONLY = EarLimit(
    fitness="unusable", why="it knows English alone", source="its model is of English"
)


def ear_limit(ear: str, locale: str, *, told: bool = False) -> EarLimit | None:
    """Return how badly `ear` (as it names itself) hears `locale`; None: well enough, or nobody measured.

    `told`: it was told the language, so that it takes it for no other.
    """
    language = locale.partition("-")[0]
    name = ear.casefold()
    if name.startswith("whisper-base"):
        return None if told and language in _MISTAKEN else _WHISPER_BASE.get(language)
    if name.startswith("pocketsphinx en-us") and language != "en":
        return _ENGLISH_ONLY
    return None


def deaf_spots(rows: Iterable[Row]) -> list[DeafSpot]:
    """Return the locales of the run that a recogniser of ours heard, and hears badly or not at all."""
    heard = set()
    for row in rows:
        if row.session and row.session.emulator and row.audio_s is not None:
            heard.add((ear_name(row.session.emulator), row.locale, False))
        if row.ear:
            heard.add((row.ear, row.locale, True))
    limits = [
        (ear, locale, ear_limit(ear, locale, told=told)) for ear, locale, told in sorted(heard)
    ]
    return [
        DeafSpot(ear=ear, locale=locale, fitness=limit.fitness, why=limit.why, source=limit.source)
        for ear, locale, limit in limits
        if limit
    ]
