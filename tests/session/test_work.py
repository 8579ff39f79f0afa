"""How much is done for a frame: counted, since seconds tell more of the machine. `make bench` measures them beside others."""

from __future__ import annotations

from pathlib import Path

import harness.session
from harness.clock import run_virtual
from harness.session.transport import masking_keys, text_frame
from tests.session.memory import Service, assignment, drive, polite
from tests.work import calls

OURS = Path(harness.session.__file__).parent


def streamed(seconds: float):
    """Return the work of a session with so much audio."""

    def work() -> None:
        ending, _ = run_virtual(drive(Service(polite(" hello")), assignment(seconds)))
        assert "ok" == ending.outcome

    return work


def test_a_frame_takes_few_calls():
    """A frame takes no more than 29 calls in all: made, awaited, sent, and written into the trace."""
    streamed(1.0)()
    share = (calls(streamed(9.0), OURS) - calls(streamed(1.0), OURS)) / 80
    assert share <= 29


def test_a_frame_is_framed_with_few_calls():
    """Framing and masking takes no more than five calls: the library's own way takes over twenty."""
    keys, payload = masking_keys(), bytes(4000)
    next(keys)
    assert calls(lambda: text_frame(payload, next(keys)), OURS) <= 5
