"""One clip streamed as a run would stream it, where there is no run: what the doctor tries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from harness.clock import utc_now
from harness.session.assignment import Assignment
from harness.session.drive import Session
from harness.session.frames import Frames
from harness.session.pace import Pacer
from harness.session.waits import Waits
from harness.trace.trace import TraceHeader
from harness.version import __version__

if TYPE_CHECKING:
    from harness.audio.clip import AudioClip
    from harness.session.drive import SessionResult
    from harness.session.transport import Connect
    from harness.wire.live.endpoint import Endpoint
    from harness.wire.live.messages import Setup

_NAME = "doctor"


async def trial(
    clip: AudioClip,
    connect: Connect,
    endpoint: Endpoint,
    setup: Setup,
    model: str,
    *,
    waits: Waits | None = None,
) -> SessionResult:
    """Return what came of a session of `model` that has `clip`, English, streamed to it in real time, 100 ms a message.

    `setup` is without the model's resource name, and has activity marked by the client.
    """
    header = TraceHeader(
        utterance=_NAME,
        dataset=_NAME,
        locale="en-US",
        model=model,
        repeat=1,
        attempt=1,
        plan=_NAME,
        endpoint=endpoint.printable,
        client=f"live-harness/{__version__}",
        started_at=utc_now(),
        chunk_ms=100,
        pace=1.0,
        turns="manual",
    )
    assignment = Assignment(
        header=header,
        name=_NAME,
        endpoint=endpoint,
        setup=msgspec.structs.replace(setup, model=endpoint.model_name(model)),
        frames=Frames(clip, chunk_ms=header.chunk_ms),
        pace=1.0,
        waits=waits or Waits(),
    )
    result = await Session(assignment, connect, Pacer(asyncio.get_running_loop())).run()
    assert result is not None  # noqa: S101 - it is alone, so nobody kept it from asking
    return result
