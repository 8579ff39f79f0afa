"""The text of a session, made from its trace alone, and whether there may have been more of it.

Does not know references, scores, or what a good transcript is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from harness.trace.seams import commits, is_seam, standing
from harness.trace.trace import Channel
from harness.units import Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.trace.trace import SessionTrace, TimedEvent


class Fragment(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of text and when it came."""

    t: Seconds
    text: str
    interim: bool = False
    """True: it is replaced by what comes next."""

    seam: bool = False
    """True: another connection goes on."""


class Hypothesis(msgspec.Struct, frozen=True, kw_only=True):
    """The text of one channel."""

    channel: Channel
    text: str
    """The fragments joined verbatim, ends trimmed; empty when there were none."""

    fragments: list[Fragment]
    """In the order received."""

    first_text_t: Seconds | None
    """When the first fragment with text came; None: never."""

    final_text_t: Seconds | None
    """When the transcript last changed; None: it has no text."""

    seams: tuple[int, ...] = ()
    """How many characters of `text` had come when each further connection went on."""


def hypothesis(trace: SessionTrace, channel: Channel) -> Hypothesis:
    """Return what `trace` says on `channel`."""
    pieces = list(_fragments(trace, channel))
    fragments: list[Fragment] = []
    for piece in pieces:
        if not piece.seam:
            fragments.append(piece)
        elif fragments and fragments[-1].interim and not piece.interim:
            # What was interim when a turn ended is replaced by nothing: it stays.
            fragments[-1] = msgspec.structs.replace(fragments[-1], interim=False)
    text = _Growing()
    first: Seconds | None = None
    final: Seconds | None = None
    seams: list[int] = []
    for fragment in pieces:
        if fragment.seam:
            if not fragment.interim:
                text.add(text.guess)
            seams.append(text.length)
            continue
        changed = text.guesses(fragment.text) if fragment.interim else text.add(fragment.text)
        if changed:
            final = fragment.t
        if first is None and text.length:
            first = fragment.t
    seen = text.whole
    return Hypothesis(
        channel=channel,
        text=seen,
        fragments=fragments,
        first_text_t=first if seen else None,
        final_text_t=final if seen else None,
        seams=tuple(min(seam, len(seen)) for seam in seams),
    )


class _Growing:
    """A text that grows by fragments, and the guess (interim text) at its end.

    No step looks at the whole text, or the time for many fragments would grow with their square.
    """

    def __init__(self) -> None:
        self.guess = ""
        self._parts: list[str] = []
        self._length = 0
        """Length of the parts joined, leading blanks not counted; 0: they are empty or blank."""

    def add(self, text: str) -> bool:
        """Add `text` in the place of the guess; return whether that changes the whole."""
        changed = self.guesses(text)
        self._parts.append(text)
        self._length, self.guess = self.length, ""
        return changed

    def guesses(self, text: str) -> bool:
        """Let `text` take the place of the guess; return whether that changes the whole."""
        before, self.guess = self.guess, text
        return self._told(before) != self._told(text)

    def _told(self, text: str) -> str:
        """Return what `text` adds to the parts, without the blanks that end up at either end of the whole."""
        return text.rstrip() if self._length else text.strip()

    @property
    def length(self) -> int:
        """Length of parts and guess, leading blanks not counted."""
        return self._length + len(self.guess if self._length else self.guess.lstrip())

    @property
    def whole(self) -> str:
        """All of it, ends trimmed."""
        return ("".join(self._parts) + self.guess).strip()


def behind_turn_s(trace: SessionTrace, heard: Hypothesis) -> Seconds | None:
    """Return the longest pause, s, that came before late text: text of `heard` after the last turn had ended.

    None: no text was late. A session listens on for a limited time after a turn's end and loses what comes later still;
    this pause shows how close it came to that.
    """
    texts = {fragment.t for fragment in heard.fragments if fragment.text.strip()}
    asked = next((event.t for event in reversed(trace.events) if event.dir == ">"), float("inf"))
    over = False
    last: Seconds = asked
    longest: Seconds | None = None
    for event in trace.events:
        if event.dir != "<" or event.t < asked or event.frame.get("serverContent") is None:
            continue
        if over and event.t in texts:
            longest = max(longest or 0.0, round(event.t - last, 6))
        over = over or _ends_turn(event)
        last = event.t
    return longest


def open_turn(trace: SessionTrace, heard: Hypothesis) -> bool:
    """Return whether the last turn with text of `heard` was never said to have ended, so that there may have been more.

    Once all of the clip was sent, text that comes after a turn's end is late text of that turn, not of one that is open.
    """
    backwards = trace.events[::-1]
    said = next((event.t for event in backwards if _says(event)), float("inf"))
    over = next((event.t for event in backwards if _ends_turn(event)), float("-inf"))
    texts = (fragment.t for fragment in reversed(heard.fragments) if fragment.text.strip())
    return over < min(said, next(texts, float("-inf")))


def _says(event: TimedEvent) -> bool:
    """Return whether `event` sent something that is to be answered: not the silence or the mark behind a clip."""
    if event.dir != ">":
        return False
    realtime = event.frame.get("realtimeInput")
    if not isinstance(realtime, dict) or realtime.keys() - {
        "audio",
        "activityEnd",
        "audioStreamEnd",
    }:
        return True
    return "silence" not in (realtime.get("audio") or {"silence": 0})


def _ends_turn(event: TimedEvent) -> bool:
    """Return whether `event` brought the end of a turn that is not still in progress."""
    content = (event.dir == "<" and event.frame.get("serverContent")) or {}
    return bool(content.get("turnComplete")) and content.get("interactionStatus") != "IN_PROGRESS"


def _fragments(trace: SessionTrace, channel: Channel) -> Iterator[Fragment]:
    for event in standing(trace.events):
        if event.dir == ">":
            continue
        if is_seam(event):
            # A turn that a replay goes on with is not over: what was interim can still be replaced.
            yield Fragment(t=event.t, text="", seam=True, interim=not commits(event))
        elif (content := event.frame.get("serverContent")) is not None:
            yield from _pieces(event.t, content, channel)


def _pieces(t: Seconds, content: dict[str, Any], channel: Channel) -> Iterator[Fragment]:
    match channel:
        case "input":
            yield from _transcription(t, content, "inputTranscription")
            yield from _transcription(t, content, "interimInputTranscription", interim=True)
        case "output":
            yield from _transcription(t, content, "outputTranscription")
        case "reply":
            for part in (content.get("modelTurn") or {}).get("parts") or ():
                if isinstance(text := part.get("text"), str) and not part.get("thought"):
                    yield Fragment(t=t, text=text)


def _transcription(
    t: Seconds, content: dict[str, Any], key: str, *, interim: bool = False
) -> Iterator[Fragment]:
    value = content.get(key)
    if isinstance(value, dict) and isinstance(text := value.get("text"), str):
        yield Fragment(t=t, text=text, interim=interim)
