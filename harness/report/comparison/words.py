"""A comparison's figures and sentences in words, as every rendering of it says them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.report.comparison.contrast import PASSED
from harness.units import percent_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.comparison.contrast import (
        CellDifference,
        Comparison,
        Contrast,
        Delay,
        MacroDifference,
        Moved,
    )
    from harness.report.difference.verdict import RateDifference
    from harness.units import Seconds


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


_MOST_NAMES: Final = 3
"""Pairs of models that a heading names."""


def subject(contrast: Contrast) -> str:
    """Return what is compared: `model → model on dataset`, one name where both runs have the same model."""
    pairs = dict.fromkeys((cell.base_model, cell.new_model) for cell in contrast.cells)
    names = [" → ".join(dict.fromkeys(pair)) for pair in pairs]
    models = ", ".join(names) if len(names) <= _MOST_NAMES else f"{len(names)} models"
    return f"{models} on {', '.join(dict.fromkeys(cell.dataset for cell in contrast.cells))}"


def new_name(contrast: Contrast) -> str:
    """Return what tells the new run from the base: its model where that is another, else the run's own name."""
    pairs = {(cell.base_model, cell.new_model) for cell in contrast.cells}
    others = {new for base, new in pairs if base != new}
    return others.pop() if len(others) == len(pairs) == 1 else contrast.new.run


def headline(document: Comparison, contrast: Contrast) -> list[str]:
    """Return what a comparison says first: the macro differences in sentences."""
    several = len({(one.base_model, one.new_model) for one in contrast.macros}) > 1
    return [_macro(one, document.margin, several=several) for one in contrast.macros] or [
        "No locale is complete in both runs: nothing can be said over locales."
    ]


def _macro(one: MacroDifference, margin: float | None, *, several: bool) -> str:
    named = " → ".join(dict.fromkeys((one.base_model, one.new_model)))
    models = f", {named}" if several else ""
    locales = one.locales[0] if len(one.locales) == 1 else f"{len(one.locales)} locales"
    because = f" ({one.why})" if one.why else ""
    ends = "no interval" if one.low is None else interval(one)
    what = "share passed" if one.better == "higher" else f"macro {one.metric}"
    return (
        f"{one.dataset}{models}: {what} over {locales} {percent_text(one.base_rate)} → "
        f"{percent_text(one.new_rate)}, difference {points(one.difference)} points ({ends}, p {p_text(one.p)}): "
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
    return f"passed in {percent_text(1 - failed)}"
