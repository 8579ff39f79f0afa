"""What stands beside a cell's rate: rates of single utterances, shares, and text where nothing was said.

The headline is the rate of the sums; these are its companions. Knows counts; does not know rows, files or pages.
"""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING

import msgspec

from harness.score.score import rate
from harness.stats.intervals import share_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.score.edits import EditCounts
    from harness.units import Seconds


class UtteranceRates(msgspec.Struct, frozen=True, kw_only=True):
    """The rates of utterances one by one; those whose reference has no token are left out."""

    utterances: int
    wrong: float
    """Share of utterances with an error: SER."""

    mean: float
    median: float
    over_one: float
    """Share of utterances with more errors than the reference has tokens."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many of how many, with Wilson's 95 % interval."""

    count: int
    n: int
    share: float
    low: float
    high: float


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard where nothing was said: clips whose reference has no token."""

    with_text: Share
    """Clips with at least one token."""

    tokens: int
    tokens_per_minute: float | None
    """None: the clips' lengths are unknown."""


def utterance_rates(counts: Sequence[EditCounts], metric: str) -> UtteranceRates | None:
    """Return the rates of single utterances; None: no reference has a token."""
    spoken = [own for own in counts if own.reference_tokens]
    rates = [value for own in spoken if (value := rate(metric, own)) is not None]
    if not rates:
        return None
    return UtteranceRates(
        utterances=len(rates),
        wrong=sum(own.errors > 0 for own in spoken) / len(spoken),
        mean=fmean(rates),
        median=median(rates),
        over_one=sum(value > 1 for value in rates) / len(rates),
    )


def share(count: int, n: int) -> Share | None:
    """Return a share and its interval; None of nothing."""
    interval = share_interval(count, n)
    if interval is None:
        return None
    return Share(count=count, n=n, share=count / n, low=interval.low, high=interval.high)


def silence(clips: Sequence[tuple[EditCounts, Seconds | None]]) -> Silence | None:
    """Return what was heard where nothing was said, from counts and lengths; None: something was said in every utterance."""
    silent = [(counts, length) for counts, length in clips if not counts.reference_tokens]
    with_text = share(sum(counts.insertions > 0 for counts, _ in silent), len(silent))
    if with_text is None:
        return None
    tokens = sum(counts.insertions for counts, _ in silent)
    lengths = [length for _, length in silent if length is not None]
    minutes = sum(lengths) / 60 if len(lengths) == len(silent) else 0.0
    return Silence(
        with_text=with_text,
        tokens=tokens,
        tokens_per_minute=tokens / minutes if minutes else None,
    )
