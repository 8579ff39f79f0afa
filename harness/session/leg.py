"""One connection of a session: connect, set up, stream a span of the clip on time, drain, close.

Knows times and the order of things. Does not know which message of the clip is next (`span`), how bytes travel
(`transport`), what an end means for the utterance (`retry`), or which connection it is of how many (`drive`).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, assert_never

import msgspec

from harness.errors import LocalProtocolError, RemoteProtocolError
from harness.secret import redact
from harness.session.course import Mark, Start
from harness.session.errand import Note, Pause, Send
from harness.session.feed import Feed
from harness.session.span import Span
from harness.session.transport import Closed, Connect, Connection, Upgraded
from harness.wire.live.client import LiveClient
from harness.wire.live.codec import to_json
from harness.wire.live.messages import ClientMessage, Setup
from harness.wire.live.refusals import classify_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.secret import Secret
    from harness.session.assignment import Assignment
    from harness.session.errand import Script
    from harness.session.pace import Pacer
    from harness.session.recorder import Recorder
    from harness.session.waits import Waits
    from harness.trace.trace import FailureKind
    from harness.units import Samples, Seconds
    from harness.wire.live.messages import ServerMessage, SessionResumptionUpdate

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
        start: Start,
        stop: Samples,
        secrets: Sequence[Secret],
    ) -> None:
        self._todo = todo
        self._connect = connect
        self._pacer = pacer
        self._rec = recorder
        self._errand = todo.errand
        self._loop = asyncio.get_running_loop()
        self._start = start
        self._setup = _resuming(todo.setup, start.handle)
        self._client = LiveClient(self._setup)
        self._secrets = secrets
        self._connection: Connection | None = None
        self._feed: Feed | None = None
        self._go_away: asyncio.TimerHandle | None = None
        self._paused: set[asyncio.TimerHandle] = set()
        self._upgraded = self._loop.create_future()
        self._ready = self._loop.create_future()
        self._sent_all = self._loop.create_future()
        self._over: asyncio.Future[Closed] = self._loop.create_future()
        self._news: asyncio.Future[None] = self._loop.create_future()
        self._last_message: Seconds = 0.0
        self._sent = 0
        self._before_audio: int | None = None  # messages sent before the first of audio
        self._earlier_audio = 0  # messages of audio that earlier connections sent
        self._trip_s: Seconds = 0.0  # there and back, of the upgrade
        self._connected: Seconds | None = None
        self._gone = False  # the socket is closed
        self._heard_out = False  # it was quiet for long enough, and we stopped listening

        self.span = Span(todo, start=start.position, stop=stop, tailed=not self._client.manual)
        """What of the clip it streams, and how far it has come."""

        self.turned_away = False
        """True: the service was not asked for a session."""

        self.turn_over = False
        """True: the turn was said to be over after the end of the audio."""

        self._open_turn = False  # some of an answer has come, and the end of its turn has not
        self._ended_in_tail = False  # a turn did: what comes after it is late text of that turn

        self.first_answer: int | None = None
        """Number of the session's message, from 1, that brought the first of the answer over this connection; None: none did."""

        self.problem: tuple[FailureKind, str] | None = None
        """Why we gave the connection up, when no close code tells."""

        self.blocked: str | None = None
        """Why the service would not answer, in its own word."""

        self.missed: str | None = None
        """What was waited for in vain."""

        self.mark: Mark | None = None
        """What the newest handle stands for; None: no handle has come over this connection."""

        self.vanished = False
        """True: the service neither ended the turn nor answered our close, as one that is still there would."""

    @property
    def end(self) -> Closed | None:
        """How the connection ended; None: it has not."""
        return self._over.result() if self._over.done() else None

    @property
    def answered(self) -> bool:
        """Whether any of the answer has come."""
        return self.first_answer is not None

    @property
    def reached(self) -> bool:
        """Whether a WebSocket was opened."""
        return bool(self._upgraded.done())

    @property
    def admitted(self) -> bool:
        """Whether the service took the setup."""
        return bool(self._ready.done())

    @property
    def sent_all(self) -> bool:
        """Whether the span was sent, or as much of it as there was time for."""
        return bool(self._sent_all.done())

    @property
    def marked_whole(self) -> bool:
        """Whether the turn was over and the newest handle holds all of it, so that nothing is left to send after resuming."""
        return self.turn_over and self.mark is not None and self.mark.position >= self.span.stop

    @property
    def settled(self) -> bool:
        """Whether a turn that is `marked_whole` was heard out, late text and all: however it ended then, nothing is lost."""
        return self.marked_whole and self.answered and self._heard_out

    @property
    def went_well(self) -> bool:
        """Whether it did its part: the span was sent, and heard out."""
        closed = self.end
        return self.settled or (
            self.sent_all
            and self.problem is None
            and not self.vanished
            and closed is not None
            and (closed.by_us or closed.code == 1000)
        )

    async def run(self, due_s: Seconds | None) -> None:
        """Take the connection from its opening to its close. `due_s`: when its first sample is due; None: as soon as possible.

        Raises nothing but cancellation and bugs of ours: how it ended is left in the attributes.
        """
        connecting = asyncio.ensure_future(self._connect(self._todo.endpoint, self))
        self.span.prepare()
        try:
            self.missed = await self._stages(connecting, self._todo.waits, due_s)
        finally:
            connecting.cancel()
            await self.span.close()
            if self._go_away is not None:
                self._go_away.cancel()
            for timer in self._paused:
                timer.cancel()
            if self._connection is not None and not self._gone:
                self._connection.abort()
            if self._feed is not None:
                self._feed.over = True
            self._connection = self._feed = None  # without the rings all are freed at once
            self._rec.passed(self._loop.time(), self.span.passages())

    async def _stages(
        self, connecting: asyncio.Future[Connection], waits: Waits, due_s: Seconds | None
    ) -> str | None:
        """Connect, set up, stream, drain and close; return what was waited for in vain, or None."""
        if not await self._wait(connecting, waits.upgrade_s):
            return None if self._over.done() else f"no connection within {waits.upgrade_s:g} s"
        self._connection = connecting.result()
        self._connected = self._loop.time()
        if not await self._wait(self._upgraded, waits.upgrade_s):
            return (
                None
                if self._over.done()
                else f"no answer to the upgrade within {waits.upgrade_s:g} s"
            )
        first = not self._rec.begun
        if first and not await self._entered():
            return None
        self._send(self._client.open(), to_json(ClientMessage(setup=self._setup)))
        if not await self._wait(self._ready, waits.setup_s):
            return None if self._over.done() else f"no setupComplete within {waits.setup_s:g} s"
        opening = self._errand.opening(self._client) if first else ()
        self._play(iter(opening), then=lambda: self._begin(due_s))
        await self._wait(self._sent_all)
        missed = None if self._over.done() else await self._drain(waits)
        if missed is not None and self._go_away is not None:
            self.problem = self.problem or ("duration", f"goAway came, and then {missed}")
        if not self._over.done():
            self._rec.closing(self._loop.time())
            self._connection.close()
            if self.span.position >= len(self._todo.clip):
                self._todo.way.leave()
            if not await self._wait(self._over, waits.close_s):
                self.vanished = not self.turn_over
                self._connection.abort()
        return missed

    async def _wait(self, wanted: asyncio.Future[Any], seconds: Seconds | None = None) -> bool:
        """Return whether `wanted` came within `seconds` (None: no limit) and before the connection was over.

        `asyncio.wait` would do, at three times the cost, since it waits for any number; a session waits seven times.
        """
        if wanted.done() or self._over.done():
            return wanted.done()
        woken = self._loop.create_future()

        def wake(*_: object) -> None:
            _set(woken)

        timer = None if seconds is None else self._loop.call_later(seconds, wake)
        wanted.add_done_callback(wake)
        self._over.add_done_callback(wake)
        try:
            await woken
        finally:
            if timer is not None:
                timer.cancel()
            wanted.remove_done_callback(wake)
            self._over.remove_done_callback(wake)
        return wanted.done()

    async def _entered(self) -> bool:
        """Wait until the service may be asked for a session; False: it may not be, or it closed while we waited."""
        entering = asyncio.ensure_future(self._todo.way.enter())
        try:
            # An open way lets in at once. The service then counts as asked, and its reason counts, even if it has closed by now.
            await asyncio.sleep(0)
            self.turned_away = not (await self._wait(entering) and entering.result())
        finally:
            entering.cancel()
        return not self.turned_away

    async def _drain(self, waits: Waits) -> str | None:
        """Read until the answer has been quiet long enough; return what never came, or None."""
        end = self._loop.time()
        self._last_message = max(self._last_message, end)
        while not self._over.done():
            quiet = self._errand.patience_s(
                waits,
                turn_over=self.turn_over,
                answered=self.answered,
                open_turn=self._open_turn,
            )
            left = min(self._last_message + quiet, end + waits.drain_s) - self._loop.time()
            if left <= 0:
                self._heard_out = True
                break
            self._news = self._loop.create_future()
            await self._wait(self._news, left)
        if self._over.done() or self.answered or self.turn_over:
            return None
        return f"no answer within {self._loop.time() - end:.0f} s after the end of what was asked"

    # ── sending ──

    def _send(self, payload: bytes, frame: Any) -> None:
        assert self._connection is not None  # noqa: S101 - nothing is sent before it is there
        self._connection.send(payload)
        self._sent += 1
        self._rec.sent(self._loop.time(), frame)

    def _play(self, script: Script, then: Callable[[], None] = lambda: None) -> None:
        """Send what `script` says, now and after its pauses, and call `then` at its end.

        The script may answer a service that asked too early, before it had the setup or had completed it: that breaks the
        protocol, and ends the connection.
        """
        try:
            whole = self._play_on(script, then)
        except LocalProtocolError:
            if self._sent and self._client.ready:
                raise
            self._fail("transient", "the service wants an answer before the setup is complete")
            return
        if whole:
            then()

    def _play_on(self, script: Script, then: Callable[[], None]) -> bool:
        """Send what `script` says up to its next pause; return whether that was all."""
        for step in script:
            if self._over.done():
                return False
            match step:
                case Pause(seconds=seconds):
                    timer = self._loop.call_later(seconds, lambda: self._play(script, then))
                    self._paused.add(timer)
                    return False
                case Note(said=said):
                    self._rec.noted(self._loop.time(), said)
                case Send(payload=payload, asks=asks):
                    if not self._sent:
                        raise LocalProtocolError("setup must be the first message")
                    self._send(payload, step.shown)
                    if asks:
                        self.turn_over = False
                        self._last_message = self._loop.time()
                case _:
                    assert_never(step)
        return True

    def _begin(self, due_s: Seconds | None) -> None:
        """Stream the clip, or note that all is said."""
        if self._over.done():
            return
        if self._errand.spoken:
            self._begin_audio(due_s)
            return
        self._rec.asked(self._loop.time())
        _set(self._sent_all)

    def _begin_audio(self, due_s: Seconds | None) -> None:
        """Settle when the span's first sample is due, and hand the stream to the pacer."""
        todo = self._todo
        now = self._loop.time()
        begins = self._pacer.start(todo.chunk_ms / 1000 / todo.pace) if todo.pace else now
        begins = max(begins, due_s if due_s is not None else now)
        self._rec.audio_starts(now, begins, self._start, due_s)
        self._rec.audio_follows(self.span.position, self.span.size, self.span.limit)
        self.span.begin(begins)
        if self._client.manual and not self._start.in_turn:
            self._send(self._client.activity_start(), {"realtimeInput": {"activityStart": {}}})
        self._before_audio = self._sent
        self._earlier_audio = self._rec.audio_by(now)
        assert self._connection is not None  # noqa: S101 - nothing begins before it is there
        self._feed = Feed(
            self.span,
            self._connection,
            self._rec,
            stall_s=todo.waits.stall_s,
            ended=self._end_audio,
            failed=self._fail,
        )
        self._pacer.add(self._feed, self.span.due)

    def _cut(self) -> None:
        """End the span where it is, since the service will close."""
        if not self._sent_all.done():
            self.span.cut()

    def _end_audio(self) -> None:
        if self._client.manual:
            self._send(self._client.activity_end(), {"realtimeInput": {"activityEnd": {}}})
        else:
            self._send(self._client.audio_stream_end(), {"realtimeInput": {"audioStreamEnd": True}})
        _set(self._sent_all)

    # ── hearing ──

    def upgraded(self, upgraded: Upgraded, t: Seconds) -> None:
        """Hear that the WebSocket is open."""
        if self._connected is not None:
            self._trip_s = self._loop.time() - self._connected
        self._rec.upgraded(t, upgraded.headers)
        _set(self._upgraded)

    def received(self, frame: bytes | str, t: Seconds) -> None:
        """Hear a message: keep it, then act on what matters to the session's course."""
        if (too_much := self._rec.received(t, frame)) is not None:
            self._fail("transient", f"the service has sent {too_much}: the trace is cut there")
            return
        try:
            message = self._client.receive(frame)
        except RemoteProtocolError as error:
            self._fail("transient", f"the service sent what is no Live message: {error}")
            return
        if message.server_content is not None or message.tool_call is not None:
            # Handles, bills and goAway may come at any time: they do not show that somebody is still speaking.
            self._last_message = t
            _set(self._news)
        self._follow(message, t)

    def closed(self, closed: Closed, t: Seconds) -> None:
        """Hear that the connection is over; a secret that the peer echoes goes no further than here."""
        self._gone = True
        closed = replace(closed, reason=redact(closed.reason, self._secrets))
        self._rec.closed(t, closed)
        self._end(closed)

    def _follow(self, message: ServerMessage, t: Seconds) -> None:
        if message.setup_complete is not None and not self._ready.done():
            _set(self._ready)
            self._todo.way.admitted()
        if message.error is not None:
            self._fail(
                classify_error(message.error),
                f"error message: {message.error.get('message') or message.error}",
            )
        if message.go_away is not None:
            left = self._client.go_away_s or 0.0
            self._go_by(self._loop.time() + max(0.0, left - min(RESERVE_S, left / 2)))
        if (update := message.session_resumption_update) and update.resumable and update.new_handle:
            self.mark = self._marked(update, t)
        self._look_at(message)
        self._play(self._errand.follow(message, self._client))

    def _go_by(self, t: Seconds) -> None:
        """End the span at `t`, or earlier if that was settled before: goAway may come for connection and session both."""
        if self._go_away is not None:
            t = min(t, self._go_away.when())
            self._go_away.cancel()
        self._go_away = self._loop.call_at(t, self._cut)

    def _marked(self, update: SessionResumptionUpdate, t: Seconds) -> Mark:
        """Return what a handle that came at `t` stands for.

        With `transparent`, the service says which of the connection's messages was the last in the saved state, counted
        from the setup, which is 0 and left out by proto-JSON. Otherwise we assume what had been sent a round trip ago.
        """
        span, resumption = self.span, self._setup.session_resumption
        heard = self._rec.messages
        if resumption is None or not resumption.transparent:
            held = max(0, self._rec.audio_by(t - self._trip_s) - self._earlier_audio)
            return Mark(
                handle=update.new_handle,
                position=min(self._start.position + held * span.size, span.position),
                heard=heard,
                known_by="position",
            )
        last = update.last_consumed_client_message_index or 0
        position, in_turn = self._start.position, self._start.in_turn
        if self._before_audio is not None:
            sent = -(-(span.position - position) // span.size)
            over = self.sent_all and last >= self._before_audio + sent
            position += max(0, last + 1 - self._before_audio) * span.size
            in_turn = self._client.manual and last + 1 >= self._before_audio and not over
        return Mark(
            handle=update.new_handle,
            position=min(position, span.position),
            heard=heard,
            in_turn=in_turn,
            known_by="index",
        )

    def _look_at(self, message: ServerMessage) -> None:
        """Note what `message` says of the answer and of the turn."""
        answers = self._errand.answers(message)
        if answers and self.first_answer is None:
            self.first_answer = self._rec.messages
        self._open_turn = self._open_turn or (answers and not self._ended_in_tail)
        content = message.server_content
        if content is None:
            return
        if content.turn_complete_reason and content.turn_complete_reason != "NEED_MORE_INPUT":
            self.blocked = content.turn_complete_reason
        if content.ends_turn:
            self._open_turn = False
            self._ended_in_tail = self._ended_in_tail or self.span.in_tail
            self.turn_over = self.turn_over or self._sent_all.done()

    def _fail(self, kind: FailureKind, problem: str) -> None:
        """Give the session up for a reason that no close code tells."""
        problem = redact(problem, self._secrets)
        self.problem = self.problem or (kind, problem)
        if self._connection is not None:
            self._connection.close(1000)
        self._end(Closed(code=1000, reason=problem, by_us=True))

    def _end(self, closed: Closed) -> None:
        if self._feed is not None:
            self._feed.over = True
        if not self._over.done():
            self._over.set_result(closed)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _resuming(setup: Setup, handle: str | None) -> Setup:
    """Return `setup` as it resumes the session that `handle` names; unchanged when it asks for no resumption."""
    if handle is None or setup.session_resumption is None:
        return setup
    resumption = msgspec.structs.replace(setup.session_resumption, handle=handle)
    return msgspec.structs.replace(setup, session_resumption=resumption)
