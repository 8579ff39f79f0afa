"""What a quirk is: a name, what may be given with it, what it does, and who has seen it.

Knows how a value is written. Does not know any quirk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from harness.errors import UsageError, suggestion
from harness.wire.live.refusals import REFUSALS, Refusal

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from harness.units import Seconds

Message: TypeAlias = dict[str, Any]
"""A frame's JSON object."""

Later: TypeAlias = "Iterable[tuple[Seconds, Message]]"
"""Messages and how long each is held back, s."""

Stage: TypeAlias = Literal["accept", "upgrade", "open", "setup", "ready", "audio", "text", "end"]

STAGES: Final[dict[Stage, str]] = {
    "accept": "a connection has come",
    "upgrade": "its HTTP request has come",
    "open": "the WebSocket is open",
    "setup": "the setup has come; setupComplete has not been sent",
    "ready": "setupComplete has been sent",
    "audio": "half a second of audio has come",
    "text": "the first text has been sent",
    "end": "the end of the audio has come",
}
"""How far a connection is, in the order in which that is reached."""

WITHIN: Final[tuple[Stage, ...]] = ("open", "setup", "ready", "audio", "text", "end")
"""The stages of an open WebSocket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A close at a stage."""

    code: int
    reason: str
    stage: Stage


class Talk(Protocol):
    """What a quirk may know of its connection, and do to it."""

    chance: random.Random
    audio_s: Seconds
    """Audio of this turn that has come, s."""

    texts: int
    """Fragments of transcription the conversation has said in this turn."""

    resumed: bool
    """True: the connection continues a session."""

    memory: dict[str, Any]
    """What the quirks of this connection remember, each under its own name."""

    shared: dict[str, Any]
    """The same for all connections of the service."""

    @property
    def now(self) -> Seconds:
        """By the loop's clock."""

    @property
    def since_ready_s(self) -> Seconds:
        """Since setupComplete, s."""

    def say(self, message: Message, after_s: Seconds) -> None:
        """Send a message of the quirk's own, later."""

    def close(self, code: int, reason: str) -> None:
        """Close the WebSocket."""

    def end_after(self, seconds: Seconds, code: int, reason: str) -> None:
        """Close the WebSocket later."""


class Means(Protocol):
    """What can be done to a socket at a stage."""

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""

    def freeze(self, *, reads: bool = False, writes: bool = False) -> None:
        """Read, or write, nothing from now on, and never end the connection."""

    def cut(self) -> None:
        """Send half a frame and end the connection."""


# ── Values ───────────────────────────────────────────────────────────────────────────────────────────────────────────

Value: TypeAlias = "float | int | str | Ending"

_UNITS: Final[dict[str, dict[str, float]]] = {
    "duration": {"ms": 1e-3, "s": 1.0, "min": 60.0, "": 1.0},
    "bytes": {"B": 1, "KiB": 2**10, "MiB": 2**20, "": 1},
    "rate": {"B/s": 1, "KiB/s": 2**10, "MiB/s": 2**20, "": 1},
    "share": {"%": 0.01, "": 1.0},
    "count": {"": 1},
}
"""What follows the number, and what it is worth: durations in s, sizes in bytes, rates in bytes a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What may be given with a quirk: `kind` says how it is written, `default` what holds without it."""

    kind: Literal["duration", "bytes", "rate", "share", "count", "choice", "close"]
    default: str
    choices: tuple[str, ...] = ()
    """Of a `choice`, and the stages of a `close`."""

    most: str | None = None
    """The largest value, as it is written; None: any."""

    def read(self, text: str) -> Value:
        """Return the value that `text` writes; ValueError says how it is written."""
        if self.kind == "choice":
            if text not in self.choices:
                raise ValueError(suggestion(text, self.choices) or f"one of {self.written}")
            return text
        if self.kind == "close":
            return self._ending(text)
        number = self._number(text)
        if self.kind == "share" and not 0 < number <= 1:
            raise ValueError("a share lies above 0% and at most at 100%")
        if self.kind in ("bytes", "rate", "count") and number < 1:
            raise ValueError("at least 1")
        if self.most is not None and number > self._number(self.most):
            raise ValueError(f"at most {self.most}")
        return number if self.kind in ("duration", "share") else int(number)

    def _number(self, text: str) -> float:
        units = _UNITS[self.kind]
        written = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*([A-Za-z/%]*)", text)
        if written is None or written[2] not in units:
            raise ValueError(f"write {self.written}")
        return float(written[1]) * units[written[2]]

    def _ending(self, text: str) -> Ending:
        what, _, at = text.partition("@")
        stages = {stage: stage for stage in WITHIN if stage in self.choices}
        stage = stages.get(at or "setup")  # type: ignore[call-overload]  # any text may have been typed
        if stage is None:
            raise ValueError(suggestion(at, self.choices) or f"@ one of {', '.join(self.choices)}")
        if what.isascii() and what.isdigit() and 1000 <= int(what) < 5000:
            return Ending(code=int(what), reason="", stage=stage)
        closes = {one.name: one for one in REFUSALS if not one.at_upgrade}
        if what not in closes:
            raise ValueError(
                suggestion(what, closes) or f"a close code, or one of {', '.join(closes)}"
            )
        return Ending(code=closes[what].code, reason=_filled(closes[what]), stage=stage)

    @property
    def written(self) -> str:
        """How a value is written, for a person."""
        match self.kind:
            case "choice":
                return ", ".join(self.choices)
            case "close":
                return "CODE or NAME, then @STAGE"
            case "count":
                return "a whole number"
            case _:
                units = [unit for unit in _UNITS[self.kind] if unit]
                return f"a number of {', '.join(units)}"


def _filled(refusal: Refusal) -> str:
    """Return a refusal's text with a word for everything that varies."""
    return re.sub(r"\{\w+\}", "x", refusal.reason)


# ── The quirk ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One way to misbehave."""

    name: str
    does: str
    """In a sentence; `VALUE` stands for what is given."""

    source: str
    """Who saw it, or what allows it."""

    takes: Parameter | None = None
    """What may be given with it; None: nothing."""

    says: Callable[[Message, Any, Talk], Later] | None = None
    """What is sent instead of a message of the server, and how much later."""

    hears: Callable[[Message, Any, Talk], Message | None] | None = None
    """What is heard instead of a message of the client; None: nothing."""

    writes: Callable[[bytes, Any, Talk], Iterable[bytes]] | None = None
    """The frames that are sent instead of one."""

    acts: Callable[[Means], None] | None = None
    """What happens to the socket at the stage that is given."""

    @property
    def usage(self) -> str:
        """How it is asked for: `late-transcription=2s`."""
        return f"{self.name}={self.takes.default}" if self.takes else self.name

    def value(self, text: str | None) -> Value | None:
        """Return the value that `text` gives it, its default when None; UsageError says how it is written."""
        if self.takes is None:
            if text is not None:
                raise UsageError(f"--quirk {self.name} takes no value", hint=f"--quirk {self.name}")
            return None
        try:
            return self.takes.read(self.takes.default if text is None else text)
        except ValueError as error:
            raise UsageError(
                f"--quirk {self.name}: no such value: {text!r}", hint=str(error)
            ) from None


# ── Messages of both ends ────────────────────────────────────────────────────────────────────────────────────────────


def content(message: Message) -> Message:
    """Return a server message's content; empty when it has none."""
    found = message.get("serverContent")
    return found if isinstance(found, dict) else {}


def field(message: Any, name: str) -> Any:
    """Return a client message's field by either of its spellings, or None; a client may send anything for a message."""
    if not isinstance(message, dict):
        return None
    if name in message:
        return message[name]
    return message.get(re.sub("([A-Z])", lambda letter: "_" + letter[0].lower(), name))


HEARD: Final = "inputTranscription"


def changed(message: Message, **fields: Any) -> Message:
    """Return `message` with these fields of its content instead; None takes one away."""
    kept = {k: v for k, v in (content(message) | fields).items() if v is not None}
    rest = {k: v for k, v in message.items() if k != "serverContent"}
    return ({"serverContent": kept} if kept else {}) | rest


def left(message: Message) -> Later:
    """Yield what is left of a message, if anything is."""
    if message:
        yield 0.0, message


def heard_text(text: str) -> Message:
    """Return a message that tells of `text` as heard."""
    return {"serverContent": {HEARD: {"text": text}}}


def duration(default: str) -> Parameter:
    """Return a quirk's value that is a time."""
    return Parameter(kind="duration", default=default)


def whole(default: str, *, most: str | None = None) -> Parameter:
    """Return a quirk's value that is a whole number, `most` at most."""
    return Parameter(kind="count", default=default, most=most)
