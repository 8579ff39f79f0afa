"""What the model answered, derived from the trace of an attempt and nothing else."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.run.record import Call, Exchange, Interrupted
from harness.units import SPEECH_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.trace.trace import SessionTrace, TimedEvent
    from harness.units import Samples, Seconds


def exchange(trace: SessionTrace) -> Exchange:
    """Return what the model answered in the session that `trace` holds."""
    speech: list[tuple[Seconds, Samples]] = []
    replies: list[Seconds] = []
    thoughts = 0
    for event in trace.events:
        parts = _parts(event)
        said = _said(parts)
        thoughts += len(parts) - len(said)
        samples = _samples(said)
        if samples:
            speech.append((event.t, samples))
        if samples or _worded(event, said):
            replies.append(event.t)
    return Exchange(
        first_reply_t=replies[0] if replies else None,
        first_audio_t=speech[0][0] if speech else None,
        last_reply_t=replies[-1] if replies else None,
        speech_s=sum(samples for _, samples in speech) / SPEECH_RATE,
        calls=_calls(trace),
        thoughts=thoughts,
        grounded=sum("groundingMetadata" in _content(event) for event in trace.events),
        interrupted=_interrupted(trace, replies),
    )


def speech_s(trace: SessionTrace) -> Seconds:
    """Return how much speech of the model came in the session that `trace` holds, s."""
    return sum(_samples(_said(_parts(event))) for event in trace.events) / SPEECH_RATE


def _content(event: TimedEvent) -> dict[str, Any]:
    """Return the server content of an event; empty when it has none."""
    return (event.frame.get("serverContent") or {}) if event.dir == "<" else {}


def _parts(event: TimedEvent) -> list[dict[str, Any]]:
    return (_content(event).get("modelTurn") or {}).get("parts") or []


def _said(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those `parts` that are the answer's, not thoughts."""
    return [part for part in parts if not part.get("thought")]


def _samples(said: Sequence[dict[str, Any]]) -> Samples:
    """Return how much speech `said` brings."""
    return sum((part.get("inlineData") or {}).get("samples", 0) for part in said)


def _worded(event: TimedEvent, said: Sequence[dict[str, Any]]) -> bool:
    """Return whether an event brings words of the answer, written (in its parts) or of its speech."""
    spoken = (_content(event).get("outputTranscription") or {}).get("text") or ""
    return bool((spoken + "".join(part.get("text") or "" for part in said)).strip())


MOST_CALLED: Final = 2**20
"""Bytes of JSON that functions called and their arguments may take in a record. More is a service that floods: the
record's reason says how many are left out, and all of them are in the trace."""


def _calls(trace: SessionTrace) -> list[Call]:
    """Return the functions called, in order, and what became of each: as many as `MOST_CALLED` holds."""
    called: list[Call] = []
    size = 0
    for call in _all_calls(trace):
        size += len(msgspec.json.encode(call))
        if size > MOST_CALLED:
            break
        called.append(call)
    return called


def calls_left_out(trace: SessionTrace, kept: Exchange) -> int:
    """Return how many functions were called in `trace` beyond those that `kept` has room for."""
    return sum(1 for _ in _all_calls(trace)) - len(kept.calls)


def _all_calls(trace: SessionTrace) -> Iterator[Call]:
    answered: dict[str, list[Seconds]] = {}
    cancelled: set[str] = set()
    for event in trace.events:
        if event.dir == ">":
            response = event.frame.get("toolResponse") or {}
            for one in response.get("functionResponses") or ():
                answered.setdefault(_key(one), []).append(event.t)
        if event.dir == "<":
            cancelled |= set((event.frame.get("toolCallCancellation") or {}).get("ids") or ())
    for event in trace.events:
        if event.dir != "<":
            continue
        for call in (event.frame.get("toolCall") or {}).get("functionCalls") or ():
            # Calls without an id share a name: what was answered before this one was called is another's.
            answers = answered.get(_key(call), [])
            place = bisect_left(answers, event.t)
            yield Call(
                name=call.get("name") or "",
                args=call.get("args") or {},
                t=event.t,
                answered_t=answers[place] if place < len(answers) else None,
                cancelled=_key(call) in cancelled,
            )


def _key(call: dict[str, Any]) -> str:
    """Return what tells a call from others: its id, its name where the service gives none."""
    return call.get("id") or call.get("name") or ""


def _interrupted(trace: SessionTrace, replies: Sequence[Seconds]) -> Interrupted | None:
    """Return what came of our speaking over the answer: of its own turn, not of an answer to what we said."""
    began = next(
        (
            place
            for place, event in enumerate(trace.events)
            if event.dir == "!" and "after_s" in event.frame.get("interruption", {})
        ),
        None,
    )
    if began is None:
        return None
    start = trace.events[began].t
    told = next((e.t for e in trace.events[began:] if _content(e).get("interrupted")), None)
    over = next((e.t for e in trace.events[began:] if _content(e).get("turnComplete")), None)
    last = max((t for t in replies if t >= start and (over is None or t <= over)), default=start)
    return Interrupted(
        began_t=start,
        told_s=None if told is None else round(told - start, 6),
        silent_s=round(last - start, 6),
    )
