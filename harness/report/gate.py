"""Whether a run passes its gate: every rule on every cell that it chooses, and the verdicts in words.

What is missing, rests on too little, or is incomplete never passes. How rules are written is `rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from harness.report.difference import RATES, TIMES, difference
from harness.report.pairing import model_pairs, overlap, paired
from harness.run.folder import read_plan
from harness.stats.significance import holm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.difference import Difference
    from harness.report.document import Cell
    from harness.report.pairing import ModelPair, Pair
    from harness.report.rows import Row
    from harness.report.rules import Gate, Rule
    from harness.report.table import RunTable

_RATES: Final = {*RATES, "mer", "rate_low", "rate_high"}
"""Columns that sessions yet to be run again may still change."""

_SLACK: Final = 1e-12
"""What floating-point arithmetic may add to a figure that lies on its bound."""

CellKey = tuple[str, str, str]
"""Dataset, locale, model."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A rule on one cell."""

    dataset: str | None
    """None, as the next two: the rule chose no cell at all."""

    locale: str | None
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


class RuleVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A rule on all its cells."""

    rule: str
    passed: bool
    checks: list[Check]

    @property
    def line(self) -> str:
        """The verdict in one line: what failed, or how many cells passed."""
        failed = [check for check in self.checks if not check.passed]
        cells = "1 cell" if len(self.checks) == 1 else f"{len(self.checks):,} cells"
        if not failed:
            alone = f": {self.checks[0].text}" if len(self.checks) == 1 else ""
            return f"PASS  {self.rule}: {cells}{alone}"
        shown = "; ".join(f"{check.cell}: {check.text}" for check in failed[:3])
        more = f"; and {len(failed) - 3:,} more" if len(failed) > 3 else ""
        return f"FAIL  {self.rule}: {len(failed):,} of {cells}: {shown}{more}"


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a run passes its gate."""

    passed: bool
    rules: list[RuleVerdict]


def check_gate(
    gate: Gate, table: RunTable, baseline: RunTable | None, *, models: ModelPair | None = None
) -> GateResult:
    """Return every rule's verdict on `table`; regressions are against `baseline`, over the utterances common to both.

    Both tables are scored alike (`compare.open_runs`, `compare.baseline_table`). `models` picks the pair of models;
    without a baseline, regression rules fail.
    """
    pairs = _pairs(table, baseline, models) if baseline and gate.needs_baseline else {}
    rows = _by_cell(table.rows)
    verdicts = []
    for rule in gate.rules:
        checks = _checks(rule, table, baseline, rows, pairs)
        passed = all(check.passed for check in checks)
        verdicts.append(RuleVerdict(rule=rule.text, passed=passed, checks=checks))
    return GateResult(passed=all(verdict.passed for verdict in verdicts), rules=verdicts)


def _checks(
    rule: Rule,
    table: RunTable,
    baseline: RunTable | None,
    rows: Mapping[CellKey, Sequence[Row]],
    pairs: Mapping[CellKey, Sequence[Pair]],
) -> list[Check]:
    cells = [cell for cell in table.summary.cells if rule.concerns(cell)]
    found = [_threshold(rule, cell, rows[_key(cell)]) for cell in cells]
    if rule.max_regression is not None:
        lacking = _lacking(rule, table, baseline)
        found = [
            *_regressions(rule, list(zip(cells, found, strict=True)), baseline, pairs),
            *lacking,
        ]
    if not found:
        nothing = "no cell of the run is chosen, and what is missing never passes"
        return [_failed(None, 0, nothing)]
    return found


def _threshold(rule: Rule, cell: Cell, rows: Sequence[Row]) -> Check:
    """Return the check of `max`, `min` and `min_n`; of a rule that has only a regression, whether there is a figure."""
    value: float | None = getattr(cell, rule.column)
    n = _resting(rule.column, rows)
    told = rule.column
    if not cell.complete and rule.column in _RATES:
        if rule.column != "rate" or rule.max is None or rule.min is not None:
            return _failed(cell, n, f"{_again(cell.failed)}: {rule.column} is not whole")
        # The worst that can still come of it.
        value = cell.rate_if_failed_deleted
        told = f"rate (the {cell.failed:,} to run again taken as unheard)"
    if value is None:
        return _failed(cell, n, f"{rule.column} is missing (n {n:,})")
    figure = f"{told} is {value:.6g}"
    if n < rule.min_n:
        return _failed(cell, n, f"{figure}, but n is {n:,} and must be {rule.min_n:,}", value=value)
    wrong = [
        *([f"allowed is at most {rule.max:g}"] if rule.max is not None and value > rule.max + _SLACK else []),
        *([f"allowed is at least {rule.min:g}"] if rule.min is not None and value < rule.min - _SLACK else []),
    ]  # fmt: skip
    if wrong:
        return _failed(cell, n, f"{figure}, {' and '.join(wrong)} (n {n:,})", value=value)
    return _check(cell, n, f"{figure} (n {n:,})", passed=True, value=value)


def _regressions(
    rule: Rule,
    thresholds: Sequence[tuple[Cell, Check]],
    baseline: RunTable | None,
    pairs: Mapping[CellKey, Sequence[Pair]],
) -> list[Check]:
    """Return the thresholds' checks, those that passed now against the baseline."""
    tested = rule.significance is not None
    differences = {
        _key(cell): difference(pairs[_key(cell)], rule.column, tested=tested)
        for cell, _ in thresholds
        if _key(cell) in pairs
    }
    p_values = [(key, one.test.p) for key, one in differences.items() if one and one.test]
    adjusted = dict(zip((key for key, _ in p_values), holm([p for _, p in p_values]), strict=True))
    found = []
    for cell, check in thresholds:
        key = _key(cell)
        if not check.passed:
            found.append(check)
        elif baseline is None:
            found.append(_failed(cell, check.n, "there is no baseline to compare with"))
        elif key not in pairs:
            found.append(_failed(cell, 0, "the baseline has no utterance of this cell"))
        elif rule.column in _RATES and (again := _to_rerun(pairs[key])):
            text = f"{_again(again)}: the difference is not whole"
            found.append(_failed(cell, check.n, text))
        else:
            found.append(_regression(rule, cell, differences[key], adjusted.get(key)))
    return found


def _regression(rule: Rule, cell: Cell, one: Difference | None, p: float | None) -> Check:
    assert rule.max_regression is not None  # noqa: S101 - asked by rules that have one
    if one is None:
        return _failed(cell, 0, f"{rule.column} is missing in one of the runs")
    figures = (
        f"{rule.column} went from {one.base:.6g} to {one.new:.6g} ({one.change:+.6g}), "
        f"allowed is {rule.max_regression:+g} (n {one.n:,}"
        + (f", p {p:.3g}" if p is not None else "")
        + ")"
    )
    if one.n < rule.min_n:
        figures += f", but n must be {rule.min_n:,}"
        return _failed(cell, one.n, figures, value=one.new, base=one.base, p=p)
    beyond = one.change > rule.max_regression + _SLACK
    if beyond and p is not None and rule.significance is not None and p > rule.significance:
        figures += f": not significant at {rule.significance:g}"
        beyond = False
    return _check(cell, one.n, figures, passed=not beyond, value=one.new, base=one.base, p=p)


def _lacking(rule: Rule, table: RunTable, baseline: RunTable | None) -> list[Check]:
    """Return a failed check for every cell of the baseline that the rule chooses and the run lacks."""
    if baseline is None:
        return []
    have = {(cell.dataset, cell.locale) for cell in table.summary.cells}
    return [
        _failed(cell, 0, "the baseline has this cell, the run has not")
        for cell in baseline.summary.cells
        if (cell.dataset, cell.locale) not in have and rule.concerns(cell)
    ]


def _pairs(
    table: RunTable, baseline: RunTable, models: ModelPair | None
) -> dict[CellKey, list[Pair]]:
    """Return the pairs of every cell of `table` that the baseline shares utterances with."""
    ours, theirs = read_plan(baseline.folder), read_plan(table.folder)
    keys, _ = overlap(ours, theirs)
    found: dict[CellKey, list[Pair]] = {}
    for pair_of_models in model_pairs(table.folder.resolve().name, ours, theirs, models):
        for pair in paired(keys, baseline.rows, table.rows, pair_of_models):
            row = pair.new[0]
            found.setdefault((row.dataset, row.locale, row.model), []).append(pair)
    return found


def _by_cell(rows: Iterable[Row]) -> dict[CellKey, list[Row]]:
    found: dict[CellKey, list[Row]] = {}
    for row in rows:
        found.setdefault((row.dataset, row.locale, row.model), []).append(row)
    return found


def _key(cell: Cell) -> CellKey:
    return (cell.dataset, cell.locale, cell.model)


def _resting(column: str, rows: Iterable[Row]) -> int:
    """Return how many utterances a cell's figure rests on."""
    if column in TIMES:
        field = TIMES[column][0]
        chosen = (row for row in rows if row.late is False and getattr(row, field) is not None)
    elif column in _RATES:
        chosen = (row for row in rows if row.counts is not None)
    else:
        chosen = (row for row in rows)
    return len({row.utterance_id for row in chosen})


def _to_rerun(pairs: Iterable[Pair]) -> int:
    return sum(row.must_rerun for pair in pairs for row in (*pair.base, *pair.new))


def _again(sessions: int) -> str:
    return f"{sessions:,} {'session' if sessions == 1 else 'sessions'} must be run again"


def _failed(
    cell: Cell | None,
    n: int,
    text: str,
    *,
    value: float | None = None,
    base: float | None = None,
    p: float | None = None,
) -> Check:
    return _check(cell, n, text, passed=False, value=value, base=base, p=p)


def _check(
    cell: Cell | None,
    n: int,
    text: str,
    *,
    passed: bool,
    value: float | None = None,
    base: float | None = None,
    p: float | None = None,
) -> Check:
    return Check(
        dataset=cell.dataset if cell else None,
        locale=cell.locale if cell else None,
        model=cell.model if cell else None,
        n=n,
        value=value,
        base=base,
        p=p,
        passed=passed,
        text=text,
    )
