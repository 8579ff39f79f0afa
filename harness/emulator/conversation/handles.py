"""The sessions that can be resumed, each as its handle finds it again.

Knows what is kept, and how much; does not know whose a handle is, nor how long it is good.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from harness.units import Samples, Seconds

if TYPE_CHECKING:
    from harness.emulator.model.context import Context


@dataclass(slots=True, kw_only=True)
class Life:
    """What shortens a session: all its connections share it, whichever of its handles they resumed."""

    lasted_s: Seconds = 0.0
    """How long it has lasted, over the connections that are over."""

    seen: bool = False
    """True: a picture came."""

    newest_handle: str = ""
    """The last that was issued; empty: none was."""

    ended_at_s: Seconds | None = None
    """When its last connection ended, the loop's time; None: it lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """How far the user was heard: between two phrases. What came later is heard again, or is lost."""

    open: bool = False
    """True: the user's turn lasts."""

    text: str = ""
    """Of that turn."""

    typed: bool = False
    pieces: int = 0
    language: str | None = None
    untold: str = ""
    """Of the text, what the client knows as a guess only, or not at all."""

    ahead: Samples = 0
    """Heard already of the first audio that the client sends again."""

    unheard: bytes = b""
    """Audio that had come and was not heard, where the client does not send it again, s16le at 16 kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A session as a handle finds it again."""

    model: str
    context: Context
    hearing: Hearing = Hearing()
    age_s: Seconds
    """How long the session had lasted, over its connections, when the handle was given out."""

    life: Life

    @property
    def size(self) -> int:
        """Bytes that no other handle keeps, about: all but the turns that are over."""
        hearing = self.hearing
        texts = len(hearing.unheard) + len(hearing.text) + len(hearing.untold)
        return texts + len(self.context.present_words)


@dataclass(slots=True)
class _Share:
    """Turns that several handles keep, once for all of them."""

    handles: int = 0
    turns: int = 0


_TURN_BYTES: Final = 300
"""Bytes that a remembered turn takes: its tokens by modality. Its words, where they are kept, are not counted."""

_MOST_HANDLES: Final = 10_000

_MOST_KEPT: Final = 64 * 2**20
"""Bytes of audio and text, and of turns remembered, that all handles together keep."""


@dataclass(slots=True)
class Handles:
    """The sessions that can be resumed; the oldest are forgotten first."""

    _saved: OrderedDict[str, Saved] = field(default_factory=OrderedDict)
    _shares: dict[int, _Share] = field(default_factory=dict)
    """By the identity of the turns' list, which lives as long as a handle shares it."""

    _size: int = 0

    def issue(self, saved: Saved) -> str:
        """Return a new handle for a session; `saved` is kept, so its context must be a copy."""
        handle = secrets.token_urlsafe(24)
        self._saved[handle] = saved
        self._count(saved)
        while len(self._saved) > _MOST_HANDLES or self._size > _MOST_KEPT:
            _, oldest = self._saved.popitem(last=False)
            self._discount(oldest)
        return handle

    def _count(self, saved: Saved) -> None:
        past = saved.context.past
        share = self._shares.setdefault(id(past.sums), _Share())
        share.handles += 1
        more = max(0, past.end - share.turns)
        share.turns += more
        self._size += saved.size + more * _TURN_BYTES

    def _discount(self, saved: Saved) -> None:
        key = id(saved.context.past.sums)
        share = self._shares[key]
        share.handles -= 1
        self._size -= saved.size
        if not share.handles:
            self._size -= share.turns * _TURN_BYTES
            del self._shares[key]

    def find(self, handle: str) -> Saved | None:
        """Return the session that `handle` names, or None."""
        saved = self._saved.get(handle)
        return None if saved is None else replace(saved, context=saved.context.copy())
