"""Columns packed for the page: typed, split into byte planes, compressed, and written as base64.

The page's script unpacks them with what the browser has: base64, gzip, typed arrays. Knows values and bytes; does not
know what the columns mean.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LEAST = -(2**31)
"""What a missing number is written as: the least int32, which no other value becomes."""

_MOST = 2**31 - 1

_LEVEL = 7
"""Of gzip: a level more costs twice the time for one part in a hundred."""


_AT_ONCE = 4096
"""Texts that are joined at a time: together they take as much again."""

_MOST_BYTES = 2**31
"""Of an unpacked part: a page is somebody's file."""


class Pack:
    """Parts by name, each numbers, texts or JSON."""

    def __init__(self) -> None:
        self._index: dict[str, list[Any]] = {}
        self._body: list[bytes | bytearray] = []
        self._length = 0

    def numbers(self, name: str, values: Iterable[float | None], *, per: int = 1) -> None:
        """Add numbers to the precision of 1/`per`; None stays missing. Values beyond int32 are held at its ends.

        The planes of equal byte places compress to half of what whole int32 values would.
        """
        import numpy as np

        parts = np.array(list(values), dtype=np.float64) * per  # None becomes NaN
        held = np.clip(np.rint(parts), _LEAST + 1, _MOST)
        whole = np.where(np.isnan(parts), _LEAST, held).astype("<i4")
        planes = whole.view(np.uint8).reshape(-1, 4).T
        self._add(name, "numbers", planes.tobytes(), len(whole), per)

    def texts(self, name: str, values: Sequence[str]) -> None:
        """Add texts. What cannot be UTF-8 becomes a question mark, and NUL, which parts them, U+FFFD as in HTML."""
        body = bytearray()
        for start in range(0, len(values), _AT_ONCE):
            part = values[start : start + _AT_ONCE]
            joined = "\0".join(value.replace("\0", "\ufffd") for value in part)
            body += (b"\0" if start else b"") + joined.encode(errors="replace")
        self._add(name, "texts", body, len(values))

    def words(self, name: str, values: Sequence[str | None]) -> None:
        """Add texts of which few differ: each once, and numbers that point at them."""
        place = {value: number for number, value in enumerate(dict.fromkeys(values))}
        self.json(name + ".words", list(place))
        self.numbers(name, [place[value] for value in values])

    def json(self, name: str, value: object) -> None:
        """Add a value as JSON; ValueError for NaN."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        self._add(name, "json", text.encode(errors="replace"))

    def _add(self, name: str, kind: str, data: bytes | bytearray, *more: int) -> None:
        self._index[name] = [kind, self._length, len(data), *more]
        self._body.append(data)
        self._length += len(data)

    def base64(self) -> str:
        """Return the whole pack as text of letters, digits, `+`, `/` and `=`: the same for the same parts."""
        index = json.dumps(self._index, separators=(",", ":")).encode()
        press = zlib.compressobj(_LEVEL, wbits=31)  # gzip, with no time of day in it
        parts = [struct.pack("<I", len(index)) + index, *self._body]
        packed = b"".join([*map(press.compress, parts), press.flush()])
        return base64.b64encode(packed).decode()


def embedded(page: str, pattern: str) -> list[str]:
    """Return what a page's data elements hold whose id fits the regular expression, in their order."""
    return re.findall(rf'<script type="text/plain" id="(?:{pattern})">([^<]*)</script>', page)


def unpacked(page: str, name: str) -> dict[str, Any]:
    """Return the parts of a page's pack by name, as its script sees them; ValueError when there is no such pack."""
    try:
        (text,) = embedded(page, f"pack-{name}")
        press = zlib.decompressobj(wbits=31)
        whole = press.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
        start = 4 + struct.unpack_from("<I", whole)[0]
        index = json.loads(whole[4:start])
        return {part: _part(whole[start:], *place) for part, place in index.items()}
    except (zlib.error, struct.error, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"no pack of ours: {error}") from error


def _part(body: bytes, kind: str, offset: int, length: int, *more: int) -> Any:
    import numpy as np

    data = body[offset : offset + length]
    match kind:
        case "numbers":
            count, per = more
            planes = np.frombuffer(data, np.uint8).reshape(4, count)
            values = np.ascontiguousarray(planes.T).view("<i4").ravel().tolist()
            return [None if value == _LEAST else value / per for value in values]
        case "texts":
            return data.decode().split("\0") if more[0] else []
        case _:
            return json.loads(data)
