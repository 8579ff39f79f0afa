"""Everything that was said in one session, with times: written down before anyone judges it.

Times are seconds on the event loop's monotonic clock, counted from the due time of the clip's first sample, or from when
a written question had left (what came before is negative); when nothing was ever asked, from the start of the connection.

Knows messages and times. Does not know the file they are kept in (`file`), nor what text they add up to (`hypothesis`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from harness.units import Milliseconds, Samples, Seconds
from harness.wire.live.refusals import FailureKind as FailureKind  # noqa: PLC0414 - re-exported
from harness.wire.live.setups import Channel as Channel  # noqa: PLC0414 - re-exported

SCHEMA = 1

Direction = Literal[">", "<", "!"]
"""`>` we sent, `<` we received, `!` something that happened to the connection (a note of ours)."""

Outcome = Literal[
    "ok", "ok_empty", "partial", "failed_server", "blocked", "failed_quota", "failed_client"
]
"""How a session ended:

- `ok`: it answered with text; `ok_empty`: it ended well and there was no text.
- `partial`: it broke off after some text. `failed_server`: it broke off, or was refused, before any text.
- `blocked`: refused for what was said. `failed_quota`: refused for quota. `failed_client`: our own fault or our input's.
"""


class TraceHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What the session was for."""

    schema: int = SCHEMA
    utterance: str
    dataset: str
    locale: str
    model: str
    repeat: int
    """1-based."""

    attempt: int
    """1-based."""

    plan: str
    """Hash of the plan it belongs to, hex."""

    endpoint: str
    """Scheme, host, port and path; never a query, which may hold a key."""

    emulator: str | None = None
    """The `X-Live-Emulator` header of the upgrade's answer; None: the server did not say it emulates."""

    client: str
    """Our name and version."""

    started_at: str
    """Wall-clock time of the connection's start, ISO 8601 UTC."""

    audio_samples: Samples | None = None
    """The clip's length; None when it could not be read."""

    audio_crc32: int | None = None
    """CRC-32 of the clip's samples (s16le), read from the clip itself; None: none was to be sent, or it is gone."""

    speech_crc32: int | None = None
    """CRC-32 of the speech received, the samples (s16le) of the WAV beside the trace; None: none came, or an earlier version
    wrote the trace."""

    audio_faults: tuple[str, ...] = ()
    """What is wrong with the clip's signal though it can be streamed, in words."""

    chunk_ms: Milliseconds
    pace: float
    """1.0 real time; 0 as fast as the service takes it."""

    turns: str
    """`manual` or `auto`."""


class TimedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was sent, received, or happened, in the order in which we dealt with it."""

    t: Seconds
    """When; no earlier than the event before it."""

    came: Seconds | None = None
    """When a message arrived, if that was before the previous event: of two that arrive together, the first may be answered
    before the second is looked at. None: at `t`."""

    dir: Direction
    frame: dict[str, Any]
    """The message as JSON. Audio is not repeated: what we sent is `{"offset", "samples"}` of the clip, what we
    received `{"wav", "offset", "samples"}` of a file beside the trace. A note (`!`) is `{"connect": …}`,
    `{"upgraded": …}`, `{"closed": {"code", "reason"}}`, `{"stood_still": {"s"}}`,
    `{"sent": {"offset" or "silence", "bytes", "crc32", "clip_crc32"}}`, … The last of these tells what a block of audio
    messages held when they left, and beside it the check sum of what the clip holds from `offset` on. A received message is
    as the codec writes it; a frame that is no message is `{"raw": text}`, and one too long for a trace `{"cut": {"bytes"}}`."""


class SessionTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at one utterance. Times never decrease."""

    header: TraceHeader
    events: list[TimedEvent]


def audio_sent(event: TimedEvent) -> dict[str, Any] | None:
    """Return what `event` sent of the clip: `{"offset" or "silence", "samples"}`; None: nothing."""
    if event.dir != ">" or not isinstance(realtime := event.frame.get("realtimeInput"), dict):
        return None
    audio = realtime.get("audio") or {}
    return audio if "offset" in audio or "silence" in audio else None
