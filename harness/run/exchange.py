"""What the model answered, derived from the trace of an attempt and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.run.record import Exchange
from harness.units import SPEECH_RATE

if TYPE_CHECKING:
    from harness.trace import SessionTrace, TimedEvent
    from harness.units import Samples, Seconds


def exchange(trace: SessionTrace) -> Exchange:
    """Return what the model answered in the session that `trace` holds."""
    speech: list[tuple[Seconds, Samples]] = []
    replies: list[Seconds] = []
    for event in trace.events:
        samples = sum(part["inlineData"]["samples"] for part in _parts(event) if _spoken(part))
        if samples:
            speech.append((event.t, samples))
        if samples or _worded(event):
            replies.append(event.t)
    return Exchange(
        first_reply_t=replies[0] if replies else None,
        first_audio_t=speech[0][0] if speech else None,
        last_reply_t=replies[-1] if replies else None,
        speech_s=sum(samples for _, samples in speech) / SPEECH_RATE,
    )


def _content(event: TimedEvent) -> dict[str, Any]:
    """Return the server content of an event; empty when it has none."""
    return (event.frame.get("serverContent") or {}) if event.dir == "<" else {}


def _parts(event: TimedEvent) -> list[dict[str, Any]]:
    """Return what the model said in an event, thoughts left out."""
    parts = (_content(event).get("modelTurn") or {}).get("parts") or []
    return [part for part in parts if not part.get("thought")]


def _spoken(part: dict[str, Any]) -> bool:
    return "samples" in (part.get("inlineData") or {})


def _worded(event: TimedEvent) -> bool:
    """Return whether an event brings words of the answer, written or of its speech."""
    spoken = (_content(event).get("outputTranscription") or {}).get("text") or ""
    return bool((spoken + "".join(part.get("text") or "" for part in _parts(event))).strip())
