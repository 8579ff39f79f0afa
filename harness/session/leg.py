"""One connection of a session: connect, set up, stream a span of the clip on time, drain, close.

Knows times and the order of things. Does not know how bytes travel (`transport`), what an end means for the utterance
(`retry`), or which connection it is of how many (`drive`).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.audio.chunk import Chunk, chunks, due
from harness.audio.clip import AudioClip, MemoryPcm
from harness.errors import RemoteProtocolError
from harness.secret import Secret, redact
from harness.session.transport import Closed, Connect, Connection, Upgraded
from harness.units import SAMPLE_BYTES, SAMPLE_RATE
from harness.wire.live.client import LiveClient
from harness.wire.live.codec import to_json
from harness.wire.live.messages import ClientMessage, SessionResumptionConfig, Setup
from harness.wire.live.refusals import classify_upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.session.assignment import Assignment, Waits
    from harness.session.pace import Pacer
    from harness.session.recorder import Recorder
    from harness.trace import Channel, FailureKind
    from harness.units import Milliseconds, Samples, Seconds
    from harness.wire.live.messages import ServerMessage

TAIL_S: Final = 1.5
"""Silence sent after the clip under automatic detection, s: without it the last turn may never end
(googleapis/python-genai#1328)."""

RETRY_CONGESTED_S: Final = 0.005
"""How soon a stream looks again when its connection takes no more, s."""

BURST: Final = 16
"""Frames a stream sends in one go when it is not paced, before the others have their turn."""


RESERVE_S: Final = 10.0
"""Time kept, of what goAway leaves, for the last text to come before the abort, s; never more than half of it."""


class Leg:
    """One connection. Make it, `await run()`, read what it found, and throw it away."""

    def __init__(
        self,
        todo: Assignment,
        connect: Connect,
        pacer: Pacer,
        recorder: Recorder,
        *,
        start: Samples,
        stop: Samples,
        handle: str | None = None,
    ) -> None:
        self._todo = todo
        self._connect = connect
        self._pacer = pacer
        self._rec = recorder
        self._loop = asyncio.get_running_loop()
        setup = _resuming(todo.setup, handle)
        self._setup = setup
        self._client = LiveClient(setup)
        self._secrets = [value for _, value in todo.endpoint.headers if isinstance(value, Secret)]
        self._connection: Connection | None = None
        self._start = start
        self._stop = stop
        self._zero: Seconds = 0.0
        self._frames: Iterator[Chunk] = iter(())
        self._tail: Iterator[Chunk] = iter(())
        self._next: Chunk | None = None
        self._in_tail = False
        self._go_away: asyncio.TimerHandle | None = None
        self._upgraded = self._loop.create_future()
        self._ready = self._loop.create_future()
        self._sent_all = self._loop.create_future()
        self._over: asyncio.Future[Closed] = self._loop.create_future()
        self._news: asyncio.Future[None] = self._loop.create_future()
        self._last_message: Seconds = 0.0
        self._stalled: Seconds | None = None
        self._gone = False

        self.position: Samples = start
        """Where the next chunk of the clip begins: everything before it has been sent."""

        self.due: Seconds = 0.0
        """When the sample at `position` is due, by the loop's clock."""

        self.cut_short = False
        """True: the service announced that it will go, so the leg ended before its span."""

        self.turn_over = False
        """True: the turn was said to be over after the end of the audio."""

        self.has_text = False
        """True: text has come."""

        self.problem: tuple[FailureKind, str] | None = None
        """Why we gave the connection up, when no close code tells."""

        self.blocked: str | None = None
        """Why the service would not answer, in its own word."""

        self.missed: str | None = None
        """What was waited for in vain."""

    @property
    def end(self) -> Closed | None:
        """How the connection ended; None: it has not."""
        return self._over.result() if self._over.done() else None

    @property
    def sent_all(self) -> bool:
        """Whether the span was sent, or what of it there was time for."""
        return bool(self._sent_all.done())

    @property
    def handle(self) -> str | None:
        """The newest handle that the session can be resumed with."""
        return self._client.handle

    async def run(self, due_s: Seconds | None) -> None:
        """Go through the connection's life; `due_s` is when its first sample is due, None: as soon as may be.

        Only cancellation and bugs of ours are raised.
        """
        opening = asyncio.ensure_future(self._connect(self._todo.endpoint, self))
        try:
            self.missed = await self._stages(opening, self._todo.waits, due_s)
        finally:
            opening.cancel()
            if self._go_away is not None:
                self._go_away.cancel()
            if self._connection is not None and not self._gone:
                self._connection.abort()
            self._connection = None  # it knows us: without the ring both are freed at once

    async def _stages(
        self, opening: asyncio.Future[Connection], waits: Waits, due_s: Seconds | None
    ) -> str | None:
        """Go through the connection's life; return what was waited for in vain, or None."""
        if not await self._wait(opening, waits.upgrade_s):
            return None if self._over.done() else f"no connection within {waits.upgrade_s:g} s"
        self._connection = opening.result()
        if not await self._wait(self._upgraded, waits.upgrade_s):
            return (
                None
                if self._over.done()
                else f"no answer to the upgrade within {waits.upgrade_s:g} s"
            )
        self._send(self._client.open(), to_json(ClientMessage(setup=self._setup)))
        if not await self._wait(self._ready, waits.setup_s):
            return None if self._over.done() else f"no setupComplete within {waits.setup_s:g} s"
        self._begin_audio(due_s)
        await asyncio.wait((self._sent_all, self._over), return_when=asyncio.FIRST_COMPLETED)
        missed = None if self._over.done() else await self._drain(waits)
        if not self._over.done():
            self._rec.closing(self._loop.time())
            self._connection.close()
            if not await self._wait(self._over, waits.close_s):
                self._connection.abort()
        return missed

    async def _wait(self, wanted: asyncio.Future[Any], seconds: Seconds) -> bool:
        """Return whether `wanted` came within `seconds` and before the connection was over."""
        await asyncio.wait(
            (wanted, self._over), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        return wanted.done()

    async def _drain(self, waits: Waits) -> str | None:
        """Read until the transcript has been quiet long enough; return what never came, or None."""
        end = self._loop.time()
        self._last_message = max(self._last_message, end)
        while not self._over.done():
            match self.turn_over, self.has_text:
                case True, True:
                    quiet = waits.quiet_s
                case True, False:
                    quiet = waits.late_text_s
                case False, True:
                    quiet = waits.more_text_s
                case _:
                    quiet = waits.first_text_s
            left = min(self._last_message + quiet, end + waits.drain_s) - self._loop.time()
            if left <= 0:
                break
            self._news = self._loop.create_future()
            await self._wait(self._news, left)
        if self._over.done() or self.has_text or self.turn_over:
            return None
        return f"no answer within {waits.first_text_s:g} s after the end of the audio"

    # ── sending ──

    def _send(self, payload: bytes, frame: Any) -> None:
        assert self._connection is not None  # noqa: S101 - nothing is sent before it is there
        self._connection.send(payload)
        self._rec.sent(self._loop.time(), frame)

    def _begin_audio(self, due_s: Seconds | None) -> None:
        """Set when the span's first sample is due and hand the stream to the pacer."""
        todo = self._todo
        now = self._loop.time()
        phase = self._pacer.phase(todo.chunk_ms / 1000 / todo.pace) if todo.pace else 0.0
        begins = max(now + phase, due_s if due_s is not None else now)
        self._zero = begins - due(self._start, todo.pace)
        self._rec.audio_starts(begins, self._start, due_s, len(todo.clip))
        self.due = begins
        if self._client.manual:
            self._send(self._client.activity_start(), {"realtimeInput": {"activityStart": {}}})
        self._frames = chunks(todo.clip, todo.chunk_ms, todo.pace, start=self._start)
        self._advance()
        self._pacer.add(self, self._zero + self._next.due_s if self._next else now)

    def _advance(self) -> None:
        """Take the next chunk of the span; behind it, under automatic detection, a tail of silence."""
        self._next = None
        if not self._in_tail:
            if self.position < self._stop:
                self._next = next(self._frames, None)
            if self._next is not None or self._client.manual:
                return
            self._in_tail = True
            self._tail = _silence(self.position, self._todo.chunk_ms, self._todo.pace)
        self._next = next(self._tail, None)

    def _cut(self) -> None:
        """End the span at the present chunk boundary, since the service will go."""
        if not self._sent_all.done() and not self._in_tail:
            self.cut_short = True
            self._stop = self.position
            self._advance()

    def send_due(self, now: Seconds) -> Seconds | None:
        """Send what is due and return when the next frame is; the pacer calls it."""
        try:
            for _ in range(BURST):
                if self._over.done() or self._connection is None:
                    return None
                if self._next is None:
                    self._end_audio()
                    return None
                due_at = self._due(self._next, now)
                if due_at is not None:
                    return due_at
                self._send_chunk(self._next)
                self._advance()
        except OSError as error:
            self._fail("client", f"the clip can no longer be read: {error}")
        return now

    def _due(self, chunk: Chunk, now: Seconds) -> Seconds | None:
        """Return when `chunk` can be sent at the earliest; None: now."""
        if self._connection is not None and self._connection.congested:
            self._stalled = now if self._stalled is None else self._stalled
            if now - self._stalled > self._todo.waits.stall_s:
                self._fail(
                    "transient", f"the service has read nothing for {self._todo.waits.stall_s:g} s"
                )
            return now + RETRY_CONGESTED_S
        self._stalled = None
        due_at = self._zero + chunk.due_s
        return due_at if self._todo.pace and due_at > now else None

    def _send_chunk(self, chunk: Chunk) -> None:
        said = {"silence" if self._in_tail else "offset": chunk.offset, "samples": chunk.samples}
        self._send(self._client.audio(chunk.pcm), {"realtimeInput": {"audio": said}})
        if not self._in_tail:
            self.position = chunk.offset + chunk.samples
            self.due = self._zero + chunk.due_s

    def _end_audio(self) -> None:
        if self._client.manual:
            self._send(self._client.activity_end(), {"realtimeInput": {"activityEnd": {}}})
        else:
            self._send(self._client.audio_stream_end(), {"realtimeInput": {"audioStreamEnd": True}})
        _set(self._sent_all)

    # ── hearing ──

    def upgraded(self, upgraded: Upgraded) -> None:
        """Hear that the WebSocket is open."""
        self._rec.upgraded(self._loop.time(), upgraded.headers)
        _set(self._upgraded)

    def received(self, frame: bytes | str, t: Seconds) -> None:
        """Hear a message: keep it, then look at what matters to the session's course."""
        self._rec.received(t, frame)
        self._last_message = t
        _set(self._news)
        try:
            message = self._client.receive(frame)
        except RemoteProtocolError as error:
            self._fail("transient", f"the service sent what is no Live message: {error}")
            return
        self._follow(message)

    def closed(self, closed: Closed, t: Seconds) -> None:
        """Hear that the connection is over; a secret that the peer echoes goes no further than here."""
        self._gone = True
        closed = replace(closed, reason=redact(closed.reason, self._secrets))
        self._rec.closed(t, closed)
        if not self._over.done():
            self._over.set_result(closed)

    def _follow(self, message: ServerMessage) -> None:
        if message.setup_complete is not None and not self._ready.done():
            _set(self._ready)
            self._todo.admitted()
        if message.error is not None:
            self._fail(
                _kind(message.error),
                f"error message: {message.error.get('message') or message.error}",
            )
        if message.go_away is not None and self._go_away is None:
            left = self._client.go_away_s or 0.0
            self._go_away = self._loop.call_later(
                max(0.0, left - min(RESERVE_S, left / 2)), self._cut
            )
        content = message.server_content
        if content is None:
            return
        if content.turn_complete_reason and content.turn_complete_reason != "NEED_MORE_INPUT":
            self.blocked = content.turn_complete_reason
        if self._sent_all.done() and content.turn_complete:
            self.turn_over = True
        if _text(message, self._todo.channel).strip():
            self.has_text = True

    def broke(self, error: Exception) -> None:
        """Hear from the pacer that sending raised `error`: this session ends, the others go on."""
        self._fail("client", f"a bug of live-harness: {type(error).__name__}: {error}")

    def _fail(self, kind: FailureKind, problem: str) -> None:
        """Give the session up for a reason that no close code tells."""
        problem = redact(problem, self._secrets)
        self.problem = self.problem or (kind, problem)
        if self._connection is not None:
            self._connection.close(1000)
        if not self._over.done():
            self._over.set_result(Closed(code=1000, reason=problem, by_us=True))


def _text(message: ServerMessage, channel: Channel) -> str:
    """Return the text that `message` brings on `channel`; empty when none."""
    content = message.server_content
    if content is None:
        return ""
    match channel:
        case "input":
            heard = content.input_transcription or content.interim_input_transcription
            return heard.text if heard else ""
        case "output":
            return content.output_transcription.text if content.output_transcription else ""
        case "reply":
            parts = content.model_turn.parts if content.model_turn else []
            return "".join(part.text or "" for part in parts if not part.thought)


def _kind(error: dict[str, Any]) -> FailureKind:
    """Return what an error message means, by the HTTP status it states."""
    code = error.get("code")
    return classify_upgrade(code) if isinstance(code, int) and 400 <= code < 600 else "transient"


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _silence(after: Samples, chunk_ms: Milliseconds, pace: float) -> Iterator[Chunk]:
    """Yield `TAIL_S` of silence as chunks that follow the clip's first `after` samples."""
    tail = AudioClip(pcm=MemoryPcm(bytes(round(TAIL_S * SAMPLE_RATE) * SAMPLE_BYTES)))
    for chunk in chunks(tail, chunk_ms, pace):
        yield replace(chunk, offset=after + chunk.offset, due_s=due(after, pace) + chunk.due_s)


def _resuming(setup: Setup, handle: str | None) -> Setup:
    """Return `setup` as it resumes the session that `handle` names; unchanged when it asks for no resumption."""
    if handle is None or setup.session_resumption is None:
        return setup
    return msgspec.structs.replace(setup, session_resumption=SessionResumptionConfig(handle=handle))
