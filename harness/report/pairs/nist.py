"""NIST's `trn`, and `stm` with `ctm` (SCTK, `doc/infmts.htm`): two files whose lines are brought together as pairs.

Knows these files; does not know tables or scores. Alternatives, optional words and nulls are refused, not read.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

import regex

from harness.corpus.lines import Line
from harness.errors import InputError
from harness.report.pairs.foreign import UnusableError, input_error, numbered
from harness.report.pairs.pair import Pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from harness.units import Seconds

_TRN = regex.compile(r"(.*)\(([^()\s]+)\)\s*")
_LABEL = regex.compile(r"^<[^>]*>\s*")
_MARKUP = {
    "alternatives": regex.compile(r"\{[^{}]*\}"),
    "an optional word": regex.compile(r"(?<!\S)\(\S+\)(?!\S)"),
    "a null word": regex.compile(r"(?<!\S)@(?!\S)"),
}
_IGNORED = "ignore_time_segment_in_scoring"

Channel: TypeAlias = tuple[str, str]
"""Recording and channel, as the files write them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    line: int
    start_s: Seconds
    end_s: Seconds
    text: str

    @property
    def middle_s(self) -> Seconds:
        return (self.start_s + self.end_s) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    line: int
    id: str
    recording: str
    speaker: str
    start_s: Seconds
    end_s: Seconds
    text: str
    ignored: bool
    words: list[str] = field(default_factory=list)

    def overlap_s(self, word: _Word) -> Seconds:
        """Return how much of a word lies in the segment, to the microsecond, so that rounding makes no winner."""
        return round(min(self.end_s, word.end_s) - max(self.start_s, word.start_s), 6)


def trn_pairs(path: Path, hypotheses: Path, locale: str) -> list[Pair]:
    """Return a pair per id of a reference `trn`; InputError names every line that is none, and unknown ids."""
    heard = {key: text for key, (text, _) in _trn(hypotheses).items()}
    said = _trn(path)
    unknown = [f"{hypotheses}: no reference for “{key}”" for key in heard if key not in said]
    if unknown:
        raise input_error(hypotheses, unknown)
    return [
        Pair(
            id=key,
            reference=text,
            hypothesis=heard.get(key),
            locale=locale,
            # NIST's convention: what stands before the first - or _ is the speaker.
            speaker=regex.split("[-_]", key, maxsplit=1)[0],
            line=number,
        )
        for key, (text, number) in said.items()
    ]


def _trn(path: Path) -> dict[str, tuple[str, int]]:
    """Return the texts of a `trn` file by their id, with their line numbers."""
    texts: dict[str, tuple[str, int]] = {}
    faults: list[str] = []
    for line in numbered(path):
        if not isinstance(line, Line):
            faults.append(f"{path}:{line[0]}: {line[1]}")
        elif line.text.strip() and not line.text.startswith(";;"):
            found = _TRN.fullmatch(line.text)
            if found is None:
                faults.append(f"{path}:{line.number}: no (id) at the end of the line")
            elif (markup := _markup(found[1])) is not None:
                faults.append(f"{path}:{line.number}: {markup}")
            elif found[2] in texts:
                faults.append(
                    f"{path}:{line.number}: id “{found[2]}” is also that of line {texts[found[2]][1]}"
                )
            else:
                texts[found[2]] = (found[1].strip(), line.number)
    if faults:
        raise input_error(path, faults)
    return texts


def _markup(text: str) -> str | None:
    """Return what is said about the first of NIST's marks in a text; None: it has none."""
    for what, pattern in _MARKUP.items():
        if (found := pattern.search(text)) is not None:
            return f"“{found[0]}” is NIST's markup for {what}, which is not read"
    return None


def stm_pairs(path: Path, hypotheses: Path, locale: str) -> list[Pair]:
    """Return a pair per scored segment of a `stm` file, and one without a rate per channel with words outside of all.

    A word of the `ctm` belongs to the segment that holds its middle; to the one it overlaps most where several do, to
    the earlier one where it overlaps them alike. InputError names the line of what is no time, and of words whose
    recording and channel have no segment.
    """
    segments = _segments(path)
    words = _words(hypotheses)
    if strangers := [key for key in words if key not in segments]:
        known = ", ".join(" ".join(key) for key in list(segments)[:5])
        raise input_error(
            hypotheses,
            [
                f"{hypotheses}:{words[key][0].line}: recording and channel “{' '.join(key)}” have no segment "
                f"in {path} ({len(words[key])} words); there are: {known}"
                for key in strangers
            ],
        )
    outside = {key: _given_out(words.get(key, ()), own) for key, own in segments.items()}
    pairs = [
        Pair(
            id=segment.id,
            reference=segment.text,
            hypothesis=" ".join(segment.words) if key in words else None,
            locale=locale,
            speaker=segment.speaker,
            audio=segment.recording,
            offset_s=segment.start_s,
            line=segment.line,
        )
        for key, own in segments.items()
        for segment in own
        if not segment.ignored
    ]
    if not pairs:
        raise InputError(f"{path}: holds no segments")
    # As the segments stand in the file, whatever channel they are of.
    pairs.sort(key=lambda pair: pair.line or 0)
    return pairs + [
        Pair(
            id=f"{'-'.join(key)}-outside",
            reference=None,
            hypothesis=" ".join(word.text for word in lost),
            locale=locale,
            reason=f"words of {hypotheses} outside every segment: {len(lost)}, the first in its line {lost[0].line}",
        )
        for key, lost in outside.items()
        if lost
    ]


def _given_out(words: Sequence[_Word], segments: Sequence[_Segment]) -> list[_Word]:
    """Give each word to the one segment it belongs to; return those that belong to none."""
    ordered = sorted(segments, key=lambda segment: segment.start_s)
    starts = [segment.start_s for segment in ordered]
    ends = list(accumulate((segment.end_s for segment in ordered), max))
    outside = []
    for word in words:
        best: _Segment | None = None
        place = bisect_right(starts, word.middle_s) - 1
        # Backwards, until no segment that began before reaches so far: the earlier of two alike comes last.
        while place >= 0 and ends[place] > word.middle_s:
            segment = ordered[place]
            if segment.end_s > word.middle_s and (
                best is None
                or (not segment.ignored, segment.overlap_s(word))
                >= (not best.ignored, best.overlap_s(word))
            ):
                best = segment
            place -= 1
        if best is None:
            outside.append(word)
        else:
            best.words.append(word.text)
    return outside


def _segments(path: Path) -> dict[Channel, list[_Segment]]:
    segments: dict[Channel, list[_Segment]] = {}
    lines: dict[str, int] = {}
    faults: list[str] = []
    for number, fields in _fields(path, 6):
        try:
            segment = _segment(number, fields)
        except UnusableError as fault:
            faults.append(f"{path}:{number}: {fault}")
            continue
        segments.setdefault((fields[0], fields[1]), []).append(segment)
        if (first := lines.setdefault(segment.id, number)) != number:
            faults.append(f"{path}:{number}: the same segment as in line {first}: {segment.id}")
    if faults:
        raise input_error(path, faults)
    return segments


def _segment(number: int, fields: Sequence[str]) -> _Segment:
    name, channel, speaker, start, end, text = fields
    segment = _Segment(
        line=number,
        id=f"{name}-{channel}-{speaker}-{start}-{end}",
        recording=f"{name}-{channel}",
        speaker=speaker,
        start_s=_seconds(start),
        end_s=_seconds(end),
        text=_LABEL.sub("", text),
        ignored=_IGNORED in f"{speaker} {text}".lower(),
    )
    if segment.end_s <= segment.start_s:
        raise UnusableError(f"the segment's end, {end}, is not after its start, {start}")
    if not segment.ignored and (markup := _markup(segment.text)) is not None:
        raise UnusableError(markup)
    return segment


def _words(path: Path) -> dict[Channel, list[_Word]]:
    words: dict[Channel, list[_Word]] = {}
    faults: list[str] = []
    for number, fields in _fields(path, 5):
        try:
            words.setdefault((fields[0], fields[1]), []).append(_word(number, fields))
        except UnusableError as fault:
            faults.append(f"{path}:{number}: {fault}")
    if faults:
        raise input_error(path, faults)
    return words


def _word(number: int, fields: Sequence[str]) -> _Word:
    _, _, start, length, rest = fields
    text, start_s = rest.split()[0], _seconds(start)
    if (markup := _markup(text)) is not None:
        raise UnusableError(markup)
    return _Word(line=number, start_s=start_s, end_s=start_s + _seconds(length), text=text)


def _fields(path: Path, count: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each line that is no comment, the last one with all that follows."""
    for line in numbered(path):
        if not isinstance(line, Line):
            raise input_error(path, [f"{path}:{line[0]}: {line[1]}"])
        if not line.text.strip() or line.text.startswith(";;"):
            continue
        cells = line.text.split(None, count - 1)
        if len(cells) == count - 1 and count == 6:
            cells.append("")
        if len(cells) != count:
            raise input_error(
                path, [f"{path}:{line.number}: {len(cells)} fields of at least {count - 1}"]
            )
        yield line.number, cells


def _seconds(text: str) -> Seconds:
    """Return a time, s, not negative; UnusableError: it is none."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not (isfinite(seconds) and seconds >= 0):
        raise UnusableError(f"“{text}” is no time in seconds")
    return seconds
