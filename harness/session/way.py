"""A session's way through the gate: what it asks, and tells, of whoever decides how many sessions may be open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from harness.units import Samples


class Way(Protocol):
    """One session's way in and out; every call but the first may be left out or made twice."""

    async def enter(self) -> bool:
        """Wait, with the connection open, until the service may be asked for a session; False: it may not be."""

    def admitted(self) -> None:
        """Hear that the service has taken the session."""

    async def again(self, replayed: Samples) -> bool:
        """Wait until the session may open another connection, which sends so many samples again; False: it may not.

        What was allowed before and has not been sent is not asked for twice.
        """

    def leave(self) -> None:
        """Hear that the session has all it wanted of the service: another may begin while it closes."""


class OpenWay:
    """The way of a session that is alone."""

    async def enter(self) -> bool:
        """Return True at once."""
        return True

    def admitted(self) -> None:
        """Nobody wants to know."""

    async def again(self, replayed: Samples) -> bool:
        """Return True at once."""
        del replayed
        return True

    def leave(self) -> None:
        """Nobody waits."""
