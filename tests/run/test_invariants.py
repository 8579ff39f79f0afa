"""What must hold of every session: every session of ours keeps it, and whatever breaks it is found."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
import os

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audio.clip import AudioClip, MemoryPcm
from harness.clock import run_virtual
from harness.emulator.ear.scripted import Line, Scripted
from harness.emulator.model.manners import Manners
from harness.run.attempt import record
from harness.run.invariants import MOST_TOLD, violations
from harness.session.drive import Session
from harness.session.feed import Feed
from harness.session.frames import Block, Frames, held
from harness.session.pace import Pacer
from harness.trace.trace import TimedEvent
from harness.wire.live.codec import audio_frame
from tests.integration.joined import Emulator
from tests.run.runs import breaking_once, resumable
from tests.session.memory import MODEL, Service, assignment, drive, polite


def session(seconds=1.0, **how):
    """Return the trace of a session that went well."""
    return run_virtual(drive(Service(polite(" hello")), assignment(seconds, **how)))[1]


def noise(seconds):
    """Return a clip of which no two chunks are alike, nor alike in two calls."""
    return AudioClip(pcm=MemoryPcm(os.urandom(round(seconds * 16000) * 2)))


def of_noise(seconds, how=Frames, **more):
    """Return an assignment over such a clip, made into messages by `how`."""
    return dataclasses.replace(assignment(seconds, **more), frames=how(noise(seconds), 100))


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


def meddled(change):
    """Return frames whose blocks hold other messages than they should, by `change(messages, start)`."""

    class Meddled(Frames):
        def block(self, start):
            block = super().block(start)
            messages = tuple(change(list(block.messages), start))
            return Block(messages, held(messages))

    return Meddled


def swapped(messages, start):
    """Return `messages`, two of them in the other's place."""
    return [messages[1], messages[0], *messages[2:]]


WRONG_BLOCKS = {
    "a frame of another place": lambda messages, _: [messages[0], messages[0], *messages[2:]],
    "two in each other's place": swapped,
    "another clip": lambda messages, _: Frames(noise(len(messages) / 10), 100).block(0).messages,
    "a frame cut short": lambda messages, _: [*messages[:-1], audio_frame(bytes(3000))],
    "a message of text": lambda messages, _: [b'{"realtimeInput":{"text":""}}', *messages[1:]],
}


@pytest.mark.parametrize("name", WRONG_BLOCKS)
def test_a_message_that_holds_other_samples_is_found(name):
    """Whatever the messages hold, it is told where it is not the clip's own samples in order, though all counts agree."""
    _, trace = run_virtual(
        drive(Service(polite(" hello")), of_noise(1.0, meddled(WRONG_BLOCKS[name])))
    )
    found = violations(trace)
    assert found[0].startswith("what was sent from sample 0 on is not the clip's: check sum")
    assert found == record(trace, "input", path=None, final=True).violations


@pytest.mark.parametrize("turns", ["manual", "auto"])
@pytest.mark.parametrize("step", [-1, 1])
def test_a_frame_sent_twice_or_skipped_is_found(monkeypatch, turns, step):
    """When the sender sends a message again, or passes one over, what left is told not to be the clip."""
    serves, calls = Feed.send_due, []

    def stumbles(feed, now):
        calls.append(feed)
        if len(calls) == 4:
            span = feed._span
            at, there = len(span.sent), span.messages
            span.messages = (*there[:at], there[at + step], *there[at + 1 :])
        return serves(feed, now)

    monkeypatch.setattr(Feed, "send_due", stumbles)
    _, trace = run_virtual(drive(Service(polite(" hello")), of_noise(1.0, turns=turns)))
    assert any("is not the clip's" in one for one in violations(trace)), violations(trace)


def test_another_place_on_resumption_is_found():
    """When a connection that goes on sends other samples than it is said to, that is told of this connection alone."""
    later = meddled(lambda messages, start: messages[1:] + messages[:1] if start else messages)
    todo = dataclasses.replace(of_noise(3.0, later), setup=resumable(MODEL))
    service = breaking_once()
    answer = service.answer

    def holds(line, frame):
        answer(line, frame)
        if line.chunks == 10 and not line.resumed:
            line.say({"sessionResumptionUpdate": {"newHandle": "i", "resumable": True}})

    service.answer = holds
    _, trace = run_virtual(drive(service, todo))
    (seam,) = (e.frame["seam"]["offset"] for e in trace.events if "seam" in e.frame)
    assert 16_000 == seam
    (found,) = violations(trace)
    assert found.startswith(f"what was sent from sample {seam} on is not the clip's")


@given(st.data())
def test_a_note_of_what_was_sent_cannot_be_altered(data):
    """Whichever number of such a note is changed, or the note is missing or doubled, the trace is found to be broken."""
    trace = run_virtual(drive(Service(polite(" x")), of_noise(0.5, turns="auto")))[1]
    assert () == violations(trace)
    notes = [n for n, e in enumerate(trace.events) if e.dir == "!" and "sent" in e.frame]
    assert ["offset", "silence"] == [next(iter(trace.events[n].frame["sent"])) for n in notes]
    at, how = (
        data.draw(st.sampled_from(notes)),
        data.draw(st.sampled_from(["less", "more", "none"])),
    )
    name = data.draw(st.sampled_from(["offset", "silence", "bytes", "crc32", "clip_crc32"]))

    def told(events):
        note = copy.deepcopy(events[at].frame)
        if how == "none" or name not in note["sent"]:
            del events[at]
            return
        note["sent"][name] += 2 if how == "more" else -2
        events[at] = msgspec.structs.replace(events[at], frame=note)

    assert violations(changed(trace, told))


@pytest.mark.parametrize("seconds", [1.0, 90.0])
def test_a_clip_that_is_gone_is_told_once_and_hides_nothing(seconds):
    """When a clip's file vanishes before the trace is written, its row says so once; what is broken is found all the same."""

    class Gone(Frames):
        def crc32(self, start, samples):
            raise FileNotFoundError

    _, trace = run_virtual(drive(Service(polite(" hello")), of_noise(seconds, Gone)))
    assert None is trace.header.audio_crc32
    told = record(trace, "input", path=None, final=True)
    gone = f"it is gone, so {seconds:g} s of what was sent cannot be held against it"
    assert ("ok", f"the audio: {gone}", ()) == (told.outcome, told.reason, told.violations)
    (found,) = violations(twice("<", "setupComplete")(trace))
    assert "setupComplete came twice on one connection" == found


def test_traces_without_notes_of_what_was_sent_stand():
    """A trace of an earlier version, which has neither check sums nor notes, breaks nothing."""
    trace = session()
    kept = [event for event in trace.events if "sent" not in event.frame]
    header = msgspec.structs.replace(trace.header, audio_crc32=None)
    assert () == violations(msgspec.structs.replace(trace, header=header, events=kept))


def bundled(line, frame):
    """Say a call of a function and the end of the turn in one read, which share its time."""
    if "setup" in frame:
        line.say({"setupComplete": {}})
    elif "activityEnd" in frame.get("realtimeInput", {}):
        line.loop.call_later(0.1, together, line)


def together(line):
    """Hand over two messages with the time of one read; what is dealt with between them takes its own."""
    t = line.loop.time()
    for text in (" one", " two"):
        said = {"serverContent": {"inputTranscription": {"text": text}}}
        line.listener.received(json.dumps(said).encode(), t)
        line.listener._rec.noted(t + 0.01, {"between": text})  # what an errand does


def test_messages_of_one_read_keep_their_time():
    """What arrived with a message that was answered first keeps the time of its arrival, and its place behind the answer."""
    _, trace = run_virtual(drive(Service(bundled), assignment(1.0)))
    first, second = (e for e in trace.events if e.dir == "<" and "serverContent" in e.frame)
    assert None is first.came
    assert (first.t, pytest.approx(first.t + 0.01)) == (second.came, second.t)
    assert () == violations(trace)


@pytest.mark.parametrize("direction", ["<", ">", "!"])
def test_a_time_that_was_put_right_is_found(direction):
    """Of all other events a time before that of the one ahead of it is a fault, of the clock or ours, and told."""
    trace = session()
    at = max(n for n, e in enumerate(trace.events) if e.dir == direction)

    def earlier(events):
        events[at] = msgspec.structs.replace(events[at], came=events[at].t - 0.5)

    (found,) = violations(changed(trace, earlier))
    assert found.startswith("time goes back from ")


def test_a_clock_that_goes_back_is_found():
    """When the loop's clock jumps back in the midst of a session, its trace says so."""
    service = Service(polite(" hello"))

    async def jumping():
        loop = asyncio.get_running_loop()
        todo = assignment(1.0)
        session = Session(todo, service.connect, Pacer(loop))
        received = service.answer

        def late(line, frame):
            if "activityEnd" in frame.get("realtimeInput", {}):
                line.listener.received(b'{"serverContent":{}}', loop.time() - 0.5)
            received(line, frame)

        service.answer = late
        return (await session.run()).recorder.trace()[0]

    (found,) = violations(run_virtual(jumping()))
    assert found.startswith("time goes back from ")


def test_a_seam_has_the_time_at_which_it_was_noted():
    """A sample that is due later than its seam is noted does not hold up the times of what comes between."""
    todo = dataclasses.replace(assignment(3.0), setup=resumable(MODEL))
    _, trace = run_virtual(drive(breaking_once(), todo))
    (at,) = (n for n, e in enumerate(trace.events) if e.dir == "!" and "seam" in e.frame)
    seam, then = trace.events[at], trace.events[at + 1 :]
    due = seam.t + seam.frame["seam"]["due_in_s"]
    audio = next(e for e in then if "audio" in e.frame.get("realtimeInput", {}))
    assert 0 < seam.frame["seam"]["due_in_s"]
    assert due + 0.1 == pytest.approx(audio.t, abs=1e-6)
    assert all(event.came is None for event in trace.events)


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
