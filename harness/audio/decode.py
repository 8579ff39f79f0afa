"""`opened`: any file as a source of samples, or the error that says in words what is wrong with it.

Knows which files may be opened at all, and what those are that cannot be decoded. The content decides what a file is,
never its name: decoders get an open file, not a path, so none guesses from a suffix or opens a pipe or a device.
"""

from __future__ import annotations

import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from harness.audio.ffmpeg import AV_HINT, ffmpeg_source
from harness.audio.sndfile import SndfileSource, sound_file_class
from harness.audio.source import shown
from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.audio.source import Source

RATES_HZ: Final = range(1_000, 1_000_001)
"""Sample rates believed. Beyond them a header is damaged, and resampling by its ratio would need memory without bound."""

_BARE_HEADER_BYTES: Final = 4096
"""A file up to this size whose header says 0 samples is empty; in a larger one, a recorder was killed before it wrote
the number."""

_KNOWN_MAGIC: Final = (
    *(b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b".snd", b"caff", b"fLaC", b"OggS"),
    *(b"ID3", b"\xff\xfa", b"\xff\xfb", b"\xff\xf2", b"\xff\xf3", b"NIST_1A", b"Creative Voice"),
)
"""How files begin that libsndfile reads, unless they are damaged."""


def readable_formats() -> str:
    """Return in words what can be read here, with the libraries' versions."""
    import soundfile

    kinds = ", ".join(sorted(kind.lower() for kind in {*soundfile.available_formats()} - {"RAW"}))
    try:
        import av
    except ModuleNotFoundError:
        more = f"to read more: {AV_HINT}"
    else:
        more = f"m4a, webm, 3gp, wma and more (PyAV {av.__version__})"
    return f"{kinds} (libsndfile {soundfile.__libsndfile_version__}); {more}"


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Give the file opened for decoding; InputError, naming it, when there is no sound to be had from it."""
    _refuse_irregular(path)
    import soundfile

    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be opened", why=error.strerror) from error
    with file:
        try:
            sound = sound_file_class()(file.fileno(), closefd=False)
        except soundfile.LibsndfileError as error:
            with _by_ffmpeg(path, file, error.error_string) as source:
                yield source
            return
        with sound:
            if sound.frames:
                _check_rate(path, sound.samplerate)
                yield SndfileSource(file, sound)
                return
            if path.stat().st_size <= _BARE_HEADER_BYTES:
                raise InputError(f"{shown(path)}: holds no samples, only a header")
            with _by_ffmpeg(path, file, "its header says that there are no samples") as source:
                yield source


def _refuse_irregular(path: Path) -> None:
    """Raise InputError for what is no ordinary file with something in it; to open a pipe could mean to wait for ever."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise InputError(f"{shown(path)}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(path)}: cannot be opened", why=str(error)) from error
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{shown(path)}: is a folder, not an audio file")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{shown(path)}: is a device, pipe or socket, not an audio file")
    if status.st_size == 0:
        raise InputError(f"{shown(path)}: is empty (0 bytes)")


def _check_rate(path: Path, rate: int) -> None:
    if rate not in RATES_HZ:
        raise InputError(
            f"{shown(path)}: its header is damaged",
            why=f"it says {rate} Hz; sample rates are {RATES_HZ[0]:,} to {RATES_HZ[-1]:,} Hz",
        )


@contextmanager
def _by_ffmpeg(path: Path, file: BinaryIO, sndfile_says: str) -> Iterator[Source]:
    """Give the file opened by FFmpeg; InputError when PyAV is not installed or finds no sound in it either."""
    file.seek(0)
    head = file.read(512)
    file.seek(0)
    why = f"libsndfile: {sndfile_says}"
    try:
        with ffmpeg_source(file) as source:
            if isinstance(source, str):
                raise InputError(f"{shown(path)}: {_kind(head)}", why=f"{why}; FFmpeg: {source}")
            _check_rate(path, source.info.rate)
            if head.startswith(_KNOWN_MAGIC) and head[8:12] != b"AVI ":
                source.faults.append(f"unusual: only FFmpeg reads it (libsndfile: {sndfile_says})")
            yield source
    except ModuleNotFoundError as error:
        if error.name != "av":
            raise
        hint = None if _is_text(head) else AV_HINT
        raise InputError(f"{shown(path)}: {_kind(head)}", why=why, hint=hint) from None


def _kind(head: bytes) -> str:
    """Return in words what a file is that could not be opened, from its first bytes."""
    if head.startswith(_KNOWN_MAGIC):
        return "its header is damaged or cut short"
    if _is_text(head):
        return "is text, not audio"
    return "is not audio of a kind that can be read here"


def _is_text(head: bytes) -> bool:
    try:
        # The last character may be cut.
        text = head.decode("utf-8") if len(head) < 512 else head[:-3].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text)
