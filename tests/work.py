"""How much is done: counted, since seconds tell more of the machine. `make bench` measures them beside others."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import harness

Work = Callable[[], object]


def calls(work: Work, of: Path = Path(harness.__file__).parent) -> int:
    """Return how many calls `work` makes: of the functions below `of`, and of built-in ones by these."""
    count = 0
    ours = str(of)

    def note(frame, event, _):
        nonlocal count
        if event in ("call", "c_call"):
            count += frame.f_code.co_filename.startswith(ours)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def peak(work: Work) -> int:
    """Return the most bytes that Python objects take at once while `work` is done, those that wait for a collection too."""
    gc.collect()
    gc.disable()  # when it comes is a matter of what else was done
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.enable()


def share(
    measure: Callable[[Work], int], made: Callable[[int], Work], few: int, many: int
) -> float:
    """Return what one thing more takes, of works of `few` and of `many`; what is done once is in neither."""
    made(few)()
    one, other = measure(made(few)), measure(made(many))
    return (other - one) / (many - few)
