"""Pairs of transcripts that somebody already has: tables, and NIST's `trn`, `stm` and `ctm`.

A table (CSV, TSV, JSON lines, Parquet) has the columns `reference`, `hypothesis` and `locale`, and may have `id`,
`speaker`, `dataset`, `model`, `repeat`, `audio_filepath`, `offset` and `duration`; our own `utterances.csv` is one. Other texts are tags. `trn` and `stm`/`ctm` come as two files.

Knows files; does not know scores. Everything wrong with a file is told at once, each with its line.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final

from harness.corpus.layout import SHEETS
from harness.errors import InputError, UsageError, suggestion
from harness.report.pairs.foreign import READERS, UnusableError, input_error
from harness.report.pairs.nist import stm_pairs, trn_pairs
from harness.report.pairs.pair import Pair
from harness.units import count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from harness.report.pairs.foreign import Record

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "reference": ("reference", "text", "sentence", "transcript", "ref"),
    "hypothesis": ("hypothesis", "hyp", "pred_text", "prediction"),
    "locale": ("locale", "language", "lang"),
    "id": ("id", "utterance_id"),
    "speaker": ("speaker", "client_id"),
    "dataset": ("dataset",),
    "model": ("model",),
    "repeat": ("repeat",),
    "audio": ("audio_filepath", "audio", "path", "file"),
    "offset_s": ("offset", "offset_s"),
    "snr_db": ("snr_db", "snr"),
    "duration_s": ("duration", "duration_s", "audio_s"),
}
"""The columns we know → the names they go by; where a table has several, the first one counts."""


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
            return trn_pairs(path, heard, _needed(locale, path))
        case ".stm", heard if heard is not None:
            return stm_pairs(path, heard, _needed(locale, path))
    if hypotheses is not None:
        raise UsageError(
            f"{path}: two files are for trn, and stm with ctm; a table holds both sides"
        )
    if suffix not in READERS:
        raise InputError(
            f"{path}: not a table that can be read",
            why=f"its name ends in none of {', '.join((*READERS, '.trn', '.stm'))}",
            hint="save the sheet as CSV and name that" if suffix in SHEETS else None,
        )
    columns = [COLUMNS[ours] for ours in ("reference", "hypothesis", "locale")]
    return _pairs(path, READERS[suffix](path, columns), locale)


def _needed(locale: str | None, path: Path) -> str:
    if locale is None:
        raise UsageError(f"{path}: says no language", hint="--language en-US")
    return locale


class _NoColumnError(UnusableError):
    """A record lacks a column, rather than what should stand in it."""


def _pairs(path: Path, records: Iterator[Record], locale: str | None) -> list[Pair]:
    pairs: list[Pair] = []
    faults: dict[str, list[int]] = {}
    taken: dict[tuple[str, str, str, str], int] = {}
    headed = path.suffix.lower() in {".csv", ".tsv"}
    for number, cells in records:
        try:
            pair = _pair(cells, number, locale)
        except _NoColumnError as fault:
            # Where a header names the columns, it is what lacks one, and once.
            if not headed:
                faults.setdefault(str(fault), []).append(number)
            else:
                faults[str(fault)] = [1]
            continue
        except UnusableError as fault:
            faults.setdefault(str(fault), []).append(number)
            continue
        first = taken.setdefault((pair.dataset, pair.model, pair.repeat, pair.id), number)
        if first != number:
            faults.setdefault(f"id “{pair.id}” is also that of line {first}", []).append(number)
        pairs.append(pair)
    if faults:
        raise input_error(
            path,
            [
                f"{path}:{numbers[0]}: {what}"
                + (f" (and {count_text(len(numbers) - 1, 'more line')})" if numbers[1:] else "")
                for what, numbers in faults.items()
            ],
        )
    if not pairs:
        raise InputError(f"{path}: holds no pairs of transcripts")
    return pairs


def _pair(cells: Mapping[str, Any] | UnusableError, number: int, locale: str | None) -> Pair:
    if isinstance(cells, UnusableError):
        raise cells
    found = {ours: _cell(cells, names) for ours, names in COLUMNS.items()}
    for ours in ("reference", "hypothesis"):
        if found[ours] is _ABSENT:
            raise _NoColumnError(_missing_column(ours, cells))
    if found["locale"] in (_ABSENT, None, ""):
        if locale is None:
            raise _no_locale(found["locale"], cells)
        found["locale"] = locale
    texts = {ours: _text(value, ours) for ours, value in found.items()}
    numbers = {ours: _number(texts[ours], least) for ours, least in _LEAST.items()}
    return Pair(
        id=texts["id"] or str(number),
        reference=texts["reference"],
        hypothesis=texts["hypothesis"],
        locale=texts["locale"] or "",
        speaker=texts["speaker"] or None,
        dataset=texts["dataset"] or "",
        model=texts["model"] or "",
        repeat=texts["repeat"] or "",
        audio=_file(texts["audio"], texts["dataset"]),
        offset_s=numbers["offset_s"] or 0.0,
        duration_s=numbers["duration_s"],
        snr_db=numbers["snr_db"],
        tags={
            name: value
            for name, value in cells.items()
            if name not in _KNOWN and isinstance(value, str) and value
        },
        unread={
            next(name for name in COLUMNS[ours] if name in cells): text
            for ours, read in numbers.items()
            if read is None and (text := texts[ours]) and text.lower() not in _NO_NUMBER
        },
        line=number,
    )


_LEAST: Final[Mapping[str, float]] = {"offset_s": 0.0, "duration_s": 0.0, "snr_db": -inf}
"""The columns of numbers → the least that one can be."""

_NO_NUMBER: Final = ("nan", "none", "null")
"""What programs write where a number is missing."""

_ABSENT = object()
_KNOWN = frozenset(name for names in COLUMNS.values() for name in names)


def _file(name: str | None, dataset: str | None) -> str | None:
    """Return a name for an audio file that no other has: a relative path is one within its dataset."""
    if not name:
        return None
    return name if name.startswith("/") else f"{dataset or ''}/{name}"


def _number(text: str | None, least: float) -> float | None:
    """Return a finite number from `least` on; None where a table says none."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if least <= number < inf else None


def _cell(cells: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((cells[name] for name in names if name in cells), _ABSENT)


def _missing_column(ours: str, cells: Mapping[str, Any]) -> str:
    hint = suggestion(ours, (str(name) for name in cells))
    there = ", ".join(str(name) for name in cells)
    told = hint.replace("did you mean", "is it") if hint else f"there are: {there}"
    if ours == "hypothesis" and any(name in cells for name in COLUMNS["audio"]):
        told += " (harness run transcribes audio)"
    return f"no column {' or '.join(COLUMNS[ours])}; {told}"


def _no_locale(value: Any, cells: Mapping[str, Any]) -> UnusableError:
    """Return what is wrong with a record that names no language, and the option that names it instead."""
    instead = "--language names that of all who name none"
    if value is _ABSENT:
        return _NoColumnError(f"{_missing_column('locale', cells)} ({instead})")
    return UnusableError(f"the locale is empty ({instead})")


def _text(value: Any, ours: str) -> str | None:
    if value is None or value is _ABSENT:
        return None
    if isinstance(value, str):
        return value
    if ours in {"reference", "hypothesis", "locale"} or isinstance(value, (dict, list)):
        raise UnusableError(f"{ours} is {value!r}, which is no text")
    return str(value)
