"""The page of a comparison: one file that works from disk, without script or request, in the report's own style."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from harness.report.comparison import words
from harness.report.page.shared import environment, policy, source
from harness.report.rows.diff import SPACED

if TYPE_CHECKING:
    from collections.abc import Iterable

    import jinja2

    from harness.report.comparison.contrast import Comparison
    from harness.report.difference.verdict import RateDifference


def comparison_page(document: Comparison) -> bytes:
    """Return the page. All text is somebody's and is escaped; a content-security policy allows its one style alone."""
    style = source("report.css", "compare.css")
    return (
        _environment()
        .get_template("compare.html.j2")
        .render(
            document=document,
            style=Markup(style),  # noqa: S704 - our own files
            policy=policy(style),
            forced=words.forced_lines(document),
            labels=words.labels(document, document.contrasts),
            headlines=[words.headline(document, contrast) for contrast in document.contrasts],
            axes=[_axis([*one.macros, *one.cells]) for one in document.contrasts],
        )
        .encode()
    )


@cache
def _environment() -> jinja2.Environment:
    """Return what renders the page's template, compiled once."""
    return environment(
        {
            "delay": words.delay,
            "arrow": words.arrow,
            "growth": words.growth,
            "bill": words.bill_text,
            "overlap": words.overlap_text,
            "failures": words.failures,
            "moved": words.moved_text,
            "verdict": words.verdict_text,
            "subject": words.subject,
            "new_name": words.new_name,
            "place": _place,
            "joint": lambda metric: " " if metric in SPACED else "",
        }
    )


def _axis(found: Iterable[RateDifference]) -> float:
    """Return how far the differences' axis reaches on either side of 0: a point at least, the whole at most."""
    ends = [abs(value) for one in found for value in (one.low, one.high, one.difference) if value]
    return min(1.0, max(0.01, max(ends, default=0.0) * 1.05))


def _place(difference: float, axis: float) -> float:
    """Return where a difference lies on an axis of 0 to 100, its middle none."""
    return round(50 + 50 * max(-1.0, min(1.0, difference / axis)), 2)
