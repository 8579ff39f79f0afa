"""How many sessions at once, how many connections ahead of them, and how fast one after the other.

A session is on its `approach` while its connection opens, and enters when the service is to be asked for a session. So
a connection is ready when a place becomes free, and holds none while it is opened or closed. What is open ahead counts
for some services, and so does what closes behind; once a service has refused for quota, neither is done any more.
While nothing answers, one connection at a time looks whether it does again.

Knows places and times; does not know sessions.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final

from harness.session.retry import backoff_s

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from harness.run.rate import Rate
    from harness.units import Seconds

RAISE_AFTER: Final = 2
"""How many times the present number of sessions must be admitted unrefused before one more is tried."""

AHEAD_SHARE: Final = 2
MOST_AHEAD: Final = 32
"""One connection is opened ahead for so many sessions, up to `MOST_AHEAD`: sessions of like length end together."""


class Gate:
    """Lets up to `most` sessions in at once; fewer after the service refused some, none while it pauses."""

    def __init__(
        self, most: int, rng: random.Random, *, rate: Rate | None = None, ahead: bool = True
    ) -> None:
        self._most = most
        self._rng = rng
        self._rate = rate
        self._limit = most
        # With a rate, a session begins when its turn comes: what waits ahead would make them begin in bursts.
        self._ahead = min(MOST_AHEAD, -(-most // AHEAD_SHARE)) if ahead and rate is None else 0
        self._coming = 0
        self._spaced = 0
        self._open = 0
        self._good = 0
        self._pauses = 0
        self._absences = 0
        self._closed_until: Seconds = 0.0
        self._approaching: deque[asyncio.Future[None]] = deque()
        self._entering: deque[asyncio.Future[None]] = deque()
        self.reached = False
        """True: the service has answered once, or somebody in its place."""

        self.stopped = asyncio.Event()
        """Set when no session is to begin any more: whoever waits here goes on at once."""

    @property
    def limit(self) -> int:
        """How many sessions may be open now."""
        return self._limit

    @property
    def ahead(self) -> int:
        """How many connections may be open beside them, waiting; 0: a place is held from opening to closing."""
        return self._ahead

    @property
    def open(self) -> int:
        """How many sessions are open."""
        return self._open

    @property
    def spaced(self) -> int:
        """How many wait for nothing but the rate."""
        return self._spaced

    @property
    def pauses(self) -> int:
        """How many pauses there were since a session was last admitted."""
        return self._pauses

    @property
    def absences(self) -> int:
        """How many pauses there were since something last answered; 0: it does."""
        return self._absences

    async def approach(self, tokens: int = 0) -> bool:
        """Wait until one more connection may be opened, for a session of so many tokens; False: all is stopped."""
        while not await self._free(self._approaching, self._may_approach):
            pass
        if self.stopped.is_set():
            return False
        self._coming += 1
        await self.space(tokens)
        if self._rate is not None and self.stopped.is_set():
            self.turn_back()
            return False
        return True

    async def space(self, tokens: int) -> None:
        """Wait until the rate allows so many tokens more, or all is stopped."""
        if self._rate is None:
            return
        self._spaced += 1
        try:
            await self.sleep(self._rate.wait_s(asyncio.get_running_loop().time(), tokens))
        finally:
            self._spaced -= 1

    async def enter(self) -> bool:
        """Wait, connected, until one more session may begin, and count it; False: all is stopped.

        Where nothing is opened ahead, whoever has approached has a place, and enters even so.
        """
        self.found()
        while not await self._free(self._entering, lambda: self._open < self._limit):
            pass
        if self.stopped.is_set() and self._ahead:
            return False
        self._coming -= 1
        self._open += 1
        return True

    def turn_back(self) -> None:
        """Count out one that approached and did not enter."""
        self._coming -= 1
        self._wake()

    def leave(self) -> None:
        """Count a session out and let the next look."""
        self._open -= 1
        self._wake()

    def alone(self) -> None:
        """Open no more connections ahead, and close none behind."""
        self._ahead = 0

    def refused(self, asked_s: Seconds | None, *, inside: bool) -> None:
        """Lower the limit to what was open beside the refused session (`inside`) or connection, and pause.

        What was opened ahead goes first: the refused connection may have been one too many without being wanted yet.
        """
        self.found()
        spare, self._ahead = self._ahead, 0
        if inside or not spare:
            beside = self._open if inside else self._open + self._coming
            self._limit = max(1, min(self._limit, beside - 1))
            self.pause(asked_s)

    def pause(self, asked_s: Seconds | None = None) -> None:
        """Pause, longer each time; refusals that come while it lasts belong to the same one."""
        self._good = 0
        now = asyncio.get_running_loop().time()
        if now >= self._closed_until:
            self._pauses += 1
            self._closed_until = now + backoff_s(self._pauses, self._rng)
        if asked_s is not None:
            self._closed_until = max(self._closed_until, now + asked_s)

    def lost(self, asked_s: Seconds | None = None, *, away: bool = False) -> None:
        """Pause since nothing answered, and then let one connection at a time look whether anything does.

        `away`: somebody did, but not the service, and asked for a pause of `asked_s`, if for any.
        """
        self.reached = self.reached or away
        if not self._absences or asyncio.get_running_loop().time() >= self._closed_until:
            self._absences += 1
        self.pause(asked_s)

    def found(self) -> None:
        """Note that the service has answered, whatever it said."""
        self.reached = True
        if self._absences:
            self._absences = 0
            self._wake_all()

    def admitted(self) -> None:
        """Count a session that the service took; raise the limit after enough of them."""
        self._pauses = 0
        self._good += 1
        if self._limit < self._most and self._good >= RAISE_AFTER * self._limit:
            self._limit += 1
            self._good = 0
            self._wake()

    async def sleep(self, seconds: Seconds) -> None:
        """Wait so long, or until all is stopped."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.stopped.wait()

    def stop(self) -> None:
        """Let everybody who waits go on, to find that all is stopped."""
        self.stopped.set()
        self._wake_all()

    def _may_approach(self) -> bool:
        """Return whether there is room for one more connection."""
        if self._absences and self._coming:
            return False
        return self._open + self._coming < self._limit + self._ahead

    async def _free(self, queue: deque[asyncio.Future[None]], room: Callable[[], bool]) -> bool:
        """Return whether there is room now, or all is stopped; else wait a while, at the end of `queue`."""
        if self.stopped.is_set():
            return True
        loop = asyncio.get_running_loop()
        if (pause := self._closed_until - loop.time()) > 0:
            await self.sleep(pause)
        elif room():
            return True
        else:
            place = loop.create_future()
            queue.append(place)
            await place
        return False

    def _wake(self) -> None:
        """Let the next of each queue look."""
        for queue in (self._entering, self._approaching):
            while queue:
                place = queue.popleft()
                if not place.done():
                    place.set_result(None)
                    break

    def _wake_all(self) -> None:
        """Let everybody look."""
        for queue in (self._entering, self._approaching):
            for place in queue:
                if not place.done():
                    place.set_result(None)
            queue.clear()
