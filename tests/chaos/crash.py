"""Death at every step of a run, and real kills: how often, and whether each ended as if nothing had happened."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from harness.errors import InputError
from tests.chaos.section import Options, Section, table
from tests.integration.sittings import finished, killed, manifest
from tests.run.crash import death, planned, points, sitting, tables, undisturbed
from tests.run.disk import Disk

TEXT = """A run of {utterances} utterances of every fate (answered, broken off once, broken off always, half answered, answered in
speech, unreadable) goes through {steps} writes, syncs, renames and new folders. It died at each of them, with nothing,
half, nine tenths or all of that write done, every fourth time once more while it was being mended; and the disk filled at
each that needs room. Then the same command went on. It holds that every utterance is answered once, that no attempt is counted
twice, and that `utterances.csv` and `summary.csv` are, byte for byte, those of a run that nothing happened to.

{table}

Killed with SIGKILL at random instants means the real command, over a socket, with the scripted ear. What a power cut takes
is more than what a kill takes: of the journal at most the last second, and its sessions are run again."""


def section(options: Options) -> Section:
    """Return what came of all deaths."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        steps, whole = undisturbed(folder / "whole")
        rows, broken = [], []
        for name, kinds in (
            ("dies at a step", _deaths(folder, steps, whole, options)),
            ("disk full at a step", _full(folder, steps, whole)),
            ("killed at a random instant", _kills(folder, options)),
        ):
            failed = [what for what in kinds.values() if what]
            broken += [f"{name}: {what}" for what in failed]
            rows.append([name, len(kinds), len(failed)])
    shown = table(["the run", "times", "not as if nothing had happened"], rows)
    text = TEXT.format(utterances=len(planned(1).utterances), steps=len(steps), table=shown)
    return Section(title="Crashes", text=text, broken=broken)


def _deaths(folder: Path, steps: list[str], whole, options: Options) -> dict[str, str | None]:
    """Return what went wrong, None where nothing did, by where the run died."""
    found = {}
    for n, (dies_at, torn) in enumerate(points(options.crashes, len(steps), options.seed)):
        where = f"{n}: {steps[dies_at[0]]}"
        try:
            death(folder / "run", dies_at, torn=torn, whole=whole)
            found[where] = None
        except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the table
            found[where] = f"{where}: {type(error).__name__}: {error}"
        shutil.rmtree(folder / "run", ignore_errors=True)
    return found


def _full(folder: Path, steps: list[str], whole) -> dict[str, str | None]:
    """Return what went wrong by where the disk was full."""
    found = {}
    for full_at, step in enumerate(steps):
        if not step.startswith(("write", "mkdir")):
            continue  # it needs no room
        for torn in (0.0, 0.5):
            where = f"{full_at}, {torn:g}: {step}"
            with Disk(folder / "run", full_at=full_at, torn=torn).watched():
                try:
                    sitting(planned(1), folder / "run", 3)
                    found[where] = f"{where}: nobody noticed"
                except InputError as error:
                    found[where] = None if "No space left" in str(error) else f"{where}: {error}"
            sitting(planned(1), folder / "run", 3)
            if tables(folder / "run") != whole:
                found[where] = f"{where}: other tables"
            shutil.rmtree(folder / "run")
    return found


def _kills(folder: Path, options: Options) -> dict[str, str | None]:
    """Return what went wrong by run that was killed once."""
    rng = random.Random(options.seed)  # noqa: S311 - repeatable instants
    found: dict[str, str | None] = {}
    with _emulator() as url:
        clips = manifest(folder)
        whole = finished(clips, folder / "quiet", "--url", url, "--pace", "0")
        hits: Counter[bool] = Counter()
        for n in range(options.kills):
            out = folder / f"killed-{n}"
            given = ("--url", url, "--pace", "0")
            hits[killed(clips, out, *given, after_s=rng.uniform(0.3, 5.0))] += 1
            try:
                same = finished(clips, out, *given).equals(whole)
            except AssertionError as error:
                same = "this run is finished" in str(error)  # it had ended before the kill
            found[str(n)] = None if same else f"run {n} ended with another table"
    if not hits[True]:
        found["all"] = "every run had ended before it was killed"
    return found


@contextlib.contextmanager
def _emulator():
    """Give the URL of an emulator with the scripted ear."""
    command = [
        sys.executable,
        "-m",
        "harness",
        "emulate",
        "--port",
        "0",
        "--ear",
        "scripted",
        "--exit-with-stdin",
    ]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.communicate()
