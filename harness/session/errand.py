"""What a session is for: what it sends beside the clip, what counts as an answer, and how long it waits for more.

An errand writes scripts, which a leg plays: what is sent, and the pauses between. Each is for one attempt and may
remember what it saw. Knows frames and their order (`wire/live/client` makes them); knows no socket, no timer, no pacing.
`Transcribe` and `Speak` are here, `Ask` is in `ask`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import msgspec

from harness.units import SAMPLE_BYTES, SPEECH_RATE, Seconds
from harness.wire.live.messages import Content, Part

if TYPE_CHECKING:
    from harness.session.waits import Waits
    from harness.trace.trace import Channel
    from harness.wire.live.client import LiveClient
    from harness.wire.live.messages import ServerMessage


@dataclass(frozen=True, slots=True)
class Send:
    """Something to send."""

    payload: bytes
    kept: Any = field(default=None)
    """What the trace keeps of it; None: all of it."""

    asks: bool = False
    """True: the service answers it with a turn."""

    @property
    def shown(self) -> Any:
        """Return what the trace keeps."""
        return msgspec.json.decode(self.payload) if self.kept is None else self.kept


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait within a script."""

    seconds: Seconds


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the trace alone."""

    said: dict[str, Any]


Script: TypeAlias = Iterator[Send | Pause | Note]
"""What is sent one after the other. What comes after a pause is decided when the pause is over."""


class Errand(Protocol):
    """What a session is for."""

    @property
    def spoken(self) -> bool:
        """Whether the clip is streamed as the user's turn; False: all is said by the opening."""

    @property
    def divisible(self) -> bool:
        """Whether another connection can go on where one ended."""

    def opening(self, client: LiveClient) -> Script:
        """Return what is sent before the clip."""

    def follow(self, message: ServerMessage, client: LiveClient) -> Script:
        """Return what is sent because `message` came."""

    def answers(self, message: ServerMessage) -> bool:
        """Return whether `message` brings some of the answer."""

    def patience_s(
        self, waits: Waits, *, turn_over: bool, answered: bool, open_turn: bool
    ) -> Seconds:
        """Return how long to wait without a message before no more is expected.

        `turn_over`: a turn ended after everything was sent; `open_turn`: some of an answer has come, and its turn has
        not ended.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcribe:
    """The clip is streamed, and its text waited for."""

    channel: Channel = "input"
    """The text that is waited for."""

    spoken: bool = field(default=True, init=False)
    divisible: bool = field(default=True, init=False)

    def opening(self, client: LiveClient) -> Script:
        """Return nothing: the clip says it all."""
        del client
        return iter(())

    def follow(self, message: ServerMessage, client: LiveClient) -> Script:
        """Return nothing: a transcript is not answered."""
        del message, client
        return iter(())

    def answers(self, message: ServerMessage) -> bool:
        """Return whether `message` brings text on the channel."""
        return bool(text(message, self.channel).strip())

    def patience_s(
        self, waits: Waits, *, turn_over: bool, answered: bool, open_turn: bool
    ) -> Seconds:
        """Return the wait for more text, which may come after the end of the turn or without one."""
        return usual_patience_s(waits, turn_over=turn_over, answered=answered, open_turn=open_turn)


class Speak:
    """A text is sent, and its speech collected."""

    spoken = False
    divisible = False

    def __init__(self, words: str, *, as_content: bool) -> None:
        self._words = words
        self._as_content = as_content
        self._speech_s: Seconds = 0.0

    def opening(self, client: LiveClient) -> Script:
        """Return the text as a turn that the model answers."""
        yield from question(self._words, client, as_content=self._as_content)

    def follow(self, message: ServerMessage, client: LiveClient) -> Script:
        """Return nothing; the length of the speech is counted."""
        del client
        self._speech_s += speech_s(message)
        return iter(())

    def answers(self, message: ServerMessage) -> bool:
        """Return whether `message` brings speech or its transcription."""
        return speech_s(message) > 0 or bool(text(message, "output").strip())

    def patience_s(
        self, waits: Waits, *, turn_over: bool, answered: bool, open_turn: bool
    ) -> Seconds:
        """Return the wait for more speech: the end of a turn may come as late as the speech would take to play."""
        usual = usual_patience_s(waits, turn_over=turn_over, answered=answered, open_turn=open_turn)
        return usual if turn_over else usual + self._speech_s


def usual_patience_s(waits: Waits, *, turn_over: bool, answered: bool, open_turn: bool) -> Seconds:
    """Return how long to wait without a message for more of an answer, by what there is of it."""
    match turn_over, answered:
        case True, True:
            return waits.quiet_s
        case True, False:
            return waits.late_text_s
        case False, True:
            return waits.turn_end_s if open_turn else waits.more_text_s
        case _:
            return waits.first_text_s


def question(words: str, client: LiveClient, *, as_content: bool) -> Script:
    """Return `words` as a whole turn of the user: a `clientContent` turn, or realtime text where that only seeds history."""
    if as_content:
        yield Send(client.content([Content(role="user", parts=[Part(text=words)])]), asks=True)
        return
    if client.manual:
        yield Send(client.activity_start())
    yield Send(client.text(words), asks=not client.manual)
    if client.manual:
        yield Send(client.activity_end(), asks=True)


def speech_s(message: ServerMessage) -> Seconds:
    """Return how much of the model's speech `message` brings, s."""
    content = message.server_content
    parts = content.model_turn.parts if content and content.model_turn else []
    sizes = (len(part.inline_data.data) for part in parts if part.inline_data)
    return sum(sizes) / SAMPLE_BYTES / SPEECH_RATE


def text(message: ServerMessage, channel: Channel) -> str:
    """Return the text that `message` brings on `channel`, thoughts left out; empty when none."""
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
