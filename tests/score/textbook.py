"""A second scorer, written from the published tables alone and as slowly as a textbook.

It shares no line, no table and no library with the scorer it checks: character classes
come from `unicodedata` where the harness asks `regex`, the distance fills its matrix cell
by cell where the harness calls RapidFuzz. Only the two conversions which the method
itself defines as a library call (Thai order of marks, traditional to simplified) are
those calls here too. It knows nothing of number words, event tags or compounds.
"""

import unicodedata
from collections.abc import Callable
from itertools import groupby

APOSTROPHES = dict.fromkeys("’‘ʼ′´`", "'")
QUOTES = dict.fromkeys("“”„«»", '"')
DASHES = dict.fromkeys("‐‑‒–—―−", "-")
INVISIBLE = {
    0xFEFF, 0x200B, 0x2060, 0x00AD, 0x200E, 0x200F, 0x061C,
    *range(0x202A, 0x202F), *range(0x2066, 0x206A),
    *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0),
}  # fmt: skip
POINT_GROUPS = {"de", "pt", "id", "it", "tr", "vi", "nl", "ro"}
SPACE_GROUPS = {"fr", "pl", "ru", "uk"}
LAKH_GROUPS = {"hi", "bn", "gu", "kn", "mr", "ml", "ta", "te"}
INDIC = LAKH_GROUPS
CHILLU = {"ണ": "ൺ", "ന": "ൻ", "ര": "ർ", "ല": "ൽ", "ള": "ൾ", "ക": "ൿ"}
TONES = "\u0300\u0301\u0303\u0309\u0323"


def language(locale: str) -> str:
    """The language subtag of a locale."""
    return locale.split("-", maxsplit=1)[0]


def kind(character: str) -> str:
    """The first letter of a character's general category."""
    return unicodedata.category(character)[0]


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script that is written without spaces."""
    name = unicodedata.name(character, "")
    return name.startswith(
        ("CJK", "HIRAGANA", "KATAKANA", "THAI", "IDEOGRAPHIC", "HALFWIDTH KATAKANA")
    )


def without_extra_space(text: str) -> str:
    """Every run of white space as one space, none at the ends."""
    return " ".join(text.split())


def typed_plainly(text: str) -> str:
    """Typographic quotes, dashes, dots and widths as their plain forms."""
    variants = {**APOSTROPHES, **QUOTES, **DASHES, "…": "..."}
    plain = "".join(variants.get(character, character) for character in text)
    pieces = []
    for half_kana, run in groupby(plain, key=lambda c: 0xFF61 <= ord(c) <= 0xFF9F):
        piece = "".join(run)
        if half_kana:
            piece = unicodedata.normalize("NFKC", piece)
        else:
            piece = "".join(
                chr(ord(c) - 0xFEE0) if 0xFF01 <= ord(c) <= 0xFF5E else c for c in piece
            )
        pieces.append(piece)
    return "".join(pieces)


def indic(text: str) -> str:
    """Joiner sequences of the Indic scripts as the letters they stand for."""
    text = text.replace("र्\u200d", "ऱ्").replace("अॅ", "ॲ").replace("ত্\u200d", "ৎ")
    for consonant, chillu in CHILLU.items():
        text = text.replace(consonant + "്\u200d", chillu)
    return text.replace("\u200d", "").replace("\u200c", "").replace("ൻറ", "ന്റ")


def arabic(text: str) -> str:
    """Arabic without presentation forms, tatweel, vowel signs and hamza on alef."""
    out = []
    for character in text:
        code = ord(character)
        if 0xFB50 <= code <= 0xFDFF or 0xFE70 <= code <= 0xFEFC:
            out.append(unicodedata.normalize("NFKC", character))
        elif character in "ـ٬" or (
            unicodedata.category(character) == "Mn" and 0x600 <= code <= 0x6FF
        ):
            continue
        else:
            out.append(character)
    folds = str.maketrans({"٫": ".", "ٱ": "ا", "ی": "ي", "ک": "ك", "أ": "ا", "إ": "ا", "آ": "ا"})
    return "".join(out).translate(folds)


def vietnamese(text: str) -> str:
    """The tone mark of an open oa, oe or uy on its first vowel, unless q stands before."""
    text = text.translate(str.maketrans("ÐƉ", "ĐĐ"))
    words = []
    for letters, run in groupby(text, key=str.isalpha):
        word = "".join(run)
        if letters and len(word) >= 2:
            last = unicodedata.normalize("NFD", word[-1])
            pair = (word[-2] + last[0]).lower()
            after_q = len(word) > 2 and word[-3] in "qQ"
            if pair in {"oa", "oe", "uy"} and len(last) == 2 and last[1] in TONES and not after_q:
                word = unicodedata.normalize("NFC", word[:-1] + last[1] + last[0])
        words.append(word)
    return "".join(words)


def numerals(text: str, locale: str) -> str:
    """Digit groups closed and the decimal mark as a point, where the groups are full."""
    tongue = language(locale)
    comma_decimal = tongue in POINT_GROUPS | SPACE_GROUPS or locale == "es-ES"
    if tongue in SPACE_GROUPS:
        marks = " "
    elif comma_decimal:
        marks = ". '"
    else:
        marks = ","
    lakh = tongue in LAKH_GROUPS or locale == "en-IN"
    for mark in marks:
        text = without_groups(text, mark, lakh=lakh)
    if not comma_decimal:
        return text
    out = list(text)
    for at in range(1, len(text) - 1):
        if text[at] == "," and text[at - 1].isdigit() and text[at + 1].isdigit():
            out[at] = "."
    return "".join(out)


def without_groups(text: str, mark: str, *, lakh: bool) -> str:
    """The text whose fully grouped numbers lost that group mark."""
    out: list[str] = []
    at = 0
    while at < len(text):
        end = at
        while end < len(text) and (
            text[end].isdigit()
            or (text[end] == mark and end > at and text[end + 1 : end + 2].isdigit())
        ):
            end += 1
        run = text[at:end]
        if not run:
            out.append(text[at])
            at += 1
            continue
        out.append(run.replace(mark, "") if full_groups(run.split(mark), lakh=lakh) else run)
        at = end
    return "".join(out)


def full_groups(groups: list[str], *, lakh: bool) -> bool:
    """Whether the parts of a number are whole groups: 1,234 and, where used, 1,00,000."""
    if len(groups) < 2 or not 1 <= len(groups[0]) <= 3 or len(groups[-1]) != 3:
        return False
    threes = all(len(group) == 3 for group in groups[1:])
    twos = len(groups[0]) <= 2 and all(len(group) == 2 for group in groups[1:-1])
    return threes or (lakh and twos)


def unpunctuated(text: str, locale: str) -> str:
    """Punctuation and symbols as spaces; an apostrophe as the language has it."""
    tongue = language(locale)
    out = []
    for at, character in enumerate(text):
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        if kind(character) not in "PS" or (
            character == "." and before.isdigit() and after.isdigit()
        ):
            out.append(character)
        elif character == "'" and tongue == "tr":
            continue
        elif character == "'" and tongue not in {"fr", "it"} and in_word(before) and in_word(after):
            out.append(character)
        else:
            out.append(" ")
    return "".join(out)


def in_word(character: str) -> bool:
    """Whether a neighbour of an apostrophe is part of a word."""
    return bool(character) and kind(character) in "LMN"


def close_unspaced(text: str) -> str:
    """The text with spaces only between two characters of spaced scripts."""
    out = []
    for at, character in enumerate(text):
        if character == " " and (is_unspaced(text[at - 1]) or is_unspaced(text[at + 1])):
            continue
        out.append(character)
    return "".join(out)


def lowered(text: str, locale: str) -> str:
    """Lower case, with the dotted and dotless i of Turkish."""
    if language(locale) == "tr":
        text = text.replace("İ", "i").replace("I", "ı")
    return text.lower()


def raw(text: str) -> str:
    """What `raw-1` keeps: everything but invisible characters, in NFC."""
    text = unicodedata.normalize("NFC", text)
    return without_extra_space("".join(c for c in text if ord(c) not in INVISIBLE))


def norm(text: str, locale: str) -> str:
    """The text as `norm-1` has it, step by step in the published order."""
    tongue = language(locale)
    text = typed_plainly(raw(text))
    if tongue in INDIC:
        text = indic(text)
    if tongue == "th":
        from pythainlp.util import normalize  # optional, and slow to import

        text = normalize(text)
    if tongue == "vi":
        text = vietnamese(text)
    if tongue == "ro":
        text = text.translate(str.maketrans("şţŞŢ", "șțȘȚ"))
    if tongue == "nl":
        text = text.replace("ĳ", "ij").replace("Ĳ", "IJ")
    text = lowered(text, locale)
    if tongue == "ar":
        text = arabic(text)
    if tongue == "cmn":
        from opencc import OpenCC  # optional, and slow to import

        text = OpenCC("t2s").convert(text)
    if tongue == "ru":
        text = text.replace("ё", "е")
    text = "".join(
        str(unicodedata.digit(c)) if unicodedata.category(c) == "Nd" else c for c in text
    )
    text = without_extra_space(unpunctuated(numerals(text, locale), locale))
    return close_unspaced(text) if tongue in {"ja", "cmn", "th"} else text


def mixed_tokens(text: str) -> list[str]:
    """Single characters of unspaced scripts and whole words of the others."""
    tokens: list[str] = []
    for word in text.split():
        for unspaced, run in groupby(word, key=is_unspaced):
            piece = "".join(run)
            tokens.extend(piece if unspaced else [piece])
    return tokens


SPLIT: dict[str, Callable[[str], list[str]]] = {
    "WER": str.split,
    "CER": list,
    "CERns": lambda text: [c for c in text if c != " "],
    "MixER": mixed_tokens,
}


def errors(reference: list[str], hypothesis: list[str]) -> int:
    """The edit distance of two token lists, every cell of its matrix filled."""
    above = list(range(len(hypothesis) + 1))
    for row, wanted in enumerate(reference, 1):
        line = [row]
        for column, heard in enumerate(hypothesis, 1):
            line.append(
                min(
                    above[column] + 1,
                    line[column - 1] + 1,
                    above[column - 1] + (wanted != heard),
                )
            )
        above = line
    return above[-1]
