"""What is suspicious about a transcript beyond its error rate. Flagged rows stay where they are: nothing is dropped.

Thresholds are proposals, not tuned on data. Whisper's test for loops, a zlib ratio over 2.4, is not among them:
ordinary text in Indic scripts and Thai, three bytes a letter, is over it.

Knows texts and their alignment; does not know the service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import regex

from harness.score.score import WORD_METRICS
from harness.text.identify import language_of, log_likelihoods
from harness.text.locales import LOCALES
from harness.text.numbers import has_digits
from harness.text.tokenise import mixed, words

if TYPE_CHECKING:
    from harness.score.score import Score
    from harness.units import Seconds

Fault: TypeAlias = Literal[
    "wrong_script",
    "mixed_script",
    "wrong_language",
    "suspect_zh",
    "suspect_ja",
    "homoglyph",
    "loop",
    "hallucination",
    "speech_in_silence",
    "lost_start",
    "lost_end",
    "numbers_differ",
]
"""What was found:

- `wrong_script`, `mixed_script`: over 50 %, over 10 % more letters of other scripts than the reference has.
- `wrong_language`: likelier another of our languages in the same script, and at least half of it wrong.
- `suspect_zh`: Japanese without kana; `suspect_ja`: kana in Chinese; `homoglyph`: Latin and Cyrillic in one word.
- `loop`: the same words again and again. `hallucination`: far more text than was said, or than can be said.
- `speech_in_silence`: text where nothing was said.
- `lost_start`, `lost_end`: the transcript begins late or ends early.
- `numbers_differ`: only one of the two texts, as scored, writes numbers in digits.
"""

LANGUAGE_MARGIN = 5.0
"""How much likelier, in nats, another language must be: e⁵ is 150 times."""

LANGUAGE_RATE = 0.5
"""Transcripts in another language are mostly wrong; a quotation or a name in one is not."""

LOOP_REPEATS = 4
LOOP_SHARE = 0.5
LONGEST_LOOP = 30
"""Tokens of the longest passage that is looked for again and again."""

FASTEST_TOKENS_A_SECOND = 8.0
LOST_TOKENS = 3
"""Tokens missing in a row at an edge that make it lost: words, or three characters for each."""

_SCRIPTS = {
    "Latn": r"\p{Latin}",
    "Cyrl": r"\p{Cyrillic}",
    "Arab": r"\p{Arabic}",
    "Deva": r"\p{Devanagari}",
    "Beng": r"\p{Bengali}",
    "Gujr": r"\p{Gujarati}",
    "Knda": r"\p{Kannada}",
    "Mlym": r"\p{Malayalam}",
    "Taml": r"\p{Tamil}",
    "Telu": r"\p{Telugu}",
    "Thai": r"\p{Thai}",
    "Hans": r"\p{Han}",
    "Jpan": r"\p{Han}\p{Hiragana}\p{Katakana}",
    "Kore": r"\p{Hangul}\p{Han}",
}
_FOREIGN = {
    # Letters that many scripts share (ー, ʼ) belong to none.
    code: regex.compile(rf"(?![{own}\p{{Common}}\p{{Inherited}}])\p{{L}}")
    for code, own in _SCRIPTS.items()
}
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_HOMOGLYPH = regex.compile(r"\p{Latin}\p{M}*\p{Cyrillic}|\p{Cyrillic}\p{M}*\p{Latin}")


def faults(score: Score, *, audio_s: Seconds | None = None) -> tuple[Fault, ...]:
    """Return what is suspicious about a scored transcript, in the order of `Fault`."""
    reference, hypothesis = score.normalised_reference, score.normalised_hypothesis
    found: list[Fault] = list(script_faults(reference, hypothesis, score.locale))
    if is_other_language(score):
        found.append("wrong_language")
    if is_loop(hypothesis, reference):
        found.append("loop")
    if _is_hallucination(score, audio_s):
        found.append("hallucination")
    if not score.counts.reference_tokens and score.counts.insertions:
        found.append("speech_in_silence")
    found.extend(_lost_edges(score))
    if reference and hypothesis and has_digits(reference) != has_digits(hypothesis):
        found.append("numbers_differ")
    return tuple(found)


def script_faults(reference: str, hypothesis: str, locale: str) -> tuple[Fault, ...]:
    """Return what the letters of a transcript say about its language, relative to the reference's own letters."""
    script = LOCALES[locale].script
    excess = foreign_share(hypothesis, script) - foreign_share(reference, script)
    found: list[Fault] = []
    if excess > 0.5:
        found.append("wrong_script")
    elif excess > 0.1:
        found.append("mixed_script")
    if hypothesis.isascii():
        return tuple(found)
    kana = _KANA.search(hypothesis)
    if (
        script == "Jpan"
        and not excess > 0.5
        and not kana
        and sum(map(str.isalpha, hypothesis)) >= 8
        and _KANA.search(reference)
    ):
        found.append("suspect_zh")
    if script == "Hans" and kana and not _KANA.search(reference):
        found.append("suspect_ja")
    if _HOMOGLYPH.search(hypothesis):
        found.append("homoglyph")
    return tuple(found)


def is_other_language(score: Score) -> bool:
    """Return whether a transcript is in another language of the same script, though the reference is in its own.

    Only languages of the registry are told apart, in texts of 20 letters and more; where that cannot be done: False.
    """
    if score.rate is None or score.rate < LANGUAGE_RATE:
        return False
    own, script = score.locale.partition("-")[0], LOCALES[score.locale].script
    likelihoods = log_likelihoods(score.normalised_hypothesis, script)
    if own not in likelihoods or max(likelihoods.values()) - likelihoods[own] < LANGUAGE_MARGIN:
        return False
    return language_of(score.normalised_reference, script) == own


def foreign_share(text: str, script: str) -> float:
    """Return the share of a text's letters that are of another script (ISO 15924); 0 without letters."""
    if script == "Latn" and text.isascii():
        return 0.0
    foreign = len(_FOREIGN[script].findall(text))
    return foreign / sum(map(str.isalpha, text)) if foreign else 0.0


def is_loop(hypothesis: str, reference: str = "") -> bool:
    """Return whether the same few tokens make up half of a transcript, four times over, and the speech did not.

    Tokens are words, and characters in scripts without spaces.
    """
    return _loops(hypothesis) and not _loops(reference)


def _loops(text: str) -> bool:
    tokens = words(text) if text.isascii() else mixed(text)
    if len(set(tokens)) > (1 - LOOP_SHARE * (1 - 1 / LOOP_REPEATS)) * len(tokens):
        # Too many different tokens for half of the text to be four times the same.
        return False
    for size in range(1, min(LONGEST_LOOP, len(tokens) // LOOP_REPEATS) + 1):
        run = 0
        for start in range(size, len(tokens)):
            # `run` counts how long token after token has equalled the one `size` before it.
            run = run + 1 if tokens[start] == tokens[start - size] else 0
            covered = run + size
            if covered >= LOOP_REPEATS * size and covered >= LOOP_SHARE * len(tokens):
                return True
    return False


def _is_hallucination(score: Score, audio_s: Seconds | None) -> bool:
    counts = score.counts
    much = counts.hypothesis_tokens >= 2 * counts.reference_tokens + 3
    if counts.reference_tokens and counts.errors > counts.reference_tokens and much:
        return True
    if audio_s is None:
        return False
    return len(words(score.normalised_hypothesis)) > FASTEST_TOKENS_A_SECOND * audio_s


_EDGE = regex.compile(r"^(?:[SI]1)?D([0-9]+)|D([0-9]+)(?:[SI]1)?$")
"""Deletions at an edge: a minimal alignment may put one word that was heard wrongly beyond those that were not heard."""


def _lost_edges(score: Score) -> list[Fault]:
    least = LOST_TOKENS * (1 if score.metric in WORD_METRICS else 3)
    if score.counts.deletions < least or not score.counts.hypothesis_tokens:
        return []
    return [
        "lost_start" if edge[1] else "lost_end"
        for edge in _EDGE.finditer(score.operations)
        if int(edge[1] or edge[2]) >= least
    ]
