"""Punctuation and casing: how well a transcript reads, on the words that `orth-1` keeps as they are written.

Words are aligned without their case; the mark that follows a word is compared with the one that follows its partner
(as in LibriSpeech-PC, Meister et al. 2023). Marks of all scripts fall into four classes; quotes, brackets and dashes
are left out.

Knows texts; does not know recognition errors, except that a word that is lost takes its mark with it.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from harness.score import align
from harness.score.edits import EditCounts
from harness.text.locales import LOCALES
from harness.text.normalise import normalised, steps
from harness.text.tokenise import mixed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Mark: TypeAlias = Literal["comma", "stop", "question", "exclamation"]

_MARKS: dict[str, Mark] = {
    **dict.fromkeys(",，、،", "comma"),
    **dict.fromkeys([".", "...", "。", "।", "॥", "۔", "．"], "stop"),
    **dict.fromkeys("?？؟", "question"),
    **dict.fromkeys("!！", "exclamation"),
}
_CASED = ("Latn", "Cyrl")
_UNSPACED = ("ja", "cmn")


class MarkCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How often one kind of mark was right, missing, or written where it is not. A sum of counts is the whole's."""

    right: int = 0
    missed: int = 0
    """The reference has it there, the hypothesis has none or another."""

    extra: int = 0
    """The hypothesis has it there, the reference has none or another."""

    def __add__(self, other: MarkCounts) -> MarkCounts:
        return MarkCounts(
            right=self.right + other.right,
            missed=self.missed + other.missed,
            extra=self.extra + other.extra,
        )

    @property
    def precision(self) -> float | None:
        """Right over written; None: never written."""
        written = self.right + self.extra
        return self.right / written if written else None

    @property
    def recall(self) -> float | None:
        """Right over said; None: never due."""
        due = self.right + self.missed
        return self.right / due if due else None

    @property
    def f1(self) -> float | None:
        """2 · right / (2 · right + missed + extra); None: neither due nor written."""
        total = 2 * self.right + self.missed + self.extra
        return 2 * self.right / total if total else None


class Readability(msgspec.Struct, frozen=True, kw_only=True):
    """Punctuation and casing of one utterance, as counts."""

    marks: Mapping[Mark, MarkCounts]
    """By kind."""

    punctuation: EditCounts
    """All marks: right, another, missing, extra. `match_error_rate` of it is the punctuation error rate."""

    cased_right: int | None
    """Matched words in the same case; None: the script has no case."""

    cased: int | None
    """Matched words; None: the script has no case."""


class MarkScore(msgspec.Struct, frozen=True, kw_only=True):
    """How well one kind of mark is written; shares, 0 to 1."""

    precision: float | None
    """None: never written."""

    recall: float | None
    """None: never due."""

    f1: float | None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How well many transcripts read."""

    punctuation_error_rate: float | None
    """(S + D + I) / (C + S + D + I) over marks; None: there is no mark on either side."""

    casing: float | None
    """Share of the matched words that are in the right case; None: none matched, or the script has no case."""

    marks: dict[Mark, MarkScore]
    """By kind."""


def reading(found: Iterable[Readability]) -> Reading | None:
    """Return how well many transcripts read, of their counts; None of nothing."""
    marks: dict[Mark, MarkCounts] = {}
    punctuation = EditCounts.zero()
    cased = cased_right = 0
    one = None
    for one in found:
        for kind, counts in one.marks.items():
            marks[kind] = marks.get(kind, MarkCounts()) + counts
        punctuation += one.punctuation
        cased += one.cased or 0
        cased_right += one.cased_right or 0
    if one is None:
        return None
    return Reading(
        punctuation_error_rate=punctuation.match_error_rate,
        casing=cased_right / cased if cased else None,
        marks={
            kind: MarkScore(precision=counts.precision, recall=counts.recall, f1=counts.f1)
            for kind, counts in marks.items()
        },
    )


def readability(reference: str, hypothesis: str, locale: str) -> Readability | None:
    """Return punctuation and casing of a transcript; None in Thai, whose spaces are its punctuation."""
    if locale.startswith("th"):
        return None
    said, heard = _marked_words(reference, locale), _marked_words(hypothesis, locale)
    lower = steps(locale, "norm-1")["lower"]  # the language's own: in Turkish I is no i
    runs = align.opcodes([lower(word) for word, _ in said], [lower(word) for word, _ in heard])
    marks: dict[Mark, MarkCounts] = {}
    punctuation = EditCounts.zero()
    cased = cased_right = 0
    for tag, i, to_i, j, to_j in runs:
        if tag == "equal":
            cased += to_i - i
        for (word, due), (answer, written) in zip_longest(
            said[i:to_i], heard[j:to_j], fillvalue=("", None)
        ):
            cased_right += tag == "equal" and word == answer
            if due or written:
                punctuation += _edit(due, written)
            if due:
                found = MarkCounts(right=1) if due == written else MarkCounts(missed=1)
                marks[due] = marks.get(due, MarkCounts()) + found
            if written and written != due:
                marks[written] = marks.get(written, MarkCounts()) + MarkCounts(extra=1)
    has_case = LOCALES[locale].script in _CASED
    return Readability(
        marks=marks,
        punctuation=punctuation,
        cased_right=cased_right if has_case else None,
        cased=cased if has_case else None,
    )


def _edit(due: Mark | None, written: Mark | None) -> EditCounts:
    if due == written:
        return EditCounts(hits=1)
    if due and written:
        return EditCounts(substitutions=1)
    return EditCounts(deletions=1) if due else EditCounts(insertions=1)


def _marked_words(text: str, locale: str) -> list[tuple[str, Mark | None]]:
    """Return the words of a text under `orth-1`, each with the first mark that follows it."""
    orthographic = normalised(text, locale, "orth-1")
    unspaced = locale.partition("-")[0] in _UNSPACED
    words: list[tuple[str, Mark | None]] = []
    for token in mixed(orthographic) if unspaced else orthographic.split():
        mark = _MARKS.get(token)
        if mark and words and words[-1][1] is None:
            words[-1] = (words[-1][0], mark)
        elif token[0].isalnum() or any(map(str.isalnum, token)):
            words.append((token, None))
    return words
