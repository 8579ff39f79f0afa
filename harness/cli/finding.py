"""What a check of the doctor's found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from harness.units import Seconds

Verdict: TypeAlias = Literal[
    "ok", "accepted", "warning", "failed", "not offered", "not shown", "not walked"
]

MARKS: dict[Verdict, str] = {
    "ok": "ok  ",
    "accepted": "(ok)",
    "warning": "warn",
    "failed": "FAIL",
    "not offered": "–   ",
    "not shown": "?   ",
    "not walked": "…   ",
}
"""How each is shown. `accepted`: it was taken, and nothing on the wire tells what it does; `not offered`: the model or the
platform lacks it; `not shown`: the model did something else; `not walked`: it cannot be had on demand, and what was found
says where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    check: str
    """What was checked; a capability has a colon in it."""

    verdict: Verdict
    found: str
    took_s: Seconds = 0.0
    """How long the check took."""

    hint: str | None = None
    exit_code: int = 0
    """That of the command when nothing worse is found."""
