"""One session as the service holds it: hears, transcribes, replies, counts, says goodbye.

    setup → setupComplete → inputTranscription while audio comes → modelTurn, which repeats what was heard
          → generationComplete → turnComplete with usage

It runs on the event loop that is there, virtual time included, and holds no socket: a `Line` takes what it sends. It
never sees a reference and never the locale; the languages it listens for are all, unless the client sent hints.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, assert_never

from harness.audio.stream import StreamResampler
from harness.emulator.context import CHARACTERS_A_TOKEN, Context, Handles, Saved, text_tokens
from harness.emulator.ears import EarLostError
from harness.emulator.limits import Limits
from harness.emulator.turns import (
    DEFAULT_SILENCE_MS,
    Begun,
    Ended,
    Piece,
    Step,
    Turns,
    detection,
)
from harness.text.locales import LOCALES
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Milliseconds, Seconds
from harness.wire.live import catalogue, refusals
from harness.wire.live.messages import (
    Content,
    GoAway,
    Part,
    ServerContent,
    ServerMessage,
    SessionResumptionUpdate,
    Setup,
    SetupComplete,
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
    """Between the parts of a reply."""


MOST_WAITING: Final = 60 * SAMPLE_RATE * SAMPLE_BYTES
"""Bytes of audio the ear may be behind before the client is no longer read: a minute."""

_PART_WORDS: Final = 5
_WORDS: Final = re.compile(rf"(?:\S+\s*){{1,{_PART_WORDS}}}")


@dataclass(slots=True, eq=False)
class _Turn:
    """One turn of the user and what becomes of it."""

    text: str = ""
    """Heard or read so far."""

    pieces: int = 0
    """Pieces of audio in it; 0: there was no speech."""

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
        self, server: LiveServer, ear: Ear, line: Line, manners: Manners, handles: Handles
    ) -> None:
        self._server = server
        self._ear = ear
        self._line = line
        self._manners = manners
        self._handles = handles
        self._loop = asyncio.get_running_loop()
        self._context = Context(audio_rate=manners.audio_tokens_per_s)
        self._resampler = StreamResampler(SAMPLE_RATE)
        self._listening: Listening | None = None
        self._turns: Turns | None = None
        self._turn = _Turn()
        self._unanswered: list[_Turn] = []
        self._queue: asyncio.Queue[tuple[_Turn, Piece | Ended]] = asyncio.Queue()
        self._waiting = 0
        self._held = False
        self._over = False
        self._worker: asyncio.Task[None] | None = None
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
        if self._worker is not None:
            self._worker.cancel()
        if self._listening is not None:
            self._listening.leave()

    def _refuse(self, refused: Refused) -> None:
        if not self._over:
            self.gone()
            self._line.close(refused.code, refused.reason)

    def _send(self, message: ServerMessage) -> None:
        if not self._over:
            self._line.send(self._server.send(message))

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
                self._context.text += _content_tokens(event.update.system_instruction)
            case ToolAnswered():
                pass  # No tool is ever called.
            case _:
                assert_never(event)

    def _set_up(self, event: SetupReceived) -> None:
        if event.modality == "AUDIO":
            # There is no voice to speak with, and the service's own words say that best.
            raise Refused(refusals.MODALITIES, refusals.MODALITIES.text(modalities="AUDIO"))
        setup = event.setup
        self._limits.set_up()
        self._resume(setup, event.model.id)
        self._context.text += _content_tokens(setup.system_instruction)
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
        self._worker = self._loop.create_task(self._work(self._listening))
        self._worker.add_done_callback(self._worked)

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
        self._context.pictures += 1
        setup = self._server.setup
        if self._context.pictures == 1 and setup and setup.context_window_compression is None:
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
        self._unanswered.append(turn)
        self._queue.put_nowait((turn, Ended()))

    def _read(self, text: str) -> None:
        """Take realtime text: part of the turn the client has open, else a turn by itself."""
        self._context.text += text_tokens(text)
        if self._their_turns().manual and self._their_turns().open:
            self._turn.text += text
            return
        if self._interruptible():
            self._interrupt()
        self._end(_Turn(text=text))

    def _take_turns(self, event: TurnsReceived) -> None:
        """Take turns into the context; they always interrupt, and when they are complete the last one is answered."""
        self._interrupt()
        self._context.text += sum(_content_tokens(one) for one in event.turns)
        if event.complete:
            said = [_text(one) for one in event.turns if one.role != "model"]
            self._end(_Turn(text=said[-1] if said and said[-1] else "…"))

    # ── interruption ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _interruptible(self) -> bool:
        config = self._server.setup.realtime_input_config if self._server.setup else None
        return config is None or config.activity_handling != "NO_INTERRUPTION"

    def _interrupt(self) -> None:
        for turn in self._unanswered:
            turn.cut.set()

    # ── the ear and the reply ────────────────────────────────────────────────────────────────────────────────────────

    async def _work(self, listening: Listening) -> None:
        """Hear and answer, one thing after the other."""
        while True:
            turn, step = await self._queue.get()
            if isinstance(step, Ended):
                if not turn.nothing:
                    await self._answer(turn)
                self._unanswered.remove(turn)
                continue
            async for fragment in listening.hear(step.pcm, last=step.last):
                turn.text += fragment
                self._transcribed(fragment)
            self._waiting -= len(step.pcm)
            self._hold()

    def _worked(self, worker: asyncio.Task[None]) -> None:
        """Close as the service does when something of its own breaks."""
        if worker.cancelled():
            return
        error = worker.exception()
        if error is not None:
            if not isinstance(error, EarLostError):
                self._loop.call_exception_handler(
                    {"message": "bug in the emulator's conversation", "exception": error}
                )
            self._refuse(Refused(refusals.INTERNAL))

    def _transcribed(self, fragment: str) -> None:
        setup, model = self._server.setup, self._server.model
        asked = setup is not None and setup.input_audio_transcription is not None
        if asked or (model is not None and model.kind == "transcribe"):
            transcription = Transcription(text=fragment)
            self._send(
                ServerMessage(server_content=ServerContent(input_transcription=transcription))
            )

    async def _answer(self, turn: _Turn) -> None:
        """Repeat what was heard, part by part, until it is done or interrupted; then close the turn with its bill."""
        self._send_resumption(SessionResumptionUpdate())
        said = ""
        pause_s = self._manners.reply_after_s
        for part in _parts(self._reply(turn.text)):
            if await _within(turn.cut, pause_s):
                break
            said += part
            content = Content(role="model", parts=[Part(text=part)])
            self._send(ServerMessage(server_content=ServerContent(model_turn=content)))
            pause_s = self._manners.part_every_s
        if turn.cut.is_set():
            self._send(ServerMessage(server_content=ServerContent(interrupted=True)))
        else:
            self._send(ServerMessage(server_content=ServerContent(generation_complete=True)))
        self._send(
            ServerMessage(
                server_content=ServerContent(turn_complete=True),
                usage_metadata=self._context.usage(said),
            )
        )
        self._context.text += text_tokens(said)
        self._send_handle()

    def _reply(self, text: str) -> str:
        """Return what is said to `text`: the same, no longer than the setup allows; nothing where none converses."""
        setup, model = self._server.setup, self._server.model
        if model is not None and model.kind == "transcribe":
            return ""
        config = setup.generation_config if setup else None
        most = config.max_output_tokens if config else None
        reply = text.strip()
        return reply if most is None else reply[: most * CHARACTERS_A_TOKEN]

    # ── goodbye, resumption, flow ────────────────────────────────────────────────────────────────────────────────────

    def _say_go_away(self, left: Seconds) -> None:
        if self._server.ready:
            self._send(ServerMessage(go_away=GoAway(time_left=f"{left:g}s")))

    def _send_handle(self) -> None:
        model = self._server.model
        if model is not None and self._resumable():
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


async def _within(event: asyncio.Event, seconds: Seconds) -> bool:
    """Return whether `event` is set within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _parts(text: str) -> list[str]:
    """Return `text` in pieces of a few words; they concatenate to it."""
    return _WORDS.findall(text)


def _text(content: Content) -> str:
    return "".join(part.text or "" for part in content.parts)


def _language(code: str) -> str:
    """Return the language of a locale, ISO 639-1: `cmn-CN` is `zh`."""
    locale = LOCALES.get(code)
    return locale.iso639_1 if locale else code.partition("-")[0].lower()


def _content_tokens(content: Content | None) -> int:
    return text_tokens(_text(content)) if content else 0
