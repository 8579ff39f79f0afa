"""The bench's faults over real sockets, those that memory cannot show."""

from __future__ import annotations

import pytest

from tests.chaos.sockets import FAULTS, met, nobody, nowhere, summary

pytestmark = pytest.mark.wall


@pytest.mark.parametrize("quirks, expected, words", FAULTS[::3])
def test_a_fault_over_sockets_has_its_outcome(quirks, expected, words):
    """TLS that is wrong, resets, silence and slow networks end a session as they do in memory."""
    ending, _ = met(quirks)
    assert expected == summary(ending)
    assert words in (ending.reason or "")


@pytest.mark.parametrize("place", [nobody, nowhere])
def test_where_nobody_is_nothing_is_asked(place):
    """A closed port and a name that cannot be resolved are told as an address where nothing answers."""
    ending, _ = place()
    assert ("failed_client", "transient", True) == summary(ending)
