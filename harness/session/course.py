"""Where each connection of a session begins: at the next sample, or at one that was sent before and is sent again.

A connection that ends well has had its turn heard out, and the next begins at the next sample (decision 4). After one
that breaks off, the session returns to the newest point that the service can go on from: the state behind a handle, else
the beginning of the turn. What was sent after that point is sent again, and what was heard after it no longer counts
(decision 9).

Knows positions in the clip and how connections ended. Does not know time, sockets, or messages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from harness.session.retry import ATTEMPTS

if TYPE_CHECKING:
    from harness.session.retry import Ending
    from harness.session.span import Span
    from harness.units import Samples

MOST_RESUMED: Final = 10
"""How many connections of one attempt may break off and be followed by another."""

MOST_IDLE: Final = 3
"""How many connections in a row may come no further, with one handle or without (yagudaev/voiceclaw#53: two)."""

KnownBy: TypeAlias = Literal["index", "position", "turn"]
"""How we know which samples a saved state holds: the service names the last message in it (`index`), we note how far we
were when its handle came (`position`), or a turn ended there (`turn`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point that a session can be taken back to."""

    handle: str | None = None
    """Resumes the session as it was then; None: a fresh session will do."""

    position: Samples = 0
    """First sample of the clip that the state does not hold."""

    heard: int = 0
    """How many messages of the service had come by then: their text stands."""

    in_turn: bool = False
    """True: the point lies within the user's turn, whose beginning must not be marked again."""

    known_by: KnownBy = "turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a connection repeats, and takes back, of those before it."""

    samples: Samples
    """Audio sent again."""

    known_by: KnownBy
    why: str
    """How the connection broke off."""

    unsaid: tuple[int, int]
    """The messages of the service whose text no longer counts: those after the first of these counts, up to the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where a connection begins."""

    position: Samples = 0
    handle: str | None = None
    """Of the session that it resumes; None: it begins a fresh one."""

    in_turn: bool = False
    """True: it begins within the user's turn."""

    replay: Replay | None = None
    """What it repeats; None: all that it sends is new."""


class PastConnection(Protocol):
    """What a course needs to know of a connection that is over (`leg`)."""

    @property
    def span(self) -> Span:
        """What of the clip it streamed, and how far it came."""

    @property
    def mark(self) -> Mark | None:
        """What its newest handle stands for; None: none came."""

    @property
    def admitted(self) -> bool:
        """Whether the service took the setup."""

    @property
    def marked_whole(self) -> bool:
        """Whether the turn was over and the newest handle holds all of it."""

    @property
    def went_well(self) -> bool:
        """Whether it did its part: the span was sent, and heard out."""


class Course:
    """The course of one attempt: ask it `after` each connection where the next begins."""

    def __init__(self, length: Samples) -> None:
        self.start = Start()
        """Where the present connection begins."""

        self.idle = 0
        """How many connections in a row broke off without coming further than those before."""

        self._length = length
        self._turn = Mark()
        """Where the present turn began: a fresh session can always go on from there."""

        self._newest: Mark | None = None
        """What the newest handle that may still work stands for; None: there is none."""

        self._at: Samples = 0
        """How far the last connection that sent audio came."""

        self._furthest: Samples = 0
        self._resumed = 0
        self._broke: str | None = None
        """How that connection broke off; None: it did not."""

    def after(self, leg: PastConnection, ended: Ending, heard: int) -> Start | None:
        """Return where the next connection begins, which is then `start`; None: the session is over.

        `leg` is over; `ended` is how the session would end with it, `heard` how many messages of the service have come.
        """
        if leg.span.begun:
            self._at, self._broke = leg.span.position, None
        if leg.mark is not None:
            self._newest = leg.mark
        following: Start | None = None
        if leg.went_well and self.start.position < self._at < self._length:
            following = self._next(leg, heard)
        elif ended.failure in ATTEMPTS and self._resumed < MOST_RESUMED:
            following = self._back(leg, ended, heard)
        if following is not None:
            self.start = following
        return following

    def _next(self, leg: PastConnection, heard: int) -> Start:
        """Return a start at the next sample, since the turn before it is over."""
        self._turn = Mark(position=self._at, heard=heard)
        self._newest = None
        self._furthest, self.idle = self._at, 0
        if leg.mark is None or leg.mark.in_turn:
            return Start(position=self._at)
        self._newest = replace(self._turn, handle=leg.mark.handle)
        return Start(position=self._at, handle=leg.mark.handle)

    def _back(self, leg: PastConnection, ended: Ending, heard: int) -> Start | None:
        """Return where to start again after a connection broke off; None: nothing is left to try."""
        if leg.span.begun:
            self._broke = ended.reason or "the connection broke off"
        if leg.marked_whole:
            self._newest = None  # a session that is resumed after the turn's end would not repeat the turn's late text
        newest = self._newest if leg.mark is not None else None
        if self._at > self._furthest or (newest and newest.position > self.start.position):
            self.idle = 0
        else:
            self.idle += 1
        self._furthest = max(self._furthest, self._at)
        if self._newest is not None and self._leads_nowhere(leg, ended):
            self._newest, self.idle = None, 0
        target = self._newest or self._turn
        if self.idle >= MOST_IDLE or (target.handle is None and not target.position):
            return None
        self._resumed += 1
        replay = None
        if self._broke is not None:
            replay = Replay(
                samples=self._at - target.position,
                known_by=target.known_by,
                why=self._broke,
                unsaid=(target.heard, heard),
            )
        return Start(
            position=target.position,
            handle=target.handle,
            in_turn=target.in_turn,
            replay=replay,
        )

    def _leads_nowhere(self, leg: PastConnection, ended: Ending) -> bool:
        """Return whether the newest handle is of no use any more: refused, of a session whose time is over, or tried in vain.

        A handle may be refused only because the old socket is still open (aicc2025/sip-to-ai#14). That is worth waiting
        for when audio would be lost otherwise, but not where a turn ended, since there a fresh session is as good.
        """
        if self.idle >= MOST_IDLE:
            return True
        if self.start.handle is None:
            return False
        over = ended.failure == "duration" and self.idle > 0
        waits = self._broke is not None or ended.unreachable
        return ended.failure == "stale_handle" or over or not (leg.admitted or waits)
