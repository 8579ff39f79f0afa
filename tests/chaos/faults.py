"""Everything that a service and a network can do to a session, and what must come of it.

Each fault meets a run of three utterances, one after the other, over the client's own sockets' code and the emulator's,
joined in memory and virtual time: the first behaves, the second meets the fault at every attempt it makes, the third
behaves again. Once more, the second meets it at its first attempt alone.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec

from harness.audio.clip import AudioClip, MemoryPcm
from harness.emulator.door.serve import Service
from harness.emulator.ear.scripted import Line, Scripted
from harness.emulator.model.manners import Manners
from harness.emulator.quirks.mischief import Mischief, parsed
from harness.emulator.quirks.quirk import STAGES
from harness.errors import HarnessError
from harness.run.folder import read_journal
from harness.run.pool import ABSENCES
from harness.session.transport import connect
from harness.session.waits import Waits
from harness.wire.live.messages import SessionResumptionConfig
from tests.chaos.section import Section, spread, table
from tests.emulator.signals import burst
from tests.integration.socketless import run_socketless, served
from tests.run.runs import clip, plan, run, utterance
from tests.session.memory import MODEL, ready

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.run.record import PlannedUtterance, UtteranceRecord
    from tests.chaos.section import Options

CLIP_S = 3.0
WORDS = Scripted({"*": Line(fragments=[" Guten", " Morgen."], delay_s=0.2, every_s=0.1)})
HEARD = "Guten Morgen."
WAITS = Waits()
SLACK_S = 2.0
"""For what no wait is for: the clip's phase, the script's own delays."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is done, and what must come of it."""

    quirks: tuple[str, ...]
    outcome: str = "ok"
    """Of the last attempt, when all meet the fault."""

    failure: str | None = None
    attempts: int = 1
    waits: tuple[str, ...] = ("quiet_s",)
    """The client's waits that bound an attempt, beside the clip."""

    text: str | None = HEARD
    """Heard by the last attempt; None: it has none that could be judged."""

    once: str = "ok"
    """The outcome when only the first attempt meets the fault."""

    ends_run: str | None = None
    """How the error begins with which the run ends, to be continued; None: it goes on."""

    clip_s: float = CLIP_S
    extra_s: float = 0.0
    """What the quirk itself takes."""

    quiet_s: float = WAITS.quiet_s
    """What a session listens for more, once its turn is over."""

    turns: str = "manual"
    resumption: bool = False
    manners: dict[str, Any] = field(default_factory=dict)

    @property
    def attempts_once(self) -> int:
        """Attempts when only the first meets the fault: another one succeeds, where one is made."""
        return min(self.attempts, 2) if self.once == "ok" else self.attempts

    @property
    def name(self) -> str:
        """The quirks as they are asked for."""
        quirks = " ".join(self.quirks)
        return quirks if self.quiet_s == WAITS.quiet_s else f"{quirks} --quiet {self.quiet_s:g}"

    def most_s(self, attempt: UtteranceRecord) -> float:
        """Return the longest that an attempt may take."""
        waited = sum(getattr(WAITS, name) for name in self.waits)
        if attempt.failure is None:
            waited = max(waited, self.quiet_s)
        return self.clip_s + waited + self.extra_s + SLACK_S


def survives(*quirks: str, **more: Any) -> Fault:
    """Return what must not hinder a session."""
    return Fault(quirks=quirks, **more)


def breaks(*quirks: str, **more: Any) -> Fault:
    """Return what makes an attempt fail and is worth two more."""
    return Fault(
        quirks=quirks,
        **({"outcome": "failed_server", "failure": "transient", "attempts": 3, "text": None} | more),
    )  # fmt: skip


def refuses(*quirks: str, **more: Any) -> Fault:
    """Return what is not worth another attempt."""
    given = {"outcome": "failed_client", "text": None, "waits": ()} | more
    return Fault(quirks=quirks, once=given["outcome"], **given)


def _stages() -> Iterator[Fault]:
    """Yield what happens to a socket at each stage."""
    early = ("accept", "upgrade", "open")
    waits = {
        "accept": ("upgrade_s",),
        "upgrade": ("upgrade_s",),
        "open": ("upgrade_s",),
        "setup": ("setup_s",),
    }
    late = ("first_text_s", "close_s")
    for stage in STAGES:
        text = {"outcome": "partial", "text": "Guten"} if stage == "text" else {}
        if stage in early:
            yield unreachable(f"reset={stage}")
        else:
            yield breaks(f"reset={stage}", waits=(), **text)
        then = ("turn_end_s", "close_s") if stage == "text" else late
        for fault in (f"silent={stage}", f"half-open={stage}"):
            met = unreachable if stage in early else breaks
            yield met(fault, waits=waits.get(stage, then), **text)
    for stage in ("ready", "audio", "text", "end"):
        text = {"outcome": "partial", "text": "Guten"} if stage == "text" else {}
        yield breaks(f"cut-frame={stage}", waits=(), **text)
    # The emulator gives up a request that never ends after 10 s, as any server does.
    yield unreachable("stalled=accept", extra_s=10.0)
    yield unreachable("stalled=upgrade", extra_s=10.0)
    yield breaks("stalled=open", waits=("setup_s",))
    yield breaks("stalled=setup", waits=late)
    yield breaks("stalled=audio", waits=late)
    yield breaks("stalled=audio", clip_s=60.0, waits=("stall_s",))
    yield survives("stalled=end", waits=("quiet_s", "close_s"))


def unreachable(*quirks: str, **more: Any) -> Fault:
    """Return what looks like an address where nobody is: the utterance is tried again while others are answered."""
    given = {"outcome": "failed_client", "failure": "transient", "waits": ()} | more
    return Fault(quirks=quirks, attempts=ABSENCES, text=None, **given)


def _refusals() -> Iterator[Fault]:
    """Yield every HTTP status and close code with its reason."""
    credentials = {"failure": "auth", "ends_run": "the service refuses the credentials"}
    yield refuses("http=400", failure="config")
    yield refuses("http=401", **credentials)
    yield refuses("http=403", **credentials)
    yield refuses("http=404", failure="config")
    yield refuses("http=302", failure="config")
    yield breaks("http=408", waits=())
    yield quota("http=429")
    yield quota("http=429", "retry-after=40s", extra_s=0.0)
    yield breaks("http=500", waits=())
    for status in ("502", "503", "504"):  # somebody answers in the place of a service that is away
        yield breaks(f"http={status}", waits=(), attempts=ABSENCES)
    yield breaks("http=503", "retry-after=40s", waits=(), attempts=ABSENCES)
    yield refuses("close=invalid-argument", failure="config")
    yield refuses("close=text-on-native-audio", failure="config")
    yield refuses("close=unknown-name", failure="config")
    yield refuses("close=explicit-activity@audio", failure="config")
    yield refuses("close=setup-first", failure="config")
    yield refuses("close=modalities", failure="config")
    yield refuses("close=bad-key@open", **credentials)
    yield refuses("close=bad-key", **credentials)
    yield refuses("close=unregistered", **credentials)
    yield refuses("close=api-disabled", **credentials)
    yield refuses("close=model-not-found", failure="model_not_found")
    yield refuses("close=publisher-model-not-found", failure="model_not_found")
    yield breaks("close=stale-handle", failure="stale_handle", attempts=2, waits=())
    yield breaks("close=precondition", failure="stale_handle", attempts=2, waits=())
    yield breaks("close=session-not-found", failure="stale_handle", attempts=2, waits=())
    yield breaks("close=entity-not-found", failure="stale_handle", attempts=2, waits=())
    for name in ("not-implemented", "aborted", "unavailable", "internal", "overloaded"):
        yield breaks(f"close={name}", waits=())
        yield breaks(f"close={name}@audio", waits=())
    for name in ("go-away-ignored", "deadline", "rpc-deadline"):
        yield breaks(f"close={name}@audio", failure="duration", waits=())
    yield breaks("close=internal@text", outcome="partial", text="Guten", waits=())
    yield breaks("close=internal@end", waits=())
    yield quota("close=quota")
    yield quota("close=exhausted@open")
    yield breaks("close=1000@audio", waits=())
    yield survives("close=1000@end", outcome="ok_empty", once="ok_empty", text="", waits=())
    for code in ("1001", "1012", "1013", "4000"):
        yield breaks(f"close={code}@audio", waits=())
    for code in ("1002", "1003", "1009"):
        yield refuses(f"close={code}@audio", failure="client")


def quota(*quirks: str, **more: Any) -> Fault:
    """Return a refusal for quota: the utterance waits, a hundred times if need be."""
    return Fault(
        quirks=quirks,
        outcome="failed_quota",
        failure="quota",
        attempts=100,
        text=None,
        waits=(),
        **more,
    )


def _answers() -> Iterator[Fault]:
    """Yield what is said wrongly, late, twice, or not at all."""
    yield survives("late-transcription=2s", waits=("quiet_s", "late_text_s"))
    yield survives("late-tail=1500ms", waits=("quiet_s",), extra_s=1.5)
    yield survives("late-tail=4s", text="Guten")
    yield survives("late-tail=4s", quiet_s=6.0, extra_s=4.0)
    yield survives("shuffled=1s", extra_s=1.0)
    silence = {"outcome": "ok_empty", "once": "ok_empty", "text": ""}
    yield survives("missing-transcription", waits=("late_text_s",), **silence)
    yield survives("interim-only")
    yield survives("repeated-text", text="Guten Guten Morgen. Morgen.")
    yield survives("invented-text", text=f"{HEARD} Thanks for watching!")
    yield survives("wrong-script", text="शब्द शब्द.")
    yield survives("split-words=3")
    yield survives("unpunctuated", text="guten morgen")
    yield survives("verbatim-anyway")
    yield survives("spaced-characters", text="G u t e n M o r g e n .")
    yield survives("lost-start=1s")
    yield survives("deaf-below=5s", waits=("first_text_s",), **silence)
    yield survives("premature-turn-complete")
    yield survives("missing-turn-complete", waits=("turn_end_s",))
    yield survives("duplicate-turn-complete")
    yield survives("late-turn-complete=10s", waits=("turn_end_s",))
    yield survives("late-turn-complete=4s", extra_s=4.0)
    yield survives("extra-turns")
    yield survives("phantom-interruption")
    blocked = {"outcome": "blocked", "once": "blocked", "text": "", "waits": ("late_text_s",)}
    yield survives("rejected-turn", **blocked)
    yield survives("rejected-turn=PROHIBITED_INPUT_CONTENT", **blocked)
    yield survives("endless-turn", turns="auto", extra_s=3.0)
    yield survives("long-reply=2000")
    yield survives("stray-output")
    yield survives("all-at-once")
    yield survives("missing-usage")
    yield survives("late-usage=1s")
    yield survives("other-usage-names")
    yield survives("usage-gap=40")
    yield survives("growing-delay=100ms", extra_s=0.5)
    yield survives("slow-setup=5s", extra_s=5.0)
    yield breaks("slow-setup=12s", waits=("setup_s",))
    yield breaks("no-setup-complete", waits=("setup_s",))
    yield survives("mute", waits=("first_text_s",), **silence)
    yield breaks("error-message=503", waits=())
    yield quota("error-message=429")
    yield survives("flood=20")
    yield survives("no-close-answer", waits=("quiet_s", "close_s"))


def _long_sessions() -> Iterator[Fault]:
    """Yield connections that go away, and handles that do not bring them back."""
    # Each connection says the script's words once, and goes after four seconds of the clip.
    gone = {"clip_s": 12.0, "text": " ".join([HEARD] * 4), "extra_s": 12.0}
    yield survives("go-away=8s", resumption=True, **gone)
    yield survives("go-away=8s", **gone)
    silenced = {"connection_s": 40.0, "go_away_lead_s": 30.0}
    yield breaks(
        "silent-after-go-away",
        manners=silenced,
        clip_s=12.0,
        failure="duration",
        waits=("first_text_s",),
    )
    yield survives("go-away=8s", "stale-handles", resumption=True, **gone)
    yield survives("go-away=8s", "busy-handles=3s", resumption=True, **gone)
    yield survives("go-away=8s", "unresumable", resumption=True, **gone)
    yield survives("go-away=8s", "late-handles=1s", resumption=True, **gone)
    longer = {"clip_s": 24.0, "text": " ".join([HEARD] * 3), "extra_s": 30.0}
    yield survives("go-away=20s", "dead-after-resume", resumption=True, **longer)
    again = gone | {"text": f"{' '.join([f'{HEARD} Morgen.'] * 3)} {HEARD}"}
    yield survives("go-away=8s", "replayed-after-resume", resumption=True, **again)
    yield breaks("go-away=0s", failure="duration", waits=())
    yield breaks("early-go-away=2s", failure="duration", waits=())
    cut_off = {"connection_s": 6.0, "go_away_lead_s": 3.0}
    yield breaks(
        "no-go-away", manners=cut_off, clip_s=9.0, failure="duration", waits=(), once="partial"
    )


def _breaks() -> Iterator[Fault]:
    """Yield connections that break off without a word while a handle is held: the same attempt goes on."""
    held = {"resumption": True, "extra_s": 6.0}
    yield survives("reset=audio", "first=2", **held)
    yield survives("cut-frame=text", "first=1", **held)
    yield survives("close=internal@text", "first=1", **held)
    yield survives("close=go-away-ignored@audio", "first=1", **held)
    yield survives("go-away=0s", "first=1", **held)
    silent = held | {"extra_s": 24.0}
    yield survives("half-open=end", "first=1", **silent)


def _frames() -> Iterator[Fault]:
    """Yield messages that are none, and frames that are not allowed."""
    for how in ("cut", "bytes", "list", "deep", "types", "empty"):
        yield breaks(f"wrong-json={how}", waits=())
    for how in ("masked", "reserved", "opcode", "utf8", "length", "control"):
        more = {
            "failure": "client",
            "attempts": 1,
            "outcome": "failed_client",
            "once": "failed_client",
        }
        yield breaks(f"bad-websocket={how}", waits=(), **(more if how == "length" else {}))
    yield survives("duplicate-frames", text="Guten Guten Morgen. Morgen.")
    yield survives("snake-case")
    yield survives("unknown-fields")
    yield survives("text-frames")
    yield survives("fragmented=50B")
    yield survives("fragmented=1B")
    yield survives("big-frames=2MiB")
    yield refuses("big-frames=65MiB", failure="client", waits=("first_text_s",))
    yield refuses("endless-message", failure="client", clip_s=20.0, waits=("first_text_s",))


def _network() -> Iterator[Fault]:
    """Yield networks that are slow, narrow, or end somewhere else."""
    yield survives("latency=300ms", extra_s=3.0)
    yield survives("jitter=300ms", extra_s=3.0)
    yield survives("throttled=64KiB/s", extra_s=2.0)
    yield survives("throttled=16KiB/s", waits=("quiet_s", "close_s"), extra_s=8.0)
    yield survives("dribble=1B")
    yield survives("dribble=7B", "jitter=5ms", "fragmented=3B", extra_s=30.0)
    yield survives("slow-pongs=30s")
    yield unreachable("not-websocket")


FAULTS = (
    *_answers(),
    *_long_sessions(),
    *_breaks(),
    *_refusals(),
    *_stages(),
    *_frames(),
    *_network(),
)


def _noise(planned: PlannedUtterance) -> AudioClip:
    """Return what an activity detector takes for speech, as long as planned."""
    return AudioClip(pcm=MemoryPcm(burst(planned.duration_s)))


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of a run that met a fault."""

    records: list[UtteranceRecord]
    """Of the second utterance, an attempt each."""

    others: set[tuple[str, str | None]]
    """Outcomes and texts of the first and third, where they were attempted."""

    finals: int
    error: str | None
    run_s: float
    """Virtual time."""


class Aimed(Mischief):
    """Meets the connections of one utterance alone, whichever others are made beside them."""

    aimed = False

    def next(self):
        return super().next() if self.aimed else None


def meet(fault: Fault, *, once: bool) -> Seen:
    """Return what comes of a run whose second utterance meets `fault`, at its first connection or at every one."""
    mischief = Aimed(parsed([*fault.quirks, *(["first=1"] if once else [])]))
    service = Service(ear=WORDS, sessions=3, manners=Manners(**fault.manners), mischief=mischief)

    async def aim(endpoint, listener):
        # No other connection is made before this one's socket is.
        mischief.aimed = listener._todo.header.utterance == "u0001"
        return await connect(endpoint, listener)

    setup = ready(MODEL, turns=fault.turns, transcript="input")
    if fault.resumption:
        setup = msgspec.structs.replace(setup, session_resumption=SessionResumptionConfig())
    lengths = (1.0, fault.clip_s, 1.0)
    made = plan(
        [utterance(n, s) for n, s in enumerate(lengths)], turns=fault.turns, quiet_s=fault.quiet_s
    )

    async def whole(folder: Path) -> tuple[str | None, float]:
        error = None
        async with served(service):
            where = SimpleNamespace(connect=aim)
            load = clip if fault.turns == "manual" else _noise
            try:
                # With a budget no connection is opened ahead, so the order is the plan's.
                await run(
                    made,
                    folder,
                    where,
                    concurrency=1,
                    setups={MODEL: setup},
                    load=load,
                    budget_usd=1000.0,
                )
            except HarnessError as raised:
                error = raised.what
        return error, asyncio.get_running_loop().time()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        error, run_s = run_socketless(whole(folder))
        records = read_journal(folder)
    return Seen(
        records=[one for one in records if one.utterance == "u0001"],
        others={(one.outcome, one.hypothesis) for one in records if one.utterance != "u0001"},
        finals=sum(one.final for one in records),
        error=error,
        run_s=run_s,
    )


def verdict(fault: Fault, seen: Seen, *, once: bool) -> Iterator[str]:
    """Yield what is not as it must be."""
    ends = fault.ends_run if not (once and fault.once == "ok") else None
    if (seen.error is None) is (ends is not None):
        yield f"the run ended with {seen.error!r}, not {ends!r}"
    if ends is None and (seen.finals, seen.others) != (3, {("ok", HEARD)}):
        yield f"the other utterances did not end well: {seen.others}"
    made, attempts = len(seen.records), fault.attempts_once if once else fault.attempts
    if made < attempts or (made > attempts and ends is None):
        yield f"{made} attempts recorded, not {attempts}"
    if [one.attempt for one in seen.records] != list(range(1, made + 1)):
        yield "attempts are not numbered one after the other"
    yield from _ending(fault, seen.records, once=once)


def _ending(fault: Fault, records: list[UtteranceRecord], *, once: bool) -> Iterator[str]:
    """Yield what is not as it must be with the attempts themselves."""
    first, last = records[0], records[-1]
    outcome = fault.once if once else fault.outcome
    if last.outcome != outcome:
        yield f"the outcome is {last.outcome}, not {outcome}"
    if first.failure != fault.failure:
        yield f"the failure is {first.failure}, not {fault.failure}"
    if (first.failure or first.outcome != "ok") and not first.reason:
        yield "no reason is given"
    if not once and last.hypothesis != fault.text:
        yield f"what was heard is {last.hypothesis!r}, not {fault.text!r}"
    for one in records:
        if (one.wall_s or 0.0) > fault.most_s(one):
            yield f"an attempt took {one.wall_s:.1f} s, not {fault.most_s(one):.1f} s at most"


def storm(fault: Fault, count: int) -> tuple[list[UtteranceRecord], Service]:
    """Return the records of `count` utterances, six at once, where one connection in three meets `fault`; and the service."""
    mischief = Mischief(parsed([*fault.quirks, "share=33%"]), seed=3)
    service = Service(ear=WORDS, sessions=6, manners=Manners(**fault.manners), mischief=mischief)
    setup = ready(MODEL, turns=fault.turns, transcript="input")
    made = plan([utterance(n) for n in range(count)], turns=fault.turns)
    load = clip if fault.turns == "manual" else _noise

    async def whole(folder: Path) -> None:
        async with served(service):
            where = SimpleNamespace(connect=connect)
            await run(made, folder, where, concurrency=6, setups={MODEL: setup}, load=load)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        run_socketless(whole(folder))
        return read_journal(folder), service


def _met(number: int) -> tuple[Seen, Seen]:
    """Return what comes of runs that meet a fault of the list, at every connection and at the first alone."""
    return meet(FAULTS[number], once=False), meet(FAULTS[number], once=True)


def section(options: Options) -> Section:
    """Return the table of all faults."""
    rows, broken = [], []
    for fault, (lasting, once) in zip(FAULTS, spread(_met, range(len(FAULTS))), strict=True):
        for seen, only in ((lasting, False), (once, True)):
            broken += [f"{fault.name}: {what}" for what in verdict(fault, seen, once=only)]
        last = lasting.records[-1]
        rows.append(
            [
                f"`{fault.name}`",
                last.outcome + (f", {last.failure}" if last.failure else ""),
                "whole" if last.hypothesis == HEARD else last.hypothesis or "",
                len(lasting.records),
                f"{max(one.wall_s or 0.0 for one in lasting.records):.1f}",
                f"{once.records[-1].outcome}, {len(once.records)}",
                "ends, to be continued" if lasting.error else "goes on",
            ]
        )
    head = [
        "quirk",
        "outcome",
        "heard",
        "attempts",
        "longest attempt, virtual s",
        "met once: outcome, attempts",
        "the run",
    ]
    text = (
        f"{len(FAULTS)} faults, each a quirk that `harness emulate --quirk` shows as well. A run of three utterances in "
        "virtual time, over the client's and the emulator's own WebSocket code: the first behaves, the second "
        "meets the fault at all of its attempts, the third behaves again and is transcribed. Then once more, with the "
        f"fault at the first attempt alone. The clip lasts {CLIP_S:g} s unless the fault needs a longer one; every attempt "
        "ends within the clip and the client's wait for what is missing. `no-go-away` stands for a limit on connections, which "
        "every attempt meets in both runs.\n\n"
    )
    return Section(title="Faults", text=text + table(head, rows), broken=broken)
