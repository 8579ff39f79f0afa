"""What each writing system needs before texts can be compared: the language's own steps of the text profiles.

Every step takes a text in NFC and returns one. Each is a published table: nothing else may change a letter or a mark.

Knows spelling; does not know words, numbers, or which profile uses a step.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING
from unicodedata import normalize

import regex

if TYPE_CHECKING:
    from collections.abc import Callable

_CHILLU = str.maketrans("ണനരലളക", "ൺൻർൽൾൿ")
_OLD_CHILLU = regex.compile("([ണനരലളക])\u0d4d\u200d")
_JOINERS = regex.compile("[\u200c\u200d]")


def indic(text: str) -> str:
    """Return Indic text with the joiners that spell a letter as that letter and all other joiners dropped.

    Source: the Unicode Standard, chapter 12 (eyelash ra, candra a, khanda ta, chillu, Malayalam nta).
    """
    if "\u200d" in text:
        text = text.replace("\u0930\u094d\u200d", "\u0931\u094d")
        text = text.replace("\u09a4\u09cd\u200d", "\u09ce")
        text = _OLD_CHILLU.sub(lambda found: found[1].translate(_CHILLU), text)
    text = normalize("NFC", _JOINERS.sub("", text))
    return text.replace("\u0905\u0945", "\u0972").replace("ൻറ", "ന്റ")


_ARABIC_FORMS = regex.compile("[\ufb50-\ufdff\ufe70-\ufefc]+")
_ARABIC_TABLE = str.maketrans(
    {
        "\u0640": None,  # tatweel stretches a word
        "\u066b": ".",
        "\u066c": None,  # thousands separator
        "\u0671": "\u0627",
        "\u06cc": "\u064a",
        "\u06a9": "\u0643",
        **dict.fromkeys(
            (
                chr(mark)
                for first, last in (
                    (0x0610, 0x061A),
                    (0x064B, 0x065F),
                    (0x0670, 0x0670),
                    (0x06D6, 0x06DC),
                    (0x06DF, 0x06E8),
                    (0x06EA, 0x06ED),
                    (0x08D3, 0x08E1),
                    (0x08E3, 0x08FF),
                )
                for mark in range(first, last + 1)
            ),
            None,
        ),
    }
)
_ALEFS = str.maketrans("أإآ", "ااا")


def arabic(text: str) -> str:
    """Return Arabic text without presentation forms, tatweel, short vowels and Quranic marks."""
    text = _ARABIC_FORMS.sub(lambda found: normalize("NFKC", found[0]), text)
    return text.translate(_ARABIC_TABLE)


def arabic_alef(text: str) -> str:
    """Return the text with alef under every hamza or madda as a bare alef (NIST's hamzaNorm, everywhere in a word)."""
    return text.translate(_ALEFS)


_THAI = (
    ("\u0e40\u0e40", "\u0e41"),  # two sara e are sara ae
    ("([\u0e48-\u0e4c]+)([\u0e31\u0e34-\u0e3a\u0e47]+)", r"\2\1"),  # vowel before tone
    ("([\u0e48-\u0e4b]+)\u0e4d(?=\u0e32)", "\u0e4d\\1"),
    ("\u0e4d([\u0e48-\u0e4b]*)\u0e32", "\\1\u0e33"),  # nikhahit and sara aa are sara am
    ("([\u0e30\u0e32\u0e33])([\u0e48-\u0e4b]+)", r"\2\1"),  # tone before a vowel that follows
    ("([^\u0e24\u0e26])\u0e45", "\\1\u0e32"),  # lakkhangyao stands only after ru and lu
    ("([\u0e30-\u0e3a\u0e40-\u0e44\u0e47-\u0e4e])\\1+", r"\1"),  # a mark typed twice
)
_THAI_STEPS = tuple((regex.compile(pattern), spelled) for pattern, spelled in _THAI)


def thai(text: str) -> str:
    """Return Thai text with vowels and tone marks in their standard order, written once."""
    for pattern, spelled in _THAI_STEPS:
        text = pattern.sub(spelled, text)
    return text


_TONES = "\u0300\u0301\u0303\u0309\u0323"
_VIETNAMESE_GLIDES = regex.compile(
    rf"(?<![\p{{L}}\p{{M}}])((?:(?!q)\p{{L}})*)([ou])([aey])([{_TONES}])(?![\p{{L}}\p{{M}}])",
    regex.IGNORECASE,
)
_DSTROKE = str.maketrans("ÐƉ", "ĐĐ")


def vietnamese(text: str) -> str:
    """Return Vietnamese text with a real Đ, and the tone of a final oa, oe, uy on its first letter (hòa, not hoà)."""
    text = text.translate(_DSTROKE)
    if text.isascii():
        return text
    return normalize("NFC", _VIETNAMESE_GLIDES.sub(_old_tone, normalize("NFD", text)))


def _old_tone(found: regex.Match[str]) -> str:
    onset, first, second, tone = found.groups()
    if (first + second).lower() not in {"oa", "oe", "uy"}:
        return found[0]
    return f"{onset}{first}{tone}{second}"


_COMMA_BELOW = str.maketrans("şţŞŢ", "șțȘȚ")


def romanian(text: str) -> str:
    """Return Romanian text with s and t comma-below for the cedillas of old code pages."""
    return text.translate(_COMMA_BELOW)


def dutch(text: str) -> str:
    """Return Dutch text with the ij ligature as two letters."""
    return text.replace("ĳ", "ij").replace("Ĳ", "IJ")


def russian(text: str) -> str:
    """Return Russian text with ё as е: print rarely writes it."""
    return text.replace("ё", "е").replace("Ё", "Е")


def turkish_lower(text: str) -> str:
    """Return Turkish text in lower case: İ is i, I is ı."""
    return text.replace("İ", "i").replace("I", "ı").lower()


def simplified(text: str) -> str:
    """Return Chinese text in simplified characters: OpenCC's table `t2s`, characters and not vocabulary."""
    return text if text.isascii() else _simplifier()(text)


@cache
def _simplifier() -> Callable[[str], str]:
    lines = files(__package__).joinpath("t2s.txt").read_text(encoding="utf-8").splitlines()
    pairs = dict(line.split("\t") for line in lines if not line.startswith("#"))
    characters = str.maketrans({old: new for old, new in pairs.items() if len(old) == 1})
    phrases = sorted((old for old in pairs if len(old) > 1), key=len, reverse=True)
    phrase = regex.compile("(" + "|".join(phrases) + ")")

    def simplify(text: str) -> str:
        # Odd pieces of the split are phrases.
        pieces = phrase.split(text)
        return "".join(
            pairs[piece] if number % 2 else piece.translate(characters)
            for number, piece in enumerate(pieces)
        )

    return simplify


# Folds of spelling variants, for `lenient` alone.

_NUKTA = regex.compile("([कखगजफ])\u093c")
_HOMORGANIC = regex.compile("ङ्(?=[कखगघ])|ञ्(?=[चछजझ])|ण्(?=[टठडढ])|न्(?=[तथदध])|म्(?=[पफबभ])")


def lenient_devanagari(text: str) -> str:
    """Return the text without Perso-Arabic nuktas, and with candrabindu and homorganic nasals as anusvara."""
    return _HOMORGANIC.sub("ं", _NUKTA.sub(r"\1", text).replace("ँ", "ं"))


_ARABIC_ENDINGS = str.maketrans("ىةؤئ", "يهوي")
_GRAVES = str.maketrans("áéíóú", "àèìòù")
_CIRCUMFLEXES = str.maketrans("âîû", "aiu")


def lenient_arabic(text: str) -> str:
    """Return the text with alef maqsura, ta marbuta and the seats of hamza folded."""
    return text.translate(_ARABIC_ENDINGS)


def lenient_german(text: str) -> str:
    """Return the text with ß as ss."""
    return text.replace("ß", "ss")


def lenient_french(text: str) -> str:
    """Return the text with ligatures as two letters."""
    return text.replace("œ", "oe").replace("æ", "ae")


def lenient_italian(text: str) -> str:
    """Return the text with acute accents as grave ones."""
    return text.translate(_GRAVES)


def lenient_turkish(text: str) -> str:
    """Return the text without circumflexes."""
    return text.translate(_CIRCUMFLEXES)
