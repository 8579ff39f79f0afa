"""The text profiles: what counts as a difference between two transcripts.

`raw-1` ⊃ `orth-1` ⊃ `norm-1` ⊃ `lenient-1`, each a list of named steps per locale; a final `n` (`norm-1n`) also
accepts numbers written another way, which needs both texts (`harness.text.numbers`). A profile is pure, the same for
reference and hypothesis, and versioned: any change of its output is a new number. No combining mark is ever lost
outside the tables of `harness.text.scripts`.

Knows spelling; does not know words, metrics or alignment.
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeAlias

import regex

from harness.errors import UsageError, suggestion
from harness.text import compat, scripts
from harness.text.locales import canonical
from harness.text.tokenise import UNSPACED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Step: TypeAlias = "Callable[[str], str]"

_TOLERANT = {"norm-1n": "norm-1", "lenient-1n": "lenient-1"}
"""Profiles that tolerate other writings of a number, and what they are without."""

PROFILES = ("raw-1", "orth-1", "norm-1", "norm-1n", "lenient-1", "lenient-1n", *compat.PROFILES)
"""Every profile, our own from the strictest, then other people's."""

HEADLINE = "norm-1n"

INDIC = ("bn", "gu", "hi", "kn", "ml", "mr", "ta", "te")
"""Languages of India written in its own scripts."""

_MEMO = 1 << 17
"""Texts whose normal form is remembered: references repeat across models, repeats and metrics."""


@lru_cache(maxsize=_MEMO)
def normalised(text: str, locale: str, profile: str = "norm-1") -> str:
    """Return `text` as `profile` writes it; a final `n` changes nothing here.

    Raises UsageError for an unknown profile or locale.
    """
    for step in steps(locale, profile).values():
        text = step(text)
    return text


class Normaliser(dict[str, str]):
    """The normal forms of texts under one profile in one locale, by text; each is made when it is first asked for."""

    def __init__(self, locale: str, profile: str) -> None:
        super().__init__()
        self._steps = tuple(steps(locale, profile).values())

    def __missing__(self, text: str) -> str:
        normal = text
        for step in self._steps:
            normal = step(normal)
        self[text] = normal
        return normal


def steps(locale: str, profile: str) -> Mapping[str, Step]:
    """Return the steps of a profile for a locale, by name, in order; UsageError when either is unknown."""
    return _steps(locale, strict_profile(profile))


def strict_profile(profile: str) -> str:
    """Return the profile without its number tolerance: `norm-1` for `norm-1n`; UsageError when it is unknown."""
    if profile not in PROFILES:
        raise UsageError(
            f"unknown text profile {profile!r}",
            hint=suggestion(profile, PROFILES) or f"known are: {', '.join(PROFILES)}",
        )
    return _TOLERANT.get(profile, profile)


def tolerates_numbers(profile: str) -> bool:
    """Return whether a profile accepts numbers written another way; UsageError when it is unknown."""
    return strict_profile(profile) != profile


@cache
def _steps(locale: str, profile: str) -> dict[str, Step]:
    locale = canonical(locale).code
    if profile in compat.PROFILES:
        return compat.steps(locale, profile)
    language = locale.partition("-")[0]
    raw: dict[str, Step] = {"nfc": _nfc, "invis": _visible, "ws": _spaced}
    if profile == "raw-1":
        return raw
    spelled = raw | {"typo": _typographic, "width": _width} | _SPELLING.get(language, {})
    spelled["tags"] = _untagged
    if profile == "orth-1":
        return spelled | {"marks": _marks_apart, "ws2": _spaced}
    norm = spelled | {"lower": scripts.turkish_lower if language == "tr" else str.lower}
    norm |= _FOLDS.get(language, {})
    norm |= {
        "digits": _ascii_digits,
        "numpunct": _NUMBER_MARKS.get(locale) or _NUMBER_MARKS.get(language, _point_decimal),
        "punct": _APOSTROPHES.get(language, _apostrophe_kept),
        "ws2": _spaced,
    }
    if language in {"ja", "cmn", "th"}:
        norm["cjkspace"] = _unspaced_thai if language == "th" else _unspaced
    if profile == "lenient-1" and language in _LENIENT:
        norm |= _LENIENT[language] | {"nfc2": _nfc}
    return norm


def _nfc(text: str) -> str:
    # Not NFKC, which splits Thai sara am, breaks Korean letters and turns ½ into 1⁄2.
    return unicodedata.normalize("NFC", text)


_INVISIBLE = regex.compile(
    "[\ufeff\u200b\u2060\u00ad\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufe00-\ufe0f\U000e0100-\U000e01ef]+"
)


def _visible(text: str) -> str:
    # What stood on both sides of an invisible character may compose now.
    return text if text.isascii() else _nfc(_INVISIBLE.sub("", text))


def _spaced(text: str) -> str:
    # No white space but U+0020 is printable, so most texts need not be cut and joined.
    if text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]:
        return text
    # str.split knows every white space of Unicode but U+FEFF and U+200B, which are gone by now.
    return " ".join(text.split())


_TYPOGRAPHY = (
    dict.fromkeys("’‘ʼ′´`｀", "'")
    | dict.fromkeys("“”„«»", '"')
    | dict.fromkeys("‐‑‒–—―−﹘﹣", "-")
    | {"…": "..."}
)
_TYPOGRAPHIC = regex.compile(f"[{''.join(_TYPOGRAPHY)}]")


def _typographic(text: str) -> str:
    if text.isascii() and "`" not in text:
        return text
    return _TYPOGRAPHIC.sub(lambda found: _TYPOGRAPHY[found[0]], text)


_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_HALF_WIDTH_KANA = regex.compile("[\uff65-\uff9f\u3099\u309a]+")
_WIDE = regex.compile("[\uff01-\uff9f\u3099\u309a]")


def _width(text: str) -> str:
    if text.isascii() or not _WIDE.search(text):
        return text
    text = text.translate(_FULL_WIDTH)
    return _nfc(_HALF_WIDTH_KANA.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text))


EVENT_TAGS = (
    "applause blank_audio blank blip breath breathing click cough coughing crosstalk foreign hes hesitation "
    "inaudible laugh laughing laughter lipsmack music noise nsn overlap sil silence smack sneeze spn "
    "throat unintelligible unk unknown"
)
"""Names of events that transcripts write between brackets; they are dropped, any other words there are kept."""

_TAG = regex.compile(
    r"<(?i:{0})/?>|\[(?i:{0})\]|\((?i:{0})\)|\*(?i:{0})\*".format(
        "(?:" + "|".join(EVENT_TAGS.replace("_", "[ _]").split(" ")) + ")"
    )
)


def _untagged(text: str) -> str:
    if not ("<" in text or "[" in text or "(" in text or "*" in text):
        return text
    return _TAG.sub(" ", text)


_NATIVE_DIGIT = regex.compile(r"(?![0-9])\p{Nd}")


def _ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    return _NATIVE_DIGIT.sub(_ascii_digit, text)


def _ascii_digit(found: regex.Match[str]) -> str:
    # The pattern may follow a newer Unicode than Python's own table: digits of scripts that it lacks stay as they are.
    return str(unicodedata.decimal(found[0], found[0]))


_DIGIT = regex.compile("[0-9]")


def _number_marks(groups: str, decimal: str) -> Step:
    """Return the step that removes full digit groups and writes the decimal mark as a point."""
    group = regex.compile(rf"(?<!\d[.,']?)(?!0)(?:{groups})")
    point = regex.compile(rf"(?<=\d){decimal}(?=\d)")
    marks = str.maketrans("", "", " .,'")

    def step(text: str) -> str:
        if not _DIGIT.search(text):
            return text
        text = group.sub(lambda found: found[0].translate(marks), text)
        return text if decimal == r"\." else point.sub(".", text)

    return step


_SPACED_GROUPS = r"\d{1,3}(?: \d{3})+(?!\d)"
_point_decimal = _number_marks(r"\d{1,3}(?:,\d{3})+(?!,?\d)", r"\.")
_comma_decimal = _number_marks(
    rf"\d{{1,3}}([.'])\d{{3}}(?:\1\d{{3}})*(?!\1?\d)|{_SPACED_GROUPS}", ","
)
_space_groups = _number_marks(_SPACED_GROUPS, ",")
_indian_groups = _number_marks(r"(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3})(?!,?\d)", r"\.")

_NUMBER_MARKS: dict[str, Step] = {
    **dict.fromkeys(("de", "es", "pt", "id", "it", "tr", "vi", "nl", "ro"), _comma_decimal),
    **dict.fromkeys(("fr", "pl", "ru", "uk"), _space_groups),
    **dict.fromkeys(("en-IN", *INDIC), _indian_groups),
    "es-US": _point_decimal,
}
"""By locale, else by language; 1,234.5 where nothing stands here."""

_POINT_BETWEEN_DIGITS = r"(?<=[0-9])\.(?=[0-9])"
_IN_WORD = r"(?<=[\p{L}\p{M}\p{N}])'(?=[\p{L}\p{M}\p{N}])"
_FORMAT = regex.compile(r"\p{Cf}+")


_ASCII_MARKS = bytes(
    ord(" ")
    if chr(code) not in ".'"
    and (unicodedata.category(chr(code))[0] in "PS" or unicodedata.category(chr(code)) == "Cc")
    else code
    for code in range(256)
)
"""What becomes of each ASCII character, but for the two that `kept` may match. Bytes: a text's own `translate` takes three
times as long."""


def _punctuation(kept: str) -> Step:
    """Return the step that writes punctuation, symbols and controls as spaces, except where `kept` matches."""
    every = regex.compile(rf"(?!{kept})[\p{{P}}\p{{S}}\p{{Cc}}]")
    doubtful = regex.compile(rf"[.'](?<!{kept})")

    def step(text: str) -> str:
        if text.isascii():
            text = text.encode().translate(_ASCII_MARKS).decode()
            return doubtful.sub(" ", text) if "." in text or "'" in text else text
        return every.sub(" ", _nfc(_FORMAT.sub("", text)))

    return step


_apostrophe_kept = _punctuation(f"{_POINT_BETWEEN_DIGITS}|{_IN_WORD}")
_apostrophe_splits = _punctuation(_POINT_BETWEEN_DIGITS)
_IN_WORD_APOSTROPHE = regex.compile(_IN_WORD)


def _apostrophe_joins(text: str) -> str:
    return _apostrophe_splits(_IN_WORD_APOSTROPHE.sub("", text))


_APOSTROPHES: dict[str, Step] = {
    "fr": _apostrophe_splits,
    "it": _apostrophe_splits,
    "tr": _apostrophe_joins,
}
"""By language; elsewhere an apostrophe within a word stays."""

_MARK = regex.compile(
    r"\.{3}|(?!(?<=\d)[.,:/٫٬](?=\d)|(?<=[\p{L}\p{M}\p{N}])['-](?=[\p{L}\p{M}\p{N}]))[\p{P}\p{S}]"
)


def _marks_apart(text: str) -> str:
    return _MARK.sub(r" \g<0> ", text)


_EMPTY_SPACE = regex.compile(rf"(?<=[{UNSPACED}]) | (?=[{UNSPACED}])")


def _unspaced(text: str) -> str:
    return _EMPTY_SPACE.sub("", text)


def _unspaced_thai(text: str) -> str:
    # What stood on both sides of a space or a mark is written together now.
    return scripts.thai(_unspaced(text))


_SPELLING: dict[str, dict[str, Step]] = {
    **{code: {"indic": scripts.indic} for code in INDIC},
    "vi": {"vi_d_tone": scripts.vietnamese},
    "nl": {"nl_ij": scripts.dutch},
    "th": {"thai": scripts.thai},
    "ro": {"ro_comma": scripts.romanian},
}
"""By language: how the script is written, before case is folded."""

_FOLDS: dict[str, dict[str, Step]] = {
    "ar": {"ar": scripts.arabic, "ar_alef": scripts.arabic_alef},
    "cmn": {"t2s": scripts.simplified},
    "ru": {"ru_yo": scripts.russian},
}
"""By language: spellings that are one word to a reader."""

_LENIENT: dict[str, dict[str, Step]] = {
    "de": {"ss": scripts.lenient_german},
    "fr": {"ligatures": scripts.lenient_french},
    "hi": {"nukta_nasal": scripts.lenient_devanagari},
    "mr": {"nukta_nasal": scripts.lenient_devanagari},
    "ar": {"endings": scripts.lenient_arabic},
    "it": {"grave": scripts.lenient_italian},
    "tr": {"circumflex": scripts.lenient_turkish},
}
"""By language: variants that `lenient` does not tell apart."""
