"""The sample run, made in virtual time: the client, the emulator in memory, and what a recogniser once heard.

All that differs between machines is held still: the clock, the paths, the environment, the versions. So the report of
the same code is the same everywhere, but for the last digits of a float and for what compressors make of it.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import msgspec

from harness.clock import run_virtual
from harness.corpus.shelf import open_dataset
from harness.report.build import build_reports
from harness.report.tables.write import PARQUET
from harness.run.folder import read_journal, unfinished, write_plan
from harness.run.journal import Journal
from harness.run.plan import chosen, make_plan
from harness.run.pool import Pool
from harness.run.stream import Streamer
from harness.score.score import profile_block
from harness.secret import Secret
from harness.version import __version__
from harness.wire.live import endpoint as live
from harness.wire.live.codec import to_json
from harness.wire.live.setups import transcription_setup
from tests.integration.joined import Emulator

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "reports" / "sample"


def _locked(*names: str) -> dict[str, str]:
    """Return the versions that `constraints.txt` locks, those of the builds that compare the sample."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {name.casefold(): pin for name, _, pin in (line.partition("==") for line in lines)}
    return {"python": "3.11", **{name: pins[name] for name in names}}


HEARD = Path(__file__).with_name("heard.json")

MODEL = "gemini-live-2.5-flash-preview"
STARTED = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
SESSIONS = 4
"""At once: about as many as the recogniser heard in real time."""

PROFILE = "norm-1n"
ENVIRONMENT = {"machine": "none: virtual time"}
VERSIONS = {"live-harness": __version__, **_locked("numpy", "soxr", "soundfile", "websockets")}
SCORED_BY = _locked("regex", "rapidfuzz", "jiwer", "indic_numtowords", "num2words")
NOTE = (
    "Replayed: a recogniser heard these recordings once, and what it heard, with the processor time it took, was played "
    "back in virtual time. Lags are nil and latencies are the recogniser's own. make sample makes this report again."
)


def make_sample(folder: Path, ear) -> None:
    """Write the run folder of the sample, as heard by `ear`, into `folder`, which must not exist."""
    with patch("harness.run.plan.utc_now", lambda: _moment(0.0)):
        plan = _plan()
    (folder / "traces").mkdir(parents=True)
    write_plan(folder, plan)
    handles = itertools.count(1)
    with (
        patch("harness.run.stream.utc_now", lambda: _moment(asyncio.get_running_loop().time())),
        patch("secrets.token_urlsafe", lambda size: f"handle-{next(handles):0{size}}"),
    ):
        run_virtual(_stream(plan, folder, ear))
    (folder / "audio").rmdir()  # nobody answered in speech
    with patch(
        "harness.report.assembly.profile_block",
        lambda *names, **options: {**profile_block(*names, **options), "versions": SCORED_BY},
    ):
        build_reports(folder, profile=PROFILE)
    (folder / PARQUET).unlink(missing_ok=True)  # written where pyarrow is, in that one's own way


def replace_sample(ear) -> None:
    """Make `reports/sample` again."""
    shutil.rmtree(SAMPLE, ignore_errors=True)
    make_sample(SAMPLE, ear)


def _moment(after_s: float) -> str:
    moment = STARTED + timedelta(seconds=after_s)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plan():
    dataset = open_dataset("sample")
    setup = transcription_setup(MODEL, turns="manual", transcript="input")
    plan = make_plan(
        datasets=[dataset],
        utterances=chosen([dataset], None, None, 0),
        service="emulator",
        url=None,
        models=[MODEL],
        setups={MODEL: to_json(setup)},
        transcript="input",
        pace=1.0,
        chunk_ms=100,
        turns="manual",
        repeats=1,
        seed=0,
        command="make sample",
        notes=[NOTE],
    )
    utterances = [
        msgspec.structs.replace(one, audio=Path(one.audio).relative_to(ROOT).as_posix())
        for one in plan.utterances
    ]
    return msgspec.structs.replace(
        plan, utterances=utterances, versions=VERSIONS, environment=ENVIRONMENT
    )


async def _at_once(work, *args):
    return work(*args)


def _clip(planned):
    from harness.audio.load import load

    return load(ROOT / planned.audio, offset_s=planned.offset_s, duration_s=planned.duration_s)


async def _stream(plan, folder: Path, ear) -> None:
    endpoint = live.gemini(Secret("none"), url="ws://127.0.0.1:1")
    setup = transcription_setup(MODEL, turns="manual", transcript="input")
    setup = msgspec.structs.replace(setup, model=endpoint.model_name(MODEL))
    with Journal(folder) as journal:
        work = Streamer(
            plan=plan,
            folder=folder,
            journal=journal,
            setups={MODEL: setup},
            endpoint=lambda: endpoint,
            connect=Emulator(ear).connect,
            load=_clip,
            client=f"live-harness/{__version__}",
            offload=_at_once,
        )
        pool = Pool(work, concurrency=SESSIONS, seed=0)
        await pool.run(unfinished(plan, read_journal(folder)))
