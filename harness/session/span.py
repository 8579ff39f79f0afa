"""A stretch of the clip as one connection streams it: which message is next, when it is due, and where it ends.

Knows samples and due times. Does not know who sends the messages, nor over what.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.audio.chunk import due
from harness.session.frames import Block, Held, held, silence
from harness.units import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.session.assignment import Assignment
    from harness.units import Samples, Seconds

TAIL_S: Final = 1.5
"""Silence sent after the clip under automatic detection, s: without it the last turn may never end
(googleapis/python-genai#1328)."""


_NONE: Final = Block((), Held(0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Messages of audio that were sent, one after the other."""

    first: Samples
    """Where they are meant to begin in the clip, or, counted on, in the silence behind it."""

    tail: bool
    """True: they are meant to be silence."""

    sent: Held | tuple[bytes, ...]
    """What they hold; or the messages themselves, where that is not known yet."""

    @property
    def held(self) -> Held:
        """What they hold."""
        return self.sent if isinstance(self.sent, Held) else held(self.sent)


class Span:
    """The clip's samples from `start` to `stop`, and silence behind them when `tailed`.

    Call `prepare` when it is known that they will be wanted, `begin` when it is known when, and `close` in the end.
    """

    def __init__(
        self, assignment: Assignment, *, start: Samples, stop: Samples, tailed: bool
    ) -> None:
        self._frames = assignment.frames
        self._pace = assignment.pace
        self._offload = assignment.offload
        self._start = start
        self.stop = stop
        """Where it ends, or the end of the message in which that lies."""

        self._tailed = tailed
        self.zero: Seconds = 0.0
        """When the clip's first sample was due, or would have been, by the loop's clock."""

        self.begun = False
        """True: it is known when its messages are due."""

        self._block: tuple[bytes, ...] = ()
        self._of = _NONE
        self._sent: list[bytes] = []
        self._passages: list[Passage] = []
        self._dues: list[Seconds] = []
        self._first: Samples = start
        self._place = 0
        self._behind: Samples = start
        self._next_block: asyncio.Future[Block] | None = None

        self.limit: Samples = len(assignment.clip)
        """Where the last message would end."""

        self.size: Samples = assignment.frames.size
        """Samples a message; the last one may have fewer."""

        self.sent: Callable[[bytes], None] = self._sent.append
        """Hears of each message that has left: itself, not where it stands, so that what was sent can be told from what was to be."""

        self.in_tail = False
        """True: the clip's part has been sent, and silence follows."""

        self.due: Seconds = 0.0
        """When the next message is due, by the loop's clock; behind the last one: when that was."""

    @property
    def cursor(self) -> Samples:
        """Where the next message begins, counted on through the silence."""
        return min(self._first + self._place * self.size, self.limit)

    @property
    def position(self) -> Samples:
        """Where the next chunk of the clip begins: everything before it has been sent."""
        return self._behind if self.in_tail else self.cursor

    def prepare(self) -> None:
        """Have the first messages made, if making them takes long."""
        if self._frames.slow:
            self._next_block = self._coming(self._start)

    def begin(self, at: Seconds) -> None:
        """Make the first sample due `at` that time of the loop's clock."""
        self.zero = at - due(self._start, self._pace)
        self.begun = True
        self._lay(_NONE, self._start)

    def cut(self) -> None:
        """End at the present message's boundary; a span that is in its tail ends where it would have."""
        if not self.in_tail:
            self.stop = self.cursor
            self._block = self._block[: self._place]

    async def close(self) -> None:
        """Let go of what is being made."""
        if self._next_block is not None:
            self._next_block.cancel()
            await asyncio.gather(self._next_block, return_exceptions=True)

    def message(self) -> bytes | None:
        """Return the next message; None: there is none, or (`starves`) it is not made yet.

        OSError when the clip can no longer be read.
        """
        if self._place == len(self._block):
            if self.starves:
                self._turn()
            if self._place == len(self._block):
                return None
        return self._block[self._place]

    @property
    def starves(self) -> bool:
        """Whether there is more of the clip, but its block has not been made yet."""
        return self.cursor < self.stop and not self.in_tail

    def advance(self) -> Seconds:
        """Go on to the message after the next, since the next has been sent; return when it is due."""
        self._place = place = self._place + 1
        self.due = due = self._dues[place]
        return due

    def tail(self) -> bool:
        """Go on to the silence behind the clip, and return whether there is any that has not begun yet."""
        if self.in_tail or not self._tailed:
            return False
        samples = round(TAIL_S * SAMPLE_RATE)
        self._behind = self.stop = self.cursor
        self.limit = self._behind + samples
        self._settle()
        self.in_tail = True
        self._lay(silence(samples, self._frames.chunk_ms), self._behind)
        return True

    def _turn(self) -> None:
        """Go on to the block that begins at the cursor, if it is there."""
        first = self.cursor
        if not self._frames.slow:
            self._lay(self._frames.block(first), first)
        elif self._next_block is not None and self._next_block.done():
            block = self._next_block.result()
            after = first + len(block.messages) * self.size
            self._next_block = self._coming(after) if after < self.stop else None
            self._lay(block, first)

    def _lay(self, block: Block, first: Samples) -> None:
        """Have what is wanted of `block` follow from sample `first` on, and work out when each message is due.

        That is when its last sample is; behind the block stands when the message after it is due, or when the last one was.
        """
        self._settle()
        end, messages = self.limit, block.messages
        if not self.in_tail:
            wanted = -(-(self.stop - first) // self.size)
            if wanted <= len(messages):
                messages = messages[:wanted]
                end = min(first + wanted * self.size, end)
        self._of, self._block, self._first, self._place = block, messages, first, 0
        ends = (min(first + n * self.size, end) for n in range(1, len(messages) + 2))
        self._dues = [self.zero + due(one, self._pace) for one in ends]
        self.due = self._dues[0]

    def passages(self) -> list[Passage]:
        """Return what has been sent: a passage for each block, or part of one."""
        self._settle()
        return self._passages

    def _settle(self) -> None:
        """Note what has been sent of the present block. A whole one, which is the rule, is told by its objects alone."""
        if self._sent:
            sent = tuple(self._sent)
            self._sent.clear()
            whole = sent == self._of.messages
            passage = Passage(
                first=self._first, tail=self.in_tail, sent=self._of.held if whole else sent
            )
            self._passages.append(passage)

    def _coming(self, start: Samples) -> asyncio.Future[Block]:
        """Return the block from `start` on, which is made beside the loop."""
        return asyncio.ensure_future(self._offload(self._frames.block, start))
