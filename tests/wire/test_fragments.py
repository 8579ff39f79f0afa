"""Messages in pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.wire.fragments import Fragments


@given(st.lists(st.lists(st.binary(max_size=5), min_size=1, max_size=4), max_size=5))
def test_messages_come_out_whole(messages):
    """However messages are cut into frames, each comes out once, whole, and with its last frame."""
    fragments = Fragments()
    for parts in messages:
        *before, last = parts
        assert [None] * len(before) == [fragments.add(part, last=False) for part in before]
        assert b"".join(parts) == fragments.add(last, last=True)
