"""What can go wrong, whose fault it is, and the exit code that says so.

The tree::

    HarnessError                 1   a bug of ours, unless a branch below says otherwise
    ├── UsageError               2   what was typed is wrong
    ├── InputError               3   a file's content, or the place to read or write
    ├── RefusedError             4   the service refuses every session
    └── ProtocolError            1   a frame that breaks the protocol
        ├── LocalProtocolError       we broke it
        └── RemoteProtocolError      the peer broke it

A failed *utterance* is data (a row with a reason), never an exception; a failed *run* is one of these.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

NEAR: Final = 0.65
"""Least likeness (difflib's ratio) of a word that is suggested: a letter of three is wrong, or a few of a long word."""


class HarnessError(Exception):
    """An error for a person to read: what happened, why, and what to do about it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, why: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            # A peer's words may have lines of their own: none of them looks like one of ours.
            lines += (f"  {line}" for line in self.why.splitlines())
        if self.hint:
            lines.append(f"  try: {self.hint}")
        return "\n".join(lines)


class UsageError(HarnessError):
    """Something typed is wrong: an option, a key, a locale, a metric, a dataset's name."""

    exit_code = 2


class InputError(HarnessError):
    """A file's content or a place is wrong: unreadable, empty, unwritable, in use, full."""

    exit_code = 3


class BusyError(InputError):
    """Another process is at work in the place: nothing of it is to be read or written now."""


class RefusedError(HarnessError):
    """The service refuses every session: credentials, model or configuration."""

    exit_code = 4


class ProtocolError(HarnessError):
    """A frame or an order of frames that the Live API does not allow."""


class LocalProtocolError(ProtocolError):
    """We are about to break the protocol: a bug of ours or of our caller."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol."""


def suggestion(word: str, known: Iterable[str], *, most: int = 3) -> str | None:
    """Return a hint that names the known words nearest to `word`, or None when none is near."""
    by_folded = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), list(by_folded), n=most, cutoff=NEAR)
    if not near:
        return None
    return "did you mean " + " or ".join(f"“{by_folded[name]}”" for name in near) + "?"
