"""What a part of the bench is given, and what it gives back."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much of it, and from which seed."""

    seed: int = 0
    frames: int = 600_000
    """Frames to fuzz the codec with."""

    readings: int = 10_000
    """Damaged manifests, and as many journals."""

    examples: int = 1_500
    """What hypothesis draws for each reader."""

    connections: int = 10_000
    """Hostile connections to one emulator."""

    crashes: int = 2_000
    """Runs that die at one of their own steps, in memory."""

    folders: int = 300
    """Run folders to damage and go on with, in memory."""

    kills: int = 20
    """Runs killed at a random instant."""


@dataclass(slots=True, kw_only=True)
class Section:
    """A part of the page."""

    title: str
    text: str
    """Markdown without its heading."""

    broken: list[str] = field(default_factory=list)
    """What did not hold, a sentence each; the command then fails."""


def spread(work: Callable[[Any], Any], over: Iterable[Any], *, at_once: int = 4) -> list[Any]:
    """Return what `work` gives for each of `over`, in order, done by as many processes as there are cores, `at_once` a time."""
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        return list(processes.map(work, over, chunksize=at_once))


def table(head: list[str], rows: list[list[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
