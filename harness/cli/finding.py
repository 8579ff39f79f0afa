"""What a check of the doctor's found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

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
"""How each verdict is shown."""

MEANINGS: dict[Verdict, str] = {
    "ok": "",
    "accepted": "taken, and nothing on the wire tells what it does",
    "warning": "works, with less than there could be",
    "failed": "does not work",
    "not offered": "the model or the platform lacks it",
    "not shown": "the model did something else",
    "not walked": "cannot be had on demand; its line says where it can",
}
"""What each verdict means, where its mark alone does not say it."""


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


def tally(findings: Iterable[Finding]) -> str:
    """Return the closing line: how many checks came to each verdict, and what the less obvious verdicts mean."""
    counts = Counter(one.verdict for one in findings)
    told = (
        f"{counts[verdict]} {mark.strip()}"
        + (f" ({MEANINGS[verdict]})" if MEANINGS[verdict] else "")
        for verdict, mark in MARKS.items()
        if counts[verdict]
    )
    return f"{counts.total()} checks: {', '.join(told)}"
