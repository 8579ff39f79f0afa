"""When a connection must end, and is told so before: no setup, its life over, the session's length.

Knows the loop's time; does not know what is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.wire.live import refusals
from harness.wire.live.refusals import Refused

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from harness.units import Seconds
    from harness.wire.live.refusals import Refusal


class Limits:
    """One connection's deadlines. `cancel` them when it is over."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        setup_s: Seconds,
        connection_s: Seconds,
        go_away_lead_s: Seconds,
        go_away: Callable[[Seconds], None],
        refuse: Callable[[Refused], None],
        cut_off: Refusal = refusals.GO_AWAY_IGNORED,
    ) -> None:
        """Begin to count. `go_away` is told how long is left, `refuse` why it ends.

        `cut_off` is why a connection ends whose client stayed after goAway.
        """
        self._loop = loop
        self._go_away = go_away
        self._go_away_lead_s = go_away_lead_s
        self._refuse = refuse
        self._began = loop.time()
        self._before_s: Seconds = 0.0
        lead = min(go_away_lead_s, connection_s)
        self._setup = loop.call_later(setup_s, refuse, Refused(refusals.DEADLINE))
        self._connection = (
            loop.call_later(connection_s - lead, go_away, lead),
            loop.call_later(connection_s, refuse, Refused(cut_off)),
        )
        self._session: tuple[asyncio.TimerHandle, ...] = ()

    @property
    def age_s(self) -> Seconds:
        """How long the session has lasted, over its connections."""
        return self._before_s + self._loop.time() - self._began

    def set_up(self, before_s: Seconds = 0.0) -> None:
        """Count no more until the setup; the session lasted `before_s` before this connection."""
        self._setup.cancel()
        self._before_s = before_s

    def session(self, most_s: Seconds) -> None:
        """Let the session last no longer than this, instead of what was said before."""
        for timer in self._session:
            timer.cancel()
        left = max(0.0, most_s - self.age_s)
        lead = min(self._go_away_lead_s, left)
        self._session = (
            self._loop.call_later(left - lead, self._go_away, lead),
            self._loop.call_later(left, self._refuse, Refused(refusals.DEADLINE)),
        )

    def cancel(self) -> None:
        """Count no more."""
        for timer in (self._setup, *self._connection, *self._session):
            timer.cancel()
