"""One attempt at one utterance, over as many connections as it takes; and all that was said in it.

Knows when one connection follows another. Does not know what happens within one (`leg`), how bytes travel
(`transport`), when to try again (`retry`), or whether the text is any good. The service's bytes are kept as they came;
they become a trace when the session is over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import RefusedError
from harness.secret import Secret
from harness.session.leg import Leg
from harness.session.recorder import Recorder
from harness.session.retry import Ending, ending
from harness.wire.live.refusals import classify_close

if TYPE_CHECKING:
    from harness.session.assignment import Assignment
    from harness.session.pace import Pacer
    from harness.session.transport import Connect
    from harness.units import Samples, Seconds
    from harness.wire.live.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """What came of it."""

    recorder: Recorder
    """Turns into the trace; costly, so do it beside the loop."""

    ending: Ending


class Session:
    """One attempt. Make it, `await run()`, and throw it away.

    A clip that is longer than a connection may live goes over several, one after the other: each ends its turn and
    hears it out before the next begins, so that nothing is lost, sent twice, or heard twice (decision 4).
    """

    def __init__(self, assignment: Assignment, connect: Connect, pacer: Pacer) -> None:
        self._todo = assignment
        self._connect = connect
        self._pacer = pacer
        self._loop = asyncio.get_running_loop()
        self._secrets = _secrets(assignment.endpoint)
        self._rec = Recorder(
            assignment.header,
            assignment.name,
            self._secrets,
            most_bytes=assignment.most_received,
        )

    def stood_still(self, seconds: Seconds) -> None:
        """Hear that nothing of ours ran for `seconds` until now; nothing is lost while the session waits for its turn."""
        if self._rec.begun:
            self._rec.stood_still(self._loop.time(), seconds)

    async def run(self) -> SessionResult | None:
        """Return what came of the session, None when the service was never asked for it.

        Only cancellation and bugs of ours are raised.
        """
        todo = self._todo
        end = len(todo.clip)
        self._rec.began(self._loop.time())
        start, handle, due_s, answered = 0, None, None, False
        while True:
            stop = next((cut for cut in todo.cuts if cut > start), end)
            leg = Leg(
                todo, self._connect, self._pacer, self._rec, start=start, stop=stop, handle=handle
            )
            await leg.run(due_s)
            if leg.turned_away:
                return None
            answered = answered or leg.answered
            if handle is not None and _not_resumed(leg):
                # Fresh, it is as good for a transcript: no turn is ever left open over a seam.
                handle = None
                continue
            if not (todo.errand.divisible and _continues(leg, start, end)):
                break
            start, handle, due_s = leg.span.position, leg.handle, leg.span.position_due
            todo = await self._renewed(todo)
        ended = ending(
            closed=leg.end,
            missed=leg.missed,
            vanished=leg.vanished,
            problem=leg.problem,
            blocked=leg.blocked,
            has_text=answered,
            turn_over=leg.turn_over,
            sent_all=leg.sent_all,
            whole=leg.span.position >= end,
        )
        self._rec.ended(self._loop.time(), ended)
        return SessionResult(recorder=self._rec, ending=ended)

    async def _renewed(self, todo: Assignment) -> Assignment:
        """Return `todo` for another connection: a bearer token lives for an hour, and a clip may last longer."""
        if todo.renew is None:
            return todo
        try:
            endpoint: Endpoint = await todo.offload(todo.renew)
        except RefusedError:
            return todo  # the service will say what is wrong with the old one, if anything is
        self._secrets += _secrets(endpoint)
        return replace(todo, endpoint=endpoint)


def _secrets(endpoint: Endpoint) -> list[Secret]:
    return [value for _, value in endpoint.headers if isinstance(value, Secret)]


def _not_resumed(leg: Leg) -> bool:
    """Return whether the service would not go on with the session whose handle it was given.

    Handles go stale, and some are refused while the old socket is still open (aicc2025/sip-to-ai#14).
    """
    closed = leg.end
    if leg.admitted or closed is None or closed.code is None:
        return False
    kind = leg.problem[0] if leg.problem else classify_close(closed.code, closed.reason)
    return kind in ("stale_handle", "transient")


def _continues(leg: Leg, start: Samples, end: Samples) -> bool:
    """Return whether another connection goes on where `leg` left off: it did its part, and there is more of the clip."""
    closed = leg.end
    went_well = (
        leg.sent_all
        and leg.problem is None
        and not leg.vanished
        and closed is not None
        and (closed.by_us or closed.code == 1000)
    )
    return went_well and start < leg.span.position < end
