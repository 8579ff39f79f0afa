"""What the page promises is shown by tests that exist."""

from __future__ import annotations

from tests.chaos.promises import missing


def test_every_promise_is_shown_by_a_test():
    """Each test that the page of reliability names is there, under that name."""
    assert [] == list(missing())
