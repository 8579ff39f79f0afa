"""Whole processes, timed in pairs: ratios hold when the machine's speed does not."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one process took."""

    cpu_s: float
    """User and system time, s."""

    peak_mib: float
    """Largest resident memory, MiB."""


def process(arguments: list[str], **options) -> Cost:
    """Return what running `arguments` took, its children left out."""
    child = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{arguments}: exit {child.returncode}")
    return Cost(cpu_s=used.ru_utime + used.ru_stime, peak_mib=used.ru_maxrss / 1024)


def pairs(ours: list[str], theirs: list[str], rounds: int) -> tuple[list[Cost], list[Cost]]:
    """Return the costs of both, run in turn, after one round of each that does not count."""
    process(ours)
    process(theirs)
    measured = [(process(ours), process(theirs)) for _ in range(rounds)]
    return [a for a, _ in measured], [b for _, b in measured]


def ratio(ours: list[float], theirs: list[float]) -> str:
    """Return the median of the round-by-round ratios, with their range."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def machine() -> str:
    """Return what was measured on."""
    import platform

    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {sys.version.split()[0]}"
