"""What an ear of ours heard in the speech that a run kept: a line of `heard.jsonl` for each WAV, beside the journal.

It is a truth of its own, like a trace: rates by ear are worked out from it again and again, and the ear is not asked twice.
Knows files and records; does not know how an ear hears, nor what a text is worth.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import InputError
from harness.run.folder import UNREADABLE
from harness.run.lines import cut_torn_line, numbered_lines
from harness.run.speech import speech_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from harness.run.record import UtteranceRecord

HEARD: Final = "heard.jsonl"
"""File of the run folder."""


class HeardSpeech(msgspec.Struct, frozen=True, kw_only=True):
    """What an ear made of one WAV. The newest line of a WAV counts."""

    audio: str
    """Path of the WAV in the run folder."""

    sha256: str
    """Of the WAV's bytes, hex."""

    ear: str
    """As the recogniser names itself, with model, precision and version."""

    language: str | None
    """ISO 639-1, that it was told to expect; None: it was told none."""

    text: str
    """Empty: it heard nothing."""


def speech_file(record: UtteranceRecord) -> str | None:
    """Return the path, in the run folder, of the speech that an attempt received; None: it received none."""
    if record.trace is None or record.exchange is None or not record.exchange.speech_s:
        return None
    return speech_path(record.trace)


def read_heard(folder: Path) -> dict[str, HeardSpeech]:
    """Return what was heard last in each WAV, by its path; nothing when no ear ever listened.

    A torn last line is passed over: the ear is asked again. InputError names the line of any other that cannot be read.
    """
    path = folder / HEARD
    decode = msgspec.json.Decoder(HeardSpeech).decode
    found: dict[str, HeardSpeech] = {}
    try:
        for number, line in numbered_lines(path):
            if not line.endswith(b"\n"):
                break
            try:
                heard = decode(line)
            except UNREADABLE as error:
                raise InputError(
                    f"{path}:{number}: not a line of what an ear heard",
                    why=str(error),
                    hint="remove that line: the ear is then asked again",
                ) from error
            found[heard.audio] = heard
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"{path}: cannot be read", why=str(error)) from error
    return found


def write_heard(folder: Path, heard: HeardSpeech) -> None:
    """Write a line behind what is there, at once; InputError when that cannot be done."""
    path = folder / HEARD
    try:
        # Buffered: what the disk has no room for is then an error, not half a line.
        with path.open("ab") as file:
            file.write(msgspec.json.encode(heard) + b"\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be written", why=error.strerror) from error


def mend_heard(folder: Path) -> None:
    """Cut off half a line, which a crash left at the end; InputError when that cannot be done."""
    path = folder / HEARD
    try:
        with path.open("rb+") as file:
            cut_torn_line(file.fileno())
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path}: cannot be written", why=error.strerror) from error


def changed(folder: Path, heard: Iterable[HeardSpeech]) -> Iterator[str]:
    """Yield in words which WAVs are not what the ear heard any more."""
    for one in heard:
        try:
            same = digest(folder / one.audio) == one.sha256
        except OSError as error:
            yield f"{one.audio}: {error.strerror}"
        else:
            if not same:
                yield f"{one.audio} is not what {one.ear} heard"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, hex; OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
