"""Sessions spread over processes: this one alone decides who may begin, and keeps the records.

Knows processes and jobs. Does not know how a session runs (that is `stream`, there) nor when one may begin (`pool`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from weakref import WeakValueDictionary

import msgspec

from harness.errors import HarnessError, InputError
from harness.run import pipe
from harness.run.bill import spent_usd
from harness.run.demand import transcription
from harness.run.orphans import recovered
from harness.run.stream import Streamer
from harness.run.work import Attempted, reached_nobody
from harness.session.retry import Ending
from harness.units import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from harness.run.certificate import Certificate
    from harness.run.folder import Slot
    from harness.run.record import UtteranceRecord
    from harness.session.way import Way
    from harness.units import Milliseconds, Samples, Seconds

TRIES: Final = 3
"""How many processes may die of preparing one clip before it counts as unreadable."""

MOST_DEATHS: Final = 20
"""How many processes may die in one sitting before the run ends."""

END_S: Final[Seconds] = 10.0
"""Longest wait for a process to end by itself, s."""

FRAMES_A_PROCESS: Final = 12_500
"""Frames a second that one process is given: those of 500 sessions of 40 ms. `python -m tests.bench paced40` shows how late it
is with twice as many."""


def processes_needed(concurrency: int, chunk_ms: Milliseconds, pace: float, cores: int) -> int:
    """Return how many processes so many sessions need, at most one a core; one where nothing is paced."""
    frames = concurrency * 1000 / chunk_ms * pace
    return max(1, min(cores, -(-int(frames) // FRAMES_A_PROCESS)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A clip that is ready in one of the processes."""

    hand: _Hand
    length_s: Seconds


class ProcessLostError(Exception):
    """A streaming process ended before its work did."""

    def __init__(self, why: str, *, replayed: Samples | None = None) -> None:
        super().__init__(why)
        self.replayed = replayed
        """What the session was let send again. None: it was never let in, so the service cannot have billed it."""


class Farm(Streamer):
    """`harness.run.work.Work` in several processes. Use it as an asynchronous context manager."""

    def __init__(self, *, orders: pipe.Orders, **more: Any) -> None:
        super().__init__(**more)
        self._orders = orders
        self._hands: list[_Hand] = []
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        """By utterance: whose clip is being prepared in one of the processes."""

        self._deaths = 0
        self.certificates: list[Certificate] = []
        """Of the processes that have ended by themselves."""

    async def __aenter__(self) -> Self:
        numbers = range(1, self._orders.processes + 1)
        self._hands = [_Hand(msgspec.structs.replace(self._orders, process=n)) for n in numbers]
        try:
            await asyncio.gather(*(hand.start() for hand in self._hands))
        except ProcessLostError as error:
            await self._end()
            raise HarnessError("a streaming process did not start", why=str(error)) from error
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _end(self) -> None:
        self.certificates = [
            told
            for told in await asyncio.gather(*(hand.finish() for hand in self._hands))
            if told is not None
        ]

    def floor_ms(self) -> tuple[Milliseconds, Milliseconds]:
        """Return the latest of the processes' timer floors: median and 99th percentile."""
        floors = [hand.floor_ms for hand in self._hands]
        return max(p50 for p50, _ in floors), max(p99 for _, p99 in floors)

    async def prepare(self, slot: Slot) -> Ready:  # type: ignore[override]  # what the pool hands back to us
        """Return where a slot's clip is ready; InputError when it cannot be read there.

        No two processes convert one clip at once: the second finds what the first has kept.
        """
        if (turn := self._turns.get(slot[:2])) is None:
            turn = self._turns[slot[:2]] = asyncio.Lock()
        async with turn:
            return await self._prepared_somewhere(slot)

    async def _prepared_somewhere(self, slot: Slot) -> Ready:
        for _ in range(TRIES):
            hand = await self._free_hand()
            job = hand.job()
            try:
                said = await hand.ask(pipe.Prepare(job=job, slot=slot), job)
            except ProcessLostError:
                continue
            if isinstance(said, pipe.Unreadable):
                raise InputError(said.what)
            return Ready(hand=hand, length_s=said.length_s)
        raise InputError(f"{slot[1]}: each of {TRIES} processes died of converting it")

    def _length_s(self, prepared: Any) -> Seconds:
        length: Seconds = prepared.length_s
        return length

    async def attempt(self, slot: Slot, prepared: Any, number: int, way: Way) -> Attempted | None:
        """Return what came of a session in the process where its clip is ready."""
        hand = prepared.hand if prepared.hand.alive else await self._free_hand()
        job = hand.job(way)
        try:
            said = await hand.ask(pipe.Attempt(job=job, slot=slot, number=number), job)
        except ProcessLostError as error:
            return await self._lost(slot, prepared, number, error)
        if said.record is None:
            return None
        record = said.record
        ending = Ending(
            outcome=record.outcome,
            failure=record.failure,
            reason=record.reason,
            retry_after_s=said.ending.retry_after_s,
            unreachable=said.ending.unreachable,
            away=said.ending.away,
        )
        return Attempted(record=record, ending=ending, cost_usd=said.cost_usd)

    async def _lost(
        self, slot: Slot, prepared: Any, number: int, error: ProcessLostError
    ) -> Attempted:
        """Return the attempt whose process died: it is tried again as after any break, and costs what it was to cost.

        When it left a trace nothing but its record is lost, and that is made again. How long the service wants to be left
        alone is in no trace: asked again, it says so again.
        """
        why, replayed = str(error), error.replayed
        record = msgspec.structs.replace(
            self._never_sent(slot, failure="transient", reason=why), attempt=number
        )
        told: UtteranceRecord | None = await self._offload(
            recovered, self._folder, self._plan, record, Counter()
        )
        if told is not None:
            ending = Ending(
                outcome=told.outcome,
                failure=told.failure,
                reason=told.reason,
                unreachable=reached_nobody(told),
                away=told.away,
            )
            told = msgspec.structs.replace(told, final=True)  # the pool says when it is not
            return Attempted(record=told, ending=ending, cost_usd=spent_usd(told))
        if replayed is not None:
            record = msgspec.structs.replace(
                record,
                audio_samples=round(self._length_s(prepared) * SAMPLE_RATE),
                lost=self.demand(slot, prepared) + transcription(replayed / SAMPLE_RATE),
            )
        ending = Ending(outcome=record.outcome, failure=record.failure, reason=why)
        return Attempted(record=record, ending=ending, cost_usd=spent_usd(record), answered=False)

    async def _free_hand(self) -> _Hand:
        """Return the process with the least to do, after a new one has taken the place of each that died."""
        for place in range(len(self._hands)):
            while not (hand := self._hands[place]).alive:
                self._deaths += 1
                if self._deaths > MOST_DEATHS:
                    raise HarnessError(
                        f"{self._deaths} streaming processes have died", why=hand.epitaph
                    )
                self._hands[place] = fresh = _Hand(hand.orders)
                with contextlib.suppress(ProcessLostError):  # it is one more that has died
                    await fresh.start()
        return min(self._hands, key=lambda hand: hand.jobs)


class _Hand:
    """One streaming process."""

    def __init__(self, orders: pipe.Orders) -> None:
        self.orders = orders
        self._process: asyncio.subprocess.Process | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._ways: dict[int, Way] = {}
        self._entering: dict[int, asyncio.Task[None]] = {}
        """Jobs that wait for their turn."""

        self._entered: dict[int, Samples] = {}
        """Jobs that were let in, and what each was let send again."""

        self._began: asyncio.Future[pipe.Begun] = asyncio.get_running_loop().create_future()
        self._listening: asyncio.Task[None] | None = None
        self._certificate: Certificate | None = None
        self.alive = True
        self.epitaph = ""
        """How it ended, in words."""

    @property
    def jobs(self) -> int:
        """How much it has to do."""
        return len(self._asked)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None  # noqa: S101 - it has been started
        return self._process.pid

    @property
    def floor_ms(self) -> tuple[Milliseconds, Milliseconds]:
        """How late its timers were with nothing to do."""
        begun = self._began.result()
        return begun.floor_p50_ms, begun.floor_p99_ms

    def job(self, way: Way | None = None) -> int:
        """Return a new job's number; `way` is whom it asks when to begin."""
        number = next(self._numbers)
        if way is not None:
            self._ways[number] = way
        return number

    async def start(self) -> None:
        """Start it and wait until it is there; ProcessLostError when it ends at once."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "harness.run.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the run, which drains the sessions itself
            limit=pipe.LINE_BYTES,
        )
        self._listening = asyncio.create_task(self._listen())
        self._tell(self.orders)
        await asyncio.shield(self._began)

    async def ask(self, told: pipe.Told, job: int) -> Any:
        """Return what is said of a job in the end; ProcessLostError when the process dies before."""
        await asyncio.shield(self._began)  # one that takes a dead one's place is still starting
        if not self.alive:
            raise ProcessLostError(self.epitaph)
        answer = self._asked[job] = asyncio.get_running_loop().create_future()
        self._tell(told)
        try:
            return await answer
        finally:
            self._asked.pop(job, None)
            self._ways.pop(job, None)
            self._entered.pop(job, None)
            if (entering := self._entering.get(job)) is not None:
                entering.cancel()  # nobody wants what it would begin

    async def finish(self) -> Certificate | None:
        """Have it end, and return what it saw; None when it ended otherwise, or is ended by us."""
        if self._process is None:
            return None
        if self.alive:
            self._tell(pipe.Finish())
        try:
            async with asyncio.timeout(END_S if self.alive and not self._asked else 0.5):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._listening is not None:
            await self._listening
        return self._certificate

    def _tell(self, told: pipe.Told) -> None:
        assert self._process is not None  # noqa: S101 - it has been started
        assert self._process.stdin is not None  # noqa: S101 - asked for
        self._process.stdin.write(pipe.line(told))

    async def _listen(self) -> None:
        """Hear all that it says, until it ends, or is ended because it cannot be understood."""
        assert self._process is not None  # noqa: S101 - it has been started
        assert self._process.stdout is not None  # noqa: S101 - asked for
        how = None
        try:
            while (data := await self._process.stdout.readline()).endswith(b"\n"):
                self._heard(pipe.heard(data))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            how = f"said what cannot be taken: {error}"
            await self._silence()
        code = await self._process.wait()
        self.alive = False
        if how is None:
            how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        self.epitaph = f"the streaming process {how}"
        for task in self._entering.values():
            task.cancel()
        if not self._began.done():
            self._began.set_exception(ProcessLostError(self.epitaph))
        for job, answer in self._asked.items():
            if not answer.done():
                replayed = self._entered.get(job)
                answer.set_exception(ProcessLostError(self.epitaph, replayed=replayed))
        self._began.exception()  # whoever waits has it; nobody may wait

    async def _silence(self) -> None:
        """Kill it, and read to the end of what it still says: only behind that does its end show."""
        assert self._process is not None  # noqa: S101 - it has been started
        assert self._process.stdout is not None  # noqa: S101 - asked for
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        with contextlib.suppress(OSError):
            while await self._process.stdout.read(2**20):
                pass

    def _heard(self, said: pipe.Heard) -> None:
        match said:
            case pipe.Begun():
                self._began.set_result(said)
            case pipe.Wants(job=job):
                self._let_in(job, lambda way: way.enter())
            case pipe.Again(job=job, replayed=replayed):
                self._let_in(job, lambda way: way.again(replayed), replayed)
            case pipe.Admitted(job=job):
                if job in self._ways:
                    self._ways[job].admitted()
            case pipe.Left(job=job):
                if job in self._ways:
                    self._ways[job].leave()
            case pipe.Broken():
                self._answer(said.job, InputError(said.what, why=said.why, hint=said.hint))
            case pipe.Ended(certificate=certificate):
                self._certificate = certificate
            case _:
                self._answer(said.job, said)

    def _let_in(
        self, job: int, turn: Callable[[Way], Coroutine[Any, Any, bool]], replayed: Samples = 0
    ) -> None:
        """Let a job in when its `turn` comes; it sends so many samples again."""

        async def enter(way: Way) -> None:
            try:
                may = await turn(way)
            except InputError as error:  # it cannot be written down
                self._answer(job, error)
                return
            if may and job in self._asked:
                self._entered[job] = self._entered.get(job, 0) + replayed
            self._tell(pipe.Entered(job=job, may=may))

        if (way := self._ways.get(job)) is not None:
            task = self._entering[job] = asyncio.create_task(enter(way))
            task.add_done_callback(lambda _: self._entering.pop(job, None))

    def _answer(self, job: int, said: Any) -> None:
        answer = self._asked.get(job)
        if answer is None or answer.done():
            return
        if isinstance(said, Exception):
            answer.set_exception(said)
        else:
            answer.set_result(said)
