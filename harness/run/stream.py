"""The pool's work done for real: clips converted, sessions driven, traces and records written."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

import msgspec

from harness.audio.clip import AudioClip, MemoryPcm
from harness.audio.cuts import quiet_cuts
from harness.clock import utc_now
from harness.errors import InputError
from harness.run import attempt, errands
from harness.run.bill import spent_usd
from harness.run.folder import AUDIO, REPORT, TRACES, trace_name, unwritable
from harness.run.identity import fingerprint
from harness.run.ledger import Stake
from harness.run.record import UtteranceRecord
from harness.run.speech import speech_path, write_speech
from harness.run.work import Attempted
from harness.session.assignment import MOST_KEPT, MOST_RECEIVED, Assignment, Offload
from harness.session.drive import Session
from harness.session.frames import Frames
from harness.session.pace import Pacer
from harness.session.stock import Stock
from harness.session.waits import Waits
from harness.trace.file import write_trace
from harness.trace.trace import TraceHeader
from harness.units import SAMPLE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.audio.chunk import Chunk
    from harness.run.demand import Demand
    from harness.run.folder import Slot
    from harness.run.journal import Journal
    from harness.run.record import Plan, PlannedUtterance
    from harness.run.work import Configuration
    from harness.session.ask import Picture
    from harness.session.retry import Ending
    from harness.session.transport import Connect
    from harness.session.way import Way
    from harness.trace.trace import SessionTrace
    from harness.units import Samples, Seconds
    from harness.wire.live.endpoint import Endpoint
    from harness.wire.live.messages import Setup


NOTHING_SPOKEN: Final = AudioClip(pcm=MemoryPcm(b""))
"""The clip of what is written."""

LEG_S: Final[Seconds] = 540.0
"""Longest span of a clip sent over one connection, s: a minute less than the Live API lets one live."""


HELD_BYTES: Final = 16 * 2**20
"""Bytes of clips kept in memory although no session streams them now: another model or repeat may soon."""


KNOWN_S: Final[Seconds] = 1.0
"""How long credentials are used before they are asked for again, s; they are renewed minutes before they expire."""


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True, eq=False)
class Prepared:
    """A clip that is ready to be streamed."""

    frames: Frames
    cuts: tuple[Samples, ...] = ()
    """Where another connection goes on."""

    pictures: tuple[Picture, ...] = ()
    """What is shown before it."""

    interjection: tuple[Chunk, ...] = ()
    """What the answer is interrupted with."""

    @property
    def held_bytes(self) -> int:
        """How much memory it takes: the samples, and as much and a third again as messages."""
        beside = sum(len(picture.data) for picture in self.pictures)
        beside += sum(len(chunk.pcm) for chunk in self.interjection)
        return beside + (0 if self.frames.slow else len(self.frames.clip) * SAMPLE_BYTES * 7 // 3)


class Streamer:
    """`harness.run.work.Work` over a real service, or over one in memory when a test gives its own `connect`."""

    def __init__(
        self,
        *,
        plan: Plan,
        folder: Path,
        journal: Journal | None,
        setups: Mapping[str, Setup],
        endpoint: Callable[[], Endpoint],
        connect: Connect,
        load: Callable[[PlannedUtterance], AudioClip],
        client: str,
        waits: Waits | None = None,
        offload: Offload = asyncio.to_thread,
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._journal = journal
        self._setups = setups
        self._endpoint = endpoint
        self._known: Endpoint | None = None
        self._known_until: Seconds = 0.0
        self._connect = connect
        self._load = load
        self._client = client
        self._waits = waits or Waits.listening(plan.quiet_s)
        self._offload = offload
        self._coming: dict[tuple[str, str], asyncio.Future[Prepared]] = {}
        self._clips: WeakValueDictionary[tuple[str, str], Prepared] = WeakValueDictionary()
        self._held: deque[Prepared] = deque()
        self._held_bytes = 0
        self._pacer = Pacer(asyncio.get_running_loop())
        self._open: set[Session] = set()
        self._received: Counter[Slot] = Counter()
        self._stock = Stock(MOST_KEPT)
        self._utterances = {(u.dataset, u.id): u for u in plan.utterances}
        at = REPORT  # it tells of less than the journal will
        try:
            (folder / at).unlink(missing_ok=True)
            for at in (TRACES, AUDIO):
                (folder / at).mkdir(exist_ok=True)
        except OSError as error:
            raise unwritable(folder, at, error) from error

    async def prepare(self, slot: Slot) -> Prepared:
        """Return a slot's clip and where it is cut; InputError when it cannot be read, or lacks what the task needs.

        Whoever wants the same utterance at the same time, or soon after, is given the same.
        """
        key = slot[:2]
        if (ready := self._clips.get(key)) is not None:
            return ready
        if (coming := self._coming.get(key)) is None:
            work = self._offload(self._prepared, self._utterances[key])
            coming = self._coming[key] = asyncio.ensure_future(work)
            coming.add_done_callback(lambda _: self._coming.pop(key))
        ready = await asyncio.shield(coming)
        self._clips[key] = ready
        self._hold(ready)
        return ready

    def _hold(self, ready: Prepared) -> None:
        """Keep a clip for whoever wants it soon, and let go of the oldest beyond what may be held."""
        self._held.append(ready)
        self._held_bytes += ready.held_bytes
        while self._held_bytes > HELD_BYTES:
            self._held_bytes -= self._held.popleft().held_bytes

    def _prepared(self, utterance: PlannedUtterance) -> Prepared:
        errands.check(self._plan, utterance)
        if not errands.speaks(self._plan, utterance):
            frames = Frames(NOTHING_SPOKEN, self._plan.chunk_ms)
            return Prepared(frames=frames, pictures=errands.pictures(self._plan, utterance))
        clip = self._load(utterance)
        frames = Frames(clip, self._plan.chunk_ms)
        if not frames.slow:
            frames.block(0)
        if self._plan.task == "transcribe":
            return Prepared(frames=frames, cuts=quiet_cuts(clip, LEG_S))
        return Prepared(
            frames=frames,
            pictures=errands.pictures(self._plan, utterance),
            interjection=errands.interjection(self._plan, clip),
        )

    def demand(self, slot: Slot, prepared: Any) -> Demand:
        """Return what a session with the clip will take."""
        length = self._length_s(prepared)
        return errands.demand(self._plan, self._utterances[slot[:2]], length)

    def begin(self, slot: Slot, number: int, takes: Demand | None) -> None:
        """Write down that the service is about to be asked for a session, or for more of one, that takes so much."""
        assert self._journal is not None  # noqa: S101 - only a run keeps records, not its processes
        dataset, utterance, model, repeat = slot
        stake = Stake(
            utterance=utterance,
            dataset=dataset,
            locale=self._utterances[slot[:2]].locale,
            model=model,
            repeat=repeat,
            attempt=number,
            takes=takes,
            at=utc_now(),
        )
        self._journal.begin(stake)

    def configuration(self, slot: Slot) -> Configuration:
        """Return what a slot is asked with: its model, and its setup where that is the utterance's own."""
        model = slot[2]
        if self._plan.task == "transcribe":
            return model, ""
        utterance = self._utterances[slot[:2]]
        setup = errands.configured(self._setups[model], self._plan, utterance, model)
        return model, msgspec.json.encode(setup).decode()

    def _length_s(self, prepared: Any) -> Seconds:
        length: Seconds = prepared.frames.clip.duration
        return length

    async def attempt(
        self, slot: Slot, prepared: Prepared, number: int, way: Way
    ) -> Attempted | None:
        """Drive one session, write its trace, and return its record, which the pool keeps.

        None: it never asked for a session, so nothing is written.
        """
        dataset, _, model, repeat = slot
        utterance = self._utterances[slot[:2]]
        endpoint = await self._credentials()
        name = trace_name(utterance.id, dataset, model, repeat, number)
        header = TraceHeader(
            utterance=utterance.id,
            dataset=dataset,
            locale=utterance.locale,
            model=model,
            repeat=repeat,
            attempt=number,
            plan=self._plan.hash,
            endpoint=endpoint.printable,
            client=self._client,
            started_at=utc_now(),
            audio_faults=prepared.frames.clip.faults,
            chunk_ms=self._plan.chunk_ms,
            pace=self._plan.pace,
            turns=self._plan.turns,
        )
        assignment = Assignment(
            header=header,
            name=name,
            endpoint=endpoint,
            renew=self._endpoint,
            setup=errands.configured(self._setups[model], self._plan, utterance, model),
            frames=prepared.frames,
            cuts=prepared.cuts,
            pace=self._plan.pace,
            errand=errands.errand(
                self._plan,
                utterance,
                model,
                shown=prepared.pictures,
                interrupting=prepared.interjection,
            ),
            waits=self._waits,
            offload=self._offload,
            most_received=max(0, MOST_RECEIVED - self._received[slot]),
            stock=self._stock,
            way=way,
        )
        session = Session(assignment, self._connect, self._pacer)
        try:
            return await self._attempted(session, slot, name)
        finally:
            self._stock.give_back(session.received_bytes)

    async def _attempted(self, session: Session, slot: Slot, name: str) -> Attempted | None:
        self._open.add(session)
        try:
            result = await session.run()
        finally:
            self._open.discard(session)
        if result is None:
            return None
        if result.ending.failure is not None:
            self._received[slot] += session.received_bytes
        record: UtteranceRecord = await self._offload(self._write_down, result.recorder.trace, name)
        return Attempted(record=record, ending=result.ending, cost_usd=spent_usd(record))

    async def _credentials(self) -> Endpoint:
        """Return the endpoint with credentials that were good a moment ago.

        Renewing them takes a request, so they are asked for beside the loop, and that costs more than sending a second of
        audio: sessions that begin together are given the same.
        """
        now = asyncio.get_running_loop().time()
        if self._known is None or now >= self._known_until:
            self._known = await self._offload(self._endpoint)
            self._known_until = now + KNOWN_S
        return self._known

    def _write_down(
        self, taken: Callable[[], tuple[SessionTrace, bytes]], name: str
    ) -> UtteranceRecord:
        """Write the trace, and the speech received, before anyone judges them; return the record."""
        trace, heard = taken()
        path = at = f"{TRACES}/{name}.jsonl.gz"
        try:
            if heard:
                write_speech(self._folder / (at := speech_path(path)), heard)
            write_trace(self._folder / (at := path), trace)
        except OSError as error:
            raise unwritable(self._folder, at, error) from error
        return attempt.record(
            trace, self._plan.transcript, path=path, final=True, task=self._plan.task
        )

    def sessions(self) -> int:
        """Return how many sessions are open, with those that wait for their turn."""
        return len(self._open)

    def stood_still(self, seconds: Seconds) -> None:
        """Note in every open session that nothing of ours ran for `seconds` until now."""
        for session in self._open:
            session.stood_still(seconds)

    def unreadable(self, slot: Slot, error: InputError) -> UtteranceRecord:
        """Return the record of an utterance whose audio cannot be read, or that lacks what its task needs."""
        record = self._never_sent(slot, failure="input", reason=str(error).replace("\n  ", "; "))
        unsent = fingerprint(self._utterances[slot[:2]])
        return msgspec.structs.replace(record, unsent=unsent)

    def untried(self, slot: Slot, ending: Ending) -> UtteranceRecord:
        """Return the record of what the service has refused already, with its model or configuration, or is not there for."""
        reason = ending.reason if ending.absent else f"not tried again: {ending.reason}"
        return self._never_sent(slot, failure=ending.failure, reason=reason)

    def _never_sent(self, slot: Slot, *, failure: Any, reason: str | None) -> UtteranceRecord:
        utterance = self._utterances[slot[:2]]
        return UtteranceRecord(
            utterance=utterance.id,
            dataset=utterance.dataset,
            locale=utterance.locale,
            model=slot[2],
            repeat=slot[3],
            attempt=1,
            final=True,
            trace=None,
            outcome="failed_client",
            failure=failure,
            reason=reason,
            started_at=utc_now(),
        )

    def keep(self, record: UtteranceRecord) -> None:
        """Write `record` into the journal."""
        assert self._journal is not None  # noqa: S101 - only a run keeps records, not its processes
        self._journal.append(record)
