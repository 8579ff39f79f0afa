"""What messages are made of: the base of their classes, and the proto's scalar types with what each may hold.

Both decoders read the types from here. Source: the language guide of Protocol Buffers, scalar types and JSON mapping.
"""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any, TypeAlias

import msgspec

Int32: TypeAlias = Annotated[int, "TYPE_INT32", msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, "TYPE_INT64", msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

_FLOAT_MAX = (2 - 2**-23) * 2.0**127
_DOUBLE_MAX = sys.float_info.max
Float32: TypeAlias = Annotated[float, "TYPE_FLOAT", msgspec.Meta(ge=-_FLOAT_MAX, le=_FLOAT_MAX)]
"""A `float`, kept as written: it is not rounded to what 32 bits hold."""

Float64: TypeAlias = Annotated[float, "TYPE_DOUBLE", msgspec.Meta(ge=-_DOUBLE_MAX, le=_DOUBLE_MAX)]

EnumName: TypeAlias = Annotated[str, "TYPE_ENUM", msgspec.Meta(pattern=r"^[A-Z][A-Z0-9_]*\Z")]
"""The name of an enum's value; the number of one that has no name is taken as text. The codec reads other spellings."""

DURATION = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?s")
"""How proto JSON writes a `google.protobuf.Duration`."""

_SURE_DURATION = msgspec.Meta(pattern=r"^-?[0-9]{1,11}(\.[0-9]{1,9})?s\Z")
Duration: TypeAlias = Annotated[str, "TYPE_DURATION", _SURE_DURATION]
"""`google.protobuf.Duration`: `3.5s`. Of longer ones the codec sees whether they are too long."""


def duration(seconds: float) -> str:
    """Return `seconds` as proto JSON prints them, to the millisecond: `50s`, `1.500s`."""
    return f"{seconds:.3f}".removesuffix(".000") + "s"


# The pattern can never be met: whether there is such a day, the codec sees.
Timestamp: TypeAlias = Annotated[str, "TYPE_TIMESTAMP", msgspec.Meta(pattern="(?!)")]
"""`google.protobuf.Timestamp`: RFC 3339, with an offset or `Z`."""

UNKNOWN = ""
"""The wire name of `unknown` inside the codec: no real field has an empty name."""


def camel(name: str) -> str:
    """Return a name of either casing in camelCase."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _wire_name(field: str) -> str:
    return UNKNOWN if field == "unknown" else camel(field)


class Message(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename=_wire_name,
):
    """Base of everything on the wire."""

    # The bound can never be met, so a peer's own field named "" fails the fast decoder instead of landing here.
    unknown: Annotated[dict[str, Any], msgspec.Meta(min_length=2**31)] = {}
    """Fields this class does not know, raw."""
