"""An ear that plays back what a recogniser once heard, and one that writes it down.

A piece of audio is known by the SHA-256 of its PCM, so the same clip, cut alike, is heard alike on every machine: the
text, and the processor time that it took. Pieces are heard one after the other, as by a process with one thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING

import msgspec

from harness.emulator.ear.ear import Appetite, EarLostError
from harness.units import Seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from harness.emulator.ear.ear import Listener, Recogniser


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a piece of audio was heard as."""

    text: str
    language: str | None
    """ISO 639-1; None: nothing was heard yet."""

    took_s: Seconds
    """Processor time of the recogniser."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """All that a recogniser heard."""

    ear: str
    """Its name, as reports show it."""

    piece_s: Seconds | None
    trimmed: bool
    """Its appetite."""

    pieces: dict[str, Heard]
    """By the SHA-256 of a piece's 16 kHz PCM, hex."""


def read_recording(path: Path) -> Recording:
    """Return the recording at `path`."""
    return msgspec.json.decode(path.read_bytes(), type=Recording)


def recording_bytes(recording: Recording) -> bytes:
    """Return `recording` as it is kept: in order, a line for every fact, so that two of them can be compared."""
    pieces = dict(sorted(recording.pieces.items()))
    data = msgspec.json.encode(msgspec.structs.replace(recording, pieces=pieces))
    return msgspec.json.format(data, indent=1) + b"\n"


class Replayed:
    """An ear with a memory and nothing else."""

    def __init__(self, recording: Recording) -> None:
        self.name = f"{recording.ear}, replayed"
        self.appetite = Appetite(piece_s=recording.piece_s, trimmed=recording.trimmed)
        self.pieces = recording.pieces
        self.busy = asyncio.Lock()

    def listen(
        self, languages: tuple[str, ...] = (), vocabulary: tuple[str, ...] = ()
    ) -> ReplayedListening:
        """Return an ear for a new session."""
        return ReplayedListening(self)


class ReplayedListening:
    """One session's memory."""

    language: str | None = None

    def __init__(self, ear: Replayed) -> None:
        self._ear = ear

    async def hear(self, pcm: bytes, *, last: bool) -> AsyncIterator[str]:
        """Yield what the piece was heard as, after the time that took; EarLostError when it never was."""
        found = self._ear.pieces.get(hashlib.sha256(pcm).hexdigest())
        if found is None:
            raise EarLostError("this audio is not in the recording", hint="make record")
        async with self._ear.busy:
            await asyncio.sleep(found.took_s)
        self.language = found.language
        if found.text:
            yield found.text

    def leave(self) -> None:
        """Nobody waits any more."""


class Recorder:
    """A recogniser's ear in this process that remembers what it hears: time stands still while it listens."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.name = recogniser.name
        self.appetite = recogniser.appetite
        self.pieces: dict[str, Heard] = {}
        self._recogniser = recogniser

    @property
    def recording(self) -> Recording:
        """What was heard so far."""
        return Recording(
            ear=self.name,
            piece_s=self.appetite.piece_s,
            trimmed=self.appetite.trimmed,
            pieces=self.pieces,
        )

    def listen(
        self, languages: tuple[str, ...] = (), vocabulary: tuple[str, ...] = ()
    ) -> RecorderListening:
        """Return an ear for a new session."""
        return RecorderListening(self, self._recogniser.listener(languages))


class RecorderListening:
    """One session of a recorder."""

    def __init__(self, ear: Recorder, listener: Listener) -> None:
        self._ear = ear
        self._listener = listener

    @property
    def language(self) -> str | None:
        return self._listener.language

    async def hear(self, pcm: bytes, *, last: bool) -> AsyncIterator[str]:
        """Yield what the recogniser hears."""
        began = time.process_time()
        text = self._listener.hear(pcm, last=last)
        took_s = round(time.process_time() - began, 3)
        heard = Heard(text=text, language=self.language, took_s=took_s)
        self._ear.pieces[hashlib.sha256(pcm).hexdigest()] = heard
        await asyncio.sleep(took_s)
        if text:
            yield text

    def leave(self) -> None:
        """Nobody waits any more."""
