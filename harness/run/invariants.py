"""What must hold of every session, read from its trace alone: a record that breaks any of it must not be believed blindly.

Knows the order of things on one connection and over several. Does not know what was asked or how well it was heard.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from harness.trace.trace import audio_sent
from harness.units import SAMPLE_BYTES
from harness.wire.live.codec import message_from
from harness.wire.live.messages import UsageMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.trace.trace import SessionTrace, TimedEvent
    from harness.units import Samples, Seconds

MOST_TOLD: Final = 5
"""Violations kept of a session: the first tell what went wrong, the rest follow from them."""


def violations(trace: SessionTrace) -> tuple[str, ...]:
    """Return in words what `trace` breaks, at most `MOST_TOLD`; empty when all of this holds.

    - Times never decrease, but for messages that arrived together, of which the first were dealt with before the last; the
      connection's start comes first, and the outcome once and last.
    - On each connection the setup goes first and once, no audio and no content before `setupComplete`, nothing after
      the close, which comes once.
    - Audio is the clip's, every sample once and in order over all connections, but for what a seam says was sent again
      after a connection broke off; all of it, and no more, when the session ended well. The bytes that left have the
      length and the check sum of the clip's samples at that place, where the clip can still be read
      (`harness.run.attempt` says where it cannot).
    - A usage record's total is the sum of its parts; thoughts and what tools found may lie outside (the protocol's
      definition has prompt and response alone, the SDK's all four). What came from a cache is no more than the prompt.
      No count is negative, and modalities come to no more than the count that they divide (to less they may).
    """
    found: list[str] = []
    for what in _broken(trace):
        if what not in found:
            found.append(what)
        if len(found) == MOST_TOLD:
            break
    return tuple(found)


@dataclass(slots=True)
class _Line:
    """What is known of the present connection."""

    open: bool = False
    closed: bool = False
    setups: int = 0
    ready: bool = False


@dataclass(slots=True)
class _Stretch:
    """Audio that was sent without a gap."""

    tail: bool
    first: Samples
    end: Samples

    @property
    def where(self) -> str:
        return f"from sample {self.first} on" + (", silence," if self.tail else "")


@dataclass(slots=True)
class _Session:
    """What is known of the session so far."""

    line: _Line = field(default_factory=_Line)
    position: Samples = 0
    """First sample of the clip that has not been sent."""

    unheld: deque[_Stretch] = field(default_factory=deque)
    """Audio that is said to have been sent, and not yet what it held."""

    last: Seconds = float("-inf")
    """When the event before was."""

    arrived: Seconds | None = None
    """When the message before arrived, or the connection opened."""

    ended: dict[str, Any] | None = None


def _broken(trace: SessionTrace) -> Iterator[str]:
    events = trace.events
    if not events or events[0].dir != "!" or "connect" not in events[0].frame:
        yield "the trace does not begin with a connection"
    seen = _Session()
    for event in events:
        yield from _timed(seen, event)
        if seen.ended is not None:
            yield "something comes after the session's outcome"
        match event.dir:
            case "!":
                yield from _note(seen, event)
            case ">":
                yield from _sent(seen, event)
            case "<":
                yield from _received(seen, event)
    if seen.unheld and trace.header.audio_crc32 is not None:  # earlier versions did not note it
        yield f"what was sent {seen.unheld[0].where} is not noted"
    if seen.ended is None:
        yield "the session has no outcome"
    elif seen.ended.get("outcome") in ("ok", "ok_empty") and seen.position != _asked(trace):
        yield f"{seen.position} of the clip's {trace.header.audio_samples} samples were sent"


def _timed(seen: _Session, event: TimedEvent) -> Iterator[str]:
    """Yield where a time goes back: only a message has one of its own, that of the message it arrived with."""
    if event.t < seen.last:
        yield f"time goes back from {seen.last:g} s to {event.t:g} s"
    if event.came is not None and (event.dir != "<" or event.came != seen.arrived):
        yield f"time goes back from {event.t:g} s to {event.came:g} s"
    seen.last = event.t


def _asked(trace: SessionTrace) -> Samples:
    """Return how many samples were to be sent."""
    return trace.header.audio_samples or 0


def _note(seen: _Session, event: TimedEvent) -> Iterator[str]:
    if "upgraded" in event.frame:
        seen.line = _Line(open=True)
        seen.arrived = event.t
    elif "closed" in event.frame:
        if seen.line.closed:
            yield "a connection was closed twice"
        seen.line.closed = True
    elif "seam" in event.frame and (replay := event.frame["seam"].get("replay")):
        seen.position -= replay["samples"]
    elif "sent" in event.frame:
        yield from _held(seen, event.frame["sent"])
    elif "ended" in event.frame:
        seen.ended = event.frame["ended"]


def _held(seen: _Session, sent: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the bytes of audio that left: `sent` tells of the oldest stretch, or its beginning."""
    tail = "silence" in sent
    told = _Stretch(tail, first := sent["silence" if tail else "offset"], first)
    due = seen.unheld[0] if seen.unheld else told
    samples = due.end - due.first
    if (told.tail, told.first) != (due.tail, due.first) or sent["bytes"] > samples * SAMPLE_BYTES:
        size = f"{sent['bytes']} bytes were sent {told.where}"
        yield f"{size} where {samples * SAMPLE_BYTES} were due {due.where}"
    if sent["clip_crc32"] not in (
        None,
        sent["crc32"],
    ):  # None: the clip is gone, and nothing is known to be broken
        yield f"what was sent {told.where} is not the clip's: check sum {sent['crc32']:08x} of {sent['bytes']} bytes"
    due.first += sent["bytes"] // SAMPLE_BYTES
    if seen.unheld and due.first >= due.end:
        seen.unheld.popleft()


def _sent(seen: _Session, event: TimedEvent) -> Iterator[str]:
    line = seen.line
    if not line.open or line.closed:
        yield f"we sent something at {event.t:g} s, when there was no connection"
    if "setup" in event.frame:
        line.setups += 1
        if line.setups > 1:
            yield "setup was sent twice on one connection"
        return
    if not line.setups:
        yield "something was sent before setup"
    elif not line.ready:
        yield "something was sent between setup and setupComplete"
    if (audio := audio_sent(event)) is None:
        return
    tail = "silence" in audio
    first = audio["silence" if tail else "offset"]
    if seen.unheld and (seen.unheld[-1].tail, seen.unheld[-1].end) == (tail, first):
        seen.unheld[-1].end += audio["samples"]
    else:
        seen.unheld.append(_Stretch(tail, first, first + audio["samples"]))
    if tail:
        return
    if audio["offset"] != seen.position:
        yield f"audio goes from sample {seen.position} to sample {audio['offset']}"
    seen.position = audio["offset"] + audio["samples"]


def _received(seen: _Session, event: TimedEvent) -> Iterator[str]:
    line = seen.line
    seen.arrived = event.t if event.came is None else event.came
    if not line.open or line.closed:
        yield f"something came at {event.t:g} s, when there was no connection"
    if "setupComplete" in event.frame:
        if line.ready:
            yield "setupComplete came twice on one connection"
        line.ready = True
    elif not line.ready and "serverContent" in event.frame:
        yield "content came before setupComplete"
    if isinstance(bill := event.frame.get("usageMetadata"), dict):
        if not message_from(bill, UsageMetadata).credible:
            yield "a usage record has a negative count, or modalities without end: what the session took is unknown"
        else:
            yield from _billed(bill)


def _billed(bill: dict[str, Any]) -> Iterator[str]:
    total, prompt = bill.get("totalTokenCount"), bill.get("promptTokenCount")
    if not isinstance(total, int) or not isinstance(prompt, int):
        return
    response = bill.get("responseTokenCount", bill.get("candidatesTokenCount")) or 0
    found, thought = (bill.get("toolUsePromptTokenCount") or 0), bill.get("thoughtsTokenCount") or 0
    parts = prompt + response
    if total not in (parts, parts + found, parts + thought, parts + found + thought):
        yield f"a usage record counts {total} tokens, and its parts {parts + found}"
    if (cached := bill.get("cachedContentTokenCount") or 0) > prompt:
        yield f"a usage record counts {cached} tokens of a cache, in a prompt of {prompt}"
    divided = {"promptTokensDetails": prompt, "responseTokensDetails": response, "toolUsePromptTokensDetails": found,
               "cacheTokensDetails": cached}  # fmt: skip
    for name, whole in divided.items():
        parts = sum(detail.get("tokenCount") or 0 for detail in bill.get(name) or ())
        if parts > whole:
            yield f"{name} of a usage record come to {parts} tokens, of {whole}"
