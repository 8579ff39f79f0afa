"""The proto's scalar types as the wire's fields have them: what a number may be, and which texts are names of an enum.

Both decoders read the bounds from here. Source: the language guide of Protocol Buffers, scalar types and JSON mapping.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

Int32: TypeAlias = Annotated[int, "TYPE_INT32", msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, "TYPE_INT64", msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

_FLOAT_MAX = (2 - 2**-23) * 2.0**127
Float32: TypeAlias = Annotated[float, "TYPE_FLOAT", msgspec.Meta(ge=-_FLOAT_MAX, le=_FLOAT_MAX)]
"""A `float`, kept as written: it is not rounded to what 32 bits hold."""

EnumName: TypeAlias = Annotated[str, "TYPE_ENUM"]
"""The name of a value; proto JSON prints the number of one that has no name."""
