"""What the ear has still to hear, piece by piece and turn after turn; when it is too much, the client is held back.

Knows pieces and whose turn each is; does not know where turns begin and end, nor what is answered.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from harness.units import SAMPLE_BYTES, SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.emulator.ear.ear import Listening
    from harness.emulator.model.respondent import Turn
    from harness.emulator.user.transcript import Transcript
    from harness.emulator.user.turns import Piece
    from harness.units import Samples

MOST_WAITING: Final = 60 * SAMPLE_RATE * SAMPLE_BYTES
"""Bytes of audio the ear may be behind before the client is no longer read: a minute."""


class Backlog:
    """One session's backlog. `hold` is told True when the client is to be held back, False once half of it is heard."""

    def __init__(self, hold: Callable[[bool], None]) -> None:
        self._tell_hold = hold
        self._held = False
        self._waiting = 0
        self._queue: asyncio.Queue[tuple[Turn, Piece | None, Samples]] = asyncio.Queue()
        self.between = True
        """True: all that was told is of phrases that were heard to their end."""

    @property
    def idle(self) -> bool:
        """Whether all that there was has been heard."""
        return self._waiting == 0

    def add(self, turn: Turn, piece: Piece, end: Samples) -> None:
        """Put a piece of `turn` behind what is there; it ends before sample `end` of all there was."""
        turn.pieces += 1
        self._waiting += len(piece.pcm)
        self._queue.put_nowait((turn, piece, end))
        self._hold()

    def end(self, turn: Turn) -> None:
        """Put the end of `turn` behind what is there."""
        self._queue.put_nowait((turn, None, 0))

    async def hear(
        self,
        listening: Listening,
        transcript: Transcript,
        heard: Callable[[Turn, Piece, Samples], None],
        answer: Callable[[Turn], None],
    ) -> None:
        """Hear one thing after the other, until cancelled.

        `heard` is given each piece and where it ends, `answer` each turn that has been heard to its end.
        """
        while True:
            turn, piece, end = await self._queue.get()
            if piece is None:
                transcript.end(turn.language)
                answer(turn)
                continue
            async for fragment in listening.hear(piece.pcm, last=piece.last):
                self.between = False
                turn.text += fragment
                transcript.add(fragment)
            turn.language = listening.language
            self._waiting -= len(piece.pcm)
            self._hold()
            self.between = self.between or piece.last
            heard(turn, piece, end)

    def _hold(self) -> None:
        full = self._waiting > (MOST_WAITING // 2 if self._held else MOST_WAITING)
        if full is not self._held:
            self._held = full
            self._tell_hold(full)
