"""A POST request, read from a socket that else takes WebSocket upgrades: head and body, as far as they have come.

Knows HTTP/1.1's framing with a Content-Length; knows no paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_BYTES: Final = 256 * 2**10
"""Longest request taken, head and body."""


_BLANK_LINE: Final = b"\r\n\r\n"


class MalformedRequestError(ValueError):
    """What came is no POST request that could be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One whole request."""

    method: str
    """`POST`, or whatever else begins so."""

    path: str
    """Without the query."""

    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class PostReader:
    """Takes the bytes of one request as they come."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._head_end: int | None = None
        """Where the head ends; None: it has not."""

        self._needed = 0
        """Bytes of the whole request, once the head is there."""

    def add(self, data: bytes) -> Post | None:
        """Return the request once it is whole; None: more is to come. MalformedRequestError when it never will be."""
        seen = len(self._data)
        if seen + len(data) > MOST_BYTES:
            raise MalformedRequestError("the request is too long")
        self._data += data
        if self._head_end is None:
            # In what is new alone: bytes that come one by one are looked at once.
            end = self._data.find(_BLANK_LINE, max(0, seen - len(_BLANK_LINE) + 1))
            if end < 0:
                return None
            self._head_end = end
            self._needed = end + len(_BLANK_LINE) + self._length()
        if len(self._data) < self._needed:
            return None
        (method, target, _), headers = self._head()
        path, _, query = target.partition("?")
        body = bytes(self._data[self._head_end + len(_BLANK_LINE) : self._needed])
        return Post(method=method, path=path, query=query, headers=headers, body=body)

    def _head(self) -> tuple[list[str], tuple[tuple[str, str], ...]]:
        first, *lines = self._data[: self._head_end].decode("latin-1").split("\r\n")
        if not all(":" in one for one in lines):
            raise MalformedRequestError("no HTTP request")
        pairs = (one.partition(":") for one in lines)
        return first.split(" "), tuple((name, value.strip()) for name, _, value in pairs)

    def _length(self) -> int:
        """Return how long the body is; MalformedRequestError when the head does not say it, or is none."""
        words, headers = self._head()
        length = {name.lower(): value for name, value in headers}.get("content-length", "0")
        if len(words) != 3 or not (length.isascii() and length.isdigit() and len(length) < 10):
            raise MalformedRequestError("no HTTP request")
        if int(length) > MOST_BYTES:
            raise MalformedRequestError("the request is too long")
        return int(length)
