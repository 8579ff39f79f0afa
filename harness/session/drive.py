"""One attempt at one utterance, over as many connections as it takes.

Knows when one connection follows another. Does not know what happens within one (`leg`), how bytes travel
(`transport`), when to try again (`retry`), or whether the text is any good. The service's bytes are kept as they came;
they become a trace when the session is over.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from harness.audio.chunk import due
from harness.errors import RefusedError
from harness.secret import Secret
from harness.session.course import Course
from harness.session.leg import Leg
from harness.session.recorder import Recorder
from harness.session.retry import MOST_ASKED_S, Ending, backoff_s, broken_off, ending

if TYPE_CHECKING:
    from harness.session.assignment import Assignment
    from harness.session.course import Start
    from harness.session.pace import Pacer
    from harness.session.transport import Connect
    from harness.units import Samples, Seconds
    from harness.wire.live.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """What came of a session."""

    recorder: Recorder
    """Holds all that was said. Making the trace of it is costly: do it beside the loop."""

    ending: Ending


class Session:
    """One attempt. Make it, `await run()`, and throw it away.

    A clip that is longer than a connection may live goes over several, one after the other: each ends its turn and
    hears it out before the next begins, so that nothing is lost, sent twice, or heard twice (decision 4). After one that
    breaks off, the next repeats no more than it must (decision 9).
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
            frames=assignment.frames,
            most_bytes=assignment.most_received,
            stock=assignment.stock,
        )

    @cached_property
    def _rng(self) -> random.Random:
        """The jitter of its back-off. Made when first wanted: seeding takes as long as sending a second of audio."""
        todo = self._todo
        return random.Random(f"{todo.header.plan}/{todo.name}")  # noqa: S311 - jitter, not a secret

    @property
    def received_bytes(self) -> int:
        """How much of the stock's room its received messages take."""
        return self._rec.received_bytes

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
        course, zero, first_answer = Course(end), None, None
        allowed: Samples = 0  # granted for sending again, but not sent: a connection can break off before it sends any
        while True:
            start = course.start
            stop = next((cut for cut in todo.cuts if cut > start.position), end)
            leg = Leg(
                todo,
                self._connect,
                self._pacer,
                self._rec,
                start=start,
                stop=stop,
                secrets=self._secrets,
            )
            await leg.run(None if zero is None else zero + due(start.position, todo.pace))
            if leg.turned_away:
                return None
            first_answer = _first_answer(first_answer, leg, start)
            zero = leg.span.zero if leg.span.begun else zero
            ended = _ending(leg, answered=first_answer is not None, whole=leg.span.position >= end)
            if not todo.errand.divisible:
                break
            following = course.after(leg, ended, self._rec.messages)
            if following is None:
                break
            again = following.replay.samples if following.replay else 0
            allowed = 0 if leg.span.begun else allowed
            if not await self._may_follow(following, course, ended, max(0, again - allowed)):
                break
            allowed = max(again, allowed)
            todo = await self._renewed(todo)
        if ended.absent and self._rec.begun:
            ended = broken_off(ended)
        self._rec.ended(self._loop.time(), ended)
        return SessionResult(recorder=self._rec, ending=ended)

    async def _may_follow(self, start: Start, course: Course, ended: Ending, more: Samples) -> bool:
        """Wait until another connection may be opened, which sends `more` samples again; False: it may not be.

        The old socket is closed by then: while one is open, some services refuse its handle (aicc2025/sip-to-ai#14).
        """
        if (ended.retry_after_s or 0.0) > MOST_ASKED_S:
            return False
        if ended.failure is not None and (start.replay is not None or course.idle):
            wait_s = backoff_s(course.idle + 1, self._rng, asked_s=ended.retry_after_s)
            await asyncio.sleep(wait_s)
        return await self._todo.way.again(more)

    async def _renewed(self, todo: Assignment) -> Assignment:
        """Return `todo` for another connection: a bearer token lives for an hour, and a clip may last longer."""
        if todo.renew is None:
            return todo
        try:
            endpoint: Endpoint = await todo.offload(todo.renew)
        except RefusedError:
            return todo  # the old token may still do; if not, the service will say so
        self._secrets += _secrets(endpoint)
        return replace(todo, endpoint=endpoint)


def _secrets(endpoint: Endpoint) -> list[Secret]:
    return [value for _, value in endpoint.headers if isinstance(value, Secret)]


def _first_answer(before: int | None, leg: Leg, start: Start) -> int | None:
    """Return the number, from 1, of the message that brought the first of the answer that still counts; None: none did.

    `before` is that number before `leg`. A replay takes back all that came after some message, once its audio begins.
    """
    if before is None:
        return leg.first_answer
    replay = start.replay if leg.span.begun else None
    return before if replay is None or before <= replay.unsaid[0] else leg.first_answer


def _ending(leg: Leg, *, answered: bool, whole: bool) -> Ending:
    """Return what came of the session, were `leg` its last connection."""
    return ending(
        closed=None if leg.settled else leg.end,
        missed=leg.missed,
        reached=leg.reached,
        vanished=leg.vanished and not leg.settled,
        problem=None if leg.settled else leg.problem,
        blocked=leg.blocked,
        has_text=answered,
        turn_over=leg.turn_over,
        sent_all=leg.sent_all,
        whole=whole,
    )
