"""Pairs of transcripts that somebody already has: tables, and NIST's `trn`, `stm` and `ctm`.

A table (CSV, TSV, JSON lines, Parquet) has the columns `reference`, `hypothesis` and `locale`, and may have `id`,
`speaker`, `dataset`, `model`, `repeat` and `duration`; our own `utterances.csv` is one. Other texts are tags. `trn` and `stm`/`ctm` come as two files.

Knows files; does not know scores. Everything wrong with a file is told at once, each with its line.
"""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Any, Final

import msgspec
import regex

from harness.corpus.lines import Line
from harness.errors import InputError, UsageError, suggestion
from harness.report.foreign import READERS, UnusableError, numbered
from harness.units import Seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from harness.report.foreign import Record

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "reference": ("reference", "text", "sentence", "transcript", "ref"),
    "hypothesis": ("hypothesis", "hyp", "pred_text", "prediction"),
    "locale": ("locale", "language", "lang"),
    "id": ("id", "utterance_id"),
    "speaker": ("speaker", "client_id"),
    "dataset": ("dataset",),
    "model": ("model",),
    "repeat": ("repeat",),
    "duration_s": ("duration", "duration_s", "audio_s"),
}
"""The columns we know → the names they go by; where a table has several, the first one counts."""

_MOST_FAULTS = 20


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What was said and what was heard."""

    id: str
    """Unique in its dataset, model and repeat; the line's number where the table has none."""

    reference: str | None
    """None: nobody wrote it down."""

    hypothesis: str | None
    """None: there was no answer; it is scored as an empty one."""

    locale: str
    """As the table writes it."""

    speaker: str | None = None
    dataset: str = ""
    model: str = ""
    repeat: str = ""
    duration_s: Seconds | None = None
    """Of the clip; None: unknown."""

    tags: dict[str, str] = {}
    """The table's other columns that are texts, by name."""

    line: int | None = None
    """1-based line or row of the file."""

    reason: str | None = None
    """Why it must not be scored; None: it may."""


def read_pairs(
    path: Path, hypotheses: Path | None = None, *, locale: str | None = None
) -> list[Pair]:
    """Return the pairs of a table, or of a reference file and a hypothesis file.

    `locale` is that of pairs which name none. InputError names the file and line of every fault (the first 20).
    """
    suffix = path.suffix.lower()
    match suffix, hypotheses:
        case ".trn", None:
            raise UsageError(f"{path}: trn holds one side", hint=f"harness score {path} HYP.trn")
        case ".stm", None:
            raise UsageError(
                f"{path}: stm holds the reference", hint=f"harness score {path} HYP.ctm"
            )
        case ".trn", heard if heard is not None:
            return _trn_pairs(path, heard, _needed(locale, path))
        case ".stm", heard if heard is not None:
            return _stm_pairs(path, heard, _needed(locale, path))
    if hypotheses is not None:
        raise UsageError(
            f"{path}: two files are for trn, and stm with ctm; a table holds both sides"
        )
    if suffix not in READERS:
        raise InputError(
            f"{path}: not a table that can be read",
            why=f"its name ends in none of {', '.join((*READERS, '.trn', '.stm'))}",
        )
    return _pairs(path, READERS[suffix](path), locale)


def _needed(locale: str | None, path: Path) -> str:
    if locale is None:
        raise UsageError(f"{path}: says no language", hint="--language en-US")
    return locale


def _pairs(path: Path, records: Iterator[Record], locale: str | None) -> list[Pair]:
    pairs: list[Pair] = []
    faults: dict[str, list[int]] = {}
    taken: dict[tuple[str, str, str, str], int] = {}
    for number, cells in records:
        try:
            pair = _pair(cells, number, locale)
        except UnusableError as fault:
            faults.setdefault(str(fault), []).append(number)
            continue
        first = taken.setdefault((pair.dataset, pair.model, pair.repeat, pair.id), number)
        if first != number:
            faults.setdefault(f"id “{pair.id}” is also that of line {first}", []).append(number)
        pairs.append(pair)
    if faults:
        raise _input_error(
            path,
            [
                f"{path}:{numbers[0]}: {what}"
                + (f" (and {len(numbers) - 1} more lines)" if numbers[1:] else "")
                for what, numbers in faults.items()
            ],
        )
    if not pairs:
        raise InputError(f"{path}: holds no pairs of transcripts")
    return pairs


def _input_error(path: Path, faults: list[str]) -> InputError:
    more = len(faults) - _MOST_FAULTS
    shown = [*islice(faults, _MOST_FAULTS), *([f"and {more} more"] if more > 0 else [])]
    return InputError(f"{path}: cannot be scored as it is", why="\n  ".join(shown))


def _pair(cells: Mapping[str, Any] | UnusableError, number: int, locale: str | None) -> Pair:
    if isinstance(cells, UnusableError):
        raise cells
    found = {ours: _cell(cells, names) for ours, names in COLUMNS.items()}
    for ours in ("reference", "hypothesis"):
        if found[ours] is _ABSENT:
            raise UnusableError(_missing_column(ours, cells))
    if found["locale"] in (_ABSENT, None, ""):
        if locale is None:
            raise UnusableError(f"{_missing_column('locale', cells)}, or give --language")
        found["locale"] = locale
    texts = {ours: _text(value, ours) for ours, value in found.items()}
    return Pair(
        id=texts["id"] or str(number),
        reference=texts["reference"],
        hypothesis=texts["hypothesis"],
        locale=texts["locale"] or "",
        speaker=texts["speaker"] or None,
        dataset=texts["dataset"] or "",
        model=texts["model"] or "",
        repeat=texts["repeat"] or "",
        duration_s=_length(texts["duration_s"]),
        tags={
            name: value
            for name, value in cells.items()
            if name not in _KNOWN and isinstance(value, str) and value
        },
        line=number,
    )


_ABSENT = object()
_KNOWN = frozenset(name for names in COLUMNS.values() for name in names)


def _length(text: str | None) -> Seconds | None:
    """Return a length, s; None where a table says none, or nothing that is one: it divides rates, it makes none."""
    try:
        length = float(text or "")
    except ValueError:
        return None
    return length if 0 <= length < inf else None


def _cell(cells: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((cells[name] for name in names if name in cells), _ABSENT)


def _missing_column(ours: str, cells: Mapping[str, Any]) -> str:
    hint = suggestion(ours, (str(name) for name in cells))
    there = ", ".join(str(name) for name in cells)
    return f"no column {' or '.join(COLUMNS[ours])}; {hint or f'there are: {there}'}"


def _text(value: Any, ours: str) -> str | None:
    if value is None or value is _ABSENT:
        return None
    if isinstance(value, str):
        return value
    if ours in {"reference", "hypothesis", "locale"} or isinstance(value, (dict, list)):
        raise UnusableError(f"{ours} is {value!r}, which is no text")
    return str(value)


_TRN = regex.compile(r"(.*)\(([^()\s]+)\)\s*")


def _trn_pairs(path: Path, hypotheses: Path, locale: str) -> list[Pair]:
    heard = {key: text for key, (text, _) in _trn(hypotheses).items()}
    said = _trn(path)
    unknown = [f"{hypotheses}: no reference for “{key}”" for key in heard if key not in said]
    if unknown:
        raise _input_error(hypotheses, unknown)
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
            elif found[2] in texts:
                faults.append(
                    f"{path}:{line.number}: id “{found[2]}” is also that of line {texts[found[2]][1]}"
                )
            else:
                texts[found[2]] = (found[1].strip(), line.number)
    if faults:
        raise _input_error(path, faults)
    return texts


def _stm_pairs(path: Path, hypotheses: Path, locale: str) -> list[Pair]:
    """Return a pair per segment of a `stm` file: the words of the `ctm` whose middle lies in it."""
    words: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for number, (name, channel, start, length, word) in _fields(hypotheses, 5):
        middle = _seconds(hypotheses, number, start) + _seconds(hypotheses, number, length) / 2
        words.setdefault((name, channel), []).append((middle, word.split()[0]))
    pairs = []
    for number, (name, channel, speaker, start, end, text) in _fields(path, 6):
        if speaker == "IGNORE_TIME_SEGMENT_IN_SCORING" or "IGNORE_TIME_SEGMENT" in text:
            continue
        first, last = _seconds(path, number, start), _seconds(path, number, end)
        heard = [word for middle, word in words.get((name, channel), ()) if first <= middle < last]
        pairs.append(
            Pair(
                id=f"{name}-{channel}-{start}-{end}",
                reference=regex.sub(r"^<[^>]*>\s*", "", text),
                hypothesis=" ".join(heard),
                locale=locale,
                speaker=speaker,
                line=number,
            )
        )
    if not pairs:
        raise InputError(f"{path}: holds no segments")
    return pairs


def _fields(path: Path, count: int) -> Iterator[tuple[int, list[str]]]:
    """Yield the fields of each line that is no comment, the last one with all that follows."""
    for line in numbered(path):
        if not isinstance(line, Line):
            raise _input_error(path, [f"{path}:{line[0]}: {line[1]}"])
        if not line.text.strip() or line.text.startswith(";;"):
            continue
        cells = line.text.split(None, count - 1)
        if len(cells) == count - 1 and count == 6:
            cells.append("")
        if len(cells) != count:
            raise _input_error(
                path, [f"{path}:{line.number}: {len(cells)} fields of at least {count - 1}"]
            )
        yield line.number, cells


def _seconds(path: Path, number: int, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise _input_error(path, [f"{path}:{number}: “{text}” is no time in seconds"]) from error
