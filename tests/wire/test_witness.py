"""Google's own message definitions as a witness of ours: names, types and enum values."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

import pytest

from harness.wire.live import codec, names, scalars
from harness.wire.live.endpoint import Route
from harness.wire.live.enums import ENUMS, LATER_VALUES
from harness.wire.live.fields import (
    Duration,
    EnumName,
    Float32,
    Float64,
    Int32,
    Int64,
    Message,
    Timestamp,
)
from harness.wire.live.messages import Blob, ClientMessage, ServerMessage
from harness.wire.live.refusals import Refused
from tests.wire.published import NOT_PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.witness,
    pytest.mark.filterwarnings("ignore"),
]

NOT_OURS = {
    # Of the general configuration the Live API does not take these.
    "GenerationConfig": {
        "image_config",
        "logprobs",
        "response_json_schema",
        "response_json_schema_ordered",
        "response_logprobs",
        "response_mime_type",
        "response_schema",
        "stop_sequences",
    },
}


@pytest.fixture(scope="module")
def pairs() -> list[tuple[type[Message], Any]]:
    """Return each of our classes with Google's descriptor of the same message."""
    proto = pytest.importorskip("google.ai.generativelanguage_v1beta")
    found: dict[tuple[type[Message], str], tuple[type[Message], Any]] = {}

    def walk(kind: type[Message], descriptor: Any) -> None:
        if (kind, descriptor.full_name) in found:
            return
        found[kind, descriptor.full_name] = kind, descriptor
        theirs = {field.name.rstrip("_"): field for field in descriptor.fields}
        for name, hint in _leaves(kind):
            if name in theirs and isinstance(hint, type) and issubclass(hint, Message):
                walk(hint, theirs[name].message_type)

    walk(ClientMessage, proto.BidiGenerateContentClientMessage.pb().DESCRIPTOR)
    walk(ServerMessage, proto.BidiGenerateContentServerMessage.pb().DESCRIPTOR)
    return list(found.values())


def _leaves(kind: type[Message]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of `kind` with their types, lists and None taken off."""
    for name, hint in get_type_hints(kind, include_extras=True).items():
        inner = hint
        while get_origin(inner) in (types.UnionType, Union, list):
            inner = next(one for one in get_args(inner) if one is not types.NoneType)
        if name != "unknown":
            yield name, inner


@pytest.mark.capability("setup: every field, with its defaults", side="parts and emulator")
def test_our_fields_are_googles(pairs):
    """Every published field is ours under the same JSON name, and what we have beyond them is listed here."""
    assert len(pairs) > 30
    for kind, descriptor in pairs:
        ours = {name for name, _ in _leaves(kind)}
        theirs = {field.name.rstrip("_") for field in descriptor.fields}
        assert NOT_PUBLISHED.get(kind.__name__, set()) == ours - theirs, kind
        assert NOT_OURS.get(kind.__name__, set()) == theirs - ours, kind
        wire = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
        for field in descriptor.fields:
            name = field.name.rstrip("_")
            assert name not in wire or wire[name] == field.json_name


@pytest.mark.capability("setup: every field, with its defaults", side="parts and emulator")
def test_our_types_are_googles(pairs):
    """A field that Google calls text, a number, bytes, a flag, an enum or a message is one of ours as well."""
    from google.protobuf.descriptor import FieldDescriptor as Kind

    ours_for = {
        Kind.TYPE_STRING: (str,),
        Kind.TYPE_ENUM: (EnumName,),
        Kind.TYPE_BOOL: (bool,),
        Kind.TYPE_BYTES: (bytes,),
        Kind.TYPE_INT32: (Int32,),
        Kind.TYPE_INT64: (Int64,),
        Kind.TYPE_FLOAT: (Float32,),
        Kind.TYPE_DOUBLE: (Float64,),
    }
    for kind, descriptor in pairs:
        theirs = {field.name.rstrip("_"): field for field in descriptor.fields}
        for name, hint in _leaves(kind):
            if name not in theirs:
                continue
            if theirs[name].type in ours_for:
                assert hint in ours_for[theirs[name].type], (kind, name)
            elif theirs[name].message_type.name in ("Duration", "Timestamp"):
                # What a server sends is read as any text.
                assert hint in (str, Duration, Timestamp)
            else:
                free_form = hint is Any or get_origin(hint) is dict
                assert free_form or issubclass(hint, Message), (kind, name)


@pytest.mark.capability("setup: every field, with its defaults", side="parts and emulator")
def test_our_enum_values_are_googles(pairs):
    """The names and numbers that are read are the published ones, but for those that came later; no enum is left out."""
    descriptors = dict(pairs)
    checked = 0
    for (kind, name), enum in ENUMS.items():
        theirs = {field.name.rstrip("_"): field for field in descriptors[kind].fields}
        if name not in theirs:
            continue
        checked += 1
        later = LATER_VALUES.get((kind, name), frozenset())
        ours = {value: number for value, number in enum.numbers.items() if value not in later}
        assert {value.name: value.number for value in theirs[name].enum_type.values} == ours
        assert theirs[name].enum_type.full_name.endswith(f".v1beta.{enum.name}")
    published = [
        field
        for kind, descriptor in pairs
        for field in descriptor.fields
        if field.enum_type and field.name.rstrip("_") in kind.__struct_fields__
    ]
    assert checked == len(published) >= 13


@pytest.mark.capability("setup: every field, with its defaults", side="parts and emulator")
def test_our_classes_are_called_as_googles(pairs):
    """What a refusal calls a message's type is what Google calls it."""
    others = {
        "FunctionResponseBlob",
        "Interval",
        "ActivityEnd",
    }  # of one shape with another, or not the Live API's
    for kind, descriptor in pairs:
        if descriptor.name not in others:
            assert f"type.googleapis.com/{descriptor.full_name}" == codec.type_name(kind)


STRANGE = (
    True, "true", 0, 5, -1, 7.0, 1.5, 1e39, "5", "5.5", "x", "", 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63,
    "2147483648", "9223372036854775808", 10**400, float("nan"), None, [], [None], ["x"], [5], [{}], {}, {"x": 1},
    {"x": "y"}, {"x": {}}, {"x": None},
    2, 99, "2", "99", "1e2", "5.0", "1.5e1", "007", "+5", "-0", "0x5", " 5", "5 ", "1e", "TEXT", "text", [1], ["1"], [99],
    "3.5s", "3s", "-3.5s", "0.000000001s", "1.s", ".5s", "s", "3.5", "3.5 s", "3.5S", "315576000000s", "315576000001s",
    "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05+01:00", "2026-01-02T03:04:05",
    "2026-01-02", "2026-01-02t03:04:05z", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05.1234567891Z", "2026-01-02 03:04:05Z",
    "AQID", "AQI=", "AQI", "A", "-_-_", "+/+/", "AQ\nID", "A=", [True], [[]], [{"x": 1}], 1.0, -0.0,
)  # fmt: skip
"""Values that some field takes and others do not."""


def _ours_takes(kind: type[Message], tree: Any) -> bool:
    """Return whether our decoder and the table of names take `tree` as a message of class `kind`."""
    try:
        message = codec.message_from(tree, kind, strict=True)
    except ValueError:
        return False
    return all(
        not inner.unknown and _named(inner, name)
        for inner, _ in names.messages(message)
        for name in inner.__struct_fields__
    )


def _named(message: Message, name: str) -> bool:
    """Return whether a field of an enum has one of the enum's names, a number, or none."""
    if (enum := ENUMS.get((type(message), name))) is None:
        return True
    value = getattr(message, name)
    return all(
        one is None or one in enum.numbers or scalars.is_number(one)
        for one in (value if isinstance(value, list) else [value])
    )


@pytest.mark.capability("setup: every field, with its defaults", side="parts and emulator")
@pytest.mark.parametrize("value", STRANGE, ids=lambda value: repr(value)[:20])
def test_our_decoder_takes_what_googles_takes(pairs, value):
    """Of every field of every message a strange value is taken or refused as Google's own parser of JSON does."""
    from google.protobuf import json_format
    from google.protobuf.message_factory import GetMessageClass

    differ = []
    for kind, descriptor in pairs[
        : next(at for at, (one, _) in enumerate(pairs) if one is ServerMessage)
    ]:
        ours = {name for name, _ in _leaves(kind)} - NOT_PUBLISHED.get(kind.__name__, set())
        for field in descriptor.fields:
            if field.name.rstrip("_") not in ours or _laxer(field, value):
                continue
            try:
                json_format.ParseDict({field.json_name: value}, GetMessageClass(descriptor)())
                theirs = True
            except (json_format.ParseError, OverflowError):
                theirs = False
            if theirs is not _ours_takes(kind, {field.json_name: value}):
                differ.append((f"{kind.__name__}.{field.name}", "taken" if theirs else "refused"))
    assert [] == differ


def _laxer(field: Any, value: Any) -> bool:
    """Return whether the two parsers are known to differ.

    Python's takes true for a number, what is empty for a message, part of a number for an enum, spaces around numbers,
    any text for base64 and half a duration, which Google's servers do not. Ours keeps every number of a free-form object,
    and takes a schema's type in lower case.
    """
    from google.protobuf.descriptor import FieldDescriptor as Kind

    message = field.message_type.name if field.message_type is not None else ""
    single = message and not field.is_repeated
    items = value if isinstance(value, list) else [value]
    return (
        (value is True and field.type in (Kind.TYPE_FLOAT, Kind.TYPE_DOUBLE))
        or (value in ([], "") and single)
        or (value == [[]] and message)
        or (value == 10**400 and single and message in ("Struct", "Value"))
        or (field.enum_type and any(one is True or one in (1.5, " 5", "5 ") for one in items))
        or (single and message == "Duration" and value in ("1.s", "3.5 s"))
        or (field.type == Kind.TYPE_BYTES and isinstance(value, str))
    )


@pytest.mark.capability("setup: every field, with its defaults", side="parts and emulator")
def test_what_googles_parser_refuses_twice_ours_does(pairs):
    """A field that Google's parser refuses in both casings at once is refused here, as every other is."""
    from google.protobuf import json_format
    from google.protobuf.message_factory import GetMessageClass

    route = Route(platform="gemini", version="v1alpha")
    refused = 0
    for kind, descriptor in pairs:
        trees: dict[int, Any] = {}
        for field in descriptor.fields:
            name = field.name.rstrip("_")
            if name == field.json_name or name not in kind.__struct_fields__:
                continue
            if (choice := _choice(field)) not in trees:
                message = filled(GetMessageClass(descriptor), choice)
                trees[choice] = json_format.MessageToDict(message)
            both = dict.fromkeys((field.name, field.json_name), trees[choice][field.json_name])
            try:
                json_format.ParseDict(both, GetMessageClass(descriptor)())
            except json_format.ParseError:
                refused += 1
            with pytest.raises(Refused, match="is already set"):
                names.check_fields(codec.message_from(both, kind), "", route, "later")
    assert refused > 20


def _choice(field: Any) -> int:
    """Return the choice by which `filled` sets this field of its oneof."""
    return field.containing_oneof.fields.index(field) if field.containing_oneof else 0


BASE64 = ("AQID", "AQI=", "AQI", "AQ", "-_-_", "+/+/", "AQ\nID", "AQ ID", "A", "AAAAA", "")


@pytest.mark.parametrize("text", BASE64)
def test_bytes_are_googles(text):
    """Base64 of either alphabet, padded or not, in lines or not, is the bytes that Google's parser makes of it, or none."""
    proto = pytest.importorskip("google.ai.generativelanguage_v1beta")
    from google.protobuf import json_format

    try:
        theirs = json_format.ParseDict({"data": text}, proto.Blob.pb()()).data
    except json_format.ParseError:
        theirs = None
    try:
        ours = codec.message_from({"data": text}, Blob).data
    except ValueError:
        ours = None
    assert theirs == ours


# ── Google's messages, whole ─────────────────────────────────────────────────────────────────────────────────────────


def filled(kind: Any, choice: int, depth: int = 0) -> Any:
    """Return a message of Google's class `kind` with every field set; of every oneof the `choice`-th."""
    message = kind()
    known = {
        "google.protobuf.Struct": lambda: message.update({"a": [1, "b", None]}),
        "google.protobuf.Value": lambda: setattr(message, "string_value", "v"),
        "google.protobuf.Duration": lambda: message.FromMilliseconds(1500),
        "google.protobuf.Timestamp": lambda: message.FromSeconds(1_700_000_000),
    }
    if (name := kind.DESCRIPTOR.full_name) in known:
        known[name]()
        return message
    for field in kind.DESCRIPTOR.fields:
        chosen = field.containing_oneof
        if chosen and field.name != chosen.fields[choice % len(chosen.fields)].name:
            continue
        _fill(message, field, choice, depth)
    return message


def _fill(message: Any, field: Any, choice: int, depth: int) -> None:
    from google.protobuf.message_factory import GetMessageClass

    target = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        if value.message_type is None:
            target["k"] = _scalar(value)
        elif depth < DEPTH:
            target["k"].CopyFrom(filled(GetMessageClass(value.message_type), choice, depth + 1))
    elif field.message_type is not None:
        if depth < DEPTH:
            inner = filled(GetMessageClass(field.message_type), choice, depth + 1)
            (target.add() if field.is_repeated else target).CopyFrom(inner)
    elif field.is_repeated:
        target.append(_scalar(field))
    else:
        setattr(message, field.name, _scalar(field))


DEPTH = 7
"""Levels: schemas contain schemas."""


def _scalar(field: Any) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    from google.protobuf.descriptor import FieldDescriptor as Kind

    values = {
        Kind.TYPE_STRING: "text",
        Kind.TYPE_BYTES: b"\xfb\xff",
        Kind.TYPE_BOOL: True,
        Kind.TYPE_FLOAT: 0.5,
        Kind.TYPE_DOUBLE: 0.5,
    }
    return values.get(field.type, 7)


@pytest.mark.capability("setup: every field, with its defaults", side="parts and emulator")
@pytest.mark.capability("setup: unknown fields are kept", side="parts and emulator")
@pytest.mark.parametrize("choice", range(9))
@pytest.mark.parametrize("side", ["Client", "Server"])
def test_googles_messages_survive_our_codec(side, choice):
    """Each of Google's messages with every field set, as Google prints it, comes back from our codec unchanged."""
    proto = pytest.importorskip("google.ai.generativelanguage_v1beta")
    from google.protobuf import json_format

    kind = getattr(proto, f"BidiGenerateContent{side}Message").pb()
    theirs = filled(kind, choice)
    decode = codec.decode_client if side == "Client" else codec.decode_server
    for snake in (False, True):
        printed = json_format.MessageToJson(theirs, preserving_proto_field_name=snake)
        again = json_format.Parse(codec.encode(decode(printed)), kind())
        assert theirs == again
