"""`make bench`: measure, and write `docs/benchmarks.md`. Takes about ten minutes; nothing else should run meanwhile.

`python -m tests.bench start sessions` measures these sections alone and writes the page with them alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.run.folder import read_journal
from tests.bench import disk, wire
from tests.bench.measure import machine, pairs, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"

CLICK_ONLY = """
import click

@click.group()
def root():
    "A program that has nothing but click."

for name in "abcdefgh":
    root.add_command(click.Command(name, help="A sub-command."))
root(["--help"])
"""


def main() -> None:
    """Run the benches asked for, else all, and write the page."""
    benches = {
        "start": _start,
        "sessions": _sessions,
        "punctuality": _punctuality,
        "scoring": _scoring,
        "send": lambda: wire.send("unpaced, 100 ms"),
        "paced": lambda: wire.send("real time, 100 ms"),
        "paced40": lambda: wire.send("real time, 40 ms"),
        "lag": wire.punctual,
        "receive": wire.receive,
        "audio": disk.audio,
        "records": disk.records,
    }
    sections = [benches[name]() for name in sys.argv[1:] or benches]
    page = "\n\n".join([HEAD.format(when=datetime.now(UTC).date(), machine=machine()), *sections])
    DOCS.write_text(page + "\n", encoding="utf-8")
    print(page)  # noqa: T201 - the result


HEAD = """# Benchmarks

`make bench` measures all of this again and writes this page. Every figure is compared with a peer or a floor in the same
run; ratios are medians of round-by-round ratios, with their range. Absolute figures are this machine's and move with
whatever else it does.

Measured on {when}: {machine}."""


def _start() -> str:
    """How dear `--help` is, against a program with nothing but click."""
    ours, theirs = pairs(
        [sys.executable, "-m", "harness", "--help"], [sys.executable, "-c", CLICK_ONLY], rounds=11
    )
    cpu = [cost.cpu_s for cost in ours], [cost.cpu_s for cost in theirs]
    return f"""## Start

`harness --help` against a program with nothing but click, {len(ours)} pairs of whole processes.

| | harness | click alone | ratio | at most |
|---|---|---|---|---|
| CPU, ms | {statistics.median(cpu[0]) * 1000:.0f} | {statistics.median(cpu[1]) * 1000:.0f} | {ratio(*cpu)} | 1.3 |
| peak memory, MiB | {max(c.peak_mib for c in ours):.1f} | {max(c.peak_mib for c in theirs):.1f} | | 20 |"""


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


def _sessions() -> str:
    """What a session costs beside the network wait, and whether memory grows with their number."""
    rows = []
    with _sink() as url:
        for count in (1_000, 1_000, 1_000, 10_000):
            ran = subprocess.run(
                [sys.executable, "-m", "tests.bench.sessions", str(count), url],
                check=True,
                capture_output=True,
                text=True,
            )
            rows.append((count, json.loads(ran.stdout)))
    lines = "\n".join(
        f"| {count:,} | {told['cpu_ms']:.2f} | {told['before_mib']:.0f} | {told['peak_mib']:.0f} |"
        for count, told in rows
    )
    return f"""## Overhead of a session

Utterances of 1 s at pace 0, 200 at once, 100 ms a frame, against a trivial Live server in another process. CPU is user and
system time of the streaming process with its worker threads: reading and converting the clip, connection, frames, trace,
journal. At most 5 ms each; memory flat.

| utterances | CPU a session, ms | memory before, MiB | peak, MiB |
|---|---|---|---|
{lines}"""


def _punctuality() -> str:
    """How late frames leave while a recogniser works on the same machine, against an ear that does nothing."""
    rounds = 2
    measured = {"whisper": [], "scripted": []}
    for _ in range(rounds):
        for ear, lags in measured.items():
            lags.append(_lags(ear))
    p99 = {ear: [worst for _, worst, _ in lags] for ear, lags in measured.items()}
    lines = "\n".join(
        f"| {ear} | {statistics.median(p for p, _, _ in lags):.2f} | {statistics.median(p99[ear]):.2f} "
        f"({min(p99[ear]):.2f}–{max(p99[ear]):.2f}) | {sum(late for _, _, late in lags)} of {rounds * 37} |"
        for ear, lags in measured.items()
    )
    return f"""## Punctuality beside a recogniser

`harness run sample` at real-time pace, {rounds} runs with each ear in turn: the emulator's recogniser at work in its own
low-priority process, and a scripted ear, which does nothing. Send lag is how late audio frames leave, against their due
times; a session is late when its p99 is over 20 ms. p99 with the recogniser: within 20 ms, or within twice the scripted
ear's.

| ear | median lag, ms | median of the sessions' p99, ms (range over runs) | late sessions |
|---|---|---|---|
{lines}

Ratio of the p99s: {ratio(p99["whisper"], p99["scripted"])}."""


def _lags(ear: str) -> tuple[float, float, int]:
    """Return the median of the sessions' median and p99 lag, ms, and how many were late, of a run with `ear`."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "run"
        subprocess.run(
            [sys.executable, "-m", "harness", "run", "sample", "--out", str(out)],
            check=True,
            capture_output=True,
            env=os.environ | {"HARNESS_EMULATE_EAR": ear},
        )
        records = [record for record in read_journal(out) if record.final]
    p50 = statistics.median(record.send_lag_p50_ms for record in records)
    p99 = statistics.median(record.send_lag_p99_ms for record in records)
    return p50, p99, sum(record.late for record in records)


def _engine(name: str, count: int) -> dict:
    """Return the CPU seconds of one engine of `scoring` in a process of its own, and what it found."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench.scoring", name, str(count)],
        check=True,
        capture_output=True,
    )
    return json.loads(ran.stdout)


def _paired(first: str, second: str, count: int, rounds: int = 5) -> tuple[list, list]:
    """Return the CPU seconds of two engines that find the same, run in turn."""
    told = [(_engine(first, count), _engine(second, count)) for _ in range(rounds)]
    if any(a["found"] != b["found"] for a, b in told if a["found"] and b["found"]):
        sys.exit(f"{first} and {second} do not find the same")
    return [a["cpu_s"] for a, _ in told], [b["cpu_s"] for _, b in told]


def _scoring() -> str:
    """What scoring costs, against jiwer's one batch, and drawing, against numpy's gather."""
    lines = []
    for count in (1_000, 20_000, 100_000):
        cells = [f"{count:,}"]
        for kind, least in (("words", {20_000: "8", 100_000: "15"}), ("characters", {})):
            theirs, ours = _paired(f"jiwer_{kind}", kind, count)
            cells += [
                *(f"{statistics.median(one) / count * 1e6:.1f}" for one in (theirs, ours)),
                ratio(theirs, ours),
                "20" if kind == "characters" else least.get(count, ""),
            ]
        whole = [_engine("normalised_and_counted", count)["cpu_s"] for _ in range(3)]
        cells.append(f"{statistics.median(whole) / count * 1e6:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    table = "\n".join(lines)
    gathered, drawn = _paired("gather", "interval", 100_000, rounds=3)
    # numpy draws a hundredth as many.
    gathered = [100 * one for one in gathered]
    return f"""## Scoring

CPU µs an utterance of 10 to 28 words, a tenth of them wrong, against jiwer given all of them at once, each in a process of
its own; the counts are the same. Normalising is `norm-1` of both texts, each its own.

| utterances | jiwer, words | ours | ratio | at least | jiwer, characters | ours | ratio | at least | normalised and counted |
|---|---|---|---|---|---|---|---|---|---|
{table}

10,000 bootstrap drawings of 100,000 utterances take {statistics.median(drawn):.2f} CPU s (at most 1.5), numpy's gather
{statistics.median(gathered):.1f}: {ratio(gathered, drawn)} times as much (at least 4)."""


if __name__ == "__main__":
    main()
