"""A comparison in words: aligned text for a terminal, Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.report.contrast import PASSED
from harness.report.digest import markdown_text, printable
from harness.report.findings import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.contrast import (
        CellDifference,
        Comparison,
        Contrast,
        Delay,
        MacroDifference,
        Moved,
        RateDifference,
    )
    from harness.units import Seconds

_MOST_BYTES: Final = 60_000
"""Size of the Markdown: a pull-request comment may have 64 kB."""

_MOVED_IN_TEXT: Final = 5
_MOVED_IN_MARKDOWN: Final = 10
_LONGEST: Final = 300
"""Characters of a transcript that text and Markdown show; JSON and the page have all."""

_MOST_CHANGES: Final = 30

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

BESIDES: Final = ("p95", "median shift", "tokens", "cost")
"""Of the changes of latency, tokens and cost, after the locale and the median of what was waited for."""

_WORDS: Final = frozenset({"locale", "metric", "verdict"})
"""Columns of words; all others are aligned as numbers."""

Grid = list[tuple[str, ...]]
"""A table, its heads first."""


def points(value: float | None) -> str:
    """Return a difference of rates in points, signed: `+1.25`, `−0.40`; a dash when there is none."""
    return "–" if value is None else _signed(f"{100 * value:+.2f}")


def interval(found: RateDifference) -> str:
    """Return the difference's interval in points."""
    if found.low is None or found.high is None:
        return "–"
    return f"{points(found.low)} to {points(found.high)}"


def p_text(p: float | None) -> str:
    """Return a p value as people read it."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def delay(value: Seconds | None) -> str:
    """Return a difference of latencies, signed: `+0.31 s`."""
    return "–" if value is None else _signed(f"{value:+.2f} s")


def tail_delay(late: Delay) -> str:
    """Return the difference of the 95th percentiles, or that there are too few utterances for one."""
    return "too few" if late.p95_difference_s is None else delay(late.p95_difference_s)


def verdict_text(found: RateDifference, margin: float | None) -> str:
    """Return a verdict in words."""
    if found.verdict == "no worse" and margin is not None:
        return f"no worse by {100 * margin:g} points"
    return found.verdict


def _signed(number: str) -> str:
    """Return a formatted number with a typographic minus; what rounds to nothing has no sign."""
    if not any(digit in number for digit in "123456789"):
        return number[1:]
    return number.replace("-", "−")


def headline(document: Comparison, contrast: Contrast) -> list[str]:
    """Return what a comparison says first: the macro differences in sentences."""
    several = len({(one.base_model, one.new_model) for one in contrast.macros}) > 1
    return [_macro(one, document.margin, several=several) for one in contrast.macros] or [
        "No locale is complete in both runs: nothing can be said over locales."
    ]


def _macro(one: MacroDifference, margin: float | None, *, several: bool) -> str:
    named = " → ".join(dict.fromkeys((one.base_model, one.new_model)))
    models = f", {named}" if several or one.base_model != one.new_model else ""
    locales = one.locales[0] if len(one.locales) == 1 else f"{len(one.locales)} locales"
    because = f" ({one.why})" if one.why else ""
    ends = "no interval" if one.low is None else interval(one)
    what = "share passed" if one.better == "higher" else f"macro {one.metric}"
    return (
        f"{one.dataset}{models}: {what} over {locales} {percent(one.base_rate)} → "
        f"{percent(one.new_rate)}, difference {points(one.difference)} points ({ends}, p {p_text(one.p)}): "
        f"{verdict_text(one, margin)}{because}."
    )


def overlap_text(contrast: Contrast) -> str:
    """Return how many utterances the comparison rests on, in a sentence."""
    counts = contrast.utterances
    apart = [
        f"{number:,} {words}"
        for number, words in (
            (counts.base_only, "only in the base"),
            (counts.new_only, f"only in {contrast.new.run}"),
            (counts.other_audio, "with other audio under the same id"),
        )
        if number
    ]
    more = f"; left out: {', '.join(apart)}" if apart else ""
    return f"{counts.common:,} common utterances{more}."


def forced_lines(document: Comparison) -> list[str]:
    """Return what was overruled, in words; every rendering says it first."""
    return [
        f"FORCED: not comparable as they stand, judged as the base is: {obstacle.text}"
        for obstacle in document.forced
    ]


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
                percent(cell.base_rate),
                percent(cell.new_rate),
                points(cell.difference),
                interval(cell),
                p_text(cell.p_holm),
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
    return [("locale", f"{waited_for} p50", *BESIDES), *rows]


def arrow(base: float | None, new: float | None, form: str) -> str:
    """Return two figures; a dash when one is missing, a single one where they are equal."""
    if base is None or new is None:
        return "–"
    return " → ".join(dict.fromkeys((form.format(base), form.format(new))))


def growth(base: float | None, new: float | None) -> str:
    """Return by how many per cent a figure grew."""
    if base is None or new is None or not base:
        return "–"
    return _signed(f"{100 * (new / base - 1):+.1f} %")


def shift(found: Delay) -> str:
    """Return the median of the utterances' own differences, with its interval."""
    if found.shift_low_s is None or found.shift_high_s is None:
        return delay(found.shift_s)
    low, high = (_signed(f"{value:+.2f}") for value in (found.shift_low_s, found.shift_high_s))
    return f"{delay(found.shift_s)} ({low} to {high})"


def bill_text(contrast: Contrast) -> str | None:
    """Return what all common utterances took in tokens and cost, in a sentence; None where it is not known."""
    bills = [cell.bill for cell in contrast.cells]
    tokens = _sum(one.base_tokens for one in bills), _sum(one.new_tokens for one in bills)
    cost = _sum(one.base_cost_usd for one in bills), _sum(one.new_cost_usd for one in bills)
    parts = [
        f"{name} {arrow(*sums, form)} ({growth(*sums)})"
        for name, sums, form in (("tokens", tokens, "{:,.0f}"), ("cost", cost, "${:.4f}"))
        if None not in sums
    ]
    return f"Common utterances: {', '.join(parts)}." if parts else None


def _sum(values: Iterable[float | None]) -> float | None:
    """Return the sum; None when one is missing."""
    known = list(values)
    return None if None in known or not known else sum(value for value in known if value)


def failures(cell: CellDifference) -> str:
    """Return how many rows must be run again, in the base and the new run."""
    return f"{cell.base_failed:,} → {cell.new_failed:,}"


def labels(document: Comparison, contrasts: Sequence[Contrast]) -> list[tuple[str, str, str]]:
    """Return who answered where that was not Google's service: kind, label, and in which of the runs."""
    sides = [("the base", document.base), *((one.new.run, one.new) for one in contrasts)]
    found: dict[tuple[str, str], list[str]] = {}
    for name, side in sides:
        for kind, text in side.answered_by.items():
            if kind != "google":
                found.setdefault((kind, text), []).append(name)
    return [
        (kind, text, "in all runs" if len(names) == len(sides) else f"in {', '.join(names)}")
        for (kind, text), names in found.items()
    ]


# ── Text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def comparison_text(document: Comparison) -> str:
    """Return what a terminal or a log shows."""
    lines = forced_lines(document)
    for contrast in document.contrasts:
        if lines:
            lines.append("")
        lines += _contrast_text(document, contrast)
    return "\n".join(map(printable, lines))


def _contrast_text(document: Comparison, contrast: Contrast) -> list[str]:
    lines = [
        f"{document.base.run} (base) → {contrast.new.run}",
        *(f"{text} {where}" for _, text, where in labels(document, [contrast])),
        *headline(document, contrast),
        overlap_text(contrast),
        *([bill] if (bill := bill_text(contrast)) else []),
        *(f"! {note}" for note in contrast.notes),
        *(f"gate: {rule.line}" for rule in (contrast.gate.rules if contrast.gate else ())),
    ]
    for title, cells in _groups(contrast).items():
        lines += ["", title, *_aligned(_rates(cells, document.margin))]
        if besides := _besides(cells):
            lines += ["", *_aligned(besides)]
    lines += ["", f"changed in the configuration: {'' if contrast.changes else 'nothing'}".rstrip()]
    lines += [
        f"  {change.field}: {_cut(change.base)} → {_cut(change.new)}"
        for change in contrast.changes[:_MOST_CHANGES]
    ]
    if contrast.moved:
        of = "verdicts" if contrast.moved[0].metric == PASSED else "errors of tokens"
        lines.append(f"moved most ({of}):")
    for moved in contrast.moved[:_MOVED_IN_TEXT]:
        lines += [
            f"  {moved_text(moved)}",
            f"    {_said(moved):<5} {_cut(moved.reference)}",
            f"    base  {_cut(moved.base_hypothesis)}",
            f"    new   {_cut(moved.new_hypothesis)}",
        ]
    return lines


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


def moved_text(moved: Moved) -> str:
    """Return an utterance and how its errors, or its answer's verdict, changed."""
    change = f"{moved.base_errors:g} → {moved.new_errors:g} of {moved.reference_tokens:,}"
    if moved.metric == PASSED:
        change = f"{_passed(moved.base_errors)} → {_passed(moved.new_errors)}"
    return f"{moved.dataset} / {moved.locale} / {moved.utterance_id}: {change}" + (
        f", mean of {moved.repeats} repeats" if moved.repeats > 1 else ""
    )


def _passed(failed: float) -> str:
    """Return what came of an answer, of whose repeats that share did not pass."""
    if failed in (0, 1):
        return "failed" if failed else "passed"
    return f"passed in {percent(1 - failed)}"


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
    lines = [f"## {markdown_text(document.base.run)} → {markdown_text(contrast.new.run)}", ""]
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
