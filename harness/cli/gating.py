"""The gate on one run: read before anything is sent, checked when the reports are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.gates.rules import Gate
    from harness.report.tables.table import RunTable
    from harness.run.record import Plan


def open_gate(path: Path) -> Gate:
    """Return the gate at `path`; UsageError when it is broken, or compares with a baseline that it does not name."""
    from harness.report.gates.rules import read_gate

    gate = read_gate(path)
    if gate.needs_baseline and gate.baseline is None:
        raise UsageError(
            f"{path}: max_regression, and no baseline to compare with",
            hint='name one above the rules: baseline = "reports/main"; or harness compare BASE NEW --gate',
        )
    return gate


def require_baseline(gate: Gate, plan: Plan) -> None:
    """Raise the InputError that says why a run of `plan` cannot be compared with the gate's baseline, if so."""
    if gate.needs_baseline and gate.baseline is not None:
        from harness.report.comparison.comparable import require_comparable_plans

        require_comparable_plans(gate.baseline, plan, "this run")


def passes(gate: Gate, table: RunTable, *, profile: str, metric: str, to_stderr: bool) -> bool:
    """Return whether a run passes; print a line a rule, and write junit.xml into its folder.

    `profile` and `metric` are those that `table` was scored under.
    """
    from harness.report.gates.gate import check_gate
    from harness.report.gates.junit import JUNIT, junit_bytes
    from harness.report.tables.write import write_files
    from harness.run.folder import read_plan
    from harness.text.visible import visible

    baseline = None
    if gate.needs_baseline and gate.baseline is not None:
        from harness.report.comparison.comparable import baseline_table

        plan = read_plan(table.folder)
        baseline = baseline_table(gate.baseline, table, plan, profile=profile, metric=metric)
    result = check_gate(gate, table, baseline)
    for rule in result.rules:
        click.echo(f"gate: {visible(rule.line)}", err=to_stderr)
    run = table.folder.resolve().name
    write_files(table.folder, {JUNIT: [junit_bytes([(run, result)])]})
    return result.passed
