"""Words of languages that write none, and how Japanese is read: by other people's segmenters, only when asked for.

Scores over such words depend on the tool and its dictionary, whose versions stand beside them; they compare with
nothing that another tool cut.

Knows a normal text and which tool cuts it; does not know metrics.
"""

from __future__ import annotations

import warnings
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEGMENTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "ja": ("fugashi", "unidic-lite"),
    "cmn": ("jieba",),
    "th": ("pythainlp",),
}
"""By language: the packages that cut it into words. MeCab with UniDic; jieba's dictionary; newmm."""

_MEMO: Final = 1 << 15
"""Texts whose words are remembered."""


@lru_cache(maxsize=_MEMO)
def segments(text: str, language: str) -> tuple[str, ...]:
    """Return the words of a normal text in `ja`, `cmn` or `th`; UsageError names a package that is not installed."""
    return tuple(word for word in _segmenter(language)(text) if not word.isspace())


@lru_cache(maxsize=_MEMO)
def reading(text: str) -> str:
    """Return how a Japanese text is read, in katakana without spaces; what the dictionary lacks stays as it is."""
    return "".join(
        (word.feature.kana or _in_katakana(word.surface))
        for word in _mecab()(text.replace(" ", ""))
    )


def _in_katakana(text: str) -> str:
    return "".join(chr(ord(c) + 0x60) if "\u3041" <= c <= "\u3096" else c for c in text)


@cache
def _segmenter(language: str) -> Callable[[str], list[str]]:
    if language == "ja":
        return lambda text: [word.surface for word in _mecab()(text)]
    if language == "cmn":
        import logging

        jieba = _package("jieba", language)
        jieba.setLogLevel(logging.WARNING)  # it reports on its dictionary
        return jieba.Tokenizer().lcut  # type: ignore[no-any-return]  # jieba has no types
    tokenize = _package("pythainlp.tokenize", language).word_tokenize
    return lambda text: tokenize(text, engine="newmm", keep_whitespace=False)


@cache
def _mecab() -> Callable[[str], Any]:
    dictionary = _package("unidic_lite", "ja").DICDIR
    return _package("fugashi", "ja").Tagger(f'-d "{dictionary}"')  # type: ignore[no-any-return]  # it has no types


def _package(module: str, language: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # jieba's sources are older than today's Python
            return import_module(module)
    except ImportError as error:
        raise UsageError(
            f"words of the language {language!r} take {' and '.join(SEGMENTERS[language])}, not all of which is installed",
            hint="pip install 'live-harness[segment]'",
        ) from error
