"""`Ask`: a question is put, spoken or written, and its answer waited for: words, a call, or silence.

Before the question go the turns that went before and the pictures; a call is answered as the item says; the answer may be
interrupted, to see how fast the model falls silent. Knows what an item brings along (`corpus.scenario`); does not know
what a right answer is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.session.errand import (
    Note,
    Pause,
    Script,
    Send,
    question,
    speech_s,
    text,
    usual_patience_s,
)
from harness.units import SAMPLE_RATE
from harness.wire.live.messages import Blob, Content, FunctionResponse, Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.audio.chunk import Chunk
    from harness.corpus.scenario import OfferedFunction, Scenario
    from harness.session.waits import Waits
    from harness.units import Seconds
    from harness.wire.live.client import LiveClient
    from harness.wire.live.messages import FunctionCall, ServerMessage

FRAME_S: Final[Seconds] = 1.0
"""Between two pictures, s: the Live API looks at one a second (capabilities guide)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as it is sent."""

    name: str
    """Of its file."""

    mime_type: str
    data: bytes

    @property
    def kept(self) -> dict[str, Any]:
        """Return what a trace keeps of it in place of its bytes."""
        return {"file": self.name, "mimeType": self.mime_type, "bytes": len(self.data)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """When and with what the answer is interrupted."""

    after_s: Seconds
    """From the first of the answer."""

    speech: Sequence[Chunk]
    """What is said; empty: only the signal that somebody speaks, where the client gives it."""


class Ask:
    """One question and its answer."""

    divisible = False

    def __init__(
        self,
        scenario: Scenario,
        *,
        words: str | None,
        as_content: bool,
        pictures: Sequence[Picture] = (),
        as_parts: bool = False,
        interruption: Interruption | None = None,
    ) -> None:
        """Take what the item brings along; `words` are the question when it is written, None: the clip asks it.

        `as_parts`: pictures of a written question are parts of its turn, where realtime text may not be taken.
        """
        self._scenario = scenario
        self._words = words
        self._as_content = as_content
        self._pictures = pictures
        self._as_parts = as_parts and as_content and bool(pictures)
        self._interruption = interruption
        self._offered = {tool.name: tool for tool in scenario.tools}
        self._pending: set[str] = set()
        self._speech_s: Seconds = 0.0
        self._replied = False
        self._turn_over = False
        self._fell_silent = False

    @property
    def spoken(self) -> bool:
        """Whether the clip is the question."""
        return self._words is None

    # ── sent ──

    def opening(self, client: LiveClient) -> Script:
        """Return the turns that went before, the pictures one a second, and the question when it is written."""
        if self._scenario.context:
            turns = [
                Content(role=turn.role, parts=[Part(text=turn.text)])
                for turn in self._scenario.context
            ]
            # Where content is history and nothing else, its end is what the service waits for.
            yield Send(client.content(turns, turn_complete=not self._as_content))
        if self._words is not None and self._as_parts:
            yield self._illustrated(self._words, client)
            return
        for number, picture in enumerate(self._pictures):
            if number:
                yield Pause(FRAME_S)
            yield Send(
                client.video(picture.data, picture.mime_type),
                kept={"realtimeInput": {"video": picture.kept}},
            )
        if self._words is not None:
            # A question about pictures goes the way they go: nothing orders turns and realtime input.
            as_content = self._as_content and not self._pictures
            yield from question(self._words, client, as_content=as_content)

    def _illustrated(self, words: str, client: LiveClient) -> Send:
        """Return a written question as one turn, with its pictures before it."""
        shown = [
            Part(inline_data=Blob(mime_type=one.mime_type, data=one.data)) for one in self._pictures
        ]
        turn = Content(role="user", parts=[*shown, Part(text=words)])
        parts = [*({"inlineData": one.kept} for one in self._pictures), {"text": words}]
        kept = {"turns": [{"role": "user", "parts": parts}], "turnComplete": True}
        return Send(client.content([turn]), kept={"clientContent": kept}, asks=True)

    def follow(self, message: ServerMessage, client: LiveClient) -> Script:
        """Return the answers to calls, and the interruption once the answer has begun."""
        self._note(message)
        if message.tool_call is not None:
            yield from self._responses(message.tool_call.function_calls, client)
        if self._replied and self._interruption is not None:
            planned, self._interruption = self._interruption, None
            yield from self._interrupts(planned, client)

    def _note(self, message: ServerMessage) -> None:
        self._speech_s += speech_s(message)
        self._replied = self._replied or _replies(message)
        if (content := message.server_content) is not None:
            self._turn_over = self._turn_over or content.ends_turn
            self._fell_silent = self._fell_silent or content.interrupted
        if message.tool_call is not None:
            self._pending |= {_key(call) for call in message.tool_call.function_calls}
        if message.tool_call_cancellation is not None:
            self._pending -= set(message.tool_call_cancellation.ids)

    def _responses(self, calls: Sequence[FunctionCall], client: LiveClient) -> Script:
        """Return the canned answers to `calls`, the quickest first; one that was cancelled meanwhile is dropped."""
        waited: Seconds = 0.0
        for call in sorted(calls, key=self._after_s):
            if (left := self._after_s(call) - waited) > 0:
                yield Pause(left)
                waited += left
            if _key(call) not in self._pending:
                yield Note({"dropped": {"call": _key(call), "why": "cancelled"}})
                continue
            self._pending.discard(_key(call))
            yield self._response(call, client)

    def _response(self, call: FunctionCall, client: LiveClient) -> Send:
        offered = self._offered.get(call.name)
        silent = offered is not None and offered.scheduling == "SILENT"
        if not silent:
            self._replied = self._turn_over = False
        response = FunctionResponse(
            id=call.id,
            name=call.name,
            response=offered.response if offered else {"error": "there is no such function"},
            scheduling=offered.scheduling if offered else None,
        )
        return Send(client.tool_response([response]), asks=not silent)

    def _interrupts(self, planned: Interruption, client: LiveClient) -> Script:
        """Return speech over the answer, until the model falls silent."""
        yield Pause(planned.after_s)
        if self._turn_over:
            yield Note({"interruption": {"missed": "the answer was over before"}})
            return
        yield Note({"interruption": {"after_s": planned.after_s}})
        if client.manual:
            yield Send(client.activity_start())
        for chunk in planned.speech:
            if self._fell_silent:
                return
            said = {"interruption": chunk.offset, "samples": chunk.samples}
            yield Send(client.audio(chunk.pcm), kept={"realtimeInput": {"audio": said}})
            yield Pause(chunk.samples / SAMPLE_RATE)

    def _after_s(self, call: FunctionCall) -> Seconds:
        offered: OfferedFunction | None = self._offered.get(call.name)
        return offered.after_s if offered else 0.0

    # ── waited for ──

    def answers(self, message: ServerMessage) -> bool:
        """Return whether `message` brings words, speech or a call."""
        return _replies(message) or bool(
            message.tool_call is not None and message.tool_call.function_calls
        )

    def patience_s(
        self, waits: Waits, *, turn_over: bool, answered: bool, open_turn: bool
    ) -> Seconds:
        """Return the wait for more: long while a call is open or speech may still be played, short for a silence."""
        if self._pending:
            return waits.first_text_s + max(
                (tool.after_s for tool in self._scenario.tools), default=0
            )
        usual = usual_patience_s(
            waits, turn_over=turn_over, answered=self._replied, open_turn=open_turn
        )
        expected = self._scenario.expect
        if expected is not None and expected.silence and not answered:
            return min(usual, waits.silence_s)
        if self._interruption is not None:
            usual += self._interruption.after_s
        return usual if turn_over else usual + self._speech_s


def _replies(message: ServerMessage) -> bool:
    """Return whether `message` brings words or speech of the answer."""
    said = text(message, "reply") + text(message, "output")
    return bool(said.strip()) or speech_s(message) > 0


def _key(call: FunctionCall) -> str:
    """Return what tells a call from others: its id, its name where the service gives none."""
    return call.id or call.name
