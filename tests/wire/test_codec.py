"""Frames: laws of reading and writing them, whatever they hold."""

from __future__ import annotations

import base64
import json
import types
from datetime import UTC, datetime
from functools import cache
from itertools import product
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import LocalProtocolError, RemoteProtocolError
from harness.wire.live import codec
from harness.wire.live.enums import ENUMS
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
from harness.wire.live.messages import (
    Blob,
    ClientMessage,
    FunctionCall,
    GenerationConfig,
    GoAway,
    ModalityTokenCount,
    RealtimeInput,
    ServerContent,
    ServerMessage,
    SessionResumptionUpdate,
    Setup,
    SetupComplete,
    ToolCall,
    Transcription,
    UsageMetadata,
)

some = settings(deadline=None, max_examples=40)
few = settings(deadline=None, max_examples=10)


def _all_messages(kind: type[Message] = Message) -> list[type[Message]]:
    return [one for child in kind.__subclasses__() for one in (child, *_all_messages(child))]


KINDS = _all_messages()

# ── Strategies from the classes themselves ───────────────────────────────────────────────────────────────────────────

finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=12)
json_leaves = st.booleans() | st.integers(-(10**25), 10**25) | finite | texts
json_values = json_leaves | st.recursive(
    json_leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=3,
)
objects = st.dictionaries(texts, json_values | st.none(), max_size=3)
scalars = {
    str: texts,
    EnumName: st.from_regex(r"[A-Z][A-Z0-9_]{0,9}", fullmatch=True),
    Duration: st.integers(-(10**9), 10**9).map(lambda ms: f"{ms / 1000:.3f}s"),
    Timestamp: st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    bool: st.booleans(),
    Int32: st.integers(-(2**31), 2**31 - 1),
    Int64: st.integers(-(2**63), 2**63 - 1),
    Float32: st.floats(-3e38, 3e38),
    Float64: finite,
    bytes: st.binary(max_size=9),
    Any: json_values,
}


def values_of(
    hint: Any, *, always: bool, unknown: bool, within: type[Message] | None = None
) -> st.SearchStrategy[Any]:
    """Return values of a field of type `hint` in a message of class `within`; with `always`, never None."""
    arguments = get_args(hint)
    if get_origin(hint) in (types.UnionType, Union):
        (inner,) = (one for one in arguments if one is not types.NoneType)
        given_one = values_of(inner, always=always, unknown=unknown, within=within)
        return given_one if always else st.none() | given_one
    if get_origin(hint) is list:
        return st.lists(
            values_of(arguments[0], always=always, unknown=unknown, within=within),
            min_size=1 if always else 0,
            max_size=2,
        )
    if get_origin(hint) is dict:
        inner = values_of(arguments[1], always=False, unknown=unknown, within=within)
        return objects if arguments[1] is Any else st.dictionaries(texts, inner, max_size=2)
    if hint is within:
        # A class that holds itself, as schemas do, is not filled without end.
        return st.builds(hint)
    if hint not in scalars:
        # Only the outermost message is filled: every class is one somewhere, and a tree of full ones is mostly drawing.
        return messages(hint, unknown=unknown)
    return scalars[hint]


@cache
def messages(
    kind: type[Message], *, always: bool = False, unknown: bool = True
) -> st.SearchStrategy[Any]:
    """Return messages of class `kind`; with `always`, every field of its own set."""
    hints = get_type_hints(kind, include_extras=True)
    fields = {
        name: st.deferred(
            lambda hint=hint: values_of(hint, always=always, unknown=unknown, within=kind)
        )
        for name, hint in hints.items()
        if name != "unknown"
    }
    names = {*kind.__struct_fields__, *kind.__struct_encode_fields__} - {""}
    others = st.dictionaries(
        texts.filter(lambda name: name not in names), json_values | st.none(), max_size=2
    )
    return st.builds(kind, **fields, unknown=others if unknown else st.just({}))


# ── Round trips ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("setup: unknown fields are kept", side="parts and emulator")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@few
def test_every_class_survives_the_wire(kind, data):
    """What is written is read back, every field and every unknown field of every class."""
    message = data.draw(messages(kind, always=data.draw(st.booleans())))
    assert message == codec.message_from(codec.to_json(message), kind)


@pytest.mark.capability("setup: unknown fields are kept", side="parts and emulator")
@given(messages(ServerMessage))
@some
def test_server_messages_survive_the_wire(message):
    """decode(encode(m)) == m for whatever a server can say, compact or printed as the service prints it."""
    assert message == codec.decode_server(codec.encode(message))
    assert message == codec.decode_server(codec.encode_server(message))


@pytest.mark.capability("setup: unknown fields are kept", side="parts and emulator")
@given(messages(ClientMessage))
@some
def test_client_messages_survive_the_wire(message):
    """decode(encode(m)) == m for whatever a client can say."""
    assert message == codec.decode_client(codec.encode(message))


@given(messages(ServerMessage, unknown=False))
@some
def test_both_paths_read_the_same(message):
    """The typed decoder and the field walk agree on every frame that both take."""
    frame = codec.encode(message)
    fast = msgspec.json.decode(frame, type=ServerMessage)
    assert fast == codec.message_from(json.loads(frame), ServerMessage)


# ── Tolerance ────────────────────────────────────────────────────────────────────────────────────────────────────────


def disguised(message: Message, draw: Any) -> dict[str, Any]:
    """Return `message` as another proto JSON writer might have put it: same meaning, other spelling."""
    tree: dict[str, Any] = dict(message.unknown)
    kind = type(message)
    for name, wire in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        value = getattr(message, name)
        if name == "unknown":
            continue
        key = draw(st.sampled_from([name, wire]))
        match value:
            case None:
                if draw(st.booleans()):
                    tree[key] = None
            case Message():
                tree[key] = disguised(value, draw)
            case [Message(), *_]:
                tree[key] = [disguised(one, draw) for one in value]
            case dict() if isinstance(next(iter(value.values()), None), Message):
                tree[key] = {at: disguised(one, draw) for at, one in value.items()}
            case bytes():
                plain = base64.urlsafe_b64encode(value).decode()
                tree[key] = plain.rstrip("=") if draw(st.booleans()) else plain
            case int() if not isinstance(value, bool) and int in _types(kind, name):
                tree[key] = str(value)
            case _:
                tree[key] = value
    return tree


def _types(kind: type[Message], name: str) -> tuple[Any, ...]:
    hint = get_type_hints(kind)[name]
    return get_args(hint) or (hint,)


@given(data=st.data())
@some
def test_spelling_does_not_matter(data):
    """Casings mixed, URL-safe and unpadded base64, integers as text, nulls: the message stays the same."""
    message = data.draw(messages(ClientMessage))
    frame = json.dumps(disguised(message, data.draw))
    assert message == codec.decode_client(frame)
    assert message == codec.decode_client(frame.encode())


UNUSUAL = [
    ('{"serverContent": {"turnComplete": null}}', ServerMessage(server_content=ServerContent())),
    ('{"setup_complete": {}}', ServerMessage(setup_complete=SetupComplete())),
    (
        '{"sessionResumptionUpdate": {"lastConsumedClientMessageIndex": "7"}}',
        ServerMessage(
            session_resumption_update=SessionResumptionUpdate(last_consumed_client_message_index=7)
        ),
    ),
    (
        '{"usageMetadata": {"promptTokenCount": 3.0, "promptTokensDetails": [{"modality": 9, "tokenCount": "3"}]}}',
        ServerMessage(
            usage_metadata=UsageMetadata(
                prompt_token_count=3,
                prompt_tokens_details=[ModalityTokenCount(modality="9", token_count=3)],
            )
        ),
    ),
    (
        '{"serverContent": {"turnCompleteReason": "BRAND_NEW", "brandNew": {"a": [1]}}}',
        ServerMessage(
            server_content=ServerContent(
                turn_complete_reason="BRAND_NEW", unknown={"brandNew": {"a": [1]}}
            )
        ),
    ),
    (
        '{"toolCall": {"functionCalls": [{"name": "f", "args": {"snake_case": null, "": {"x": 1}}}]}}',
        ServerMessage(
            tool_call=ToolCall(
                function_calls=[FunctionCall(name="f", args={"snake_case": None, "": {"x": 1}})]
            )
        ),
    ),
    ('{"": {"a": 1}}', ServerMessage(unknown={"": {"a": 1}})),
    (
        '{"goAway": {"timeLeft": "1s"}, "goAway": {"timeLeft": "2s"}}',
        ServerMessage(go_away=GoAway(time_left="2s")),
    ),
]


@pytest.mark.parametrize("frame, message", UNUSUAL)
def test_unusual_frames_are_read(frame, message):
    """Null is absent, numbers may be text, unknown names and fields are kept, free-form objects are left alone."""
    assert message == codec.decode_server(frame)
    assert message == codec.decode_server(memoryview(frame.encode()))


@pytest.mark.capability("setup: every field, with its defaults", side="parts and emulator")
@pytest.mark.parametrize(
    "kind, name, value, number",
    [
        (*place, value, number)
        for place, enum in ENUMS.items()
        for value, number in enum.numbers.items()
    ],
    ids=str,
)
def test_an_enum_value_is_read_by_name_and_number(kind, name, value, number):
    """A published value is the same by its name, in lower case, by its number, and by that as text, alone or in a list."""
    spellings = [value, value.lower()]
    spellings += [] if number is None else [number, float(number), str(number)]
    for written in spellings:
        read = getattr(codec.message_from({name: written}, kind), name)
        assert read in (value, [value])
        if isinstance(read, list):
            assert read == getattr(codec.message_from({name: [written]}, kind), name)


@pytest.mark.parametrize("kind", [GenerationConfig, ServerContent, UsageMetadata])
@given(data=st.data())
@few
def test_of_two_spellings_the_camel_one_holds(kind, data):
    """A field in both casings has the value of its camelCase one, whichever comes first; the other is kept and written."""
    message = data.draw(messages(kind, always=True, unknown=False))
    tree = codec.to_json(message)
    both = [
        (name, wire)
        for name, wire in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
        if name not in ("unknown", wire)
    ]
    for name, wire in both[:3]:
        if wire not in tree:
            continue
        for frame in ({name: 7} | tree, tree | {name: 7}):
            read = codec.message_from(frame, kind)
            assert {name: 7} == read.unknown
            assert message == msgspec.structs.replace(read, unknown={})
            assert read == codec.message_from(codec.to_json(read), kind)
        assert message == codec.message_from(tree | {name: None}, kind)


@pytest.mark.parametrize(
    "frame, strict",
    [
        ({"setup": {"generationConfig": {"responseModalities": "AUDIO"}}}, "Invalid value"),
        ({"setup": {"tools": {"googleSearch": {}}}}, "Invalid value"),
        ({"clientContent": {"turns": {"parts": {"text": "x"}}}}, "Invalid value"),
    ],
)
def test_a_value_alone_is_a_list_of_one(frame, strict):
    """What stands where a list is due is its one item, as Google's servers take it; protobuf's parsers do not."""
    lone = codec.decode_client(json.dumps(frame))
    assert lone == codec.decode_client(codec.encode(lone), strict=True)
    with pytest.raises(RemoteProtocolError, match=strict):
        codec.decode_client(json.dumps(frame), strict=True)


BYTES = bytes(range(251, 256)) * 40


@pytest.mark.parametrize(
    "written",
    [
        base64.b64encode(BYTES),
        base64.urlsafe_b64encode(BYTES),
        base64.b64encode(BYTES).rstrip(b"="),
        base64.urlsafe_b64encode(BYTES).rstrip(b"="),
        base64.encodebytes(BYTES),
        base64.encodebytes(BYTES).replace(b"\n", b"\r\n"),
    ],
    ids=["standard", "url-safe", "unpadded", "url-safe, unpadded", "lines", "MIME"],
)
def test_bytes_are_read_in_every_base64(written):
    """Both alphabets, with or without padding, in lines as MIME writes them: the same bytes."""
    frame = json.dumps({"realtimeInput": {"audio": {"data": written.decode()}}})
    assert BYTES == codec.decode_client(frame).realtime_input.audio.data
    assert BYTES == codec.decode_client(frame, strict=True).realtime_input.audio.data


@pytest.mark.parametrize("count", [2**31, -(2**31) - 1, 2**70, 1e30])
@pytest.mark.parametrize("spelling", ["promptTokenCount", "prompt_token_count"])
def test_a_count_that_no_proto_holds_is_refused(spelling, count):
    """Tokens beyond an int32 are no count, in whichever spelling: no sum of those that are outgrows a table."""
    for value in (count, str(int(count))):
        frame = json.dumps({"usageMetadata": {spelling: value}})
        with pytest.raises(RemoteProtocolError, match=r"INT32|INT64"):
            codec.decode_server(frame)


# ── Garbage ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_names = sorted({name for kind in KINDS for name in kind.__struct_encode_fields__})
shaped_garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(_names) | st.text(), inner),
)


def assert_message_or_refusal(frame: Any) -> None:
    """Decode `frame` at both ends: a message comes out, or an error whose text a terminal can show."""
    for decode in (codec.decode_client, codec.decode_server):
        try:
            message = decode(frame)
        except RemoteProtocolError as error:
            text = str(error)
        else:
            assert isinstance(message, Message)
            text = ""
        assert len(text) < 1000
        assert all(line.isprintable() for line in text.splitlines())


@given(st.binary() | st.binary().map(bytearray) | st.binary().map(memoryview))
@some
def test_bytes_are_a_message_or_refused(frame):
    """No bytes raise anything but RemoteProtocolError."""
    assert_message_or_refusal(frame)


@given(st.text(st.characters(exclude_categories=())))
@some
def test_text_is_a_message_or_refused(frame):
    """No text, with lone surrogates even, raises anything but RemoteProtocolError."""
    assert_message_or_refusal(frame)
    assert_message_or_refusal(json.dumps({"serverContent": {"modelTurn": {"role": frame}}}))


@given(shaped_garbage)
@some
def test_wrong_types_under_right_names_are_a_message_or_refused(value):
    """Known names with values of any type, NaN and infinities as well, are taken or refused."""
    assert_message_or_refusal(json.dumps(value))


@given(messages(ClientMessage), st.data())
@some
def test_damaged_frames_are_a_message_or_refused(message, data):
    """A frame with bytes changed, cut out or put in is taken or refused."""
    frame = codec.encode(message)
    at = data.draw(st.integers(0, len(frame)))
    damage = data.draw(st.binary(max_size=3))
    assert_message_or_refusal(frame[:at] + damage + frame[at + data.draw(st.integers(0, 3)) :])


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b'"setup"',
        b"[" * 100_000,
        b'{"setup":' * 10_000,
        b'{"setup":{"labels":' + b'{"a":' * 5000 + b"1" + b"}" * 5002,
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b'{"setup": {"model": "\\ud800"}}',
        b'{"setup": {"model": "\xed\xa0\x80"}}',
        b'{"setup": {"generationConfig": {"temperature": NaN}}}',
        b'{"setup": {"generationConfig": {"temperature": 1e999}}}',
        b'{"setup": {"generationConfig": {"temperature": "Infinity"}}}',
        b'{"setup": {"generationConfig": {"seed": 1' + b"0" * 5000 + b"}}}",
        b'{"setup": {"generationConfig": {"seed": 2147483648}}}',
        b'{"setup": {"generationConfig": {"seed": "-2147483649"}}}',
        b'{"setup": {"generation_config": {"seed": 9223372036854775808}}}',
        b'{"setup": {"generationConfig": {"topK": 1.5}}}',
        b'{"setup": {"generationConfig": {"temperature": 1e39}}}',
        b'{"setup": {"contextWindowCompression": {"triggerTokens": 9223372036854775808}}}',
        b'{"setup": {"generation_config": {"seed": true}}}',
        b'{"setup": {"generationConfig": {"seed": 1.5}}}',
        b'{"setup": {"generationConfig": {"responseModalities": {}}}}',
        b'{"setup": {"generationConfig": {"responseModalities": [null]}}}',
        b'{"setup": {"labels": {"a": 1}}}',
        b'{"setup": []}',
        b'{"realtimeInput": {"audio": {"data": "@@@"}}}',
        b'{"realtimeInput": {"audio": {"data": "AAAAA"}}}',
        b'{"realtimeInput": {"audio": {"data": "AA@AA"}}}',
        b'{"realtimeInput": {"audio": {"data": "\xc3\xa9AAA"}}}',
        b'{"realtimeInput": {"audio": {"data": 5}}}',
        b'{"setup": {}} {}',
        b'{"setup": {"model": "a\nb"}}',
    ],
    ids=lambda frame: repr(frame[:40]),
)
def test_bad_frames_are_refused(frame):
    """Every classical fault is refused as the peer's."""
    with pytest.raises(RemoteProtocolError):
        codec.decode_client(frame)


@pytest.mark.parametrize(
    "frame, detail",
    [
        (
            '{"setup": {"generationConfig": {"topP": "x"}}}',
            "Invalid value at 'setup.generation_config.top_p' (TYPE_FLOAT), \"x\"",
        ),
        (
            '{"setup": {"systemInstruction": {"parts": [{}, {"text": []}]}}}',
            "Invalid JSON payload received. Unknown name \"text\" at 'setup.system_instruction.parts[1]': Proto field is not repeating, cannot start list.",
        ),
        (
            '{"realtimeInput": {"audio": {"data": "@\\u001b[1m"}}}',
            "Invalid value at 'realtime_input.audio.data' (TYPE_BYTES), Base64 decoding failed for \"@\\x1b[1m\"",
        ),
    ],
)
def test_a_refusal_names_the_place(frame, detail):
    """The error says which field cannot hold what, nothing unprintable in it."""
    with pytest.raises(codec.MalformedFrameError) as caught:
        codec.decode_client(frame)
    assert detail == caught.value.detail


def nested(levels: int) -> str:
    """Return a frame whose JSON is `levels` deep."""
    inner = levels - 3
    return '{"setup":{"safetySettings":[' + '{"a":' * inner + "1" + "}" * inner + "]}}"


def test_depth_is_bounded_where_protobuf_bounds_it():
    """What is read can be written again, since nothing deeper than protobuf's own 100 levels is read."""
    deepest = codec.decode_client(nested(codec.MAX_DEPTH))
    assert deepest == codec.decode_client(codec.encode(deepest))
    for levels in (codec.MAX_DEPTH + 1, 900):
        for frame in (nested(levels), nested(levels).encode(), memoryview(nested(levels).encode())):
            with pytest.raises(codec.MalformedFrameError, match="too deep"):
                codec.decode_client(frame)
    wide = ClientMessage(setup=Setup(safety_settings=[{}] * 1000))
    assert wide == codec.decode_client(codec.encode(wide))


@pytest.mark.parametrize(
    "decode, inner, most",
    [
        *product([codec.decode_server, codec.decode_client], ["[]", "{}", '{"text":""}'], [1000]),
        (codec.decode_server, "[]", codec.MOST_OBJECTS),
    ],
)
def test_a_frame_of_nothing_but_objects_is_refused(decode, inner, most, monkeypatch):
    """Objects are bounded by number, since each is a hundred times what it is written with; as many as may be are read."""
    monkeypatch.setattr(codec, "MOST_OBJECTS", most)
    many = ",".join([inner] * (most - 10))
    assert decode('{"x":[' + many + "]}")
    for place in (
        '{"x":[',
        '{"serverContent":{"modelTurn":{"parts":[',
        '{"clientContent":{"turns":[',
    ):
        frame = place + many + f",{inner}" * 20 + "]" + "}" * place.count("{")
        with pytest.raises(codec.MalformedFrameError, match=f"More than {most} objects"):
            decode(frame.encode())


numbers = (
    st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [s * 2**bits + n for s in (-1, 1) for bits in (31, 63, 64) for n in (-1, 0, 1)]
    )
)


@pytest.mark.parametrize(
    "place, bits",
    [
        ('{"usageMetadata": {"totalTokenCount": %s}}', 31),
        ('{"sessionResumptionUpdate": {"lastConsumedClientMessageIndex": %s}}', 63),
    ],
    ids=["int32", "int64"],
)
@given(number=numbers)
@some
def test_an_integer_is_what_its_type_holds(place, bits, number):
    """A number that the field's type cannot hold is refused and every other is taken, whichever decoder reads it."""
    spellings = [json.dumps(number)] + [f'"{number}"'] * isinstance(number, int)
    for spelling in spellings:
        try:
            message = codec.decode_server(place % spelling)
        except RemoteProtocolError:
            assert not -(2**bits) <= number < 2**bits or number != int(number)
        else:
            assert -(2**bits) <= number < 2**bits
            assert message == codec.decode_server(codec.encode(message))


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("audio in: 16 kHz sent, 4 to 192 kHz taken", side="parts")
@given(st.binary(max_size=4000), st.sampled_from([8000, 16000, 24000, 44100, 48000]))
@some
def test_the_fast_audio_frame_is_the_frame(pcm, rate):
    """`audio_frame` gives the very bytes that encoding the message gives."""
    blob = Blob(mime_type=f"audio/pcm;rate={rate}", data=pcm)
    # An empty blob is no default in a hand-made frame, so only audio is compared.
    if pcm:
        expected = codec.encode(ClientMessage(realtime_input=RealtimeInput(audio=blob)))
        assert expected == codec.audio_frame(pcm, rate)
    assert (
        blob == codec.decode_client(codec.audio_frame(memoryview(pcm), rate)).realtime_input.audio
    )


def test_the_service_prints_like_this():
    """The first frame of a session is, byte for byte, the one in public logs."""
    frame = codec.encode_server(ServerMessage(setup_complete=SetupComplete()))
    assert b'{\n  "setupComplete": {}\n}\n' == frame


def test_defaults_are_not_written_and_zeros_that_say_something_are():
    """False, empty lists and absent fields are dropped; a temperature of 0 and a budget of 0 are kept."""
    config = GenerationConfig(temperature=0.0, seed=0)
    message = ClientMessage(setup=Setup(model="m", generation_config=config))
    expected = {"setup": {"model": "m", "generationConfig": {"temperature": 0.0, "seed": 0}}}
    assert expected == codec.to_json(message)
    content = ServerContent(turn_complete=False, input_transcription=Transcription(text=""))
    assert {"inputTranscription": {}} == codec.to_json(content)


def test_half_a_surrogate_pair_is_our_fault():
    """A text that is none cannot be sent, and is not blamed on the peer."""
    with pytest.raises(LocalProtocolError):
        codec.encode(ClientMessage(realtime_input=RealtimeInput(text="\ud800")))


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("50s", 50.0),
        ("1.500s", 1.5),
        ("", 0.0),
        ("0s", 0.0),
        ("-3s", 0.0),
        ("10.000000001s", 10.000000001),
    ],
)
def test_time_left_is_a_proto_duration(text, seconds):
    """The time left in goAway is read as proto JSON prints durations; no time is 0."""
    assert seconds == GoAway(time_left=text).time_left_s


@pytest.mark.parametrize("text", ["50", "nans", "infs", "1e3s", "s", " 1s", "1s\n", "٣s"])
def test_other_times_are_no_durations(text):
    """What is not a proto duration is a ValueError, never NaN."""
    with pytest.raises(ValueError, match="not a duration"):
        _ = GoAway(time_left=text).time_left_s
