"""What `harness doctor` makes of its findings."""

from __future__ import annotations

from harness.cli.finding import MARKS, MEANINGS, Finding, tally


def test_the_closing_line_counts_every_verdict_and_explains_its_mark():
    """Every check is counted once, by its mark; what a mark does not say by itself stands beside it."""
    verdicts = ["ok", "ok", "accepted", "failed"]
    findings = [Finding(check="a", verdict=verdict, found="") for verdict in verdicts]
    assert tally(findings) == (
        "4 checks: 2 ok, 1 (ok) (taken, and nothing on the wire tells what it does), 1 FAIL (does not work)"
    )
    assert MARKS.keys() == MEANINGS.keys()
