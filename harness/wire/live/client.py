"""The client's half of a Live session, as a machine over frames: frames to send come out, received ones go in.

It refuses what the API forbids a client to send, and takes every order of messages a server may send: transcription
after the end of a turn, missing or repeated ends, several fields in one frame, usage and handles at any time.

Knows messages and their order. Knows no socket, no clock, and nothing of what a session is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import LocalProtocolError
from harness.wire.live import codec
from harness.wire.live.messages import (
    Blob,
    ClientContent,
    ClientMessage,
    Content,
    Empty,
    FunctionResponse,
    RealtimeInput,
    ServerMessage,
    Setup,
    ToolResponse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.units import Seconds


class LiveClient:
    """One connection's state. Every method that sends returns the frame's bytes, to be sent as a text frame.

    Before `setupComplete` only `open()` is allowed; the others raise LocalProtocolError.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._opened = False
        self.manual = setup.manual_activity
        """True: the client marks activity itself; False: the server detects it."""

        self.ready = False
        """True once `setupComplete` has come."""

        self.handle: str | None = None
        """The newest handle that can be resumed; None: none yet. An update without one does not clear it."""

        self.go_away_s: Seconds | None = None
        """Time left when the server last said that it will abort the connection, s; None: it has not."""

    # ── To send ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self) -> bytes:
        """Return the first frame, the setup."""
        if self._opened:
            raise LocalProtocolError("setup must be the first message and only the first")
        self._opened = True
        return codec.encode(ClientMessage(setup=self._setup))

    def audio(self, pcm: bytes | bytearray | memoryview) -> bytes:
        """Return a frame of s16le mono PCM at 16 kHz."""
        if not self.ready:
            raise self._early("audio")
        return codec.audio_frame(pcm)

    def video(self, image: bytes, mime_type: str = "image/jpeg") -> bytes:
        """Return a frame of one picture, JPEG or PNG."""
        return self._realtime(RealtimeInput(video=Blob(mime_type=mime_type, data=image)))

    def activity_start(self) -> bytes:
        """Return the frame that begins a user's turn; with manual activity only."""
        self._only("activityStart", manual=True)
        return self._realtime(RealtimeInput(activity_start=Empty()))

    def activity_end(self) -> bytes:
        """Return the frame that ends a user's turn; with manual activity only."""
        self._only("activityEnd", manual=True)
        return self._realtime(RealtimeInput(activity_end=Empty()))

    def audio_stream_end(self) -> bytes:
        """Return the frame that says the microphone pauses; with automatic activity detection only."""
        self._only("audioStreamEnd", manual=False)
        return self._realtime(RealtimeInput(audio_stream_end=True))

    def text(self, text: str) -> bytes:
        """Return a frame of realtime text."""
        return self._realtime(RealtimeInput(text=text))

    def content(self, turns: Iterable[Content], turn_complete: bool = True) -> bytes:
        """Return a frame of turns for the history; with `turn_complete` the model answers. Interrupts it."""
        content = ClientContent(turns=list(turns), turn_complete=turn_complete)
        return self._message(ClientMessage(client_content=content))

    def tool_response(self, responses: Iterable[FunctionResponse]) -> bytes:
        """Return a frame of answers to a `toolCall`."""
        response = ToolResponse(function_responses=list(responses))
        return self._message(ClientMessage(tool_response=response))

    def _realtime(self, realtime: RealtimeInput) -> bytes:
        return self._message(ClientMessage(realtime_input=realtime))

    def _message(self, message: ClientMessage) -> bytes:
        if not self.ready:
            raise self._early("a message")
        return codec.encode(message)

    def _only(self, signal: str, *, manual: bool) -> None:
        if self.manual is not manual:
            raise LocalProtocolError(
                f"{signal} is not allowed here",
                why="automatic activity detection is " + ("off" if self.manual else "on"),
                hint="realtimeInputConfig.automaticActivityDetection.disabled decides",
            )

    def _early(self, what: str) -> LocalProtocolError:
        missing = "setupComplete has not come" if self._opened else "setup has not been sent"
        return LocalProtocolError(f"{what} before the session is ready", why=missing)

    # ── Received ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, frame: codec.Frame) -> ServerMessage:
        """Return the message in `frame` (text or binary); RemoteProtocolError when it is none. No order is wrong."""
        message = codec.decode_server(frame)
        if message.setup_complete is not None:
            self.ready = True
        if (update := message.session_resumption_update) and update.resumable and update.new_handle:
            self.handle = update.new_handle
        if message.go_away is not None:
            try:
                self.go_away_s = message.go_away.time_left_s
            except ValueError:
                # The abort is announced all the same: whoever waits for a better figure loses the connection.
                self.go_away_s = 0.0
        return message
