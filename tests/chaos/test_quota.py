"""The short version of the bench's queues."""

from __future__ import annotations

import pytest

from tests.chaos.quota import SERVICES, queued


@pytest.mark.parametrize("what, admits, quirks, later", SERVICES)
def test_no_utterance_fails_for_quota(what, admits, quirks, later):
    """Sixty utterances at a service that admits few sessions are all transcribed, whatever way it refuses."""
    seen = queued(60, admits=admits, concurrency=20, quirks=quirks, later=later)
    assert {"ok": 60} == seen.outcomes
    assert seen.refusals > 0
    assert seen.most <= max(admits, later or 0)


def test_retry_after_is_obeyed():
    """After refusals that ask for 40 s nobody knocks for 40 s; the utterances are transcribed then."""
    quirks = ("http=429", "retry-after=40s", "first=6")
    seen = queued(20, admits=50, concurrency=6, quirks=quirks)
    assert {"ok": 20} == seen.outcomes
    assert 6 == seen.refusals
    assert [] == [t for t in seen.knocks if 1.0 < t < 40.0]
    assert seen.knocks[-1] > 40.0
