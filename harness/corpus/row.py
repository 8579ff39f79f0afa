"""`Row`: what the reader of a layout hands over, and the `Place` it reads from, before anyone judges either."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "audio_filepath": ("audio_filepath", "audio", "path", "file"),
    "text": ("text", "reference", "sentence", "transcript"),
    "locale": ("locale", "language", "lang"),
    "id": ("id", "utterance_id"),
    "offset": ("offset",),
    "duration": ("duration",),
    "speaker": ("speaker", "client_id"),
}
"""The columns we know → the names they go by, the preferred first. Where a row has several, the first one counts and
the others are tags. `audio_filepath, text, duration, offset, lang` are NeMo's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One utterance as its layout wrote it down."""

    where: str
    """File it comes from, relative to the dataset: as in `Fault`."""

    line: int | None
    """1-based line it begins on; None: the file as a whole."""

    base: str
    """Folder that its relative audio path starts from, absolute."""

    cells: dict[str, Any]
    """Columns by name, of `ALIASES` or tags; None: the cell is empty; a missing key: there is no such column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a layout's reader starts."""

    root: Path
    """The dataset's folder, absolute, without symbolic links."""

    start: Path
    """The manifest file, or the folder to walk."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Our column → the manifest's."""

    locale: str | None = None
    """Canonical locale of utterances that name none; None: each must name its own."""

    def where(self, path: str | os.PathLike[str]) -> str:
        """Return `path` relative to the dataset, for people; bytes that are no UTF-8 are escaped."""
        relative = os.path.relpath(path, self.root).replace(os.sep, "/")
        return os.fsencode(relative).decode("utf-8", "backslashreplace")
