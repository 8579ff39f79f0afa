"""What a trace tells of calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.run.exchange import exchange
from harness.trace.trace import SessionTrace, TimedEvent
from tests.test_trace import HEADER

moments = st.lists(st.tuples(st.sampled_from("ca"), st.sampled_from("fg")), max_size=12)


@given(moments)
def test_a_call_without_an_id_is_answered_after_it_was_made(moments):
    """A service may give no ids: then the first answer to that function from when it was called on is the call's."""
    events, calls, answers = [], [], []
    for t, (what, name) in enumerate(moments):
        if what == "c":
            frame = {"toolCall": {"functionCalls": [{"name": name, "args": {}}]}}
            events.append(TimedEvent(t=t, dir="<", frame=frame))
            calls.append((t, name))
        else:
            frame = {"toolResponse": {"functionResponses": [{"name": name, "response": {}}]}}
            events.append(TimedEvent(t=t, dir=">", frame=frame))
            answers.append((t, name))
    expected = [
        min((at for at, of in answers if of == name and at > t), default=None) for t, name in calls
    ]
    found = exchange(SessionTrace(header=HEADER, events=events)).calls
    assert expected == [call.answered_t for call in found]
