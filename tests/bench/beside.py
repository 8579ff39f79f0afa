"""Whether a run stays on time while other work is done beside it: clips converted in its threads, transcripts scored elsewhere.

`python -m tests.bench.beside` is that other process: it scores, or converts the file that is named, until its standard input
ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.measure import Goal, ratios

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSIONS = 100

FLOOR = "there are two cores, and the server has one"


def beside(rounds: int = 3, seconds: float = 3.0) -> str:
    """How late frames leave and messages are stamped, alone and beside other work."""
    from tests.bench.disk import recordings
    from tests.bench.wire import sink

    found: dict[str, list[dict]] = {
        "nothing": [],
        "conversion": [],
        "scoring": [],
        "conversion elsewhere": [],
    }
    with tempfile.TemporaryDirectory() as name:
        clip = Path(name) / "speech.flac"
        recordings([clip], minutes=1)
        for _ in range(rounds):
            for work, told in found.items():
                more = [str(clip)] if work == "conversion" else []
                elsewhere = contextlib.nullcontext()
                if work == "scoring":
                    elsewhere = _elsewhere()
                elif work == "conversion elsewhere":
                    elsewhere = _elsewhere(str(clip))
                with sink(together=SESSIONS, messages=25, every_s=0.1) as server, elsewhere:
                    told.append(server.client("ours", SESSIONS, seconds, 100, 1.0, *more))
    lag, stamp = (
        {work: [one[what] for one in told] for work, told in found.items()}
        for what in ("lag", "stamp")
    )
    rows = "\n".join(f"| {work} | {_both(lag[work])} | {_both(stamp[work])} |" for work in found)
    late = {work: [p99 for _, p99 in told] for work, told in lag.items()}
    noted = {work: [p99 for _, p99 in told] for work, told in stamp.items()}
    apart = median(ratios(late["conversion elsewhere"], late["nothing"]))
    goals = [
        Goal("99th percentile of the lag, beside conversion to alone", ratios(late["conversion"], late["nothing"]), 1.5, floor=f"{FLOOR}; converting in a process of the lowest priority it is {apart:.2f}"),
        Goal("99th percentile of the stamps, beside scoring to alone", ratios(noted["scoring"], noted["nothing"]), 1.5, floor=FLOOR),
    ]  # fmt: skip
    return f"""## Beside other work

{SESSIONS} sessions in real time, 100 ms a message, ten messages a second to each: how late frames leave and messages are stamped,
ms, median / 99th percentile, {rounds} rounds of {seconds:g} s in turn. FLACs are converted without pause in a thread of the same
process, as a run does ahead of its sessions; transcripts are scored without pause in another. Elsewhere is a process of its
own at the lowest priority, the floor. A thread of lower priority than the loop's is no way to it: it is put aside while it
holds the interpreter, and the loop waits.

| beside | lag | stamp |
|---|---|---|
{rows}

{Goal.table(goals)}"""


def _both(told: list[list[float]]) -> str:
    return f"{median(p for p, _ in told):.2f} / {median(p for _, p in told):.2f}"


@contextlib.contextmanager
def _elsewhere(*arguments: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.beside", *arguments], stdin=subprocess.PIPE
    )
    try:
        yield
    finally:
        process.communicate()


@contextlib.contextmanager
def converting(clip: Path) -> Iterator[None]:
    """Convert `clip` again and again in a thread."""
    from harness.audio.load import load

    over = threading.Event()

    def convert() -> None:
        while not over.is_set():
            for _ in load(clip).blocks():
                if over.is_set():
                    return

    thread = threading.Thread(target=convert)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def main() -> None:
    """Score, or convert a file at the lowest priority, until standard input ends."""
    threading.Thread(target=sys.stdin.read).start()
    for path in map(Path, sys.argv[1:]):
        from harness.audio.load import load

        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while threading.active_count() > 1:
            for _ in load(path).blocks():
                pass
        return
    from harness.score.score import counts_of
    from tests.bench.scoring import transcripts

    said, heard = transcripts(1000)
    while threading.active_count() > 1:
        counts_of(said, heard, "en-US", profile="norm-1")


if __name__ == "__main__":
    main()
