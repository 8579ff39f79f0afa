"""FLEURS: a TSV without header for each split, in a folder named after the locale (`de_de`, `cmn_hans_cn`).

Seven columns: sentence number, file, raw transcription, normalised transcription, its characters, samples, gender.
The raw one is the reference; the other is the tag `transcription`. Several people read each sentence, so the id is the
file's name. There is no speaker. Audio is looked for in `audio/<split>/`, where the archives hold it, then in
`<split>/`, `audio/` and beside the TSV.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from harness.corpus.layout import FLEURS_COLUMNS
from harness.corpus.row import Place, Row
from harness.corpus.sources.table import tsv_records
from harness.corpus.utterance import Fault
from harness.units import SAMPLE_RATE


def rows(place: Place) -> Iterator[Row | Fault]:
    """Yield a row for each recording of one split."""
    where = place.where(place.start)
    base: str | None = None
    locale = place.locale or place.start.resolve().parent.name
    for record in tsv_records(place, unquote=False):
        if isinstance(record, Fault):
            yield record
            continue
        if len(record.cells) != FLEURS_COLUMNS:
            what = f"{len(record.cells)} cells where FLEURS has {FLEURS_COLUMNS}"
            yield Fault(where=where, line=record.line, what=what)
            continue
        number, file, raw, normalised, _characters, samples, gender = record.cells
        if base is None:
            base = str(_audio_folder(place.start, file))
        cells: dict[str, object] = {
            "id": PurePosixPath(file).stem,
            "audio_filepath": file,
            "text": raw or None,
            "locale": locale,
            "transcription": normalised or None,
            "sentence_id": number or None,
            "gender": gender or None,
        }
        if samples.isdecimal():
            cells["duration"] = int(samples) / SAMPLE_RATE
        yield Row(where=where, line=record.line, base=base, cells=cells)


def _audio_folder(tsv: Path, file: str) -> Path:
    """Return the folder that holds `file`; the archives' own when none does."""
    beside = tsv.parent
    folders = [beside / "audio" / tsv.stem, beside / tsv.stem, beside / "audio", beside]
    return next((folder for folder in folders if (folder / file).is_file()), folders[0])
