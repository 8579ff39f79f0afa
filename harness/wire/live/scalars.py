"""JSON values as the proto's scalar types: what proto JSON takes for each, and Google's words for what it does not.

Source: the JSON guide of Protocol Buffers; the words are those of Google's servers.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import msgspec
import pybase64

from harness.wire.live.fields import (
    DURATION,
    Duration,
    Float32,
    Float64,
    Int32,
    Int64,
    Timestamp,
)

if TYPE_CHECKING:
    from harness.wire.live.enums import Enum

Reader: TypeAlias = Callable[[Any], Any]
"""Returns what a JSON value, never null, is in its field; raises MismatchError."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
"""What may be an int64 in a string."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,19}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?")
"""What may be one as well, when it is whole: exponents are taken quoted and unquoted (proto JSON guide)."""

_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
"""How proto JSON writes a `google.protobuf.Timestamp`: RFC 3339 with capital letters."""

_LONGEST_DURATION_S = 315_576_000_000
"""Ten thousand years (google/protobuf/duration.proto)."""

_EXCERPT = 80
"""How many characters of a bad frame an error shows."""


def excerpt(frame: bytes | bytearray | memoryview | str) -> str:
    """Return the first 80 characters of `frame`, made printable."""
    # Four bytes a character at most, so this much always holds 80 characters.
    head = frame[: 4 * _EXCERPT]
    text = head if isinstance(head, str) else bytes(head).decode(errors="replace")
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:_EXCERPT]
    )


INVALID_JSON = "Invalid JSON payload received."
NOT_REPEATING = "Proto field is not repeating, cannot start list."
"""Google's words where a list stands for a single value (zed-industries/zed#44875)."""


class MismatchError(ValueError):
    """A value that its field cannot hold. The path grows from the inside out while the error passes the levels."""

    def __init__(self, type_name: str, problem: str) -> None:
        super().__init__()
        self.path: list[str] = []
        self.type_name = type_name
        self.problem = problem

    def __str__(self) -> str:
        if not self.path:
            return f'{INVALID_JSON} Unknown name "": Root element must be a message.'
        if self.problem is NOT_REPEATING:
            where = f" at '{_joined(self.path[1:])}'" if self.path[1:] else ""
            return f'{INVALID_JSON} Unknown name "{self.path[0]}"{where}: {self.problem}'
        return f"Invalid value at '{_joined(self.path)}' ({self.type_name}), {self.problem}"


def _joined(steps: list[str]) -> str:
    """Return `steps`, which lead from the inside out, as one path."""
    path = ""
    for step in reversed(steps):
        path += step if step.startswith("[") or not path else f".{step}"
    return path


STRUCT = "type.googleapis.com/google.protobuf.Struct"


def read_object(value: Any) -> dict[str, Any]:
    """Return a free-form object."""
    if isinstance(value, dict):
        return value
    raise mismatch(STRUCT, value)


def _read_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise mismatch("TYPE_STRING", value)


def enum_reader(enum: Enum | None, *, exact: bool) -> Reader:
    """Return the reader of an enum's names and numbers; without `exact`, in any case."""
    values = enum.numbers if enum else {}
    read_number = _bounded(Int32, _integer)

    def read(value: Any) -> str:
        if isinstance(value, str) and not is_number(value):
            return value if exact or value.upper() not in values else value.upper()
        try:
            number = read_number(value)
        except MismatchError:
            raise mismatch("TYPE_ENUM", value) from None
        return enum.named(number) if enum else str(number)

    return read


def is_number(text: str) -> bool:
    """Return whether an enum's value is given by its number."""
    return _INTEGER.fullmatch(text) is not None


def _read_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise mismatch("TYPE_BOOL", value)


def _bounded(hint: Any, number_from: Reader) -> Reader:
    """Return the reader of a number of type `hint` (`scalars`), within its bounds."""
    _, type_name, bounds = get_args(hint)

    def read(value: Any) -> Any:
        if not isinstance(value, bool):
            try:
                number = number_from(value)
            except (TypeError, ValueError, OverflowError):
                raise mismatch(type_name, value) from None
            if bounds.ge <= number <= bounds.le:
                return number
        raise mismatch(type_name, value)

    return read


def _integer(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        if not _NUMBER.fullmatch(value):
            raise ValueError
        return _integer(float(value))
    return int(value)


def _read_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        # Line breaks are skipped, as MIME's writers put them in and Google's reader (absl) leaves them out.
        text = "".join(value.split()).replace("-", "+").replace("_", "/").rstrip("=")
        try:
            return pybase64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise MismatchError(
                "TYPE_BYTES", f'Base64 decoding failed for "{excerpt(value)}"'
            ) from None
    raise mismatch("TYPE_BYTES", value)


def _read_duration(value: Any) -> str:
    written = isinstance(value, str) and DURATION.fullmatch(value)
    if written and abs(float(value[:-1])) <= _LONGEST_DURATION_S:
        return str(value)
    raise mismatch("type.googleapis.com/google.protobuf.Duration", value)


def _read_timestamp(value: Any) -> str:
    if isinstance(value, str) and _TIMESTAMP.fullmatch(value):
        try:
            datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            pass
        else:
            return value
    raise mismatch("type.googleapis.com/google.protobuf.Timestamp", value)


def mismatch(type_name: str, value: object) -> MismatchError:
    """Return the error of a value that a field of Google's type `type_name` cannot hold."""
    match value:
        case dict():
            problem = "Starting an object on a scalar field"
        case list():
            problem = NOT_REPEATING
        case _:
            problem = excerpt(msgspec.json.encode(value))
    return MismatchError(type_name, problem)


SCALARS: dict[Any, Reader] = {
    str: _read_text,
    bool: _read_bool,
    Int32: _bounded(Int32, _integer),
    Int64: _bounded(Int64, _integer),
    Float32: _bounded(Float32, float),
    Float64: _bounded(Float64, float),
    bytes: _read_bytes,
    Duration: _read_duration,
    Timestamp: _read_timestamp,
    Any: lambda value: value,
}
