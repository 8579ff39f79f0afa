"""How long a run takes, in virtual time, against the best that its concurrency allows."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from harness.clock import VirtualTimeLoop, run_virtual
from harness.run import execute
from harness.run.folder import read_journal, slots
from harness.run.plan import longest_first
from harness.run.pool import Pool
from tests.run.runs import clip, plan, run, utterance
from tests.session.memory import MODEL, Service, polite

OPENING_S = 0.3
ANSWER_S = 0.1
QUIET_S = 2.0


class Distant(Service):
    """A service that is far away: a connection takes its time to open and to close."""

    def __init__(self, most_connections: int | None = None) -> None:
        super().__init__(polite(" hello", after=ANSWER_S))
        self.sessions = self.most_sessions = 0
        self.connections = self.most_connections = 0
        self.allowed = most_connections

    async def connect(self, endpoint, listener):
        await asyncio.sleep(OPENING_S)
        self.connections += 1
        self.most_connections = max(self.most_connections, self.connections)
        service, whole = self, self.answer
        refused = self.allowed is not None and self.connections > self.allowed
        if refused:
            self.upgrades, self.answer = (
                False,
                lambda line, _: line.hang_up(None, "busy", status=429),
            )
        line = await super().connect(endpoint, listener)
        line.asked = False
        self.upgrades, self.answer = True, whole
        hang_up, send = line.hang_up, line.send

        def ask(payload):
            if b'"setup"' in payload:
                line.asked = True
                service.sessions += 1
                service.most_sessions = max(service.most_sessions, service.sessions)
            send(payload)

        def end(*args, **more):
            if not line.over:
                service.connections -= 1
            hang_up(*args, **more)

        def slowly(*args):
            service.sessions -= 1
            line.loop.call_later(OPENING_S, lambda: end(1000, "", True))

        line.send, line.hang_up, line.close = ask, end, slowly
        if refused:
            self.connections -= 1
        return line


def mixed(count: int, seed: int):
    """Return utterances as lengths of speech are: many short ones and a few of a minute."""
    draw = random.Random(seed)  # noqa: S311 - repeatable lengths
    return [utterance(n, round(min(60.0, draw.lognormvariate(1.5, 0.8)), 1)) for n in range(count)]


def wall_s(made, folder, service, concurrency: int) -> float:
    """Return how long a run takes, s."""
    loop = VirtualTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        work = run(made, folder, service, concurrency=concurrency, order=longest_first)
        tally = runner.run(work)
        assert (len(list(slots(made))), 0) == (tally.done, tally.failed)
        return loop.time()


@pytest.mark.parametrize("concurrency", [3, 12])
def test_a_run_takes_hardly_longer_than_it_must(tmp_path, concurrency):
    """The wall time is within 3 % of what so many places need for the sessions' own time, opening and closing left out."""
    made = plan(mixed(200, 1), chunk_ms=1000)
    service = Distant()
    took = wall_s(made, tmp_path, service, concurrency)
    busy = [u.duration_s + ANSWER_S + QUIET_S for u in made.utterances]
    best = max(sum(busy) / concurrency, *busy) + OPENING_S
    assert took <= 1.03 * best + OPENING_S
    assert concurrency == service.most_sessions


def test_what_is_opened_ahead_is_given_up_when_it_counts(tmp_path):
    """A service that counts connections, and takes as many as there are to be sessions, refuses once and never again."""
    made = plan(mixed(60, 3), chunk_ms=1000)
    service = Distant(most_connections=8)
    wall_s(made, tmp_path, service, 8)
    refused = [r for r in read_journal(tmp_path) if r.failure == "quota"]
    assert 1 <= len(refused) <= 4
    assert 8 == service.most_sessions


def test_long_ones_come_first_and_one_utterance_stays_together():
    """The order is by length, unknown first; models and repeats of an utterance follow one another, in plan order."""
    made = plan(
        [utterance(0, 1.0), utterance(1, 5.0), utterance(2, None), utterance(3, 5.0)],
        models=(MODEL, "b"),
        repeats=2,
    )
    order = longest_first(made, slots(made))
    assert sorted(order) == sorted(slots(made))
    assert ["u0002"] * 4 + ["u0001"] * 4 + ["u0003"] * 4 + ["u0000"] * 4 == [s[1] for s in order]
    assert [(MODEL, 1), ("b", 1), (MODEL, 2), ("b", 2)] == [s[2:] for s in order[:4]]


def test_a_run_begins_with_its_longest_utterances(tmp_path, monkeypatch):
    """What a run is given to do is in the order of length, and so is what an earlier sitting left."""
    begun: list[list[str]] = []

    class Told(Pool):
        async def run(self, wanted):
            begun.append([slot[1] for slot in wanted])
            return self.tally

    monkeypatch.setattr(execute, "Pool", Told)
    lengths = [2.0, 9.0, 4.0, 30.0, 1.0]
    made = plan([utterance(n, length) for n, length in enumerate(lengths)])
    needs = dict.fromkeys(("endpoint", "load", "budget_usd")) | {"setups": {}, "client": "test"}

    def sitting():
        asyncio.run(execute.execute(made, tmp_path, concurrency=2, **needs))

    sitting()
    left = msgspec.structs.replace(made, utterances=made.utterances[:3])
    run_virtual(run(left, tmp_path / "left", Service(polite(" hello"))))
    (tmp_path / "left" / "journal.jsonl").rename(tmp_path / "journal.jsonl")
    sitting()
    assert [["u0003", "u0001", "u0002", "u0000", "u0004"], ["u0003", "u0004"]] == begun


@pytest.mark.parametrize("concurrency, ahead", [(1, 1), (3, 2), (12, 6), (80, 32)])
def test_so_many_connections_wait_for_a_place(tmp_path, concurrency, ahead):
    """Beside the sessions one connection is open for every two of them, and never more than 32; it waits for its turn."""
    service = Distant()
    waiting = []

    def look(_):
        loop = asyncio.get_running_loop()
        waiting.append(sum(not line.asked and not line.over for line in service.lines))
        loop.call_later(0.05, look, None)

    made = plan(mixed(2 * concurrency + 20, 5), chunk_ms=1000)
    run_virtual(run(made, tmp_path, service, concurrency=concurrency, meddle=look))
    assert ahead == max(waiting)
    assert concurrency == service.most_sessions


CONVERSION_S = 1.0


@pytest.mark.parametrize("concurrency, ready", [(1, 7), (4, 12), (20, 44)])
def test_clips_are_ready_before_their_turn_and_no_more_than_that(tmp_path, concurrency, ready):
    """Clips that take a second to convert delay a run by the first second alone; at any time so many are ready or in use."""
    service = Distant()
    converted: list = []
    most = 0

    async def beside(work, *args):
        if work.__name__ == "_prepared":
            await asyncio.sleep(CONVERSION_S)
        return work(*args)

    def load(planned):
        nonlocal most
        converted.append(planned.id)
        ended = sum(line.over for line in service.lines)
        most = max(most, len(converted) - ended)
        return clip(planned)

    made = plan(mixed(5 * concurrency + 40, 5), chunk_ms=1000)
    loop = VirtualTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        how = {"concurrency": concurrency, "offload": beside, "load": load}
        runner.run(run(made, tmp_path, service, order=longest_first, **how))
    busy = [u.duration_s + ANSWER_S + QUIET_S for u in made.utterances]
    best = max(sum(busy) / concurrency, *busy) + OPENING_S
    assert loop.time() <= 1.03 * best + CONVERSION_S + OPENING_S
    assert ready == most


def test_a_connection_that_does_not_wait_is_opened_again(tmp_path):
    """A service that closes connections which ask for nothing within a second loses nothing: each is opened anew."""

    class Impatient(Service):
        async def connect(self, endpoint, listener):
            line = await super().connect(endpoint, listener)
            line.loop.call_later(
                1.0, lambda: None if line.heard else line.hang_up(1011, "Deadline expired")
            )
            return line

    made = plan([utterance(n, 5.0) for n in range(30)])
    tally = run_virtual(run(made, tmp_path, Impatient(polite(" hello")), concurrency=8))
    assert (30, 0) == (tally.done, tally.failed)
    assert {1} == {r.attempt for r in read_journal(tmp_path)}
