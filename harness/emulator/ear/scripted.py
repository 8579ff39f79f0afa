"""No ear at all: what is to be heard is written in a file. For tests and simulations; reports say SCRIPTED.

The file is a JSON object: the SHA-256 (hex) of a turn's 16 kHz PCM, or `*` for any other, gives a text, or an object
with `fragments` (texts, sent one by one), `delay_s` (before the first) and `every_s` (between them). With manual turns
the PCM is all that came between activityStart and activityEnd; where none came, nothing is heard. `{seconds}` in a text is
the length of what was heard.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from harness.emulator.ear.ear import Appetite
from harness.errors import InputError
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

ANY: Final = "*"


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is heard in one turn, and when."""

    fragments: list[str]
    delay_s: Seconds = 0.0
    """From the turn's end to the first fragment."""

    every_s: Seconds = 0.0
    """Between fragments."""

    language: str | None = None
    """Of what is heard, ISO 639-1, as a recogniser would detect it."""


DEFAULT: Final = {ANY: Line(fragments=[" {seconds} seconds", " of audio"])}


class Scripted:
    """An ear that reads."""

    name = "scripted"
    appetite = Appetite(piece_s=0.5, trimmed=False)

    def __init__(self, lines: Mapping[str, Line] = DEFAULT) -> None:
        self._lines = lines

    @classmethod
    def from_file(cls, path: Path) -> Scripted:
        """Return the ear that `path` describes; InputError says what is wrong with it."""
        try:
            lines = msgspec.json.decode(path.read_bytes(), type=dict[str, str | Line])
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is no script of what is heard", why=str(error)) from error
        return cls(
            {
                key: Line(fragments=[one]) if isinstance(one, str) else one
                for key, one in lines.items()
            }
        )

    def listen(
        self, languages: tuple[str, ...] = (), vocabulary: tuple[str, ...] = ()
    ) -> ScriptedListening:
        """Return an ear for a new session."""
        return ScriptedListening(self._lines)


class ScriptedListening:
    """One session's script."""

    def __init__(self, lines: Mapping[str, Line]) -> None:
        self._lines = lines
        self.language: str | None = None
        self._begin()

    def _begin(self) -> None:
        self._hash = hashlib.sha256()
        self._bytes = 0

    async def hear(self, pcm: bytes, *, last: bool) -> AsyncIterator[str]:
        """Yield the turn's fragments after its last piece."""
        self._hash.update(pcm)
        self._bytes += len(pcm)
        if not last:
            return
        line = self._lines.get(self._hash.hexdigest()) or self._lines.get(ANY)
        heard = self._bytes
        self._begin()
        if line is None or not heard:
            return
        seconds = f"{heard / SAMPLE_BYTES / SAMPLE_RATE:.1f}"
        self.language = line.language
        await asyncio.sleep(line.delay_s)
        for index, fragment in enumerate(line.fragments):
            if index:
                await asyncio.sleep(line.every_s)
            yield fragment.replace("{seconds}", seconds)

    def leave(self) -> None:
        """Nobody waits any more."""
