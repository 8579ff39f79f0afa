"""SMART transcription: what was said, without what the speaker did not mean to say.

Of what the service does in this mode (`AudioTranscriptionConfig`, google-genai 2.34) filler words, repetitions and false
starts are left out here, and the first word gets its capital; grammar, lists and corrections are not understood. Knows
words and the commonest hesitations of some languages; knows no sound.
"""

from __future__ import annotations

import re
from typing import Final

_ANYWHERE: Final = frozenset(
    [
        "uh",
        "uhm",
        "umm",
        "erm",
        "ehm",
        "hmm",
        "mhm",
        "ähm",
        "öhm",
        "äh",
        "euh",
        "heu",
        "эм",
        "ммм",
        "eee",
        "yyy",
        "ımm",
        "呃",
        "嗯",
        "えーと",
        "えっと",
    ]
)
"""Hesitations that are a word in no language that has them."""

_IN: Final = {
    "de": frozenset(["hm"]),
    "en": frozenset(["um", "er", "ah", "hm"]),
    "es": frozenset(["eh", "em"]),
    "it": frozenset(["eh"]),
    "ja": frozenset(["あのー", "えー"]),
    "ko": frozenset(["음", "어"]),
    "nl": frozenset(["eh"]),
    "pt": frozenset(["hum", "hã"]),
    "ru": frozenset(["э"]),
    "tr": frozenset(["ıı"]),
}
"""Those that may be words elsewhere, by ISO 639-1."""

_LONGEST_REPETITION: Final = 3
"""Words."""

_PUNCTUATION: Final = " \t.,;:!?…、。，"
_BROKEN_OFF: Final = ("-", "–", "—")


def tidied(text: str, language: str | None) -> str:
    """Return a verbatim transcript as it was meant; `language` (ISO 639-1) is the one it is in, None: nobody can tell."""
    fillers = _ANYWHERE | _IN.get(language or "", frozenset())
    kept: list[str] = []
    for word in re.findall(r"\s*\S+", text):
        bare = _bare(word)
        if bare in fillers or (bare and word.endswith(_BROKEN_OFF)):
            continue
        kept.append(word)
        _forget_repetition(kept)
    meant = "".join(kept)
    return re.sub(r"^\W*\w", lambda first: first[0].upper(), meant)


def _forget_repetition(words: list[str]) -> None:
    """Take away the last words when they are those before them once more; figures may be dictated twice."""
    for size in range(1, _LONGEST_REPETITION + 1):
        last = [_bare(word) for word in words[-size:]]
        if all(word.isalpha() for word in last) and last == [
            _bare(word) for word in words[-2 * size : -size]
        ]:
            del words[-size:]


def _bare(word: str) -> str:
    return word.strip(_PUNCTUATION).casefold()
