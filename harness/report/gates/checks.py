"""One rule on one figure: what it rests on, whether it passes, and the words that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from harness.report.difference.difference import SHARES, TIMES
from harness.stats.percentiles import fewest

if TYPE_CHECKING:
    from harness.report.difference.difference import Difference
    from harness.report.gates.rules import Rule
    from harness.report.summary.document import Cell, Standing

_SLACK: Final = 1e-12
"""What floating-point arithmetic may add to a figure that lies on its bound."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A rule on one cell, or on a model's mean over locales."""

    dataset: str | None
    """None, as `model`: the rule chose nothing at all."""

    locale: str | None
    """None: over all locales of the dataset, or nothing was chosen."""

    model: str | None
    n: int
    """Utterances that the figure rests on."""

    value: float | None
    base: float | None
    """The baseline's figure over the same utterances; None: not compared."""

    p: float | None
    """Adjusted for the rule's cells; None: not tested."""

    passed: bool
    text: str
    """The figure, the bound and n, in words."""

    @property
    def cell(self) -> str:
        """Which cell, in words."""
        return " / ".join(part for part in (self.dataset, self.locale, self.model) if part) or "–"


def check(
    of: Cell | Standing | None,
    n: int,
    text: str,
    *,
    passed: bool,
    value: float | None = None,
    base: float | None = None,
    p: float | None = None,
) -> Check:
    """Return the check of a figure of `of`; None: of nothing."""
    return Check(
        dataset=of.dataset if of else None,
        locale=getattr(of, "locale", None),
        model=of.model if of else None,
        n=n,
        value=value,
        base=base,
        p=p,
        passed=passed,
        text=text,
    )


def failed(of: Cell | Standing | None, n: int, text: str) -> Check:
    """Return the check of a figure that cannot be judged, which never passes."""
    return check(of, n, text, passed=False)


def threshold(
    rule: Rule, of: Cell | Standing, value: float | None, n: int, *, told: str | None = None
) -> Check:
    """Return the check of `max`, `min` and `min_n`; for a rule with only a regression, the check that there is a figure."""
    name = told or rule.column
    if value is None:
        return failed(of, n, f"{rule.column} is missing{_too_few(rule.column, n)} (n {n:,})")
    figure = f"{name} is {value:.6g}"
    if n < rule.min_n:
        text = f"{figure}, but n is {n:,} and must be {rule.min_n:,}"
        return check(of, n, text, passed=False, value=value)
    wrong = [
        *([f"allowed is at most {rule.max:g}"] if rule.max is not None and value > rule.max + _SLACK else []),
        *([f"allowed is at least {rule.min:g}"] if rule.min is not None and value < rule.min - _SLACK else []),
    ]  # fmt: skip
    text = f"{figure}, {' and '.join(wrong)} (n {n:,})" if wrong else f"{figure} (n {n:,})"
    return check(of, n, text, passed=not wrong, value=value)


def _too_few(column: str, n: int) -> str:
    """Return in words that a percentile is missing because there were too few sessions; empty when that is not why."""
    percent = TIMES[column][1] if column in TIMES else 0
    return f": too few, a p{percent} takes {fewest(percent)}" if 0 < n < fewest(percent) else ""


def regression(rule: Rule, of: Cell | Standing, one: Difference | None, p: float | None) -> Check:
    """Return the check of a rule that has a `max_regression`; `p` is adjusted, None: not tested."""
    assert rule.max_regression is not None  # noqa: S101 - asked by rules that have one
    if one is None:
        return failed(of, 0, f"{rule.column} is missing in one of the runs")
    sign = -1 if rule.column in SHARES else 1
    figures = (
        f"{rule.column} went from {one.base:.6g} to {one.new:.6g} ({one.change:+.6g}), "
        f"allowed is {sign * rule.max_regression:+g} (n {one.n:,}"
        + (f", p {p:.3g}" if p is not None else "")
        + ")"
    )
    beyond = sign * one.change > rule.max_regression + _SLACK
    if one.n < rule.min_n:
        figures += f", but n must be {rule.min_n:,}"
        beyond = True
    elif beyond and p is not None and rule.significance is not None and p > rule.significance:
        figures += f": not significant at {rule.significance:g}"
        beyond = False
    return check(of, one.n, figures, passed=not beyond, value=one.new, base=one.base, p=p)


def again(sessions: int) -> str:
    """Return that so many sessions must be run again, in words."""
    return f"{sessions:,} {'session' if sessions == 1 else 'sessions'} must be run again"
