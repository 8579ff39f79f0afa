"""What is written down while a session runs: as little work as possible in the loop, all the rest in `trace()`."""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.errors import RemoteProtocolError
from harness.secret import redact, redact_bytes
from harness.session.assignment import MOST_KEPT, MOST_RECEIVED
from harness.session.masking import mask
from harness.trace.file import MOST_BYTES, MOST_OBJECTS, openings
from harness.trace.trace import Direction, SessionTrace, TimedEvent, TraceHeader
from harness.units import SAMPLE_BYTES
from harness.wire.live.codec import decode_server, to_json
from harness.wire.live.endpoint import EMULATOR_HEADER
from harness.wire.live.messages import Blob

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.secret import Secret
    from harness.session.course import Start
    from harness.session.frames import Frames
    from harness.session.retry import Ending
    from harness.session.span import Passage
    from harness.session.stock import Stock
    from harness.session.transport import Closed
    from harness.units import Samples, Seconds
    from harness.wire.live.messages import Part, ServerMessage

MESSAGE_BYTES: Final = 2**10
"""What a message takes beside its bytes, until the trace is written: the event, its object, the objects inside."""

_TOO_MUCH: Final = (
    f"more than {MOST_RECEIVED // 2**20} MiB for one utterance, a KiB for each message included"
)
_TOO_MUCH_AT_ONCE: Final = (
    f"more than {MOST_KEPT // 2**20} MiB together with the sessions beside it"
)

MOST_WRITTEN: Final = MOST_BYTES // 2
MOST_OPENED: Final = MOST_OBJECTS // 2
"""Bytes, and objects and lists, of a trace that what was received may take: JSON writes up to six bytes for one."""

_LONGER: Final = 32
"""How many times as long a message may become at most when it is written: JSON's escapes, names of enums for their numbers."""

_EMULATOR = EMULATOR_HEADER.lower()
_KEPT_HEADERS = (_EMULATOR, "server", "date", "x-goog-request-id")
"""Of the upgrade's answer; no other header is kept, since any may hold a cookie or a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Messages of audio that follow one another without a gap."""

    first: int
    """How many messages of audio went before."""

    offset: Samples
    size: Samples
    """Of each message; the last one goes to `end`."""

    end: Samples
    tail: bool


class Recorder:
    """Collects a session's events by the loop's clock and turns them into its trace."""

    def __init__(
        self,
        header: TraceHeader,
        name: str,
        secrets: Sequence[Secret],
        *,
        frames: Frames,
        most_bytes: int,
        stock: Stock,
    ) -> None:
        self._header = header
        self._frames = frames
        self._most_bytes = most_bytes
        self._stock = stock
        self._wav = f"audio/{name}.wav"
        self._heard = bytearray()
        self._secrets = secrets
        self._events: list[tuple[Seconds, Direction, Any, int]] = []
        self.begun = False
        """True: the service has been asked for a session."""

        self.audio_t = array("d")
        """When each message of audio was sent; all else of it is known."""

        self._runs: list[_Run] = []
        self._zero: Seconds = 0.0
        self._emulator: str | None = None
        self._samples: Samples | None = None
        self.messages = 0
        """How many have come and are kept."""

        self.received_bytes = 0
        """What the messages kept so far take, each with `MESSAGE_BYTES` beside its own."""

        self._cut_messages = self._cut_bytes = 0
        self._written = self._opened = 0
        """Bytes, and objects and lists, of what was received and is in the trace so far."""

    def began(self, t: Seconds) -> None:
        """Note the start of the connection."""
        self._zero = t
        self._note(t, "!", {"connect": self._header.endpoint})

    def upgraded(self, t: Seconds, headers: Mapping[str, str]) -> None:
        """Note that the WebSocket is open, and whether an emulator opened it."""
        kept = {k: headers[k] for k in _KEPT_HEADERS if k in headers}
        self._emulator = kept.get(_EMULATOR)
        self._note(t, "!", {"upgraded": kept})

    def audio_starts(self, t: Seconds, due: Seconds, start: Start, was_due: Seconds | None) -> None:
        """Note when the sample where a connection starts is `due`.

        The first time, that sets the zero of the trace's times. From then on it is a seam, where the clip pauses from
        when the sample would have been due until it is; `replay` says what is taken back there.
        """
        if was_due is None:
            self._zero = due
            self._samples = len(self._frames.clip)
            return
        seam: dict[str, Any] = {
            "offset": start.position,
            "pause_s": round(due - was_due, 6),
            "due_in_s": round(due - t, 6),
        }
        if (replay := start.replay) is not None:
            first, end = replay.unsaid
            seam["replay"] = {
                "samples": replay.samples,
                "known_by": replay.known_by,
                "why": replay.why,
                "unsaid": {"after": first, "messages": end - first},
            }
        self._note(t, "!", {"seam": seam})

    def audio_follows(
        self, offset: Samples, size: Samples, end: Samples, *, tail: bool = False
    ) -> None:
        """Note what the messages of audio from now on hold: `size` samples each, from `offset` to `end`.

        They are the clip's, or of the silence behind it (`tail`).
        """
        first = len(self.audio_t)
        self._runs.append(_Run(first=first, offset=offset, size=size, end=end, tail=tail))

    def passed(self, t: Seconds, passages: Sequence[Passage]) -> None:
        """Note what the messages of audio that were sent over a connection held."""
        for passage in passages:
            self._note(t, "!", passage)

    def audio_by(self, t: Seconds) -> int:
        """Return how many messages of audio had been sent by then."""
        return bisect_right(self.audio_t, t)

    def asked(self, t: Seconds) -> None:
        """Note that a written question has left: where nothing is spoken, that is the zero of the trace's times."""
        self._zero = t

    def noted(self, t: Seconds, note: dict[str, Any]) -> None:
        """Keep a note of what was done, or not."""
        self._note(t, "!", note)

    def sent(self, t: Seconds, frame: Any) -> None:
        """Keep what else we sent."""
        self.begun = True
        self._note(t, ">", frame)

    def received(self, t: Seconds, frame: bytes | str) -> str | None:
        """Keep a message as it came; where there is no room for it, return the reason."""
        size = len(frame) + MESSAGE_BYTES
        too_much = None
        if self._cut_messages or self.received_bytes + size > self._most_bytes:
            too_much = _TOO_MUCH
        elif not self._stock.take(size, self.received_bytes):
            too_much = _TOO_MUCH_AT_ONCE
        if too_much is not None:
            self._cut_messages += 1
            self._cut_bytes += len(frame)
            return too_much
        self.messages += 1
        self.received_bytes += size
        self._note(t, "<", frame)
        return None

    def stood_still(self, t: Seconds, seconds: Seconds) -> None:
        """Note that nothing of ours ran for `seconds` until now: what came meanwhile has a time too late."""
        self._note(t, "!", {"stood_still": {"s": seconds}})

    def closing(self, t: Seconds) -> None:
        """Note that we close, having heard enough."""
        self._note(t, "!", {"close": {"code": 1000}})

    def closed(self, t: Seconds, closed: Closed) -> None:
        """Note how the connection ended."""
        said = {
            "code": closed.code,
            "reason": closed.reason,
            "status": closed.status,
            "by_us": closed.by_us or None,
        }
        self._note(t, "!", {"closed": {k: v for k, v in said.items() if v not in (None, "")}})

    def ended(self, t: Seconds, end: Ending) -> None:
        """Note what came of the session, and how much of what it said is not kept."""
        if self._cut_messages:
            cut = {"messages": self._cut_messages, "bytes": self._cut_bytes}
            self._note(t, "!", {"cut": cut})
        said = {
            "outcome": end.outcome,
            "failure": end.failure,
            "reason": end.reason,
            "away": end.away or None,
        }
        self._note(t, "!", {"ended": {k: v for k, v in said.items() if v is not None}})

    def _note(self, t: Seconds, direction: Direction, frame: Any) -> None:
        """Keep an event, and how many messages of audio went before it."""
        self._events.append((t, direction, frame, len(self.audio_t)))

    def _in_order(self) -> Iterator[tuple[Seconds, Direction, Any]]:
        """Yield all events in the order they were noted."""
        audio = self._audio()
        given = 0
        for t, direction, frame, before in self._events:
            yield from islice(audio, before - given)
            given = before
            yield t, direction, frame

    def _audio(self) -> Iterator[tuple[Seconds, Direction, Any]]:
        """Yield the messages of audio that were sent."""
        ends = [run.first for run in self._runs[1:]] + [len(self.audio_t)]
        for run, end in zip(self._runs, ends, strict=True):
            offset, name = run.offset, "silence" if run.tail else "offset"
            for t in self.audio_t[run.first : end]:
                where = {name: offset, "samples": min(run.size, run.end - offset)}
                yield t, ">", {"realtimeInput": {"audio": where}}
                offset += run.size

    def trace(self) -> tuple[SessionTrace, bytes]:
        """Return the trace, and the speech received (s16le; empty: none), which the trace refers to and leaves out.

        Times count from the due time of the first sample; secrets are masked. Reads the clip.
        """
        self._heard.clear()
        self._written = self._opened = 0
        # Nearly all sessions: what came is too little to reach either bound, however it is written.
        fits = self.received_bytes <= min(MOST_WRITTEN // _LONGER, MOST_OPENED)
        events: list[TimedEvent] = []
        last = float("-inf")
        for at, direction, frame in self._in_order():
            came = None
            if at < last:
                came = round(at - self._zero, 6)
            else:
                last = at
            t = round(last - self._zero, 6)
            kept = frame
            if direction == "<":
                kept = self._parsed(frame) if fits else self._kept(frame)
            elif direction == "!" and not isinstance(frame, dict):
                kept = self._told(frame)
            events.append(TimedEvent(t=t, came=came, dir=direction, frame=kept))
        mask(events, self._secrets)
        emulator = redact(self._emulator, self._secrets) if self._emulator is not None else None
        spoken = redact_bytes(bytes(self._heard), self._secrets)
        header = msgspec.structs.replace(
            self._header,
            emulator=emulator,
            audio_samples=self._samples,
            audio_crc32=None if self._samples is None else self._clips(0, self._samples),
            speech_crc32=zlib.crc32(spoken) if spoken else None,
        )
        return SessionTrace(header=header, events=events), spoken

    def _told(self, passage: Passage) -> dict[str, Any]:
        """Return what messages of audio held, beside what the clip holds there."""
        size, crc32 = passage.held
        samples = size // SAMPLE_BYTES
        meant = zlib.crc32(bytes(size)) if passage.tail else self._clips(passage.first, samples)
        told = {"bytes": size, "crc32": crc32, "clip_crc32": meant}
        return {"sent": {"silence" if passage.tail else "offset": passage.first, **told}}

    def _clips(self, start: Samples, samples: Samples) -> int | None:
        """Return the CRC-32 of so many of the clip's samples; None when it can no longer be read."""
        try:
            return self._frames.crc32(start, samples)
        except OSError:
            return None

    def _kept(self, frame: bytes | str) -> Any:
        """Return a message as it is written, as far as there is room for it in a trace that can be read back."""
        kept = self._parsed(frame)
        line = msgspec.json.encode(kept)
        opened = openings([line])
        if self._written + len(line) > MOST_WRITTEN or self._opened + opened > MOST_OPENED:
            return {"cut": {"bytes": len(frame)}}
        self._written += len(line)
        self._opened += opened
        return kept

    def _parsed(self, frame: bytes | str) -> Any:
        """Return a message as the codec writes it, whatever its spelling was, so that every reader finds one form."""
        try:
            return to_json(self._without_audio(decode_server(frame)))
        except RemoteProtocolError:
            text = frame.decode(errors="backslashreplace") if isinstance(frame, bytes) else frame
            return {"raw": text.encode(errors="backslashreplace").decode()}

    def _without_audio(self, message: ServerMessage) -> ServerMessage:
        """Return `message` with the speech it carries replaced by where it lies in the session's WAV."""
        content = message.server_content
        turn = content.model_turn if content else None
        if content is None or turn is None:
            return message
        parts = [self._referring(part) for part in turn.parts]
        turn = msgspec.structs.replace(turn, parts=parts)
        return msgspec.structs.replace(
            message, server_content=msgspec.structs.replace(content, model_turn=turn)
        )

    def _referring(self, part: Part) -> Part:
        blob = part.inline_data
        if blob is None or not blob.mime_type.startswith("audio/pcm"):
            return part
        samples = len(blob.data) // SAMPLE_BYTES
        where = {"wav": self._wav, "offset": len(self._heard) // SAMPLE_BYTES, "samples": samples}
        self._heard += blob.data
        return msgspec.structs.replace(
            part, inline_data=Blob(mime_type=blob.mime_type, unknown=blob.unknown | where)
        )
