"""How numbers are written in words, in every language of the registry.

The cardinal comes from num2words or indic-numtowords (the extra `text`), and from this module for Chinese, Japanese
and Korean; variants that print uses and the libraries do not know are tables here. Ordinals, years and readings digit
by digit are forms of the same digits.

Knows numerals; does not know texts.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

SPELT_BY_NUM2WORDS = {
    "ar": "ar", "de": "de", "en": "en", "es": "es", "fr": "fr", "id": "id", "it": "it", "nl": "nl",
    "pl": "pl", "pt": "pt_BR", "ro": "ro", "ru": "ru", "th": "th", "tr": "tr", "uk": "uk", "vi": "vi",
}  # fmt: skip
"""Languages whose numerals num2words spells, as it calls them."""

SPELT_BY_INDIC = ("bn", "gu", "hi", "kn", "ml", "mr", "ta", "te")
"""Languages whose numerals indic-numtowords spells."""

LONGEST = 12
"""Digits of the longest number that is read as one; a longer one is read digit by digit."""

_POINTS = {
    "ar": "فاصلة", "bn": "দশমিক", "cmn": "点", "de": "komma", "en": "point", "es": "coma punto", "fr": "virgule",
    "gu": "દશાંશ પોઈન્ટ", "hi": "दशमलव", "id": "koma", "it": "virgola", "ja": "点", "kn": "ಬಿಂದು ಪಾಯಿಂಟ್", "ko": "점",
    "ml": "ദശാംശം പോയിന്റ്", "mr": "दशांश पॉइंट", "nl": "komma", "pl": "przecinek", "pt": "vírgula ponto",
    "ro": "virgulă", "ru": "запятая", "ta": "புள்ளி", "te": "పాయింట్ దశాంశం", "th": "จุด", "tr": "virgül",
    "uk": "кома", "vi": "phẩy",
}  # fmt: skip
"""What is said for the decimal mark."""


def library(locale: str) -> str | None:
    """Return the package that spells the numerals of `locale`; None: this module does."""
    language = locale.partition("-")[0]
    if language in SPELT_BY_INDIC:
        return "indic-numtowords"
    return "num2words" if language in SPELT_BY_NUM2WORDS else None


def missing_library(locale: str) -> str | None:
    """Return the package that spells the numerals of `locale` if it is not installed, else None."""
    package = library(locale)
    return package if package and not find_spec(package.replace("-", "_")) else None


@lru_cache(maxsize=1 << 14)
def written_forms(digits: str, locale: str) -> tuple[str, ...]:
    """Return how `25` or `3.5` may be written in words, the commonest first; empty without the library it takes."""
    language = locale.partition("-")[0]
    if missing_library(locale):
        return ()
    whole, _, fraction = digits.partition(".")
    forms = _decimals(whole, fraction, language) if fraction else _integers(whole, locale)
    return tuple(dict.fromkeys(forms))


def _integers(digits: str, locale: str) -> Iterator[str]:
    language = locale.partition("-")[0]
    if len(digits) <= LONGEST:
        number = int(digits)
        yield from _cardinals(number, language)
        if locale == "en-IN":
            yield from _num2words(number, "en_IN")
        yield from _other_readings(number, language)
    if len(digits) > 1:
        yield from _one_by_one(digits, language)


def _decimals(whole: str, fraction: str, language: str) -> Iterator[str]:
    if len(whole) > LONGEST:
        return
    space = "" if language in {"cmn", "ja", "th"} else " "
    tails = [*_one_by_one(fraction, language)]
    if not fraction.startswith("0") and len(fraction) < 4:
        tails += _cardinals(int(fraction), language)
    if (short := fraction.rstrip("0")) and short != fraction:
        tails += _one_by_one(short, language)
    for head in _cardinals(int(whole), language):
        for point in _POINTS[language].split():
            for tail in tails:
                yield f"{head}{space}{point}{space}{tail}"


def _one_by_one(digits: str, language: str) -> Iterator[str]:
    space = "" if language in {"cmn", "ja", "th", "ko"} else " "
    words = [next(iter(_cardinals(int(digit), language)), "") for digit in digits]
    yield space.join(words)
    if language == "en" and "0" in digits:
        yield " ".join("oh" if word == "zero" else word for word in words)
    if language in {"cmn", "ja"} and "0" in digits:
        yield "".join(words).replace("零", "〇")


def _cardinals(number: int, language: str) -> Iterator[str]:
    match language:
        case "cmn":
            yield from _chinese(number)
        case "ja":
            yield from _japanese(number)
        case "ko":
            yield from _korean(number)
        case _ if language in SPELT_BY_INDIC:
            for form in _indic(number, language):
                yield from _variants(form, language)
        case _:
            for form in _num2words(number, SPELT_BY_NUM2WORDS[language]):
                yield from _variants(form, language)


def _other_readings(number: int, language: str) -> Iterator[str]:
    """Yield the number as a year and as an ordinal, where num2words knows them."""
    if not (code := SPELT_BY_NUM2WORDS.get(language)):
        return
    for reading in ("year",) * (1000 <= number <= 2999) + ("ordinal",) * (0 < number < 10_000):
        for form in _num2words(number, code, to=reading):
            yield from _variants(form, language)
            if language == "de" and reading == "ordinal":
                yield from (form + ending for ending in "nrsm")


def _num2words(number: int, code: str, to: str = "cardinal") -> list[str]:
    try:
        return [str(import_module("num2words").num2words(number, lang=code, to=to))]
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        NotImplementedError,
        TypeError,
        ValueError,
    ):
        # Its languages know different readings, and say so in many ways.
        return []


def _indic(number: int, language: str) -> list[str]:
    try:
        spelt = import_module("indic_numtowords").num2words(number, lang=language, variations=True)
    except (ArithmeticError, LookupError, ValueError):
        return []
    return [str(form) for form in spelt]


_TURKISH = regex.compile(
    "sıfır|altmış|altı|yirmi|otuz|kırk|elli|yetmiş|seksen|doksan|yüz|bin|milyon|milyar|trilyon"
    "|bir|iki|üç|dört|beş|yedi|sekiz|dokuz|on|inci|ıncı|uncu|üncü|nci|ncı|ncu|ncü"
)

_REWRITES: dict[str, tuple[tuple[str, str], ...]] = {
    "ar": ((" و ", " و"), ("مائة", "مئة")),
    "de": ((r"^eins$", "ein"), (r"^eins$", "eine"), (r"^ein(hundert|tausend)", r"\1")),
    "en": ((" and ", " "), (r"^one (hundred|thousand|million)", r"a \1"), (" and ", " ")),
    "es": ((r"uno$", "un"), (r"veintiun$", "veintiún"), (r"un$|ún$", "una"), (r"veintiuno mil", "veintiún mil"),
           (r"y uno mil", "y un mil")),
    "fr": ((r"un$", "une"),),
    "gu": ((" સો", "સો"),),
    "hi": (("ज़", "ज"), (r"^एक (हजार|सौ|लाख)", r"\1")),
    "it": ((r"^uno$", "un"), (r"^un$", "una")),
    "kn": ((r"(ಸಾವಿರ|ಲಕ್ಷ|ಕೋಟಿ)ದ$", r"\1"), (r"^ಒಂದು ", "")),
    "mr": (("ज़", "ज"), (r"^एक (हजार|लाख)", r"\1")),
    "nl": (("éé", "ee"), (" ", "")),
    "pl": ((r"^jeden tysiąc", "tysiąc"), (r"^jeden$", "jedna"), (r"dwa$", "dwie")),
    "pt": ((",", ""), (r"um$", "uma"), (r"dois$", "duas")),
    "ro": ((r"^unu$", "un"), (r"^un$", "o"), (r"doi$", "două")),
    "ru": ((r"^одна тысяча", "тысяча"), (r"один$", "одна"), (r"одна$", "одно"), (r"два$", "две")),
    "th": (("^หนึ่ง(?=ร้อย|พัน|หมื่น|แสน|ล้าน)", ""),),
    "uk": ((r"^одна тисяча", "тисяча"), (r"один$", "одна"), (r"одна$", "одне"), (r"два$", "дві")),
    "vi": (("nghìn", "ngàn"), ("lẻ", "linh"), (r"mươi bốn$", "mươi tư")),
}  # fmt: skip
"""By language: rewrites of a library's form into what is also printed; each applies to all forms before it."""


def _variants(form: str, language: str) -> list[str]:
    """Return a library's form and what is also printed for it."""
    forms = [form]
    for pattern, printed in _REWRITES.get(language, ()):
        forms += [regex.sub(pattern, printed, known) for known in forms]
    if language == "tr":
        forms += [" ".join(_TURKISH.findall(form))]
    return list(dict.fromkeys(forms))


def _myriads(number: int, digits: str, units: str, powers: str, *, one: bool) -> str:
    """Return an East Asian numeral: groups of four digits, `one`: whether 10, 100, 1000 are said with a one."""
    if not number:
        return digits[0]
    said = ""
    for power in range(len(powers), -1, -1):
        group = number // 10_000**power % 10_000
        if not group:
            continue
        for place in (3, 2, 1, 0):
            if digit := group // 10**place % 10:
                silent = digit == 1 and place and not one
                said += ("" if silent else digits[digit]) + (units[place - 1] if place else "")
        said += powers[power - 1] if power else ""
    return said


def _chinese(number: int) -> Iterator[str]:
    digits, units = "零一二三四五六七八九", "十百千"
    said = ""
    for place, digit in zip(range(len(str(number)) - 1, -1, -1), str(number), strict=True):
        if digit != "0":
            said += digits[int(digit)] + (units[place % 4 - 1] if place % 4 else "")
        elif said and not said.endswith("零"):
            said += "零"
        if place and place % 4 == 0:
            group = number // 10**place % 10_000
            # A whole group of zeros has no unit of its own, and one zero stands for it.
            said = said.rstrip("零") + ("万亿"[place // 4 - 1] if group else "零")
    said = said.rstrip("零") or "零"
    said = regex.sub("^一十", "十", said)
    yield said
    if "二" in said:
        yield regex.sub("二(?=[百千万亿])", "两", said)
    if number == 2:
        yield "两"


def _japanese(number: int) -> Iterator[str]:
    yield _myriads(number, "零一二三四五六七八九", "十百千", "万億", one=False)


def _korean(number: int) -> Iterator[str]:
    yield regex.sub(
        "^일만", "만", _myriads(number, "영일이삼사오육칠팔구", "십백천", "만억", one=False)
    )
    if number == 0:
        yield "공"
    if 0 < number < 100:
        tens = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")[
            number // 10
        ]
        ones = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")[number % 10]
        counting = {"하나": "한", "둘": "두", "셋": "세", "넷": "네"}.get(ones, ones)
        yield tens + ones
        yield ("스무" if number == 20 else tens) + counting
