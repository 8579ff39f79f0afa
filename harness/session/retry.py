"""What a session's end means, and whether and when to try again: two tables, no clock.

Sources of the classes: the close codes and reasons collected in `harness.wire.live.refusals`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.trace.trace import FailureKind, Outcome
from harness.wire.live.refusals import classify_close, classify_upgrade

if TYPE_CHECKING:
    import random

    from harness.session.transport import Closed
    from harness.units import Seconds

STANDING_REFUSALS: Final = ("auth", "config", "model_not_found")
"""Failures by which the service refuses a key, a setup or a model, whatever is sent with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a session ended."""

    outcome: Outcome
    failure: FailureKind | None = None
    reason: str | None = None
    """In words; None when ok."""

    retry_after_s: Seconds | None = None
    """What the service asked for."""

    unreachable: bool = False
    """True: nothing answered at the address."""

    away: bool = False
    """True: somebody else answered that the service is not there: a proxy, mostly."""

    @property
    def absent(self) -> bool:
        """True: the service was not met, whoever else was."""
        return self.unreachable or self.away


_OUR_VERDICTS: Final[dict[int | None, FailureKind]] = {
    1002: "transient",
    1007: "transient",
    1009: "client",
}
"""Close codes with which our own WebSocket gives up on what came: no WebSocket, no text, too long a message."""

_AWAY: Final = (502, 503, 504)
"""HTTP statuses with which a gateway answers in the place of a service that is not there (RFC 9110 §15.6.3 to 15.6.5)."""


def ending(
    *,
    closed: Closed | None,
    missed: str | None,
    reached: bool,
    vanished: bool,
    problem: tuple[FailureKind, str] | None,
    blocked: str | None,
    has_text: bool,
    turn_over: bool,
    sent_all: bool,
    whole: bool,
) -> Ending:
    """Return what came of a session, from how it closed, what it waited for in vain and what it had heard by then."""
    broken: tuple[FailureKind, str] | None = problem
    if broken is None and missed is not None and not sent_all:
        broken = ("transient", missed)
    if broken is None and vanished:
        broken = ("transient", f"the service vanished: {missed or 'the turn never ended'}")
    if broken is None and closed is not None and closed.by_us and closed.code in _OUR_VERDICTS:
        broken = (
            _OUR_VERDICTS[closed.code],
            f"closed {closed.code} by us: {closed.reason.removeprefix('ours: ')}",
        )
    if broken is not None:
        return _failed(*broken, has_text=has_text, unreachable=not reached)
    if closed is not None and not closed.by_us and not (closed.code == 1000 and sent_all):
        return _closed_on_us(closed, has_text=has_text)
    if not whole:
        return _failed("duration", "the service went before the clip was sent", has_text=has_text)
    if has_text:
        return Ending(outcome="ok")
    if blocked is not None:
        return Ending(outcome="blocked", reason=_short(f"the service ended the turn: {blocked}"))
    silence = (
        "the turn ended without text" if turn_over else missed or "the service closed without text"
    )
    return Ending(outcome="ok_empty", reason=silence)


def broken_off(ended: Ending) -> Ending:
    """Return `ended` as the end of a session that had begun before the service was gone: it broke off."""
    outcome: Outcome = "failed_server" if ended.outcome == "failed_client" else ended.outcome
    return replace(ended, outcome=outcome, unreachable=False, away=False)


def _closed_on_us(closed: Closed, *, has_text: bool) -> Ending:
    if closed.status is not None:
        kind = classify_upgrade(closed.status)
        reason = f"HTTP {closed.status} at the upgrade: {closed.reason}"
    elif closed.unreachable or closed.code is None:
        kind, reason = "transient", closed.reason
    else:
        kind = classify_close(closed.code, closed.reason)
        reason = (
            f"closed {closed.code}: {closed.reason}" if closed.reason else f"closed {closed.code}"
        )
    return _failed(
        kind,
        reason,
        has_text=has_text,
        retry_after_s=closed.retry_after_s,
        unreachable=closed.unreachable,
        away=closed.status in _AWAY,
    )


def _failed(
    kind: FailureKind,
    reason: str,
    *,
    has_text: bool,
    retry_after_s: Seconds | None = None,
    unreachable: bool = False,
    away: bool = False,
) -> Ending:
    outcome: Outcome
    if has_text:
        outcome = "partial"
    elif kind == "quota":
        outcome = "failed_quota"
    elif kind in (*STANDING_REFUSALS, "client", "input") or unreachable:
        outcome = "failed_client"
    else:
        outcome = "failed_server"
    return Ending(
        outcome=outcome,
        failure=kind,
        reason=_short(reason),
        retry_after_s=retry_after_s,
        unreachable=unreachable,
        away=away,
    )


REASON: Final = 500
"""Longest reason, in characters: a peer may give it any length, all of which is in the trace."""


def _short(reason: str) -> str:
    return reason if len(reason) <= REASON else f"{reason[: REASON - 1]}…"


ATTEMPTS: Final[dict[FailureKind, int]] = {"transient": 3, "duration": 3, "stale_handle": 2}
"""How many attempts an utterance gets that end with such a failure; with any other, one. A quota refusal is no attempt:
the utterance waits its turn."""

BASE_S: Final = 0.5
CAP_S: Final = 30.0
"""Back-off doubles from `BASE_S` to `CAP_S`, s; each wait is drawn between half of it and the whole ("equal jitter")."""

_DOUBLINGS: Final = 10
"""More than it takes from `BASE_S` to `CAP_S`."""

MOST_ASKED_S: Final = 300.0
"""Longest wait that a service may ask for, s. If it asks for more, the run stops, to be continued later."""


def backoff_s(failures: int, rng: random.Random, *, asked_s: Seconds | None = None) -> Seconds:
    """Return how long to wait after the `failures`-th failure in a row (from 1), s; never less than was asked for."""
    # A service that admits nobody for hours is paused for more than 1,000 times, and no float holds 2 to the power of that.
    ceiling = min(CAP_S, BASE_S * 2 ** min(failures - 1, _DOUBLINGS))
    return max(asked_s or 0.0, rng.uniform(ceiling / 2, ceiling))


def tries_again(failure: FailureKind | None, attempt: int) -> bool:
    """Return whether another attempt follows the `attempt`-th (from 1) that ended with `failure`."""
    return failure is not None and attempt < ATTEMPTS.get(failure, 1)
