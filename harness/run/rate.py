"""How fast sessions may begin: sessions and tokens a minute.

Each limit is a bucket that holds one session and is filled evenly, so that sessions begin evenly spaced and in no minute
are there more than the limit. A session takes its tokens, as estimated, when it begins; when its bill comes, the
difference is taken or given back. So sessions are counted exactly, and tokens as exactly as they are known: what those that
are open are billed beyond their estimates can pass the limit, and is made up for by those that begin next. Only the process
that admits sessions counts, so the limits hold over all processes.

Knows the time that it is told; does not know what a session is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.units import Seconds

MINUTE_S: Final[Seconds] = 60.0

_PART: Final = re.compile(r"(?:(sessions|tokens)=)?([0-9]+(?:\.[0-9]+)?)(?:/min)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """What may begin a minute; None: any number."""

    sessions: float | None = None
    tokens: float | None = None


def rate_limit(text: str) -> RateLimit:
    """Return the limit that `text` names: `60`, `60/min`, `sessions=60,tokens=100000`; UsageError when it is none."""
    given: dict[str, float] = {}
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        name = (found and found[1]) or "sessions"
        if not found or float(found[2]) == 0 or name in given:
            raise UsageError(
                f"not a rate: {text!r}",
                why="a rate is a number of sessions, of tokens, or both, a minute",
                hint="--rate 60/min, --rate sessions=60,tokens=100000",
            )
        given[name] = float(found[2])
    return RateLimit(**given)


class Rate:
    """Tells each session in turn how long it must wait."""

    def __init__(self, limit: RateLimit) -> None:
        self._session_s = MINUTE_S / limit.sessions if limit.sessions else 0.0
        self._token_s = MINUTE_S / limit.tokens if limit.tokens else 0.0
        self._next_session: Seconds = 0.0
        self._next_tokens: Seconds = 0.0

    def wait_s(self, now: Seconds, tokens: int) -> Seconds:
        """Return how long from `now` a session of so many tokens must wait, and reserve its place."""
        begins = max(now, self._next_session, self._next_tokens)
        self._next_session = begins + self._session_s
        self._next_tokens = begins + tokens * self._token_s
        return begins - now

    def billed(self, tokens: int) -> None:
        """Take `tokens` that a session cost beyond its estimate; a negative number gives them back."""
        self._next_tokens += tokens * self._token_s
