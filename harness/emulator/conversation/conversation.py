"""One session as the service holds it: hears, transcribes, replies, counts, says goodbye.

    setup → setupComplete → inputTranscription while audio comes → modelTurn, by default what was heard once more
          → generationComplete → turnComplete with usage

One task hears, another answers, so that it hears while it speaks. It runs on the event loop that is there, virtual time
included, and holds no socket: a `Line` takes what it sends. It never sees a reference and never the locale; the
languages it listens for are all, unless the client sent hints.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, assert_never

from harness.audio.stream import StreamResampler
from harness.emulator.conversation.backlog import Backlog
from harness.emulator.conversation.handles import Handles, Hearing, Life, Saved
from harness.emulator.conversation.intake import Intake
from harness.emulator.conversation.limits import Limits
from harness.emulator.conversation.resumption import Resumption
from harness.emulator.ear.ear import EarLostError
from harness.emulator.model.context import Context, text_of
from harness.emulator.model.manners import Manners
from harness.emulator.model.respondent import Respondent, Turn
from harness.emulator.user.coverage import Coverage
from harness.emulator.user.transcript import Transcript
from harness.emulator.user.turns import (
    Begun,
    Ended,
    Piece,
    Step,
    Turns,
    detection,
    usual_on,
)
from harness.emulator.voice.speech import Speaker, speaker
from harness.emulator.voice.voice import VoiceLostError
from harness.text.locales import language_code
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Samples, Seconds
from harness.wire.live import codec, refusals
from harness.wire.live.fields import duration
from harness.wire.live.messages import (
    ContextUpdate,
    GoAway,
    ServerContent,
    ServerMessage,
    Setup,
    SetupComplete,
    VoiceActivity,
    VoiceActivityDetectionSignal,
)
from harness.wire.live.refusals import Refused
from harness.wire.live.server import (
    ActivityEnded,
    ActivityStarted,
    AudioReceived,
    ContextUpdated,
    InstantEvent,
    LiveServer,
    SetupReceived,
    StreamEnded,
    TextReceived,
    ToolAnswered,
    TurnsReceived,
    VideoReceived,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harness.emulator.ear.ear import Ear, Listening
    from harness.emulator.voice.voice import Voice
    from harness.wire.live.codec import Frame

READ_BYTES: Final = 4
"""About how many bytes of memory a byte of a setup takes once it is read: more in many small parts, less in long
texts."""


class Line(Protocol):
    """The connection to the client."""

    def send(self, frame: bytes) -> None:
        """Send a binary message."""

    def close(self, code: int, reason: str) -> None:
        """Close; nothing is sent after it."""

    def hold(self, full: bool) -> None:
        """Stop reading what the client sends while `full`."""


_NO_VOICE: Final = (
    "The requested combination of response modalities (AUDIO) is not supported: "
    "this emulator has no voice installed."
)
"""The service's words, and behind them why: a client that wonders sees the reason alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What a session is made of once its setup has come."""

    turns: Turns
    coverage: Coverage
    listening: Listening
    transcript: Transcript
    respondent: Respondent


class Conversation:
    """One connection's session. Make it inside a running loop, after the upgrade.

    `received` takes the client's frames; `gone` says that the connection is lost. It closes the line by itself when the
    service would.
    """

    def __init__(
        self,
        server: LiveServer,
        ear: Ear,
        line: Line,
        manners: Manners,
        handles: Handles,
        *,
        voice: Voice | None = None,
        begun: Callable[[Setup], None] = lambda _: None,
    ) -> None:
        """Begin at the upgrade; `begun` is told the setup once the session is open."""
        self._begun = begun
        self._server = server
        self._ear = ear
        self._line = line
        self._manners = manners
        self._resumption = Resumption(handles, server.route.platform, manners.assumed)
        self._voice = voice
        self._loop = asyncio.get_running_loop()
        self._context = Context(
            audio_rate=manners.audio_tokens_per_s, remembers=manners.answers.look_back
        )
        self._resampler = StreamResampler(SAMPLE_RATE)
        self._parts: _Parts | None = None
        self._turn = Turn()
        self._hearing: Turn | None = None
        self._typed = ""
        self._seeding = False
        self._intake = Intake(take=self._take, hold=line.hold, failed=self._failed)
        self._backlog = Backlog(self._intake.wait)
        self._life = Life()
        self._over = False
        self._setup_bytes = 0
        self._workers: tuple[asyncio.Task[None], ...] = ()
        self._limits = Limits(
            self._loop,
            setup_s=manners.setup_s,
            connection_s=manners.connection_s,
            go_away_lead_s=manners.go_away_lead_s,
            go_away=self._say_go_away,
            refuse=self._refuse,
            cut_off=refusals.DEADLINE
            if manners.assumed.ignored_go_away == "deadline"
            else refusals.GO_AWAY_IGNORED,
        )

    # ── the connection ───────────────────────────────────────────────────────────────────────────────────────────────

    def received(self, frame: Frame) -> None:
        """Take a frame from the client, once all that came before it is taken."""
        if self._server.setup is None:
            self._setup_bytes = len(frame)
        self._intake.add(frame)

    @property
    def kept(self) -> int:
        """Bytes that it keeps of what the client wrote, about: its setup, and text that waits for an answer."""
        waiting = self._parts.respondent.waiting if self._parts is not None else 0
        written = len(self._turn.text) + len(self._typed) + waiting
        return READ_BYTES * self._setup_bytes + written

    def _take(self, frame: Frame) -> Iterator[None]:
        """Take a frame, with a yield behind each piece of audio; Refused when the service would refuse it."""
        for event in self._server.receive(frame):
            if isinstance(event, AudioReceived):
                yield from self._hear(event)
            else:
                self._on(event)
        self._resumption.taken()

    def gone(self) -> None:
        """Stop everything: nobody is there any more."""
        if self._over:
            return
        self._over = True
        self._life.lasted_s = max(self._life.lasted_s, self._limits.age_s)
        self._life.ended_at_s = self._loop.time()
        self._limits.cancel()
        self._intake.stop()
        for worker in self._workers:
            worker.cancel()
        if self._parts is not None:
            self._parts.listening.leave()

    def _refuse(self, refused: Refused) -> None:
        if not self._over:
            self.gone()
            if self._manners.assumed.error_frames == "before-close":
                self._line.send(codec.encode_server(ServerMessage(error=refused.error)))
            self._line.close(refused.code, refused.reason)

    def _send(self, message: ServerMessage) -> None:
        if not self._over:
            self._line.send(self._server.send(message))

    def _send_content(self, content: ServerContent) -> None:
        self._send(ServerMessage(server_content=content))

    # ── what the client says ─────────────────────────────────────────────────────────────────────────────────────────

    def _on(self, event: InstantEvent) -> None:
        match event:
            case SetupReceived():
                self._set_up(event)
            case ActivityStarted():
                self._follow(self._open.turns.start())
            case ActivityEnded() | StreamEnded():
                self._hear_pcm(self._resampler.flush())
                self._follow(self._open.turns.end())
            case TextReceived():
                self._read(event.text)
            case TurnsReceived():
                self._take_turns(event)
            case VideoReceived():
                self._look()
            case ContextUpdated():
                self._update(event.update)
            case ToolAnswered():
                self._open.respondent.learn(event.responses)
            case _:
                assert_never(event)

    def _set_up(self, event: SetupReceived) -> None:
        setup = event.setup
        speaking = self._speaker(event)
        self._limits.set_up()
        hearing = self._resume(setup, event.model.id)
        self._context.begin(setup, self._manners.assumed)
        self._seeding = (
            setup.history_config is not None
            and setup.history_config.initial_history_in_client_content
        )
        platform, era = self._server.route.platform, self._server.era
        respondent = Respondent(
            event,
            self._manners,
            self._context,
            speaker=speaking,
            # Vertex AI's calls had no ids then (pipecat-ai/pipecat).
            unnumbered=(platform, era) == ("vertex", "guide"),
            send=self._send,
            resumable=self._tell_resumable,
        )
        self._limit_session(setup)
        self._parts = parts = _Parts(
            turns=self._turns_of(setup),
            coverage=Coverage(setup, event.model, self._manners.assumed),
            listening=self._listening_to(setup),
            transcript=Transcript(setup, event.model, self._send_content, heard=hearing.untold),
            respondent=respondent,
        )
        self._go_on(setup, hearing)
        self._begun(setup)
        # Only Vertex AI names its sessions, and only later (SDK 1.40).
        name = secrets.token_hex(16) if (platform, era) == ("vertex", "later") else None
        self._send(ServerMessage(setup_complete=SetupComplete(session_id=name)))
        self._tell_resumable(True)
        self._workers = (
            self._loop.create_task(
                self._backlog.hear(
                    parts.listening, parts.transcript, self._heard, respondent.answer
                )
            ),
            self._loop.create_task(respondent.run()),
        )
        for worker in self._workers:
            worker.add_done_callback(self._worked)
        self._hear_pcm(hearing.unheard)

    def _turns_of(self, setup: Setup) -> Turns:
        """Return what tells the user's turns apart, as the setup asks."""
        config = setup.realtime_input_config
        automatic = config.automatic_activity_detection if config else None
        return Turns(
            self._ear.appetite,
            detection(
                automatic,
                usual_on(
                    self._server.route.platform,
                    self._manners.assumed,
                    silence_ms=self._manners.silence_ms,
                ),
            ),
            manual=self._server.manual,
        )

    def _listening_to(self, setup: Setup) -> Listening:
        """Return the ear that hears them, told what the setup says of languages and words."""
        hints = setup.input_audio_transcription
        return self._ear.listen(
            tuple(language_code(code) for code in hints.languages) if hints else (),
            (*hints.custom_vocabulary, *hints.adaptation_phrases) if hints else (),
        )

    def _speaker(self, event: SetupReceived) -> Speaker | None:
        """Return who speaks, None where answers are written; Refused when this emulator cannot speak so."""
        if event.modality != "AUDIO":
            return None
        if self._voice is None:
            raise Refused(refusals.MODALITIES, _NO_VOICE)
        return speaker(event.setup, event.model, self._voice, self._manners.assumed)

    def _resume(self, setup: Setup, model: str) -> Hearing:
        """Continue the session that the setup's handle names, and return how far it was heard.

        Refused when there is none such.
        """
        saved = self._resumption.session(setup, model, self._loop.time())
        if saved is None:
            return Hearing()
        self._context, self._life = saved.context, saved.life
        self._limits.set_up(max(saved.age_s, saved.life.lasted_s))
        return saved.hearing

    def _go_on(self, setup: Setup, hearing: Hearing) -> None:
        """Go on hearing where an earlier connection was heard to; a session that begins is heard from its beginning."""
        self._resumption.go_on(setup.session_resumption, hearing)
        self._open.turns.open = hearing.open
        self._server.in_activity = hearing.open and self._server.manual
        if hearing.pieces:
            self._turn = self._hearing = Turn(
                text=hearing.text,
                typed=hearing.typed,
                pieces=hearing.pieces,
                language=hearing.language,
            )

    def _limit_session(self, setup: Setup) -> None:
        """Let the session last as long as one with its media may; one whose window slides has no end."""
        manners, model = self._manners, self._server.model
        if model is not None and model.session_s is not None:
            self._limits.session(min(model.session_s, manners.session_s))
        elif setup.context_window_compression is None:
            seen_s = manners.video_session_s if self._life.seen else manners.session_s
            self._limits.session(min(seen_s, manners.session_s))

    def _hear(self, event: AudioReceived) -> Iterator[None]:
        """Take audio, with a yield behind each second."""
        if self._open.coverage.silence:
            self._context.audio_s += len(event.pcm) / SAMPLE_BYTES / event.rate
        if event.rate != self._resampler.rate:
            self._hear_pcm(self._resampler.flush())
            self._resampler = StreamResampler(event.rate)
        second = event.rate * SAMPLE_BYTES
        for offset in range(0, len(event.pcm), second):
            self._hear_pcm(self._resampler.feed(event.pcm[offset : offset + second]))
            yield

    def _hear_pcm(self, pcm: bytes) -> None:
        """Take 16 kHz audio, but for what an earlier connection was heard of it."""
        self._follow(self._open.turns.audio(self._resumption.audio(pcm)))

    def _heard(self, turn: Turn, piece: Piece, end: Samples) -> None:
        """Note that a piece was heard, up to sample `end` of the connection's audio."""
        if not self._open.coverage.silence:
            self._context.audio_s += len(piece.pcm) / SAMPLE_BYTES / SAMPLE_RATE
        if not piece.last:
            return
        self._hearing = turn
        self._resumption.heard(end)
        # Behind its end a turn is only to be answered: a handle follows that.
        if turn is self._turn and self._open.turns.open and self._resumption.due:
            self._tell_resumable(True)

    def _look(self) -> None:
        """Take a picture, which nobody looks at, but which costs and shortens the session."""
        if self._open.coverage.sees(within=self._open.turns.open):
            self._context.add("VIDEO", self._context.picture)
        first, self._life.seen = not self._life.seen, True
        if first and self._server.setup is not None:
            self._limit_session(self._server.setup)

    def _follow(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Begun():
                    self._tell_activity("ACTIVITY_START", "VAD_SIGNAL_TYPE_SOS")
                    self._turn = Turn()
                    if self._interruptible():
                        self._open.respondent.interrupt()
                case Piece():
                    self._backlog.add(self._turn, step, self._open.turns.begins)
                case Ended():
                    self._tell_activity("ACTIVITY_END", "VAD_SIGNAL_TYPE_EOS")
                    self._end(self._turn)
                case _:
                    assert_never(step)

    def _tell_activity(self, activity: str, signal: str) -> None:
        """Tell what was detected, where the client asked for it."""
        setup = self._server.setup
        if setup is None or not setup.explicit_vad_signal or self._server.manual:
            return
        told = VoiceActivityDetectionSignal(vad_signal_type=signal)
        self._send(ServerMessage(voice_activity_detection_signal=told))
        offset = duration(self._open.turns.judged / SAMPLE_RATE)
        self._send(ServerMessage(voice_activity=VoiceActivity(type=activity, audio_offset=offset)))

    def _end(self, turn: Turn) -> None:
        self._open.respondent.expect(turn)
        self._backlog.end(turn)

    def _read(self, text: str) -> None:
        """Take realtime text: part of the turn the client has open, else a turn by itself."""
        self._context.read(text)
        if self._open.turns.manual and self._open.turns.open:
            self._turn.text += text
            self._turn.typed = True
            return
        if self._interruptible():
            self._open.respondent.interrupt()
        self._end(Turn(text=text, typed=True))

    def _take_turns(self, event: TurnsReceived) -> None:
        """Take turns into the context; they always interrupt, and when they are complete the last one is answered.

        Those that seed the history come before the conversation, and are not answered. The system's take the place of its
        instruction.
        """
        for one in event.turns:
            if one.role == "system":
                self._context.instruct(one)
            else:
                self._context.take(one)
        if self._seeding:
            self._seeding = not event.complete
            return
        self._open.respondent.interrupt()
        for one in event.turns:
            if one.role not in ("model", "system"):
                self._typed = text_of(one)
        if event.complete:
            self._end(Turn(text=self._typed or "…", typed=True))
            self._typed = ""

    def _update(self, update: ContextUpdate) -> None:
        """Take a new instruction and new tools, each in place of what there was (google-genai 3.4, send_context_update)."""
        if update.system_instruction is not None:
            self._context.instruct(update.system_instruction)
        if update.tools is None:
            return
        try:
            tools = codec.message_from(update.tools, Setup).tools
        except ValueError as error:
            raise Refused(refusals.INVALID_ARGUMENT) from error
        self._open.respondent.equip(tools)

    def _interruptible(self) -> bool:
        config = self._server.setup.realtime_input_config if self._server.setup else None
        return config is None or config.activity_handling != "NO_INTERRUPTION"

    # ── goodbye, resumption, flow ────────────────────────────────────────────────────────────────────────────────────

    def _worked(self, worker: asyncio.Task[None]) -> None:
        if not worker.cancelled() and isinstance(error := worker.exception(), Exception):
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Close as the service does when it refuses, or when something of its own breaks."""
        if isinstance(error, Refused):
            self._refuse(error)
            return
        if not isinstance(error, EarLostError | VoiceLostError):
            self._loop.call_exception_handler(
                {"message": "bug in the emulator's conversation", "exception": error}
            )
        self._refuse(Refused(refusals.INTERNAL))

    def _say_go_away(self, left: Seconds) -> None:
        if self._server.ready:
            self._send(ServerMessage(go_away=GoAway(time_left=duration(left))))

    def _tell_resumable(self, now: bool) -> None:
        """Give out a handle, or say that none is valid, where handles are asked for."""
        update = self._resumption.update(now, between=self._backlog.between, saved=self._saved)
        if update is not None:
            self._send(ServerMessage(session_resumption_update=update))

    def _saved(self) -> Saved:
        """Return the session as it is now."""
        assert self._server.model is not None  # noqa: S101 - handles are for sessions
        turns = self._open.turns
        if self._backlog.idle and not turns.open:
            self._resumption.heard(turns.begins)  # what is before was silence
        turn = self._hearing if self._hearing and not self._hearing.over else None
        # What is sent again is counted again.
        again_s = self._resumption.again_s if self._open.coverage.silence else 0.0
        return Saved(
            model=self._server.model.id,
            context=self._context.copy(less_s=again_s),
            hearing=self._resumption.hearing(
                turn,
                lasts=turn is not None or (turns.manual and turns.open),
                untold=self._open.transcript.heard if turn else "",
            ),
            age_s=self._limits.age_s,
            life=self._life,
        )

    @property
    def _open(self) -> _Parts:
        assert self._parts is not None  # noqa: S101 - the server machine lets nothing in before the setup
        return self._parts
