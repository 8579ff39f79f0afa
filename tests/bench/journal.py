"""What it costs to write a finished attempt down."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

import msgspec

from harness.run.journal import Journal
from tests.bench.measure import Goal, spread
from tests.bench.records import record

COUNT = 2000


def journal(rounds: int = 5) -> str:
    """CPU of an append: a record made one line, written with one write, and ended in the ledger."""
    found, floor = [], []
    kept = [
        record(number, " ".join(f"w{number + n}" for n in range(15))) for number in range(COUNT)
    ]
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            with Journal(Path(name)) as book:
                began = time.thread_time()
                for one in kept:
                    book.append(one)
                found.append((time.thread_time() - began) / COUNT * 1e6)
            with Path(name, "bare").open("ab", buffering=0) as file:
                began = time.thread_time()
                for one in kept:
                    file.write(msgspec.json.encode(one) + b"\n")
                floor.append((time.thread_time() - began) / COUNT * 1e6)
    size = len(msgspec.json.encode(kept[0]))
    return f"""## Writing a finished attempt down

{COUNT:,} records of {size} bytes, each a line of the journal with one write of its own; {rounds} rounds. To encode and write
them alone takes {median(floor):.1f} µs.

{Goal.table([Goal("CPU of a record, µs", found, 10.0, floor=f"encoding and writing alone take {spread(floor)}")])}"""
