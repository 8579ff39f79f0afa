"""A plan tried before it is paid for: the run's own scheduling, on virtual time, over a model of the service.

A session of the model opens, is admitted or refused for quota, hears its audio over as many connections as that takes,
answers and closes; some break, and are tried again whole. Everything else is the real thing: the pool, its gate, retries,
rate and budget. Deterministic: the same plan and seed give the same forecast.

What comes of it is a forecast, never a transcript.
"""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.clock import VirtualTimeLoop
from harness.errors import UsageError
from harness.run import errands
from harness.run.bill import estimate_usd
from harness.run.plan import PER_SESSION_S, longest_first, planned_length_s
from harness.run.pool import Attempted, Pool
from harness.run.record import Usage, UtteranceRecord
from harness.run.stream import LEG_S
from harness.session.retry import Ending
from harness.units import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.errors import InputError
    from harness.run.bill import Demand
    from harness.run.folder import Slot
    from harness.run.pool import Configuration, Work
    from harness.run.rate import RateLimit
    from harness.run.record import Plan
    from harness.session.way import Way
    from harness.units import Seconds, Usd

UNPACED: Final = 20.0
"""How much faster than real time the model takes audio that is not paced."""

TYPICAL_S: Final[Seconds] = 5.0
"""Assumed length of an utterance that nobody knows, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """The service as it is modelled."""

    sessions: int | None = None
    """How many it admits at once; None: any number."""

    opening_s: Seconds = 0.3
    """From the start of a connection to its being open: some round trips and TLS."""

    setup_s: Seconds = 0.2
    """From the setup to `setupComplete`."""

    answer_s: Seconds = 0.3
    """From the end of the audio to the last text."""

    quiet_s: Seconds = PER_SESSION_S - 0.5
    """How long the client then listens for more."""

    connection_s: Seconds = LEG_S
    """Longest span of audio that one connection hears before goAway."""

    faults: float = 0.0
    """Share of sessions that break. Each is tried again whole: a real one with a handle, or behind a seam, is gone on with
and sends less again (decision 9)."""


def assumptions(pairs: Iterable[str]) -> Assumptions:
    """Return the assumptions with `NAME=VALUE` replaced; UsageError when one is none."""
    made: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        field = name.replace("-", "_")
        number = _number(field, value)
        if number is None:
            raise UsageError(
                f"not an assumption: {pair!r}",
                why=f"there are {', '.join(f.replace('_', '-') for f in Assumptions.__slots__)}",
                hint="--assume sessions=50 --assume faults=0.01",
            )
        made[field] = number
    return Assumptions(**made)


def _number(field: str, value: str) -> float | int | None:
    """Return what an assumption's value stands for; None when it can stand for nothing."""
    if field not in Assumptions.__slots__:
        return None
    try:
        number = int(value) if field == "sessions" else float(value)
    except ValueError:
        return None
    least = 1 if field in ("sessions", "connection_s") else 0
    most = 0.99 if field == "faults" else 1e9
    return number if least <= number <= most else None


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
    best_s: Seconds | None
    """What the same sessions take when all asked for are admitted and none breaks; None: not known."""

    sessions_at_once: int
    """The most at once."""

    limit_at_end: int
    """How many the harness still tried at once at the end."""

    tokens: int
    cost_usd: Usd | None
    """None: a model has no price."""

    stopped: str | None


class Modelled:
    """`harness.run.pool.Work` over the modelled service."""

    def __init__(self, plan: Plan, service: Assumptions) -> None:
        self._plan = plan
        self._service = service
        self._utterances = {(u.dataset, u.id): u for u in plan.utterances}
        self._open = 0
        self.most = 0
        self.audio_s: Seconds = 0.0
        self.tokens_billed = 0

    async def prepare(self, slot: Slot) -> Seconds:
        """Return the utterance's length."""
        length = planned_length_s(self._utterances[slot[:2]])
        return TYPICAL_S if length is None else length

    def demand(self, slot: Slot, prepared: Seconds) -> Demand:
        """Return what a session takes."""
        return errands.demand(self._plan, self._utterances[slot[:2]], prepared)

    def begin(self, slot: Slot, number: int, takes: Demand | None) -> None:
        """Write nothing: nothing is spent."""

    def configuration(self, slot: Slot) -> Configuration:
        """Return the model: the model of a service refuses none."""
        return slot[2], ""

    async def attempt(
        self, slot: Slot, prepared: Seconds, number: int, way: Way
    ) -> Attempted | None:
        """Return what comes of a session in the model."""
        service = self._service
        await asyncio.sleep(service.opening_s)
        if not await way.enter():
            return None
        await asyncio.sleep(service.setup_s)
        if service.sessions is not None and self._open >= service.sessions:
            return self._ended(slot, number, 0.0, Ending(outcome="failed_quota", failure="quota"))
        way.admitted()
        self._open += 1
        self.most = max(self.most, self._open)
        draw = random.Random(f"{self._plan.seed}/{slot}/{number}")  # noqa: S311 - repeatable, no secret
        breaks = draw.random() < service.faults
        heard_s = prepared * (draw.random() if breaks else 1.0)
        seams = math.ceil(prepared / service.connection_s) - 1 if prepared else 0
        between_s = service.opening_s + service.setup_s + service.answer_s + service.quiet_s
        ending = Ending(outcome="ok")
        try:
            await asyncio.sleep(heard_s / (self._plan.pace or UNPACED))
            if breaks:
                ending = Ending(outcome="failed_server", failure="transient", reason="simulated")
            else:
                await asyncio.sleep(seams * between_s + service.answer_s + service.quiet_s)
        finally:
            self._open -= 1
        way.leave()
        return self._ended(slot, number, heard_s, ending)

    def _ended(self, slot: Slot, number: int, heard_s: Seconds, ending: Ending) -> Attempted:
        demand = self.demand(slot, heard_s)
        tokens = demand.tokens if heard_s else 0
        self.tokens_billed += tokens
        self.audio_s += heard_s
        cost = estimate_usd(slot[2], demand) if heard_s else 0.0
        record = self._record(slot, number, ending, round(heard_s * SAMPLE_RATE), tokens)
        return Attempted(record=record, ending=ending, cost_usd=cost or 0.0)

    def _record(
        self, slot: Slot, number: int, ending: Ending, samples: int, tokens: int = 0
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
            usage=Usage(records=1, total_tokens=tokens),
        )

    def unreadable(self, slot: Slot, error: InputError) -> UtteranceRecord:
        """Return the record of what nobody reads."""
        return self._record(
            slot, 1, Ending(outcome="failed_client", failure="input", reason=str(error)), 0
        )

    def untried(self, slot: Slot, ending: Ending) -> UtteranceRecord:
        """Return the record of what was refused before."""
        return self._record(slot, 1, ending, 0)

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
    each_s = service.setup_s + service.answer_s + service.quiet_s
    lengths = {
        (u.dataset, u.id): (planned_length_s(u) or TYPICAL_S) / (plan.pace or UNPACED)
        for u in plan.utterances
    }
    busy = [lengths[slot[:2]] + each_s for slot in order]
    best = max(sum(busy) / concurrency, max(busy, default=0.0)) + service.opening_s
    return summed(
        pool,
        method="sessions",
        wall_s=wall_s,
        best_s=best,
        most=work.most,
        audio_s=work.audio_s,
        tokens=work.tokens_billed,
        priced=all(
            estimate_usd(m, errands.demand(plan, plan.utterances[0], 1.0)) is not None
            for m in plan.models
        ),
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
    best_s: Seconds | None,
    most: int,
    audio_s: Seconds,
    tokens: int,
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
        audio_s=round(audio_s, 3),
        wall_s=round(wall_s, 3),
        best_s=None if best_s is None else round(best_s, 3),
        sessions_at_once=most,
        limit_at_end=pool.gate.limit,
        tokens=tokens,
        cost_usd=round(tally.cost_usd, 6) if priced else None,
        stopped=tally.stopped,
    )
