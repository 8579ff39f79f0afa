"""One session as the service holds it: hears, transcribes, replies, counts, says goodbye.

    setup → setupComplete → inputTranscription while audio comes → modelTurn, by default what was heard once more
          → generationComplete → turnComplete with usage

One task hears, another answers, so that it hears while it speaks. It runs on the event loop that is there, virtual time
included, and holds no socket: a `Line` takes what it sends. It never sees a reference and never the locale; the
languages it listens for are all, unless the client sent hints.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, assert_never

from harness.audio.stream import StreamResampler
from harness.emulator import calls, speech
from harness.emulator.abilities import Abilities, abilities
from harness.emulator.answers import REPEAT, Answer, Answers, Said, filled
from harness.emulator.calls import Calls, Pending
from harness.emulator.context import Context, Handles, Saved, text_tokens
from harness.emulator.ears import EarLostError
from harness.emulator.limits import Limits
from harness.emulator.reply import Delivery, Reply
from harness.emulator.turns import (
    DEFAULT_SILENCE_MS,
    Begun,
    Ended,
    Piece,
    Step,
    Turns,
    detection,
)
from harness.emulator.voice import VoiceLostError
from harness.text.locales import LOCALES
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Milliseconds, Seconds
from harness.wire.live import catalogue, refusals
from harness.wire.live.messages import (
    Content,
    FunctionResponse,
    GoAway,
    ServerContent,
    ServerMessage,
    SessionResumptionUpdate,
    Setup,
    SetupComplete,
    ToolCall,
    ToolCallCancellation,
    Transcription,
)
from harness.wire.live.refusals import Refused
from harness.wire.live.server import (
    ActivityEnded,
    ActivityStarted,
    AudioReceived,
    ClientEvent,
    ContextUpdated,
    LiveServer,
    SetupReceived,
    StreamEnded,
    TextReceived,
    ToolAnswered,
    TurnsReceived,
    VideoReceived,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.emulator.ears import Ear, Listening
    from harness.emulator.voice import Voice
    from harness.wire.live.codec import Frame


class Line(Protocol):
    """The connection to the client."""

    def send(self, frame: bytes) -> None:
        """Send a binary message."""

    def close(self, code: int, reason: str) -> None:
        """Close; nothing is sent after it."""

    def hold(self, full: bool) -> None:
        """Stop reading what the client sends while `full`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How the emulated service behaves, the same for all its sessions."""

    audio_tokens_per_s: int = catalogue.AUDIO_TOKENS_PER_S[0]
    """25: what Vertex AI bills; 32: what the Developer API's pages say."""

    connection_s: Seconds = catalogue.CONNECTION_S
    """Life of a connection."""

    go_away_lead_s: Seconds = catalogue.GO_AWAY_LEAD_S
    """How long before its end goAway is sent."""

    session_s: Seconds = catalogue.SESSION_AUDIO_S
    """Longest session without context-window compression, over its connections."""

    setup_s: Seconds = 30.0
    """Longest wait for `setup`."""

    silence_ms: Milliseconds = DEFAULT_SILENCE_MS
    """Silence that ends a turn under automatic detection, when the client does not say."""

    reply_after_s: Seconds = 0.05
    """From the end of what was heard to the reply."""

    part_every_s: Seconds = 0.03
    """Between the parts of a written reply."""

    speech_pace: float = 1.25
    """Seconds of speech given out in a second: a little faster than it is played, as the service does."""

    answers: Answers = REPEAT
    """What is answered."""


MOST_WAITING: Final = 60 * SAMPLE_RATE * SAMPLE_BYTES
"""Bytes of audio the ear may be behind before the client is no longer read: a minute."""

MOST_UNANSWERED: Final = 1000
"""Turns that may wait for their answers; a client that ends turns faster than that is refused."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class _Turn:
    """One turn of the user and what becomes of it."""

    text: str = ""
    """Heard or read so far."""

    typed: bool = False
    """Some of it was read."""

    pieces: int = 0
    """Pieces of audio in it; 0: there was no speech."""

    language: str | None = None
    """Of what was heard, ISO 639-1; None: nothing was, or nobody can tell."""

    answer: Answer | None = None
    """What is to be answered, where that is known before: to a function's late response."""

    cut: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the user went on before it was answered."""

    @property
    def nothing(self) -> bool:
        """True: nobody said anything, so nothing is answered."""
        return not self.pieces and not self.text


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
    ) -> None:
        self._server = server
        self._ear = ear
        self._line = line
        self._manners = manners
        self._handles = handles
        self._voice = voice
        self._loop = asyncio.get_running_loop()
        self._context = Context(audio_rate=manners.audio_tokens_per_s)
        self._resampler = StreamResampler(SAMPLE_RATE)
        self._listening: Listening | None = None
        self._turns: Turns | None = None
        self._turn = _Turn()
        self._typed = ""
        self._unanswered: list[_Turn] = []
        self._queue: asyncio.Queue[tuple[_Turn, Piece | Ended]] = asyncio.Queue()
        self._heard: asyncio.Queue[_Turn] = asyncio.Queue()
        self._calls: Calls | None = None
        self._able = Abilities()
        self._delivery: Delivery | None = None
        self._seen = False
        self._waiting = 0
        self._held = False
        self._over = False
        self._workers: tuple[asyncio.Task[None], ...] = ()
        self._limits = Limits(
            self._loop,
            setup_s=manners.setup_s,
            connection_s=manners.connection_s,
            go_away_lead_s=manners.go_away_lead_s,
            go_away=self._say_go_away,
            refuse=self._refuse,
        )

    # ── the connection ───────────────────────────────────────────────────────────────────────────────────────────────

    def received(self, frame: Frame) -> None:
        """Take a frame from the client."""
        if self._over:
            return
        try:
            for event in self._server.receive(frame):
                self._on(event)
        except Refused as refused:
            self._refuse(refused)

    def gone(self) -> None:
        """Stop everything: nobody is there any more."""
        if self._over:
            return
        self._over = True
        self._limits.cancel()
        for worker in self._workers:
            worker.cancel()
        if self._listening is not None:
            self._listening.leave()

    def _refuse(self, refused: Refused) -> None:
        if not self._over:
            self.gone()
            self._line.close(refused.code, refused.reason)

    def _send(self, message: ServerMessage) -> None:
        if not self._over:
            self._line.send(self._server.send(message))

    def _send_content(self, content: ServerContent) -> None:
        self._send(ServerMessage(server_content=content))

    # ── what the client says ─────────────────────────────────────────────────────────────────────────────────────────

    def _on(self, event: ClientEvent) -> None:
        match event:
            case SetupReceived():
                self._set_up(event)
            case AudioReceived():
                self._hear(event)
            case ActivityStarted():
                self._follow(self._their_turns().start())
            case ActivityEnded() | StreamEnded():
                self._follow(self._their_turns().audio(self._resampler.flush()))
                self._follow(self._their_turns().end())
            case TextReceived():
                self._read(event.text)
            case TurnsReceived():
                self._take_turns(event)
            case VideoReceived():
                self._look()
            case ContextUpdated():
                self._context.add("TEXT", _content_tokens(event.update.system_instruction))
            case ToolAnswered():
                self._learn(event.responses)
            case _:
                assert_never(event)

    def _set_up(self, event: SetupReceived) -> None:
        setup = event.setup
        self._delivery = self._agreed(event)
        self._limits.set_up()
        self._resume(setup, event.model.id)
        self._context.instructions = _content_tokens(setup.system_instruction)
        self._calls = Calls(setup, event.model, named=self._unnumbered)
        self._able = abilities(setup, event.model)
        if setup.context_window_compression is None:
            self._limits.session(self._manners.session_s)
        config = setup.realtime_input_config
        automatic = config.automatic_activity_detection if config else None
        self._turns = Turns(
            self._ear.appetite,
            detection(automatic, silence_ms=self._manners.silence_ms),
            manual=self._server.manual,
        )
        hints = setup.input_audio_transcription
        self._listening = self._ear.listen(
            tuple(_language(code) for code in hints.language_codes) if hints else ()
        )
        self._send(ServerMessage(setup_complete=SetupComplete()))
        self._send_handle()
        self._workers = (
            self._loop.create_task(self._hear_all(self._listening)),
            self._loop.create_task(self._answer_all()),
        )
        for worker in self._workers:
            worker.add_done_callback(self._worked)

    def _agreed(self, event: SetupReceived) -> Delivery:
        """Return how answers are given in a session; Refused when this emulator cannot give them so."""
        setup = event.setup
        speaker = None
        if event.modality == "AUDIO":
            if self._voice is None:
                _log.warning("AUDIO is refused: this emulator has no voice installed (py-nanotts)")
                raise Refused(refusals.MODALITIES, refusals.MODALITIES.text(modalities="AUDIO"))
            speaker = speech.speaker(setup, event.model, self._voice)
        config = setup.generation_config
        return Delivery(
            send=self._send_content,
            after_s=self._manners.reply_after_s,
            part_every_s=self._manners.part_every_s,
            speech_pace=self._manners.speech_pace,
            audio_tokens_per_s=self._manners.audio_tokens_per_s,
            speaker=speaker,
            transcribed=setup.output_audio_transcription is not None,
            most_tokens=config.max_output_tokens if config else None,
        )

    @property
    def _unnumbered(self) -> bool:
        """Return whether function calls carry no ids: on Vertex AI, in the guides' time (pipecat-ai/pipecat)."""
        return self._server.route.platform == "vertex" and self._server.era == "guide"

    def _resume(self, setup: Setup, model: str) -> None:
        """Continue the session that the setup's handle names; Refused when there is none such."""
        handle = setup.session_resumption.handle if setup.session_resumption else None
        if not handle:
            return
        saved = self._handles.find(handle)
        if saved is None:
            raise Refused(refusals.SESSION_NOT_FOUND)
        if saved.model != model:
            raise Refused(refusals.PRECONDITION)
        self._context = saved.context
        self._limits.set_up(saved.age_s)

    def _hear(self, event: AudioReceived) -> None:
        turns = self._their_turns()
        self._context.audio_s += len(event.pcm) / SAMPLE_BYTES / event.rate
        if event.rate != self._resampler.rate:
            self._follow(turns.audio(self._resampler.flush()))
            self._resampler = StreamResampler(event.rate)
        second = event.rate * SAMPLE_BYTES
        for offset in range(0, len(event.pcm), second):
            piece = event.pcm[offset : offset + second]
            self._follow(turns.audio(self._resampler.feed(piece)))

    def _look(self) -> None:
        """Take a picture, which nobody looks at, but which costs and shortens the session."""
        self._context.add("VIDEO", catalogue.VIDEO_TOKENS_PER_S)
        setup = self._server.setup
        first, self._seen = not self._seen, True
        if first and setup and setup.context_window_compression is None:
            self._limits.session(catalogue.SESSION_VIDEO_S)

    def _follow(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Begun():
                    self._turn = _Turn()
                    if self._interruptible():
                        self._interrupt()
                case Piece(pcm=pcm):
                    self._turn.pieces += 1
                    self._waiting += len(pcm)
                    self._queue.put_nowait((self._turn, step))
                case Ended():
                    self._end(self._turn)
                case _:
                    assert_never(step)
        self._hold()

    def _end(self, turn: _Turn) -> None:
        if len(self._unanswered) >= MOST_UNANSWERED:
            raise Refused(refusals.EXHAUSTED)
        self._unanswered.append(turn)
        self._queue.put_nowait((turn, Ended()))

    def _read(self, text: str) -> None:
        """Take realtime text: part of the turn the client has open, else a turn by itself."""
        self._context.add("TEXT", text_tokens(text))
        if self._their_turns().manual and self._their_turns().open:
            self._turn.text += text
            self._turn.typed = True
            return
        if self._interruptible():
            self._interrupt()
        self._end(_Turn(text=text, typed=True))

    def _take_turns(self, event: TurnsReceived) -> None:
        """Take turns into the context; they always interrupt, and when they are complete the last one is answered."""
        self._interrupt()
        for one in event.turns:
            self._context.add("TEXT", _content_tokens(one))
            if one.role != "model":
                self._typed = _text(one)
        if event.complete:
            self._end(_Turn(text=self._typed or "…", typed=True))
            self._typed = ""

    # ── interruption ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _interruptible(self) -> bool:
        config = self._server.setup.realtime_input_config if self._server.setup else None
        return config is None or config.activity_handling != "NO_INTERRUPTION"

    def _interrupt(self) -> None:
        for turn in self._unanswered:
            turn.cut.set()

    # ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _learn(self, responses: Iterable[FunctionResponse]) -> None:
        """Take answers to calls; one to a call that nobody waits for is ignored."""
        for response in responses:
            pending = self._their_calls().answered(response)
            if pending is not None:
                self._context.add("TEXT", text_tokens(calls.text(response)))
                self._follow_up(pending, response)

    def _follow_up(self, pending: Pending, response: FunctionResponse) -> None:
        if pending.blocking:
            if not pending.response.done():
                pending.response.set_result(response)
            return
        scheduling = pending.scheduling(response)
        if scheduling == "SILENT":
            return
        if scheduling == "INTERRUPT":
            self._interrupt()
        after = filled(pending.answer.after or "", calls.fields(response))
        self._end(_Turn(text=after, answer=Answer(say=after)))

    # ── the ear and the reply ────────────────────────────────────────────────────────────────────────────────────────

    async def _hear_all(self, listening: Listening) -> None:
        """Hear one thing after the other."""
        while True:
            turn, step = await self._queue.get()
            if isinstance(step, Ended):
                if turn.nothing:
                    self._unanswered.remove(turn)
                else:
                    self._heard.put_nowait(turn)
                continue
            async for fragment in listening.hear(step.pcm, last=step.last):
                turn.text += fragment
                self._transcribed(fragment)
            turn.language = listening.language
            self._waiting -= len(step.pcm)
            self._hold()

    async def _answer_all(self) -> None:
        """Answer one turn after the other."""
        while True:
            turn = await self._heard.get()
            await self._answer(turn)
            self._unanswered.remove(turn)

    def _worked(self, worker: asyncio.Task[None]) -> None:
        """Close as the service does when something of its own breaks."""
        if worker.cancelled():
            return
        error = worker.exception()
        if error is not None:
            if not isinstance(error, EarLostError | VoiceLostError):
                self._loop.call_exception_handler(
                    {"message": "bug in the emulator's conversation", "exception": error}
                )
            self._refuse(Refused(refusals.INTERNAL))

    def _transcribed(self, fragment: str) -> None:
        setup, model = self._server.setup, self._server.model
        asked = setup is not None and setup.input_audio_transcription is not None
        if asked or (model is not None and model.kind == "transcribe"):
            self._send_content(ServerContent(input_transcription=Transcription(text=fragment)))

    async def _answer(self, turn: _Turn) -> None:
        """Answer a turn until it is done or interrupted, then close it with its bill."""
        self._send_resumption(SessionResumptionUpdate())
        assert self._delivery is not None  # noqa: S101 - there is no turn before the setup
        reply = Reply(self._delivery, turn.cut)
        answer = turn.answer or self._answer_to(turn)
        called = await self._give(answer, reply, turn)
        if not turn.cut.is_set() and not answer.silent:
            self._send_content(ServerContent(generation_complete=True))
            await reply.played()
        if turn.cut.is_set():
            self._send_content(ServerContent(interrupted=True))
            if cancelled := self._their_calls().cancel(called):
                cancellation = ToolCallCancellation(ids=cancelled)
                self._send(ServerMessage(tool_call_cancellation=cancellation))
        response = self._tokens(reply)
        self._send(
            ServerMessage(
                server_content=ServerContent(turn_complete=True),
                usage_metadata=self._context.usage(response, text_tokens(reply.thoughts)),
            )
        )
        self._context.close(response)
        self._send_handle()

    async def _give(self, answer: Answer, reply: Reply, turn: _Turn) -> list[Pending]:
        """Give an answer; return the calls that it made."""
        called: list[Pending] = []
        if answer.think:
            reply.think(answer.think, self._able)
        if answer.call is not None and not turn.cut.is_set():
            pending = self._their_calls().open(answer)
            called.append(pending)
            self._send(ServerMessage(tool_call=ToolCall(function_calls=[pending.call])))
        if answer.say:
            await reply.say(answer.say, turn.language)
        if answer.grounding and self._able.search and not turn.cut.is_set():
            self._send_content(ServerContent(grounding_metadata=answer.grounding))
        for pending in called:
            if pending.blocking and (response := await _unless(turn.cut, pending.response)):
                after = filled(answer.after or "", calls.fields(response))
                await reply.say(after, turn.language)
        return called

    def _answer_to(self, turn: _Turn) -> Answer:
        """Return the answer to a turn; nothing is said where none converses."""
        if self._server.model is not None and self._server.model.kind == "transcribe":
            return Answer()
        said = Said(text=turn.text, heard=turn.pieces > 0, typed=turn.typed)
        return self._manners.answers.to(said, self._able)

    def _tokens(self, reply: Reply) -> dict[str, int]:
        """Return a reply's tokens by modality."""
        if self._delivery is not None and self._delivery.speaker is not None:
            return {"AUDIO": round(reply.speech_s * self._manners.audio_tokens_per_s)}
        return {"TEXT": text_tokens(reply.text)}

    # ── goodbye, resumption, flow ────────────────────────────────────────────────────────────────────────────────────

    def _say_go_away(self, left: Seconds) -> None:
        if self._server.ready:
            self._send(ServerMessage(go_away=GoAway(time_left=f"{left:g}s")))

    def _send_handle(self) -> None:
        model = self._server.model
        if self._their_calls().waiting:
            self._send_resumption(SessionResumptionUpdate())
        elif model is not None and self._resumable():
            saved = Saved(model=model.id, context=self._context, age_s=self._limits.age_s)
            handle = self._handles.issue(saved)
            self._send_resumption(SessionResumptionUpdate(new_handle=handle, resumable=True))

    def _send_resumption(self, update: SessionResumptionUpdate) -> None:
        if self._resumable():
            self._send(ServerMessage(session_resumption_update=update))

    def _resumable(self) -> bool:
        return self._server.setup is not None and self._server.setup.session_resumption is not None

    def _hold(self) -> None:
        full = self._waiting > (MOST_WAITING // 2 if self._held else MOST_WAITING)
        if full is not self._held and not self._over:
            self._held = full
            self._line.hold(full)

    def _their_turns(self) -> Turns:
        assert self._turns is not None  # noqa: S101 - the server machine lets nothing in before the setup
        return self._turns

    def _their_calls(self) -> Calls:
        assert self._calls is not None  # noqa: S101 - as above
        return self._calls


async def _unless(
    cut: asyncio.Event, response: asyncio.Future[FunctionResponse]
) -> FunctionResponse | None:
    """Return the response once it is there, or None once the turn is cut."""
    cutting = asyncio.ensure_future(cut.wait())
    try:
        await asyncio.wait((cutting, response), return_when=asyncio.FIRST_COMPLETED)
    finally:
        cutting.cancel()
    return None if cut.is_set() else response.result()


def _text(content: Content) -> str:
    return "".join(part.text or "" for part in content.parts)


def _language(code: str) -> str:
    """Return the language of a locale, ISO 639-1: `cmn-CN` is `zh`."""
    locale = LOCALES.get(code)
    return locale.iso639_1 if locale else code.partition("-")[0].lower()


def _content_tokens(content: Content | None) -> int:
    return text_tokens(_text(content)) if content else 0
