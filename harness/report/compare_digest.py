"""A comparison in words: aligned text for a terminal, Markdown for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
    "dataset", "locale", "metric", "base", "new", "difference", "95 % interval", "p (Holm)", "verdict",
    "pairs", "failed", "final text p50", "p95",
)  # fmt: skip
_NUMBERS: Final = frozenset({"base", "new", "difference", "95 % interval", "p (Holm)", "pairs", "failed",
                             "final text p50", "p95"})  # fmt: skip


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
    return [_macro(one, document.margin) for one in contrast.macros] or [
        "No locale is complete in both runs: nothing can be said over locales."
    ]


def _macro(one: MacroDifference, margin: float | None) -> str:
    models = "" if one.base_model == one.new_model else f", {one.base_model} → {one.new_model}"
    locales = one.locales[0] if len(one.locales) == 1 else f"{len(one.locales)} locales"
    because = f" ({one.why})" if one.why else ""
    ends = "no interval" if one.low is None else interval(one)
    return (
        f"{one.dataset}{models}: macro {one.metric} over {locales} {percent(one.base_rate)} → "
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


def _cells(contrast: Contrast, margin: float | None) -> list[tuple[str, ...]]:
    several = len({(cell.base_model, cell.new_model) for cell in contrast.cells}) > 1
    return [
        (
            cell.dataset + (f" · {cell.new_model}" if several else ""),
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
            delay(cell.final_text.p50_difference_s if cell.final_text else None),
            delay(cell.final_text.p95_difference_s if cell.final_text else None),
        )
        for cell in contrast.cells
    ]


def failures(cell: CellDifference) -> str:
    """Return how many rows must be run again, in the base and the new run."""
    return f"{cell.base_failed:,} → {cell.new_failed:,}"


def delay_text(found: Delay) -> str:
    """Return a row's latencies in words."""
    bounds = (
        f" ({delay(found.shift_low_s)} to {delay(found.shift_high_s)})"
        if found.shift_low_s is not None
        else ""
    )
    return (
        f"p50 {found.base_p50_s:.2f} → {found.new_p50_s:.2f} s, p95 {found.base_p95_s:.2f} → {found.new_p95_s:.2f} s, "
        f"median shift {delay(found.shift_s)}{bounds} over {found.n:,}"
    )


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
        *(f"! {note}" for note in contrast.notes),
        *(f"gate: {rule.line}" for rule in (contrast.gate.rules if contrast.gate else ())),
        "",
    ]
    table = [HEADS, *(tuple(map(printable, row)) for row in _cells(contrast, document.margin))]
    widths = [max(len(row[place]) for row in table) for place in range(len(HEADS))]
    for row in table:
        padded = (
            text.rjust(width) if head in _NUMBERS else text.ljust(width)
            for head, text, width in zip(HEADS, row, widths, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    lines += ["", f"changed in the configuration: {'' if contrast.changes else 'nothing'}".rstrip()]
    lines += [
        f"  {change.field}: {_cut(change.base)} → {_cut(change.new)}"
        for change in contrast.changes[:_MOST_CHANGES]
    ]
    if contrast.moved:
        lines.append("moved most (errors of tokens):")
    for moved in contrast.moved[:_MOVED_IN_TEXT]:
        lines += [
            f"  {moved_text(moved)}",
            f"    said  {_cut(moved.reference)}",
            f"    base  {_cut(moved.base_hypothesis)}",
            f"    new   {_cut(moved.new_hypothesis)}",
        ]
    return lines


def moved_text(moved: Moved) -> str:
    """Return an utterance and how its errors changed."""
    return (
        f"{moved.dataset} / {moved.locale} / {moved.utterance_id}: "
        f"{moved.base_errors:g} → {moved.new_errors:g} of {moved.reference_tokens:,}"
        + (f", mean of {moved.repeats} repeats" if moved.repeats > 1 else "")
    )


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
        "Difference: new less base, in points; paired over common utterances, intervals over speakers.",
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
    lines += [f"- ⚠ {markdown_text(note)}" for note in contrast.notes]
    if contrast.gate:
        lines.append("")
        lines += [
            f"- {'✅' if rule.passed else '❌'} {markdown_text(rule.line)}"
            for rule in contrast.gate.rules
        ]
    lines += ["", _row(HEADS), _row("---:" if head in _NUMBERS else "---" for head in HEADS)]
    lines += [_row(map(markdown_text, cell)) for cell in _cells(contrast, document.margin)]
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
                f"  - said: {markdown_text(_cut(moved.reference))}",
                f"  - base: {markdown_text(_cut(moved.base_hypothesis))}",
                f"  - new: {markdown_text(_cut(moved.new_hypothesis))}",
            ]
        lines += ["", "</details>"]
    return lines


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
