"""The bench's faults, each met once more by every build."""

from __future__ import annotations

import pytest

from harness.emulator.quirks.mischief import REGISTRY
from tests.chaos.faults import FAULTS, meet, storm, verdict

ELSEWHERE = {"tls", "after", "first", "share"}
"""Quirks that need real sockets, or say which connections the others are for."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_outcome(fault):
    """Whatever a service or a network does, the attempt ends in its class within its wait, and the run goes on."""
    assert [] == list(verdict(fault, meet(fault, once=False), once=False))


@pytest.mark.parametrize("fault", FAULTS[::7], ids=lambda fault: fault.name)
def test_a_fault_met_once_is_survived(fault):
    """What happens once costs an attempt where one more is worth it, and the utterance is transcribed."""
    assert [] == list(verdict(fault, meet(fault, once=True), once=True))


LASTING = [
    fault
    for fault in FAULTS
    if fault.ends_run is None and fault.failure not in ("config", "model_not_found")
]
"""Those that end no run, whichever utterance meets them first."""


@pytest.mark.parametrize("fault", LASTING[5::16], ids=lambda fault: fault.name)
def test_a_storm_ends(fault):
    """When a third of all connections meets a fault, with others opened ahead and beside, each utterance ends once."""
    records, service = storm(fault, 18)
    finals = [one for one in records if one.final]
    assert 18 == len(finals) == len({one.utterance for one in finals})
    assert {one.outcome for one in finals} <= {"ok", fault.outcome, fault.once}
    assert 9 <= sum(one.outcome == "ok" for one in finals)
    assert 0 == service.open_sessions == len(service.connections)


def test_every_quirk_is_met():
    """No quirk of the registry is left out of the bench."""
    met = {quirk.partition("=")[0] for fault in FAULTS for quirk in fault.quirks}
    assert set(REGISTRY) - ELSEWHERE == met - ELSEWHERE


def test_a_fault_is_the_same_every_time():
    """In virtual time a run that meets faults leaves the same journal again."""
    import msgspec

    shaken = next(one for one in FAULTS if one.name.startswith("dribble=7B"))
    runs = [meet(shaken, once=False).records for _ in range(2)]
    first, second = ([msgspec.structs.replace(r, started_at="") for r in one] for one in runs)
    assert first == second
