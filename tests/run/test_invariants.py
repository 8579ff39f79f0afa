"""What must hold of every session: every session of ours keeps it, and whatever breaks it is found."""

from __future__ import annotations

import copy
import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run_virtual
from harness.emulator.manners import Manners
from harness.emulator.scripted import Line, Scripted
from harness.run.attempt import record
from harness.run.invariants import MOST_TOLD, violations
from harness.trace import TimedEvent
from tests.integration.joined import Emulator
from tests.run.runs import breaking_once, resumable
from tests.session.memory import MODEL, Service, assignment, drive, polite


def session(seconds=1.0, **how):
    """Return the trace of a session that went well."""
    return run_virtual(drive(Service(polite(" hello")), assignment(seconds, **how)))[1]


def long_session():
    """Return the trace of a session over several connections."""
    emulator = Emulator(
        Scripted({"*": Line(fragments=[" x"])}), Manners(connection_s=30.0, go_away_lead_s=10.0)
    )
    return run_virtual(drive(emulator, assignment(90.0)))[1]


@given(
    st.floats(0.01, 4.0), st.sampled_from(["manual", "auto"]), st.sampled_from([0.0, 0.5, 1.0, 3.0])
)
def test_our_sessions_break_nothing(seconds, turns, pace):
    """Whatever the length, pace and turns, a session keeps all that must hold."""
    assert () == violations(session(seconds, turns=turns, pace=pace))


def test_a_session_over_several_connections_breaks_nothing():
    """Nor does one that goes on over several connections, each with its own setup."""
    trace = long_session()
    assert 1 < sum(e.dir == ">" and "setup" in e.frame for e in trace.events)
    assert () == violations(trace)


def test_what_is_sent_again_breaks_nothing_and_what_is_not_said_to_be_does():
    """Audio may go again where a seam says so, by as much as it says; without that it is a violation."""
    todo = dataclasses.replace(assignment(3.0), setup=resumable(MODEL))
    _, trace = run_virtual(drive(breaking_once(), todo))
    (at,) = (n for n, e in enumerate(trace.events) if e.dir == "!" and "seam" in e.frame)
    assert 0 < trace.events[at].frame["seam"]["replay"]["samples"]
    assert () == violations(trace)
    for samples, words in ((0, "audio goes from sample 3"), (1, "audio goes from sample -1")):

        def told(events, less=samples):
            seam = copy.deepcopy(events[at].frame)
            replay = seam["seam"]["replay"]
            replay["samples"] = replay["samples"] + 1 if less else 0
            events[at] = msgspec.structs.replace(events[at], frame=seam)

        assert any(one.startswith(words) for one in violations(changed(trace, told))), words


def index(trace, direction, key):
    """Return where the first event of a direction is whose frame has `key`, at any depth."""
    return next(n for n, e in enumerate(trace.events) if e.dir == direction and key in str(e.frame))


def changed(trace, change):
    """Return `trace` with its list of events changed in place."""
    events = list(trace.events)
    change(events)
    return msgspec.structs.replace(trace, events=events)


def without(direction, key):
    """Return a change that leaves the first such event out."""
    return lambda trace: changed(trace, lambda e: e.pop(index(trace, direction, key)))


def twice(direction, key):
    """Return a change that has the first such event happen twice."""

    def again(trace):
        at = index(trace, direction, key)
        return changed(trace, lambda events: events.insert(at, events[at]))

    return again


def late(direction, key):
    """Return a change that moves the first such event to the end, its time included."""

    def moved(trace):
        at = index(trace, direction, key)
        last = trace.events[-1].t
        event = msgspec.structs.replace(trace.events[at], t=last)
        return changed(trace, lambda events: events.append(event) or events.pop(at))

    return moved


def with_bill(bill):
    """Return a change that adds a usage record."""

    def billed(trace):
        at = index(trace, "<", "usageMetadata")
        event = TimedEvent(t=trace.events[at].t, dir="<", frame={"usageMetadata": bill})
        return changed(trace, lambda events: events.insert(at, event))

    return billed


BROKEN = {
    "no connection at the start": (without("!", "connect"), "does not begin"),
    "no outcome": (without("!", "ended"), "no outcome"),
    "two outcomes": (twice("!", "ended"), "after the session's outcome"),
    "two setups": (twice(">", "setup"), "setup was sent twice"),
    "no setup": (without(">", "setup"), "before setup"),
    "no setupComplete": (without("<", "setupComplete"), "between setup and setupComplete"),
    "two setupCompletes": (twice("<", "setupComplete"), "setupComplete came twice"),
    "a chunk is missing": (without(">", "offset"), "audio goes from sample 0"),
    "a chunk is doubled": (twice(">", "offset"), "audio goes from sample"),
    "audio after the end": (late(">", "offset"), "no connection"),
    "text after the end": (late("<", "inputTranscription"), "something came"),
    "no upgrade": (without("!", "upgraded"), "no connection"),
    "a bill that does not add up": (
        with_bill({"promptTokenCount": 30, "responseTokenCount": 2, "totalTokenCount": 40}),
        "counts 40 tokens, and its parts 32",
    ),
    "two ends": (twice("!", "closed"), "closed twice"),
    "content before setupComplete": (
        late("<", "setupComplete"),
        "content came before setupComplete",
    ),
    "modalities of more than the whole": (
        with_bill(
            {
                "promptTokenCount": 30,
                "responseTokenCount": 2,
                "totalTokenCount": 32,
                "promptTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 30},
                    {"modality": "TEXT", "tokenCount": 1},
                ],
            }
        ),
        "promptTokensDetails of a usage record come to 31 tokens, of 30",
    ),
    "a negative total": (
        with_bill({"promptTokenCount": -32, "totalTokenCount": -32}),
        "has a negative count",
    ),
    "a negative detail": (
        with_bill({"promptTokensDetails": [{"modality": "AUDIO", "tokenCount": -1_000_000}]}),
        "has a negative count",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_found(name):
    """Each kind of trace that cannot be is called by its fault, and the record carries it."""
    change, words = BROKEN[name]
    broken = change(session())
    found = violations(broken)
    assert any(words in one for one in found), found
    assert len(found) <= MOST_TOLD
    assert found == record(broken, "input", path=None, final=True).violations


def test_times_that_go_back_are_found():
    """A trace whose times decrease is told."""
    trace = session()
    events = [msgspec.structs.replace(e, t=-e.t) for e in trace.events]
    found = violations(msgspec.structs.replace(trace, events=events))
    assert any("time goes back" in one for one in found)


@pytest.mark.capability("usage: thoughts", side="client")
@pytest.mark.parametrize("thoughts", [{}, {"thoughtsTokenCount": 5}])
@pytest.mark.parametrize("total", [37, 32])
def test_thoughts_may_lie_outside_the_total(thoughts, total):
    """What was thought may be in the total or beside it; without thoughts there is one sum."""
    bill = {"promptTokenCount": 30, "candidatesTokenCount": 2, "totalTokenCount": total} | thoughts
    found = violations(with_bill(bill)(session()))
    assert bool(found) == (not thoughts and total == 37)


@pytest.mark.capability("usage: tool-use tokens", side="client")
@pytest.mark.parametrize(
    "total, adds_up", [(32, True), (40, True), (37, True), (45, True), (44, False)]
)
def test_what_tools_found_may_lie_outside_the_total(total, adds_up):
    """What tools found and what was thought may each be in the total or beside it."""
    bill = {"promptTokenCount": 30, "responseTokenCount": 2, "totalTokenCount": total}
    told = bill | {"toolUsePromptTokenCount": 8, "thoughtsTokenCount": 5}
    assert adds_up is (not violations(with_bill(told)(session())))


@pytest.mark.capability("usage: cached tokens", side="client")
@pytest.mark.parametrize("cached, possible", [(0, True), (30, True), (31, False)])
def test_a_cache_holds_no_more_than_the_prompt(cached, possible):
    """Tokens from a cache are part of the prompt, so there are no more of them."""
    bill = {"promptTokenCount": 30, "responseTokenCount": 2, "totalTokenCount": 32}
    found = violations(with_bill(bill | {"cachedContentTokenCount": cached})(session()))
    assert possible is (not found)


@pytest.mark.parametrize("samples", [99_999, 15_999])
def test_a_clip_that_was_not_sent_as_it_is_is_found(samples):
    """A session that claims to be well and sent less than the clip, or more, is told how much it sent."""
    trace = session()
    header = msgspec.structs.replace(trace.header, audio_samples=samples)
    (found,) = violations(msgspec.structs.replace(trace, header=header))
    assert f"16000 of the clip's {samples} samples were sent" == found
