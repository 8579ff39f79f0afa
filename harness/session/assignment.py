"""What a session is to do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from harness.session.errand import Transcribe
from harness.session.stock import Stock
from harness.session.waits import Waits
from harness.session.way import OpenWay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from harness.audio.clip import AudioClip
    from harness.session.errand import Errand
    from harness.session.frames import Frames
    from harness.session.way import Way
    from harness.trace.trace import TraceHeader
    from harness.units import Milliseconds, Samples
    from harness.wire.live.endpoint import Endpoint
    from harness.wire.live.messages import Setup


MOST_RECEIVED: Final = 256 * 2**20
"""Bytes that all attempts at an utterance may receive: about an hour of 24 kHz speech as base64, or a quarter of a million
messages. Without a bound a hostile service could fill the memory, and with one for each attempt the disk."""

MOST_KEPT: Final = 512 * 2**20
"""Bytes that all sessions of a process may keep at once of what they received; each may keep `SPARED` beyond that.
While traces are written they take as much again, and more."""

Offload: TypeAlias = "Callable[..., Awaitable[Any]]"
"""`offload(work, *args)`: runs beside the loop what would hold it up, and gives its result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a session is to do."""

    header: TraceHeader
    """For the trace; the session fills in what only it can know."""

    name: str
    """Name of the trace's file without its suffix; received audio is kept under it."""

    endpoint: Endpoint
    """Where the first connection goes."""

    setup: Setup
    frames: Frames
    """What is streamed: the clip as messages; none when nothing is spoken."""

    pace: float
    """1.0 real time; 0 as fast as the service takes it."""

    errand: Errand = field(default_factory=Transcribe)
    """What it is for."""

    cuts: tuple[Samples, ...] = ()
    """Where a new connection goes on, ascending; empty: the clip fits into one."""

    waits: Waits = field(default_factory=Waits)

    offload: Offload = asyncio.to_thread
    """Runs beside the loop what would hold it up."""

    renew: Callable[[], Endpoint] | None = None
    """Gives the endpoint of a further connection, with credentials that are still good; None: they do not run out.
    It may wait for a network."""

    most_received: int = MOST_RECEIVED
    """Bytes that the service may still send, each message with a KiB beside its own."""

    stock: Stock = field(default_factory=lambda: Stock(MOST_KEPT))
    """Room for what all sessions of the process keep; whoever has read the recorder gives its part back."""

    way: Way = field(default_factory=OpenWay)
    """When the service may be asked for the session, and who hears how far it is."""

    @property
    def clip(self) -> AudioClip:
        """What is streamed."""
        return self.frames.clip

    @property
    def chunk_ms(self) -> Milliseconds:
        """Audio per message, ms."""
        return self.header.chunk_ms
