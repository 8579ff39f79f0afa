"""One streaming process: N utterances of one second at pace 0. Prints CPU and memory of the sessions alone, as JSON."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
import wave
from pathlib import Path

from harness.audio.load import load
from harness.clock import run_punctual
from harness.corpus.utterance import Dataset, Utterance
from harness.run.execute import execute, open_folder
from harness.run.plan import make_plan
from harness.session.config import endpoints
from harness.wire.live.codec import to_json
from harness.wire.live.setups import transcription_setup

MODEL = "gemini-live-2.5-flash-preview"
CLIPS = 50
"""Distinct files; the rest repeat them."""


def main(count: int, url: str) -> None:
    """Run `count` sessions against `url`."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
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
        data = Dataset(name="d", title="bench", root=root, utterances=items)
        setup = transcription_setup(MODEL, turns="manual", transcript="input")
        plan = make_plan(
            datasets=[data],
            utterances=items,
            service="emulator",
            url=url,
            models=[MODEL],
            setups={MODEL: to_json(setup)},
            transcript="input",
            pace=0.0,
            chunk_ms=100,
            turns="manual",
            repeats=1,
            seed=0,
            command="bench",
        )
        folder, _ = open_folder(plan, root / "run", root)
        load(items[0].audio)  # what the first conversion imports is not a session's cost
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        tally = run_punctual(
            execute(
                plan,
                folder,
                setups={MODEL: setup},
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
                "before_mib": before.ru_maxrss / 1024,
                "peak_mib": after.ru_maxrss / 1024,
            }
        )
    )


main(int(sys.argv[1]), sys.argv[2])
