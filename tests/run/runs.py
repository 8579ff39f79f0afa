"""Plans, folders and whole runs in memory, for the tests of this room."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import msgspec

from harness.audio.clip import AudioClip, MemoryPcm
from harness.errors import InputError
from harness.run.execute import open_folder
from harness.run.folder import read_journal, slots, unfinished
from harness.run.journal import Journal
from harness.run.pool import Pool
from harness.run.record import Plan, PlannedDataset, PlannedUtterance
from harness.run.stream import Streamer
from harness.secret import Secret
from harness.wire.live import endpoint as live
from harness.wire.live.codec import to_json
from harness.wire.live.messages import SessionResumptionConfig
from harness.wire.live.setups import transcription_setup
from tests.session.memory import MODEL, Service, ready


def utterance(number: int, seconds: float = 1.0, locale: str = "en-US") -> PlannedUtterance:
    """Return a planned utterance of so many seconds."""
    name = f"u{number:04}"
    return PlannedUtterance(
        id=name,
        dataset="d",
        locale=locale,
        reference="hello",
        audio=f"/nowhere/{name}.wav",
        duration_s=seconds,
        sha256=hashlib.sha256(name.encode()).hexdigest(),
    )


def plan(utterances, *, models=(MODEL,), repeats=1, pace=1.0, **more) -> Plan:
    """Return a plan over `utterances`."""
    setups = {
        m: to_json(transcription_setup(m, turns="manual", transcript="input")) for m in models
    }
    facts = {
        "hash": hashlib.sha256(repr((utterances, models, repeats)).encode()).hexdigest(),
        "created_at": "2026-01-02T03:04:05.000Z",
        "service": "emulator",
        "endpoint": "emulator",
        "models": list(models),
        "setups": setups,
        "pace": pace,
        "chunk_ms": 100,
        "turns": "manual",
        "repeats": repeats,
        "seed": 0,
        "datasets": [PlannedDataset(name="d", title="test")],
        "utterances": list(utterances),
        "command": "harness run d",
        "versions": {},
        "environment": {},
    }
    return Plan(**(facts | more))


async def directly(work, *args):
    """Do at once what is else done in a thread: virtual time knows no threads."""
    return work(*args)


def clip(planned: PlannedUtterance) -> AudioClip:
    """Return silence as long as planned; a length of None cannot be read."""
    if planned.duration_s is None:
        raise InputError(f"{planned.audio}: no such file")
    return AudioClip(pcm=MemoryPcm(bytes(round(planned.duration_s * 16000) * 2)))


async def run(
    made: Plan,
    folder: Path,
    service,
    *,
    concurrency=4,
    budget_usd=None,
    meddle=None,
    waits=None,
    load=None,
    setups=None,
    endpoint=lambda: live.gemini(Secret("k-e-y"), url="ws://127.0.0.1:1"),
    rate=None,
    order=lambda _, wanted: wanted,
    offload=directly,
):
    """Bring `made` to its end in `folder` and return the pool's tally; `meddle(pool)` may interfere."""
    await directly(open_folder, made, folder, folder.parent)
    with Journal(folder) as journal:
        before = read_journal(folder)
        work = Streamer(
            plan=made,
            folder=folder,
            journal=journal,
            setups=setups or {m: ready(m, turns="manual", transcript="input") for m in made.models},
            endpoint=endpoint,
            connect=service.connect,
            load=load or clip,
            client="test",
            waits=waits,
            offload=offload,
        )
        pool = Pool(
            work,
            concurrency=concurrency,
            seed=0,
            budget_usd=budget_usd,
            rate=rate,
            before=before,
        )
        if meddle is not None:
            asyncio.get_running_loop().call_soon(meddle, pool)
        return await pool.run(order(made, unfinished(made, before)))


def breaking_once() -> Service:
    """Return a service that breaks each session's first connection off at its 20th chunk, resumes it, and sends no bill."""

    def answer(line, frame):
        audio = frame.get("realtimeInput", {})
        if "setup" in frame:
            line.chunks = 0
            line.resumed = "handle" in frame["setup"]["sessionResumption"]
            line.say({"setupComplete": {}})
            line.say({"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}})
        elif "audio" in audio:
            line.chunks += 1
            if line.chunks == 20 and not line.resumed:
                line.hang_up(1006)
        elif "activityEnd" in audio:
            said = {"inputTranscription": {"text": " hello"}, "turnComplete": True}
            line.say({"serverContent": said})

    return Service(answer)


def resumable(model: str):
    """Return a setup that asks for handles."""
    setup = ready(model, turns="manual", transcript="input")
    return msgspec.structs.replace(setup, session_resumption=SessionResumptionConfig())


def final_slots(folder: Path) -> list:
    """Return the slots that have a final record, in journal order."""
    return [(r.dataset, r.utterance, r.model, r.repeat) for r in read_journal(folder) if r.final]


__all__ = [
    "breaking_once",
    "clip",
    "directly",
    "final_slots",
    "plan",
    "resumable",
    "run",
    "slots",
    "utterance",
]
