"""What a client has sent and nobody has taken yet: frame after frame, of long audio a little at a time.

Knows order and rounds; does not know what a frame means.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.wire.live.codec import Frame

PIECES_A_ROUND: Final = 10
"""Seconds of audio that are taken before others are served: some milliseconds of work."""


class Intake:
    """One session's intake. `take` takes a frame, with a yield after each piece of audio in it.

    `hold` is told True when the client is to be held back, False when it may go on. `failed` is told what `take` raised;
    nothing is taken after it.
    """

    def __init__(
        self,
        *,
        take: Callable[[Frame], Iterator[None]],
        hold: Callable[[bool], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._take = take
        self._tell_hold = hold
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._frames: deque[Frame] = deque()
        self._pieces: Iterator[None] | None = None
        self._paused = False
        self._behind = False
        self._held = False
        self._over = False

    def add(self, frame: Frame) -> None:
        """Take `frame`, once all that came before it is taken."""
        if self._over:
            return
        self._frames.append(frame)
        if self._pieces is None:
            self._pieces = self._of_all()
            self._round()

    def wait(self, behind: bool) -> None:
        """Take no more while the ear is `behind`, and go on when it is not."""
        self._behind = behind
        if self._paused and not behind:
            self._loop.call_soon(self._round)
        self._hold()

    def stop(self) -> None:
        """Take nothing more."""
        self._over = True
        self._frames.clear()

    def _round(self) -> None:
        """Take what has come; of long audio a little, and no more than the ear can bear."""
        if self._over or self._pieces is None:
            return
        try:
            self._paused = sum(1 for _ in islice(self._pieces, PIECES_A_ROUND)) == PIECES_A_ROUND
        except Exception as error:  # noqa: BLE001 - whatever a client's frame does ends its session, and no other
            self._failed(error)
            return
        if not self._paused:
            self._pieces = None
        elif not self._behind:
            self._loop.call_soon(self._round)
        self._hold()

    def _of_all(self) -> Iterator[None]:
        while self._frames:
            yield from self._take(self._frames.popleft())

    def _hold(self) -> None:
        held = self._behind or self._paused
        if held is not self._held and not self._over:
            self._held = held
            self._tell_hold(held)
