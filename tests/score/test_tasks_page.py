"""The page that explains the tasks does what it says."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tasks.md"


def test_every_example_gives_what_stands_below_it():
    """Every example of docs/tasks.md gives what stands below it."""
    failures, examples = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert (0, True) == (failures, examples > 5)
