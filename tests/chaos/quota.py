"""Many utterances for a service that admits few sessions: all wait, none fails."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from harness.emulator.door.serve import Service
from harness.emulator.ear.scripted import Line, Scripted
from harness.emulator.quirks.mischief import Mischief, parsed
from harness.run.folder import read_journal
from harness.session.transport import connect
from tests.chaos.section import Section, spread, table
from tests.integration.socketless import run_socketless, served
from tests.run.runs import plan, run, utterance

if TYPE_CHECKING:
    from tests.chaos.section import Options

EAR = Scripted({"*": Line(fragments=[" hello"], delay_s=0.1)})


@dataclass(frozen=True, kw_only=True)
class Queued:
    """What came of a queue of utterances."""

    outcomes: Counter
    """Of the final records."""

    refusals: int
    """Records that a quota refusal left."""

    worst: int
    """Refusals of the utterance that was refused most often."""

    most: int
    """Sessions open at once, as the service counted them."""

    knocks: list[float]
    """When each connection was asked for, virtual s."""

    virtual_s: float


def queued(
    count: int,
    *,
    admits: int,
    concurrency: int,
    quirks: tuple[str, ...] = (),
    later: int | None = None,
) -> Queued:
    """Return what comes of `count` utterances at a service that admits so many sessions, and `later` ones after a minute."""
    service = Service(ear=EAR, sessions=admits, mischief=Mischief(parsed(quirks), seed=1))
    most, knocks, end_s = 0, [], 0.0

    async def knock(endpoint, listener):
        nonlocal most
        knocks.append(asyncio.get_running_loop().time())
        most = max(most, service.open_sessions)
        return await connect(endpoint, listener)

    async def whole(folder: Path) -> None:
        nonlocal end_s
        loop = asyncio.get_running_loop()
        if later is not None:
            loop.call_later(60.0, setattr, service, "sessions", later)
        async with served(service):
            made = plan([utterance(n, 1.0) for n in range(count)])
            await run(made, folder, SimpleNamespace(connect=knock), concurrency=concurrency)
        end_s = loop.time()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        run_socketless(whole(folder))
        records = read_journal(folder)
    refused = Counter(one.utterance for one in records if one.failure == "quota")
    return Queued(
        outcomes=Counter(one.outcome for one in records if one.final),
        refusals=refused.total(),
        worst=max(refused.values(), default=0),
        most=most,
        knocks=knocks,
        virtual_s=end_s,
    )


SERVICES = (
    ("refuses with 429 what is over 3", 3, (), None),
    ("the same, with Retry-After: 20 s", 3, ("retry-after=20s",), None),
    ("refuses with 429 what is over 1", 1, (), None),
    ("admits 3, after a minute 20", 3, (), 20),
    ("closes every tenth session with 1011 for quota at its setup", 50, ("close=quota@setup", "share=10%"), None),
    ("closes every tenth session with 1011 for quota in mid-audio", 50, ("close=exhausted@audio", "share=10%"), None),
)  # fmt: skip
"""What a service does; how many it admits; its quirks; how many it admits after a minute."""


def _queued(service: tuple[str, int, tuple[str, ...], int | None]) -> Queued:
    """Return what comes of a thousand utterances at a service of the list."""
    _, admits, quirks, later = service
    return queued(1000, admits=admits, concurrency=50, quirks=quirks, later=later)


def section(options: Options) -> Section:
    """Return the table of queues."""
    rows, broken = [], []
    for (what, *_), seen in zip(SERVICES, spread(_queued, SERVICES, at_once=1), strict=True):
        if seen.outcomes != {"ok": 1000}:
            broken.append(f"{what}: {dict(seen.outcomes)}")
        told = f"{seen.virtual_s / 60:.0f}"
        rows.append([what, seen.outcomes["ok"], seen.refusals, seen.worst, seen.most, told])
    head = [
        "the service",
        "transcribed",
        "refusals",
        "most of one utterance",
        "open at once",
        "virtual min",
    ]
    text = (
        "1,000 utterances of 1 s, 50 sessions at once asked for, in virtual time over the client's and the emulator's own "
        "WebSocket code. A refusal lowers the number of sessions and the utterance waits: none fails for quota.\n\n"
    )
    return Section(title="Quotas", text=text + table(head, rows), broken=broken)
