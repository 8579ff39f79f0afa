"""A conversation held by hand over one connection: say something, wait for what comes, look at all of it.

For probes of a service, a few turns each; recordings are streamed by `drive`. A leg plays what its errand wrote before it
began, and drains; who converses decides what to say by what came, waits for it by name, and may break the rules to see how
that is refused. Codec, client machine and transport are the same. Knows messages and how long to wait; does not know what an
answer should be.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from harness.errors import HarnessError, RemoteProtocolError
from harness.secret import Secret, redact
from harness.session.recorder import MESSAGE_BYTES
from harness.session.transport import Closed
from harness.units import SAMPLE_BYTES, SAMPLE_RATE
from harness.wire.live import codec
from harness.wire.live.client import LiveClient
from harness.wire.live.messages import Content, FunctionCall, FunctionResponse, Part
from harness.wire.live.refusals import classify_close, classify_error, classify_upgrade

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from harness.session.transport import Connect, Connection, Upgraded
    from harness.units import Seconds
    from harness.wire.live.endpoint import Endpoint
    from harness.wire.live.messages import ServerMessage, Setup, UsageMetadata
    from harness.wire.live.refusals import FailureKind

WAIT_S: Final[Seconds] = 30.0
"""Longest wait for anything."""

HANDLE_S: Final[Seconds] = 3.0
"""Wait for the handle that follows a turn; one that came before it may be good no more."""

MOST_HEARD: Final = 16 * 2**20
"""Bytes taken over one connection, each message with `MESSAGE_BYTES` beside its own: four minutes of speech as base64."""

_CHUNK_S: Final[Seconds] = 0.1


class SilenceError(HarnessError):
    """What was waited for did not come."""


class FaultError(HarnessError):
    """What came is no Live message, is not as it must be, or is more than anybody asked for."""


class HungUpError(HarnessError):
    """The service refused, or ended, the conversation; the text says in which words."""

    kind: FailureKind

    @classmethod
    def by_close(cls, closed: Closed, secrets: list[Secret]) -> HungUpError:
        """Return what a close says."""
        said = redact(closed.reason, secrets)
        code = f"HTTP {closed.status}" if closed.status else f"closed {closed.code}"
        error = cls(f"{code}: {said}" if closed.status or closed.code else said)
        error.kind = (
            classify_upgrade(closed.status)
            if closed.status
            else classify_close(closed.code or 1006, closed.reason)
        )
        return error

    @classmethod
    def by_message(cls, told: dict[str, Any], secrets: list[Secret]) -> HungUpError:
        """Return what an error message says."""
        words = redact(str(told.get("message") or told), secrets)
        error = cls(f"error message {told.get('code', '')}: {words}")
        error.kind = classify_error(told)
        return error


@dataclass(slots=True, kw_only=True)
class Heard:
    """All that came since it was last emptied."""

    written: str = ""
    """The answer in text."""

    spoken: str = ""
    """The transcript of the answer in speech."""

    pcm: bytearray = field(default_factory=bytearray)
    """The answer in speech, as it came."""

    mime_types: set[str] = field(default_factory=set)
    """Of the speech."""

    transcript: str = ""
    """Of what was said to the service."""

    thoughts: str = ""
    calls: list[FunctionCall] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    usage: list[UsageMetadata] = field(default_factory=list)
    grounded: bool = False
    interrupted: bool = False
    turns: int = 0
    """Turns that were said to be complete."""

    guesses: int = 0
    """Hypotheses of what was said to the service that replace each other."""

    strange: set[str] = field(default_factory=set)
    """Names of fields that nobody knows."""

    @property
    def answer(self) -> str:
        """The answer in words."""
        return (self.written or self.spoken).strip()

    @property
    def replied(self) -> bool:
        """Whether the service has begun to answer, or ended its turn without."""
        return bool(self.answer or self.pcm or self.turns)

    def add(self, message: ServerMessage) -> None:
        """Take in one message."""
        self.strange |= message.unknown.keys()
        if message.usage_metadata is not None:
            self.usage.append(message.usage_metadata)
        if message.tool_call is not None:
            self.calls += message.tool_call.function_calls
        if message.tool_call_cancellation is not None:
            self.cancelled += message.tool_call_cancellation.ids
        content = message.server_content
        if content is None:
            return
        for part in content.model_turn.parts if content.model_turn else ():
            self._add_part(part)
        if content.input_transcription is not None:
            self.transcript += content.input_transcription.text
        if content.output_transcription is not None:
            self.spoken += content.output_transcription.text
        self.guesses += content.interim_input_transcription is not None
        self.grounded = self.grounded or content.grounding_metadata is not None
        self.interrupted = self.interrupted or content.interrupted
        self.turns += content.ends_turn

    def _add_part(self, part: Part) -> None:
        if part.thought:
            self.thoughts += part.text or ""
        else:
            self.written += part.text or ""
        if part.inline_data is not None:
            self.pcm += part.inline_data.data
            self.mime_types.add(part.inline_data.mime_type)


class Talk:
    """One connection; it is its own `Listener`. Open it with `talk`."""

    def __init__(self, setup: Setup, secrets: list[Secret], wait_s: Seconds) -> None:
        self.client = LiveClient(setup)
        self.heard = Heard()
        self._secrets = secrets
        self._wait_s = wait_s
        self._inbox: asyncio.Queue[bytes | str | Closed] = asyncio.Queue()
        self._room = MOST_HEARD
        self.connection: Connection | None = None

    # ── what the connection calls ──

    def upgraded(self, upgraded: Upgraded, t: Seconds) -> None:
        """Hear that the connection is open."""
        self.send(self.client.open())

    def received(self, frame: bytes | str, t: Seconds) -> None:
        """Hear a message; who sends more than there is room for is left, and no more is kept."""
        if self._room < 0:
            return
        self._room -= len(frame) + MESSAGE_BYTES
        if self._room >= 0:
            self._inbox.put_nowait(frame)
        elif self.connection is not None:
            self.connection.abort()

    def closed(self, closed: Closed, t: Seconds) -> None:
        """Hear that the connection is over."""
        self._inbox.put_nowait(closed)

    # ── what a probe calls ──

    def send(self, frame: bytes) -> None:
        """Send a frame of `client`'s."""
        if self.connection is not None:
            self.connection.send(frame)
        else:
            # The upgrade may be told before `connect` has returned.
            asyncio.get_running_loop().call_soon(self.send, frame)

    def say(self, *texts: str, complete: bool = True, role: str = "user") -> None:
        """Say something in writing, a turn each."""
        turns = [Content(role=role, parts=[Part(text=text)]) for text in texts]
        self.send(self.client.content(turns, complete))

    async def speak(self, pcm: bytes, pause_s: Seconds, *, rate: int = SAMPLE_RATE) -> None:
        """Say something in speech (s16le mono), 100 ms a frame with a pause after each; `rate` is declared with each."""
        size = round(_CHUNK_S * rate) * SAMPLE_BYTES
        for offset in range(0, len(pcm), size):
            self.send(codec.audio_frame(pcm[offset : offset + size], rate))
            await asyncio.sleep(pause_s)

    def respond(self, call: FunctionCall, response: dict[str, object]) -> None:
        """Answer a function call."""
        answer = FunctionResponse(id=call.id, name=call.name, response=response)
        self.send(self.client.tool_response([answer]))

    async def until(
        self, wanted: Callable[[Heard], object], what: str, wait_s: Seconds | None = None
    ) -> Heard:
        """Return what was heard once `wanted` is true of it; SilenceError says that `what` never came.

        `wait_s` is for a wait that is shorter than all others.
        """
        longest_s = self._wait_s if wait_s is None else min(wait_s, self._wait_s)
        try:
            async with asyncio.timeout(longest_s):
                while not wanted(self.heard):
                    await self._next()
        except TimeoutError:
            raise SilenceError(f"no {what} within {longest_s:g} s") from None
        return self.heard

    def forget(self) -> None:
        """Begin to hear anew."""
        self.heard = Heard()

    async def turn(self) -> Heard:
        """Return what was heard up to the end of a turn, and begin to hear anew."""
        heard = await self.until(lambda one: one.turns, "end of a turn")
        self.forget()
        return heard

    async def handle(self) -> str:
        """Return the newest handle for a resumption: the next to come, if one does within a while."""
        before = self.client.handle
        with contextlib.suppress(SilenceError):
            await self.until(
                lambda _: self.client.handle not in (None, before), "newer handle", HANDLE_S
            )
        await self.until(lambda _: self.client.handle, "resumption handle")
        return self.client.handle or ""

    async def ready(self) -> None:
        """Wait for the service to take the setup."""
        await self.until(lambda _: self.client.ready, "setupComplete")

    async def end(self) -> HungUpError:
        """Return how the service closes the connection; SilenceError when it does not."""
        try:
            await self.until(lambda _: False, "end of the connection")
        except HungUpError as error:
            return error
        raise AssertionError("nothing else ends the wait")

    def hang_up(self) -> None:
        """Close the connection; nothing is heard of it after that."""
        if self.connection is not None:
            self.connection.close()

    async def _next(self) -> None:
        if self._room < 0:
            raise FaultError(
                f"the service has sent more than {MOST_HEARD // 2**20} MiB over one connection"
            )
        frame = await self._inbox.get()
        if isinstance(frame, Closed):
            raise HungUpError.by_close(frame, self._secrets)
        try:
            message = self.client.receive(frame)
        except RemoteProtocolError as error:
            raise FaultError(
                "the service sent what is no Live message", why=redact(str(error), self._secrets)
            ) from None
        if message.error is not None:
            raise HungUpError.by_message(message.error, self._secrets)
        self.heard.add(message)


@contextlib.asynccontextmanager
async def talk(
    connect: Connect, endpoint: Endpoint, setup: Setup, *, wait_s: Seconds = WAIT_S
) -> AsyncIterator[Talk]:
    """Give a conversation whose setup the service has taken, and close it in the end.

    Nothing is waited for longer than `wait_s`. SilenceError: the service does not answer; FaultError: not with a Live
    message; HungUpError: it closes.
    """
    secrets = [value for _, value in endpoint.headers if isinstance(value, Secret)]
    conversation = Talk(setup, secrets, wait_s)
    try:
        async with asyncio.timeout(wait_s):
            conversation.connection = await connect(endpoint, conversation)
    except TimeoutError:
        raise SilenceError(f"no connection within {wait_s:g} s") from None
    try:
        await conversation.ready()
        yield conversation
    finally:
        conversation.connection.close()
