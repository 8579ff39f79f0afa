"""Whole messages of a WebSocket's data frames (RFC 6455 §5.4). Knows payloads; does not know what is in them."""

from __future__ import annotations


class Fragments:
    """One direction of a connection: frames in order go in, messages come out."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, payload: bytes | bytearray | memoryview, *, last: bool) -> bytes | None:
        """Return the message that this frame completes; None: more of it is to come."""
        if last and not self._parts:
            return bytes(payload)
        self._parts.append(bytes(payload))
        if not last:
            return None
        message, self._parts = b"".join(self._parts), []
        return message
