"""Death at every step of a run, and real kills: how often, and whether each ended as if nothing had happened."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from unittest import mock

from harness.errors import InputError
from tests.chaos.section import Options, Section, spread, table
from tests.integration.sittings import finished, killed, manifest
from tests.run.crash import death, planned, points, sitting, tables, undisturbed
from tests.run.disk import Disk
from tests.session import memory

TEXT = """A run of {utterances} utterances of every fate (answered, broken off once, broken off always, half answered, answered in
speech, unreadable) goes through {steps} writes, syncs, renames and new folders. It died at each of them, with nothing,
half, nine tenths or all of that write done, every fourth time once more while it was being mended; and the disk filled at
each that needs room. Then the same command went on. It holds that every utterance is answered once, that no attempt is counted
twice, that no session that was asked for is forgotten, and that `utterances.csv` and `summary.csv` are, cell for cell, those of
a run that nothing happened to; only the `attempts` are more by those that were open when it died.

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
    where = [
        (f"{n}: {steps[dies_at[0]]}", dies_at, torn)
        for n, (dies_at, torn) in enumerate(points(options.crashes, len(steps), options.seed))
    ]
    return dict(spread(partial(_died, folder, whole), where))


def _died(folder: Path, whole, point: tuple[str, list[int], float]) -> tuple[str, str | None]:
    """Return where a run died, and what went wrong when it went on."""
    where, dies_at, torn = point
    out = folder / f"died-{os.getpid()}"
    try:
        # What is sent is held against the published protocol by every build.
        with mock.patch.object(memory, "assert_published"):
            death(out, dies_at, torn=torn, whole=whole)
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the table
        return where, f"{where}: {type(error).__name__}: {error}"
    finally:
        shutil.rmtree(out, ignore_errors=True)
    return where, None


def _full(folder: Path, steps: list[str], whole) -> dict[str, str | None]:
    """Return what went wrong by where the disk was full."""
    where = [
        (f"{full_at}, {torn:g}: {step}", full_at, torn)
        for full_at, step in enumerate(steps)
        if step.startswith(("write", "mkdir"))  # the others need no room
        for torn in (0.0, 0.5)
    ]
    return dict(spread(partial(_filled, folder, whole), where))


def _filled(folder: Path, whole, point: tuple[str, int, float]) -> tuple[str, str | None]:
    """Return where the disk was full, and what went wrong then or when there was room again."""
    where, full_at, torn = point
    out = folder / f"full-{os.getpid()}"
    wrong: str | None = f"{where}: nobody noticed"
    try:
        with Disk(out, full_at=full_at, torn=torn).watched():
            sitting(planned(1), out, 3)
    except InputError as error:
        wrong = None if "No space left" in str(error) else f"{where}: {error}"
    sitting(planned(1), out, 3)
    if tables(out) != whole:
        wrong = f"{where}: other tables"
    shutil.rmtree(out)
    return where, wrong


def _kills(folder: Path, options: Options) -> dict[str, str | None]:
    """Return what went wrong by run that was killed once."""
    rng = random.Random(options.seed)  # noqa: S311 - repeatable instants
    instants = [(n, rng.uniform(0.3, 5.0)) for n in range(options.kills)]
    with _emulator() as url, ThreadPoolExecutor(os.cpu_count()) as threads:
        given = ("--url", url, "--pace", "0")
        clips = manifest(folder)
        whole = finished(clips, folder / "quiet", *given)

        def gone_on(one: tuple[int, float]) -> tuple[bool, bool]:
            """Return whether a run was still at work when it was killed, and whether it ended as one that was not."""
            out = folder / f"killed-{one[0]}"
            hit = killed(clips, out, *given, after_s=one[1])
            try:
                return hit, finished(clips, out, *given).equals(whole)
            except AssertionError as error:
                return hit, "this run is finished" in str(error)  # it had ended before the kill

        came = list(threads.map(gone_on, instants))
    found = {
        str(n): None if same else f"run {n} ended with another table"
        for n, (_, same) in enumerate(came)
    }
    if not any(hit for hit, _ in came):
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
