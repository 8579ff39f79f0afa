"""The command that a run's plan records."""

from __future__ import annotations

import sys

import pytest

from harness.cli.typed import typed


@pytest.mark.parametrize(
    "given, recorded",
    [
        (["run", "sample", "--out", "/home/ada/x", "--seed", "1"], "harness run sample --seed 1"),
        (["run", "--out=/home/ada/x", "my set"], "harness run 'my set'"),
        (["run", "sample", "--out", "reports/x"], "harness run sample"),
        (["run", "sample"], "harness run sample"),
    ],
)
def test_a_report_does_not_tell_where_its_folder_lay(monkeypatch, given, recorded):
    """What a report repeats leaves the folder out; what continues the run names it."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/harness", *given])
    assert recorded == typed(place=False)
    assert all(word in typed(place=True) for word in given if " " not in word)
