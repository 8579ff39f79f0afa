"""How a connection begins, lives and ends, when it does not do so as it should.

Knows stages, close codes, handles and goAway. Does not know what is said meanwhile (`answers`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.emulator.quirks.quirk import STAGES, WITHIN, Parameter, Quirk, field
from harness.wire.live import refusals

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from harness.emulator.quirks.quirk import Later, Message, Stage, Talk, Value
    from harness.units import Seconds


_STATUSES: Final = ("302", "400", "401", "403", "404", "408", "429", "500", "502", "503", "504")


def at(*stages: Stage, default: Stage) -> Parameter:
    """Return the parameter of what happens at one of these stages."""
    return Parameter(kind="choice", default=default, choices=stages)


# ── goAway ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _leaves(talk: Talk, message: Message, *, told_s: Seconds, after_s: Seconds) -> Later:
    yield 0.0, message
    if "setupComplete" in message:
        talk.say({"goAway": {"timeLeft": f"{told_s:g}s"}}, 0.0)
        reason = refusals.close_reason(refusals.GO_AWAY_IGNORED.text())
        talk.end_after(after_s, refusals.GO_AWAY_IGNORED.code, reason)


def _go_away(message: Message, seconds: Seconds, talk: Talk) -> Later:
    return _leaves(talk, message, told_s=seconds, after_s=seconds)


def _early_go_away(message: Message, seconds: Seconds, talk: Talk) -> Later:
    return _leaves(talk, message, told_s=60.0, after_s=seconds)


def _no_go_away(message: Message, _: None, talk: Talk) -> Later:
    if "goAway" not in message:
        yield 0.0, message


def _silent_after_go_away(message: Message, _: None, talk: Talk) -> Later:
    if not talk.memory.get("silent-after-go-away"):
        yield 0.0, message
    talk.memory["silent-after-go-away"] = talk.memory.get("silent-after-go-away") or (
        "goAway" in message
    )


# ── Handles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def handle(message: Message) -> str | None:
    """Return the handle that a client's message resumes a session with, or None."""
    found = field(field(field(message, "setup"), "sessionResumption"), "handle")
    return found if isinstance(found, str) else None


def _stale_handles(message: Message, _: None, talk: Talk) -> Message | None:
    if handle(message) is None:
        return message
    talk.close(refusals.SESSION_NOT_FOUND.code, refusals.SESSION_NOT_FOUND.reason)
    return None


def _busy_handles(message: Message, seconds: Seconds, talk: Talk) -> Message | None:
    known = handle(message)
    if known is None:
        return message
    first = talk.shared.setdefault("busy-handles", {}).setdefault(known, talk.now)
    if talk.now - first >= seconds:
        return message
    talk.close(refusals.INTERNAL.code, refusals.INTERNAL.reason)
    return None


def _unresumable(message: Message, _: None, talk: Talk) -> Later:
    if "sessionResumptionUpdate" in message:
        message = message | {"sessionResumptionUpdate": {}}
    yield 0.0, message


def _late_handles(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield (seconds if "sessionResumptionUpdate" in message else 0.0), message


QUIRKS: Final = (
    Quirk(
        name="close",
        takes=Parameter(kind="close", default="internal@setup", choices=WITHIN),
        does="The WebSocket is closed with VALUE: a code, or the name of a refusal, at a stage.",
        source="the close codes and reasons that the emulator knows, each with its own source",
    ),
    Quirk(
        name="reset",
        takes=at(*STAGES, default="audio"),
        does="The connection is reset at the stage VALUE.",
        source="TCP; a close code 1006 at the client",
        acts=lambda means: means.reset(),
    ),
    Quirk(
        name="silent",
        takes=at(*STAGES, default="ready"),
        does="From the stage VALUE on nothing is sent any more, not even the answer to a close.",
        source="TCP",
        acts=lambda means: means.freeze(writes=True),
    ),
    Quirk(
        name="stalled",
        takes=at(*STAGES, default="audio"),
        does="From the stage VALUE on nothing is read any more.",
        source="TCP",
        acts=lambda means: means.freeze(reads=True),
    ),
    Quirk(
        name="half-open",
        takes=at(*STAGES, default="audio"),
        does="From the stage VALUE on the peer is gone and nobody has told: nothing is read or sent.",
        source="TCP: a machine that lost its network",
        acts=lambda means: means.freeze(reads=True, writes=True),
    ),
    Quirk(
        name="cut-frame",
        takes=at("ready", "audio", "text", "end", default="text"),
        does="At the stage VALUE the connection ends in the middle of a frame.",
        source="TCP",
        acts=lambda means: means.cut(),
    ),
    Quirk(
        name="no-close-answer",
        does="A client's close is not answered, and the connection stays.",
        source="TCP",
    ),
    Quirk(
        name="http",
        takes=Parameter(kind="choice", default="503", choices=_STATUSES),
        does="The upgrade is answered with the HTTP status VALUE.",
        source="kazunori279/interpretab#13 (429), google-genai: InvalidStatus",
    ),
    Quirk(
        name="retry-after",
        takes=Parameter(kind="duration", default="7s"),
        does="An upgrade that is refused carries Retry-After: VALUE.",
        source="RFC 9110 §10.2.3",
    ),
    Quirk(
        name="go-away",
        takes=Parameter(kind="duration", default="5s"),
        does="Every connection says goAway at its start with VALUE left, and is cut off then.",
        source="sierra-research/tau2-bench#461, kizuna-ai-lab/sokuji#179",
        says=_go_away,
    ),
    Quirk(
        name="early-go-away",
        takes=Parameter(kind="duration", default="3s"),
        does="Every connection says goAway with a minute left, and is cut off after VALUE.",
        source="pydantic/pydantic-ai#7188",
        says=_early_go_away,
    ),
    Quirk(
        name="no-go-away",
        does="A connection whose life is over is cut off without goAway.",
        source="livekit/agents-js#2366",
        says=_no_go_away,
    ),
    Quirk(
        name="silent-after-go-away",
        does="Nothing comes after goAway.",
        source="sierra-research/tau2-bench#461, kizuna-ai-lab/sokuji#179",
        says=_silent_after_go_away,
    ),
    Quirk(
        name="stale-handles",
        does="No handle resumes a session.",
        source="googleapis/python-genai: “BidiGenerateContent session not found”",
        hears=_stale_handles,
    ),
    Quirk(
        name="busy-handles",
        takes=Parameter(kind="duration", default="3s"),
        does="A handle is refused until VALUE after it was first tried.",
        source="aicc2025/sip-to-ai#14: resuming fails while the old socket is open",
        hears=_busy_handles,
    ),
    Quirk(
        name="late-handles",
        takes=Parameter(kind="duration", default="1s"),
        does="A handle comes VALUE late, and knows nothing of what was said meanwhile.",
        source="generative_service.proto: the state that a handle keeps may lag",
        says=_late_handles,
    ),
    Quirk(
        name="unresumable",
        does="Resumption updates never carry a handle.",
        source="generative_service.proto: resumable false, newHandle empty",
        says=_unresumable,
    ),
    Quirk(
        name="tls",
        takes=Parameter(
            kind="choice",
            default="expired",
            choices=("expired", "other-host", "untrusted", "reset"),
        ),
        does="With --tls, the certificate is VALUE, or the handshake is reset.",
        source="TLS",
    ),
    Quirk(
        name="after",
        takes=Parameter(kind="count", default="1"),
        does="The first VALUE connections behave; the quirks beside this one begin after them.",
        source="for tests of clients",
    ),
    Quirk(
        name="first",
        takes=Parameter(kind="count", default="1"),
        does="VALUE connections misbehave; the ones after them do not.",
        source="for tests of clients",
    ),
    Quirk(
        name="share",
        takes=Parameter(kind="share", default="10%"),
        does="Each connection misbehaves with the probability VALUE.",
        source="for tests of clients",
    ),
)


SELECTORS: Final = frozenset({"after", "first", "share"})
"""Which connections misbehave; by themselves they do nothing."""


class Turnstile:
    """Says of one connection after the other whether it misbehaves."""

    def __init__(self, values: Mapping[str, Value | None], chance: random.Random) -> None:
        self._values = values
        self._chance = chance
        self._before = 0
        self._odd = 0

    def next(self) -> bool:
        """Return whether the next connection misbehaves."""
        self._before += 1
        values = self._values
        if self._before <= int(_number(values, "after") or 0):
            return False
        if self._odd >= (_number(values, "first") or float("inf")):
            return False
        if self._chance.random() >= (_number(values, "share") or 1.0):
            return False
        self._odd += 1
        return True


def _number(values: Mapping[str, Value | None], name: str) -> float | None:
    value = values.get(name)
    return value if isinstance(value, (int, float)) else None
