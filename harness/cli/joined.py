"""The client joined to the emulator in memory: frames go over on the next turn of the loop, no socket between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from harness.emulator.conversation.conversation import Conversation
from harness.emulator.conversation.handles import Handles
from harness.emulator.model.manners import Manners
from harness.session.transport import Closed, Upgraded
from harness.wire.live.endpoint import route
from harness.wire.live.server import LiveServer

if TYPE_CHECKING:
    from harness.emulator.ear.ear import Ear
    from harness.emulator.voice.voice import Voice
    from harness.session.transport import Listener
    from harness.wire.live.endpoint import Endpoint


class Joint:
    """One connection: the session's `Connection` on one side, the conversation's `Line` on the other."""

    def __init__(
        self,
        listener: Listener,
        ear: Ear,
        manners: Manners,
        handles: Handles,
        path: str,
        *,
        voice: Voice | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.listener = listener
        self.congested = False
        self.over = False
        where = route(path)
        assert where is not None  # noqa: S101 - our own endpoint
        self.conversation = Conversation(
            LiveServer(where, assumed=manners.assumed),
            ear,
            _Line(self),
            manners,
            handles,
            voice=voice,
        )

    def send(self, payload: bytes) -> None:
        """Let the conversation hear a message."""
        if not self.over:
            self.loop.call_soon(self.conversation.received, payload.decode())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close from the client's side."""
        self.loop.call_soon(self.end, code, reason, True)

    def abort(self) -> None:
        """Break off from the client's side."""
        self.end(1006, "aborted", True)

    def end(self, code: int, reason: str, by_us: bool) -> None:
        """Tell both sides that it is over, once."""
        if not self.over:
            self.over = True
            self.conversation.gone()
            self.listener.closed(Closed(code=code, reason=reason, by_us=by_us), self.loop.time())

    def deliver(self, frame: bytes) -> None:
        """Let the session hear a message."""
        if not self.over:
            self.listener.received(frame, self.loop.time())


class _Line:
    """The conversation's view of the connection."""

    def __init__(self, joint: Joint) -> None:
        self.joint = joint

    def send(self, frame: bytes) -> None:
        self.joint.loop.call_soon(self.joint.deliver, frame)

    def close(self, code: int, reason: str) -> None:
        self.joint.loop.call_soon(self.joint.end, code, reason, False)

    def hold(self, full: bool) -> None:
        self.joint.congested = full


class Emulator:
    """An emulator that is reached by `connect` instead of a URL."""

    def __init__(
        self, ear: Ear, manners: Manners | None = None, voice: Voice | None = None
    ) -> None:
        self.ear = ear
        self.voice = voice
        self.manners = manners or Manners()
        self.handles = Handles()

    async def connect(self, endpoint: Endpoint, listener: Listener) -> Joint:
        """Return an open connection to a new conversation."""
        path = "/" + endpoint.url.split("/", 3)[3]
        joint = Joint(listener, self.ear, self.manners, self.handles, path, voice=self.voice)
        said = {"x-live-emulator": f"test; {self.ear.name}"}
        listener.upgraded(Upgraded(headers=said), asyncio.get_running_loop().time())
        return joint
