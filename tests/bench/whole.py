"""What the command costs to start, what a run's sessions cost, and how punctual they are beside a recogniser."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from typing import TYPE_CHECKING

from harness.run.folder import read_journal
from tests.bench.measure import Cost, Goal, pairs, process, ratio, ratios

if TYPE_CHECKING:
    from collections.abc import Iterator

CLICK_ONLY = """
import click

@click.group()
@click.version_option("1.0")
def root():
    "A program that has nothing but click."

for name in "abcdefgh":
    root.add_command(click.Command(name, help="A sub-command."))
root()
"""


def start() -> str:
    """How dear `--help` and `--version` are, against a program with nothing but click."""
    rows, goals, rounds = [], [], 11
    for option in ("--help", "--version"):
        ours, theirs = pairs(
            [sys.executable, "-m", "harness", option],
            [sys.executable, "-c", CLICK_ONLY, option],
            rounds=rounds,
        )
        cpu, other = ([cost.cpu_s for cost in costs] for costs in (ours, theirs))
        mib, theirs_mib = (max(cost.peak_mib for cost in costs) for costs in (ours, theirs))
        rows.append(
            f"| `{option}` | {statistics.median(cpu) * 1000:.0f} | {statistics.median(other) * 1000:.0f} "
            f"| {ratio(cpu, other)} | {mib:.1f} | {theirs_mib:.1f} |"
        )
        goals += [
            Goal(f"`{option}`: CPU, ours to click alone", ratios(cpu, other), 1.3),
            Goal(f"`{option}`: peak memory, MiB", [cost.peak_mib for cost in ours], 20),
        ]
    lines = "\n".join(rows)
    return f"""## Start

`harness --help` and `harness --version` against a program with nothing but click, {rounds} pairs of whole processes of each.

| | CPU, ms | click alone | ratio | peak memory, MiB | click alone |
|---|---|---|---|---|---|
{lines}

{Goal.table(goals)}"""


@contextlib.contextmanager
def _sink() -> Iterator[str]:
    """Give the URL of a trivial Live server in its own process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.sink"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate()


def sessions() -> str:
    """What a session costs beside the network wait, and whether memory grows with their number."""
    rows = []
    few, many = 1_000, 10_000
    with _sink() as url, tempfile.TemporaryDirectory() as name:
        for number, count in enumerate((few, few, few, many)):
            folder = Path(name, str(number))
            folder.mkdir()
            ran = subprocess.run(
                [sys.executable, "-m", "tests.bench.sessions", str(count), url, str(folder)],
                check=True,
                capture_output=True,
                text=True,
            )
            rows.append((count, json.loads(ran.stdout)))
    lines = "\n".join(
        f"| {count:,} | {told['cpu_ms']:.2f} | {told['before_mib']:.0f} | {told['peak_mib']:.0f} |"
        for count, told in rows
    )
    *small, large = (told for _, told in rows)
    taken = [told["peak_mib"] - told["before_mib"] for told in (*small, large)]
    goals = [
        Goal("CPU a session, ms", [told["cpu_ms"] for _, told in rows], 5.0),
        Goal(
            f"memory of the sessions, {many:,} to {few:,}",
            [taken[-1] / one for one in taken[:-1]],
            1.25,
        ),
    ]
    plan_kib = (large["before_mib"] - small[0]["before_mib"]) / (many - few) * 1024
    return f"""## Overhead of a session

Utterances of 1 s at pace 0, 200 at once, 100 ms a frame, against a trivial Live server in another process. CPU is user and
system time of the streaming process with its worker threads: reading and converting the clip, connection, frames, trace,
journal. Nothing of a session stays when it is over, so the memory that sessions take is to be flat: the peak, less what was there
before them. The plan was, with {plan_kib:.1f} KiB for each of its utterances.

| utterances | CPU a session, ms | memory before, MiB | peak, MiB |
|---|---|---|---|
{lines}

{Goal.table(goals)}"""


UTTERANCES = 9
"""One of each of the sample's locales."""


def punctuality() -> str:
    """How late frames leave while a recogniser works on the same machine, against an ear that does nothing."""
    rounds = 3
    measured = {"whisper": [], "scripted": []}
    for _ in range(rounds):
        for ear, lags in measured.items():
            lags.append(_lags(ear))
    p99 = {ear: [worst for _, worst, _ in lags] for ear, lags in measured.items()}
    lines = "\n".join(
        f"| {ear} | {statistics.median(p for p, _, _ in lags):.2f} | {statistics.median(p99[ear]):.2f} "
        f"({min(p99[ear]):.2f}–{max(p99[ear]):.2f}) | {sum(late for _, _, late in lags)} of {rounds * UTTERANCES} |"
        for ear, lags in measured.items()
    )
    goals = [
        Goal("99th percentile with whisper, ms", p99["whisper"], 20.0),
        Goal("that, to the scripted ear's", ratios(p99["whisper"], p99["scripted"]), 2.0),
    ]
    return f"""## Punctuality beside a recogniser

{UTTERANCES} utterances of `harness run sample` at real-time pace, {rounds} runs with each ear in turn: the emulator's recogniser at work in its own
low-priority process, and a scripted ear, which does nothing. Send lag is how late audio frames leave, against their due
times; a session is late when its p99 is over 20 ms. Of the two
goals one is to be reached.

| ear | median lag, ms | median of the sessions' p99, ms (range over runs) | late sessions |
|---|---|---|---|
{lines}

{Goal.table(goals)}"""


def _lags(ear: str) -> tuple[float, float, int]:
    """Return the median of the sessions' median and p99 lag, ms, and how many were late, of a run with `ear`."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "run"
        subprocess.run(
            [sys.executable, "-m", "harness", "run", "sample", "--limit", "1", "--out", str(out)],
            check=True,
            capture_output=True,
            env=os.environ | {"HARNESS_EMULATE_EAR": ear},
        )
        records = [record for record in read_journal(out) if record.final]
    p50 = statistics.median(record.send_lag_p50_ms for record in records)
    p99 = statistics.median(record.send_lag_p99_ms for record in records)
    return p50, p99, sum(record.late for record in records)


def simulation(count: int = 20_000, framed: int = 2_000) -> str:
    """What it takes to try a plan on the simulated service, session by session and frame by frame."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        silence(folder / "clip.wav")
        told = {size: simulated(folder, size, *MODELLED) for size in (count // 4, count)}
        frames = {size: simulated(folder, size) for size in (framed // 4, framed)}
    share_ms, share_kib = more(told)
    frames_ms, frames_kib = more(frames)
    goals = [
        Goal("CPU of a million utterances, min", [share_ms * 1e3 / 60], 10.0),
        Goal("CPU of 10,000 sessions frame by frame, min", [frames_ms * 10 / 60], 10.0),
    ]
    return f"""## Simulation

`harness run --service simulated` at concurrency 200, the manifest read and the plan made; clips of a second, ten frames.

| | utterances | CPU s | MiB | an utterance more: CPU ms | KiB |
|---|---|---|---|---|---|
| session by session | {count:,} | {told[count].cpu_s:.1f} | {told[count].peak_mib:.0f} | {share_ms:.2f} | {share_kib:.1f} |
| frame by frame | {framed:,} | {frames[framed].cpu_s:.1f} | {frames[framed].peak_mib:.0f} | {frames_ms:.2f} | {frames_kib:.1f} |

What one utterance more takes is measured between a quarter of them and all; a million utterances, and 10,000 sessions, are
that many times it.{MEASURED_ONCE}

{Goal.table(goals)}"""


MODELLED = ("--assume", "faults=0.000001")
"""Options under which a plan is tried session by session, however small it is."""

MEASURED_ONCE = """ Measured once as a whole, on 2026-11-22 on a busy machine, by
`harness run MANIFEST --service simulated --concurrency 200`: a million utterances session by session, 351 CPU s and 1,555 MiB;
10,000 sessions frame by frame, 82 CPU s and 141 MiB."""


def more(told: dict[int, Cost]) -> tuple[float, float]:
    """Return what one utterance more takes, ms of CPU and KiB, by two sizes."""
    (few, one), (many, other) = sorted(told.items())
    each = many - few
    return (other.cpu_s - one.cpu_s) / each * 1e3, (other.peak_mib - one.peak_mib) / each * 1024


def silence(path: Path) -> None:
    """Write a clip of a second."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000))


def simulated(folder: Path, count: int, *options: str) -> Cost:
    """Return what simulating `count` utterances takes."""
    manifest = folder / f"{count}.jsonl"
    item = {"audio": "clip.wav", "text": "hello", "locale": "en-US", "duration_s": 1.0}
    manifest.write_text("".join(json.dumps({"id": f"u{n}"} | item) + "\n" for n in range(count)))
    return process(
        [sys.executable, "-m", "harness", "run", str(manifest), "--service", "simulated",
         "--concurrency", "200", *options]
    )  # fmt: skip
