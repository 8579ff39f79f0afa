"""The page of the protocol: what it shows is what is tested."""

from __future__ import annotations

import pytest

from tests.capabilities import CAPABILITIES, SIDES, proofs

EXAMPLE = """
import pytest
pytestmark = [pytest.mark.witness, pytest.mark.capability("text: turns", side="client")]

@pytest.mark.capability("usage: both spellings")
async def test_a(): ...

def helper(): ...

def test_b(): ...
"""


def test_marks_are_read_from_tests_and_modules(tmp_path):
    """A test proves what its own marks and its module's say, on one side or on both."""
    (tmp_path / "test_x.py").write_text(EXAMPLE)
    found = [(one.test, one.capability, one.sides, one.witness) for one in proofs(tmp_path)]
    assert [
        ("test_a", "text: turns", ("client",), True),
        ("test_a", "usage: both spellings", SIDES, True),
        ("test_b", "text: turns", ("client",), True),
    ] == found


@pytest.mark.parametrize(
    "mark", ['"text: nonsense"', '"text"', '"text: turns", side="middle"', '"text: turns", x=1']
)
def test_a_mark_that_names_nothing_is_an_error(mark, tmp_path):
    """The page cannot be made while a mark names no capability or no side."""
    (tmp_path / "test_x.py").write_text(
        f"import pytest\n@pytest.mark.capability({mark})\ndef test_a(): ...\n"
    )
    with pytest.raises(ValueError, match="no such capability"):
        proofs(tmp_path)


def test_every_capability_is_proved_on_both_sides():
    """No row of the page is empty, on the client's side or on the emulator's."""
    proved = {(one.capability, side) for one in proofs() for side in one.sides}
    wanted = {
        (f"{area}: {detail}", side)
        for area, details in CAPABILITIES.items()
        for detail in details
        for side in SIDES
    }
    assert set() == wanted - proved
