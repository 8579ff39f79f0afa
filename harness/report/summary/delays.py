"""What is waited for in each task, and what the wait is called: the latencies that tables, plots and comparisons show.

Knows names; does not know how a latency is measured (`rows`) or summed up (`summary`, `spread`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.run.record import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """Something that a task waits for."""

    name: str
    """The row's column without its unit; percentiles are `<name>_p50_s` and `<name>_p95_s`."""

    after: str
    """From when on it is waited for, in words."""

    @property
    def column(self) -> str:
        """The row's column, s."""
        return self.name + "_s"

    @property
    def words(self) -> str:
        """What it is called: `final text`."""
        return self.name.replace("_", " ")


_ASKED = "after the end of what was asked"

AWAITED: Final[Mapping[Task, Sequence[Awaited]]] = {
    "transcribe": (
        Awaited(name="final_text", after="after the end of speech"),
        Awaited(name="first_text", after="after the onset of speech"),
    ),
    "speak": (Awaited(name="first_audio", after="after the text had left"),),
    "ask": (
        Awaited(name="first_reply", after=_ASKED),
        Awaited(name="first_audio", after=_ASKED),
    ),
}
"""What each task waits for, the headline first."""
