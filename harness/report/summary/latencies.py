"""Latencies as the document holds them: distributions, and how transcripts grew.

Knows shapes; how they are made is `spread` and `streaming`.
"""

from __future__ import annotations

import msgspec

from harness.report.summary.utterance_rates import Share
from harness.units import Seconds


class Percentile(msgspec.Struct, frozen=True, kw_only=True):
    """A percentile, linear between neighbours, and its 95 % interval of order statistics."""

    value: Seconds | None
    """None: too few values; a p95 takes 20, a p99 100."""

    low: Seconds | None
    high: Seconds | None
    """None: too few values to bound it."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """The distribution of a latency."""

    n: int
    quantiles: list[Seconds]
    """At `harness.report.summary.spread.SHARES`."""

    p50: Percentile
    p95: Percentile
    p99: Percentile


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """The latencies of a model on a dataset; late sessions are left out."""

    dataset: str
    model: str
    locale: str | None
    """None: over all locales."""

    first_text: Spread | None = None
    final_text: Spread | None = None
    first_audio: Spread | None = None
    first_reply: Spread | None = None
    """None: no session has one, or the task waits for something else (`harness.report.summary.delays`)."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The error rate of what was on the screen some time after the end of speech: WER@δ."""

    dataset: str
    model: str
    after_s: Seconds | None
    """None: the final text, of the same sessions."""

    metric: str
    """`WER` where all locales are measured so, else `CERns`."""

    rate: float | None
    """Plain mean over locales; None: their references have no tokens."""

    locales: int
    sessions: int
    """A seeded sample of every cell."""


class Streaming(msgspec.Struct, frozen=True, kw_only=True):
    """How the transcripts of a model on a dataset grew, over the sampled sessions."""

    dataset: str
    model: str
    sessions: int
    tokens: int
    """Tokens that are right: those that emission is over."""

    emission_p50_s: Seconds | None
    emission_p90_s: Seconds | None
    emission_p95_s: Seconds | None
    emission_p99_s: Seconds | None
    """When a right token appeared for good, less its end in the audio, which is estimated by counting characters."""

    laal_p50_s: Seconds | None
    dal_p50_s: Seconds | None
    """Medians over sessions of length-adaptive and differentiable average lagging; None: no token."""

    erasure: float | None
    """Mean over sessions of characters taken back per character of the final text; None: no text."""

    revised: Share | None
    """Sessions in which anything was taken back."""


class StreamedSession(msgspec.Struct, frozen=True, kw_only=True):
    """One sampled session: the columns of `streaming.csv`."""

    utterance_id: str
    dataset: str
    locale: str
    model: str
    repeat: int
    speech_bounds_source: str | None
    first_text_s: Seconds | None
    final_text_s: Seconds | None
    emission_p50_s: Seconds | None
    emission_p90_s: Seconds | None
    al_s: Seconds | None
    laal_s: Seconds | None
    dal_s: Seconds | None
    ap: float | None
    erasure: float | None
    revisions: int
    metric: str
    rate_after_0_s: float | None
    rate_after_05_s: float | None
    rate_after_1_s: float | None
    rate_after_2_s: float | None
    rate_after_5_s: float | None
    rate_final: float | None
