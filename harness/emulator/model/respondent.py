"""The model's part in a session: answers the user's turns one after the other, and closes each with its bill.

    modelTurn, toolCall … → generationComplete → turnComplete with usage
    cut short: … → interrupted → toolCallCancellation → turnComplete with usage

Knows what the user said and what is to be answered; does not know sound that comes in, nor the connection.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from harness.emulator.model import calls
from harness.emulator.model.abilities import abilities
from harness.emulator.model.answers import Answer, Said, filled
from harness.emulator.model.calls import Calls, Pending
from harness.emulator.model.context import text_tokens
from harness.emulator.model.reply import Reply, delivery
from harness.wire.live import catalogue, refusals
from harness.wire.live.messages import (
    ServerContent,
    ServerMessage,
    ToolCall,
    ToolCallCancellation,
)
from harness.wire.live.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.emulator.model.context import Context
    from harness.emulator.model.manners import Manners
    from harness.emulator.voice.speech import Speaker
    from harness.wire.live.messages import FunctionResponse
    from harness.wire.live.server import SetupReceived
    from harness.wire.live.tools import Tool


MOST_UNANSWERED: Final = 1000
"""Turns that may wait for their answers; a client that ends turns faster than that is refused."""


@dataclass(slots=True, kw_only=True, eq=False)
class Turn:
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

    over: bool = False
    """True: it was answered, and billed."""

    @property
    def nothing(self) -> bool:
        """True: nobody said anything, so nothing is answered."""
        return not self.pieces and not self.text


class Respondent:
    """One session's model. `run` it; then `expect` each turn when it is over, and let it `answer` when it was heard.

    `resumable` is told whether the session can be resumed: not while it answers, nor while a turn waits for its answer
    or a function is awaited.
    """

    def __init__(
        self,
        event: SetupReceived,
        manners: Manners,
        context: Context,
        *,
        speaker: Speaker | None,
        unnumbered: bool,
        send: Callable[[ServerMessage], None],
        resumable: Callable[[bool], None],
    ) -> None:
        self._setup, self._model = event.setup, event.model
        self._manners = manners
        self._context = context
        self._send = send
        self._resumable = resumable
        self._delivery = delivery(event.setup, manners, speaker=speaker, send=self._send_content)
        self._able = abilities(event.setup, event.model)
        self._calls = Calls(event.model, named=unnumbered)
        self._calls.declare(event.setup.tools)
        self._unanswered: list[Turn] = []
        self.waiting = 0
        """Characters of the turns that wait for their answers."""

        self._heard: asyncio.Queue[Turn] = asyncio.Queue()

    # ── what the user does ───────────────────────────────────────────────────────────────────────────────────────────

    def expect(self, turn: Turn) -> None:
        """Know that a turn is over: it can be interrupted from now on, though it is still being heard.

        Refused when too many wait.
        """
        if len(self._unanswered) >= MOST_UNANSWERED:
            raise Refused(refusals.EXHAUSTED)
        self._unanswered.append(turn)
        self.waiting += len(turn.text)

    def answer(self, turn: Turn) -> None:
        """Answer a turn that was expected, after those before it; one with nothing in it is forgotten."""
        if turn.nothing:
            self._unanswered.remove(turn)
        else:
            self._heard.put_nowait(turn)

    def interrupt(self) -> None:
        """Cut what is being answered, and what waits."""
        for turn in self._unanswered:
            turn.cut.set()

    def learn(self, responses: Iterable[FunctionResponse]) -> None:
        """Take answers to calls; one to a call that nobody waits for is ignored, or Refused where that is assumed."""
        for response in responses:
            pending = self._calls.answered(response)
            if pending is None and self._manners.assumed.late_tool_response == "refused":
                raise Refused(refusals.INVALID_ARGUMENT)
            if pending is not None:
                brought = text_tokens(calls.text(response.response))
                if pending.blocking:
                    self._context.learn(brought)
                else:
                    self._context.add("TEXT", brought)
                self._follow_up(pending, response)

    def equip(self, tools: list[Tool]) -> None:
        """Let the model use these tools from now on, and no others."""
        setup = msgspec.structs.replace(self._setup, tools=tools)
        self._able = abilities(setup, self._model)
        self._calls.declare(tools)

    def _follow_up(self, pending: Pending, response: FunctionResponse) -> None:
        if pending.blocking:
            if not pending.response.done():
                pending.response.set_result(response)
            return
        scheduling = pending.scheduling(response)
        if scheduling == "SILENT":
            return
        if scheduling == "INTERRUPT":
            self.interrupt()
        after = filled(pending.answer.after or "", calls.fields(response))
        turn = Turn(text=after, answer=Answer(say=after))
        self.expect(turn)
        self.answer(turn)

    # ── what is answered ─────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Answer for ever; Refused when the context has outgrown the model, VoiceLostError when the voice is lost."""
        while True:
            turn = await self._heard.get()
            await self._respond(turn)
            self._unanswered.remove(turn)
            self.waiting = sum(len(one.text) for one in self._unanswered)

    async def _respond(self, turn: Turn) -> None:
        """Answer a turn until it is done or interrupted, then close it with its bill."""
        self._compress()
        self._check_window()
        self._context.ask()
        self._resumable(False)
        reply = Reply(self._delivery, turn.cut)
        answer = turn.answer or self._answer_to(turn)
        called = await self._give(answer, reply, turn)
        if not turn.cut.is_set() and not answer.silent:
            self._send_content(ServerContent(generation_complete=True))
            await reply.played()
        if turn.cut.is_set():
            self._send_content(ServerContent(interrupted=True))
            if cancelled := self._calls.cancel(called):
                cancellation = ToolCallCancellation(ids=cancelled)
                self._send(ServerMessage(tool_call_cancellation=cancellation))
        response = self._tokens(reply, turn)
        self._send(
            ServerMessage(
                server_content=ServerContent(turn_complete=True, interaction_status=self._status()),
                usage_metadata=self._context.usage(
                    response, thoughts=text_tokens(reply.thoughts), found=text_tokens(reply.found)
                ),
            )
        )
        self._context.close(response)
        self._compress()
        turn.over = True
        self._resumable(not self._calls.waiting and self._unanswered == [turn])

    def _status(self) -> str | None:
        """Return the status that a turn's end tells, in progress while a function is awaited; None: the model tells none."""
        if not self._model.tells_status:
            return None
        return "IN_PROGRESS" if self._calls.waiting else "IDLE"

    def _answer_to(self, turn: Turn) -> Answer:
        """Return the answer to a turn; nothing is said where none converses."""
        if self._model.kind == "transcribe":
            return Answer()
        if turn.pieces:
            self._context.remember(turn.text)
        said = Said(
            text=turn.text, heard=turn.pieces > 0, typed=turn.typed, past=self._context.words
        )
        return self._manners.answers.to(said, self._able)

    async def _give(self, answer: Answer, reply: Reply, turn: Turn) -> list[Pending]:
        """Give an answer; return the calls that it made."""
        called: list[Pending] = []
        if answer.think:
            reply.think(answer.think, self._able)
        if answer.call is not None and not turn.cut.is_set():
            pending = self._calls.open(answer)
            called.append(pending)
            self._send(ServerMessage(tool_call=ToolCall(function_calls=[pending.call])))
        if answer.say:
            await reply.say(answer.say, turn.language)
        if answer.grounding and self._able.search and not turn.cut.is_set():
            reply.found = calls.text(answer.grounding)
            self._send_content(ServerContent(grounding_metadata=answer.grounding))
        for pending in called:
            if pending.blocking and (response := await _unless(turn.cut, pending.response)):
                after = filled(answer.after or "", calls.fields(response))
                await reply.say(after, turn.language)
        return called

    def _send_content(self, content: ServerContent) -> None:
        self._send(ServerMessage(server_content=content))

    # ── what it costs ────────────────────────────────────────────────────────────────────────────────────────────────

    def _tokens(self, reply: Reply, turn: Turn) -> dict[str, int]:
        """Return a reply's tokens by modality; the reply of a model that only transcribes is its transcript."""
        if self._model.kind == "transcribe":
            return {"TEXT": text_tokens(turn.text)}
        if self._delivery.speaker is not None:
            return {"AUDIO": round(reply.speech_s * self._manners.audio_tokens_per_s)}
        return {"TEXT": text_tokens(reply.text)}

    def _check_window(self) -> None:
        """Raise Refused when the context has outgrown the model's window (livekit-plugins-google takes 1007 for that)."""
        window = self._model.context_tokens
        if window is not None and sum(self._context.prompt().values()) > window:
            raise Refused(refusals.INVALID_ARGUMENT)

    def _compress(self) -> None:
        """Let the oldest turns go, where the session asked for it and has grown too long."""
        asked = self._setup.context_window_compression
        if asked is None:
            return
        window = self._model.context_tokens or catalogue.DEFAULT_CONTEXT_TOKENS
        # The proto's defaults: 80 % of the window, and half of what triggers.
        trigger = asked.trigger_tokens or window * 8 // 10
        sliding = asked.sliding_window.target_tokens if asked.sliding_window else None
        self._context.compress(trigger=trigger, target=trigger // 2 if sliding is None else sliding)


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
