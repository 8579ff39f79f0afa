"""Room that sessions share."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.session import stock
from harness.session.stock import Stock

STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60), st.booleans()), max_size=80)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(stock, "SPARED", 20)


@given(STEPS)
def test_what_is_held_is_bounded_and_counted(steps):
    """No more is held than there is room for and each one's share beyond; whoever holds little is never refused."""
    room, own = Stock(100), Counter()
    for who, size, gives_back in steps:
        if gives_back:
            room.give_back(own.pop(who, 0))
        elif room.take(size, own[who]):
            own[who] += size
        else:
            assert own[who] + size > 20
            assert room.held + size > 100
        assert own.total() == room.held <= 100 + 6 * 20
    room.give_back(own.total())
    assert 0 == room.held
