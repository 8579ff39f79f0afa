"""How far a connection's audio has come, and how far it was heard to its end: what a resumption goes back to.

Places are samples at 16 kHz, counted from where the connection's hearing begins. Messages are numbered as the service
numbers a client's: the setup is 0, and every connection begins anew.

Knows samples and messages' numbers; does not know turns or text.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Samples

MOST_KEPT: Final = 60 * SAMPLE_RATE * SAMPLE_BYTES
"""Bytes of audio kept that was not heard to its end: a minute. What is older is lost when the session is resumed."""


@dataclass(slots=True)
class _Carried:
    """The audio of one message."""

    number: int
    start: Samples
    end: Samples


class Ledger:
    """One connection's. It begins while the setup is being taken."""

    def __init__(self, *, indexed: bool = False, keeps: bool = False, ahead: Samples = 0) -> None:
        """Begin where the first `ahead` samples of the first audio were heard over an earlier connection.

        `indexed`: the client is told which message was consumed last, and sends those after it again. `keeps`: it is
        not, so what was not heard to its end is kept.
        """
        self._indexed = indexed
        self._keeps = keeps
        self._number = 0
        """Of the message that is being taken."""

        self._position: Samples = -ahead
        self._heard: Samples = 0
        self._carried: deque[_Carried] = deque()
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0

    def came(self, pcm: bytes) -> None:
        """Note more audio, of the message that is being taken."""
        start, self._position = self._position, self._position + len(pcm) // SAMPLE_BYTES
        if self._indexed:
            if self._carried and self._carried[-1].number == self._number:
                self._carried[-1].end = self._position
            else:
                self._carried.append(_Carried(self._number, start, self._position))
        elif self._keeps:
            self._kept.append(pcm)
            self._kept_bytes += len(pcm)
            while self._kept_bytes > MOST_KEPT and len(self._kept) > 1:
                self._kept_bytes -= len(self._kept.popleft())

    def taken(self) -> None:
        """Note that a message has been taken whole."""
        self._number += 1
        self._forget()

    def heard(self, position: Samples) -> None:
        """Note that everything before `position` was heard to its end, or is silence that nobody needs."""
        self._heard = max(self._heard, position)
        self._forget()

    def _forget(self) -> None:
        """Let go of what needs not be sent or heard again."""
        carried = self._carried
        while carried and carried[0].end <= self._heard and carried[0].number < self._number:
            carried.popleft()
        while self._kept and self._kept_bytes - len(self._kept[0]) >= self._unheard_bytes:
            self._kept_bytes -= len(self._kept.popleft())

    @property
    def index(self) -> int:
        """The last message of which, and before which, nothing is left to be heard."""
        return max(0, (self._carried[0].number if self._carried else self._number) - 1)

    @property
    def ahead(self) -> Samples:
        """How much of the message behind that one was heard already."""
        return max(0, self._heard - self._carried[0].start) if self._carried else 0

    @property
    def behind(self) -> Samples:
        """How much audio has come in the messages behind that one."""
        return self._position - self._carried[0].start if self._carried else 0

    @property
    def unheard(self) -> bytes:
        """What was not heard to its end, as far as it is kept, s16le."""
        kept = b"".join(self._kept)
        return kept[max(0, len(kept) - self._unheard_bytes) :]

    @property
    def _unheard_bytes(self) -> int:
        return max(0, self._position - self._heard) * SAMPLE_BYTES
