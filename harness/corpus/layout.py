"""`Layout`: the ways in which utterances are written down on disk, and how one is recognised."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, get_args

from harness.corpus.row import ALIASES
from harness.errors import InputError

Layout = Literal["jsonl", "csv", "tsv", "folder", "librispeech", "common-voice", "fleurs"]

LAYOUTS: Final[tuple[Layout, ...]] = get_args(Layout)

USUAL_PLACE: Final[dict[Layout, str]] = {
    "jsonl": "manifest.jsonl",
    "csv": "manifest.csv",
    "tsv": "manifest.tsv",
    "folder": ".",
    "librispeech": ".",
    "common-voice": "test.tsv",
    "fleurs": "test.tsv",
}
"""The file, or the folder, that a layout's reader starts from when nothing else is said."""

ARCHIVES: Final = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})
"""Suffixes of what is never unpacked: what an archive holds, and how much, nobody knows before."""

SHEETS: Final = frozenset({".ods", ".xls", ".xlsm", ".xlsx"})
"""Suffixes of spreadsheets, which hold more than a table."""

AUDIO: Final = frozenset(
    {
        ".wav",
        ".wave",
        ".flac",
        ".mp3",
        ".ogg",
        ".oga",
        ".opus",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".snd",
    }
    | {".w64", ".rf64", ".caf", ".sph", ".m4a", ".mp4", ".webm", ".aac"}
)
"""Extensions of files that are taken for audio, in lower case."""

MANIFEST_SUFFIXES: Final = frozenset({".jsonl", ".ndjson", ".csv", ".tsv"})
"""Suffixes of files that are taken for manifests wherever they lie; `.json` may be anything."""

TRANSCRIPT: Final = ".trans.txt"
"""How the names of LibriSpeech's transcripts end."""

FLEURS_COLUMNS: Final = 7

_SUFFIXES: Final[dict[str, Layout]] = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
}
_MANIFESTS: Final = ("manifest.jsonl", "manifest.json", "manifest.csv", "manifest.tsv")
_SPLITS: Final = ("test.tsv", "validated.tsv", "dev.tsv", "train.tsv")
"""Files of Common Voice and FLEURS, the one to take first."""


def recognised(path: Path) -> tuple[Layout, Path]:
    """Return the layout of the manifest or folder `path`, and the file or folder its reader starts from.

    InputError when it is none that we know.
    """
    if path.is_file():
        return _of_file(path), path
    if not path.is_dir():
        raise InputError(f"{path} is neither a file nor a folder")
    for name in (*_MANIFESTS, *_SPLITS):
        if (path / name).is_file():
            return _of_file(path / name), path / name
    if inner := _split_folders(path):
        raise InputError(
            f"{path}: its utterances are in the folders below it, one for each locale",
            why=f"the folders: {', '.join(one.name for one in inner[:8])}{' …' if inner[8:] else ''}",
            hint=f"name one of them: {inner[0]}",
        )
    for depth in range(4):
        if next(path.glob("*/" * depth + f"*{TRANSCRIPT}"), None):
            return "librispeech", path
    for _folder, _folders, files in os.walk(path):
        if any(os.path.splitext(name)[1].lower() in AUDIO for name in files):  # noqa: PTH122 - bare names
            return "folder", path
    raise InputError(
        f"{path}: no dataset is recognised in it",
        why="there is no recipe.toml, no manifest.jsonl, .csv or .tsv, and no audio file",
    )


def _split_folders(path: Path) -> list[Path]:
    """Return the folders below `path`, at most two deep, that are a locale of Common Voice or FLEURS."""
    return sorted(
        {
            table.parent
            for above in ("*", "*/*")
            for name in _SPLITS
            for table in path.glob(f"{above}/{name}")
            if _of_tsv(table) in {"common-voice", "fleurs"}
        }
    )


def start(layout: Layout, path: Path) -> Path:
    """Return the file or folder that the reader of `layout` starts from when `path` is named."""
    if path.is_dir() and USUAL_PLACE[layout] == "test.tsv":
        return next((path / name for name in _SPLITS if (path / name).is_file()), path / _SPLITS[0])
    return path / USUAL_PLACE[layout] if path.is_dir() else path


def _of_file(path: Path) -> Layout:
    suffix = path.suffix.lower()
    layout = _SUFFIXES.get(suffix)
    if layout is None:
        hint = None
        if suffix in AUDIO:
            hint = "name the folder it is in"
        elif suffix in ARCHIVES:
            hint = "unpack it yourself and name the folder: no archive is opened here"
        elif suffix in SHEETS:
            hint = "save the sheet as CSV and name that"
        raise InputError(
            f"{path} is {'an audio file' if suffix in AUDIO else 'not a manifest'}",
            why="a manifest is named .jsonl, .json, .csv or .tsv",
            hint=hint,
        )
    return _of_tsv(path) if layout == "tsv" else layout


def _of_tsv(path: Path) -> Layout:
    try:
        with path.open("rb") as file:
            cells = file.readline(1 << 16).decode("utf-8-sig", "replace").rstrip("\r\n").split("\t")
    except OSError as error:
        raise InputError(f"{path}: cannot be read", why=error.strerror) from error
    titled = any(name in cells for name in ALIASES["audio_filepath"])
    if titled and (path.parent / "clips").is_dir() and "client_id" in cells:
        return "common-voice"
    return (
        "fleurs" if not titled and len(cells) == FLEURS_COLUMNS and cells[0].isdecimal() else "tsv"
    )
