"""What an ear is: what a conversation asks of it on the event loop, and what a recogniser is in the process that hears.

A `Recogniser` is plain synchronous code and runs in a process of its own (`hearing`); an `Ear` is what a conversation
asks, on the event loop. Knows no recogniser.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.errors import HarnessError
from harness.units import Seconds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class EarLostError(HarnessError):
    """The process that hears has died, and what it had heard of a session with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appetite:
    """How an ear wants its audio."""

    piece_s: Seconds | None
    """It takes the audio in pieces of this length as it comes; None: phrase by phrase."""

    trimmed: bool = True
    """True: silence is left out and pauses are marked; False: all the audio of the turn, and only its end is marked."""


# ── On the event loop ────────────────────────────────────────────────────────────────────────────────────────────────


class Listening(Protocol):
    """One session's ear."""

    language: str | None
    """Of what was heard last, ISO 639-1; None: nothing was, or the ear cannot tell."""

    def hear(self, pcm: bytes, *, last: bool) -> AsyncIterator[str]:
        """Yield the fragments of text that 16 kHz `pcm` adds; with `last`, all there is. EarLostError ends it."""
        ...

    def leave(self) -> None:
        """Say that nobody waits any more: what was asked need not be answered."""


class Ear(Protocol):
    """A recogniser as conversations see it."""

    name: str
    appetite: Appetite

    def listen(
        self, languages: tuple[str, ...] = (), vocabulary: tuple[str, ...] = ()
    ) -> Listening:
        """Return an ear for a new session, which expects these languages (ISO 639-1; none given: any) and words."""
        ...


# ── In the process that hears ────────────────────────────────────────────────────────────────────────────────────────


class Listener(Protocol):
    """What a recogniser keeps of one session."""

    language: str | None
    """Of what was heard last, ISO 639-1; None: nothing was, or it cannot tell."""

    def hear(self, pcm: bytes, *, last: bool) -> str:
        """Return the text that 16 kHz `pcm` adds, with a leading space where the language has one; often empty."""
        ...


class Recogniser(Protocol):
    """A loaded recogniser."""

    name: str
    """With model, precision and version, as every report shows it."""

    appetite: Appetite

    def listener(self, languages: tuple[str, ...], vocabulary: tuple[str, ...] = ()) -> Listener:
        """Return what hears one session in these languages, any it knows when none is given, and expects these words."""
        ...

    def real_time_factor(self) -> float:
        """Return the seconds of processor that it takes for a second of speech: what it takes where nothing disturbs it."""
        ...
