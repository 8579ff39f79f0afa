"""Whole runs in virtual time: every slot ends once, whatever the service does."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import nullcontext
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import VirtualTimeLoop, run_virtual
from harness.errors import InputError, RefusedError
from harness.report.assembly import run_table
from harness.report.rows.bounds import SpeechBook
from harness.report.summary.retelling import miscounted
from harness.run import stream
from harness.run.folder import read_journal, slots, unfinished
from harness.run.pool import ABSENCES
from harness.session import stock
from harness.trace.file import read_trace
from tests.run.runs import final_slots, plan, run, utterance
from tests.session.memory import MODEL, Service, polite

QUOTA = "You exceeded your current quota, please check your plan and billing details."


class Crowded(Service):
    """Admits so many sessions at once and refuses more for quota, as the service does."""

    def __init__(self, admits: int) -> None:
        super().__init__(self._answer)
        self.admits = admits
        self.inside: set = set()
        self.most = 0

    async def connect(self, endpoint, listener):
        line = await super().connect(endpoint, listener)
        hang_up = line.hang_up

        def leave(*args, **more):
            self.inside.discard(line)
            hang_up(*args, **more)

        line.hang_up = leave
        return line

    def _answer(self, line, frame):
        if "setup" in frame:
            if len(self.inside) >= self.admits:
                line.hang_up(1011, QUOTA)
                return
            self.inside.add(line)
            self.most = max(self.most, len(self.inside))
        polite(" hello")(line, frame)


@settings(max_examples=20)
@given(st.integers(1, 12), st.integers(1, 3), st.integers(1, 6))
def test_every_slot_ends_exactly_once(tmp_path_factory, count, repeats, concurrency):
    """Utterances × models × repeats each get exactly one final record, whatever the concurrency."""
    folder = tmp_path_factory.mktemp("run")
    made = plan(
        [utterance(n, 0.2) for n in range(count)], models=(MODEL, "another-model"), repeats=repeats
    )
    tally = run_virtual(run(made, folder, Service(polite(" hello")), concurrency=concurrency))
    assert sorted(slots(made)) == sorted(final_slots(folder))
    assert count * repeats * 2 == tally.done == tally.wanted
    assert 0 == tally.failed


def test_sessions_at_once_are_bounded(tmp_path):
    """Never more sessions are open than asked for, and that many are."""
    crowd = Crowded(1000)
    run_virtual(run(plan([utterance(n, 2.0) for n in range(30)]), tmp_path, crowd, concurrency=7))
    assert 7 == crowd.most


@pytest.mark.parametrize("admits", [1, 3])
def test_a_quota_makes_utterances_wait_not_fail(tmp_path, admits):
    """A service that admits fewer sessions than we open refuses some; every utterance is transcribed all the same."""
    crowd = Crowded(admits)
    made = plan([utterance(n, 1.0) for n in range(60)])
    tally = run_virtual(run(made, tmp_path, crowd, concurrency=16))
    records = read_journal(tmp_path)
    assert sorted(slots(made)) == sorted(final_slots(tmp_path))
    assert {"ok"} == {r.outcome for r in records if r.final}
    assert tally.quota_waits == sum(r.failure == "quota" for r in records)
    assert 0 < tally.quota_waits < 120
    assert admits == crowd.most


def test_concurrency_recovers_when_the_quota_does(tmp_path):
    """When the service admits more again, more sessions are opened again."""
    crowd = Crowded(2)

    def widen(pool):
        asyncio.get_running_loop().call_later(60, setattr, crowd, "admits", 8)

    run_virtual(
        run(
            plan([utterance(n, 1.0) for n in range(200)]),
            tmp_path,
            crowd,
            concurrency=8,
            meddle=widen,
        )
    )
    assert 8 == crowd.most


def test_a_transient_failure_is_tried_again(tmp_path):
    """Two breaks and a success leave three records, of which the last is final and ok, and three traces."""
    times = Counter()

    def shaky(line, frame):
        if "setup" in frame:
            times["n"] += 1
            if times["n"] <= 2:
                line.hang_up(1011, "Internal error encountered.")
                return
        polite(" hello")(line, frame)

    run_virtual(run(plan([utterance(0)]), tmp_path, Service(shaky)))
    records = read_journal(tmp_path)
    assert [(1, False), (2, False), (3, True)] == [(r.attempt, r.final) for r in records]
    assert ["failed_server", "failed_server", "ok"] == [r.outcome for r in records]
    assert ["transient", "transient", None] == [r.failure for r in records]
    assert 3 == len({read_trace(tmp_path / r.trace).header.attempt for r in records})


def test_a_lasting_failure_ends_after_three_attempts(tmp_path):
    """A service that always breaks is given three attempts an utterance; the rows say why, and the run ends."""

    def broken(line, frame):
        if "setup" in frame:
            line.hang_up(1011, "Internal error encountered.")

    tally = run_virtual(run(plan([utterance(n) for n in range(5)]), tmp_path, Service(broken)))
    finals = [r for r in read_journal(tmp_path) if r.final]
    assert 5 == len(finals) == tally.failed
    assert {("failed_server", 3, "closed 1011: Internal error encountered.")} == {
        (r.outcome, r.attempt, r.reason) for r in finals
    }


def refuse(code, reason):
    """Return a service that refuses every setup."""

    def answer(line, frame):
        if "setup" in frame:
            line.hang_up(code, reason)

    return Service(answer)


@pytest.mark.parametrize(
    "code, reason, words",
    [
        (1007, "API key not valid. Please pass a valid API key.", "credentials"),
        (
            1008,
            f"models/{MODEL} is not found for API version v1beta, or is not supported",
            f"the model {MODEL}\n",
        ),
        (1007, "Request contains an invalid argument.", f"the configuration of {MODEL}\n"),
    ],
)
def test_what_refuses_everything_is_told_at_the_first_refusal(tmp_path, code, reason, words):
    """A refused key, model or configuration ends the run after as many sessions as were open, and nothing is final."""
    service = refuse(code, reason)
    with pytest.raises(RefusedError) as error:
        run_virtual(
            run(plan([utterance(n) for n in range(1000)]), tmp_path, service, concurrency=4)
        )
    assert words in str(error.value)
    assert reason in str(error.value)
    assert len(service.lines) <= 8
    assert [] == final_slots(tmp_path)


def test_a_key_refused_in_the_middle_ends_the_run(tmp_path):
    """A key that is refused after good sessions ends the run as refused: what is open ends, the rest waits for a key."""
    times = Counter()

    def expires(line, frame):
        if "setup" in frame:
            times["n"] += 1
            if times["n"] == 10:
                line.hang_up(1007, "API key expired. Please renew the API key.")
                return
        polite(" hello")(line, frame)

    made = plan([utterance(n, 1.0 + n / 10) for n in range(40)])
    with pytest.raises(RefusedError, match="credentials"):
        run_virtual(run(made, tmp_path, Service(expires), concurrency=4))
    records = read_journal(tmp_path)
    assert (10, 9) == (times["n"], len(final_slots(tmp_path)))
    assert {"ok"} == {r.outcome for r in records if r.final}
    assert [("auth", False)] == [(r.failure, r.final) for r in records if r.failure]
    run_virtual(run(made, tmp_path, Service(polite(" hello"))))
    assert sorted(slots(made)) == sorted(final_slots(tmp_path))


def test_failures_count_over_sittings(tmp_path):
    """An utterance that broke off twice before a stop has one attempt left after it, as if nothing had stopped."""

    def broken(line, frame):
        if "setup" in frame:
            line.hang_up(1011, "Internal error encountered.")

    made = plan([utterance(0)])

    async def cut():
        task = asyncio.create_task(run(made, tmp_path, Service(broken)))
        while len(read_journal(tmp_path)) < 2:  # noqa: ASYNC110 - no event tells of a line in a file
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_virtual(cut())
    run_virtual(run(made, tmp_path, Service(broken)))
    records = read_journal(tmp_path)
    assert [(1, False), (2, False), (3, True)] == [(r.attempt, r.final) for r in records]


def test_one_refused_model_does_not_end_the_others(tmp_path):
    """When one of two models is refused, its utterances are failed rows with the reason and the other's are done."""

    def answer(line, frame):
        if "setup" in frame and "odd" in frame["setup"].get("model", ""):
            line.hang_up(
                1008, "models/odd is not found for API version v1beta, or is not supported"
            )
            return
        polite(" hello")(line, frame)

    made = plan([utterance(n) for n in range(20)], models=(MODEL, "odd"))
    run_virtual(run(made, tmp_path, Service(answer), concurrency=3))
    finals = [r for r in read_journal(tmp_path) if r.final]
    assert 40 == len(finals)
    assert {"ok"} == {r.outcome for r in finals if r.model == MODEL}
    odd = [r for r in finals if r.model == "odd"]
    assert {"model_not_found"} == {r.failure for r in odd}
    assert all("is not found" in r.reason for r in odd)
    assert sum(r.trace is not None for r in odd) <= 3


def test_nothing_at_the_address_ends_the_run(tmp_path):
    """When nothing answers, the run ends after one utterance's attempts, with an error about the place."""
    service = Service(
        lambda line, _: line.hang_up(None, "cannot connect", unreachable=True), upgraded=False
    )
    with pytest.raises(InputError, match="nothing answers"):
        run_virtual(
            run(plan([utterance(n) for n in range(1000)]), tmp_path, service, concurrency=2)
        )
    assert len(service.lines) <= 3 + 5


def test_an_unreadable_clip_is_a_row(tmp_path):
    """A clip that cannot be read is a final row that says why; the others are done, and nothing was sent for it."""
    import msgspec

    lost = msgspec.structs.replace(utterance(1), duration_s=None)
    service = Service(polite(" hello"))
    tally = run_virtual(run(plan([utterance(0), lost, utterance(2)]), tmp_path, service))
    by_id = {r.utterance: r for r in read_journal(tmp_path)}
    assert ("failed_client", "input", None) == (
        by_id["u0001"].outcome,
        by_id["u0001"].failure,
        by_id["u0001"].trace,
    )
    assert "no such file" in by_id["u0001"].reason
    assert {"ok"} == {by_id["u0000"].outcome, by_id["u0002"].outcome}
    assert (3, 1, 2) == (tally.done, tally.failed, len(service.lines))


def test_a_stop_drains_and_the_same_run_continues(tmp_path):
    """After a stop the open sessions end; going on does what is missing, and nothing twice."""
    made = plan([utterance(n) for n in range(20)])
    first = Service(polite(" hello"))
    tally = run_virtual(
        run(
            made,
            tmp_path,
            first,
            concurrency=4,
            meddle=lambda pool: asyncio.get_running_loop().call_later(1.5, pool.stop, "test"),
        )
    )
    assert "test" == tally.stopped
    assert 4 == len(final_slots(tmp_path)) == sum(bool(line.heard) for line in first.lines)
    second = Service(polite(" hello"))
    run_virtual(run(made, tmp_path, second, concurrency=4))
    assert 16 == len(second.lines)
    assert sorted(slots(made)) == sorted(final_slots(tmp_path))


def test_a_stop_begins_no_session_whose_connection_was_opening(tmp_path):
    """What is still connecting when a run is stopped asks for no session, one after the other though they arrive."""
    service = Service(polite(" hello"))
    arrive = service.connect

    async def connect(endpoint, listener):
        service.waiting += 1
        await asyncio.sleep(service.waiting)
        return await arrive(endpoint, listener)

    service.connect, service.waiting = connect, 0
    made = plan([utterance(n) for n in range(8)])
    tally = run_virtual(
        run(
            made,
            tmp_path,
            service,
            meddle=lambda pool: asyncio.get_running_loop().call_later(0.5, pool.stop, "test"),
        )
    )
    assert 1 < service.waiting == len(service.lines)
    assert (0, []) == (tally.attempts, [line for line in service.lines if line.heard])


@pytest.mark.parametrize("cut", [False, True])
def test_a_stop_waits_for_no_clip(tmp_path, cut):
    """Clips that take an hour to convert hold no stopped run up; what is open ends first, unless the run is cut off."""
    made = plan([utterance(n) for n in range(8)])

    def meddle(pool):
        ready = pool._work.prepare

        async def prepare(slot):
            await asyncio.sleep(3600.0 * (slot[1] > "u0001"))
            return await ready(slot)

        pool._work.prepare = prepare
        asyncio.get_running_loop().call_later(1.0, pool.stop, "test")

    async def stopped():
        loop = asyncio.get_running_loop()
        begun = loop.time()
        work = asyncio.create_task(
            run(made, tmp_path, Service(polite(" hello")), concurrency=8, meddle=meddle)
        )
        if cut:
            loop.call_later(0.5, work.cancel)
        await asyncio.wait([work])
        return work, loop.time() - begun

    work, took_s = run_virtual(stopped())
    assert took_s < 60
    assert cut == work.cancelled()
    assert (0 if cut else 2) == len(final_slots(tmp_path))


def test_a_cut_run_continues(tmp_path):
    """A run that is cut down in the middle, sessions open, continues: every slot ends once."""
    made = plan([utterance(n) for n in range(20)])

    async def cut():
        task = asyncio.create_task(run(made, tmp_path, Service(polite(" hello"))))
        await asyncio.sleep(5.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_virtual(cut())
    done = len(final_slots(tmp_path))
    assert 0 < done < 20
    service = Service(polite(" hello"))
    run_virtual(run(made, tmp_path, service))
    assert 20 - done == len(service.lines)
    assert sorted(slots(made)) == sorted(final_slots(tmp_path))


def test_the_budget_stops_the_run_cleanly(tmp_path):
    """No session is begun after the budget is spent; what was open is kept, the rest is unattempted."""

    def dear(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            line.say({"serverContent": {"inputTranscription": {"text": " hello"}}})
            bill = {
                "promptTokenCount": 1_000_000,
                "totalTokenCount": 1_000_000,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 1_000_000}],
            }
            line.say({"serverContent": {"turnComplete": True}, "usageMetadata": bill})

    service = Service(dear)
    tally = run_virtual(
        run(
            plan([utterance(n) for n in range(50)]),
            tmp_path,
            service,
            concurrency=2,
            budget_usd=10.0,
        )
    )
    assert "budget" in tally.stopped
    assert 10.0 <= tally.cost_usd <= 10.0 + 2 * 3.0
    assert tally.done == len(service.lines) < 50


def test_a_run_is_deterministic(tmp_path):
    """In virtual time the same run leaves the same journal, times of day aside."""
    import msgspec

    journals = []
    for name in ("a", "b"):
        folder = tmp_path / name
        run_virtual(run(plan([utterance(n) for n in range(12)]), folder, Crowded(3), concurrency=6))
        journals.append([msgspec.structs.replace(r, started_at="") for r in read_journal(folder)])
    assert journals[0] == journals[1]


def test_virtual_time_is_really_virtual(tmp_path):
    """Ten one-minute sessions, half at a time, end after their two minutes on a clock that nobody waits for."""
    loop = VirtualTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(
            run(
                plan([utterance(n, 60.0) for n in range(10)]),
                tmp_path,
                Service(polite(" x")),
                concurrency=5,
            )
        )
        assert 120 < loop.time() < 140


def vanishing(since, until=float("inf"), *, mute_until=0.0, status=None, **more):
    """Return a service that answers nobody between two times, and how often it was knocked at then.

    Who knocks hears at once that nobody is there, but not before `mute_until`; with a `status` a proxy says it.
    """
    service = Service(polite(" hello"))
    whole = service.connect
    knocks = []

    async def connect(endpoint, listener):
        now = asyncio.get_running_loop().time()
        if not since < now < until:
            return await whole(endpoint, listener)
        knocks.append(now)
        await asyncio.sleep(max(0.0, mute_until - now))
        broken = Service(
            lambda line, _: line.hang_up(
                None, "no route", status=status, unreachable=status is None, **more
            ),
            upgraded=False,
        )
        return await broken.connect(endpoint, listener)

    service.connect = connect
    return service, knocks


def test_an_outage_pauses_the_run_and_fails_nothing(tmp_path):
    """When the network is gone for a minute, every utterance is transcribed all the same once it is back."""
    service, knocks = vanishing(5.0, 65.0)
    tally = run_virtual(
        run(plan([utterance(n) for n in range(100)]), tmp_path, service, concurrency=8)
    )
    assert (100, 0, None) == (tally.done, tally.failed, tally.absent)
    assert {"ok"} == {r.outcome for r in read_journal(tmp_path) if r.final}
    assert 0 < len(knocks)


def test_many_that_find_nobody_at_once_find_nobody_once(tmp_path):
    """When more connections than are tried one after another fail in one instant, that is one absence: all are tried again."""
    service, knocks = vanishing(0.5, 6.0, mute_until=4.0)
    many = 2 * ABSENCES
    made = plan([utterance(n) for n in range(2 * many)])
    tally = run_virtual(run(made, tmp_path, service, concurrency=many, budget_usd=1000.0))
    assert many == sum(t < 4.0 for t in knocks)
    assert (2 * many, 0, None) == (tally.done, tally.failed, tally.absent)
    assert {"ok"} == {r.outcome for r in read_journal(tmp_path) if r.final}


def test_a_service_that_is_gone_is_not_flooded(tmp_path):
    """However many sessions are asked for, one connection at a time looks whether anybody answers again, ever more rarely."""
    service, knocks = vanishing(5.0)
    made = plan([utterance(n) for n in range(400)])
    tally = run_virtual(run(made, tmp_path, service, concurrency=100))
    assert tally.absent == "no route"
    later = [t for t in knocks if t > knocks[0] + 1.0]
    assert 10 < len(later) <= ABSENCES
    assert all(late - early > 10 for early, late in pairwise(later[8:]))
    assert 240 < knocks[-1] - knocks[0] < 600


def test_an_outage_without_end_leaves_a_row_for_everything(tmp_path):
    """When the network does not come back, what is left ends as not reached, and the next sitting takes it up again."""
    service, _ = vanishing(5.0)
    made = plan([utterance(n) for n in range(40)])
    tally = run_virtual(run(made, tmp_path, service, concurrency=4))
    finals = [r for r in read_journal(tmp_path) if r.final]
    missed = [r for r in finals if r.outcome != "ok"]
    assert sorted(slots(made)) == sorted(final_slots(tmp_path))
    assert (40, len(missed)) == (tally.done, tally.failed)
    assert 10 < len(missed) < 40
    assert {("failed_client", "transient")} == {(r.outcome, r.failure) for r in missed}
    assert all("no route" in r.reason for r in missed)
    again = Service(polite(" hello"))
    tally = run_virtual(run(made, tmp_path, again, concurrency=4))
    assert (len(missed), 0) == (tally.done, tally.failed)
    assert len(missed) == len(again.lines)
    records = read_journal(tmp_path)
    assert [] == unfinished(made, records)
    assert [] == list(miscounted(made, records))


@pytest.mark.parametrize("status", [502, 503, 504])
def test_who_answers_for_a_service_that_is_away_is_not_flooded(tmp_path, status):
    """When a proxy says for a minute that nobody is behind it, one connection at a time looks, and every utterance is transcribed."""
    service, knocks = vanishing(5.0, 65.0, status=status)
    made = plan([utterance(n) for n in range(100)])
    tally = run_virtual(run(made, tmp_path, service, concurrency=8))
    assert (100, 0, None) == (tally.done, tally.failed, tally.absent)
    assert 0 < len(knocks) < 30
    assert {"failed_server"} == {r.outcome for r in read_journal(tmp_path) if r.failure}


def test_a_service_that_stays_away_leaves_a_row_for_everything(tmp_path):
    """When a proxy has nobody behind it from the first knock on, all is a row soon, and tried again in the next sitting."""
    service, knocks = vanishing(-1.0, status=503)
    made = plan([utterance(n) for n in range(200)])
    tally = run_virtual(run(made, tmp_path, service, concurrency=4))
    assert (200, 200) == (tally.done, tally.failed)
    assert "HTTP 503 at the upgrade: no route" == tally.absent
    assert len(knocks) < 40
    records = read_journal(tmp_path)
    assert all("HTTP 503 at the upgrade" in r.reason for r in records)
    finals = Counter((r.outcome, r.away) for r in records if r.final)
    assert {("failed_client", False): 199, ("failed_server", True): 1} == finals
    assert 200 == len(unfinished(made, records))
    table = run_table(
        tmp_path, made, records, SpeechBook(tmp_path), profile="norm-1n", metric="auto"
    )
    assert (0, 200) == (table.summary.scored, table.summary.failed), "none is taken for silence"
    tally = run_virtual(run(made, tmp_path, Service(polite(" hello")), concurrency=4))
    assert (200, 0) == (tally.done, tally.failed)
    assert [] == list(miscounted(made, read_journal(tmp_path)))


@pytest.mark.parametrize("asked_s", [20.0, 120.0])
def test_an_outage_that_asks_for_a_wait_fails_nothing(tmp_path, asked_s):
    """A service that is away for long, and says each time when to ask again, loses no utterance and is asked no sooner."""
    service, knocks = vanishing(5.0, 5.0 + 10 * asked_s, status=503, retry_after_s=asked_s)
    made = plan([utterance(n) for n in range(30)])
    tally = run_virtual(run(made, tmp_path, service, concurrency=8))
    assert (30, 0, None) == (tally.done, tally.failed, tally.absent)
    later = [t for t in knocks if t > knocks[0] + 1.0]
    assert all(late - early > asked_s - 0.001 for early, late in pairwise(later))


def test_who_was_away_before_a_stop_costs_no_attempt_behind_it(tmp_path):
    """What was not met in one sitting counts in none: each utterance has all its attempts left when the run goes on."""
    made = plan([utterance(0)])
    away, _ = vanishing(-1.0, status=503)

    async def cut():
        task = asyncio.create_task(run(made, tmp_path, away))
        while len(read_journal(tmp_path)) < 4:  # noqa: ASYNC110 - no event tells of a line in a file
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_virtual(cut())
    broken = Service(lambda line, _: line.hang_up(1011, "Internal error encountered."))
    run_virtual(run(made, tmp_path, broken))
    ends = [(r.away, r.final) for r in read_journal(tmp_path)]
    assert [(True, False)] * 4 + [(False, False)] * 2 + [(False, True)] == ends


def test_who_is_never_reached_holds_up_nobody(tmp_path):
    """An utterance whose every connection fails is a row after its attempts; the others are transcribed meanwhile."""
    service = Service(polite(" hello"))
    whole = service.connect

    async def connect(endpoint, listener):
        if listener._todo.header.utterance != "u0003":
            return await whole(endpoint, listener)
        broken = Service(
            lambda line, _: line.hang_up(None, "no route", unreachable=True), upgraded=False
        )
        return await broken.connect(endpoint, listener)

    service.connect = connect
    made = plan([utterance(n) for n in range(60)])
    tally = run_virtual(run(made, tmp_path, service, concurrency=1, budget_usd=1000.0))
    records = read_journal(tmp_path)
    assert (60, 1, None) == (tally.done, tally.failed, tally.absent)
    ((last, odd),) = [(r.attempt, r) for r in records if r.final and r.outcome != "ok"]
    assert (ABSENCES, "u0003", "failed_client") == (last, odd.utterance, odd.outcome)
    assert [False] * (ABSENCES - 1) + [True] == [r.final for r in records if r.utterance == "u0003"]


def test_a_refusal_for_quota_is_no_absence(tmp_path):
    """A service that refuses for quota for long and cannot be reached once has not gone away."""
    crowd = Crowded(0)
    whole = crowd.connect

    async def connect(endpoint, listener):
        now = asyncio.get_running_loop().time()
        crowd.admits = 4 if now > 1000.0 else 0
        if 900.0 < now < 930.0:
            broken = Service(
                lambda line, _: line.hang_up(None, "no route", unreachable=True), upgraded=False
            )
            return await broken.connect(endpoint, listener)
        return await whole(endpoint, listener)

    crowd.connect = connect
    tally = run_virtual(run(plan([utterance(n) for n in range(6)]), tmp_path, crowd))
    assert (6, 0, None) == (tally.done, tally.failed, tally.absent)


@pytest.mark.parametrize("status, outcome", [(429, "failed_quota"), (503, "failed_server")])
def test_who_asks_for_a_longer_wait_is_not_asked_before(tmp_path, status, outcome):
    """A service that wants hours is not asked again: the run stops, says until when, and another sitting goes on."""

    def full(line, _):
        line.hang_up(None, "later", status=status, retry_after_s=7200.0)

    service = Service(full, upgraded=False)
    made = plan([utterance(n) for n in range(20)])
    tally = run_virtual(run(made, tmp_path, service, concurrency=2, budget_usd=1000.0))
    assert "wants to be asked again at 2" in tally.stopped
    assert len(service.lines) <= 2
    assert {(outcome, False)} == {(r.outcome, r.final) for r in read_journal(tmp_path)}
    run_virtual(run(made, tmp_path, Service(polite(" hello"))))
    assert sorted(slots(made)) == sorted(final_slots(tmp_path))


def test_who_asks_for_a_short_wait_is_asked_by_nobody_before(tmp_path):
    """A service that is unavailable for a minute and says so is left alone for a minute, by all sessions."""
    knocks = []
    service = Service(polite(" hello"))
    whole = service.connect

    async def connect(endpoint, listener):
        knocks.append(now := asyncio.get_running_loop().time())
        if now > 0.5:
            return await whole(endpoint, listener)
        broken = Service(
            lambda line, _: line.hang_up(None, "busy", status=503, retry_after_s=60.0),
            upgraded=False,
        )
        return await broken.connect(endpoint, listener)

    service.connect = connect
    tally = run_virtual(run(plan([utterance(n) for n in range(30)]), tmp_path, service))
    assert (30, 0) == (tally.done, tally.failed)
    assert [] == [t for t in knocks if 0.5 < t < 60.0]


def test_who_was_not_told_waits_with_who_was(tmp_path):
    """When one utterance alone is asked to wait for a minute, the next one knocks no sooner."""
    knocks = []
    service = Service(polite(" hello"))
    whole = service.connect

    async def connect(endpoint, listener):
        knocks.append(asyncio.get_running_loop().time())
        if knocks[1:]:
            return await whole(endpoint, listener)
        busy = {"status": 503, "retry_after_s": 60.0}
        broken = Service(lambda line, _: line.hang_up(None, "busy", **busy), upgraded=False)
        return await broken.connect(endpoint, listener)

    service.connect = connect
    made = plan([utterance(n) for n in range(3)])
    tally = run_virtual(run(made, tmp_path, service, concurrency=1, budget_usd=1000.0))
    assert (3, 0) == (tally.done, tally.failed)
    assert knocks[0] < 1.0
    assert all(t >= 60.0 for t in knocks[1:])


def test_a_burst_of_refusals_is_one_refusal(tmp_path):
    """Two hundred sessions opened at once against a service that admits fifty: nobody fails for quota."""
    crowd = Crowded(50)
    tally = run_virtual(
        run(plan([utterance(n) for n in range(250)]), tmp_path, crowd, concurrency=200)
    )
    assert (250, 0) == (tally.done, tally.failed)


@pytest.mark.capability("usage: absent is unknown", side="client")
def test_the_budget_holds_over_sittings_and_without_bills(tmp_path):
    """What earlier sittings spent counts, and where no bill comes the estimate does: the sum stays within the budget."""

    def unbilled(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            line.say(
                {"serverContent": {"inputTranscription": {"text": " hello"}, "turnComplete": True}}
            )

    from harness.run.demand import estimate_usd, transcription

    one = estimate_usd(MODEL, transcription(1.0))
    made = plan([utterance(n) for n in range(50)])
    sessions = 0
    for _ in range(3):
        service = Service(unbilled)
        tally = run_virtual(run(made, tmp_path, service, concurrency=20, budget_usd=10.5 * one))
        sessions += len(service.lines)
        assert "budget" in tally.stopped
    assert 10 == sessions == len(final_slots(tmp_path))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "serverContent",
                    "inputTranscription",
                    "modelTurn",
                    "parts",
                    "text",
                    "inlineData",
                    "data",
                    "mimeType",
                    "usageMetadata",
                    "promptTokensDetails",
                    "tokenCount",
                    "turn_complete",
                    "goAway",
                    "timeLeft",
                    "error",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(JSON)
def test_any_frame_leaves_a_record(tmp_path_factory, value):
    """Whatever JSON a service sends, the attempt leaves a readable trace and a record, and the run goes on."""

    def odd(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            line.say(value)
            line.say(
                {
                    "server_content": {
                        "input_transcription": {"text": " fine"},
                        "turn_complete": True,
                    }
                }
            )

    folder = tmp_path_factory.mktemp("odd")
    tally = run_virtual(run(plan([utterance(0, 0.1), utterance(1, 0.1)]), folder, Service(odd)))
    assert 2 == tally.done
    for kept in read_journal(folder):
        assert read_trace(folder / kept.trace).events


@pytest.mark.parametrize("then", ["broken", "refused"])
def test_a_flood_is_bounded_for_an_utterance_not_for_an_attempt(tmp_path, monkeypatch, then):
    """Attempts that each bring much are cut where all of them together would bring too much, and the reason says so."""
    monkeypatch.setattr(stream, "MOST_RECEIVED", 50_000)

    def flood(line, frame):
        if "setup" not in frame:
            return
        line.say({"setupComplete": {}})
        for _ in range(10):
            line.say({"padding": "x" * 1000})
        code = (1011, QUOTA) if then == "refused" else (1011, "Internal error encountered.")
        line.loop.call_later(0.1, line.hang_up, *code)

    run_virtual(run(plan([utterance(0, 1.0)]), tmp_path, Service(flood), concurrency=1))
    records = read_journal(tmp_path)
    kept = [
        sum(len(json.dumps(e.frame)) for e in read_trace(tmp_path / r.trace).events if e.dir == "<")
        for r in records
    ]
    assert 20_000 < sum(kept) < 50_000
    assert "more than" in records[-1].reason
    assert ("failed_server", "transient") == (records[-1].outcome, records[-1].failure)


def test_floods_are_bounded_together_and_spare_who_does_not_flood(tmp_path, monkeypatch):
    """Eight floods at once keep no more than one limit for all of them; an utterance beside them is transcribed."""
    monkeypatch.setattr(stream, "MOST_KEPT", 200_000)
    monkeypatch.setattr(stock, "SPARED", 8_000)
    held = []

    class Watched(stock.Stock):
        def take(self, size, own):
            taken = super().take(size, own)
            held.append(self.held)
            return taken

        def give_back(self, size):
            super().give_back(size)
            held.append(self.held)

    monkeypatch.setattr(stream, "Stock", Watched)

    def flood(line, frame):
        if line.listener._todo.header.utterance == "u0004":
            polite(" hello")(line, frame)
        elif "setup" in frame:
            line.say({"setupComplete": {}})
            for number in range(100):
                line.say({"padding": "x" * 1000}, 0.01 * number)

    made = plan([utterance(n, 2.0) for n in range(9)])
    run_virtual(run(made, tmp_path, Service(flood), concurrency=9))
    finals = {r.utterance: r for r in read_journal(tmp_path) if r.final}
    assert "ok" == finals.pop("u0004").outcome
    assert 100_000 < max(held) <= 200_000 + 9 * 8_000
    assert 0 == held[-1]
    reasons = [r.reason for r in finals.values() if r.failure]
    assert len(reasons) > 4
    assert all("together with the sessions beside it" in reason for reason in reasons)


@pytest.mark.parametrize("fault", ["turned away", "a bug", "cancelled"])
def test_room_comes_back_however_a_session_ends(tmp_path, monkeypatch, fault):
    """What a session took is given back where it was turned away, where a bug ended it, and where the run was stopped."""
    stocks = []

    class Watched(stock.Stock):
        def __init__(self, most):
            super().__init__(most)
            self.most_held = 0
            stocks.append(self)

        def take(self, size, own):
            taken = super().take(size, own)
            self.most_held = max(self.held, self.most_held)
            return taken

    class Talkative(Service):
        """Speaks to whoever waits for a place, then leaves."""

        async def connect(self, endpoint, listener):
            line = await super().connect(endpoint, listener)
            line.loop.call_later(0.05, self._talk, line)
            return line

        def _talk(self, line):
            if not line.heard and fault == "turned away":
                line.say({"padding": "x" * 6000})
                line.loop.call_later(0.05, line.hang_up, 1000)

    def broken(*_):
        raise RuntimeError(fault)

    monkeypatch.setattr(stream, "Stock", Watched)
    if fault == "a bug":
        monkeypatch.setattr(stream, "write_trace", broken)
    made = plan([utterance(n, 2.0) for n in range(6)])
    going = run(made, tmp_path, Talkative(polite(" hello")), concurrency=2)
    expected = {"a bug": RuntimeError, "cancelled": TimeoutError}.get(fault)
    with pytest.raises(expected) if expected else nullcontext():
        run_virtual(asyncio.wait_for(going, 1.0 if fault == "cancelled" else None))
    (room,) = stocks
    assert 0 == room.held < room.most_held
