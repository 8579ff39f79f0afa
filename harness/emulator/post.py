"""A POST request, read from a socket that else takes WebSocket upgrades: head and body, as far as they have come.

Knows HTTP/1.1's framing with a Content-Length; knows no paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_BYTES: Final = 256 * 2**10
"""Longest request taken, head and body."""


class MalformedRequestError(ValueError):
    """What came is no POST request that could be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One whole request."""

    path: str
    """Without the query."""

    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class PostReader:
    """Takes the bytes of one request as they come."""

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, data: bytes) -> Post | None:
        """Return the request once it is whole; None: more is to come. MalformedRequestError when it never will be."""
        self._data += data
        if len(self._data) > MOST_BYTES:
            raise MalformedRequestError("the request is too long")
        head, end, body = bytes(self._data).partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        try:
            _, target, _ = first.split(" ")
            headers = tuple(
                (name, value.strip()) for name, value in (one.split(":", 1) for one in lines)
            )
            length = int(
                {name.lower(): value for name, value in headers}.get("content-length", "0")
            )
        except ValueError as error:
            raise MalformedRequestError("no HTTP request") from error
        if not 0 <= length <= MOST_BYTES:
            raise MalformedRequestError("the request is too long")
        if len(body) < length:
            return None
        path, _, query = target.partition("?")
        return Post(path=path, query=query, headers=headers, body=body[:length])
