"""Whole processes, timed in pairs: ratios hold when the machine's speed does not."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one process took."""

    cpu_s: float
    """User and system time, s."""

    peak_mib: float
    """Largest resident memory, MiB."""


def peak_mib() -> float:
    """Return the largest resident memory of this process so far, MiB.

    Not `ru_maxrss`: that begins with the memory of the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


LAUNCH = """
import os, sys
null = [(os.POSIX_SPAWN_OPEN, to, os.devnull, os.O_RDWR, 0) for to in (1, 2)]
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=null)
_, status, used = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
"""Runs a command from a small process: the largest memory of a new one begins with that of who started it."""


def process(arguments: list[str]) -> Cost:
    """Return what running `arguments` took, its children left out; ValueError when it fails.

    Our modules are kept compiled, as those of any installed package are.
    """
    told = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run(
        [sys.executable, "-S", "-c", LAUNCH, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        env=told,
    )
    code, cpu_s, peak_mib = ran.stdout.split()
    if code != b"0":
        raise ValueError(f"{arguments}: exit {code.decode()}")
    return Cost(cpu_s=float(cpu_s), peak_mib=float(peak_mib))


def pairs(ours: list[str], theirs: list[str], rounds: int) -> tuple[list[Cost], list[Cost]]:
    """Return the costs of both, run in turn, after one round of each that does not count."""
    process(ours)
    process(theirs)
    measured = [(process(ours), process(theirs)) for _ in range(rounds)]
    return [a for a, _ in measured], [b for _, b in measured]


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Return the round-by-round ratios."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def ratio(ours: list[float], theirs: list[float]) -> str:
    """Return the median of the round-by-round ratios, with their range."""
    return spread(ratios(ours, theirs))


def spread(values: list[float]) -> str:
    """Return the median, with the range."""
    digits = 2 if statistics.median(values) < 100 else 0
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached, and what was."""

    what: str
    values: list[float]
    """Of the rounds; their median counts."""

    limit: float
    least: bool = False
    """The limit is the least it may be, else the most."""

    floor: str = ""
    """Why no more can be reached, where that is known."""

    @property
    def reached(self) -> bool:
        """Whether it is."""
        value = statistics.median(self.values)
        return value >= self.limit if self.least else value <= self.limit

    @property
    def verdict(self) -> str:
        """What is said of it."""
        if self.reached:
            return "reached"
        return f"**not reached**{f': {self.floor}' if self.floor else ''}"

    @staticmethod
    def table(goals: list[Goal]) -> str:
        """Return the goals with what was reached, a row each."""
        rows = [
            f"| {one.what} | at {'least' if one.least else 'most'} {one.limit:.3g} | {spread(one.values)} "
            f"| {one.verdict} |"
            for one in goals
        ]
        return "\n".join(["| goal | | measured | |", "|---|---|---|---|", *rows])


def machine() -> str:
    """Return what was measured on."""
    import platform

    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {sys.version.split()[0]}"
