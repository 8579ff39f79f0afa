"""How many received bytes the sessions of a process may hold at once.

Knows bytes and how many there are. Does not know what they are, nor what becomes of a session that there is no room for.
"""

from __future__ import annotations

from typing import Final

SPARED: Final = 4 * 2**20
"""Bytes that every session may hold however full the stock is, a minute of speech: one flood starves no other
session."""


class Stock:
    """Room for so many bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @property
    def held(self) -> int:
        """How many bytes are held, over all sessions."""
        return self._held

    def take(self, size: int, own: int) -> bool:
        """Return whether a session that holds `own` bytes may hold `size` more, which are then counted."""
        if self._held + size > self._most and own + size > SPARED:
            return False
        self._held += size
        return True

    def give_back(self, size: int) -> None:
        """Count `size` bytes out."""
        self._held -= size
