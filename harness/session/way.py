"""A session's way through the gate: what it asks, and tells, of whoever decides how many sessions may be open."""

from __future__ import annotations

from typing import Protocol


class Way(Protocol):
    """One session's way in and out; every call but the first may be left out or made twice."""

    async def enter(self) -> bool:
        """Wait until the service may be asked for a session; False: it never may. The connection is open by then."""

    def admitted(self) -> None:
        """Hear that the service has taken the session."""

    def leave(self) -> None:
        """Hear that the session has all it wanted of the service: another may begin while it closes."""


class OpenWay:
    """The way of a session that is alone."""

    async def enter(self) -> bool:
        """Return True at once."""
        return True

    def admitted(self) -> None:
        """Nobody wants to know."""

    def leave(self) -> None:
        """Nobody waits."""
