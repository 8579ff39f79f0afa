"""Plots as static SVG: axes, lines, marks. They need no script, print sharply, and take the page's colours.

A series is told by colour, dash and mark together (`s0` to `s7` in the style sheet), so that it is told in grey too. The
same figures always stand in a table beside the plot; to a screen reader a plot is one picture with a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SERIES: Final = 8
"""Series that can be told apart."""

_MARKS: Final = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0", "M-3.6-3.6h7.2v7.2h-7.2z", "M0-4.8l4.6 8h-9.2z", "M0-5l5 5l-5 5l-5-5z",
    "M0 4.8l4.6-8h-9.2z", "M-4.4-1.5h2.9v-2.9h3v2.9h2.9v3h-2.9v2.9h-3v-2.9h-2.9z",
    "M-4.5 0l2.2-4h4.6l2.2 4l-2.2 4h-4.6z", "M-5-2h10v4h-10z",
)  # fmt: skip
"""Circle, square, triangle, diamond, triangle down, cross, hexagon, bar: about 9 units wide, around the origin."""

_LETTER: Final = 6.2
"""Width of a letter of a name, about, in units of the drawing."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A scale with its ticks. What lies beyond an end is drawn at that end."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    label: str = ""
    log: bool = False

    def share(self, value: float) -> float:
        """Return how far along the axis a value lies, 0 to 1."""
        if self.log:
            place = log10(max(value, self.low) / self.low) / log10(self.high / self.low)
        else:
            place = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, place))


def seconds_axis(values: Iterable[float], label: str, *, least: float = 0.02) -> Axis:
    """Return a logarithmic axis of seconds that holds the values; what is below `least`, or negative, is at its start."""
    held = [max(value, least) for value in values] or [1.0]
    low, high = _step_below(min(held)), _step_above(max(held))
    steps = [step for step in _STEPS if low <= step <= high]
    sparse = len(steps) > 7
    return Axis(
        low=low,
        high=high,
        ticks=[
            (step, _seconds(step)) for step in steps if not sparse or f"{step:e}".startswith("1.")
        ],
        label=label,
        log=True,
    )


_STEPS: Final = [lead * 10.0**power for power in range(-3, 6) for lead in (1, 2, 5)]


def _step_below(value: float) -> float:
    return max(step for step in _STEPS if step <= value * (1 + 1e-9) or step == _STEPS[0])


def _step_above(value: float) -> float:
    above = [step for step in _STEPS if step >= value * (1 - 1e-9)]
    high = above[0] if above else _STEPS[-1]
    return high if high > _step_below(value) or len(above) < 2 else above[1]


def _seconds(value: float) -> str:
    return f"{value:g} s" if value >= 1 else f"{value * 1000:g} ms"


def percent_axis(values: Iterable[float], label: str) -> Axis:
    """Return an axis of ratios from 0 to a round percentage that holds the values."""
    step, count = _round_steps(max(values, default=0.0) or 0.01)
    return Axis(
        low=0.0,
        high=step * count,
        ticks=[(step * tick, f"{step * tick * 100:g} %") for tick in range(count + 1)],
        label=label,
    )


def plain_axis(values: Iterable[float], label: str) -> Axis:
    """Return an axis from 0 to a round number that holds the values."""
    step, count = _round_steps(max(values, default=0.0) or 1.0)
    return Axis(
        low=0.0,
        high=step * count,
        ticks=[(step * tick, f"{step * tick:g}") for tick in range(count + 1)],
        label=label,
    )


def _round_steps(most: float) -> tuple[float, int]:
    """Return a round step, and how many of them, at most five, reach `most`."""
    power = 10 ** floor(log10(most))
    step = next(lead * power for lead in (0.1, 0.2, 0.25, 0.5, 1, 2.5) if most <= 5 * lead * power)
    return step, max(1, ceil(most / step - 1e-9))


class Plot:
    """A plot that is drawn onto: marks in the order they are added."""

    def __init__(
        self, x: Axis, y: Axis, *, width: int = 520, height: int = 270, left: int = 52
    ) -> None:
        self._x, self._y = x, y
        self._width, self._height = width, height
        self._left, self._right = left, width - 14
        self._top, self._bottom = 12, height - (40 if x.label else 22)
        self._marks: list[Markup] = []
        self._named: list[tuple[float, float, str]] = []
        """Where the marks with names are."""

    def line(self, points: Sequence[Point], series: int, *, kind: str = "line") -> None:
        """Draw straight lines from point to point."""
        path = "L".join(f"{x} {y}" for x, y in (self._place(point) for point in points))
        self._marks.append(Markup('<path class="{} s{}" d="M{}"/>').format(kind, series, path))

    def stair(self, points: Sequence[Point], series: int, *, kind: str = "front") -> None:
        """Draw a line that goes across, then up or down, from point to point."""
        corners = list(points[:1])
        for before, after in pairwise(points):
            corners += [(after[0], before[1]), after]
        self.line(corners, series, kind=kind)

    def mark(self, point: Point, series: int, *, name: str = "") -> None:
        """Draw a series' own mark, under an arrow where the value is higher than the axis.

        `name` is what a pointer on it reads, and stands beside it where there is room.
        """
        x, y = self._place(point)
        if point[1] > self._y.high:
            self._marks.append(
                Markup('<path class="beyond s{}" d="M{} {}l4-4l4 4"/>').format(
                    series, round(x - 4, 1), round(y - 7, 1)
                )
            )
        title = Markup("<title>{}</title>").format(name) if name else ""
        self._marks.append(
            Markup('<path class="mark s{}" transform="translate({} {})" d="{}">{}</path>').format(
                series, x, y, _MARKS[series % SERIES], title
            )
        )
        if name:
            self._named.append((x, y, name))

    def _names(self) -> Markup:
        """Return the names of marks: within the frame, and clear of all marks and of each other."""
        taken = [(x - 5, y - 5, x + 5, y + 5) for x, y, _ in self._named]
        drawn = []
        for x, y, name in self._named:
            wide = len(name) * _LETTER
            for dx, dy in ((8, 4), (8, -5), (8, 13), (-8 - wide, 4), (-8 - wide, -5), (-8 - wide, 13), (-wide / 2, -9), (-wide / 2, 17)):  # fmt: skip
                left, base = x + dx, y + dy
                box = (left, base - 9, left + wide, base + 2)
                inside = self._left <= left and box[2] <= self._width and box[1] >= 0 and base <= self._bottom  # fmt: skip
                if inside and not any(_overlap(box, one) for one in taken):
                    taken.append(box)
                    drawn.append(
                        Markup('<text class="name" x="{}" y="{}">{}</text>').format(
                            round(left, 1), round(base, 1), name
                        )
                    )
                    break
        return Markup("").join(drawn)

    def whisker(self, x: float, low: float, high: float, series: int) -> None:
        """Draw an interval upright at `x`."""
        at, bottom = self._place((x, low))
        top = self._place((x, high))[1]
        self._marks.append(
            Markup('<path class="whisker s{}" d="M{} {}h6m-3 0V{}m-3 0h6"/>').format(
                series, round(at - 3, 1), bottom, top
            )
        )

    def level(self, y: float, name: str) -> None:
        """Draw a dashed line across, with its name."""
        at = self._place((self._x.low, y))[1]
        self._marks.append(
            Markup('<path class="level" d="M{} {}H{}"/><text class="tick" x="{}" y="{}">{}</text>').format(
                self._left, at, self._right, self._left + 4, round(at - 3, 1), name
            )
        )  # fmt: skip

    def svg(self, label: str) -> Markup:
        """Return the plot as an element with a name for those who cannot see it."""
        return Markup(
            '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>'
        ).format(
            self._width,
            self._height,
            label,
            self._axes(),
            Markup("").join(self._marks),
            self._names(),
        )

    def _place(self, point: Point) -> tuple[float, float]:
        x = self._left + self._x.share(point[0]) * (self._right - self._left)
        y = self._bottom - self._y.share(point[1]) * (self._bottom - self._top)
        return round(x, 1), round(y, 1)

    def _axes(self) -> Markup:
        drawn = [
            Markup('<path class="axis" d="M{} {}V{}H{}"/>').format(
                self._left, self._top, self._bottom, self._right
            )
        ]
        for value, text in self._x.ticks:
            at = self._place((value, self._y.low))[0]
            middle = min(at, self._width - len(text) * _LETTER / 2)
            drawn.append(
                Markup('<path class="grid" d="M{} {}V{}"/><text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    at, self._top, self._bottom, round(middle, 1), self._bottom + 15, text
                )
            )  # fmt: skip
        for value, text in self._y.ticks:
            at = self._place((self._x.low, value))[1]
            drawn.append(
                Markup('<path class="grid" d="M{} {}H{}"/><text class="tick" x="{}" y="{}" text-anchor="end">{}</text>').format(
                    self._left, at, self._right, self._left - 6, round(at + 3.5, 1), text
                )
            )  # fmt: skip
        if self._x.label:
            drawn.append(
                Markup('<text class="label" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    (self._left + self._right) / 2, self._height - 6, self._x.label
                )
            )
        return Markup("").join(drawn)


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    """Return whether two boxes (left, top, right, bottom) share a point."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def key(series: int) -> Markup:
    """Return the sign of a series, for a legend: its line and its mark. Its name stands beside it."""
    return Markup(
        '<svg class="key" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true" focusable="false">'
        '<path class="line s{}" d="M0 6h28"/><path class="mark s{}" transform="translate(14 6)" d="{}"/></svg>'
    ).format(series, series, escape(_MARKS[series % SERIES]))
