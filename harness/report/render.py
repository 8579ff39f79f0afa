"""`report.html`: the page that shows a summary and its rows. It draws; it never recomputes.

One file that works from disk: style, script and data are inside, a content-security policy by hash forbids everything
else, and nothing is ever requested. All text is somebody's: Jinja2 escapes it in the page, and the script shows the
data by `textContent` alone.
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

from harness.report.findings import percent
from harness.report.rows import SPACED
from harness.text.locales import LOCALES
from harness.units import Seconds, duration_text, usd_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from harness.report.document import Cell, Summary
    from harness.report.rows import Row
    from harness.report.table import RunTable
    from harness.trace import Fragment

EXPLORED = 20_000
"""Rows that the explorer holds; of a larger run, those with the most errors. The tables hold all."""

TIMELINES = 200
"""Rows, the worst first, whose transcript fragments the page shows."""

_TEMPLATES = Path(__file__).with_name("templates")
_HEATS = 9
"""Steps of the matrix' tint."""


def page(table: RunTable, fragments: Callable[[Row], Sequence[Fragment]]) -> bytes:
    """Return `report.html`. `fragments` gives a row's transcript as it came; it is asked for the worst rows only."""
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    template = _environment().get_template("report.html.j2")
    shown = explored(table.rows)
    return template.render(
        run=table.summary,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        style_hash=_source_hash(style),
        script_hash=_source_hash(script),
        data=Markup(_data(table, shown, fragments)),  # noqa: S704 - escaped by `_inert`
        matrices=[_matrix(table.summary, dataset.name) for dataset in table.summary.datasets],
        latency_span=_latency_span(table.summary.cells),
        explored=len(shown),
    ).encode()


def explored(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the explorer: the highest rate first, then what must be run again, then what has none."""
    return sorted(rows, key=lambda row: (row.rate is None, not row.must_rerun, -(row.rate or 0.0)))[
        :EXPLORED
    ]


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
        "seconds": _seconds,
        "milliseconds": lambda value: "–" if value is None else f"{value:.1f} ms",
        "whole": lambda value: "–" if value is None else f"{value:,}",
        "usd": lambda value: "–" if value is None else usd_text(value),
        "duration": lambda value: "–" if value is None else duration_text(value),
        "moment": _moment,
        "json": lambda value: json.dumps(msgspec.to_builtins(value), ensure_ascii=False, indent=1),
        "locale": _locale_name,
    }
    return environment


def _source_hash(text: str) -> str:
    """Return the source expression of an inline element in a content-security policy (CSP Level 3, 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _seconds(value: Seconds | None) -> str:
    return "–" if value is None else f"{value:.2f} s".replace("-", "−")


def _moment(iso: str | None) -> str:
    """Return an ISO 8601 time in UTC as people read it."""
    return "–" if not iso else f"{iso[:10]} {iso[11:16]} UTC"


def _locale_name(code: str) -> str:
    return LOCALES[code].english if code in LOCALES else ""


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


def _latency_span(cells: Iterable[Cell]) -> tuple[Seconds, Seconds]:
    """Return the axis that holds every latency shown, in whole seconds, 0 among them."""
    values = [
        value
        for cell in cells
        for value in (cell.first_text_p50_s, cell.first_text_p95_s, cell.final_text_p50_s, cell.final_text_p95_s)
        if value is not None
    ]  # fmt: skip
    return min([0.0, *(value // 1 for value in values)]), max(
        [1.0, *(-(-value // 1) for value in values)]
    )


# ── The explorer's data ──────────────────────────────────────────────────────────────────────────────────────────────

_CODED = ("dataset", "locale", "model", "outcome", "metric", "speech_bounds_source")
"""Columns of few different values: stored once, and pointed at."""

_PLAIN = (
    "utterance_id", "repeat", "reference", "hypothesis", "errors", "substitutions", "deletions", "insertions",
    "reference_tokens", "rate", "audio_s", "first_text_s", "final_text_s", "send_lag_p99_ms", "late", "attempts",
    "total_tokens", "cost_usd", "reason",
)  # fmt: skip


def _data(
    table: RunTable, rows: Sequence[Row], fragments: Callable[[Row], Sequence[Fragment]]
) -> str:
    """Return the explorer's rows, column by column, as JSON that no HTML parser takes for anything else."""
    columns: dict[str, Any] = {name: [getattr(row, name) for row in rows] for name in _PLAIN}
    words: dict[str, list[Any]] = {}
    for name in _CODED:
        values = list(dict.fromkeys(getattr(row, name) for row in rows))
        place = {value: number for number, value in enumerate(values)}
        words[name] = values
        columns[name] = [place[getattr(row, name)] for row in rows]
    columns["faults"] = [[fault.replace("_", " ") for fault in row.faults] for row in rows]
    columns["diff"] = [_compact(row) for row in rows]
    columns["fragments"] = [
        [[round(piece.t, 3), piece.text, int(piece.interim)] for piece in fragments(row)]
        for row in rows[:TIMELINES]
    ]
    scripts = {
        code: {
            "lang": LOCALES[code].iso639_1 if code in LOCALES else code,
            "rtl": code in LOCALES and LOCALES[code].direction == "rtl",
        }
        for code in words["locale"]
    }
    return _inert(
        {
            "total": len(table.rows),
            "count": len(rows),
            "repeats": table.summary.repeats,
            "spaced": sorted(SPACED),
            "words": words,
            "columns": columns,
            "locales": scripts,
        }
    )


def _compact(row: Row) -> list[list[str]]:
    """Return the diff without what the page can see: equal text once, and no missing sides."""
    return [
        [op, said or "", heard or ""]
        if op == "S"
        else [op, said if said is not None else heard or ""]
        for op, said, heard in row.diff
    ]


_INERT = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def _inert(value: object) -> str:
    """Return `value` as JSON in which no character can end a script element, open a comment or begin an entity."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(
        _INERT
    )
