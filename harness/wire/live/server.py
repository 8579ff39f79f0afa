"""The server's half of a Live session, as a machine over frames: what a client's frames mean, and how to answer.

It refuses what the service refuses, with the service's close codes and words. It decides nothing about speech, replies
or time: the emulator does, from the events this machine returns.

Knows messages, their order and the rules. Knows no socket and no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from harness.errors import LocalProtocolError
from harness.units import SAMPLE_BYTES, SAMPLE_RATE
from harness.wire.live import codec, refusals, rules
from harness.wire.live.assumptions import USUAL, Assumptions
from harness.wire.live.messages import (
    Blob,
    ClientContent,
    ClientMessage,
    Content,
    ContextUpdate,
    FunctionResponse,
    RealtimeInput,
    ServerMessage,
    Setup,
    UsageMetadata,
)
from harness.wire.live.names import check_names
from harness.wire.live.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.wire.live.catalogue import Era, Modality, Model
    from harness.wire.live.endpoint import Route

# ── Events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupReceived:
    """The session is configured, and nothing in the setup is refused. Answer with `setupComplete`."""

    setup: Setup
    model: Model
    modality: Modality
    """What the session answers in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioReceived:
    """Audio that counts: with manual activity, inside the window only."""

    pcm: bytes
    """s16le mono, at least one sample."""

    rate: int
    """Samples a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityStarted:
    """The client says that the user began (manual activity)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityEnded:
    """The client says that the user ended (manual activity)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnded:
    """The microphone pauses: what was heard so far is all (automatic activity detection)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReceived:
    """Realtime text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoReceived:
    """One picture."""

    image: bytes
    mime_type: str
    """`image/jpeg`, `image/png`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnsReceived:
    """Turns for the history; interrupts a running generation."""

    turns: list[Content]
    complete: bool
    """True: the model is to answer; False: more will come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswered:
    """Answers to a tool call."""

    responses: list[FunctionResponse]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextUpdated:
    """A new instruction or tools in mid-session (later era)."""

    update: ContextUpdate


InstantEvent: TypeAlias = (
    SetupReceived
    | ActivityStarted
    | ActivityEnded
    | StreamEnded
    | TextReceived
    | VideoReceived
    | TurnsReceived
    | ToolAnswered
    | ContextUpdated
)
"""What takes no time to come: all but audio."""

ClientEvent: TypeAlias = AudioReceived | InstantEvent
"""All that a client can cause. Closed: match it exhaustively."""

# ── The machine ──────────────────────────────────────────────────────────────────────────────────────────────────────

RATES = range(4_000, 192_001)
"""Sample rates taken, Hz. The guide says any rate may be declared; the bounds are ours: nobody records speech beyond."""

_ROLES = (None, "", "user", "model")
"""Whose a turn may be (google/ai/generativelanguage/v1beta/content.proto)."""

_SIGNATURES = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n\x1a\n"}
"""What pictures begin with; of other kinds nothing is known."""


class LiveServer:
    """One connection's state, after a successful upgrade to `route`.

    `receive` raises Refused when the service would close: close with its `code` and `reason`, and receive no more.
    """

    def __init__(
        self,
        route: Route,
        era: Era = "later",
        lock: Callable[[Setup], Setup] | None = None,
        assumed: Assumptions = USUAL,
    ) -> None:
        """Begin at the upgrade; `lock` returns the setup that an ephemeral token makes of the connection's own."""
        self.route = route
        self._lock = lock
        self.assumed = assumed
        """What is taken to be so of what is not known for certain."""

        self.era: Era = era
        self.setup: Setup | None = None
        """The session's setup; None: it has not come."""

        self.model: Model | None = None
        """The session's model; None: the setup has not come."""

        self.ready = False
        """True once `setupComplete` was sent."""

        self.in_activity = False
        """With manual activity: between activityStart and activityEnd."""

        self.dropped_frames = 0
        """Audio frames that came outside the window of manual activity and were dropped, as the service does."""

        self.received = -1
        """The number of the client's last message, from 0 on: the setup's."""

        self._realtime_seen = False

    @property
    def manual(self) -> bool:
        """True: the client marks activity itself."""
        return self.setup is not None and self.setup.manual_activity

    # ── Received ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, frame: codec.Frame) -> list[ClientEvent]:
        """Return what a client's frame (text or binary) means, often one event; Refused when the service closes."""
        self.received += 1
        try:
            message = codec.decode_client(frame, strict=self.assumed.json == "exact")
        except codec.MalformedFrameError as error:
            at_value = error.detail.startswith(refusals.INVALID_VALUE.prefix)
            refusal = refusals.INVALID_VALUE if at_value else refusals.INVALID_PAYLOAD
            raise Refused(refusal, error.detail) from error
        check_names(message, self.route, self.era, self.assumed)
        if (self.setup is None) is not (message.setup is not None):
            raise Refused(refusals.SETUP_FIRST)
        return list(self._events(message))

    def _events(self, message: ClientMessage) -> Iterator[ClientEvent]:
        match message:
            case ClientMessage(setup=Setup() as setup):
                if self._lock is not None:
                    setup = self._lock(setup)
                model, modality = rules.check_setup(setup, self.route, self.era, self.assumed)
                if rules.unanswered(setup, model, self.assumed):
                    return
                self.setup, self.model = setup, model
                yield SetupReceived(setup=setup, model=model, modality=modality)
            case ClientMessage(realtime_input=RealtimeInput() as realtime):
                self._realtime_seen = True
                yield from self._realtime(realtime)
            case ClientMessage(client_content=ClientContent() as content):
                if not self._takes_content():
                    return
                if any(turn.role not in self._roles for turn in content.turns):
                    raise Refused(refusals.INVALID_ARGUMENT)
                yield TurnsReceived(turns=content.turns, complete=content.turn_complete)
            case ClientMessage(tool_response=response) if response is not None:
                yield ToolAnswered(responses=response.function_responses)
            case ClientMessage(context_update=update) if update is not None:
                yield ContextUpdated(update=update)
            case _:
                raise Refused(refusals.INVALID_ARGUMENT)

    def _realtime(self, realtime: RealtimeInput) -> Iterator[ClientEvent]:
        if (realtime.activity_start or realtime.activity_end) and not self.manual:
            raise Refused(refusals.EXPLICIT_ACTIVITY)
        if realtime.activity_start and not self.in_activity:
            self.in_activity = True
            yield ActivityStarted()
        for name, blob in self._blobs(realtime):
            yield from self._media(name, blob)
        if realtime.text is not None:
            if self._textless:
                raise Refused(refusals.INVALID_ARGUMENT)
            yield TextReceived(text=realtime.text)
        if realtime.activity_end and self.in_activity:
            self.in_activity = False
            yield ActivityEnded()
        if realtime.audio_stream_end and not self.manual:
            yield StreamEnded()
        elif realtime.audio_stream_end and self.assumed.manual_stream_end == "refused":
            raise Refused(refusals.INVALID_ARGUMENT)

    @property
    def _roles(self) -> tuple[str | None, ...]:
        """Whose a turn may be: later, on Vertex AI, also the system's, which instructs anew (its session management page)."""
        later = self.era == "later" and self.route.platform == "vertex"
        return (*_ROLES, "system") if later else _ROLES

    @property
    def _textless(self) -> bool:
        return self.route.platform == "vertex" and self.assumed.vertex_realtime_text == "refused"

    def _blobs(self, realtime: RealtimeInput) -> list[tuple[str, Blob]]:
        """Return the media with the names of their fields."""
        if realtime.media_chunks and self.model and not self.model.media_chunks:
            raise Refused(refusals.MEDIA_CHUNKS)
        # Of the deprecated chunks only the first is used (generative_service.proto).
        named = [("audio", realtime.audio), ("video", realtime.video)]
        named += [("media_chunks", chunk) for chunk in realtime.media_chunks[:1]]
        return [(name, blob) for name, blob in named if blob is not None]

    def _media(self, name: str, blob: Blob) -> Iterator[ClientEvent]:
        picture = blob.mime_type.lower().startswith("image/")
        if name == ("audio" if picture else "video"):
            raise Refused(refusals.INVALID_ARGUMENT)
        if picture:
            if not blob.data.startswith(_SIGNATURES.get(blob.mime_type.lower(), b"")):
                raise Refused(refusals.INVALID_ARGUMENT)
            yield VideoReceived(image=blob.data, mime_type=blob.mime_type)
            return
        rate = _pcm_rate(blob.mime_type)
        if rate is None or len(blob.data) % SAMPLE_BYTES:
            raise Refused(refusals.INVALID_ARGUMENT)
        if self.manual and not self.in_activity:
            self.dropped_frames += 1
        elif blob.data:
            yield AudioReceived(pcm=blob.data, rate=rate)

    def _takes_content(self) -> bool:
        """Return whether `clientContent` counts, of models that take it as their history only; Refused where it does not."""
        if self.model is None or self.setup is None or self.model.content_any_time:
            return True
        history = self.setup.history_config
        seeds = history is not None and history.initial_history_in_client_content
        if seeds and not self._realtime_seen:
            if self.assumed.seeded_history == "refused":
                raise Refused(refusals.INVALID_ARGUMENT)
            return True
        if self.assumed.late_content == "refused":
            raise Refused(refusals.INVALID_ARGUMENT)
        return False

    # ── To send ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, message: ServerMessage) -> bytes:
        """Return the frame of `message`, to be sent as a binary frame; LocalProtocolError when it is out of order.

        `setupComplete` comes first and once, after the setup. Usage gets the platform's own names.
        """
        if self.setup is None:
            raise LocalProtocolError("nothing can be sent before the client's setup has come")
        if self.ready is (message.setup_complete is not None):
            raise LocalProtocolError("setupComplete must be the first message and only the first")
        keys = [
            name
            for name in ServerMessage.__struct_fields__
            if name not in ("usage_metadata", "unknown") and getattr(message, name) is not None
        ]
        if len(keys) > 1:
            raise LocalProtocolError(
                f"one message with {' and '.join(keys)}: at most one is allowed"
            )
        self.ready = True
        if self.route.platform == "vertex" and message.usage_metadata is not None:
            usage = _vertex_names(message.usage_metadata)
            message = msgspec.structs.replace(message, usage_metadata=usage)
        return codec.encode_server(message)


def _pcm_rate(mime_type: str) -> int | None:
    """Return the samples a second of `audio/pcm;rate=…`, 16 000 when it names none; None when it is no such audio."""
    kind, *parameters = (part.strip().lower() for part in mime_type.split(";"))
    if kind not in ("audio/pcm", "audio/l16"):
        return None
    rates = [one.removeprefix("rate=") for one in parameters if one.startswith("rate=")]
    if not rates:
        return SAMPLE_RATE
    rate = int(rates[0]) if rates[0].isascii() and rates[0].isdigit() and len(rates[0]) < 8 else 0
    return rate if rate in RATES else None


def _vertex_names(usage: UsageMetadata) -> UsageMetadata:
    """Return `usage` as Vertex AI has it: the response's tokens are `candidates…`, and nobody has reserved a throughput."""
    return msgspec.structs.replace(
        usage,
        response_token_count=None,
        candidates_token_count=usage.response_tokens,
        response_tokens_details=[],
        candidates_tokens_details=usage.response_details,
        traffic_type="ON_DEMAND",
    )
