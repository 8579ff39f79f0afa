"""The locales of the Live API: what they are called, how they are written, and how each is measured.

The registry holds the 30 codes of the Live API guide (languages and voices; `native_audio` is its mark for models
that speak natively) and the four that only the 24-language list of Vertex AI has: ar-EG, bn-BD, ro-RO, uk-UA.
Both lists are about speech that a model gives out; any of them may be heard.

Knows names of locales; does not know text (that is `normalise`) nor models (that is the catalogue).
Standard library only: it is imported to print help.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from harness.errors import UsageError, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Locale:
    """A language as it is spoken somewhere."""

    code: str
    """BCP-47 as the guide writes it: `de-DE`, `cmn-CN`, `ar-XA`."""

    english: str
    """Its name in English."""

    native: str
    """Its name in itself."""

    iso639_1: str
    """Two letters."""

    iso639_3: str
    """Three letters, of the language itself rather than its macrolanguage where the two differ."""

    script: str
    """ISO 15924."""

    direction: Literal["ltr", "rtl"]

    guide: bool
    """True: one of the guide's 30."""

    native_audio: bool | None
    """Whether native-audio models speak it; None: the guide does not list the locale."""

    vertex24: bool
    """True: in the 24-language list of Vertex AI."""

    metric: str
    """The primary measure: `WER`, or `CERns` where words are not divided by spaces."""

    secondary_metrics: tuple[str, ...]
    """What is read beside the primary measure, in words."""

    fleurs: str
    """FLEURS configuration, the nearest where none has the accent (`note` says so)."""

    common_voice: str | None
    """Common Voice's code; None: it has no such language."""

    note: str | None
    """What a reader of scores should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canonical:
    """A locale that somebody wrote, as the registry writes it."""

    code: str
    note: str | None = None
    """What was assumed, in words; None: nothing."""


def _registry() -> Iterator[Locale]:
    flags = {"yes": True, "no": False}
    with Path(__file__).with_name("languages.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Locale(
                code=row["code"],
                english=row["english"],
                native=row["native"],
                iso639_1=row["iso639_1"],
                iso639_3=row["iso639_3"],
                script=row["script"],
                direction="rtl" if row["direction"] == "rtl" else "ltr",
                guide=flags[row["guide"]],
                native_audio=flags.get(row["native_audio"]),
                vertex24=flags[row["vertex24"]],
                metric=row["metric"],
                secondary_metrics=tuple(row["secondary_metrics"].split(";")),
                fleurs=row["fleurs"],
                common_voice=row["common_voice"] or None,
                note=row["note"] or None,
            )


LOCALES: Final[Mapping[str, Locale]] = {locale.code: locale for locale in _registry()}
"""The 34 locales by code, in the guide's order, the four of the 24-language list last."""

SETS: Final[Mapping[str, tuple[str, ...]]] = {
    "guide": tuple(code for code, locale in LOCALES.items() if locale.guide),
    "vertex24": tuple(code for code, locale in LOCALES.items() if locale.vertex24),
    "native-audio": tuple(code for code, locale in LOCALES.items() if locale.native_audio),
}
"""Names that stand for many locales: 30, 24 and 22 of them."""

_OWN_REGION: Final = {
    "ar": "ar-XA",
    "bn": "bn-IN",
    "en": "en-US",
    "es": "es-ES",
    "fr": "fr-FR",
}
"""Which locale a bare language means where the registry has several: the guide's only one (ar, bn), else the likely
region of CLDR's supplemental data (likelySubtags)."""

_OTHER_LANGUAGE_CODES: Final = {
    "in": "id",
    "mo": "ro",
    "chi": "zh",
    "dut": "nl",
    "fre": "fr",
    "ger": "de",
    "rum": "ro",
    "ara": "ar",
    "arb": "ar",
}
"""Old ISO 639-1 codes, bibliographic ISO 639-2 codes, and Arabic's macrolanguage and standard, as ISO 639-1."""

_OLD_CODES_OF_OTHERS: Final = {"iw": "he", "ji": "yi", "jw": "jv"}
"""Old codes of languages that the registry lacks: the message uses today's."""

_EXACT: Final = {"es-419": "es-US", "ar-001": "ar-XA", "zh-cn": "cmn-CN"}
"""Whole codes of other tables, in lower case: regions that the registry has no code for, and the common Chinese one."""


def canonical(text: str) -> Canonical:
    """Return the registry's code for `text`, and what had to be assumed; UsageError when there is none.

    Any case, hyphens or underscores: `de-DE`, `de_de`, `deu`, `ger`, `de` (said to be taken as de-DE), `de-Latn-DE`;
    codes of FLEURS (`cmn_hans_cn`, `es_419`) and Common Voice (`zh-CN`); `zh`, `cmn`, `zh-Hans-CN` are cmn-CN.
    A region or a script that the registry does not have is refused, never replaced: `pt-PT` is not pt-BR, `zh-TW` is
    not cmn-CN.
    """
    folded = text.strip().replace("_", "-").casefold()
    if code := _BY_FOLDED.get(folded):
        return Canonical(code=code)
    if code := _EXACT.get(folded):
        assumed = f"“{text.strip()}” is taken as {code}" if folded == "es-419" else None
        return Canonical(code=code, note=assumed)
    language, *rest = folded.split("-")
    spoken = _of_language(language)
    if rest and len(rest[0]) == 4:
        script = rest.pop(0)
        spoken = [locale for locale in spoken if locale.script.casefold() == script]
    if not rest and spoken:
        codes = [locale.code for locale in spoken]
        own = _OWN_REGION.get(spoken[0].iso639_1)
        code = own if own in codes else codes[0]
        return Canonical(code=code, note=f"“{text.strip()}” is taken as {code}")
    for locale in spoken:
        if rest == [locale.code.partition("-")[2].casefold()]:
            return Canonical(code=locale.code)
    raise _unknown(text, language)


def select(words: Iterable[str]) -> list[str]:
    """Return the codes that locales and names of sets stand for, each once, in the order asked for.

    UsageError names the first word that is neither.
    """
    codes: dict[str, None] = {}
    for word in words:
        if "," in word:
            each = " ".join(
                f"--language {part.strip()}" for part in word.split(",") if part.strip()
            )
            raise UsageError(f"{word!r} is no locale", hint=f"one at a time: {each}")
        named = SETS.get(word.strip().casefold())
        codes.update(dict.fromkeys(named or (canonical(word).code,)))
    return list(codes)


_BY_FOLDED: Final = {code.casefold(): code for code in LOCALES}


def _of_language(language: str) -> list[Locale]:
    """Return the locales of an ISO 639 code, old or new, of two letters or three."""
    language = _OTHER_LANGUAGE_CODES.get(language, language)
    exact = [locale for locale in LOCALES.values() if locale.iso639_3 == language]
    return exact or [locale for locale in LOCALES.values() if locale.iso639_1 == language]


def language_code(locale: str) -> str:
    """Return the language of a locale, ISO 639-1: `cmn-CN` is `zh`; of one we do not know, what it begins with."""
    known = LOCALES.get(locale)
    return known.iso639_1 if known else locale.partition("-")[0].lower()


def _unknown(text: str, language: str) -> UsageError:
    shown = ascii(text.strip()[:40])[1:-1] if not text.isprintable() else text.strip()[:40]
    hint: str | None
    if same := [locale.code for locale in _of_language(language)]:
        hint = "did you mean " + " or ".join(f"“{code}”" for code in same) + "?"
    elif "-" in text or "_" in text or len(text) <= 3:
        hint = suggestion(text, LOCALES)
    else:
        own = {locale.english.partition(" (")[0]: locale.iso639_1 for locale in LOCALES.values()}
        hint = suggestion(text, own)
        for name, short in own.items():
            hint = hint and hint.replace(f"“{name}”", f"“{canonical(short).code}” ({name})")
    today = _OLD_CODES_OF_OTHERS.get(language)
    return UsageError(
        f"unknown locale “{shown}”",
        why=f"“{language}” is the old code of “{today}”, which the Live API does not list"
        if today
        else None,
        hint=hint or "`harness languages` lists them all",
    )
