"""What a run and its streaming processes say to each other: one JSON line a message.

The run decides who may begin and keeps the records; a process converts, streams, and writes traces. `job` is one slot of
the plan in one process.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from harness.run.certificate import Certificate
from harness.run.folder import Slot
from harness.run.lines import LINE_BYTES as LINE_BYTES  # noqa: PLC0414 - re-exported
from harness.run.record import UtteranceRecord
from harness.units import Milliseconds, Samples, Seconds, Usd


class Orders(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first line that a process is told."""

    folder: str
    service: str
    url: str | None
    version: str | None
    client: str
    process: int
    """1-based."""

    processes: int


class Prepare(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Get a slot's clip ready."""

    job: int
    slot: Slot


class Attempt(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Connect, and wait for `Entered` before asking for a session."""

    job: int
    slot: Slot
    number: int


class Entered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The session may begin, or go on over another connection; or never may."""

    job: int
    may: bool


class Finish(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Say what was seen, and end."""


Told: TypeAlias = Orders | Prepare | Attempt | Entered | Finish
"""What a process is told."""


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The process is there."""

    floor_p50_ms: Milliseconds
    floor_p99_ms: Milliseconds


class Prepared(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A clip is ready."""

    job: int
    length_s: Seconds


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A clip cannot be had."""

    job: int
    what: str


class Wants(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A connection is open and waits for its turn."""

    job: int


class Admitted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The service has taken the session."""

    job: int


class Again(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The session goes on over another connection, and waits for its turn to open it."""

    job: int
    replayed: Samples
    """Sent again over it."""


class Left(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The session has had all that it wanted of the service."""

    job: int


class EndingSaid(msgspec.Struct, frozen=True, kw_only=True):
    """`harness.session.retry.Ending`, beside its record."""

    retry_after_s: Seconds | None
    unreachable: bool
    away: bool


class Attempted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An attempt is over; None: it never asked for a session."""

    job: int
    record: UtteranceRecord | None
    ending: EndingSaid | None
    cost_usd: Usd


class Broken(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The run cannot go on: what, why, and what to do."""

    job: int
    what: str
    why: str | None
    hint: str | None


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The last line of a process."""

    certificate: Certificate


Heard: TypeAlias = (
    Begun | Prepared | Unreadable | Wants | Admitted | Again | Left | Attempted | Broken | Ended
)
"""What a process says."""


told = msgspec.json.Decoder(Told).decode
heard = msgspec.json.Decoder(Heard).decode


def line(said: Told | Heard) -> bytes:
    """Return a message as a line."""
    return msgspec.json.encode(said) + b"\n"
