"""One session as moments that a person reads: a row of a timeline for each thing that was sent, received or happened.

Knows traces; does not know scores.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.units import SAMPLE_RATE, Samples, Seconds

if TYPE_CHECKING:
    from harness.trace.trace import Direction, SessionTrace, TimedEvent

_DETAIL: Final = 240
"""Characters of a frame's content that a moment shows; the trace has all."""


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One thing, or a stretch of audio that was sent without a break."""

    t: Seconds
    until: Seconds | None = None
    """When the last frame of a stretch of audio was sent; None: a moment."""

    dir: Direction
    name: str
    """Which message, dotted where one lies within another: `serverContent.turnComplete`."""

    detail: str = ""
    """What it says, as JSON cut short."""


def moments(trace: SessionTrace) -> list[Moment]:
    """Return what happened in a session, in order; audio frames in a row are one stretch."""
    found: list[Moment] = []
    stretch: list[TimedEvent] = []
    for event in trace.events:
        if _samples(event):
            stretch.append(event)
            continue
        if stretch:
            found.append(_sent(stretch))
            stretch = []
        found.extend(_moments(event))
    if stretch:
        found.append(_sent(stretch))
    return found


def _samples(event: TimedEvent) -> Samples:
    """Return how much audio a frame of ours carried."""
    try:
        return int(event.frame["realtimeInput"]["audio"]["samples"]) if event.dir == ">" else 0
    except (KeyError, TypeError, ValueError):
        return 0


def _sent(stretch: list[TimedEvent]) -> Moment:
    audio_s = sum(map(_samples, stretch)) / SAMPLE_RATE
    return Moment(
        t=stretch[0].t,
        until=stretch[-1].t,
        dir=">",
        name="realtimeInput.audio",
        detail=f"{len(stretch)} frames, {audio_s:.2f} s of audio",
    )


def _moments(event: TimedEvent) -> list[Moment]:
    """Return one moment for each message in a frame: a frame may say several things at once."""
    found = []
    for name, value in event.frame.items():
        if name in ("serverContent", "realtimeInput") and isinstance(value, dict) and value:
            found += [(f"{name}.{inner}", content) for inner, content in value.items()]
        else:
            found.append((name, value))
    return [
        Moment(t=event.t, dir=event.dir, name=name, detail=_shown(value)) for name, value in found
    ]


def _shown(value: Any) -> str:
    """Return a frame's content as text; nothing where its name says all."""
    if value is True or value == {}:
        return ""
    if isinstance(value, str):
        text = value
    elif isinstance(value, dict) and list(value) == ["text"] and isinstance(value["text"], str):
        text = value["text"]
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _DETAIL else text[: _DETAIL - 1] + "…"
