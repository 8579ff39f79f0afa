"""What the simulated service is like: the assumptions behind a forecast, and how `--assume NAME=VALUE` changes them.

Knows numbers and what they may be. What a session comes to by them is `stay`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from harness.errors import UsageError
from harness.run.stream import LEG_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.units import Seconds

UNPACED: Final = 20.0
"""How much faster than real time the simulated service takes audio that is not paced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """The service as it is simulated, whichever way."""

    sessions: int | None = None
    """How many it admits at once; None: any number."""

    opening_s: Seconds = 0.3
    """From the start of a connection to its being open: some round trips and TLS."""

    setup_s: Seconds = 0.2
    """From the setup to `setupComplete`, or to the refusal for quota."""

    answer_s: Seconds = 0.3
    """From the end of the turn to the text of a transcript, or to the first of an answer."""

    silence_s: Seconds = 0.8
    """Silence that ends a turn under automatic detection, where the setup does not say."""

    quiet_s: Seconds | None = None
    """How long the client then listens for more; None: as the plan says (`--quiet`)."""

    connection_s: Seconds = LEG_S
    """Longest span of audio that goes over one connection before another goes on."""

    faults: float = 0.0
    """Share of sessions that break. Each is tried again whole: a real one with a handle, or behind a seam, is gone on with
and sends less again (decision 9)."""


_RANGES: Final[dict[str, tuple[float, float]]] = {
    "sessions": (1, 1e9),
    "opening_s": (0, 10),
    "setup_s": (0, 9),
    "answer_s": (0, 5),
    "silence_s": (0, 60),
    "quiet_s": (0, 60),
    "connection_s": (1, LEG_S),
    "faults": (0, 0.99),
}
"""What each may be. A client waits no longer for a connection, a setup or an answer, and sends no more over one connection."""


def assumptions(pairs: Iterable[str]) -> Assumptions:
    """Return the assumptions with `NAME=VALUE` replaced; UsageError when one is none."""
    made: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        field = name.replace("-", "_")
        if field not in _RANGES:
            raise UsageError(
                f"not an assumption: {pair!r}",
                why=f"there are {', '.join(one.replace('_', '-') for one in _RANGES)}",
                hint="--assume sessions=50 --assume faults=0.01",
            )
        number = _number(field, value)
        if number is None:
            least, most = _RANGES[field]
            what = "a whole number" if field == "sessions" else "a number"
            raise UsageError(
                f"not an assumption: {pair!r}",
                why=f"{field.replace('_', '-')} is {what} from {least:g} to {most:g}",
            )
        made[field] = number
    return replace(Assumptions(), **made)


def _number(field: str, value: str) -> float | int | None:
    """Return what an assumption's value stands for; None when it can stand for nothing."""
    try:
        number = int(value) if field == "sessions" else float(value)
    except ValueError:
        return None
    least, most = _RANGES[field]
    return number if least <= number <= most else None
