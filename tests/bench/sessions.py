"""One streaming process: N utterances of one second at pace 0. Prints CPU and memory of the sessions alone, as JSON.

`python -m tests.bench.sessions N URL FOLDER`. What it writes into FOLDER stays: ext4 is slow to make files where as many were
removed a moment ago, which is no session's cost.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import wave
from pathlib import Path
from typing import TYPE_CHECKING

from harness.audio.load import load
from harness.clock import run_punctual
from harness.corpus.utterance import Dataset, Utterance
from harness.run.execute import execute, open_folder
from harness.run.plan import make_plan
from harness.session.config import endpoints
from harness.wire.live.codec import to_json
from harness.wire.live.setups import transcription_setup
from tests.bench.measure import peak_mib

if TYPE_CHECKING:
    from harness.run.record import Plan

MODEL = "gemini-live-2.5-flash-preview"
SETUP = transcription_setup(MODEL, turns="manual", transcript="input")
CLIPS = 50
"""Distinct files; the rest repeat them."""


QUIET_S = 0.5
"""How long a session listens behind its turn, s: 200 at once are then more than a core can serve, and none waits long."""


def planned(count: int, url: str, root: Path) -> Plan:
    """Return the plan of `count` sessions with `url`, of clips that it makes below `root`."""
    for number in range(CLIPS):
        with wave.open(str(root / f"{number}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes((number + 1).to_bytes(2, "little") * 16000)
    items = tuple(
        Utterance(
            id=f"u{n}",
            dataset="d",
            audio=root / f"{n % CLIPS}.wav",
            reference="hello",
            locale="en-US",
            duration_s=1.0,
        )
        for n in range(count)
    )
    return make_plan(
        datasets=[Dataset(name="d", title="bench", root=root, utterances=items)],
        utterances=items,
        service="emulator",
        url=url,
        models=[MODEL],
        setups={MODEL: to_json(SETUP)},
        transcript="input",
        pace=0.0,
        quiet_s=QUIET_S,
        chunk_ms=100,
        turns="manual",
        repeats=1,
        seed=0,
        command="bench",
    )


def main(count: int, url: str, root: Path) -> None:
    """Run `count` sessions against `url`."""
    plan = planned(count, url, root)
    folder = open_folder(plan, root / "run", root).folder
    load(root / "0.wav")  # what the first conversion imports is not a session's cost
    held_mib = peak_mib()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    tally = run_punctual(
        execute(
            plan,
            folder,
            setups={MODEL: SETUP},
            endpoint=endpoints("emulator", url, {}),
            load=lambda u: load(Path(u.audio), duration_s=u.duration_s),
            client="bench",
            concurrency=200,
            budget_usd=None,
        )
    )
    after, ended = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert (count, 0) == (tally.done, tally.failed), tally
    print(  # noqa: T201 - for the parent
        json.dumps(
            {
                "cpu_ms": cpu / count * 1000,
                "wall_s": ended - began,
                "before_mib": held_mib,
                "peak_mib": peak_mib(),
            }
        )
    )


main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
