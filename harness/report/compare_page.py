"""The page of a comparison: one file that works from disk, without script or request, in the report's own style."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from harness.report import compare_digest as words
from harness.report.findings import percent
from harness.report.rows import SPACED
from harness.text.locales import LOCALES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.report.contrast import Comparison, RateDifference

_TEMPLATES = Path(__file__).with_name("templates")


def comparison_page(document: Comparison) -> bytes:
    """Return the page. All text is somebody's and is escaped; a content-security policy allows its one style alone."""
    style = "".join(
        (_TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "compare.css")
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("compare.html.j2")
        .render(
            document=document,
            style=Markup(style),  # noqa: S704 - our own files
            style_hash=f"sha256-{digest}",
            forced=words.forced_lines(document),
            labels=words.labels(document, document.contrasts),
            headlines=[words.headline(document, contrast) for contrast in document.contrasts],
            axes=[_axis([*one.macros, *one.cells]) for one in document.contrasts],
        )
        .encode()
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "points": words.points,
        "interval": words.interval,
        "p": words.p_text,
        "delay": words.delay,
        "arrow": words.arrow,
        "growth": words.growth,
        "bill": words.bill_text,
        "overlap": words.overlap_text,
        "failures": words.failures,
        "moved": words.moved_text,
        "verdict": words.verdict_text,
        "place": _place,
        "script": _script,
        "joint": lambda metric: " " if metric in SPACED else "",
        "locale": lambda code: LOCALES[code].english if code in LOCALES else "",
    }
    return environment


def _axis(found: Iterable[RateDifference]) -> float:
    """Return how far the differences' axis reaches on either side of 0: a point at least, the whole at most."""
    ends = [abs(value) for one in found for value in (one.low, one.high, one.difference) if value]
    return min(1.0, max(0.01, max(ends, default=0.0) * 1.05))


def _place(difference: float, axis: float) -> float:
    """Return where a difference lies on an axis of 0 to 100, its middle none."""
    return round(50 + 50 * max(-1.0, min(1.0, difference / axis)), 2)


def _script(code: str) -> dict[str, Any]:
    """Return the language and direction that a transcript's element needs."""
    if code not in LOCALES:
        return {"lang": "und", "dir": "auto"}
    return {"lang": LOCALES[code].iso639_1, "dir": LOCALES[code].direction}
