"""`report.html`: the page that shows a summary and its rows. It draws; it never recomputes.

One file that works from disk: style, script, data and some audio are inside, a content-security policy by hash forbids
everything else, and nothing is requested, but a clip that lies beside the page when somebody plays it. All text is
somebody's: Jinja2 escapes it in the page, and the script shows the data by `textContent` alone.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from markupsafe import Markup

from harness.report.page.divisions import divisions
from harness.report.page.explorer import MOST_ROWS, explorer, fault_name
from harness.report.page.figures import figures
from harness.report.page.shared import environment, policy, script, source, source_hash
from harness.report.rows.diff import SPACED
from harness.report.summary.delays import AWAITED
from harness.report.words.digest import cell_tables
from harness.report.words.verdict import left_text
from harness.units import Seconds, duration_text, usd_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import jinja2

    from harness.report.page.clips import Embed, KeptClips
    from harness.report.page.explorer import Explorer
    from harness.report.rows.exhibits import Exhibits
    from harness.report.rows.row import Row
    from harness.report.summary.document import Cell, Summary
    from harness.report.tables.table import RunTable

_SCRIPTS = ("report.js", "explorer.js", "spectrogram.js", "utterance.js")
_MOST_ANSWERS = 500
"""Rows of the table of answers."""

_HEATS = 9
"""Steps of the matrix' tint."""

_SERVICES = {"gemini": "Gemini Developer API", "vertex": "Vertex AI"}
"""What services are called that do not go by their option's value."""


def page(table: RunTable, exhibits: Exhibits, sound: Embed | KeptClips) -> bytes:
    """Return `report.html`; `exhibits` is asked for traces and clips of the worst rows only."""
    style, scripts = source("report.css"), source(*_SCRIPTS)
    run = table.summary
    shown = explorer(table.rows, exhibits, sound, task=run.task)
    awaited = AWAITED[run.task]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(scripts),  # noqa: S704 - our own files
            policy=policy(style, script_src=source_hash(scripts), media_src=_media(shown)),
            service=_SERVICES.get(run.service, run.service),
            by_dataset=len(run.datasets) > 1,
            by_model=len(run.models) > 1,
            explorer=shown,
            replies=cell_tables(run, narrow=False) if run.task != "transcribe" else [],
            answers=_answers(table.rows),
            expected=sum(row.expectation is not None for row in table.rows),
            figures=figures(run),
            found=divisions(run),
            mistakes=_mistakes(run),
            matrices=[_matrix(run, dataset.name) for dataset in run.datasets],
            awaited=awaited,
            axes={
                one.name: _latency_axis(
                    getattr(cell, f"{one.name}_{at}_s")
                    for cell in run.cells
                    for at in ("p50", "p95")
                )
                for one in awaited
            },
            over=max(0, len(table.rows) - MOST_ROWS),
        )
        .encode(errors="replace")
    )


def _media(shown: Explorer) -> str:
    """Return where the page may take audio from: from within, and from files where it points to some."""
    sources = (("data:", bool(shown.audio)), ("'self'", bool(shown.linked)))
    return " ".join(one for one, there in sources if there)


def _answers(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of which an answer is expected, those that did not pass first; at most `_MOST_ANSWERS`."""
    asked = [row for row in rows if row.expectation is not None]
    return sorted(asked, key=lambda row: row.passed is True)[:_MOST_ANSWERS]


@cache
def _environment() -> jinja2.Environment:
    """Return what renders the report's template; compiling it takes longer than rendering most runs, so it is done once."""
    return environment(
        {
            "seconds": _seconds,
            "tail": _tail,
            "milliseconds": lambda value: "–" if value is None else f"{value:.1f} ms",
            "left": lambda one: left_text(one.failed, one.refused),
            "whole": lambda value: "–" if value is None else f"{value:,}",
            "usd": lambda value: "–" if value is None else usd_text(value),
            "duration": lambda value: "–" if value is None else duration_text(value),
            "moment": _moment,
            "json": lambda value: json.dumps(
                msgspec.to_builtins(value), ensure_ascii=False, indent=1
            ),
            "fault": fault_name,
        }
    )


def _seconds(value: Seconds | None) -> str:
    return "–" if value is None else f"{value:.2f} s".replace("-", "−")


def _tail(value: Seconds | None, median: Seconds | None) -> str:
    """Return a high percentile as people read it; where there is only a median, that there are too few values."""
    return "too few" if value is None and median is not None else _seconds(value)


def _moment(iso: str | None) -> str:
    """Return an ISO 8601 time in UTC as people read it."""
    return "–" if not iso else f"{iso[:10]} {iso[11:16]} UTC"


# ── The matrix ───────────────────────────────────────────────────────────────────────────────────────────────────────


_LONG: Final = 16
"""Locales of one model beyond which a table beside another leaves an empty half of a page: about a screen of them."""


def _matrix(summary: Summary, dataset: str) -> dict[str, Any]:
    """Return one dataset's locales × models, with all that a cell draws."""
    cells = {(cell.locale, cell.model): cell for cell in summary.cells if cell.dataset == dataset}
    own = list(cells.values())
    top = _axis(max((cell.rate_high or cell.rate or 0.0 for cell in own), default=0.0))
    locales = dict.fromkeys(locale for locale, _ in cells)
    return {
        "dataset": next(facts for facts in summary.datasets if facts.name == dataset),
        "axis": top,
        "long": len(summary.datasets) > 1 == len(summary.models) and len(locales) > _LONG,
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
            "rtl": script(cell.locale)["dir"] == "rtl",
            "lang": script(cell.locale)["lang"],
            "lists": [[one for one in cell.commonest if one.op == op] for op in "SDI"],
        }
        for cell in summary.mistakes
    ]
