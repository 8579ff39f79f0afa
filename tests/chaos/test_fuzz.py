"""The short version of the bench's fuzzing."""

from __future__ import annotations

import random

import pytest

from tests.chaos.fuzz import READERS, fuzz, golden_frames


@pytest.mark.parametrize("what, direction, decode", READERS)
def test_any_frame_is_taken_or_refused(what, direction, decode):
    """Two thousand mutilated frames are read or refused as the peer's fault; nothing else comes of any."""
    chance = random.Random(direction)  # noqa: S311 - the same noise every time
    verdicts, broken = fuzz(decode, golden_frames(direction), chance, 2000)
    assert [] == broken
    assert verdicts["taken"] > 200
    assert verdicts["refused"] > 200
