"""Whole messages of a WebSocket's data frames (RFC 6455 §5.4). Knows payloads; does not know what is in them."""

from __future__ import annotations


class Fragments:
    """One direction of a connection: frames in order go in, messages come out."""

    def __init__(self) -> None:
        # One buffer, not a list of parts: a fragment may be empty, and there may be any number of them.
        self._begun = bytearray()

    def __len__(self) -> int:
        """Return how many bytes of an unfinished message are kept."""
        return len(self._begun)

    def add(self, payload: bytes | bytearray | memoryview, *, last: bool) -> bytes | None:
        """Return the message that this frame completes; None: more of it is to come."""
        if last and not self._begun:
            return bytes(payload)
        self._begun += payload
        if not last:
            return None
        message, self._begun = bytes(self._begun), bytearray()
        return message
