"""How a message is written: JSON, and the WebSocket frames around it.

Knows bytes. Does not know what they say (`answers`) or when they leave (`network`).
"""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Any, Final

from harness.emulator.quirks.quirk import Parameter, Quirk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harness.emulator.quirks.quirk import Talk

_WRONG: Final[dict[str, Callable[[bytes], bytes]]] = {
    "cut": lambda frame: frame[: len(frame) // 2],
    "bytes": lambda _: b"\xff\xfe\x00 no text at all",
    "list": lambda frame: b"[" + frame + b"]",
    "deep": lambda _: b'{"serverContent":' * 2000 + b"1" + b"}" * 2000,
    "types": lambda _: (
        b'{"serverContent": {"inputTranscription": [1, 2], "turnComplete": "maybe"}}'
    ),
    "empty": lambda _: b"",
}


def printed(value: Any) -> bytes:
    """Return JSON as the service prints it."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode(errors="replace") + b"\n"


def _twice(frame: bytes, _: None, talk: Talk) -> Iterable[bytes]:
    return (frame, frame)


def _wrong_json(frame: bytes, how: str, talk: Talk) -> Iterable[bytes]:
    return (frame if b'"setupComplete"' in frame else _WRONG[how](frame),)


_FREE: Final = "args"
"""The field whose object is the caller's own: proto JSON spells nothing in it, and a function would trip over a new one."""


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            re.sub("([A-Z])", lambda one: "_" + one[0].lower(), name): inner
            if name == _FREE
            else _renamed(inner)
            for name, inner in value.items()
        }
    return [_renamed(one) for one in value] if isinstance(value, list) else value


def _snake_case(frame: bytes, _: None, talk: Talk) -> Iterable[bytes]:
    return (printed(_renamed(json.loads(frame))),)


def _strange(value: Any) -> Any:
    if isinstance(value, dict):
        inside = {
            name: inner if name == _FREE else _strange(inner) for name, inner in value.items()
        }
        return inside | {"strange": {"new": [1]}}
    return [_strange(one) for one in value] if isinstance(value, list) else value


def _unknown_fields(frame: bytes, _: None, talk: Talk) -> Iterable[bytes]:
    return (printed(_strange(json.loads(frame))),)


def _big_frames(frame: bytes, size: int, talk: Talk) -> Iterable[bytes]:
    # Blanks behind the JSON are part of no value.
    return (frame if b'"setupComplete"' in frame else frame.ljust(size),)


# ── WebSocket frames, as they are written: header and payload in one, never masked ───────────────────────────────────

TEXT: Final = 0x81
BINARY: Final = 0x82
CLOSE: Final = 0x88
PONG: Final = 0x8A

_NEVER_ENDING: Final = bytes([0x00, 126]) + struct.pack(">H", 60_000) + b" " * 60_000
"""A fragment of 60 kB that others follow (RFC 6455 §5.4)."""

BAD: Final = {
    "masked": b"\x82\x82\x00\x00\x00\x00{}",
    "reserved": b"\xf2\x02{}",
    "opcode": b"\x83\x02{}",
    "utf8": b"\x88\x04\x03\xe8\xff\xfe",
    "length": b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
    "control": b"\x89\x7e\x01\x00" + bytes(256),
}
"""What RFC 6455 forbids a server to send: §5.1, §5.2, §5.2, §5.5.1 and §8.1, §5.2, §5.5."""


def payload(written: bytes) -> bytes:
    """Return what one written frame carries."""
    size = written[1]
    return written[2 if size < 126 else 4 if size == 126 else 10 :]


def fragments(written: bytes, size: int) -> Iterator[bytes]:
    """Yield a written message as frames of at most `size` bytes of payload each (RFC 6455 §5.4)."""
    data = payload(written)
    for start in range(0, max(1, len(data)), size):
        piece = data[start : start + size]
        opcode = written[0] & 0x0F if start == 0 else 0
        last = start + size >= len(data)
        head = bytes([(0x80 if last else 0) | opcode])
        if len(piece) < 126:
            head += bytes([len(piece)])
        elif len(piece) < 2**16:
            head += bytes([126]) + struct.pack(">H", len(piece))
        else:
            head += bytes([127]) + struct.pack(">Q", len(piece))
        yield head + piece


def never_ending(count: int) -> bytes:
    """Return the beginning of a message and `count` fragments of it, of which none is the last."""
    return b"\x02\x00" + _NEVER_ENDING * count


QUIRKS: Final = (
    Quirk(
        name="duplicate-frames",
        does="Every message is sent twice.",
        source="a proxy that repeats what it passes on",
        writes=_twice,
    ),
    Quirk(
        name="snake-case",
        does="Fields are named in snake_case.",
        source="proto JSON: either casing may be written",
        writes=_snake_case,
    ),
    Quirk(
        name="unknown-fields",
        does="Every object has fields that nobody knows.",
        source="a later version of the service",
        writes=_unknown_fields,
    ),
    Quirk(
        name="big-frames",
        takes=Parameter(kind="bytes", default="2MiB", most="256MiB"),
        does="Every message after setupComplete is VALUE long.",
        source="measured: messages over 1 MiB, which WebSocket libraries refuse by default",
        writes=_big_frames,
    ),
    Quirk(
        name="wrong-json",
        takes=Parameter(kind="choice", default="cut", choices=tuple(_WRONG)),
        does="Every message after setupComplete is none: VALUE.",
        source="a hostile service",
        writes=_wrong_json,
    ),
    Quirk(
        name="text-frames",
        does="Messages come in text frames instead of binary ones.",
        source="RFC 6455; the service's own are binary",
    ),
    Quirk(
        name="fragmented",
        takes=Parameter(kind="bytes", default="50B"),
        does="Messages come in WebSocket fragments of VALUE.",
        source="RFC 6455 §5.4",
    ),
    Quirk(
        name="bad-websocket",
        takes=Parameter(kind="choice", default="reserved", choices=tuple(BAD)),
        does="After setupComplete comes a frame that WebSocket forbids: VALUE.",
        source="RFC 6455 §5",
    ),
    Quirk(
        name="endless-message",
        does="After setupComplete comes a message whose fragments never end.",
        source="a hostile service",
    ),
)
