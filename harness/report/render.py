"""`report.html`: the page that shows a summary and its rows. It draws; it never recomputes.

One file that works from disk: style, script, data and some audio are inside, a content-security policy by hash forbids
everything else, and nothing is requested, but a clip that lies beside the page when somebody plays it. All text is
somebody's: Jinja2 escapes it in the page, and the script shows the data by `textContent` alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import msgspec
from markupsafe import Markup

from harness.report.digest import cell_tables
from harness.report.divisions import divisions
from harness.report.explorer import MOST_ROWS, explorer, fault_name
from harness.report.figures import figures
from harness.report.findings import percent
from harness.report.rows import SPACED
from harness.text.locales import LOCALES
from harness.units import Seconds, duration_text, usd_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.clips import Embed
    from harness.report.document import Cell, Summary
    from harness.report.exhibits import Exhibits
    from harness.report.rows import Row
    from harness.report.table import RunTable

_TEMPLATES = Path(__file__).with_name("templates")
_SCRIPTS = ("report.js", "explorer.js", "utterance.js")
_MOST_ANSWERS = 500
"""Rows of the table of answers."""

_HEATS = 9
"""Steps of the matrix' tint."""


def page(table: RunTable, exhibits: Exhibits, embed: Embed) -> bytes:
    """Return `report.html`; `exhibits` is asked for traces and clips of the worst rows only."""
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    script = "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    shown = explorer(table.rows, exhibits, embed)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            run=table.summary,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own files
            policy=_policy(style, script, embedded=bool(shown.audio), linked=bool(shown.linked)),
            explorer=shown,
            replies=cell_tables(table.summary) if table.summary.task != "transcribe" else [],
            answers=_answers(table.rows),
            expected=sum(row.expectation is not None for row in table.rows),
            figures=figures(table.summary),
            found=divisions(table.summary),
            cells=_ordered(table.summary),
            mistakes=_mistakes(table.summary),
            matrices=[_matrix(table.summary, dataset.name) for dataset in table.summary.datasets],
            first_axis=_latency_axis(
                time
                for cell in table.summary.cells
                for time in (cell.first_text_p50_s, cell.first_text_p95_s)
            ),
            final_axis=_latency_axis(
                time
                for cell in table.summary.cells
                for time in (cell.final_text_p50_s, cell.final_text_p95_s)
            ),
            over=max(0, len(table.rows) - MOST_ROWS),
        )
        .encode(errors="replace")
    )


def _answers(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of which an answer is expected, those that did not pass first; at most `_MOST_ANSWERS`."""
    asked = [row for row in rows if row.expectation is not None]
    return sorted(asked, key=lambda row: row.passed is True)[:_MOST_ANSWERS]


def _policy(style: str, script: str, *, embedded: bool, linked: bool) -> str:
    """Return the content-security policy: nothing but what is in the page, by hash, and audio where there is some."""
    media = [source for source, there in (("data:", embedded), ("'self'", linked)) if there]
    rules = {
        "default-src": "'none'",
        "style-src": f"'{_source_hash(style)}'",
        "script-src": f"'{_source_hash(script)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    if media:
        rules["media-src"] = " ".join(media)
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "percent": percent,
        "seconds": _seconds,
        "tail": _tail,
        "milliseconds": lambda value: "–" if value is None else f"{value:.1f} ms",
        "whole": lambda value: "–" if value is None else f"{value:,}",
        "usd": lambda value: "–" if value is None else usd_text(value),
        "duration": lambda value: "–" if value is None else duration_text(value),
        "moment": _moment,
        "json": lambda value: json.dumps(msgspec.to_builtins(value), ensure_ascii=False, indent=1),
        "locale": _locale_name,
        "fault": fault_name,
    }
    environment.filters |= filters
    return environment


def _source_hash(text: str) -> str:
    """Return the source expression of an inline element in a content-security policy (CSP Level 3, 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _seconds(value: Seconds | None) -> str:
    return "–" if value is None else f"{value:.2f} s".replace("-", "−")


def _tail(value: Seconds | None, median: Seconds | None) -> str:
    """Return a high percentile as people read it; where there is only a median, that there are too few values."""
    return "too few" if value is None and median is not None else _seconds(value)


def _moment(iso: str | None) -> str:
    """Return an ISO 8601 time in UTC as people read it."""
    return "–" if not iso else f"{iso[:10]} {iso[11:16]} UTC"


def _locale_name(code: str) -> str:
    return LOCALES[code].english if code in LOCALES else ""


def _ordered(summary: Summary) -> list[Cell]:
    """Return the cells as all tables of the page have them: datasets as they were given, locales by name."""
    order = {facts.name: place for place, facts in enumerate(summary.datasets)}
    return sorted(
        summary.cells, key=lambda cell: (order.get(cell.dataset, 0), cell.locale, cell.model)
    )


# ── The matrix ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _matrix(summary: Summary, dataset: str) -> dict[str, Any]:
    """Return one dataset's locales × models, with all that a cell draws."""
    cells = {(cell.locale, cell.model): cell for cell in summary.cells if cell.dataset == dataset}
    own = list(cells.values())
    top = _axis(max((cell.rate_high or cell.rate or 0.0 for cell in own), default=0.0))
    locales = sorted({locale for locale, _ in cells})
    return {
        "dataset": next(facts for facts in summary.datasets if facts.name == dataset),
        "axis": top,
        "rows": [
            {
                "locale": locale,
                "spots": [spot for spot in summary.deaf_spots if spot.locale == locale],
                "cells": [
                    _matrix_cell(cells[locale, model], top) if (locale, model) in cells else None
                    for model in summary.models
                ],
            }
            for locale in locales
        ],
    }


def _matrix_cell(cell: Cell, top: float) -> dict[str, Any]:
    rate = cell.rate
    return {
        "cell": cell,
        "heat": 0 if rate is None else min(_HEATS - 1, int(rate * _HEATS)),
        "bar": None if rate is None else _x(rate, top),
        "low": None if cell.rate_low is None else _x(cell.rate_low, top),
        "high": None if cell.rate_high is None else _x(cell.rate_high, top),
        "beyond": rate is not None and rate > top,
        "unit": "words" if cell.metric in SPACED else "characters",
    }


def _axis(most: float) -> float:
    """Return where the bars' axis ends: the next tenth above the largest rate, at most 1."""
    return min(1.0, max(0.1, -(-most * 10 // 1) / 10))


def _x(rate: float, top: float) -> float:
    """Return a place on an axis of 0 to 100."""
    return round(min(rate / top, 1.0) * 100, 2)


def _latency_axis(values: Iterable[Seconds | None]) -> tuple[Seconds, Seconds]:
    """Return the axis that holds every latency given, in whole seconds, 0 among them."""
    known = [value for value in values if value is not None]
    return min([0.0, *(value // 1 for value in known)]), max(
        [1.0, *(-(-value // 1) for value in known)]
    )


# ── Mistakes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mistakes(summary: Summary) -> list[dict[str, Any]]:
    """Return the commonest mistakes cell by cell, those of each operation in a list."""
    return [
        {
            "dataset": cell.dataset,
            "locale": cell.locale,
            "model": cell.model,
            "rtl": cell.locale in LOCALES and LOCALES[cell.locale].direction == "rtl",
            "lang": LOCALES[cell.locale].iso639_1 if cell.locale in LOCALES else cell.locale,
            "lists": [[one for one in cell.commonest if one.op == op] for op in "SDI"],
        }
        for cell in sorted(summary.mistakes, key=lambda cell: (cell.dataset, cell.locale))
    ]
