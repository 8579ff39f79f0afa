"""The summary in words: Markdown for a pull request, plain text or colour for a terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.summary.document import NOT_ATTEMPTED
from harness.report.words.warnings import ended_text
from harness.units import Seconds, percent_text, usd_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from harness.report.summary.document import Caution, Cell, Summary

_MOST_CELLS = 200
"""Rows of the Markdown table: keeps `summary.md` under the 64 kB that a pull-request comment may have."""

_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+"
)
"""Control characters, line separators and bidi overrides: text from outside may not steer a terminal or a line."""

_NARROW = 80
"""Columns of the narrowest terminal that is served well."""

_MOST_REASONS = 3
"""Of every way to fail."""


def printable(text: str) -> str:
    """Return `text` on one line, without anything that steers a terminal."""
    return _UNPRINTABLE.sub(" ", text)


def _seconds(value: Seconds | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def _interval(cell: Cell) -> str:
    if cell.rate_low is None or cell.rate_high is None:
        return "too few" if cell.basis else "–"
    return f"{cell.rate_low * 100:.1f}–{cell.rate_high * 100:.1f} %"


@dataclass(frozen=True, slots=True)
class _Figure:
    """A column of figures, a text for each cell."""

    head: str
    text: Callable[[Cell], str]
    short: str | None = None
    """How a terminal of 80 columns heads it; None: the same."""


_AGAIN = _Figure(
    "to run again",
    lambda cell: f"{cell.failed - cell.refused:,}" if cell.failed > cell.refused else "",
    "again",
)
"""Left out where it is empty."""

_REFUSED = _Figure("refused", lambda cell: f"{cell.refused:,}" if cell.refused else "")
"""Left out where it is empty."""

_BY_EAR = _Figure(
    "rate by ear", lambda cell: "" if cell.ear is None else percent_text(cell.ear_rate), "by ear"
)
"""Left out where no ear was asked."""

_FALLS_SILENT = _Figure(
    "falls silent p50", lambda cell: _seconds(cell.fell_silent_p50_s), "silent p50"
)
"""Left out where no answer was interrupted."""

_LEAN = (_AGAIN, _REFUSED, _BY_EAR, _FALLS_SILENT)

_SCORED = _Figure("scored", lambda cell: f"{cell.scored:,}/{cell.utterances:,}")
_COST = _Figure("cost", lambda cell: "–" if cell.cost_usd is None else usd_text(cell.cost_usd))
_RATE = (
    _Figure("metric", lambda cell: cell.metric or "–"),
    _Figure("rate", lambda cell: percent_text(cell.rate)),
    _Figure("95 % interval", _interval, "95 %"),
    _SCORED,
    _AGAIN,
    _REFUSED,
)
_FIGURES: dict[str, tuple[_Figure, ...]] = {
    "transcribe": (
        *_RATE,
        _Figure("first text p50", lambda cell: _seconds(cell.first_text_p50_s), "first p50"),
        _Figure("final text p50", lambda cell: _seconds(cell.final_text_p50_s), "final p50"),
        _COST,
    ),
    "speak": (
        *_RATE,
        _BY_EAR,
        _Figure("first audio p50", lambda cell: _seconds(cell.first_audio_p50_s), "audio p50"),
        _Figure("characters/s", lambda cell: _number(cell.speech_chars_per_s), "chars/s"),
        _COST,
    ),
    "ask": (
        _Figure("passed", lambda cell: "–" if cell.passed is None else f"{cell.passed:,}"),
        _Figure("pass rate", lambda cell: percent_text(cell.pass_rate)),
        _SCORED,
        _AGAIN,
        _REFUSED,
        _Figure("first reply p50", lambda cell: _seconds(cell.first_reply_p50_s), "reply p50"),
        _Figure("call p50", lambda cell: _seconds(cell.tool_call_p50_s)),
        _FALLS_SILENT,
        _COST,
    ),
}
"""Task → its figures; the first is left-aligned, the second is the headline."""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _lean(
    rows: list[tuple[str, ...]], figures: tuple[_Figure, ...], before: int
) -> list[tuple[str, ...]]:
    """Return a table, its heads first, without the columns that may be left out and are empty.

    `before` is how many columns stand before the figures.
    """
    empty = {
        before + place
        for place, figure in enumerate(figures)
        if figure in _LEAN and all(row[before + place] in ("", "–") for row in rows[1:])
    }
    return [tuple(text for place, text in enumerate(row) if place not in empty) for row in rows]


def _reasons(summary: Summary) -> list[str]:
    """Return why sessions failed, a line for each way and its commonest reasons."""
    lines = []
    for trouble in summary.troubles:
        if trouble.outcome == NOT_ATTEMPTED:
            continue  # the warnings have said so
        how = ended_text(trouble.outcome, trouble.failure)
        shown = list(trouble.reasons.items())[:_MOST_REASONS]
        lines += [f"{count:,} {how}: {reason}" for reason, count in shown]
        left = trouble.rows - sum(count for _, count in shown)
        if shown and left:
            lines.append(f"{left:,} more {how}: utterances.csv says why")
    return lines


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def summary_markdown(summary: Summary) -> str:
    """Return `summary.md`: labels, verdict, warnings, the table of cells, and how to do it again."""
    names = " · ".join(f"**{markdown_text(label.text)}**" for label in summary.labels)
    models, datasets = (
        ", ".join(map(markdown_text, names))
        for names in (summary.models, [dataset.name for dataset in summary.datasets])
    )
    lines = [f"## {markdown_text(summary.run)}", ""]
    if names:
        lines += [names, ""]
    lines += [f"{models} on {datasets}. {markdown_text(summary.verdict)}", ""]
    for warning in summary.warnings:
        lines.append(f"- {'⚠ ' if warning.level == 'serious' else ''}{markdown_text(warning.text)}")
    lines += [f"- {markdown_text(reason)}" for reason in _reasons(summary)]
    if lines[-1]:
        lines.append("")
    lines += _markdown_table(summary)
    if len(summary.cells) > _MOST_CELLS:
        lines += ["", f"… and {len(summary.cells) - _MOST_CELLS} more cells in `summary.csv`."]
    origin = (
        f"Profile {_code(summary.profile.id)}",
        f"plan {_code(summary.plan_hash[:12])}",
        f"harness {_code(summary.harness)}",
        f"planned {_code(summary.created_at)}",
    )
    lines += ["", " · ".join(origin), "", f"Again: {_code(summary.command)}", ""]
    return "\n".join(lines)


def _markdown_table(summary: Summary) -> list[str]:
    """Return the cells as a table, without what is the same in all of them and stands above it."""
    synthetic = {dataset.name for dataset in summary.datasets if dataset.synthetic}
    by_dataset = len(summary.datasets) > 1 or bool(synthetic)
    by_model = len(summary.models) > 1
    names = (*(["dataset"] if by_dataset else []), "locale", *(["model"] if by_model else []))
    figures = _FIGURES[summary.task]
    rows = [(*names, *(figure.head for figure in figures))]
    for cell in summary.cells[:_MOST_CELLS]:
        dataset = cell.dataset + (" (synthetic)" if cell.dataset in synthetic else "")
        shown = [
            *([dataset] if by_dataset else []),
            cell.locale,
            *([cell.model] if by_model else []),
        ]
        metric, rate, *others = (figure.text(cell) for figure in figures)
        rate += "" if cell.complete else " (incomplete)"
        rows.append((*shown, metric, rate, *others))
    heads, *cells = _lean(rows, figures, len(names))
    aligned = ["---"] * (len(names) + 1) + ["---:"] * (len(heads) - len(names) - 1)
    return [
        f"| {' | '.join(heads)} |",
        f"|{'|'.join(aligned)}|",
        *(f"| {' | '.join(map(markdown_text, cell))} |" for cell in cells),
    ]


def markdown_text(text: str) -> str:
    """Return `text` as Markdown that renders as itself: no markup, no cell border, no mention, no link, no HTML."""
    text = re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", printable(text).replace("&", "&amp;"))
    return text.replace("@", "@\u200b").replace("://", ":\u200b//")


def _code(text: str) -> str:
    """Return `text` as a code span, fenced longer than any run of backticks in it."""
    text = printable(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


# ── A terminal ───────────────────────────────────────────────────────────────────────────────────────────────────────


def cell_tables(
    summary: Summary, *, narrow: bool = True
) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Return a title and a table, its heads first, for every dataset and model: `narrow` enough for 80 columns."""
    synthetic = {dataset.name for dataset in summary.datasets if dataset.synthetic}
    figures = _FIGURES[summary.task]
    heads = [(figure.short if narrow else None) or figure.head for figure in figures]
    groups: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for cell in summary.cells:
        table = groups.setdefault((cell.dataset, cell.model), [("locale", *heads)])
        texts = (cell.locale, *(figure.text(cell) for figure in figures))
        table.append(tuple(map(printable, texts)))
    return [
        (
            printable(f"{model} on {dataset}")
            + (" (synthetic speech)" if dataset in synthetic else ""),
            _lean(table, figures, 1),
        )
        for (dataset, model), table in groups.items()
    ]


def summary_text(summary: Summary) -> str:
    """Return what a log shows at the end of a run: labels, verdict, warnings, why sessions failed, tables."""
    lines = [printable(label.text) for label in summary.labels]
    lines.append(printable(summary.verdict))
    lines += [_caution(warning) for warning in summary.warnings]
    lines += [f"  {printable(reason)}" for reason in _reasons(summary)]
    for title, table in cell_tables(summary):
        lines += ["", title]
        widths = [max(len(row[place]) for row in table) for place in range(len(table[0]))]
        for row in table:
            padded = (
                text.rjust(width) if place > 1 else text.ljust(width)
                for place, (text, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _caution(warning: Caution) -> str:
    return f"{_mark(warning)} {printable(warning.text)}"


def _mark(warning: Caution) -> str:
    return "!" if warning.level == "serious" else " "


def summary_rich(summary: Summary) -> RenderableType:
    """Return the same for a terminal that knows colour."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown: list[RenderableType] = [
        *(Text(printable(label.text), style="bold reverse yellow") for label in summary.labels),
        Text(printable(summary.verdict), style="bold"),
    ]
    hung = Table.grid(padding=(0, 1, 0, 0))  # what does not fit on a line goes on below its text
    hung.add_column(width=1)
    hung.add_column(overflow="fold")
    for warning in summary.warnings:
        style = "yellow" if warning.level == "serious" else "dim"
        hung.add_row(_mark(warning), Text(printable(warning.text)), style=style)
    for reason in _reasons(summary):
        hung.add_row("", Text(printable(reason)))
    shown.append(hung)
    for title, (names, *cells) in cell_tables(summary):
        heads: Sequence[str] = names
        gap = 2
        if _width(heads, cells, gap) > _NARROW:  # rich would cut figures off
            heads = [name.replace(" p50", "\np50") for name in names]
            gap = 2 if _width(heads, cells, 2) <= _NARROW else 1
        table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim")
        for place, head in enumerate(heads):
            table.add_column(head, justify="right" if place > 1 else "left", no_wrap=True)
        for cell in cells:
            table.add_row(*map(Text, cell))
        shown += [Text(), Text(title, style="bold"), table]
    return Group(*shown)


def _width(heads: Sequence[str], cells: Sequence[Sequence[str]], gap: int) -> int:
    """Return how wide a table is whose columns stand `gap` apart; a head may have several lines."""
    columns = zip(*(map(str.splitlines, row) for row in (heads, *cells)), strict=True)
    widths = [max(len(line) for lines in column for line in lines or [""]) for column in columns]
    return sum(widths) + gap * (len(widths) - 1)
