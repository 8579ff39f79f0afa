"""A stretch of the clip as one connection streams it: which message is next, when it is due, and where it ends.

Knows samples and due times. Does not know who sends the messages, nor over what.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.audio.chunk import due
from harness.session.frames import Block, Held, held, silence
from harness.session.pace import TICKS, instant
from harness.units import SAMPLE_RATE

if TYPE_CHECKING:
    from harness.session.assignment import Assignment
    from harness.session.pace import Instant
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

    Call `prepare` as soon as they will be wanted, `begin` once their time is known, and `close` in the end.
    """

    __slots__ = (  # noqa: RUF023 - what each message needs lies side by side: that is read from memory for every one
        "count", "dues", "messages", "sent",
        "_behind", "_first", "_frames", "_next_block", "_of", "_offload", "_pace", "_passages", "_start", "_tailed",
        "begun", "in_tail", "limit", "size", "stop", "zero",
    )  # fmt: skip

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

        self.messages: tuple[bytes, ...] = ()
        """Those of the present block; `turn` brings the next."""

        self.sent: list[bytes] = []
        """The messages of the present block that have left. Whoever sends one appends that very object, so that what was
        sent can be held against what was to be sent."""

        self.count = 0
        """How many messages of the present block are to be sent."""

        self.dues: list[Instant] = []
        """When each is due; and one more: when the message after the last one is due, or the last one again at the end."""

        self._of = _NONE
        """The present block."""

        self._passages: list[Passage] = []
        """What was sent of the blocks before it."""

        self._first: Samples = start
        """Where the present block begins."""

        self._behind: Samples = start
        """Where the clip's part ended; of use in the tail alone."""

        self._next_block: asyncio.Future[Block] | None = None

        self.limit: Samples = len(assignment.clip)
        """Where the last message would end."""

        self.size: Samples = assignment.frames.size
        """Samples a message; the last one may have fewer."""

        self.in_tail = False
        """True: the clip's part has been sent, and silence follows."""

    @property
    def due(self) -> Instant:
        """When the next message is due; after the last one: when that was due."""
        return self.dues[len(self.sent)]

    @property
    def cursor(self) -> Samples:
        """Where the next message begins; the silence counts on from the clip's last sample."""
        return min(self._first + len(self.sent) * self.size, self.limit)

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
            self.count = len(self.sent)

    async def close(self) -> None:
        """Let go of what is being made."""
        if self._next_block is not None:
            self._next_block.cancel()
            await asyncio.gather(self._next_block, return_exceptions=True)

    @property
    def starves(self) -> bool:
        """Whether there is more of the clip, but its block has not been made yet."""
        return self.cursor < self.stop and not self.in_tail

    def tail(self) -> bool:
        """Go on to the silence behind the clip, and return whether there is any that has not begun yet."""
        if self.in_tail or not self._tailed:
            return False
        samples = round(TAIL_S * SAMPLE_RATE)
        self._behind = self.stop = self.cursor
        self.limit = self._behind + samples
        self._lay(silence(samples, self._frames.chunk_ms), self._behind, tail=True)
        return True

    def turn(self) -> bool:
        """Go on to the block behind this one, and return whether it is there: it may not be made yet (`starves`).

        OSError when the clip can no longer be read.
        """
        if not self.starves:
            return False
        first = self.cursor
        if not self._frames.slow:
            self._lay(self._frames.block(first), first)
        elif self._next_block is not None and self._next_block.done():
            block = self._next_block.result()
            after = first + len(block.messages) * self.size
            self._next_block = self._coming(after) if after < self.stop else None
            self._lay(block, first)
        return len(self.sent) < self.count

    def _lay(self, block: Block, first: Samples, *, tail: bool = False) -> None:
        """Have what is wanted of `block` follow from sample `first` on, each message due when its last sample is."""
        self._passages, self.in_tail = self.passages(), tail
        end, messages = self.limit, block.messages
        if not tail:
            wanted = -(-(self.stop - first) // self.size)
            if wanted <= len(messages):
                messages = messages[:wanted]
                end = min(first + wanted * self.size, end)
        self._of, self.messages, self.sent, self._first = block, messages, [], first
        self.count = len(messages)
        zero, sample = instant(self.zero), TICKS * due(1, self._pace)
        ends = range(first + self.size, first + (self.count + 1) * self.size + 1, self.size)
        self.dues = [zero + round(min(one, end) * sample) for one in ends]

    def passages(self) -> list[Passage]:
        """Return what has been sent: a passage for each block, or part of one."""
        if not self.sent:
            return self._passages
        sent = tuple(self.sent)
        whole = sent == self._of.messages  # fast: the same objects, so no byte is looked at
        passage = Passage(
            first=self._first, tail=self.in_tail, sent=self._of.held if whole else sent
        )
        return [*self._passages, passage]

    def _coming(self, start: Samples) -> asyncio.Future[Block]:
        """Return the block from `start` on, which is made beside the loop."""
        return asyncio.ensure_future(self._offload(self._frames.block, start))
