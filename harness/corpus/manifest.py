r"""Manifests: what their columns mean, what is wrong with a row, and how one is written.

A manifest is JSON lines, or CSV or TSV with a header. The columns it may have (`harness.corpus.row.ALIASES` has their
other names):

- `audio_filepath`: relative to the manifest. The path must not lead out of the dataset's folder, by `..`, by a symbolic
  link or as an absolute path. In a manifest that the user names on the command line an absolute path may lead anywhere, as
  NeMo's do; in a folder or a recipe it may not. A row without it is a written item, to be spoken or asked, if it has a
  text, and either brings along what a task wants (below) or comes before any row that names an audio file.
- `text`: what was said. A missing column is a fault, though the audio can still be transcribed; an empty cell or null
  means that nobody wrote it down; `""` in JSON means that nothing is said. Control characters become spaces, with a
  warning.
- `locale`: any name that `harness.text.locales.canonical` knows; without it, the recipe's.
- `id`: unique in the dataset, any text or number without control characters. Without it, the audio's path, with
  `@offset` when the row has one, with `#2`, `#3` when that is taken.
- `offset`, `duration`: where the utterance lies in its file, s.
- `speaker`: text.
- `expect`, `tools`, `context`, `images`: what the item brings along for a task that wants it
  (`harness.corpus.scenario`). Columns of these names that say something else are tags, with a warning.

Every other column is a tag, kept as it is; empty ones are dropped. So is `dataset`: what an utterance belongs to is
for its recipe to say, which also says whether the speech is synthetic.

Knows one row at a time and the ids before it; does not open audio, nor know layouts (that is `sources`).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from harness.corpus.fence import Fence
from harness.corpus.layout import AUDIO
from harness.corpus.row import ALIASES, Row
from harness.corpus.scenario import COLUMNS, Scenario, scenario, written
from harness.corpus.utterance import Fault, Utterance
from harness.errors import InputError, UsageError
from harness.text.locales import Canonical, canonical
from harness.text.visible import visible
from harness.units import pointed

LONGEST_S: Final = 366 * 86_400.0
"""Latest instant in a recording that is believed, s."""

LONGEST_ID: Final = 512
"""Characters."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no id, path or name may hold; lone surrogates come from file names that are no UTF-8."""

_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""The same without tab and line ends, which a reference may hold."""


class Entry(NamedTuple):
    """A usable utterance and where it is written."""

    utterance: Utterance
    where: str
    line: int | None


def entries(
    rows: Iterable[Row | Fault], *, dataset: str, fence: Fence, locale: str | None
) -> Iterator[Entry | Fault]:
    """Yield the utterances of `rows` that can be used, and what is wrong, in order; faults pass through.

    `locale` is that of rows which name none. An utterance is left out for a fault of its row other than a missing
    text. Once at the end, warnings count the utterances that nobody wrote down, and those that are another's once more.
    """
    register = _Register(dataset=dataset, fence=fence, locale=locale)
    for row in rows:
        if isinstance(row, Fault):
            yield row
            continue
        utterance, faults = register.read(row)
        yield from faults
        if utterance is not None:
            yield Entry(utterance, row.where, row.line)
    yield from register.at_the_end()


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write `utterances` to the new file `path` as JSON lines, audio relative to it; InputError when it exists.

    What is read back equals what was written, as long as the audio lies in the manifest's folder.
    """
    folder = path.parent.resolve()
    try:
        with path.open("xb") as file:
            for utterance in utterances:
                file.write(msgspec.json.encode(_cells(utterance, folder)) + b"\n")
    except FileExistsError as error:
        raise InputError(f"{path} exists and is not overwritten") from error
    except OSError as error:
        # Half a manifest would be refused as one that exists.
        with suppress(OSError):
            path.unlink()
        raise InputError(f"{path}: cannot be written", why=error.strerror) from error


def _cells(utterance: Utterance, folder: Path) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "id": utterance.id,
        "audio_filepath": os.path.relpath(utterance.audio, folder).replace(os.sep, "/")
        if utterance.audio
        else None,
        "text": utterance.reference,
        "locale": utterance.locale,
        "offset": utterance.offset_s or None,
        "duration": utterance.duration_s,
        "speaker": utterance.speaker,
    }
    kept = {key: value for key, value in cells.items() if value is not None or key == "text"}
    if utterance.scenario is not None:
        kept |= written(utterance.scenario, folder)
    return kept | {key: value for key, value in utterance.tags.items() if key not in kept}


class _Register:
    """The ids and locales met so far in one dataset."""

    def __init__(self, *, dataset: str, fence: Fence, locale: str | None) -> None:
        self._dataset = dataset
        self._fence = fence
        self._locale = locale
        self._told_remedy = False
        self._places: dict[str, Row] = {}
        self._spellings: dict[str, Canonical | UsageError] = {}
        self._unwritten: list[Row] = []
        self._heard: set[int] = set()
        self._again: list[Row] = []
        self._names_audio = False

    def read(self, row: Row) -> tuple[Utterance | None, list[Fault]]:
        """Return the utterance of `row`, or None when it cannot be used, and what is wrong with it."""
        cells = dict(row.cells)
        taken = {ours: _take(cells, names) for ours, names in ALIASES.items()}
        notes = _Notes(row)
        locale = self._spoken(taken["locale"], notes)
        offset = _number(taken["offset"], "offset", notes)
        duration = _number(taken["duration"], "duration", notes)
        if duration == 0:
            notes.fault("duration is 0: nothing to hear")
        speaker = _name(taken["speaker"], "speaker", notes)
        identifier = _name(taken["id"], "id", notes)
        reference = _reference(taken["text"], notes)
        brought = self._scenario(cells, row, notes)
        audio = None
        named = taken["audio_filepath"] is not _ABSENT or _names_audio(cells)
        if not (reference or named or self._names_audio):
            notes.fault(
                "neither audio nor text: name them audio_filepath and text "
                f"(there are: {_listed(row.cells)})"
            )
        elif not (reference and self._written(taken["audio_filepath"], brought, named=named)):
            self._names_audio = self._names_audio or named
            audio = self._audio(taken["audio_filepath"], row, notes)
        if notes.unusable or locale is None:
            return None, notes.faults
        identifier = self._unique(identifier, row, audio, offset, notes)
        if identifier is None:
            return None, notes.faults
        if taken["text"] is _ABSENT:
            notes.fault(
                "no text column, so it cannot be scored: name it text, reference, sentence or "
                f"transcript, or map it in a recipe (there are: {_listed(row.cells)})"
            )
        elif reference is None:
            self._unwritten.append(row)
        heard = hash((audio, offset or 0.0, duration, reference, locale))
        if audio is not None and brought is None:
            if heard in self._heard:
                self._again.append(row)
            self._heard.add(heard)
        utterance = Utterance(
            id=identifier,
            dataset=self._dataset,
            audio=audio,
            offset_s=offset or 0.0,
            duration_s=duration,
            reference=reference,
            locale=locale,
            speaker=speaker,
            tags={key: value for key, value in cells.items() if value is not None},
            scenario=brought,
        )
        return utterance, notes.faults

    def _written(self, cell: Any, brought: Scenario | None, *, named: bool) -> bool:
        """Return whether a row means to have no audio: it brings a scenario along, or nothing so far names any."""
        if brought is not None:
            return cell is _ABSENT or cell in (None, "")
        return not (named or self._names_audio)

    def at_the_end(self) -> Iterator[Fault]:
        """Yield a warning for each thing that is odd about some utterances, at the first of them."""
        for rows, what, so in (
            (self._unwritten, "no reference", "it can be transcribed but not scored"),
            (self._again, "the audio and text of a row before", "it counts once more"),
        ):
            if rows:
                others = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
                first = rows[0]
                yield Fault(
                    where=first.where, line=first.line, what=f"{what}{others}: {so}", warning=True
                )

    def _scenario(self, cells: dict[str, Any], row: Row, notes: _Notes) -> Scenario | None:
        """Return what the row brings along, and take it out of `cells`, where it stays as tags when it is flawed."""
        found = scenario(cells, lambda name: self._fence.files(name, row.base))
        if found is not None and found.flaw is not None:
            notes.warning(f"{found.flaw}; kept as a tag, and the item cannot be asked")
        elif found is not None:
            for name in COLUMNS:
                cells.pop(name, None)
        return found

    def _audio(self, cell: Any, row: Row, notes: _Notes) -> Path | None:
        if cell is _ABSENT:
            notes.fault(
                f"no audio column: name it audio_filepath (there are: {_listed(row.cells)})"
            )
            return None
        if not isinstance(cell, str) or not cell:
            notes.fault("audio_filepath is empty" if not cell else "audio_filepath is not text")
            return None
        if _CONTROL.search(cell):
            notes.fault(
                f"control characters, or bytes that are no UTF-8, in the path “{visible(cell)}”"
            )
            return None
        path = self._fence.audio(cell, row.base)
        if isinstance(path, str):
            notes.fault(path)
            return None
        return path

    def _spoken(self, cell: Any, notes: _Notes) -> str | None:
        """Return the canonical locale; what was assumed is said once for each spelling."""
        if cell is _ABSENT or cell is None or cell == "":
            if self._locale is None:
                notes.fault(self._no_locale(notes))
            return self._locale
        if not isinstance(cell, str):
            notes.fault("locale is not text")
            return None
        found = self._spellings.get(cell)
        if found is None:
            try:
                found = canonical(cell)
            except UsageError as error:
                found = error
            self._spellings[cell] = found
            if isinstance(found, Canonical) and found.note:
                notes.warning(f"locale {found.note}")
        if isinstance(found, UsageError):
            notes.fault("; ".join(filter(None, (found.what, found.why, found.hint))))
            return None
        return found.code

    def _no_locale(self, notes: _Notes) -> str:
        """Return what is wrong, and for the first row that lacks it what to do: all the others want the same."""
        if self._told_remedy:
            return "no locale"
        self._told_remedy = True
        remedy = "name a folder after it (de-DE)" if notes.whole_file else "add a locale column"
        return (
            f"no locale: {remedy}, add locale = … to a recipe.toml, or say it on the command line "
            "(--language in harness run, --locale in harness datasets)"
        )

    def _unique(
        self, given: str | None, row: Row, audio: Path | None, offset: float | None, notes: _Notes
    ) -> str | None:
        if given is not None:
            first = self._places.setdefault(given, row)
            if first is not row:
                place = "" if first.line is None else f":{first.line}"
                notes.fault(f"id “{given}” is taken by {first.where}{place}")
                return None
            return given
        path = str(audio) if audio else f"{row.where}:{row.line}"
        base = path.removeprefix(self._fence.root.rstrip("/") + "/").removeprefix("/")
        if offset is not None:
            base += f"@{offset:g}"
        name, count = base, 1
        while name in self._places:
            count += 1
            name = f"{base}#{count}"
        self._places[name] = row
        return name


class _Notes:
    """What is wrong with one row."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.faults: list[Fault] = []

    @property
    def whole_file(self) -> bool:
        return self._row.line is None

    @property
    def unusable(self) -> bool:
        return any(not fault.warning for fault in self.faults)

    def fault(self, what: str) -> None:
        self.faults.append(Fault(where=self._row.where, line=self._row.line, what=what))

    def warning(self, what: str) -> None:
        self.faults.append(
            Fault(where=self._row.where, line=self._row.line, what=what, warning=True)
        )


_ABSENT: Final = object()
"""There is no such column."""


def _names_audio(cells: dict[str, Any]) -> bool:
    """Return whether any cell is the name of an audio file, whatever its column is called."""
    return any(
        Path(cell).suffix.lower() in AUDIO for cell in cells.values() if isinstance(cell, str)
    )


def _take(cells: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in cells:
            return cells.pop(name)
    return _ABSENT


def _name(cell: Any, column: str, notes: _Notes) -> str | None:
    if cell is _ABSENT or cell is None or cell == "":
        return None
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    if not isinstance(cell, str):
        notes.fault(f"{column} is not text")
    elif _CONTROL.search(cell):
        notes.fault(f"control characters in {column} “{visible(cell[:40])}”")
    elif len(cell) > LONGEST_ID:
        notes.fault(f"{column} is longer than {LONGEST_ID} characters")
    else:
        return cell
    return None


def _reference(cell: Any, notes: _Notes) -> str | None:
    if cell is _ABSENT or cell is None:
        return None
    if not isinstance(cell, str):
        notes.fault("text is not text: put it in quotes")
        return None
    clean, count = _CONTROL_IN_TEXT.subn(" ", cell)
    if count:
        notes.warning(f"control characters in text ({count}): read as spaces")
    return clean


def _number(cell: Any, column: str, notes: _Notes) -> float | None:
    if cell is _ABSENT or cell is None or cell == "":
        return None
    try:
        if isinstance(cell, bool):
            raise TypeError  # noqa: TRY301 - True is no number of seconds though Python says so
        seconds = float(cell)
    except (TypeError, ValueError, OverflowError):
        point = pointed(str(cell)[:40])
        so = f": write {point}, with a point" if point else ""
        notes.fault(f"{column} “{str(cell)[:40]}” is not a number of seconds{so}")
        return None
    if not math.isfinite(seconds) or seconds < 0:
        notes.fault(f"{column} “{str(cell)[:40]}” is not a time: it must be 0 or more seconds")
        return None
    if seconds > LONGEST_S:
        notes.fault(f"{column} “{str(cell)[:40]}” is more than a year: no recording lasts so long")
        return None
    return seconds


def _listed(cells: dict[str, Any]) -> str:
    return ", ".join(cells) or "none"
