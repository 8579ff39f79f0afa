"""How the training texts of MMS were normalised (fairseq, examples/mms/data_prep: text_normalization, norm_config, punctuations).

Compatibility only: it deletes numbers, the Japanese ー and the Thai ๆ. Settings are its defaults.

Knows spelling; does not know which table used what.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# `re` and not `regex`: what counts as a space and as a digit is to be the same as there.

_PUNCTUATION: Final = (
    "8 1a 21-26 28-2c 2e-2f 3a-40 5b 5d-5f 7b-7e 81 8d 8f-90 92-94 9d a1 a3 a9 ab-ac af-b0 b6-b7 bb-bd bf "
    "d7 2c7 2dc 37e 387 55a-55f 589 5be 60c 61b 61e-61f 640 6d4 964-965 9f7 e46 ec6 f04-f05 f0c-f0e "
    "104a-104f 109f 1361-1366 166d-166e 17d4-17d7 17da 2006 2015 2018-2022 2026-2027 202f-2030 2038-203b "
    "2044 2060 206f 2071 207f 20ac 2153 215f 2192 2212 226a-226b 22ef 230a-230b 231e-231f 2500 2d70 "
    "3001-3002 3005 3008-3011 3014-3015 30fb-30fc a4fe-a4ff a92e-a92f e003 e013 e01d e040-e041 e043 e06b "
    "e06d e070 e203 e231-e234 e236 e290-e296 e2d9 e2db e2de e2f9-e2fc e2fe e313 e328-e32e e492-e493 e514 "
    "e516-e517 ea01 ea7b f171-f173 f218 f21d f50e-f50f f511 f513 f518-f519 f521-f523 f529 f52d f62d f7d0 "
    "f7e8 fd3e-fd3f fe4f-fe50 fe55-fe57 ff01 ff08-ff09 ff0c ff0e-ff0f ff1a-ff1c ff1e-ff1f ff3f ff41-ff44 "
    "ff5e ff65 fffd"
)
"""What becomes a space, in hex."""

_DELETED: Final = "200b-200c 200e-200f 202a 202c 64b-652 656-657"
_DIGITS: Final = "30-39 6f0-6f9 966-96f 9e6-9ef b66-b6f d66-d6f 1040-1049 17e0-17e9 206f 2170-2179 a900-a909 ff10-ff19"
"""What makes up a number; Gujarati, Tamil, Telugu, Kannada, Thai and Arabic-Indic digits are not among them."""


def _class(codes: str) -> str:
    """Return the inside of a character class of code points and ranges in hex."""
    return "".join(
        "-".join(re.escape(chr(int(code, 16))) for code in span.split("-"))
        for span in codes.split()
    )


_NUMBERED_BRACKETS = re.compile(r"\([^)]*\d[^)]*\)")
_HTML = re.compile("&lt;|&gt;|&nbsp")
_APOSTROPHE = re.compile("(\\S+)[\u201b\u2019\u2018](\\S+)")
_PUNCT = re.compile(f"[{_class(_PUNCTUATION)}]")
_THAI_PUNCT = re.compile(f"[{_class(_PUNCTUATION)}\u200d]")
_DELETE = re.compile(f"[{_class(_DELETED)}]")
_NUMBER = f"[{_class(_DIGITS)}]+"
_NUMBERS = re.compile(rf"^{_NUMBER}(?=\s)|(?<=\s){_NUMBER}(?=\s)|(?<=\s){_NUMBER}$")


def mms(text: str, language: str) -> str:
    """Return a text as MMS has it; `language` is the subtag of its locale."""
    text = _NUMBERED_BRACKETS.sub(" ", unicodedata.normalize("NFKC", text).lower())
    text = _APOSTROPHE.sub(r"\1'\2", _HTML.sub("", text)).replace("ٱ", "ا")
    text = (_THAI_PUNCT if language == "th" else _PUNCT).sub(" ", text)
    text = _NUMBERS.sub(" ", _DELETE.sub("", text))
    return " ".join(re.split(r"\s+", text)).strip()
