"""A plan tried before it is paid for: the run's own scheduling, on virtual time, over a model of the service.

A session of the model opens, is admitted or refused for quota, stays as long as `stay` says, and closes; some break, and
are tried again whole. Everything else is the real thing: the pool, its gate, retries, rate and budget. Deterministic: the
same plan and seed give the same forecast.

What comes of it is a forecast, never a transcript.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.clock import VirtualTimeLoop
from harness.run import errands
from harness.run.demand import Demand, estimate_usd
from harness.run.plan import longest_first
from harness.run.pool import Pool
from harness.run.record import Usage, UtteranceRecord
from harness.run.stay import Account, Stays, billed, priced
from harness.run.work import Attempted
from harness.session.pace import Pacer
from harness.session.retry import Ending

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.errors import InputError
    from harness.run.assumptions import Assumptions
    from harness.run.folder import Slot
    from harness.run.rate import RateLimit
    from harness.run.record import Plan
    from harness.run.stay import Stay
    from harness.run.work import Configuration, Work
    from harness.session.way import Way
    from harness.units import Samples, Seconds, Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a run is expected to take."""

    method: str
    """`sessions`: by the model of a session; `frames`: frame by frame against the emulator."""

    sessions: int
    """Of the plan."""

    attempts: int
    """Sessions begun, those that broke or were refused with them."""

    failed: int
    refusals: int
    """For quota."""

    unattempted: int
    audio_s: Seconds
    wall_s: Seconds
    best_s: Seconds
    """What the sessions that ended well take at least, had the service admitted all that were asked for and broken none."""

    sessions_at_once: int
    """The most at once."""

    limit_at_end: int
    """How many the harness still tried at once at the end."""

    tokens: int
    cost_usd: Usd | None
    """None: a model has no price."""

    stopped: str | None


class Delay:
    """A wait that takes all equally long: who comes first goes first, within one instant too, which timers do not promise.

    Make it inside a running loop. One timer serves all who wait.
    """

    def __init__(self, seconds: Seconds) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Seconds, asyncio.Future[None]]] = deque()

    async def over(self) -> None:
        """Wait."""
        until, place = self._loop.time() + self._seconds, self._loop.create_future()
        self._waiting.append((until, place))
        if len(self._waiting) == 1:
            self._loop.call_at(until, self._go)
        await place

    def _go(self) -> None:
        """Let go whose time it is."""
        now = self._waiting[0][0]
        while self._waiting and self._waiting[0][0] <= now:
            _, place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
        if self._waiting:
            self._loop.call_at(self._waiting[0][0], self._go)


class Modelled:
    """`harness.run.work.Work` over the modelled service."""

    def __init__(self, plan: Plan, service: Assumptions) -> None:
        self._plan = plan
        self._service = service
        self._stays = Stays(plan, service)
        self._utterances = {(u.dataset, u.id): u for u in plan.utterances}
        self._pacer = Pacer(asyncio.get_running_loop())
        self._period_s = plan.chunk_ms / 1000 / self._stays.plan.pace
        self._opening, self._setup = Delay(service.opening_s), Delay(service.setup_s)
        self._open = 0
        self.most = 0
        self.account = Account()

    async def prepare(self, slot: Slot) -> Stay:
        """Return the session's stay; InputError when the utterance lacks what the task needs."""
        utterance = self._utterances[slot[:2]]
        errands.check(self._plan, utterance)
        await asyncio.sleep(0)  # as long as who waits at the gate takes to go before whoever comes
        return self._stays.of(utterance)

    def demand(self, slot: Slot, prepared: Stay) -> Demand:
        """Return what a session takes."""
        del slot
        return prepared.demand

    def begin(self, slot: Slot, number: int, takes: Demand | None) -> None:
        """Write nothing: nothing is spent."""

    def configuration(self, slot: Slot) -> Configuration:
        """Return the model: the model of a service refuses none."""
        return slot[2], ""

    async def attempt(self, slot: Slot, prepared: Stay, number: int, way: Way) -> Attempted | None:
        """Return what comes of a session in the model."""
        service = self._service
        await self._opening.over()
        if not await way.enter():
            return None
        await self._setup.over()
        if service.sessions is not None and self._open >= service.sessions:
            refused = Ending(outcome="failed_quota", failure="quota")
            return self._ended(slot, number, 0, Demand(), refused)
        way.admitted()
        self._open += 1
        self.most = max(self.most, self._open)
        share = self._broken_after(slot, number)
        try:
            if share is None:
                await self._whole(prepared, way)
            else:
                await asyncio.sleep(share * (prepared.least_s - service.setup_s))
        finally:
            self._open -= 1
        way.leave()
        samples = sum(prepared.legs)
        if share is None:
            self.account.done(prepared)
            return self._ended(slot, number, samples, prepared.demand, Ending(outcome="ok"))
        broken = Ending(outcome="failed_server", failure="transient", reason="simulated")
        demand = prepared.demand.share(share)
        return self._ended(slot, number, round(samples * share), demand, broken)

    def _broken_after(self, slot: Slot, number: int) -> float | None:
        """Return the share of an attempt's stay after which it breaks; None: it does not."""
        if not self._service.faults:
            return None
        draw = random.Random(f"{self._plan.seed}/{slot}/{number}")  # noqa: S311 - repeatable, no secret
        return draw.random() if draw.random() < self._service.faults else None

    async def _whole(self, stay: Stay, way: Way) -> None:
        """Stay to the end, over one connection after the other."""
        loop = asyncio.get_running_loop()
        for number, (leg, span_s) in enumerate(zip(stay.legs, stay.spans_s, strict=True)):
            if number:
                await way.again(0)
                await self._opening.over()
                await self._setup.over()
            starts = self._pacer.start(self._period_s) if leg else loop.time()
            await asyncio.sleep(starts - loop.time() + span_s)

    def _ended(
        self, slot: Slot, number: int, samples: Samples, demand: Demand, ending: Ending
    ) -> Attempted:
        record = self._record(slot, number, ending, samples, billed(demand))
        self.account.add(samples, record.usage)
        cost_usd = estimate_usd(slot[2], demand) or 0.0
        return Attempted(record=record, ending=ending, cost_usd=cost_usd)

    def _record(
        self, slot: Slot, number: int, ending: Ending, samples: Samples, usage: Usage
    ) -> UtteranceRecord:
        return UtteranceRecord(
            utterance=slot[1],
            dataset=slot[0],
            locale=self._utterances[slot[:2]].locale,
            model=slot[2],
            repeat=slot[3],
            attempt=number,
            final=True,
            trace=None,
            outcome=ending.outcome,
            failure=ending.failure,
            reason=ending.reason,
            started_at="",
            audio_samples=samples,
            usage=usage,
        )

    def unreadable(self, slot: Slot, error: InputError) -> UtteranceRecord:
        """Return the record of a slot that cannot be sent."""
        ending = Ending(outcome="failed_client", failure="input", reason=str(error))
        return self._record(slot, 1, ending, 0, Usage())

    def untried(self, slot: Slot, ending: Ending) -> UtteranceRecord:
        """Return the record of a slot that was refused before it was tried."""
        return self._record(slot, 1, ending, 0, Usage())

    def keep(self, record: UtteranceRecord) -> None:
        """Keep nothing: what counts is counted."""


def forecast(
    plan: Plan,
    wanted: Iterable[Slot],
    service: Assumptions,
    *,
    concurrency: int,
    budget_usd: Usd | None = None,
    rate: RateLimit | None = None,
) -> Forecast:
    """Return what the model says of bringing `wanted` to its end."""
    order = longest_first(plan, wanted)
    loop = VirtualTimeLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:

        async def main() -> tuple[Pool, Modelled]:
            work = Modelled(plan, service)
            pool = pool_of(work, plan, concurrency=concurrency, budget_usd=budget_usd, rate=rate)
            await pool.run(order)
            return pool, work

        pool, work = runner.run(main())
        wall_s = loop.time()
    return summed(
        pool,
        method="sessions",
        wall_s=wall_s,
        best_s=work.account.best_s(concurrency, service),
        most=work.most,
        account=work.account,
        priced=priced(plan),
    )


def pool_of(
    work: Work, plan: Plan, *, concurrency: int, budget_usd: Usd | None, rate: RateLimit | None
) -> Pool:
    """Return the pool that a run would have."""
    return Pool(work, concurrency=concurrency, seed=plan.seed, budget_usd=budget_usd, rate=rate)


def summed(
    pool: Pool,
    *,
    method: str,
    wall_s: Seconds,
    best_s: Seconds,
    most: int,
    account: Account,
    priced: bool,
) -> Forecast:
    """Return the forecast that a finished pool stands for."""
    tally = pool.tally
    return Forecast(
        method=method,
        sessions=tally.wanted,
        attempts=tally.attempts,
        failed=tally.failed,
        refusals=tally.quota_waits,
        unattempted=tally.wanted - tally.done,
        audio_s=round(account.audio_s, 3),
        wall_s=math.ceil(wall_s * 1000) / 1000,
        best_s=math.floor(best_s * 1000) / 1000,
        sessions_at_once=most,
        limit_at_end=pool.gate.limit,
        tokens=account.tokens,
        cost_usd=round(tally.cost_usd, 6) if priced else None,
        stopped=tally.stopped,
    )
