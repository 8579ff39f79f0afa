"""Sessions spread over real processes, on loopback: what one process guarantees, several do."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import itertools
import json
import os
import shutil
import signal
import wave
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.server import serve

from harness.clock import run_virtual
from harness.errors import InputError
from harness.report.assembly import run_table
from harness.report.rows.bounds import SpeechBook
from harness.run import pipe
from harness.run.access import access
from harness.run.attempt import MOST_TEXT
from harness.run.bill import spent_usd
from harness.run.certificate import read_certificates
from harness.run.demand import estimate_usd, reading, transcription
from harness.run.exchange import MOST_CALLED
from harness.run.execute import execute, open_folder
from harness.run.farm import Farm, ProcessLostError, _Hand, processes_needed
from harness.run.folder import read_journal, slots
from harness.run.journal import KILLED, STOPPED, Journal
from harness.run.ledger import Ledger
from harness.run.lines import LINE_BYTES
from harness.run.orphans import recovered
from harness.run.pipe import Orders
from harness.run.pool import Pool
from harness.run.rate import RateLimit
from harness.run.record import Call, Exchange, UtteranceRecord
from harness.run.stream import Streamer
from harness.secret import Secret
from harness.session.retry import REASON
from harness.trace.file import read_trace
from harness.wire.live import endpoint as endpoints
from tests.run.runs import clip, directly, plan, utterance
from tests.run.test_pool import vanishing
from tests.session.memory import MODEL, Service, ready

pytestmark = pytest.mark.wall

QUOTA = "You exceeded your current quota, please check your plan and billing details."


class Live:
    """A Live service on a socket: counts sessions, and may admit only so many."""

    def __init__(self, admits: int = 10_000) -> None:
        self.admits = admits
        self.inside = self.most = self.asked = 0
        self.meddle = lambda: None

    async def answer(self, socket) -> None:
        admitted = False
        try:
            async for frame in socket:
                said = json.loads(frame)
                if "setup" in said:
                    self.asked += 1
                    self.meddle()
                    if self.inside >= self.admits:
                        await socket.close(1011, QUOTA)
                        return
                    admitted = True
                    self.inside += 1
                    self.most = max(self.most, self.inside)
                    await socket.send(b'{"setupComplete": {}}')
                elif "activityEnd" in said["realtimeInput"]:
                    text = {"inputTranscription": {"text": " hello"}, "turnComplete": True}
                    usage = {"totalTokenCount": 30}
                    await socket.send(json.dumps({"serverContent": text, "usageMetadata": usage}))
        finally:
            self.inside -= admitted


def recorded(folder, count: int, seconds: float = 0.2):
    """Return a plan of so many utterances at pace 0, with their files."""
    planned = []
    for number in range(count):
        path = folder / f"{number}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(number.to_bytes(2, "little") * round(seconds * 16_000))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        planned.append(
            msgspec.structs.replace(utterance(number, seconds), audio=str(path), sha256=sha256)
        )
    return plan(planned, pace=0.0)


async def farmed(made, folder, live: Live, *, processes=2, service="emulator", **how):
    """Return the tally of `made`, run in processes against `live`."""
    open_folder(made, folder, folder.parent)
    async with serve(live.answer, "127.0.0.1", 0, compression=None) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        given = access(made, service=service, url=url, version=None, environment=os.environ)
        orders = Orders(
            folder=str(folder),
            service=service,
            url=url,
            version=None,
            client="test",
            process=1,
            processes=processes,
        )
        return await execute(
            made,
            folder,
            setups=given.setups,
            endpoint=given.endpoint,
            load=given.load,
            client="test",
            budget_usd=None,
            orders=orders,
            **{"concurrency": 6} | how,
        )


def ended_once(made, folder) -> bool:
    """Return whether every slot has exactly one final record."""
    finals = Counter(
        (r.dataset, r.utterance, r.model, r.repeat) for r in read_journal(folder) if r.final
    )
    return dict.fromkeys(slots(made), 1) == finals


def test_processes_share_a_run(tmp_path):
    """Two processes bring every utterance to its end once, with its trace; both take part."""
    made = recorded(tmp_path, 14)
    folder, live = tmp_path / "run", Live()
    tally = asyncio.run(farmed(made, folder, live))
    assert (14, 0, 14) == (tally.done, tally.failed, live.asked)
    assert ended_once(made, folder)
    assert live.most <= 6 + 6, "those that close behind the others"
    assert {"hello"} == {r.hypothesis for r in read_journal(folder)}
    assert all(read_trace(folder / r.trace).events for r in read_journal(folder))
    told = read_certificates(folder)
    assert [(1, 2), (2, 2)] == sorted((one.process, one.processes) for one in told)
    assert all(one.open_max > 0 for one in told), "both had sessions"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no list of processes")
def test_no_process_is_started_with_a_secret(tmp_path, monkeypatch):
    """While a run streams with a key, no process of the machine has that key among its arguments."""
    key = "a-key-that-no-list-of-processes-shows"
    monkeypatch.setenv("GEMINI_API_KEY", key)
    made = recorded(tmp_path, 4)
    live, lists = Live(), []
    live.meddle = lambda: lists.append(
        [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    )
    tally = asyncio.run(farmed(made, tmp_path / "run", live, service="gemini"))
    assert (4, 0) == (tally.done, tally.failed)
    assert any(b"harness.run.worker" in one for one in lists[0])
    assert not any(key.encode() in one for processes in lists for one in processes)


def test_a_quota_holds_over_all_processes(tmp_path):
    """A service that admits two sessions refuses some; the limit is lowered for all processes, and nothing fails."""
    made = recorded(tmp_path, 10)
    live = Live(admits=2)
    tally = asyncio.run(farmed(made, tmp_path / "run", live))
    assert (10, 0) == (tally.done, tally.failed)
    assert 2 == live.most
    assert ended_once(made, tmp_path / "run")


def test_a_rate_holds_over_all_processes(tmp_path):
    """At 1,200 sessions a minute, ten sessions over two processes begin over at least 0.45 s."""
    made = recorded(tmp_path, 10)
    live, loop_times = Live(), []
    live.meddle = lambda: loop_times.append(asyncio.get_running_loop().time())
    how = {"rate": RateLimit(sessions=1_200)}
    asyncio.run(farmed(made, tmp_path / "run", live, **how))
    assert 10 == len(loop_times)
    assert loop_times[-1] - loop_times[0] >= 9 * 0.05 - 0.04


@pytest.fixture
def kill(monkeypatch):
    """Give what kills every process that has let a session in."""
    farms: list[Farm] = []
    enter = Farm.__aenter__

    async def entered(self):
        farms.append(self)
        return await enter(self)

    def killed() -> None:
        for hand in farms[0]._hands:
            if hand._entered:
                os.kill(hand.pid, signal.SIGKILL)

    monkeypatch.setattr(Farm, "__aenter__", entered)
    return killed


def test_a_process_that_is_killed_loses_nothing(tmp_path, kill):
    """When a process is killed in mid-session, its sessions are tried again in another, and the journal says why."""
    made = recorded(tmp_path, 12)
    live = Live()
    # The fourth session has not been answered: its process is among those killed.
    live.meddle = lambda: kill() if live.asked == 4 else None
    tally = asyncio.run(farmed(made, tmp_path / "run", live))
    assert (12, 0) == (tally.done, tally.failed)
    assert ended_once(made, tmp_path / "run")
    lost = [r for r in read_journal(tmp_path / "run") if not r.final]
    assert lost
    assert {"the streaming process was ended by signal 9"} == {r.reason for r in lost}
    assert {transcription(0.2)} == {r.lost for r in lost} - {None}
    estimated = [estimate_usd(MODEL, r.lost) for r in lost if r.lost]
    assert estimated
    assert sum(estimated) == pytest.approx(sum(map(spent_usd, lost)))
    whole = [r for r in read_journal(tmp_path / "run") if r.final]
    assert sum(map(spent_usd, lost + whole)) == pytest.approx(tally.cost_usd)
    table = run_table(
        tmp_path / "run",
        made,
        lost + whole,
        SpeechBook(tmp_path),
        profile="norm-1n",
        metric="auto",
    )
    assert any("ended without a bill" in one.text for one in table.summary.warnings)


def test_a_process_that_dies_as_it_starts_ends_no_run(tmp_path, monkeypatch, kill):
    """Those that take the places of dead processes may die as well, before they have said a word: the next one is tried."""
    made = recorded(tmp_path, 12)
    live, tell, begun = Live(), _Hand._tell, []
    live.meddle = lambda: kill() if live.asked == 4 else None

    def ill_fated(hand, told):
        tell(hand, told)
        if isinstance(told, pipe.Orders):
            begun.append(hand)
            if len(begun) in (3, 4):
                os.kill(hand.pid, signal.SIGKILL)

    monkeypatch.setattr(_Hand, "_tell", ill_fated)
    tally = asyncio.run(farmed(made, tmp_path / "run", live))
    assert (12, 0) == (tally.done, tally.failed)
    assert ended_once(made, tmp_path / "run")
    assert len(begun) > 4


class Verbose(Live):
    """One whose first transcripts are longer than a line may be."""

    def __init__(self, long: int) -> None:
        super().__init__()
        self.long = long

    async def answer(self, socket) -> None:
        async for frame in socket:
            said = json.loads(frame)
            if "setup" in said:
                self.asked += 1
                words = " hello" * (20_000 if self.asked <= self.long else 1)
                await socket.send(b'{"setupComplete": {}}')
            elif "activityEnd" in said["realtimeInput"]:
                text = {"inputTranscription": {"text": words}, "turnComplete": True}
                await socket.send(json.dumps({"serverContent": text}))


@pytest.mark.parametrize("long, told", [(1, 1), (100, 2)])
def test_a_line_that_is_too_long_ends_its_process(tmp_path, monkeypatch, long, told):
    """A process that says what cannot be taken is ended: what left its trace has its record, and is not asked for again."""
    monkeypatch.setattr(pipe, "LINE_BYTES", 20_000)
    made = recorded(tmp_path, 2)
    tally = asyncio.run(farmed(made, tmp_path / "run", Verbose(long)))
    assert (2, 0) == (tally.done, tally.failed)
    assert ended_once(made, tmp_path / "run")
    records = read_journal(tmp_path / "run")
    assert told == sum(r.recovered and len(r.hypothesis) > 20_000 for r in records)
    broken = [r.reason for r in records if r.failure]
    assert all(one.startswith("the streaming process said what cannot be taken") for one in broken)


@pytest.mark.parametrize("character", '\x01\x7f"\\ä😀')
def test_a_line_holds_the_longest_record(character):
    """The longest text that is judged, ids as long as a manifest's, and all calls fit into a line, whatever JSON makes of them."""
    longest = UtteranceRecord(
        **dict.fromkeys(("utterance", "dataset", "locale", "model", "started_at"), character * 600),
        **dict.fromkeys(("repeat", "attempt"), 1),
        final=True,
        trace=character * 600,
        outcome="ok",
        reason=character * 3 * REASON,
        hypothesis=character * MOST_TEXT,
        exchange=Exchange(calls=[Call(name="x" * MOST_CALLED, t=0.0)]),
        violations=(character * 10_000,) * 5,
    )
    said = pipe.line(pipe.Attempted(job=1, record=longest, ending=None, cost_usd=0.0))
    assert MOST_TEXT + MOST_CALLED < len(said) < LINE_BYTES / 2


class Resumable(Live):
    """One that gives handles out, and breaks off each connection that it is not asked to resume.

    The handle comes before anything may be sent, so what is sent again is all of it, however fast that went.
    """

    async def answer(self, socket) -> None:
        setup = json.loads(await socket.recv())["setup"]
        self.asked += 1
        update = {"newHandle": f"h{self.asked}", "resumable": True}
        await socket.send(json.dumps({"sessionResumptionUpdate": update}))
        await socket.send(b'{"setupComplete": {}}')
        async for frame in socket:
            said = json.loads(frame)["realtimeInput"]
            if "audio" in said and "handle" not in setup["sessionResumption"]:
                await socket.close(1011, "Internal error encountered.")
                return
            if "activityEnd" in said:
                text = {"inputTranscription": {"text": " hello"}, "turnComplete": True}
                await socket.send(json.dumps({"serverContent": text}))


def test_a_break_is_gone_on_with_in_its_process(tmp_path):
    """A process asks before it opens another connection for a session, and the record that it sends says why it did."""
    made = recorded(tmp_path, 6)
    setups = {model: setup | {"sessionResumption": {}} for model, setup in made.setups.items()}
    made = msgspec.structs.replace(made, setups=setups)
    live = Resumable()
    how = {"rate": RateLimit(sessions=1_200)}
    tally = asyncio.run(farmed(made, tmp_path / "run", live, **how))
    assert (6, 0, 12) == (tally.done, tally.failed, live.asked)
    records = read_journal(tmp_path / "run")
    assert [(1, True, "hello")] * 6 == [(r.attempt, r.final, r.hypothesis) for r in records]
    reasons = {replay.why for record in records for replay in record.replays}
    assert {"closed 1011: Internal error encountered."} == reasons


class Doomed(Resumable):
    """One that meddles as soon as a session is resumed for the first time."""

    async def answer(self, socket) -> None:
        if self.asked == 1:
            self.asked += 1
            await socket.recv()
            self.meddle()
        else:
            await super().answer(socket)


def test_what_was_sent_again_before_a_process_died_is_paid(tmp_path, kill):
    """A session whose process dies after a break counts for its clip and for what it was let send again."""
    made = recorded(tmp_path, 1, seconds=2.0)
    setups = {model: setup | {"sessionResumption": {}} for model, setup in made.setups.items()}
    made = msgspec.structs.replace(made, setups=setups)
    live = Doomed()
    live.meddle = kill
    tally = asyncio.run(farmed(made, tmp_path / "run", live, processes=1))
    lost, last = read_journal(tmp_path / "run")
    assert (True, False) == (last.final, lost.final)
    assert 2.0 < lost.lost.audio_s <= 4.0
    assert estimate_usd(MODEL, lost.lost) == pytest.approx(spent_usd(lost))
    assert spent_usd(lost) + spent_usd(last) == pytest.approx(tally.cost_usd)
    how = {"profile": "norm-1n", "metric": "auto"}
    table = run_table(tmp_path / "run", made, [lost, last], SpeechBook(tmp_path), **how)
    assert [2] == [row.attempts for row in table.rows], "the one without a trace was made too"


class Mute(Live):
    """One that takes a text and says nothing."""

    async def answer(self, socket) -> None:
        async for frame in socket:
            self.asked += "setup" in json.loads(frame)
            if "setup" in json.loads(frame):
                await socket.send(b'{"setupComplete": {}}')
            elif self.asked == 1:
                self.meddle()
            else:
                text = {"outputTranscription": {"text": "hello"}, "turnComplete": True}
                await socket.send(json.dumps({"serverContent": text}))


def test_a_text_whose_process_died_is_paid_in_every_sitting(tmp_path, kill):
    """What was to be spoken when a process died counts for its estimate, now and when the run goes on."""
    words = "Zwei plus zwei ist vier, sagt sie."
    one = msgspec.structs.replace(utterance(0), audio=None, sha256=None, reference=words)
    made = plan([one], pace=0.0, task="speak", transcript="output")
    setup = {"generationConfig": {"responseModalities": ["AUDIO"]}, "outputAudioTranscription": {}}
    made = msgspec.structs.replace(made, setups={MODEL: setup})
    live = Mute()
    live.meddle = kill
    tally = asyncio.run(farmed(made, tmp_path / "run", live, processes=1))
    lost, last = read_journal(tmp_path / "run")
    assert (reading(words), None) == (lost.lost, last.lost)
    assert 0 < estimate_usd(MODEL, reading(words)) == pytest.approx(spent_usd(lost))
    assert spent_usd(lost) + spent_usd(last) == pytest.approx(tally.cost_usd)


class Silent(Live):
    """One that admits and never answers."""

    async def answer(self, socket) -> None:
        async for frame in socket:
            if "setup" in json.loads(frame):
                self.asked += 1
                await socket.send(b'{"setupComplete": {}}')
                self.meddle()


def test_what_processes_had_open_when_a_run_ended_is_paid(tmp_path):
    """Stopped at once or killed, a run over processes knows which sessions were open, and counts each for its estimate."""
    made, live, folder = recorded(tmp_path, 12), Silent(), tmp_path / "run"

    async def main():
        task = asyncio.current_task()

        def end() -> None:
            if live.asked == 4:
                shutil.copytree(folder, tmp_path / "killed")
                task.cancel()

        live.meddle = end
        await farmed(made, folder, live, concurrency=4)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    with Journal(tmp_path / "killed"):
        pass
    for left, why in ((folder, STOPPED), (tmp_path / "killed", KILLED)):
        lost = read_journal(left)
        assert [(why, transcription(0.2), False)] * 4 == [(r.reason, r.lost, r.final) for r in lost]
    live.meddle = lambda: None
    again = Live()
    tally = asyncio.run(farmed(made, folder, again))
    assert (12, 12) == (tally.done, again.asked)
    assert sum(map(spent_usd, read_journal(folder))) == pytest.approx(tally.cost_usd)
    assert ended_once(made, folder)


def test_what_cannot_be_written_down_is_not_asked_for(tmp_path, monkeypatch):
    """A disk that is full when a process wants to begin a session ends the run with that, and the service is not asked."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Ledger, "begin", full)
    live = Live()
    with pytest.raises(InputError, match=r"begun\.jsonl: cannot be written: No space left"):
        asyncio.run(farmed(recorded(tmp_path, 2), tmp_path / "run", live))
    assert 0 == live.asked


def test_an_unreadable_clip_is_a_row_from_any_process(tmp_path):
    """A clip that a process cannot read is a failed row with its reason; the others are done."""
    made = recorded(tmp_path, 4)
    (tmp_path / "2.wav").write_bytes(b"no audio at all")
    tally = asyncio.run(farmed(made, tmp_path / "run", Live()))
    assert (4, 1) == (tally.done, tally.failed)
    (row,) = [r for r in read_journal(tmp_path / "run") if r.failure]
    assert ("u0002", "input") == (row.utterance, row.failure)


@pytest.mark.parametrize(
    "concurrency, chunk_ms, pace, cores, expected",
    [
        (8, 100, 1.0, 64, 1),
        (500, 100, 1.0, 64, 1),
        (1000, 40, 1.0, 64, 2),
        (12_500, 1000, 1.0, 64, 1),
        (12_501, 1000, 1.0, 64, 2),
        (1000, 40, 1.0, 1, 1),
        (10_000, 100, 1.0, 4, 4),
        (10_000, 100, 0.0, 4, 1),
    ],
)
def test_as_many_processes_as_are_needed(concurrency, chunk_ms, pace, cores, expected):
    """One process where one is punctual, more where it would not be, never more than there are cores."""
    assert expected == processes_needed(concurrency, chunk_ms, pace, cores)


def test_no_clip_is_converted_twice_at_once(tmp_path):
    """Models and repeats of an utterance go to both processes one after the other; those of another do not wait for them."""
    made = plan([utterance(n) for n in range(3)], models=(MODEL, "another"), repeats=3)
    busy: list[tuple[str, str, float, float]] = []

    class Hand:
        alive = True

        def __init__(self, name: str) -> None:
            self.name, self.jobs = name, 0

        def job(self) -> int:
            self.jobs += 1
            return self.jobs

        async def ask(self, told, job):
            loop = asyncio.get_running_loop()
            began = loop.time()
            await asyncio.sleep(1.0)
            busy.append((told.slot[1], self.name, began, loop.time()))
            return pipe.Prepared(job=job, length_s=1.0)

    async def main():
        needs = dict.fromkeys(("endpoint", "connect", "load")) | {"setups": {}, "client": "test"}
        farm = Farm(orders=None, plan=made, folder=tmp_path, journal=None, **needs)
        farm._hands = [Hand("a"), Hand("b")]
        await asyncio.gather(*(farm.prepare(slot) for slot in slots(made)))
        return asyncio.get_running_loop().time()

    assert 6.0 == pytest.approx(run_virtual(main()))
    for name in ("u0000", "u0001", "u0002"):
        spans = sorted(span[2:] for span in busy if span[0] == name)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))
        assert {"a", "b"} == {span[1] for span in busy if span[0] == name}


class Dying:
    """A process in memory, where nothing answers, that dies of every second attempt before anybody hears of it."""

    alive, jobs = True, 0

    def __init__(self, work, *, traced: bool) -> None:
        self.work, self.traced = work, traced
        self.ways = []

    def job(self, way=None) -> int:
        self.ways.append(way)
        return len(self.ways) - 1

    async def ask(self, told, job):
        if isinstance(told, pipe.Prepare):
            return pipe.Prepared(job=job, length_s=1.0)
        dies = told.number % 2 == 0
        if dies and not self.traced:
            raise ProcessLostError("it was ended by signal 9")
        ready = await self.work.prepare(told.slot)
        done = await self.work.attempt(told.slot, ready, told.number, self.ways[job])
        if dies:
            raise ProcessLostError("it was ended by signal 9")
        said = done.ending
        ending = pipe.EndingSaid(retry_after_s=None, unreachable=said.unreachable, away=said.away)
        return pipe.Attempted(job=job, record=done.record, ending=ending, cost_usd=done.cost_usd)


def dying(made, folder, service, beside, *, traced):
    """Return what came of `made` in one process that keeps dying; what is done beside the loop is noted in `beside`."""

    async def main():
        open_folder(made, folder, folder.parent)
        needs = {
            "plan": made,
            "folder": folder,
            "setups": {MODEL: ready(MODEL, turns="manual", transcript="input")},
            "endpoint": lambda: endpoints.gemini(Secret("k-e-y"), url="ws://127.0.0.1:1"),
            "connect": service.connect,
            "load": clip,
            "client": "test",
        }

        async def offload(work, *args):
            beside.append(work)
            return work(*args)

        with Journal(folder) as journal:
            farm = Farm(orders=None, journal=journal, offload=offload, **needs)
            streamer = Streamer(journal=None, offload=directly, **needs)
            farm._hands = [Dying(streamer, traced=traced)]
            pool = Pool(farm, concurrency=2, seed=0)
            return await pool.run(list(slots(made)))

    return run_virtual(main())


@pytest.mark.parametrize("traced", [False, True])
def test_a_process_that_dies_is_no_answer_of_the_service(tmp_path, traced):
    """Where nothing has ever answered, processes that die meanwhile do not make the run go on, whether they left traces."""
    made = plan([utterance(n) for n in range(3)])
    nobody = Service(lambda line, _: line.hang_up(None, "no", unreachable=True), upgraded=False)
    beside = []
    with pytest.raises(InputError, match="nothing answers"):
        dying(made, tmp_path, nobody, beside, traced=traced)
    told = read_journal(tmp_path)
    assert any("signal 9" in r.reason for r in told) != traced
    assert any(r.recovered for r in told) == traced
    assert len(told) < 20
    assert {recovered} == set(beside), "a trace of any length is read beside the loop"


def test_a_trace_of_a_dead_process_says_that_the_service_was_away(tmp_path):
    """What such an attempt met was nobody: its record says so, it is no failure of its utterance, and the run waits for the service."""
    made = plan([utterance(n) for n in range(3)])
    service, knocks = vanishing(-1.0, 65.0, status=503)
    tally = dying(made, tmp_path, service, [], traced=True)
    told = read_journal(tmp_path)
    assert (3, 0, None) == (tally.done, tally.failed, tally.absent)
    away = [r for r in told if r.recovered and r.failure]
    assert len(away) > 3, "more than an utterance may fail"
    assert {("failed_server", "transient", True)} == {
        (r.outcome, r.failure, r.away) for r in told if r.failure
    }
    assert len(knocks) < 30, "one connection at a time looks whether it is back"
