"""The page's tables of where errors are: by kind of token, by place in the utterance, by what utterances share.

All of it is in `summary.json` (`breakdowns`); the page leaves out what says nothing, such as a division of one part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from harness.report.summary.token_classes import Tally, TokenClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.summary.breakdown import Gap, Part
    from harness.report.summary.document import CellBreakdown, Summary

_SPEAKERS: Final = 5
"""Of a cell, the worst."""

_MOST_ROWS: Final = 400
"""Of the table of parts: more is for `summary.json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """A cell's tokens by kind."""

    cell: CellBreakdown
    tallies: Sequence[Tally | None]
    """In the order of the table's kinds; None: no token is of that kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRow:
    """Where in its utterances a cell's tokens were not heard."""

    cell: CellBreakdown
    shares: Sequence[float]
    """Of the tokens in each tenth, from the beginning; 0 where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    """Utterances of a cell that share something."""

    cell: CellBreakdown
    by: str
    """What they share: `speaker`, `length`, `tokens a second`, `signal to noise`, `place in the run`, `hour`, or a tag of the
    dataset."""

    part: Part
    gap: Gap | None
    """From the worst part of a tag to the best; None: this is not the worst, or no tag's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divisions:
    """The three tables."""

    kinds: Sequence[str]
    classes: Sequence[ClassRow]
    places: Sequence[PlaceRow]
    most: float
    """The largest share of `places`: where their bars end."""

    parts: Sequence[PartRow]
    left_out: int
    """Rows of `parts` that the page has no room for."""


def divisions(summary: Summary) -> Divisions:
    """Return the page's tables, cell by cell."""
    cells = summary.breakdowns
    kinds: list[TokenClass] = [
        kind
        for kind in get_args(TokenClass)
        if any(kind in cell.errors.token_classes for cell in cells)
    ]
    places = [row for cell in cells if (row := _places(cell))]
    parts = [row for cell in cells for row in _parts(cell)]
    return Divisions(
        kinds=kinds,
        classes=[
            ClassRow(cell=cell, tallies=[cell.errors.token_classes.get(kind) for kind in kinds])
            for cell in cells
        ],
        places=places,
        most=max((share for row in places for share in row.shares), default=0.0),
        parts=parts[:_MOST_ROWS],
        left_out=max(0, len(parts) - _MOST_ROWS),
    )


def _places(cell: CellBreakdown) -> PlaceRow | None:
    """Return a cell's deletions by place; None: there are none."""
    tenths = cell.errors.deletions_by_position
    if not any(tenth.deleted for tenth in tenths):
        return None
    shares = [tenth.deleted / tenth.tokens if tenth.tokens else 0.0 for tenth in tenths]
    return PlaceRow(cell=cell, shares=shares)


def _parts(cell: CellBreakdown) -> list[PartRow]:
    """Return the parts of a cell's divisions; those into fewer than two are left out."""
    errors = cell.errors
    ways = {
        "speaker": errors.by_speaker,
        "length": errors.by_duration,
        "tokens a second": errors.by_pace,
        "signal to noise": errors.by_snr,
        "place in the run": errors.by_turn,
        "hour": errors.by_hour,
        **errors.by_tag,
    }
    found = []
    for by, parts in ways.items():
        if len(parts) < 2:
            continue
        gap = errors.gaps.get(by)
        for part in parts[:_SPEAKERS] if by == "speaker" else parts:
            worst = gap if gap and gap.worst == part.value else None
            found.append(PartRow(cell=cell, by=by, part=part, gap=worst))
    return found
