"""A stretch of the clip as one connection streams it: which message is next, when it is due, and where it ends.

Knows samples and due times. Does not know who sends the messages, nor over what.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from harness.audio.chunk import due
from harness.session.frames import silence
from harness.units import SAMPLE_RATE

if TYPE_CHECKING:
    from harness.session.assignment import Assignment
    from harness.session.frames import Block
    from harness.units import Samples, Seconds

TAIL_S: Final = 1.5
"""Silence sent after the clip under automatic detection, s: without it the last turn may never end
(googleapis/python-genai#1328)."""


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
        self._stop = stop
        self._tailed = tailed
        self._limit = len(assignment.clip)
        self._zero: Seconds = 0.0
        self._block: Block = ()
        self._place = 0
        self._next_block: asyncio.Future[Block] | None = None

        self.cursor: Samples = start
        """Where the next message begins, counted on through the silence."""

        self.in_tail = False
        """True: the clip's part has been sent, and silence follows."""

        self.position: Samples = start
        """Where the next chunk of the clip begins: everything before it has been sent."""

        self.position_due: Seconds = 0.0
        """When the sample at `position` is due, by the loop's clock."""

        self.message_end: Samples = start
        """The index of the sample behind the next message."""

        self.message_due: Seconds = 0.0
        """When the next message is due, by the loop's clock."""

    def prepare(self) -> None:
        """Have the first messages made, if making them takes long."""
        if self._frames.slow:
            self._next_block = self._coming(self._start)

    def begin(self, at: Seconds) -> None:
        """Make the first sample due `at` that time of the loop's clock."""
        self._zero = at - due(self._start, self._pace)
        self.position_due = at
        self._aim()

    def cut(self) -> None:
        """End at the present message's boundary; a span that is in its tail ends where it would have."""
        if not self.in_tail:
            self._stop = self.position

    async def close(self) -> None:
        """Let go of what is being made."""
        if self._next_block is not None:
            self._next_block.cancel()
            await asyncio.gather(self._next_block, return_exceptions=True)

    def message(self) -> bytes | None:
        """Return the next message; None: there is none, or (`starves`) it is not made yet.

        OSError when the clip can no longer be read.
        """
        if not self.in_tail:
            if self.cursor < self._stop:
                if self._place == len(self._block):
                    self._turn()
                return self._block[self._place] if self._place < len(self._block) else None
            if not self._tailed:
                return None
            self._enter_tail()
        return self._block[self._place] if self._place < len(self._block) else None

    @property
    def starves(self) -> bool:
        """Whether there is more of the clip, but its block has not been made yet."""
        return self.cursor < self._stop and not self.in_tail

    def advance(self) -> None:
        """Go on to the message after the next: the next has been sent."""
        self.cursor = self.message_end
        self._place += 1
        if not self.in_tail:
            self.position, self.position_due = self.cursor, self.message_due
        self._aim()

    def _aim(self) -> None:
        """Work out where the message at the cursor ends, and so when it is due."""
        self.message_end = min(self.cursor + self._frames.size, self._limit)
        self.message_due = self._zero + due(self.message_end, self._pace)

    def _turn(self) -> None:
        """Go on to the block that begins at the cursor, if it is there."""
        if not self._frames.slow:
            self._block, self._place = self._frames.block(self.cursor), 0
        elif self._next_block is not None and self._next_block.done():
            self._block, self._place = self._next_block.result(), 0
            after = self.cursor + len(self._block) * self._frames.size
            self._next_block = self._coming(after) if after < self._stop else None

    def _enter_tail(self) -> None:
        """Go on to the silence behind the clip."""
        samples = round(TAIL_S * SAMPLE_RATE)
        self._block, self._place = silence(samples, self._frames.chunk_ms), 0
        self._limit = self.cursor + samples
        self.in_tail = True
        self._aim()

    def _coming(self, start: Samples) -> asyncio.Future[Block]:
        """Return the block from `start` on, which is made beside the loop."""
        return asyncio.ensure_future(self._offload(self._frames.block, start))
