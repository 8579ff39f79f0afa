"""What comes in over an open WebSocket, cut into whole messages and what is left to `websockets` (RFC 6455 §5.2).

Nearly all that a service sends are messages of one frame that arrive in one piece. They are cut out here, at a fraction of what
the library's parser takes. Knows heads of frames; does not know what any other frame means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT: Final = 0x81
BINARY: Final = 0x82
"""First byte of a message of one frame: it is the last of its message, reserves nothing, and tells the opcode."""

_MASKED: Final = 0x80
_KEY_BYTES: Final = 4
_SIZE_BYTES: Final = {126: 2, 127: 8}
"""How many bytes tell the size behind a second byte that does not."""


class Inbound:
    """One connection's bytes behind the upgrade, in order."""

    __slots__ = ("_begun", "_left", "within")

    def __init__(self) -> None:
        self._begun = b""
        """A frame's head, as far as it has come."""

        self._left = 0
        """Bytes to come of a frame that is the library's."""

        self.within = False
        """True: the first frames of a message have come and its last has not, so that all is the library's until then."""

    def pieces(self, data: bytes) -> Iterator[tuple[int | None, bytes]]:
        """Yield the payload of each whole message, with `TEXT` or `BINARY`, and with None bytes that are the library's.

        Of these no piece goes beyond the frame it began with. Set `within` before the next piece is asked for.
        """
        if self._begun:
            data, self._begun = self._begun + data, b""
        at, end = 0, len(data)
        while at < end:
            if not self._left:
                place = _payload(data, at)
                if place is None:
                    self._begun = data[at:]
                    return
                start, stop = place
                if data[at] in (TEXT, BINARY) and stop <= end and self._may_cut(data[at + 1]):
                    yield data[at], data[start:stop]
                    at = stop
                    continue
                self._left = stop - at
            to = min(end, at + self._left)
            self._left -= to - at
            yield None, data[at:to]
            at = to

    def _may_cut(self, second: int) -> bool:
        """Return whether a message of one frame may come now, by its head's second byte: a server masks nothing."""
        return not (self.within or second & _MASKED)


def _payload(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where the payload of the frame at `at` begins and ends; None: its head is not whole."""
    start = at + 2
    if start > len(data):
        return None
    size = data[at + 1] & ~_MASKED
    if (told := _SIZE_BYTES.get(size)) is not None:
        if start + told > len(data):
            return None
        size = int.from_bytes(data[start : start + told])
        start += told
    if data[at + 1] & _MASKED:
        start += _KEY_BYTES
    return start, start + size
