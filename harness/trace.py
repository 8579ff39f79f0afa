"""Everything that was said in one session, with times: written down before anyone judges it.

Times are seconds on the event loop's monotonic clock, counted from the due time of the clip's first sample, or from when
a written question had left (what came before is negative); when nothing was ever asked, from the start of the connection. A trace on disk is gzip-compressed
JSON lines: the header, then an event a line. `Hypothesis` is made from a trace alone.

Knows messages and times. Does not know references, scores, or what a good transcript is.
"""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from harness.errors import InputError
from harness.units import Milliseconds, Samples, Seconds
from harness.wire.live.refusals import FailureKind as FailureKind  # noqa: PLC0414 - re-exported
from harness.wire.live.setups import Channel as Channel  # noqa: PLC0414 - re-exported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

SCHEMA = 1

_LEAST_WBITS: Final = 9
_GZIP_WBITS: Final = 16
"""Least power of two for deflate's window, and what is added to it for gzip's head and tail (zlib.h, deflateInit2)."""

MOST_BYTES: Final = 2**29
"""Longest trace that is read, unpacked. Half of it at most is of what was received, however JSON spells that; the other half
is for what we sent and noted."""

MOST_OBJECTS: Final = 10_000_000
"""Most objects and lists in it, which take a hundred times the memory that they are written with; braces in texts are none.
Half of them at most are of what was received. A message of audio has four: that is 7 h of the shortest messages, and 70 h of
the usual ones."""

_BLOCK: Final = 2**20

Direction = Literal[">", "<", "!"]
"""`>` we sent, `<` we received, `!` something that happened to the connection (a note of ours)."""

Outcome = Literal[
    "ok", "ok_empty", "partial", "failed_server", "blocked", "failed_quota", "failed_client"
]
"""How a session ended:

- `ok`: it answered with text; `ok_empty`: it ended well and there was no text.
- `partial`: it broke off after some text. `failed_server`: it broke off, or was refused, before any text.
- `blocked`: refused for what was said. `failed_quota`: refused for quota. `failed_client`: our own fault or our input's.
"""


class TraceHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What the session was for."""

    schema: int = SCHEMA
    utterance: str
    dataset: str
    locale: str
    model: str
    repeat: int
    """1-based."""

    attempt: int
    """1-based."""

    plan: str
    """Hash of the plan it belongs to, hex."""

    endpoint: str
    """Scheme, host, port and path; never a query, which may hold a key."""

    emulator: str | None = None
    """The `X-Live-Emulator` header of the upgrade's answer; None: the server did not say it emulates."""

    client: str
    """Our name and version."""

    started_at: str
    """Wall-clock time of the connection's start, ISO 8601 UTC."""

    audio_samples: Samples | None = None
    """The clip's length; None when it could not be read."""

    audio_crc32: int | None = None
    """CRC-32 of the clip's samples (s16le), read from the clip itself; None: none was to be sent, or it is gone."""

    speech_crc32: int | None = None
    """CRC-32 of the speech received, the samples (s16le) of the WAV beside the trace; None: none came, or an earlier version
    wrote the trace."""

    audio_faults: tuple[str, ...] = ()
    """What is wrong with the clip's signal though it can be streamed, in words."""

    chunk_ms: Milliseconds
    pace: float
    """1.0 real time; 0 as fast as the service takes it."""

    turns: str
    """`manual` or `auto`."""


class TimedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was sent, received, or happened, in the order in which we dealt with it."""

    t: Seconds
    """When; no earlier than what stands before it."""

    came: Seconds | None = None
    """When a message arrived, where that was before the event that stands before it: of two that arrive together, the first
    may be answered before the second is looked at. None: at `t`."""

    dir: Direction
    frame: dict[str, Any]
    """The message as JSON. Audio is not repeated: what we sent is `{"offset", "samples"}` of the clip, what we
    received `{"wav", "offset", "samples"}` of a file beside the trace. A note (`!`) is `{"connect": …}`,
    `{"upgraded": …}`, `{"closed": {"code", "reason"}}`, `{"stood_still": {"s"}}`,
    `{"sent": {"offset" or "silence", "bytes", "crc32", "clip_crc32"}}`, … The last of these tells what a block of audio
    messages held when they left, and beside it the check sum of what the clip holds from `offset` on. A received message is as the
    codec writes it; a frame that is none is `{"raw": text}`, and one that no trace has room for `{"cut": {"bytes"}}`."""


class SessionTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at one utterance. Times never decrease."""

    header: TraceHeader
    events: list[TimedEvent]


class Fragment(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of text and when it came."""

    t: Seconds
    text: str
    interim: bool = False
    """True: it is replaced by what comes next."""

    seam: bool = False
    """True: another connection goes on."""


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """The text of one channel."""

    channel: Channel
    text: str
    """The fragments joined verbatim, ends trimmed; empty when there were none."""

    fragments: list[Fragment]
    """In the order received."""

    first_text_t: Seconds | None
    """When the first fragment with text came; None: never."""

    final_text_t: Seconds | None
    """When the transcript last changed; None: it has no text."""

    seams: tuple[int, ...] = ()
    """How many characters of `text` had come when each further connection went on."""


def write_trace(path: Path, trace: SessionTrace) -> None:
    """Write `trace` to `path` whole or not at all; OSError when the place does not allow it."""
    lines = map(msgspec.json.encode, (trace.header, *trace.events))
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(b"".join(_gzipped(lines)))
    unfinished.replace(path)


def _gzipped(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a gzip file of `lines`, in pieces: no more than a block of what goes into it is held."""
    packer = None
    begun = bytearray()
    for line in lines:
        begun += line
        begun += b"\n"
        if len(begun) >= _BLOCK:
            packer = packer or _packer(_BLOCK)
            yield packer.compress(begun)
            begun.clear()
    packer = packer or _packer(len(begun))
    yield packer.compress(begun) + packer.flush()


def _packer(size: int) -> zlib._Compress:
    """Return what packs `size` bytes, or more where that is a block.

    zlib sets a quarter of a MiB aside and clears it for every one, unless it is told that a window as long as the data will
    do: a fifth of the time for a session of a second.
    """
    window = min(zlib.MAX_WBITS, max(_LEAST_WBITS, size.bit_length()))
    memory = zlib.DEF_MEM_LEVEL if window == zlib.MAX_WBITS else window // 2
    return zlib.compressobj(1, zlib.DEFLATED, _GZIP_WBITS + window, memory)


def read_trace(path: Path) -> SessionTrace:
    """Return the trace at `path`; InputError that names the file when it is missing, torn or of another schema."""
    try:
        if not path.is_file():
            raise InputError(f"{path}: not a readable trace", why="it is missing, or no file")
        lines = _lines(path)
        header = msgspec.json.decode(next(lines, b""), type=TraceHeader)
        trace = SessionTrace(header=header, events=list(map(_event, lines)))
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise InputError(f"{path}: not a readable trace", why=str(error)) from error
    if trace.header.schema != SCHEMA:
        raise InputError(
            f"{path}: trace of schema {trace.header.schema}, this version reads {SCHEMA}"
        )
    return trace


_event = msgspec.json.Decoder(TimedEvent).decode


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield what the file at `path` unpacks to; ValueError when that is longer than any trace of ours."""
    size = 0
    with gzip.open(path, "rb") as file:
        while block := file.read(_BLOCK):
            size += len(block)
            if size > MOST_BYTES:
                raise ValueError(f"it unpacks to more than {MOST_BYTES / 2**20:g} MiB")
            yield block


def openings(blocks: Iterable[bytes]) -> int:
    """Return how many objects and lists the JSON in `blocks` opens, outside of its texts."""
    found = inside = 0
    escape = b""
    for block in blocks:
        data = (escape + block).replace(b"\\\\", b"").replace(b'\\"', b"")
        escape = b"\\" if data.endswith(b"\\") else b""
        pieces = data.split(b'"')
        outside = b"".join(pieces[inside::2])
        found += outside.count(b"{") + outside.count(b"[")
        inside ^= (len(pieces) - 1) & 1
    return found


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of the file at `path`; ValueError when they are more than any trace of ours has."""
    braces, counted = 0, False
    begun: list[bytes] = []
    for block in _blocks(path):
        braces += block.count(b"{") + block.count(b"[")
        if braces > MOST_OBJECTS and not counted:
            # Those in texts take no more than they are written with: they are told apart where it matters alone.
            if openings(_blocks(path)) > MOST_OBJECTS:
                raise ValueError(f"it has more than {MOST_OBJECTS:,} objects")
            counted = True
        first, *others = block.split(b"\n")
        begun.append(first)
        if others:
            yield b"".join(begun)
            yield from others[:-1]
            begun = others[-1:]
    if last := b"".join(begun):
        yield last


def audio_sent(event: TimedEvent) -> dict[str, Any] | None:
    """Return what `event` sent of the clip: `{"offset" or "silence", "samples"}`; None: nothing."""
    if event.dir != ">" or not isinstance(realtime := event.frame.get("realtimeInput"), dict):
        return None
    audio = realtime.get("audio") or {}
    return audio if "offset" in audio or "silence" in audio else None


def hypothesis(trace: SessionTrace, channel: Channel) -> Hypothesis:
    """Return what `trace` says on `channel`."""
    pieces = list(_fragments(trace, channel))
    fragments: list[Fragment] = []
    for piece in pieces:
        if not piece.seam:
            fragments.append(piece)
        elif fragments and fragments[-1].interim and not piece.interim:
            # What was interim when a turn ended is replaced by nothing: it stays.
            fragments[-1] = msgspec.structs.replace(fragments[-1], interim=False)
    text = _Growing()
    first: Seconds | None = None
    final: Seconds | None = None
    seams: list[int] = []
    for fragment in pieces:
        if fragment.seam:
            if not fragment.interim:
                text.add(text.guess)
            seams.append(text.length)
            continue
        changed = text.guesses(fragment.text) if fragment.interim else text.add(fragment.text)
        if changed:
            final = fragment.t
        if first is None and text.length:
            first = fragment.t
    seen = text.whole
    return Hypothesis(
        channel=channel,
        text=seen,
        fragments=fragments,
        first_text_t=first if seen else None,
        final_text_t=final if seen else None,
        seams=tuple(min(seam, len(seen)) for seam in seams),
    )


class _Growing:
    """A text that grows by fragments, and a guess of what comes next. No step looks at all of it: there may be many."""

    def __init__(self) -> None:
        self.guess = ""
        self._parts: list[str] = []
        self._length = 0
        """Of the parts, from the first character that is no blank; 0: there is none."""

    def add(self, text: str) -> bool:
        """Add `text` in the place of the guess; return whether that changes the whole."""
        changed = self.guesses(text)
        self._parts.append(text)
        self._length, self.guess = self.length, ""
        return changed

    def guesses(self, text: str) -> bool:
        """Let `text` take the place of the guess; return whether that changes the whole."""
        before, self.guess = self.guess, text
        return self._told(before) != self._told(text)

    def _told(self, text: str) -> str:
        """Return what `text` adds to the parts but for blanks at the ends of the whole."""
        return text.rstrip() if self._length else text.strip()

    @property
    def length(self) -> int:
        """How long the whole is, from its first character that is no blank."""
        return self._length + len(self.guess if self._length else self.guess.lstrip())

    @property
    def whole(self) -> str:
        """All of it, ends trimmed."""
        return ("".join(self._parts) + self.guess).strip()


def behind_turn_s(trace: SessionTrace, heard: Hypothesis) -> Seconds | None:
    """Return the longest pause after the end of the last turn that ended with more text of `heard`, s.

    None: all text came before that end. A session listens for some time after a turn's end, and what comes later is lost:
    this says how near it was to that.
    """
    texts = {fragment.t for fragment in heard.fragments if fragment.text.strip()}
    asked = next((event.t for event in reversed(trace.events) if event.dir == ">"), float("inf"))
    over = False
    last: Seconds = asked
    longest: Seconds | None = None
    for event in trace.events:
        if event.dir != "<" or event.t < asked or event.frame.get("serverContent") is None:
            continue
        if over and event.t in texts:
            longest = max(longest or 0.0, round(event.t - last, 6))
        over = over or _ends_turn(event)
        last = event.t
    return longest


def seams(trace: SessionTrace) -> list[dict[str, Any]]:
    """Return the notes of the places where another connection went on: `{"offset", "pause_s", "due_in_s"}`.

    After a break they have a `replay` as well: how many `samples` were sent again and how that is `known_by`, `why`, and
    of the messages received those whose text is `unsaid`.
    """
    return [event.frame["seam"] for event in trace.events if _is_seam(event)]


def _is_seam(event: TimedEvent) -> bool:
    return event.dir == "!" and "seam" in event.frame


def standing(events: Sequence[TimedEvent]) -> Sequence[TimedEvent]:
    """Return `events` without the messages received whose text was taken back; itself where there is none."""
    unsaid: set[int] = set()
    for event in events:
        if _is_seam(event) and "replay" in event.frame["seam"]:
            taken = event.frame["seam"]["replay"]["unsaid"]
            unsaid.update(range(taken["after"], taken["after"] + taken["messages"]))
    if not unsaid:
        return events
    kept: list[TimedEvent] = []
    received = 0
    for event in events:
        received += event.dir == "<"
        if event.dir != "<" or received - 1 not in unsaid:
            kept.append(event)
    return kept


def commits(event: TimedEvent) -> bool:
    """Return whether `event` makes the interim text before it final: another connection goes on, with a turn of its own."""
    return _is_seam(event) and "replay" not in event.frame["seam"]


def open_turn(trace: SessionTrace, heard: Hypothesis) -> bool:
    """Return whether the last turn with text of `heard` was never said to have ended, so that there may have been more.

    Once all of the clip was sent, text that comes after a turn's end is late text of that turn, not of one that is open.
    """
    backwards = trace.events[::-1]
    said = next((event.t for event in backwards if _says(event)), float("inf"))
    over = next((event.t for event in backwards if _ends_turn(event)), float("-inf"))
    texts = (fragment.t for fragment in reversed(heard.fragments) if fragment.text.strip())
    return over < min(said, next(texts, float("-inf")))


def _says(event: TimedEvent) -> bool:
    """Return whether `event` sent something that is to be answered: not the silence or the mark behind a clip."""
    if event.dir != ">":
        return False
    realtime = event.frame.get("realtimeInput")
    if not isinstance(realtime, dict) or realtime.keys() - {
        "audio",
        "activityEnd",
        "audioStreamEnd",
    }:
        return True
    return "silence" not in (realtime.get("audio") or {"silence": 0})


def _ends_turn(event: TimedEvent) -> bool:
    """Return whether `event` brought the end of a turn that is not still in progress."""
    content = (event.dir == "<" and event.frame.get("serverContent")) or {}
    return bool(content.get("turnComplete")) and content.get("interactionStatus") != "IN_PROGRESS"


def _fragments(trace: SessionTrace, channel: Channel) -> Iterator[Fragment]:
    for event in standing(trace.events):
        if event.dir == ">":
            continue
        if _is_seam(event):
            # A turn that a replay goes on with is not over: what was interim can still be replaced.
            yield Fragment(t=event.t, text="", seam=True, interim=not commits(event))
        elif (content := event.frame.get("serverContent")) is not None:
            yield from _pieces(event.t, content, channel)


def _pieces(t: Seconds, content: dict[str, Any], channel: Channel) -> Iterator[Fragment]:
    match channel:
        case "input":
            yield from _transcription(t, content, "inputTranscription")
            yield from _transcription(t, content, "interimInputTranscription", interim=True)
        case "output":
            yield from _transcription(t, content, "outputTranscription")
        case "reply":
            for part in (content.get("modelTurn") or {}).get("parts") or ():
                if isinstance(text := part.get("text"), str) and not part.get("thought"):
                    yield Fragment(t=t, text=text)


def _transcription(
    t: Seconds, content: dict[str, Any], key: str, *, interim: bool = False
) -> Iterator[Fragment]:
    value = content.get(key)
    if isinstance(value, dict) and isinstance(text := value.get("text"), str):
        yield Fragment(t=t, text=text, interim=interim)
