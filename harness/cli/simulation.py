"""`harness run --service simulated`: a plan tried on virtual time, frame by frame where that is quick, else by a model."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harness.audio.clip import AudioClip, MemoryPcm
from harness.cli.joined import Emulator, Joint
from harness.clock import VirtualTimeLoop
from harness.emulator.manners import Manners
from harness.emulator.scripted import Line, Scripted
from harness.run import attempt
from harness.run.access import access
from harness.run.folder import slots
from harness.run.plan import longest_first, planned_length_s
from harness.run.simulate import TYPICAL_S, forecast, pool_of, summed
from harness.run.stream import Streamer
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, duration_text, usd_text
from harness.wire.live.refusals import QUOTA

if TYPE_CHECKING:
    from harness.emulator.ears import Ear
    from harness.run.bill import Demand
    from harness.run.folder import Slot
    from harness.run.pool import Pool
    from harness.run.rate import RateLimit
    from harness.run.record import Plan, PlannedUtterance, UtteranceRecord
    from harness.run.simulate import Assumptions, Forecast
    from harness.session.transport import Listener
    from harness.units import Usd
    from harness.wire.live.endpoint import Endpoint

MOST_SESSIONS: Final = 10_000
MOST_FRAMES: Final = 2_000_000
"""Up to so many sessions and frames, every frame goes to the emulator in memory: some minutes of one core."""


def print_simulation(
    plan: Plan,
    service: Assumptions,
    *,
    concurrency: int,
    budget: Usd | None,
    rate: RateLimit | None,
    as_json: bool,
) -> None:
    """Print what a run of `plan` comes to on the simulated service."""
    wanted = list(slots(plan))
    rounds = plan.repeats * len(plan.models)
    audio_s = rounds * sum(planned_length_s(u) or TYPICAL_S for u in plan.utterances)
    frames = audio_s * 1000 / plan.chunk_ms
    how: dict[str, Any] = {"concurrency": concurrency, "budget_usd": budget, "rate": rate}
    told = forecast(plan, wanted, service, **how)
    if len(wanted) <= MOST_SESSIONS and frames <= MOST_FRAMES and not service.faults:
        told = _frame_by_frame(plan, service, told, **how)
    if as_json:
        document = {"simulated": True, "plan": plan.hash, **dataclasses.asdict(told)}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    _print(told, service, concurrency)


class _Counts:
    """What the simulated service and its client have seen."""

    def __init__(self) -> None:
        self.open = self.most = self.tokens = self.samples = 0


class _Crowded(Emulator):
    """An emulator that is some way off and admits only so many sessions."""

    def __init__(self, ear: Ear, manners: Manners, service: Assumptions, counts: _Counts) -> None:
        super().__init__(ear, manners)
        self._service = service
        self._counts = counts

    async def connect(self, endpoint: Endpoint, listener: Listener) -> Joint:
        await asyncio.sleep(self._service.opening_s)
        joint = await super().connect(endpoint, listener)
        counts, send, end = self._counts, joint.send, joint.end
        inside = False

        def ask(payload: bytes) -> None:
            nonlocal inside
            if not inside and payload.startswith(b'{"setup"'):
                if self._service.sessions is not None and counts.open >= self._service.sessions:
                    joint.loop.call_soon(end, QUOTA.code, QUOTA.reason, False)
                    return
                inside = True
                counts.open += 1
                counts.most = max(counts.most, counts.open)
            send(payload)

        def leave(code: int, reason: str, by_us: bool) -> None:
            nonlocal inside
            counts.open -= inside
            inside = False
            end(code, reason, by_us)

        joint.send, joint.end = ask, leave  # type: ignore[method-assign]  # one connection's own
        return joint


class _Unwritten(Streamer):
    """Streams, and counts instead of writing."""

    def __init__(self, counts: _Counts, **more: Any) -> None:
        super().__init__(**more)
        self._counts = counts

    def _write_down(self, taken: Any, name: str) -> UtteranceRecord:
        plan = self._plan
        return attempt.record(taken()[0], plan.transcript, path=None, final=True, task=plan.task)

    def begin(self, slot: Slot, number: int, takes: Demand | None) -> None:
        """Write nothing: nothing is spent."""

    def keep(self, record: UtteranceRecord) -> None:
        self._counts.tokens += record.usage.total_tokens or 0
        self._counts.samples += record.audio_samples or 0


def _silent(utterance: PlannedUtterance) -> AudioClip:
    length = planned_length_s(utterance) or TYPICAL_S
    return AudioClip(pcm=MemoryPcm(bytes(round(length * SAMPLE_RATE) * SAMPLE_BYTES)))


async def _directly(work: Any, *args: Any) -> Any:
    return work(*args)


def _frame_by_frame(
    plan: Plan,
    service: Assumptions,
    modelled: Forecast,
    *,
    concurrency: int,
    budget_usd: Usd | None,
    rate: RateLimit | None,
) -> Forecast:
    """Return the forecast with every frame sent to the emulator in memory; `modelled` is the model's."""
    given = access(plan, service="emulator", url="ws://127.0.0.1:1", version=None, environment={})
    counts = _Counts()

    async def main(folder: Path) -> Pool:
        ear = Scripted({"*": Line(fragments=[" simulated"], delay_s=service.answer_s)})
        manners = Manners(connection_s=service.connection_s + 60)
        work = _Unwritten(
            counts,
            plan=plan,
            folder=folder,
            journal=None,
            setups=given.setups,
            endpoint=given.endpoint,
            connect=_Crowded(ear, manners, service, counts).connect,
            load=_silent,
            client="simulation",
            offload=_directly,
        )
        pool = pool_of(work, plan, concurrency=concurrency, budget_usd=budget_usd, rate=rate)
        await pool.run(longest_first(plan, slots(plan)))
        return pool

    loop = VirtualTimeLoop()
    with (
        tempfile.TemporaryDirectory() as folder,
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        pool = runner.run(main(Path(folder)))
        wall_s = loop.time()
    return summed(
        pool,
        method="frames",
        wall_s=wall_s,
        best_s=modelled.best_s,
        most=counts.most,
        audio_s=counts.samples / SAMPLE_RATE,
        tokens=counts.tokens,
        priced=modelled.cost_usd is not None,
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
    if told.best_s is not None:
        share = told.wall_s / told.best_s if told.best_s else 1.0
        rows.insert(
            3,
            (
                "best",
                f"{duration_text(told.best_s)} with all admitted: this is {share:.2f} times that",
            ),
        )
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
    for name, value in rows:
        click.echo(f"{name:9} {value}")
    if told.stopped:
        click.echo(f"stopped: {told.stopped}; {told.unattempted:,} were not attempted")
