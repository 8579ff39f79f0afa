"""Plots: axes with round ticks that hold every value, marks where the values are, and no markup from names."""

from __future__ import annotations

import re
from math import isclose
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from harness.report.page.figures import front
from harness.report.page.plot import Axis, Plot, percent_axis, seconds_axis

RATES = st.lists(st.floats(0, 3), max_size=20)
TIMES = st.lists(st.floats(-3, 5000), max_size=20)


@given(values=TIMES)
def test_an_axis_of_seconds_holds_all_late_values(values):
    """Ends are round, low below high, ticks within them, and every value above the least is between them."""
    axis = seconds_axis(values, "s")
    assert 0 < axis.low < axis.high
    assert all(f"{end:e}"[0] in "125" for end in (axis.low, axis.high))
    assert all(
        axis.low <= max(value, 0.02) * (1 + 1e-9) and value <= axis.high * (1 + 1e-9)
        for value in values
    )
    assert axis.ticks
    assert all(axis.low <= tick <= axis.high for tick, _ in axis.ticks)


@given(values=RATES)
def test_an_axis_of_rates_begins_at_nothing(values):
    """It goes from 0 to a round percentage that holds all, in at most six ticks."""
    axis = percent_axis(values, "r")
    assert axis.low == 0
    assert max(values, default=0) <= axis.high * (1 + 1e-9)
    assert 2 <= len(axis.ticks) <= 6
    assert isclose(axis.ticks[-1][0], axis.high)


@given(low=st.floats(0.01, 1), ratio=st.floats(1.5, 1000), share=st.floats(0, 1))
def test_a_place_on_an_axis_is_its_share(low, ratio, share):
    """On a logarithmic axis equal ratios are equal distances; what lies beyond an end is drawn at it."""
    axis = Axis(low=low, high=low * ratio, ticks=[], log=True)
    assert isclose(share, axis.share(low * ratio**share), abs_tol=1e-9)
    assert (0.0, 1.0) == (axis.share(low / 2), axis.share(low * ratio * 2))
    assert axis.share(-1) == 0


def test_names_are_text():
    """A hostile name in a plot is text of the picture, and the picture stays well-formed."""
    evil = '"><script>alert(1)</script>&'
    axis = percent_axis([0.5], evil)
    plot = Plot(axis, axis)
    plot.mark((0.1, 0.1), 0, name=evil)
    plot.level(0.2, evil)
    drawn = ET.fromstring(plot.svg(evil))  # noqa: S314 - our own drawing
    assert evil == drawn.get("aria-label")
    assert "img" == drawn.get("role")
    assert 4 == sum(element.text == evil for element in drawn.iter())
    assert not [element for element in drawn.iter() if element.tag == "script"]


def test_marks_stand_where_their_values_are():
    """A higher value is drawn higher, a later one further right, and a line goes through its points."""
    axis = Axis(low=0, high=1, ticks=[(0, "0"), (1, "1")])
    plot = Plot(axis, axis, width=200, height=100)
    plot.mark((0.25, 0.25), 0)
    plot.mark((0.75, 0.75), 1)
    plot.line([(0.25, 0.25), (0.75, 0.75)], 0)
    drawn = plot.svg("x")
    first, second = (
        tuple(map(float, place)) for place in re.findall(r"translate\(([\d.]+) ([\d.]+)\)", drawn)
    )
    assert first[0] < second[0]
    assert first[1] > second[1]
    assert f"M{first[0]} {first[1]}L{second[0]} {second[1]}" in drawn


def test_what_is_higher_than_the_axis_has_an_arrow():
    """A mark at the top edge that belongs higher is told from one whose value is the edge's."""
    plot = Plot(percent_axis([1.0], ""), percent_axis([1.0], ""))
    plot.mark((0.5, 1.0), 0)
    assert 'class="beyond' not in plot.svg("at the edge")
    plot.mark((0.5, 1.667), 0)
    assert 1 == plot.svg("above it").count('class="beyond s0"')


@given(points=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_the_front_is_what_nobody_beats(points):
    """A point is on the front iff no other is at least as good on both values and better on one."""
    beaten = {
        point
        for point in points
        for other in points
        if other != point and other[0] <= point[0] and other[1] <= point[1]
    }
    assert sorted(set(points) - beaten) == front(points)


def test_names_stay_inside_and_clear_of_each_other():
    """A name whose mark lies at the frame's edge stays within it; of names that have no room the pointer's remains."""
    x, y = seconds_axis([0.1, 1.0], "t"), percent_axis([1.0], "")
    plot = Plot(x, y)
    for number in range(12):
        plot.mark((1.0, 1.0), 0, name=f"de-{number:02}")
    drawn = ET.fromstring(plot.svg("names"))  # noqa: S314 - our own drawing
    names = [one for one in drawn.iter() if one.get("class") == "name"]
    assert 0 < len(names) < 12
    assert all(12 <= float(one.get("y")) <= 270 for one in names)
    assert 12 == sum(one.tag.endswith("title") for one in drawn.iter())
    assert len({(one.get("x"), one.get("y")) for one in names}) == len(names)
