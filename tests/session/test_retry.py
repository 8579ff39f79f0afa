"""How long is waited before another attempt."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.session.retry import backoff_s


@given(
    failures=st.integers(1, 10_000),
    asked_s=st.none() | st.floats(0, 1e9),
    rng=st.randoms(use_true_random=False),
)
def test_a_wait_is_never_less_than_what_is_asked(failures, asked_s, rng):
    """It doubles from half a second to half a minute, stays there for days, and is longer where more is asked for."""
    wait = backoff_s(failures, rng, asked_s=asked_s)
    ceiling = 0.5 * 2 ** (failures - 1) if failures < 7 else 30.0
    asked = asked_s or 0.0
    assert max(ceiling / 2, asked) <= wait <= max(ceiling, asked)
