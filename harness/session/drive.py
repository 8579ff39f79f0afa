"""One attempt at one utterance: connect, set up, stream on time, drain, close; and keep all that was said.

Knows times and the order of things. Does not know how bytes travel (`transport`), when to try again (`retry`), or
whether the text is any good. The service's bytes are kept as they came; they become a trace when the session is over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from harness.audio.chunk import chunks
from harness.errors import RemoteProtocolError
from harness.secret import Secret, redact
from harness.session.recorder import Recorder
from harness.session.retry import Ending, ending
from harness.session.transport import Closed, Connect, Connection, Upgraded
from harness.units import SAMPLE_BYTES, SAMPLE_RATE
from harness.wire.live.client import LiveClient
from harness.wire.live.codec import to_json
from harness.wire.live.messages import ClientMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.audio.chunk import Chunk
    from harness.audio.clip import AudioClip
    from harness.session.pace import Pacer
    from harness.trace import Channel, FailureKind, TraceHeader
    from harness.units import Milliseconds, Seconds
    from harness.wire.live.endpoint import Endpoint
    from harness.wire.live.messages import ServerMessage, Setup

TAIL_S: Final = 1.5
"""Silence sent after the clip under automatic detection, s: without it the last turn may never end
(googleapis/python-genai#1328)."""

RETRY_CONGESTED_S: Final = 0.005
"""How soon a stream looks again when its connection takes no more, s."""

BURST: Final = 16
"""Frames a stream sends in one go when it is not paced, before the others have their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """The longest each wait may last.

    A transcript may come after `turnComplete`, or without one (pipecat-ai/pipecat#1788), so the end of a turn shortens
    the wait for more but never ends it.
    """

    upgrade_s: Seconds = 15.0
    """From the start of the connection to the open WebSocket."""

    setup_s: Seconds = 10.0
    """From `setup` to `setupComplete`."""

    quiet_s: Seconds = 1.0
    """Without a message, when the turn is complete and there is text."""

    late_text_s: Seconds = 3.0
    """Without a message, when the turn is complete and there is no text yet."""

    more_text_s: Seconds = 5.0
    """Without a message, when there is text and no end of turn."""

    first_text_s: Seconds = 15.0
    """Without a message, when there is neither."""

    drain_s: Seconds = 60.0
    """From the end of the audio, whatever comes."""

    close_s: Seconds = 2.0
    """From our close to the peer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a session is to do."""

    header: TraceHeader
    """For the trace; what only the session can know is filled in by it."""

    name: str
    """Of the trace's file, without its suffix: received audio is kept under it."""

    endpoint: Endpoint
    setup: Setup
    clip: AudioClip
    chunk_ms: Milliseconds
    pace: float
    """1.0 real time; 0 as fast as the service takes it."""

    channel: Channel
    """The text that the drain waits for."""

    waits: Waits = field(default_factory=Waits)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """What came of it."""

    recorder: Recorder
    """Turns into the trace; costly, so do it beside the loop."""

    ending: Ending


class Session:
    """One attempt. Make it, `await run()`, and throw it away."""

    def __init__(self, assignment: Assignment, connect: Connect, pacer: Pacer) -> None:
        self._todo = assignment
        self._connect = connect
        self._pacer = pacer
        self._loop = asyncio.get_running_loop()
        self._client = LiveClient(assignment.setup)
        self._secrets = [
            value for _, value in assignment.endpoint.headers if isinstance(value, Secret)
        ]
        self._rec = Recorder(assignment.header, assignment.name, self._secrets)
        self._connection: Connection | None = None
        self._frames: Iterator[tuple[Chunk, bool]] | None = None
        self._next: tuple[Chunk, bool] | None = None
        self._start: Seconds = 0.0
        self._upgraded = self._loop.create_future()
        self._ready = self._loop.create_future()
        self._sent_all = self._loop.create_future()
        self._over: asyncio.Future[Closed] = self._loop.create_future()
        self._news: asyncio.Future[None] = self._loop.create_future()
        self._last_message: Seconds = 0.0
        self._turn_over = False
        self._has_text = False
        self._problem: tuple[FailureKind, str] | None = None
        self._blocked: str | None = None

    async def run(self) -> SessionResult:
        """Return what came of the session; only cancellation and bugs of ours are raised."""
        waits = self._todo.waits
        self._rec.began(self._loop.time())
        opening = asyncio.ensure_future(self._connect(self._todo.endpoint, self))
        try:
            missed = await self._stages(opening, waits)
        finally:
            opening.cancel()
            if self._connection is not None and not self._over.done():
                self._connection.abort()
        end = ending(
            closed=self._over.result() if self._over.done() else None,
            missed=missed,
            problem=self._problem,
            blocked=self._blocked,
            has_text=self._has_text,
            turn_over=self._turn_over,
            sent_all=self._sent_all.done(),
        )
        self._rec.ended(self._loop.time(), end)
        return SessionResult(recorder=self._rec, ending=end)

    async def _stages(self, opening: asyncio.Future[Connection], waits: Waits) -> str | None:
        """Go through the session; return what was waited for in vain, or None."""
        if not await self._wait(opening, waits.upgrade_s):
            return None if self._over.done() else f"no connection within {waits.upgrade_s:g} s"
        self._connection = opening.result()
        if not await self._wait(self._upgraded, waits.upgrade_s):
            return (
                None
                if self._over.done()
                else f"no answer to the upgrade within {waits.upgrade_s:g} s"
            )
        self._send(self._client.open(), to_json(ClientMessage(setup=self._todo.setup)))
        if not await self._wait(self._ready, waits.setup_s):
            return None if self._over.done() else f"no setupComplete within {waits.setup_s:g} s"
        self._begin_audio()
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
            match self._turn_over, self._has_text:
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
        if self._over.done() or self._has_text or self._turn_over:
            return None
        return f"no answer within {waits.first_text_s:g} s after the end of the audio"

    # ── sending ──

    def _send(self, payload: bytes, frame: Any) -> None:
        assert self._connection is not None  # noqa: S101 - nothing is sent before it is there
        self._connection.send(payload)
        self._rec.sent(self._loop.time(), frame)

    def _begin_audio(self) -> None:
        """Set the time of the first sample and hand the stream to the pacer."""
        todo = self._todo
        paced = todo.pace > 0
        now = self._loop.time()
        self._start = now + (self._pacer.phase(todo.chunk_ms / 1000 / todo.pace) if paced else 0.0)
        self._rec.audio_starts(self._start, len(todo.clip))
        if self._client.manual:
            self._send(self._client.activity_start(), {"realtimeInput": {"activityStart": {}}})
        self._frames = self._audio()
        self._next = next(self._frames, None)
        self._pacer.add(self, self._start + self._next[0].due_s if self._next else now)

    def _audio(self) -> Iterator[tuple[Chunk, bool]]:
        """Yield the clip's chunks and, under automatic detection, a tail of silence; and whether it is the tail."""
        todo = self._todo
        yield from ((chunk, False) for chunk in chunks(todo.clip, todo.chunk_ms, todo.pace))
        if not self._client.manual:
            yield from (
                (chunk, True) for chunk in _silence(len(todo.clip), todo.chunk_ms, todo.pace)
            )

    def send_due(self, now: Seconds) -> Seconds | None:
        """Send what is due and return when the next frame is; the pacer calls it."""
        assert self._frames is not None and self._connection is not None  # noqa: S101, PT018 - the audio has begun
        try:
            for _ in range(BURST):
                if self._over.done():
                    break
                if self._next is None:
                    self._end_audio()
                    break
                if self._connection.congested:
                    return now + RETRY_CONGESTED_S
                chunk, tail = self._next
                due = self._start + chunk.due_s
                if self._todo.pace and due > now:
                    return due
                key = "silence" if tail else "offset"
                said = {key: chunk.offset, "samples": chunk.samples}
                self._send(self._client.audio(chunk.pcm), {"realtimeInput": {"audio": said}})
                self._next = next(self._frames, None)
                if self._todo.pace and self._next is not None:
                    return self._start + self._next[0].due_s
            else:
                return now
        except OSError as error:
            self._fail("client", f"the clip can no longer be read: {error}")
        return None

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
        closed = replace(closed, reason=redact(closed.reason, self._secrets))
        self._rec.closed(t, closed)
        if not self._over.done():
            self._over.set_result(closed)

    def _follow(self, message: ServerMessage) -> None:
        if message.setup_complete is not None:
            _set(self._ready)
        if message.error is not None:
            self._fail(
                "transient", f"error message: {message.error.get('message') or message.error}"
            )
        content = message.server_content
        if content is None:
            return
        if content.turn_complete_reason and content.turn_complete_reason != "NEED_MORE_INPUT":
            self._blocked = content.turn_complete_reason
        if self._sent_all.done() and (content.turn_complete or content.generation_complete):
            self._turn_over = True
        if _text(message, self._todo.channel).strip():
            self._has_text = True

    def _fail(self, kind: FailureKind, problem: str) -> None:
        """Give the session up for a reason that no close code tells."""
        problem = redact(problem, self._secrets)
        self._problem = self._problem or (kind, problem)
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


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _silence(start: int, chunk_ms: Milliseconds, pace: float) -> Iterator[Chunk]:
    """Yield `TAIL_S` of silence as chunks that follow a clip of `start` samples."""
    from harness.audio.clip import AudioClip, MemoryPcm

    tail = AudioClip(pcm=MemoryPcm(bytes(round(TAIL_S * SAMPLE_RATE) * SAMPLE_BYTES)))
    after = start / SAMPLE_RATE / pace if pace else 0.0
    for chunk in chunks(tail, chunk_ms, pace):
        yield type(chunk)(
            offset=start + chunk.offset,
            samples=chunk.samples,
            pcm=chunk.pcm,
            due_s=after + chunk.due_s,
        )
