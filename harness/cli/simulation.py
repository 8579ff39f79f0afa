"""`harness run --service simulated`: a plan tried on virtual time, frame by frame where that is quick, else by a model."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from harness.audio.clip import AudioClip, MemoryPcm
from harness.cli.joined import Emulator, Joint
from harness.cli.listing import print_facts
from harness.clock import VirtualTimeLoop
from harness.emulator.model.manners import Manners
from harness.emulator.standins import LengthOfAnswer, LengthOfSpeech, LengthOfText
from harness.emulator.voice.speech import PART_S
from harness.errors import RefusedError
from harness.run import attempt, errands
from harness.run.demand import ANSWER_S, CHARACTERS_A_SECOND, Demand
from harness.run.folder import slot as slot_of
from harness.run.folder import slots
from harness.run.plan import longest_first
from harness.run.simulate import Delay, forecast, pool_of, summed
from harness.run.stay import Account, Stays, billed, priced
from harness.run.stream import NOTHING_SPOKEN, Prepared, Streamer
from harness.secret import Secret
from harness.session.frames import Frames
from harness.session.waits import Waits
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, duration_text, usd_text
from harness.wire.live import endpoint as live
from harness.wire.live.catalogue import find
from harness.wire.live.codec import message_from
from harness.wire.live.messages import Setup
from harness.wire.live.refusals import QUOTA

if TYPE_CHECKING:
    from harness.run.assumptions import Assumptions
    from harness.run.folder import Slot
    from harness.run.pool import Pool
    from harness.run.rate import RateLimit
    from harness.run.record import Plan, PlannedUtterance, UtteranceRecord
    from harness.run.simulate import Forecast
    from harness.session.transport import Listener
    from harness.units import Samples, Usd
    from harness.wire.live.endpoint import Endpoint, Route

MOST_SESSIONS: Final = 10_000
MOST_FRAMES: Final = 2_000_000
"""Up to so many sessions and frames, every frame goes to the emulator in memory: some minutes of one core."""

_NOWHERE: Final = "ws://127.0.0.1:1"

_FOR_EVER_S: Final = 1e9
"""No connection and no session of the emulator's ends by itself: how much goes over one is assumed."""

_BEHIND_S: Final = 1e-4
"""An answer and a client's message of the same instant are told apart by so much: the answer comes behind it."""


def print_simulation(
    plan: Plan,
    service: Assumptions,
    *,
    route: Route,
    concurrency: int,
    budget: Usd | None,
    rate: RateLimit | None,
    as_json: bool,
) -> None:
    """Print what a run of `plan` comes to on the simulated service, were it asked at `route`."""
    how: dict[str, Any] = {"concurrency": concurrency, "budget_usd": budget, "rate": rate}
    told = None
    if not service.faults and _is_short(plan, service):
        told = _frame_by_frame(plan, service, route, **how)
    if told is None:
        told = forecast(plan, slots(plan), service, **how)
    if as_json:
        document = {"simulated": True, "plan": plan.hash, **dataclasses.asdict(told)}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    _print(told, service, concurrency)


def _is_short(plan: Plan, service: Assumptions) -> bool:
    """Return whether a plan can be tried frame by frame: it is short, and the emulator knows its models."""
    rounds = plan.repeats * len(plan.models)
    if len(plan.utterances) * rounds > MOST_SESSIONS or not all(map(find, plan.models)):
        return False
    stays = Stays(plan, service)
    demands = [stays.of(utterance).demand for utterance in plan.utterances]
    sent = sum(one.audio_s for one in demands) * 1000 / plan.chunk_ms
    return rounds * (sent + sum(one.speech_s for one in demands) / PART_S) <= MOST_FRAMES


class _Crowded(Emulator):
    """An emulator that is some way off, takes its time, and admits only so many sessions."""

    def __init__(self, plan: Plan, service: Assumptions) -> None:
        asked = plan.task != "transcribe"
        answer_s = service.answer_s + _BEHIND_S
        length = {"transcribe": None if plan.transcript != "input" else 0, "speak": None}
        super().__init__(
            LengthOfSpeech(
                characters_a_second=CHARACTERS_A_SECOND,
                after_s=0.0 if asked else answer_s,
            ),
            Manners(
                audio_tokens=0,
                connection_s=_FOR_EVER_S,
                session_s=_FOR_EVER_S,
                setup_s=_FOR_EVER_S,
                pause_ms=round(service.silence_s * 1000),
                reply_after_s=answer_s if asked else 0.0,
                part_every_s=0.0,
                answers=LengthOfAnswer(
                    length.get(plan.task, round(ANSWER_S * CHARACTERS_A_SECOND))
                ),
            ),
            LengthOfText(characters_a_second=CHARACTERS_A_SECOND),
        )
        self._service = service
        self._opening = Delay(service.opening_s)
        self._open = 0
        self.most = 0

    async def connect(self, endpoint: Endpoint, listener: Listener) -> Joint:
        await self._opening.over()
        joint = await super().connect(endpoint, listener)
        send, end = joint.send, joint.end
        inside = False

        def enter(setup: bytes) -> None:
            nonlocal inside
            if self._service.sessions is not None and self._open >= self._service.sessions:
                end(QUOTA.code, QUOTA.reason, False)
            elif not joint.over:
                inside = True
                self._open += 1
                self.most = max(self.most, self._open)
                send(setup)

        def ask(payload: bytes) -> None:
            if payload.startswith(b'{"setup"'):
                joint.loop.call_later(self._service.setup_s, enter, payload)
            else:
                send(payload)

        def leave(code: int, reason: str, by_us: bool) -> None:
            nonlocal inside
            self._open -= inside
            inside = False
            end(code, reason, by_us)

        joint.send, joint.end = ask, leave  # type: ignore[method-assign]  # one connection's own
        return joint


class _Unwritten(Streamer):
    """Streams sound as long as the clips, and counts instead of writing."""

    def __init__(self, plan: Plan, stays: Stays, **more: Any) -> None:
        super().__init__(plan=stays.plan, **more)
        self._asked = plan
        self._stays = stays
        self.account = Account()

    def _prepared(self, utterance: PlannedUtterance) -> Prepared:
        errands.check(self._asked, utterance)
        legs = self._stays.of(utterance).legs
        if legs == (0,):
            return Prepared(frames=Frames(NOTHING_SPOKEN, self._plan.chunk_ms))
        frames = Frames(_sound(legs), self._plan.chunk_ms)
        return Prepared(frames=frames, cuts=tuple(sum(legs[:n]) for n in range(1, len(legs))))

    def _write_down(self, taken: Any, name: str) -> UtteranceRecord:
        del name
        plan = self._plan
        record = attempt.record(taken()[0], plan.transcript, path=None, final=True, task=plan.task)
        demand, samples = Demand(), 0
        if record.setup_s is not None:
            samples = record.audio_samples or 0
            utterance = self._utterances[record.dataset, record.utterance]
            demand = errands.demand(plan, utterance, samples / SAMPLE_RATE)
        record = msgspec.structs.replace(record, audio_samples=samples, usage=billed(demand))
        self.account.add(samples, record.usage)
        return record

    def begin(self, slot: Slot, number: int, takes: Demand | None) -> None:
        """Write nothing: nothing is spent."""

    def keep(self, record: UtteranceRecord) -> None:
        if record.final and record.failure is None:
            self.account.done(self._stays.of(self._utterances[slot_of(record)[:2]]))


@cache
def _tone() -> bytes:
    """Return half a second of sound, which begins with a pause that is none to a listener."""
    loud = (b"\x00\x10" * 8 + b"\x00\xf0" * 8) * (SAMPLE_RATE // 16)
    return (bytes(SAMPLE_RATE // 12 * SAMPLE_BYTES) + loud)[: SAMPLE_RATE // 2 * SAMPLE_BYTES]


def _sound(legs: tuple[Samples, ...]) -> AudioClip:
    """Return sound that detection takes for speech, up to the end of each leg."""
    tone = _tone()
    sizes = [leg * SAMPLE_BYTES for leg in legs]
    parts = [(tone * (size // len(tone) + 1))[-size:] for size in sizes]
    return AudioClip(pcm=MemoryPcm(b"".join(parts)))


async def _directly(work: Any, *args: Any) -> Any:
    return work(*args)


def _endpoint(route: Route) -> Endpoint:
    """Return an address of `route` where nobody is."""
    key = Secret("simulated")
    if route.platform == "vertex":
        return live.vertex(key, project="simulated", version=route.version, url=_NOWHERE)
    return live.gemini(key, version=route.version, url=_NOWHERE)


def _frame_by_frame(
    plan: Plan,
    service: Assumptions,
    route: Route,
    *,
    concurrency: int,
    budget_usd: Usd | None,
    rate: RateLimit | None,
) -> Forecast | None:
    """Return the forecast with every frame sent to the emulator in memory; None: it knows no such setup."""
    endpoint = _endpoint(route)
    setups = {
        name: msgspec.structs.replace(message_from(setup, Setup), model=endpoint.model_name(name))
        for name, setup in plan.setups.items()
    }
    stays = Stays(plan, service)

    async def main(folder: Path) -> tuple[Pool, Account, int]:
        far = _Crowded(plan, service)
        work = _Unwritten(
            plan,
            stays,
            folder=folder,
            journal=None,
            setups=setups,
            endpoint=lambda: endpoint,
            connect=far.connect,
            load=None,
            client="simulation",
            waits=Waits.listening(stays.plan.quiet_s),
            offload=_directly,
        )
        pool = pool_of(work, plan, concurrency=concurrency, budget_usd=budget_usd, rate=rate)
        await pool.run(longest_first(plan, slots(plan)))
        return pool, work.account, far.most

    loop = VirtualTimeLoop()
    with (
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        try:
            pool, account, most = runner.run(main(Path(folder)))
        except RefusedError:
            return None
        wall_s = loop.time()
    return summed(
        pool,
        method="frames",
        wall_s=wall_s,
        best_s=account.best_s(concurrency, service),
        most=most,
        account=account,
        priced=priced(plan),
    )


def _print(told: Forecast, service: Assumptions, concurrency: int) -> None:
    method = "frame by frame" if told.method == "frames" else "session by session"
    again = told.attempts - told.sessions + told.unattempted
    rows = [
        ("sessions", f"{told.sessions:,} of the plan, {told.attempts:,} begun ({again:,} again)"),
        ("audio", duration_text(told.audio_s)),
        ("time", duration_text(told.wall_s)),
        ("tokens", f"{told.tokens:,}"),
        (
            "cost",
            "unknown: no price for a model" if told.cost_usd is None else usd_text(told.cost_usd),
        ),
        ("at once", f"{told.sessions_at_once:,} sessions at most, of {concurrency:,} asked for"),
        ("failed", f"{told.failed:,}"),
    ]
    if told.best_s:
        times = f"this is {told.wall_s / told.best_s:.2f} times that"
        rows.insert(3, ("best", f"{duration_text(told.best_s)} with all admitted: {times}"))
    if service.sessions is not None:
        rows.append(
            (
                "quota",
                f"{service.sessions:,} sessions: {told.refusals:,} refused, {told.limit_at_end:,} at once at the end",
            )
        )
    if service.faults:
        rows.append(
            (
                "breaks",
                f"{service.faults:.2%} of sessions, each tried again whole; a real one that holds a handle sends less again",
            )
        )
    click.echo(
        f"SIMULATED {method}, on virtual time: a forecast. Nothing was sent, and there are no transcripts."
    )
    print_facts(rows)
    if told.stopped:
        click.echo(f"stopped: {told.stopped}; {told.unattempted:,} were not attempted")
