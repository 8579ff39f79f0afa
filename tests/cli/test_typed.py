"""The command that a run's plan records."""

from __future__ import annotations

import sys

import pytest

from harness.cli.typed import retold, typed


@pytest.mark.parametrize(
    "given, recorded",
    [
        (
            ["run", "sample", "--out", "/home/ada/x", "--seed", "1"],
            "harness run sample --out x --seed 1",
        ),
        (["run", "--out=/home/ada/x", "my set"], "harness run --out=x 'my set'"),
        (["run", "sample", "--out", "reports/x"], "harness run sample --out reports/x"),
        (["run", "sample"], "harness run sample"),
    ],
)
def test_a_report_repeats_the_command_and_not_where_its_folder_lay(monkeypatch, given, recorded):
    """What a report repeats names the folder and no path of the machine; what continues the run names all of it."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/harness", *given])
    assert recorded == retold()
    assert all(word in typed() for word in given if " " not in word)
