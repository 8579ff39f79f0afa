"""All sessions of a run: how many at once, which next, and what a refusal means for the rest.

A quota refusal is not an attempt at an utterance: it lowers the number of sessions at once, the utterance waits, and
the number rises again while nothing is refused. A refused key ends the run, a refused model ends that model's part, and
a refused configuration the part that is asked with it: all of a model, or one language's texts. Where nothing answers any
more, the run waits and looks again; when that was in vain for long, what is left is recorded as not reached (decision 10).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.errors import HarnessError, InputError, RefusedError
from harness.run.bill import spent_usd
from harness.run.demand import estimate_usd, transcription
from harness.run.folder import slot as slot_of
from harness.run.gate import Gate
from harness.run.rate import Rate
from harness.run.work import failed_once
from harness.session.retry import MOST_ASKED_S, backoff_s, tries_again
from harness.units import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.run.demand import Demand
    from harness.run.folder import Slot
    from harness.run.rate import RateLimit
    from harness.run.record import UtteranceRecord
    from harness.run.work import Attempted, Configuration, Work
    from harness.session.retry import Ending
    from harness.units import Samples, Seconds, Usd

QUOTA_PATIENCE: Final = 100
"""Pauses in a row, with no session admitted between them, after which an utterance fails for quota: with back-off at its
cap that is the better part of an hour of a service that admits nobody."""

SPARE: Final = 4
"""Utterances got ready beside those whose turn is near."""

ABSENCES: Final = 20
"""Pauses in a row after which a lost service is given up, and most attempts at one utterance that do not reach it: some
six minutes, and a quarter of a minute more for each that has to time out."""

NOBODY_PATIENCE: Final = 5
"""Pauses in a row after which an address where nobody has ever answered ends the run: some six seconds."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """How far the run is; progress shows it."""

    wanted: int
    done: int = 0
    failed: int = 0
    attempts: int = 0
    quota_waits: int = 0
    audio_s: Seconds = 0.0
    cost_usd: Usd = 0.0
    """Spent so far, with the sessions of earlier sittings; estimated where the service sent no bill."""

    next_usd: Usd | None = None
    """Most that a session may cost for which the budget had no room beside the open ones; None: there was always
    room."""

    stopped: str | None = None
    """Why the run stopped before its end, in words; None: it did not."""

    absent: str | None = None
    """Why the service could not be reached any more, in words; None: it could. What was left then counts as done."""

    refused: dict[Configuration, Ending] = field(default_factory=dict)
    """What the service does not take, and how it said so."""


@dataclass(slots=True, kw_only=True)
class _Tries:
    """What became of the attempts at one utterance."""

    number: int
    failures: int
    refusals: int = 0
    absences: int = 0
    """How many reached nobody."""


class Pool:
    """Runs slots through sessions. `stop()` drains; cancelling the task that awaits `run()` stops now.

    `before` are the records of earlier sittings: attempts, failures and spending go on from there.
    """

    def __init__(
        self,
        work: Work,
        *,
        concurrency: int,
        seed: int,
        budget_usd: Usd | None = None,
        rate: RateLimit | None = None,
        before: Iterable[UtteranceRecord] = (),
    ) -> None:
        self._work = work
        self._rng = random.Random(seed)  # noqa: S311 - jitter, not a secret
        self._rate = Rate(rate) if rate is not None else None
        # Money is counted when a session begins and when its bill is in: none begins or ends beside the others.
        self.gate = Gate(concurrency, self._rng, rate=self._rate, ahead=budget_usd is None)
        self._concurrency = concurrency
        self._budget = budget_usd
        self._attempts: Counter[Slot] = Counter()
        self._failures: Counter[Slot] = Counter()
        self._fatal: HarnessError | None = None
        self._reserved: Usd = 0.0
        self.tally = Tally(wanted=0)
        self._queue: deque[Slot] = deque()
        self._wanted: tuple[Slot, ...] = ()
        self._admitted: set[Configuration] = set()
        self._served: set[Slot] = set()
        self._gone: Ending | None = None
        self._preparing: set[asyncio.Task[None]] = set()
        self._let_go: set[asyncio.Task[None]] = set()
        for record in before:  # a million of them, perhaps: none is kept
            self._remember(record)

    def _remember(self, record: UtteranceRecord) -> None:
        """Note what an earlier attempt counts for."""
        slot = slot_of(record)
        self._attempts[slot] = max(self._attempts[slot], record.attempt)
        if failed_once(record):
            self._failures[slot] += 1
        if record.setup_s is not None:
            self._served.add(slot)
        self.tally.cost_usd += spent_usd(record)

    def stop(self, why: str) -> None:
        """Begin no more sessions; those that are open end by themselves. Nobody waits for a clip any more."""
        self.tally.stopped = self.tally.stopped or why
        self._queue.clear()
        self.gate.stop()
        for task in self._preparing - self._let_go:
            self._let_go.add(task)
            task.cancel()

    async def run(self, slots: Iterable[Slot]) -> Tally:
        """Bring every slot to a final record and return the tally.

        RefusedError when the service refuses the credentials, or every model or configuration; InputError when nothing answers at all.
        """
        self._queue.extend(slots)
        self._wanted = tuple(self._queue)
        self.tally.wanted = len(self._queue)
        # Beside the sessions: connections opened ahead and closed behind, and clips converted for those to come.
        workers = min(self._concurrency + 2 * self.gate.ahead + SPARE, len(self._queue))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._worker())
        except ExceptionGroup as errors:
            raise _first(errors) from errors
        if self._fatal is not None:
            raise self._fatal
        return self.tally

    async def _worker(self) -> None:
        while self._queue:
            slot = self._queue.popleft()
            if self._is_refused(slot):
                continue
            try:
                prepared = await self._prepared(slot)
            except InputError as error:
                self._finish(self._work.unreadable(slot, error))
                continue
            if prepared is None:
                return
            await self._bring_to_end(slot, prepared)

    async def _prepared(self, slot: Slot) -> Any:
        """Return what an attempt needs.

        None: the run was stopped meanwhile, and did not wait, since a long clip may take minutes.
        """
        task: asyncio.Task[None] = asyncio.current_task()  # type: ignore[assignment]  # a worker's
        self._preparing.add(task)
        try:
            return await self._work.prepare(slot)
        except asyncio.CancelledError:
            if task not in self._let_go or task.uncancel():
                raise
            return None
        finally:
            self._preparing.discard(task)

    def _is_refused(self, slot: Slot) -> bool:
        """Return whether the service has refused the slot's model or setup, or is gone; the slot's record is then written."""
        refusal = self.refusal(slot)
        if refusal is not None:
            self._finish(self._work.untried(slot, refusal))
        return refusal is not None

    def refusal(self, slot: Slot) -> Ending | None:
        """Return how the service refused a slot's model or setup, or went away; None: it did neither."""
        if self._gone is not None:
            return self._gone
        refused = self.tally.refused
        return refused.get(self._work.configuration(slot)) if refused else None

    async def _bring_to_end(self, slot: Slot, prepared: Any) -> None:
        tries = _Tries(number=self._attempts[slot], failures=self._failures[slot])
        takes = self._work.demand(slot, prepared)
        while await self.gate.approach(takes.tokens):
            if not self._may_spend(_usd(slot, takes)) or self._is_refused(slot):
                self.gate.turn_back()
                return
            done = await self._attempt(slot, prepared, tries.number + 1, takes)
            if done is None:
                if self.refusal(slot) is None and not self.gate.stopped.is_set():
                    self.gate.alone()  # the service did not wait until it was asked
                continue
            tries.number += 1
            wait_s = self._wait_s(done.ending, tries)
            if wait_s is None:
                self._conclude(slot, done)
                return
            self._work.keep(_not_final(done.record))
            await self.gate.sleep(wait_s)
        if self._gone is not None:
            self._is_refused(slot)

    def _wait_s(self, ending: Ending, tries: _Tries) -> Seconds | None:
        """Count the attempt as what it was, and return how long its utterance waits for the next; None: there is no next."""
        if ending.absent:
            tries.absences += 1
            if self._is_given_up(ending) or tries.absences >= ABSENCES:
                return None
            # Longer than the gate stays closed, so that another one looks next: it may be this one's fate alone.
            return (ending.retry_after_s or 0.0) + backoff_s(tries.absences + 1, self._rng)
        if ending.failure == "quota":
            tries.refusals += 1
            # A service may refuse for quota after admitting, and then the gate counts no pauses in a row.
            if max(self.gate.pauses, tries.refusals) < QUOTA_PATIENCE:
                return backoff_s(tries.refusals - 1, self._rng) if tries.refusals > 1 else 0.0
        tries.failures += 1
        if tries_again(ending.failure, tries.failures):
            return backoff_s(tries.failures, self._rng, asked_s=ending.retry_after_s)
        return None

    def _conclude(self, slot: Slot, done: Attempted) -> None:
        """Write down an utterance's last attempt, and draw from it what it means for the rest."""
        if (fatal := self._verdict(slot, done.ending)) is None:
            self._finish(done.record)
            return
        self._work.keep(_not_final(done.record))
        self._end(fatal)

    async def _attempt(
        self, slot: Slot, prepared: Any, number: int, takes: Demand
    ) -> Attempted | None:
        """Return what came of one attempt that has approached the gate; None: it never entered."""
        reserved = _usd(slot, takes)
        way = _Pass(self, slot, number, takes)
        self._reserved += reserved
        try:
            done = await self._work.attempt(slot, prepared, number, way)
            if done is not None:
                self._draw(done, way, takes.tokens + way.tokens)
            elif way.inside:
                self._work.begin(slot, number, None)
        finally:
            self._reserved -= reserved + way.cost_usd
            way.end()
        return done

    def _draw(self, done: Attempted, way: _Pass, estimated: int) -> None:
        """Count what an attempt cost, and tell rate and gate how it ended."""
        self.tally.cost_usd += done.cost_usd
        if self._rate is not None and done.record.usage.total_tokens is not None:
            silent = transcription(done.record.unbilled_samples / SAMPLE_RATE)
            billed = max(0, done.record.usage.total_tokens) + silent.tokens
            self._rate.billed(billed - estimated)
        asked_s = done.ending.retry_after_s
        if done.ending.failure == "quota":
            self.gate.refused(asked_s, inside=way.inside)
            self.tally.quota_waits += 1
        elif done.ending.absent:
            self.gate.lost(asked_s, away=done.ending.away)
        elif done.answered and not way.inside:
            self.gate.found()
            if asked_s:
                self.gate.pause(asked_s)
        if asked_s is not None and asked_s > MOST_ASKED_S:
            self.stop(f"the service wants to be asked again {_then(asked_s)}, and no sooner")

    def admit(self, slot: Slot) -> None:
        """Note that the service took a session of `slot`."""
        self.gate.admitted()
        self._admitted.add(self._work.configuration(slot))

    def _may_spend(self, more: Usd) -> bool:
        """Return whether another session may begin; if the budget forbids it, the run is stopped."""
        if self.tally.stopped is None:
            self._affords(more)
        return self.tally.stopped is None

    def _affords(self, more: Usd) -> bool:
        """Return whether the budget allows so much more; when it does not, all is stopped."""
        if self._budget is None or self.tally.cost_usd + self._reserved + more <= self._budget:
            return True
        self.tally.next_usd = more
        beside = " beside those open" if self._reserved else ""
        self.stop(f"the budget of ${self._budget:g} did not cover another session{beside}")
        return False

    async def go_on(self, more: Demand, way: _Pass) -> bool:
        """Wait until a session may open another connection, which takes `more`; False: the budget forbids it.

        A stop does not: a session that has begun is brought to its end.
        """
        cost_usd = _usd(way.slot, more)
        if cost_usd and not self._affords(cost_usd):
            return False
        self._reserved += cost_usd
        way.cost_usd += cost_usd
        way.tokens += more.tokens
        await self.gate.space(more.tokens)
        if more.tokens:
            self.begin(way, more)
        return True

    def begin(self, way: _Pass, takes: Demand) -> None:
        """Write down that what has approached is about to take so much."""
        self._work.begin(way.slot, way.number, takes)

    def _is_given_up(self, ending: Ending) -> bool:
        """Return whether to give up a service that an attempt did not reach.

        If it had been reached before, all that is left is then recorded as not reached; open sessions end by themselves.
        """
        if not self.gate.reached:
            return self.gate.absences >= NOBODY_PATIENCE
        if self.gate.absences >= ABSENCES and self._gone is None:
            self.tally.absent = ending.reason
            why = f"the service cannot be reached any more: {ending.reason}"
            self._gone = replace(ending, reason=why)
            self.gate.stop()
        return self._gone is not None

    def _finish(self, record: UtteranceRecord) -> None:
        self._work.keep(record)
        self.tally.done += 1
        if record.failure is not None:
            self.tally.failed += 1
        if record.audio_samples is not None:
            self.tally.audio_s += record.audio_samples / SAMPLE_RATE

    def _end(self, fatal: HarnessError) -> None:
        """Begin nothing more, and raise `fatal` when the sessions that are open have ended: they are paid for."""
        self._fatal = self._fatal or fatal
        self.stop(fatal.what)

    def _verdict(self, slot: Slot, ending: Ending) -> HarnessError | None:
        """Act on how a session ended; return the error that makes the rest of the run pointless, if any."""
        if ending.unreachable and not self.gate.reached:
            return InputError(
                "nothing answers at the service's address",
                why=ending.reason,
                hint="check --url and the network",
            )
        if ending.failure == "auth":
            return RefusedError(
                "the service refuses the credentials",
                why=ending.reason,
                hint="check the key or token in the environment; harness doctor helps",
            )
        refused = self._refuses(slot, ending)
        if refused.isdisjoint(self._admitted):
            for one in refused:
                self.tally.refused.setdefault(one, ending)
            if refused and self._asked <= self.tally.refused.keys():
                missing = ending.failure == "model_not_found"
                return RefusedError(
                    f"the service refuses {'the model' if missing else 'the configuration of'} {slot[2]}",
                    why=ending.reason,
                    hint="harness models lists what is known; --set changes the setup",
                )
        return None

    def _refuses(self, slot: Slot, ending: Ending) -> set[Configuration]:
        """Return the configurations that a session's end refuses: all of its model, its own, or none."""
        match ending.failure:
            case "model_not_found":
                return {one for one in self._asked if one[0] == slot[2]}
            case "config":
                return {self._work.configuration(slot)}
            case _:
                return set()

    @cached_property
    def _asked(self) -> frozenset[Configuration]:
        """What is asked with in this run, and was taken in earlier sittings."""
        return frozenset(map(self._work.configuration, (*self._wanted, *self._served)))


class _Pass:
    """One attempt's way: it has approached the gate."""

    def __init__(self, pool: Pool, slot: Slot, number: int, takes: Demand) -> None:
        self._pool = pool
        self.slot = slot
        self.number = number
        self._takes = takes
        self._over = False
        self.inside = False
        """True: it holds a place, or has held one."""

        self.tokens = 0
        """Estimated for what is sent again, beside the estimate of the attempt."""

        self.cost_usd: Usd = 0.0
        """The same in money, which is reserved."""

    async def enter(self) -> bool:
        if not await self._pool.gate.enter():
            return False
        self.inside = True
        if self._pool.refusal(self.slot) is not None:
            return False
        self._pool.begin(self, self._takes)
        self._pool.tally.attempts += 1
        return True

    def admitted(self) -> None:
        self._pool.admit(self.slot)

    async def again(self, replayed: Samples) -> bool:
        return await self._pool.go_on(transcription(replayed / SAMPLE_RATE), self)

    def leave(self) -> None:
        if self._pool.gate.ahead:  # else every place counts until the service has seen the end
            self.end()

    def end(self) -> None:
        """Give the place back, if that has not been done."""
        if not self._over:
            self._over = True
            if self.inside:
                self._pool.gate.leave()
            else:
                self._pool.gate.turn_back()


def _then(seconds: Seconds) -> str:
    """Return when so long will be over."""
    try:
        return f"at {datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:
        return "after the year 9999"


def _usd(slot: Slot, takes: Demand) -> Usd:
    """Return what an attempt will cost; 0 when its model has no price, which no budget is given for."""
    return estimate_usd(slot[2], takes) or 0.0


def _not_final(record: UtteranceRecord) -> UtteranceRecord:
    return msgspec.structs.replace(record, final=False)


def _first(errors: ExceptionGroup[Exception]) -> Exception:
    """Return the error that a person should read: ours before anything else."""
    flat: list[Exception] = []
    stack: list[BaseException] = [errors]
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        elif isinstance(error, Exception):
            flat.append(error)
    return next((e for e in flat if isinstance(e, HarnessError)), flat[0])
