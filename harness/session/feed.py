"""A span on its way into one connection: each message when it is due, and the time at which it left.

Nearly all that a run does is done here, so a message takes few steps. Does not know what comes before the audio, nor what
its end means (`leg`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from harness.session.pace import instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.session.pace import Instant
    from harness.session.recorder import Recorder
    from harness.session.span import Span
    from harness.session.transport import Connection
    from harness.trace.trace import FailureKind
    from harness.units import Samples, Seconds

RETRY: Final = instant(0.005)
"""How soon a stream looks again when its connection takes no more, or the next block is not there yet."""

BURST: Final = 16
"""Messages a stream sends in one go when they are all due, before the others have their turn."""


class Feed:
    """A stream of the pacer's."""

    __slots__ = ("_connection", "_ended", "_failed", "_rec", "_span", "_stall_s", "_stalled", "_stamps", "_time", "over")  # fmt: skip

    def __init__(
        self,
        span: Span,
        connection: Connection,
        recorder: Recorder,
        *,
        stall_s: Seconds,
        ended: Callable[[], None],
        failed: Callable[[FailureKind, str], None],
    ) -> None:
        """`ended` hears that all is sent, `failed` what ends the session."""
        self._span = span
        self._connection = connection
        self._rec = recorder
        self._stamps = recorder.audio_t
        self._time = asyncio.get_running_loop().time
        self._stall_s = stall_s
        self.over = False
        """True: the connection is over, and nothing is sent any more."""

        self._ended = ended
        self._failed = failed
        self._stalled: tuple[Samples, Seconds] | None = None
        """What the connection would not take, and since when."""

    def send_due(self, now: Instant) -> Instant | None:
        """Send what is due and return when the next message is."""
        span, connection, time = self._span, self._connection, self._time
        sent = span.sent
        while not self.over:
            place = len(sent)
            if place == span.count:
                return self._behind_block(now)
            if connection.congested:
                return self._held_up(now)
            message = span.messages[place]
            connection.send(message)
            self._stamps.append(time())
            sent.append(message)
            if (due := span.dues[place + 1]) > now:
                return due
            if place % BURST == 0:
                return now
        return None

    def broke(self, error: Exception) -> None:
        """Hear from the pacer that sending raised `error`: this session ends, the others go on."""
        self._failed("client", f"a bug of live-harness: {type(error).__name__}: {error}")

    def _behind_block(self, now: Instant) -> Instant | None:
        """Return when the next message is due, or may be there; None: the last one has been sent."""
        span = self._span
        try:
            if span.turn():
                return span.due
        except OSError as error:
            self._failed("client", f"the clip can no longer be read: {error}")
            return None
        if span.starves:
            return now + RETRY
        if span.tail():
            self._rec.audio_follows(span.cursor, span.size, span.limit, tail=True)
            return span.due
        self._ended()
        return None

    def _held_up(self, now: Instant) -> Instant:
        """Return when to look again, now that the connection takes no more; give it up after a while."""
        at, t = self._span.cursor, self._time()
        if self._stalled is None or self._stalled[0] != at:
            self._stalled = at, t
        if t - self._stalled[1] > self._stall_s:
            self._failed("transient", f"the service has read nothing for {self._stall_s:g} s")
        return now + RETRY
