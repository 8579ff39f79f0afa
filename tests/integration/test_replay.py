"""Connections that break off without warning: what was heard before is kept, the rest is sent again, and nothing is lost."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.audio.clip import AudioClip, MemoryPcm
from harness.clock import run_virtual
from harness.emulator.conversation.handles import Handles
from harness.emulator.door.serve import Service, listen, stop
from harness.emulator.ear.ear import Appetite
from harness.emulator.ear.scripted import Line, Scripted
from harness.emulator.model.manners import Manners
from harness.emulator.quirks.mischief import Mischief, parsed
from harness.report.assembly import run_table
from harness.report.rows.bounds import SpeechBook
from harness.run.bill import bill_usd, spent_usd
from harness.run.demand import estimate_usd, transcription
from harness.run.folder import read_journal
from harness.run.rate import RateLimit
from harness.secret import Secret
from harness.session.course import MOST_IDLE
from harness.session.transport import connect
from harness.trace.file import read_trace
from harness.trace.trace import audio_sent
from harness.units import SAMPLE_RATE
from harness.wire.live import endpoint as live
from harness.wire.live.messages import (
    ContextWindowCompressionConfig,
    SessionResumptionConfig,
    SlidingWindow,
)
from harness.wire.live.setups import transcription_setup
from tests.integration.joined import Emulator
from tests.integration.numbered import Perfect, recording, reference
from tests.integration.socketless import run_socketless, served
from tests.run.runs import plan, run, utterance

MODEL = "gemini-live-2.5-flash"
VERTEX = live.vertex(Secret("t-o-k-e-n"), project="p", url="ws://127.0.0.1:1")

PHRASES = Appetite(piece_s=None)
"""Of an ear that takes phrase by phrase: what it has heard, the service has consumed."""

SLIDING = ContextWindowCompressionConfig(sliding_window=SlidingWindow())
TRANSPARENT = SessionResumptionConfig(transparent=True)
PLAIN = SessionResumptionConfig()


class Breaking(Emulator):
    """An emulator whose connections are cut off at given instants, in s of the run, without a word."""

    def __init__(self, ear, manners, breaks) -> None:
        super().__init__(ear, manners)
        self.breaks = breaks
        self.cut = 0
        """How many connections were open to be cut off."""

        self.opened: list[float] = []
        """When each connection was, s of the run."""

    async def connect(self, endpoint, listener):
        joint = await super().connect(endpoint, listener)
        self.opened.append(joint.loop.time())
        if len(self.joints) == 1:
            for instant in self.breaks:
                joint.loop.call_at(instant, self.cut_off)
        return joint

    def cut_off(self) -> None:
        if not self.joints[-1].over:
            self.cut += 1
            self.joints[-1].end(1006, "", False)


def planned(pcm, **more):
    """Return a plan of one recording of numbered words."""
    said = " ".join(reference(pcm))
    one = msgspec.structs.replace(utterance(0, len(pcm) / 2 / SAMPLE_RATE), reference=said)
    return plan([one], models=(MODEL,), **more)


def prepared(turns="manual", resumption=None, compression=None):
    """Return the setup of a transcription on Vertex AI."""
    return msgspec.structs.replace(
        transcription_setup(MODEL, turns=turns, transcript="input"),
        model=VERTEX.model_name(MODEL),
        session_resumption=resumption,
        context_window_compression=compression,
    )


def broken(folder, *, breaks, minutes=4.0, turns="manual", resumption=None, limit_s=120.0, lead_s=30.0, manners=None,
           compression=SLIDING, **more):  # fmt: skip
    """Return what came of one long recording whose connections break off."""
    pcm = recording(minutes)
    made = planned(pcm, turns=turns)
    limits = {"connection_s": limit_s, "go_away_lead_s": lead_s, "session_s": 36_000.0}
    emulator = Breaking(Perfect(appetite=PHRASES), Manners(**(limits | (manners or {}))), breaks)
    clip = AudioClip(pcm=MemoryPcm(pcm))
    tally = run_virtual(
        run(
            made,
            folder,
            emulator,
            load=lambda _: clip,
            setups={MODEL: prepared(turns, resumption, compression)},
            endpoint=lambda: VERTEX,
            **more,
        )
    )
    return found_in(folder, made, pcm, emulator=emulator, tally=tally)


def found_in(folder, made, pcm, **more):
    """Return what a run left behind."""
    records = read_journal(folder)
    return SimpleNamespace(
        said=reference(pcm),
        pcm=pcm,
        records=records,
        last=records[-1],
        plan=made,
        folder=folder,
        traces=[read_trace(folder / record.trace) for record in records],
        **more,
    )


def reported(found):
    """Return the table of a run."""
    book = SpeechBook(found.folder)
    return run_table(
        found.folder, found.plan, read_journal(found.folder), book, profile="norm-1n", metric="WER"
    )


def sent_samples(trace) -> int:
    """Return how much of the clip was sent, whatever was sent twice counted twice."""
    return sum(a["samples"] for a in map(audio_sent, trace.events) if a and "offset" in a)


def assert_whole(found, attempts=1) -> None:
    """Assert that every word was heard once, in order, by the last attempt, which sent no more than it says."""
    assert found.said == (found.last.hypothesis or "").split()
    assert ("ok", attempts, True) == (found.last.outcome, found.last.attempt, found.last.final)
    assert () == found.last.violations
    again = sum(replay.samples for replay in found.last.replays)
    assert len(found.pcm) // 2 + again == sent_samples(found.traces[-1])


INSTANTS = st.lists(st.floats(1.0, 70.0), min_size=1, max_size=3)
"""More would be too many in a row that come no further."""


@pytest.mark.capability("long sessions: replay and seams")
@pytest.mark.timeout(240)
@settings(max_examples=12)
@given(
    breaks=INSTANTS,
    turns=st.sampled_from(["manual", "auto"]),
    resumption=st.sampled_from([TRANSPARENT, PLAIN]),
)
def test_whenever_it_breaks_every_word_is_heard_once(tmp_path_factory, breaks, turns, resumption):
    """At whatever instants connections break, between turns, within words, while one is resumed: the transcript is whole."""
    found = broken(
        tmp_path_factory.mktemp("run"),
        breaks=breaks,
        minutes=1.0,
        turns=turns,
        resumption=resumption,
        limit_s=30.0,
        lead_s=10.0,
    )
    assert_whole(found, attempts=len(found.records))
    for record, trace in zip(found.records[:-1], found.traces, strict=False):
        # A first turn whose end was told and not heard out: its handle is behind it, and there is nothing before it.
        assert ("partial", "transient") == (record.outcome, record.failure)
        assert any((e.frame.get("serverContent") or {}).get("turnComplete") for e in trace.events)
        assert all(replay.offset for replay in record.replays)


@pytest.mark.capability("long sessions: replay and seams")
@pytest.mark.capability("long sessions: context-window compression")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("turns", ["manual", "auto"])
def test_a_long_recording_is_paid_once(tmp_path, turns):
    """A recording over four connections and six breaks: every word once, and what was sent again is what was unconsumed.

    That is at most a phrase and the pause behind it, six times.
    """
    found = broken(
        tmp_path,
        breaks=[28.1, 183.6, 184.05, 331.3, 510.0, 624.0],
        minutes=10.5,
        turns=turns,
        resumption=TRANSPARENT,
        limit_s=180.0,
    )
    assert_whole(found)
    assert 6 == found.emulator.cut == len(found.last.replays)
    assert {"index"} == {replay.known_by for replay in found.last.replays}
    assert all(0 <= replay.samples / SAMPLE_RATE < 9.0 for replay in found.last.replays)


@pytest.mark.capability("long sessions: replay and seams")
@pytest.mark.parametrize("resumption, known_by", [(PLAIN, "position"), (TRANSPARENT, "index"), (None, "turn")])  # fmt: skip
def test_a_break_takes_back_no_more_than_it_must(tmp_path, resumption, known_by):
    """A break in the second turn of a clip: what the service had consumed is kept, else the first turn at least."""
    found = broken(tmp_path, breaks=[150.0], resumption=resumption)
    assert_whole(found)
    (replay,) = found.last.replays
    assert (known_by, "closed 1006") == (replay.known_by, replay.why)
    second = next(
        e.frame["seam"]["offset"] for e in found.traces[0].events if e.dir == "!" and "seam" in e.frame
    )  # fmt: skip
    if resumption is TRANSPARENT:
        assert second < replay.offset
    else:
        assert second == replay.offset
    assert found.last.send_lag_p99_ms < 1  # what is sent again is paced like the rest


def test_a_break_in_the_first_turn_without_a_handle_begins_anew(tmp_path):
    """Where there is nothing to go back to, the attempt fails as such, and the next one has every word once."""
    found = broken(tmp_path, breaks=[20.0], minutes=1.0)
    first, second = found.records
    assert ("partial", "transient", False) == (first.outcome, first.failure, first.final)
    assert ("ok", 2, ()) == (second.outcome, second.attempt, second.replays)
    assert found.said == second.hypothesis.split()


class Forgetful(Handles):
    """Handles that are all stale."""

    def find(self, handle):
        return None


@pytest.mark.parametrize("breaks, attempts", [([20.0], 2), ([150.0], 1)])
def test_a_stale_handle_is_given_up(tmp_path, monkeypatch, breaks, attempts):
    """A handle that is refused is not tried again: the turn begins anew, or the attempt where that is its first."""
    monkeypatch.setattr("harness.cli.joined.Handles", Forgetful)
    found = broken(tmp_path, breaks=breaks, resumption=TRANSPARENT)
    assert attempts == found.last.attempt
    assert found.said == found.last.hypothesis.split()
    assert ["turn"] * (attempts == 1) == [one.known_by for one in found.last.replays]


def test_a_service_that_always_breaks_is_left(tmp_path):
    """Connections that come no further are tried a bounded number of times, in attempts as ever."""
    found = broken(
        tmp_path, breaks=[0.5 * n for n in range(1, 200)], minutes=1.0, resumption=TRANSPARENT
    )
    assert 3 == found.last.attempt
    assert ("transient", True) == (found.last.failure, found.last.final)
    assert len(found.emulator.joints) <= 3 * (MOST_IDLE + 2)


@pytest.mark.capability("long sessions: limits of sessions and connections")
def test_a_session_whose_time_is_over_is_begun_anew(tmp_path):
    """Without compression a session ends after a quarter of an hour, however often it is resumed: a fresh one goes on."""
    found = broken(
        tmp_path,
        breaks=[],
        resumption=PLAIN,
        compression=None,
        manners={"session_s": 150.0},
    )
    assert_whole(found)
    assert 1 == found.last.attempt


def test_what_broke_off_is_billed_by_estimate(tmp_path):
    """Usage that no bill tells of, of a broken connection, is the audio it sent since the last one: estimated, and said so."""
    found = broken(tmp_path, breaks=[150.0], resumption=PLAIN)
    (replay,) = found.last.replays
    assert replay.samples == found.last.unbilled_samples
    billed = bill_usd(MODEL, found.last.usage)
    more = estimate_usd(MODEL, transcription(replay.samples / SAMPLE_RATE))
    assert 0 < more
    assert billed + more == pytest.approx(spent_usd(found.last))
    table = reported(found)
    (row,) = table.rows
    assert more == pytest.approx(row.unbilled_usd)
    told = " ".join(one.text for one in table.summary.warnings)
    assert "Attempts or connections of 1 session ended without a bill" in told
    assert "0 tokens were lost and 0 doubled or made up. 1 connection broke off" in told


def test_every_connection_counts_against_the_rate(tmp_path):
    """With one session in two minutes, connections that go on with a clip wait for their turn as others do."""
    found = broken(
        tmp_path, breaks=[150.0], minutes=3.0, resumption=TRANSPARENT, rate=RateLimit(sessions=0.5)
    )
    assert_whole(found)
    gaps = [later - sooner for sooner, later in pairwise(found.emulator.opened)]
    assert 2 <= len(gaps)
    assert min(gaps) > 119.9


@pytest.mark.parametrize("spare, connections", [(1.2, 2), (0.8, 1)])
def test_what_is_sent_again_is_within_the_budget(tmp_path, spare, connections):
    """A break is gone on with when the budget allows what must be sent again, and ends the run when it does not."""
    seconds = len(recording(1.0)) / 2 / SAMPLE_RATE
    again = estimate_usd(MODEL, transcription(40.0))
    budget = estimate_usd(MODEL, transcription(seconds)) + spare * again
    found = broken(tmp_path, breaks=[40.0], minutes=1.0, resumption=PLAIN, budget_usd=budget)
    assert connections == len(found.emulator.joints)
    assert (connections == 1) == (found.tally.stopped is not None)
    assert found.tally.cost_usd == pytest.approx(sum(map(spent_usd, found.records)))
    assert found.tally.cost_usd < budget


class Cutting(Perfect):
    """An ear at whose first hearing of certain words something is done."""

    def __init__(self, words, cut) -> None:
        super().__init__(appetite=PHRASES)
        self.words = set(words)
        self.cut = cut

    async def hear(self, pcm, *, last):
        if found := self.words & set(reference(pcm)):
            self.words -= found
            asyncio.get_running_loop().call_later(0.01, self.cut)
        async for word in super().hear(pcm, last=last):
            yield word


@pytest.mark.wall
@pytest.mark.capability("long sessions: replay and seams")
@pytest.mark.parametrize("turns", ["manual", "auto"])
def test_sockets_that_are_reset_lose_nothing(tmp_path, turns):
    """Over real sockets, at twenty times real time: three resets in the midst of a clip, and every word is heard once."""
    pcm = recording(1.0)
    made = planned(pcm, turns=turns, pace=20.0)
    clip = AudioClip(pcm=MemoryPcm(pcm))

    def cut():
        for connection in list(service.connections):
            connection.abort()

    service = Service(ear=Cutting(["w15", "w44", "w73"], cut), sessions=10)

    async def streamed():
        server = await listen(service, "127.0.0.1", 0)
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        where = live.vertex(Secret("t-o-k-e-n"), project="p", url=url)
        try:
            return await run(
                made,
                tmp_path,
                SimpleNamespace(connect=connect),
                load=lambda _: clip,
                setups={MODEL: prepared(turns, TRANSPARENT)},
                endpoint=lambda: where,
            )
        finally:
            await stop(service, [server])

    asyncio.run(streamed())
    found = found_in(tmp_path, made, pcm)
    assert_whole(found)
    assert 3 == len(found.last.replays) == service.served - 1
    assert {"index"} == {replay.known_by for replay in found.last.replays}


@pytest.mark.capability("long sessions: replay and seams")
@pytest.mark.parametrize("resumption, known_by", [(PLAIN, "position"), (TRANSPARENT, "index")])
def test_what_a_late_handle_does_not_know_is_lost_or_known(tmp_path, resumption, known_by):
    """Said before a handle came, and unknown to it, audio is lost unless the service says which message was its last."""
    emulator = Service(
        ear=Scripted({"*": Line(fragments=[" {seconds}"])}),
        sessions=2,
        mischief=Mischief(parsed(["late-handles=300ms", "close=internal@audio", "first=1"])),
    )
    made = planned(recording(0.5))

    async def whole():
        async with served(emulator):
            here = SimpleNamespace(connect=connect)
            setups = {MODEL: prepared(resumption=resumption, compression=SLIDING)}
            await run(made, tmp_path, here, setups=setups, endpoint=lambda: VERTEX)

    run_socketless(whole())
    [record] = read_journal(tmp_path)
    [replay] = record.replays
    heard = sum(map(float, record.hypothesis.split()))
    lost = made.utterances[0].duration_s - heard
    assert known_by == replay.known_by
    assert lost == pytest.approx(replay.offset / SAMPLE_RATE, abs=0.1)
    assert ({"position": 0.2, "index": 0.0}[known_by]) == pytest.approx(lost, abs=0.1)
