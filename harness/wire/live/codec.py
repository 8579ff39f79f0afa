"""Frames to messages and back.

Reading is tolerant, as proto JSON is: camelCase and snake_case at every level, standard and URL-safe base64 with or
without padding, integers as strings, enum values by number, null for absent, unknown fields kept raw, unknown enum names
and numbers taken as text. Google's servers take a single value for a list of one and enum names in lower case as well, so
both are read unless it is to be `strict`, as protobuf's own parsers are. A field that comes in both casings has the value
of its camelCase one; the other is kept raw. A typed decoder takes the frames that the service itself prints; what it
refuses is walked field by field. Writing is compact camelCase.

Knows bytes and fields. Does not know which message may follow which (`client`, `server`) nor which values the service
takes (`names`, `rules`).
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from functools import cache, partial
from typing import (
    Annotated,
    Any,
    Final,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
import pybase64

from harness.errors import LocalProtocolError, RemoteProtocolError
from harness.units import SAMPLE_RATE
from harness.wire.live.enums import ANY_CASE, ENUMS
from harness.wire.live.fields import EnumName, Message
from harness.wire.live.messages import ClientMessage, ServerMessage
from harness.wire.live.scalars import (
    INVALID_JSON,
    SCALARS,
    STRUCT,
    MismatchError,
    Reader,
    enum_reader,
    excerpt,
    mismatch,
    read_object,
)

Frame: TypeAlias = "bytes | bytearray | memoryview | str"

_M = TypeVar("_M", bound=Message)

MAX_DEPTH = 100
"""Levels of JSON. Source: protobuf's JSON parsers refuse more."""

MOST_OBJECTS = 2**18
"""Objects and lists in a frame. Each takes a hundred times the memory of the two characters it is written with, so a frame
full of them would fill any machine's. Braces within texts are counted too: only a parser could tell them apart."""


class MalformedFrameError(RemoteProtocolError):
    """A frame that is not a Live API message. `detail` says why in the words the service uses."""

    def __init__(self, detail: str, frame: Frame) -> None:
        super().__init__(f"not a Live API message: {detail}", why=f"it begins: {excerpt(frame)}")
        self.detail = detail


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_fast_server = msgspec.json.Decoder(ServerMessage)
_fast_client = msgspec.json.Decoder(ClientMessage)


def decode_server(frame: Frame) -> ServerMessage:
    """Return the server's message in `frame`; MalformedFrameError when there is none."""
    try:
        _check_depth(frame)
        return _fast_server.decode(frame)
    except (ValueError, RecursionError):
        return decode_as(frame, ServerMessage)


def decode_client(frame: Frame, *, strict: bool = False) -> ClientMessage:
    """Return the client's message in `frame`; MalformedFrameError when there is none."""
    try:
        _check_depth(frame)
        return _fast_client.decode(frame)
    except (ValueError, RecursionError):
        return decode_as(frame, ClientMessage, strict=strict)


_SELDOM: Final = 16
"""Objects and lists: messages of speech have five."""


def _opens_seldom(text: bytes | bytearray | str) -> bool:
    """Return whether JSON has too few objects and lists to nest deep.

    To look for the next one is cheaper than to count them all in speech, which is the usual long message.
    """
    braces: tuple[Any, ...] = ("{", "[") if isinstance(text, str) else (b"{", b"[")
    left = _SELDOM
    for brace in braces:
        at = text.find(brace)
        while at >= 0:
            left -= 1
            if not left:
                return False
            at = text.find(brace, at + 1)
    return True


def _check_depth(frame: Frame) -> None:
    """Raise RecursionError when JSON nests deeper than protobuf allows, so that what was read can also be written.

    MalformedFrameError when it has more objects than memory is given for.
    """
    if len(frame) <= 2 * MAX_DEPTH:
        # Every level takes two characters at least.
        return
    text = bytes(frame) if isinstance(frame, memoryview) else frame
    if _opens_seldom(text):
        return
    openings = (
        text.count("{") + text.count("[")
        if isinstance(text, str)
        else text.count(b"{") + text.count(b"[")
    )
    if openings <= MAX_DEPTH:
        return
    if openings > MOST_OBJECTS:
        raise MalformedFrameError(f"{INVALID_JSON} More than {MOST_OBJECTS} objects.", frame)
    level = [msgspec.json.decode(text)]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for value in level
            if isinstance(value, (dict, list))
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    if level:
        raise RecursionError


def message_from(value: Any, kind: type[_M], *, strict: bool = False) -> _M:
    """Return the message of class `kind` in a JSON value, read as tolerantly as a frame; ValueError says what is wrong."""
    if not isinstance(value, dict):
        raise mismatch(type_name(kind), value)
    fields = _fields(kind, strict)
    known: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    field = None
    try:
        for name, inner in value.items():
            field = fields.get(name)
            if field is None:
                unknown[name] = inner
            elif inner is None:
                continue
            elif name != field.wire_name and value.get(field.wire_name) is not None:
                unknown[name] = inner
            else:
                known[field.attribute] = field.read(inner)
    except MismatchError as error:
        if field:
            error.path.append(field.attribute)
        raise
    return kind(**known, unknown=unknown)


def decode_as(frame: Frame, kind: type[_M], *, strict: bool = False) -> _M:
    """Return the message of class `kind` in `frame`, read field by field; MalformedFrameError when there is none."""
    try:
        _check_depth(frame)
        return message_from(msgspec.json.decode(frame), kind, strict=strict)
    except MismatchError as error:
        raise MalformedFrameError(str(error), frame) from None
    except RecursionError:
        raise MalformedFrameError(f"{INVALID_JSON} Message too deep.", frame) from None
    except ValueError as error:
        # msgspec's own errors, and Unicode's, are ValueErrors.
        raise MalformedFrameError(f"{INVALID_JSON} {_syntax(error)}", frame) from None


def _syntax(error: ValueError) -> str:
    """Return Google's words for JSON that is none (protobuf, json_stream_parser.cc)."""
    told = str(error)
    if isinstance(error, UnicodeError) or "utf-8" in told.lower():
        return "Encountered non UTF-8 code points."
    if "truncated" in told:
        return "Unexpected end of string."
    return "Number exceeds the range of double." if "range" in told else "Unexpected token."


def type_name(kind: type[Message]) -> str:
    """Return what Google calls the type of a class of ours."""
    name = kind.__name__
    return f"type.googleapis.com/google.ai.generativelanguage.v1beta.{_NAMED.get(name, name)}"


_NAMED = {
    **{
        name: f"BidiGenerateContent{name}"
        for name in ("Setup", "ClientContent", "RealtimeInput", "ToolResponse", "SetupComplete")
    },
    **{
        name: f"BidiGenerateContent{name}"
        for name in ("ClientMessage", "ServerMessage", "ServerContent", "ToolCall")
    },
    "ToolCallCancellation": "BidiGenerateContentToolCallCancellation",
    "Transcription": "BidiGenerateContentTranscription",
    "Empty": "BidiGenerateContentRealtimeInput.ActivityStart",
    "AutomaticActivityDetection": "RealtimeInputConfig.AutomaticActivityDetection",
    "SlidingWindow": "ContextWindowCompressionConfig.SlidingWindow",
    "GoogleSearch": "Tool.GoogleSearch",
    "ComputerUse": "Tool.ComputerUse",
    "RetrievalResource": "FileSearch.RetrievalResource",
    "RetrievalConfig": "FileSearch.RetrievalConfig",
}


@dataclass(frozen=True, slots=True)
class _Field:
    attribute: str
    wire_name: str
    read: Reader


@cache
def _fields(kind: type[Message], strict: bool) -> dict[str, _Field]:
    """Return the fields of `kind` by each of their names on the wire: camelCase and snake_case."""
    hints = get_type_hints(kind, include_extras=True)
    table = {}
    for info in msgspec.structs.fields(kind):
        if info.name != "unknown":
            place = (kind, info.name)
            exact = strict and place not in ANY_CASE
            scalars = SCALARS | {EnumName: enum_reader(ENUMS.get(place), exact=exact)}
            read = _reader(hints[info.name], scalars, strict)
            field = _Field(info.name, info.encode_name, read)
            table[info.encode_name] = table[info.name] = field
    return table


def _reader(hint: Any, scalars: dict[Any, Reader], strict: bool) -> Reader:
    """Return the function that reads a JSON value, never null, into a field of type `hint`."""
    arguments = get_args(hint)
    if get_origin(hint) in (types.UnionType, Union):
        (hint,) = (one for one in arguments if one is not types.NoneType)
        return _reader(hint, scalars, strict)
    if get_origin(hint) is Annotated and hint not in scalars:
        return _reader(arguments[0], scalars, strict)
    if get_origin(hint) is list:
        read_item = _reader(arguments[0], scalars, strict)
        return _list_reader(read_item, _named(arguments[0]), strict=strict)
    if get_origin(hint) is dict:
        free = arguments[1] is Any
        return read_object if free else _map_reader(_reader(arguments[1], scalars, strict))
    if isinstance(hint, type) and issubclass(hint, Message):
        return partial(message_from, kind=hint, strict=strict)
    return scalars[hint]


def _named(hint: Any) -> str:
    """Return what Google calls the type of a list's items."""
    if isinstance(hint, type) and issubclass(hint, Message):
        return type_name(hint)
    if get_origin(hint) is dict:
        return STRUCT
    return str(get_args(hint)[1]) if get_args(hint) else "TYPE_STRING"


def _list_reader(read_item: Reader, type_name: str, *, strict: bool) -> Reader:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            if strict:
                raise mismatch(type_name, value)
            return [read_item(value)]
        items: list[Any] = []
        try:
            for item in value:
                items.append(read_item(item))  # noqa: PERF401 - its length tells where it broke
        except MismatchError as error:
            error.path.append(f"[{len(items)}]")
            raise
        return items

    return read


def _map_reader(read_value: Reader) -> Reader:
    def read(value: Any) -> dict[str, Any]:
        items: dict[str, Any] = {}
        try:
            for name, inner in read_object(value).items():
                items[name] = read_value(inner)
        except MismatchError as error:
            # A map is told of as the list of its entries that it is in the proto.
            if isinstance(value, dict):
                error.path += ["value", f"[{len(items)}]"]
            raise
        return items

    return read


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_encoder = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """Return `message` as compact JSON, its unknown fields back at their level; LocalProtocolError if it is no text.

    `decode(encode(m)) == m` for every message, save that NaN and infinities, which JSON lacks, become absent.
    """
    try:
        frame = _encoder.encode(message)
        # Only `unknown` has the empty name; a quotation mark inside a text is escaped, so this never misses one.
        return _encoder.encode(_hoisted(message)) if b'"":' in frame else frame
    except UnicodeEncodeError as error:
        raise LocalProtocolError("a text holds half a surrogate pair", why=str(error)) from None


def _hoisted(value: Any) -> Any:
    """Return messages in `value` as dicts of their fields that are not defaults, with the unknown ones beside them."""
    if isinstance(value, Message):
        fields = {
            info.encode_name: _hoisted(inner)
            for info in msgspec.structs.fields(value)
            if info.name != "unknown"
            and (inner := getattr(value, info.name)) is not None
            and (inner or info.default is None)
        }
        return fields | value.unknown
    if isinstance(value, list):
        return [_hoisted(item) for item in value]
    if isinstance(value, dict):
        return {name: _hoisted(item) for name, item in value.items()}
    return value


def to_json(message: Message) -> dict[str, Any]:
    """Return `message` as it is on the wire, in JSON-able builtins; bytes are base64 text."""
    return msgspec.json.decode(encode(message), type=dict[str, Any])


def encode_server(message: ServerMessage) -> bytes:
    """Return `message` as the service prints it: two-space indent, a newline at the end."""
    return msgspec.json.format(encode(message), indent=2) + b"\n"


def audio_frame(pcm: bytes | bytearray | memoryview, rate: int = SAMPLE_RATE) -> bytes:
    """Return the `realtimeInput.audio` frame of s16le mono `pcm` at `rate` Hz: the same bytes as `encode` gives, faster."""
    head = _AUDIO_HEAD if rate == SAMPLE_RATE else _audio_head(rate)
    return b"".join((head, pybase64.b64encode(pcm), _AUDIO_TAIL))


def audio_within(frame: bytes) -> bytes:
    """Return the PCM in a frame that `audio_frame` made at the usual rate; empty when it is no such frame, or a damaged one."""
    if not (frame.startswith(_AUDIO_HEAD) and frame.endswith(_AUDIO_TAIL)):
        return b""
    try:
        return pybase64.b64decode(frame[len(_AUDIO_HEAD) : -len(_AUDIO_TAIL)], validate=True)
    except ValueError:
        return b""


def _audio_head(rate: int) -> bytes:
    return b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=%d","data":"' % rate


_AUDIO_HEAD = _audio_head(SAMPLE_RATE)
_AUDIO_TAIL = b'"}}}'
