"""The page of the protocol: what it shows is what is tested."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.clock import run_virtual
from harness.secret import Secret
from harness.session.talk import talk
from harness.wire.live import endpoint as live
from tests.capabilities import CAPABILITIES, DOCTOR_ONLY, proofs, watched
from tests.session.memory import MODEL, Service, assignment, drive, polite, ready

ROOT = Path(__file__).parents[1]

UNDRIVEN = """
import pytest

@pytest.mark.capability("text: turns", side="client")
def test_a(): ...
"""

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
        ("test_a", "usage: both spellings", ("client", "emulator"), True),
        ("test_b", "text: turns", ("client",), True),
    ] == found


def test_only_a_runs_client_is_a_runs_client():
    """A session of a run is seen where the client's doing is claimed, and a conversation by hand is not."""
    with watched() as driven:
        run_virtual(drive(Service(polite("hello")), assignment()))
    assert ["session"] == driven

    async def by_hand():
        place = live.gemini(Secret("key"), url="ws://127.0.0.1:1")
        async with talk(
            Service(polite()).connect, place, ready(MODEL, turns="auto", transcript="input")
        ):
            pass

    with watched() as driven:
        run_virtual(by_hand())
    assert [] == driven


@pytest.mark.wall
def test_a_claim_without_a_run_is_an_error(tmp_path):
    """A test that claims a capability for the client fails when it has driven none."""
    (tmp_path / "test_x.py").write_text(UNDRIVEN)
    ours = ("-c", ROOT / "pyproject.toml", "-p", "tests.conftest", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *map(str, ours), str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert 1 == ran.returncode, ran.stdout
    assert "drove no run's client" in ran.stdout


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
    """No row of the page is empty, on the emulator's side or on that of a run's client, or says that no run does it."""
    proved = {(one.capability, side) for one in proofs() for side in one.sides}
    wanted = {
        (f"{area}: {detail}", side)
        for area, details in CAPABILITIES.items()
        for detail in details
        for side in ("client", "emulator")
    }
    assert {(name, "client") for name in DOCTOR_ONLY} == wanted - proved
