"""The summary in words: Markdown for a pull request, plain text or colour for a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.report.findings import percent
from harness.units import Seconds, usd_text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from harness.report.document import Cell, Summary

_MOST_CELLS = 200
"""Rows of the Markdown table: keeps `summary.md` under the 64 kB that a pull-request comment may have."""

_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+"
)
"""Control characters, line separators and bidi overrides: text from outside may not steer a terminal or a line."""

_HEADS = ("dataset", "locale", "model", "metric", "rate", "95 % interval", "scored", "to run again",
          "first text p50", "final text p50", "cost")  # fmt: skip
_NUMBERS_FROM = 4
"""Heads from here on stand over numbers."""


def printable(text: str) -> str:
    """Return `text` on one line, without anything that steers a terminal."""
    return _UNPRINTABLE.sub(" ", text)


def _seconds(value: Seconds | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def _interval(cell: Cell) -> str:
    if cell.rate_low is None or cell.rate_high is None:
        return "too few" if cell.basis else "–"
    return f"{cell.rate_low * 100:.1f}–{cell.rate_high * 100:.1f} %"


def _cells(summary: Summary) -> list[tuple[str, ...]]:
    synthetic = {dataset.name for dataset in summary.datasets if dataset.synthetic}
    return [
        (
            cell.dataset + (" (synthetic)" if cell.dataset in synthetic else ""),
            cell.locale,
            cell.model,
            cell.metric or "–",
            percent(cell.rate) + ("" if cell.complete else " (incomplete)"),
            _interval(cell),
            f"{cell.scored:,}/{cell.utterances:,}",
            f"{cell.failed:,}" if cell.failed else "",
            _seconds(cell.first_text_p50_s),
            _seconds(cell.final_text_p50_s),
            "–" if cell.cost_usd is None else usd_text(cell.cost_usd),
        )
        for cell in summary.cells
    ]


def summary_markdown(summary: Summary) -> str:
    """Return `summary.md`: labels, verdict, warnings, the table of cells, and how to do it again."""
    names = " · ".join(f"**{markdown_text(label.text)}**" for label in summary.labels)
    lines = [f"## {markdown_text(summary.run)}", ""]
    if names:
        lines += [names, ""]
    lines += [markdown_text(summary.verdict), ""]
    for warning in summary.warnings:
        lines.append(f"- {'⚠ ' if warning.level == 'serious' else ''}{markdown_text(warning.text)}")
    if summary.warnings:
        lines.append("")
    lines.append(f"| {' | '.join(_HEADS)} |")
    lines.append(
        "|"
        + "|".join("---:" if place >= _NUMBERS_FROM else "---" for place in range(len(_HEADS)))
        + "|"
    )
    cells = _cells(summary)
    lines += [f"| {' | '.join(map(markdown_text, cell))} |" for cell in cells[:_MOST_CELLS]]
    if len(cells) > _MOST_CELLS:
        lines += ["", f"… and {len(cells) - _MOST_CELLS} more cells in `summary.csv`."]
    origin = (
        f"Profile {_code(summary.profile.id)}",
        f"plan {_code(summary.plan_hash[:12])}",
        f"harness {_code(summary.harness)}",
        f"planned {_code(summary.created_at)}",
    )
    lines += ["", " · ".join(origin), "", f"Again: {_code(summary.command)}", ""]
    return "\n".join(lines)


def markdown_text(text: str) -> str:
    """Return `text` as Markdown that renders as itself: no markup, no cell border, no mention, no link, no HTML."""
    text = re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", printable(text).replace("&", "&amp;"))
    return text.replace("@", "@\u200b").replace("://", ":\u200b//")


def _code(text: str) -> str:
    """Return `text` as a code span, fenced longer than any run of backticks in it."""
    text = printable(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def summary_text(summary: Summary) -> str:
    """Return what a terminal or a log shows at the end of a run: labels, verdict, warnings, table."""
    lines = [printable(label.text) for label in summary.labels]
    lines.append(printable(summary.verdict))
    lines += [
        f"! {printable(warning.text)}" for warning in summary.warnings if warning.level == "serious"
    ]
    lines += [
        f"  {printable(warning.text)}" for warning in summary.warnings if warning.level == "note"
    ]
    table = [_HEADS, *(tuple(map(printable, cell)) for cell in _cells(summary))]
    widths = [max(len(row[place]) for row in table) for place in range(len(_HEADS))]
    lines.append("")
    for row in table:
        padded = (
            text.rjust(width) if place >= _NUMBERS_FROM else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def summary_rich(summary: Summary) -> RenderableType:
    """Return the same for a terminal that knows colour."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, head in enumerate(_HEADS):
        table.add_column(
            head,
            justify="right" if place >= _NUMBERS_FROM else "left",
            no_wrap=place < _NUMBERS_FROM,
        )
    for cell in _cells(summary):
        table.add_row(*(Text(printable(text)) for text in cell))
    return Group(
        *(Text(printable(label.text), style="bold reverse yellow") for label in summary.labels),
        Text(printable(summary.verdict), style="bold"),
        *(
            Text(("! " if warning.level == "serious" else "  ") + printable(warning.text),
                 style="yellow" if warning.level == "serious" else "dim")
            for warning in summary.warnings
        ),
        table,
    )  # fmt: skip
