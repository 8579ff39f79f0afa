"""A comparison in words: aligned text for a terminal, Markdown for a pull request."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from harness.report.comparison.contrast import PASSED
from harness.report.comparison.words import (
    bill_text,
    delay,
    failures,
    forced_lines,
    growth,
    headline,
    interval,
    labels,
    moved_text,
    overlap_text,
    p_text,
    points,
    shift,
    subject,
    tail_delay,
    verdict_text,
)
from harness.report.words.digest import markdown_text, printable
from harness.units import percent_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.comparison.contrast import CellDifference, Comparison, Contrast, Moved

_MOST_BYTES: Final = 60_000
"""Size of the Markdown: a pull-request comment may have 64 kB."""

_MOVED_IN_TEXT: Final = 5
_MOVED_IN_MARKDOWN: Final = 10
_LONGEST: Final = 300
"""Characters of a transcript that text and Markdown show; JSON and the page have all."""

_MOST_CHANGES: Final = 30

_LEAST_WIDTH: Final = 20
"""Columns that are filled at least, however narrow a terminal is."""

HEADS: Final = (
    "locale",
    "metric",
    "base",
    "new",
    "change",
    "95 % interval",
    "p (Holm)",
    "verdict",
    "pairs",
    "failed",
)
"""Of the rates."""

BESIDES: Final = ("Δ p95", "median shift", "Δ tokens", "Δ cost")
"""Of the changes of latency, tokens and cost, after the locale and the median of what was waited for."""

_WORDS: Final = frozenset({"locale", "metric", "verdict"})
"""Columns of words; all others are aligned as numbers."""

Grid = list[tuple[str, ...]]
"""A table, its heads first."""


def _groups(contrast: Contrast) -> dict[str, list[CellDifference]]:
    """Return the rows by dataset and pair of models, under their names."""
    found: dict[str, list[CellDifference]] = {}
    for cell in contrast.cells:
        models = dict.fromkeys((cell.base_model, cell.new_model))
        found.setdefault(f"{' → '.join(models)} on {cell.dataset}", []).append(cell)
    return found


def _rates(cells: Sequence[CellDifference], margin: float | None) -> Grid:
    """Return the rates of some rows; a column that says nothing is left out."""
    table = [
        HEADS,
        *(
            (
                cell.locale,
                cell.metric or "–",
                percent_text(cell.base_rate),
                percent_text(cell.new_rate),
                points(cell.difference),
                interval(cell),
                p_text(cell.p_adjusted),
                verdict_text(cell, margin),
                f"{cell.pairs:,}/{cell.utterances:,}",
                failures(cell),
            )
            for cell in cells
        ),
    ]
    dull = set()
    if all(cell.pairs == cell.utterances for cell in cells):
        dull.add(HEADS.index("pairs"))
    if not any(cell.base_failed or cell.new_failed for cell in cells):
        dull.add(HEADS.index("failed"))
    return [tuple(text for place, text in enumerate(row) if place not in dull) for row in table]


def _besides(cells: Sequence[CellDifference]) -> Grid:
    """Return how latency, tokens and cost of some rows changed; nothing where none is known."""
    rows: Grid = []
    for cell in cells:
        late, bill = cell.delay, cell.bill
        rows.append(
            (
                cell.locale,
                delay(late.p50_difference_s if late else None),
                tail_delay(late) if late else "–",
                shift(late) if late else "–",
                growth(bill.base_tokens, bill.new_tokens),
                growth(bill.base_cost_usd, bill.new_cost_usd),
            )
        )
    if all(set(row[1:]) == {"–"} for row in rows):
        return []
    waited_for = next((cell.delay.of for cell in cells if cell.delay), "final text")
    return [("locale", f"Δ {waited_for} p50", *BESIDES), *rows]


# ── Text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def comparison_text(document: Comparison, width: int | None = None) -> str:
    """Return what a terminal of `width` columns shows; None: a log, where a sentence is a line."""
    lines = _hung(forced_lines(document), width)
    for contrast in document.contrasts:
        if lines:
            lines.append("")
        lines += _contrast_text(document, contrast, width)
    return "\n".join(map(printable, lines))


def _contrast_text(document: Comparison, contrast: Contrast, width: int | None) -> list[str]:
    said = [
        f"{subject(contrast)}: {document.base.run} (base) → {contrast.new.run}",
        *(f"{text} {where}" for _, text, where in labels(document, [contrast])),
        *headline(document, contrast),
        overlap_text(contrast),
        *([bill] if (bill := bill_text(contrast)) else []),
        *(f"! {note}" for note in contrast.notes),
        *(f"gate: {rule.line}" for rule in (contrast.gate.rules if contrast.gate else ())),
    ]
    lines = _hung(said, width)
    groups = _groups(contrast)
    for title, cells in groups.items():
        lines += [
            "",
            *(_hung([title], width) if len(groups) > 1 else []),
            *_aligned(_rates(cells, document.margin)),
        ]
        if besides := _besides(cells):
            lines += ["", *_aligned(besides)]
    lines += ["", f"changed in the configuration: {'' if contrast.changes else 'nothing'}".rstrip()]
    changes = (
        f"  {change.field}: {_cut(change.base)} → {_cut(change.new)}"
        for change in contrast.changes[:_MOST_CHANGES]
    )
    lines += _hung(changes, width, "    ")
    if contrast.moved:
        of = "verdicts" if contrast.moved[0].metric == PASSED else "errors of tokens"
        lines.append(f"moved most ({of}):")
    for moved in contrast.moved[:_MOVED_IN_TEXT]:
        lines += _hung([f"  {moved_text(moved)}"], width, "    ")
        lines += [
            *_folded(f"    {_said(moved):<5} ", _cut(moved.reference), width),
            *_folded("    base  ", _cut(moved.base_hypothesis), width),
            *_folded("    new   ", _cut(moved.new_hypothesis), width),
        ]
    return lines


def _hung(sentences: Iterable[str], width: int | None, below: str = "  ") -> list[str]:
    """Return sentences as lines: what does not fit into `width` columns goes on behind `below`. A path stays whole."""
    if width is None:
        return list(sentences)
    wrapper = textwrap.TextWrapper(
        max(width, _LEAST_WIDTH),
        subsequent_indent=below,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line for one in sentences for line in wrapper.wrap(printable(one))]


def _folded(label: str, transcript: str, width: int | None) -> list[str]:
    """Return a transcript as lines below each other, the first behind `label`, by how wide its script is in a terminal."""
    if width is None:
        return [label + transcript]
    from rich.console import Console
    from rich.text import Text

    room = max(width - len(label), _LEAST_WIDTH)
    lines = Text(printable(transcript)).wrap(Console(width=room), room)
    margins = [label, *[" " * len(label)] * (len(lines) - 1)]
    return [margin + line.plain.rstrip() for margin, line in zip(margins, lines, strict=True)] or [
        label.rstrip()
    ]


def _aligned(table: Grid) -> list[str]:
    """Return a table as lines of text."""
    rows = [tuple(map(printable, row)) for row in table]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if head in _WORDS else text.rjust(width)
            for head, text, width in zip(table[0], row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _said(moved: Moved) -> str:
    """Return what an utterance's own words are called."""
    return "asked" if moved.metric == PASSED else "said"


def _cut(text: str | None) -> str:
    if text is None:
        return "–"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def comparison_markdown(document: Comparison) -> str:
    """Return a file fit for a pull-request comment."""
    lines = [f"> ⚠ **{markdown_text(line)}**" for line in forced_lines(document)]
    for contrast in document.contrasts:
        lines += [*([""] if lines else []), *_contrast_markdown(document, contrast)]
    lines += [
        "",
        "Difference: new less base, in points (of error rates less is better, of the share passed more); paired over common utterances, intervals over speakers.",
        "p: block permutation, Holm over the rows.",
        f"Profile `{document.profile}`, harness `{document.harness}`.",
        "",
    ]
    return _fitting(lines)


def _fitting(lines: Sequence[str]) -> str:
    """Return the lines, cut where a comment would be full, and saying so."""
    left = _MOST_BYTES
    for place, line in enumerate(lines):
        left -= len(line.encode()) + 1
        if left < 0:
            open_details = sum(line.startswith("<details>") for line in lines[:place]) > sum(
                line == "</details>" for line in lines[:place]
            )
            told = "… cut to fit a comment: `harness compare --html` writes all."
            return "\n".join(
                [*lines[:place], "", *(["</details>", ""] if open_details else []), told, ""]
            )
    return "\n".join(lines)


def _contrast_markdown(document: Comparison, contrast: Contrast) -> list[str]:
    runs = f"{markdown_text(document.base.run)} (base) → {markdown_text(contrast.new.run)}"
    lines = [f"## {markdown_text(subject(contrast))}", "", runs, ""]
    lines += [
        f"- **{markdown_text(text)}** {markdown_text(where)}"
        for _, text, where in labels(document, [contrast])
    ]
    lines += [f"- {markdown_text(sentence)}" for sentence in headline(document, contrast)]
    lines += [f"- {markdown_text(overlap_text(contrast))}"]
    if bill := bill_text(contrast):
        lines += [f"- {markdown_text(bill)}"]
    lines += [f"- ⚠ {markdown_text(note)}" for note in contrast.notes]
    if contrast.gate:
        lines.append("")
        lines += [
            f"- {'✅' if rule.passed else '❌'} {markdown_text(rule.line)}"
            for rule in contrast.gate.rules
        ]
    groups = _groups(contrast)
    for title, cells in groups.items():
        lines += ["", *([f"{markdown_text(title)}:", ""] if len(groups) > 1 else [])]
        lines += _markdown_table(_rates(cells, document.margin))
    besides = {title: table for title, cells in groups.items() if (table := _besides(cells))}
    if besides:
        lines += ["", "<details><summary>Changes of latency, tokens and cost</summary>"]
        for title, table in besides.items():
            lines += ["", f"{markdown_text(title)}:", "", *_markdown_table(table)]
        lines += ["", "</details>"]
    if contrast.changes:
        lines += ["", "| changed | base | new |", "|---|---|---|"]
        lines += [
            _row(markdown_text(_cut(text)) for text in (change.field, change.base, change.new))
            for change in contrast.changes[:_MOST_CHANGES]
        ]
    if contrast.moved:
        lines += ["", "<details><summary>Utterances that moved most</summary>", ""]
        for moved in contrast.moved[:_MOVED_IN_MARKDOWN]:
            lines += [
                f"- {markdown_text(moved_text(moved))}",
                f"  - {_said(moved)}: {markdown_text(_cut(moved.reference))}",
                f"  - base: {markdown_text(_cut(moved.base_hypothesis))}",
                f"  - new: {markdown_text(_cut(moved.new_hypothesis))}",
            ]
        lines += ["", "</details>"]
    return lines


def _markdown_table(table: Grid) -> list[str]:
    heads, *rows = table
    return [
        _row(heads),
        _row("---" if head in _WORDS else "---:" for head in heads),
        *(_row(map(markdown_text, row)) for row in rows),
    ]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
