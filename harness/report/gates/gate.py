"""Whether a run passes its gate: every rule on every cell that it chooses, and the verdicts in words.

What is missing, rests on too little, or is incomplete never passes. How rules are written is `rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from harness.report.difference.difference import (
    MACROS,
    RATES,
    SHARES,
    TIMES,
    difference,
    macro_difference,
)
from harness.report.difference.pairing import by_test_set, model_pairs, overlap, paired
from harness.report.gates.checks import Check, again, failed, regression, threshold
from harness.run.folder import read_plan
from harness.stats.significance import holm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.difference.difference import Difference
    from harness.report.difference.pairing import ModelPair, Pair
    from harness.report.gates.rules import Gate, Rule
    from harness.report.rows.row import Row
    from harness.report.summary.document import Cell, Standing
    from harness.report.tables.table import RunTable

_RATES: Final = {*RATES, *SHARES, "mer", "rate_low", "rate_high"}
"""Columns that sessions yet to be run again may still change."""

_NOTHING: Final = "no cell of the run is chosen, and what is missing never passes"

CellKey = tuple[str, str, str]
"""Dataset, locale, model."""


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

    Both tables are scored alike (`comparable.open_runs`, `comparable.baseline_table`). `models` picks the pair of models;
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
    if rule.column in MACROS:
        found = _macros(rule, table, baseline, pairs)
        found += _lacking(rule, table, baseline) if rule.max_regression is not None else []
        return found or [failed(None, 0, _NOTHING)]
    cells = [cell for cell in table.summary.cells if rule.concerns(cell)]
    found = [_threshold(rule, cell, rows[_key(cell)]) for cell in cells]
    if rule.max_regression is not None:
        lacking = _lacking(rule, table, baseline)
        found = [
            *_regressions(rule, list(zip(cells, found, strict=True)), baseline, pairs),
            *lacking,
        ]
    return found or [failed(None, 0, _NOTHING)]


def _threshold(rule: Rule, cell: Cell, rows: Sequence[Row]) -> Check:
    """Return the check of a cell's own figure; of an incomplete cell the worst that can still come of it."""
    value: float | None = getattr(cell, rule.column)
    n = _resting(rule.column, rows)
    if cell.complete or rule.column not in _RATES:
        return threshold(rule, cell, value, n)
    if rule.column != "rate" or rule.max is None or rule.min is not None:
        return failed(cell, n, f"{again(cell.failed)}: {rule.column} is not whole")
    told = f"rate (the {cell.failed:,} to run again taken as unheard)"
    return threshold(rule, cell, cell.rate_if_failed_deleted, n, told=told)


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
            found.append(failed(cell, check.n, "there is no baseline to compare with"))
        elif key not in pairs:
            found.append(failed(cell, 0, "the baseline has no utterance of this cell"))
        elif rule.column in _RATES and (left := _to_rerun(pairs[key])):
            text = f"{again(left)}: the difference is not whole"
            found.append(failed(cell, check.n, text))
        else:
            found.append(regression(rule, cell, differences[key], adjusted.get(key)))
    return found


def _macros(
    rule: Rule,
    table: RunTable,
    baseline: RunTable | None,
    pairs: Mapping[CellKey, Sequence[Pair]],
) -> list[Check]:
    """Return the checks of a mean over locales, one per dataset and model; it is complete where every locale is."""
    column, metric = MACROS[rule.column]
    found: list[Check] = []
    differences: list[tuple[Standing, Difference]] = []
    for standing in table.summary.standings:
        if not rule.concerns(standing):
            continue
        own = [cell for cell in table.summary.cells if _place(cell) == _place(standing)]
        measured = [cell for cell in own if metric in (None, cell.metric)]
        n = sum(cell.scored for cell in measured)
        missing = [cell.locale for cell in own if not cell.complete or cell.rate is None]
        own_pairs = [pairs.get(_key(cell), ()) for cell in measured]
        if missing:
            text = f"{rule.column} is not whole: no rate, or sessions to run again, in {', '.join(missing)}"
            found.append(failed(standing, n, text))
            continue
        one = threshold(rule, standing, getattr(standing, rule.column), n)
        if rule.max_regression is None or not one.passed:
            found.append(one)
        elif baseline is None:
            found.append(failed(standing, n, "there is no baseline to compare with"))
        elif not all(own_pairs):
            found.append(failed(standing, n, "the baseline lacks a locale"))
        elif left := sum(map(_to_rerun, own_pairs)):
            found.append(failed(standing, n, f"{again(left)}: the difference is not whole"))
        else:
            sets = by_test_set(pair for of_cell in own_pairs for pair in of_cell)
            told = macro_difference(sets, column, tested=rule.significance is not None)
            if told is None:
                found.append(regression(rule, standing, None, None))
            else:
                differences.append((standing, told))
    adjusted = holm([one.test.p for _, one in differences if one.test])
    p_values: list[float | None] = list(adjusted) if adjusted else [None] * len(differences)
    found += [
        regression(rule, standing, one, p)
        for (standing, one), p in zip(differences, p_values, strict=True)
    ]
    return found


def _place(one: Cell | Standing) -> tuple[str, str]:
    return (one.dataset, one.model)


def _lacking(rule: Rule, table: RunTable, baseline: RunTable | None) -> list[Check]:
    """Return a failed check for every cell of the baseline that the rule chooses and the run lacks."""
    if baseline is None:
        return []
    have = {(cell.dataset, cell.locale) for cell in table.summary.cells}
    return [
        failed(cell, 0, "the baseline has this cell, the run has not")
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
    elif column in SHARES:
        chosen = (row for row in rows if SHARES[column](row) is not None)
    elif column in _RATES:
        chosen = (row for row in rows if row.counts is not None)
    else:
        chosen = (row for row in rows)
    return len({row.utterance_id for row in chosen})


def _to_rerun(pairs: Iterable[Pair]) -> int:
    return sum(row.must_rerun for pair in pairs for row in (*pair.base, *pair.new))
