"""LibriSpeech: `<split>/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt` beside the audio it transcribes.

A line is an id, a space and the text; the audio is `<id>.flac`, or that name with another extension. LibriSpeech is
American English, so the locale is en-US where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.corpus.layout import AUDIO, TRANSCRIPT
from harness.corpus.lines import lines
from harness.corpus.row import Place, Row
from harness.corpus.sources.folder import walked
from harness.corpus.utterance import Fault


def rows(place: Place) -> Iterator[Row | Fault]:
    """Yield a row for each line of each transcript below the folder, and a warning for audio without a line."""
    if place.locale is None:
        what = "LibriSpeech names no locale: taken as en-US"
        yield Fault(where=".", what=what, warning=True)
    for found in walked(place):
        if isinstance(found, Fault):
            yield found
            continue
        folder, files = found
        audio = {Path(name).stem: name for name in files if Path(name).suffix.lower() in AUDIO}
        transcripts = [name for name in files if name.endswith(TRANSCRIPT)]
        for name in transcripts:
            yield from _chapter(place, folder / name, audio)
        if transcripts:
            for name in audio.values():
                what = "not in the transcript beside it"
                yield Fault(where=place.where(folder / name), what=what, warning=True)


def _chapter(place: Place, path: Path, audio: dict[str, str]) -> Iterator[Row | Fault]:
    """Yield the rows of one transcript, and take their audio from `audio`: stem → name."""
    where = place.where(path)
    for line in lines(path, where):
        if isinstance(line, Fault):
            yield line
        elif line.text.strip():
            name, _, text = line.text.partition(" ")
            cells = {
                "id": name,
                "audio_filepath": audio.pop(name, f"{name}.flac"),
                "text": text.strip() or None,
                "locale": place.locale or "en-US",
                "speaker": name.partition("-")[0] or None,
            }
            yield Row(where=where, line=line.number, base=str(path.parent), cells=cells)
