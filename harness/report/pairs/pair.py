"""`Pair`: what was said and what was heard. Knows neither files nor scores."""

from __future__ import annotations

import msgspec

from harness.units import Seconds


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What was said and what was heard."""

    id: str
    """Unique in its dataset, model and repeat; the line's number where the table has none."""

    reference: str | None
    """None: nobody wrote it down."""

    hypothesis: str | None
    """None: there was no answer; it is scored as an empty one."""

    locale: str
    """As the table writes it."""

    speaker: str | None = None
    dataset: str = ""
    model: str = ""
    repeat: str = ""
    audio: str | None = None
    """What names the file it is in, the same in every dataset; None: unknown."""

    offset_s: Seconds = 0.0
    """Where in that file it begins."""

    duration_s: Seconds | None = None
    """Of the clip; None: unknown."""

    snr_db: float | None = None
    """How far the speech stands out from its background; None: unknown."""

    tags: dict[str, str] = {}
    """The table's other columns that are texts, by name."""

    unread: dict[str, str] = {}
    """Cells that should be numbers and are none, by the name of their column; what they should say is None above."""

    line: int | None = None
    """1-based line or row of the file."""

    reason: str | None = None
    """Why it must not be scored; None: it may."""
