"""A folder of audio, each file with its reference in a `.txt` of the same name beside it, if at all.

The locale is the recipe's, unless a folder on the way down (the top one included) is named after one with its region:
`de-DE`, `de_de`, `cmn_hans_cn`. A bare `de` is only a folder's name. An empty `.txt` says that nothing is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from harness.corpus.layout import AUDIO
from harness.corpus.lines import LONGEST_LINE
from harness.corpus.row import Place, Row
from harness.corpus.utterance import Fault
from harness.errors import UsageError
from harness.text.locales import canonical


def rows(place: Place) -> Iterator[Row | Fault]:
    """Yield a row for each audio file below the folder, and a warning for a text that has no audio."""
    for found in walked(place):
        if isinstance(found, Fault):
            yield found
            continue
        folder, files = found
        locale = _named(folder, place.root) or place.locale
        stems = set()
        for name in files:
            path = folder / name
            if path.suffix.lower() not in AUDIO:
                continue
            stems.add(path.stem)
            text = _sidecar(path.with_suffix(".txt"), place)
            if isinstance(text, Fault):
                yield text
                continue
            if text == "":
                what = "empty: it says that nothing is said; without the file nothing is scored"
                where = place.where(path.with_suffix(".txt"))
                yield Fault(where=where, what=what, warning=True)
            cells = {"audio_filepath": name, "text": text, "locale": locale}
            yield Row(where=place.where(path), line=None, base=str(folder), cells=cells)
        for name in files:
            if stems and name.endswith(".txt") and name.removesuffix(".txt") not in stems:
                what = "no audio of that name beside it"
                yield Fault(where=place.where(folder / name), what=what, warning=True)


def walked(place: Place) -> Iterator[tuple[Path, list[str]] | Fault]:
    """Yield each folder from the top down with its files in order, hidden ones left out.

    A folder that cannot be read is a fault; a symbolic link to a folder is not followed, with a warning.
    """
    unread: list[OSError] = []
    for top, folders, files in os.walk(place.start, onerror=unread.append):
        folder = Path(top)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (folder / name).is_symlink():
                what = "a symbolic link to a folder is not followed"
                yield Fault(where=place.where(folder / name), what=what, warning=True)
        yield folder, sorted(name for name in files if not name.startswith("."))
    for error in unread:
        yield Fault(where=place.where(error.filename), what=f"cannot be read: {error.strerror}")


def _sidecar(path: Path, place: Place) -> str | Fault | None:
    """Return the text of a sidecar without surrounding space; None when there is none; a fault when it is no text."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(LONGEST_LINE + 1)
    except OSError as error:
        return Fault(where=place.where(path), what=f"cannot be read: {error.strerror}")
    if len(data) > LONGEST_LINE:
        return Fault(where=place.where(path), what="longer than 1 MiB: no transcript")
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"not UTF-8: byte 0x{data[error.start]:02x}"
        return Fault(where=place.where(path), line=line, what=what)


def _named(folder: Path, root: Path) -> str | None:
    """Return the locale that the nearest folder from `folder` up to `root` is named after, as it is written."""
    for place in (folder, *folder.parents):
        if "-" in place.name or "_" in place.name:
            try:
                if canonical(place.name).note is None:
                    return place.name
            except UsageError:
                pass
        if place == root:
            break
    return None
