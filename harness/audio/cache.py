"""`Conversions`: converted clips kept on disk, so that no file is decoded twice, in this run or the next.

A clip is found by its file's content, the span, and what converts: the libraries' versions are part of the key. Of a
long file that is streamed as it is only the faults are kept, so that it is looked through once; of a short one nothing.
The folder is bounded: what was used longest ago goes first.

A kept file is the PCM, then JSON with the clip's faults, then the length of that: whole or not there at all.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from harness.audio.clip import AudioClip, FilePcm, MemoryPcm, Pcm
from harness.audio.load import load
from harness.audio.spool import IN_MEMORY
from harness.units import SAMPLE_BYTES, Samples, Seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER_VARIABLE: Final = "HARNESS_CACHE"
"""Environment variable: the folder, or `off`. Default: `live-harness` in the user's cache folder (XDG)."""

SIZE_VARIABLE: Final = "HARNESS_CACHE_MIB"
"""Environment variable: how much may be kept, MiB."""

DEFAULT_MIB: Final = 4096
"""36 hours of audio."""

CONVERTER: Final = 2
"""Of `load`: raise it whenever it gives other samples or faults than before."""

IN_USE_S: Final[Seconds] = 86_400.0
"""How long after it was last asked for a kept file is not removed: a long clip is read from it while it is streamed."""

_TRIMMED_TO: Final = 0.9
"""Share of the bound that is kept when it is passed, so that not every new clip removes another."""

_LENGTH_BYTES: Final = 12


class _Trailer(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind the samples."""

    samples: Samples
    faults: tuple[str, ...]
    start: Samples | None = None
    """Where they lie in the file that was asked for, in samples from its first byte; None: here, before this."""

    file_bytes: int | None = None
    """Length of that file. If it is another now, the file was changed since the digest was taken, and they no longer
    lie there."""


def conversions(environment: Mapping[str, str]) -> Conversions:
    """Return the user's cache; one that keeps nothing when it is switched off."""
    named = environment.get(FOLDER_VARIABLE, "")
    if named.lower() == "off":
        return Conversions(None)
    above = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    size = environment.get(SIZE_VARIABLE, "")
    return Conversions(
        Path(named) if named else above / "live-harness",
        most_bytes=(int(size) if size.isdecimal() else DEFAULT_MIB) * 2**20,
    )


class Conversions:
    """Converted clips in a folder (None: nothing is kept) of at most `most_bytes`. May be used from many threads, and by many processes.

    A folder that cannot be written keeps nothing; no error comes of it.
    """

    def __init__(self, folder: Path | None, *, most_bytes: int = DEFAULT_MIB * 2**20) -> None:
        self._folder = folder
        self._most = most_bytes
        self._held: int | None = None
        self._lock = threading.Lock()

    def clip(
        self,
        path: Path,
        *,
        sha256: str | None,
        offset_s: Seconds = 0.0,
        duration_s: Seconds | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> AudioClip:
        """Return the clip that `load` gives, converted only when it is not kept; `sha256` is the file's, in hex.

        InputError as `load`.
        """
        if sha256 is None or self._folder is None:
            return load(path, offset_s=offset_s, duration_s=duration_s, stopped=stopped)
        kept = self._folder / _name(sha256, path.suffix, offset_s, duration_s)
        if (found := _read(kept, path)) is not None:
            return found
        clip = load(path, offset_s=offset_s, duration_s=duration_s, stopped=stopped)
        if clip.converted or isinstance(clip.pcm, FilePcm):
            with suppress(OSError):  # no room, no right: the clip is there all the same
                # A file that has changed since is not to be taken for what it was, by no later run either.
                if _sha256(path) == sha256:
                    self._keep(clip, kept)
        return clip

    def _keep(self, clip: AudioClip, kept: Path) -> None:
        trailer = _Trailer(samples=len(clip), faults=clip.faults)
        if in_place := isinstance(clip.pcm, FilePcm) and not clip.converted:
            length = clip.pcm.path.stat().st_size
            trailer = msgspec.structs.replace(trailer, start=clip.pcm.start, file_bytes=length)
        told = msgspec.json.encode(trailer)
        size = len(told) + _LENGTH_BYTES + (0 if in_place else len(clip) * SAMPLE_BYTES)
        if not self._has_room(kept.parent, size):
            return
        part = kept.with_name(f"{kept.name}.{os.getpid()}-{threading.get_ident()}.part")
        try:
            with part.open("wb") as file:
                if not in_place:
                    for block in clip.blocks():
                        file.write(block)
                file.write(told + b"%0*d" % (_LENGTH_BYTES, len(told)))
            part.replace(kept)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _has_room(self, folder: Path, size: int) -> bool:
        """Return whether a file of `size` bytes may be added, removing what was used longest ago to make it so."""
        with self._lock:
            if self._held is None:
                folder.mkdir(parents=True, exist_ok=True)
            if self._held is None or self._held + size > self._most:
                self._held = self._trimmed(folder, size)
            if self._held + size > self._most:
                return False
            self._held += size
            return True

    def _trimmed(self, folder: Path, size: int) -> int:
        """Return how many bytes the folder holds, having removed old files if `size` more would be too many."""
        files = []
        for entry in os.scandir(folder):
            with suppress(FileNotFoundError):  # another process removed it
                told = entry.stat()
                files.append((told.st_mtime, told.st_size, entry.path))
        held = sum(one for _, one, _ in files)
        if held + size <= self._most:
            return held
        recent = time.time() - IN_USE_S
        for used, one, path in sorted(files):
            if held + size <= self._most * _TRIMMED_TO:
                break
            if one > IN_MEMORY * SAMPLE_BYTES and used > recent:
                continue  # somebody may be streaming it
            Path(path).unlink(missing_ok=True)
            held -= one
        return held


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(kept: Path, path: Path) -> AudioClip | None:
    """Return the clip in a kept file, and note that it was used; None when there is none that is whole.

    Its samples may lie in the file at `path`, which is asked for.
    """
    try:
        with kept.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(size - _LENGTH_BYTES)
            length = int(file.read())
            before = size - _LENGTH_BYTES - length
            file.seek(before)
            told = msgspec.json.decode(file.read(length), type=_Trailer)
            if told.start is None:
                where = FilePcm(kept, 0, told.samples)
                whole = before == told.samples * SAMPLE_BYTES
            else:
                where = FilePcm(path.absolute(), told.start, told.samples)
                whole = path.stat().st_size == told.file_bytes
            if not whole:
                return None
            pcm: Pcm = where
            if told.samples <= IN_MEMORY:
                pcm = MemoryPcm(where.read(0, told.samples))
    except (OSError, ValueError):
        return None
    with suppress(OSError):  # a folder that may only be read is as good
        os.utime(kept)
    return AudioClip(pcm=pcm, faults=told.faults, converted=told.start is None)


def _name(sha256: str, suffix: str, offset_s: Seconds, duration_s: Seconds | None) -> str:
    """Return the kept file's name: a hash of all that the samples and the faults depend on."""
    identity = repr((sha256, suffix.lower(), float(offset_s), duration_s, _converter()))
    return hashlib.sha256(identity.encode()).hexdigest()[:40] + ".pcm"


@cache
def _converter() -> str:
    """Return the version of what converts: ours, and the libraries'."""
    from importlib.metadata import PackageNotFoundError, version

    known = [f"live-harness/{CONVERTER}"]
    for name in ("soundfile", "soxr", "av"):
        with suppress(PackageNotFoundError):  # PyAV is optional
            known.append(f"{name}/{version(name)}")
    return " ".join(known)
