"""The short version of what hypothesis draws for every reader."""

from __future__ import annotations

import pytest

from tests.chaos.examples import SUBJECTS, drawn


@pytest.mark.parametrize("number", range(len(SUBJECTS)), ids=[what for what, _, _ in SUBJECTS])
def test_any_example_is_taken_or_named(number):
    """Each reader takes what is drawn for it or names what is wrong, and of both there are some."""
    verdicts, wrong = drawn(number, 100, seed=0)
    assert [] == wrong
    assert 100 == verdicts.total()
    # How many is chance: hypothesis draws from the constants of whatever modules are loaded, whatever the seed.
    assert min(verdicts["taken"], verdicts["named"]) > 0
