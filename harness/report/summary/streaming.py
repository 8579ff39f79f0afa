"""How transcripts grew while they were spoken: WER@δ, emission delays, lagging, and what was taken back.

Every trace of a large run would take minutes to read and score six times, so a seeded sample of each cell is taken; a
run of up to 600 sessions is looked at whole.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from harness.report.summary.latencies import Settled, StreamedSession, Streaming
from harness.report.summary.pooling import ascending, grouped, pooled, punctual
from harness.report.summary.utterance_rates import share
from harness.score.edits import EditCounts
from harness.score.score import score_text
from harness.score.stability import (
    DELTAS_S,
    emission_delays,
    erasure,
    lagging,
    revisions,
    screens,
    text_at,
    token_times,
)
from harness.stats.percentiles import percentile
from harness.trace.hypothesis import hypothesis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.rows.exhibits import Exhibits
    from harness.report.rows.row import Row
    from harness.score.stability import Lagging, Screen
    from harness.units import Seconds

_MOST: Final = 600
"""Sessions that are looked at, spread evenly over the cells."""

_FEWEST: Final = 3
"""Sessions of a cell that are looked at, however many cells there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A session whose screen was watched."""

    row: Row
    metric: str
    """`WER` where all locales of the dataset × model are measured so, else `CERns`."""

    after: Mapping[Seconds | None, EditCounts]
    """Edits of what was on the screen that long after the end of speech; None: of the final text."""

    emission_s: Sequence[Seconds]
    """For every token that is right, how long after its end in the audio it came to stay."""

    lagging: Lagging | None
    erasure: float | None
    revisions: int


def watched(rows: Sequence[Row], exhibits: Exhibits, *, profile: str) -> list[Watched]:
    """Return the sampled sessions; those that were late, or whose trace or speech is unknown, are left out.

    `rows` are those of a run that was paced at real time.
    """
    found = []
    for cells in _sampled(rows).values():
        every = [row for own in cells.values() for row in own]
        metric = "WER" if {row.metric for row in every} == {"WER"} else "CERns"
        found += [session for row in every if (session := _watched(row, exhibits, profile, metric))]
    return found


def settling(sessions: Iterable[Watched]) -> list[Settled]:
    """Return the error rates of every dataset × model at each time after the end of speech, then of the final text."""
    found = []
    for (dataset, model), own in _by_model(sessions).items():
        by_locale = grouped(own, lambda one: one.row.locale)
        for delta in (*DELTAS_S, None):
            rates = [pooled(one.after[delta] for one in group).rate for group in by_locale.values()]
            known = [rate for rate in rates if rate is not None]
            found.append(
                Settled(
                    dataset=dataset,
                    model=model,
                    after_s=delta,
                    metric=own[0].metric,
                    rate=fmean(known) if known else None,
                    locales=len(known),
                    sessions=len(own),
                )
            )
    return found


def streaming(sessions: Iterable[Watched]) -> list[Streaming]:
    """Return emission delays, lagging and erasure of every dataset × model."""
    found = []
    for (dataset, model), own in _by_model(sessions).items():
        emission = ascending(delay for one in own for delay in one.emission_s)
        lags = [one.lagging for one in own if one.lagging]
        erased = [one.erasure for one in own if one.erasure is not None]
        found.append(
            Streaming(
                dataset=dataset,
                model=model,
                sessions=len(own),
                tokens=len(emission),
                emission_p50_s=percentile(emission, 50),
                emission_p90_s=percentile(emission, 90),
                emission_p95_s=percentile(emission, 95),
                emission_p99_s=percentile(emission, 99),
                laal_p50_s=percentile(ascending(lag.laal_s for lag in lags), 50),
                dal_p50_s=percentile(ascending(lag.dal_s for lag in lags), 50),
                erasure=fmean(erased) if erased else None,
                revised=share(sum(one.revisions > 0 for one in own), len(own)),
            )
        )
    return found


def streamed_sessions(sessions: Iterable[Watched]) -> list[StreamedSession]:
    """Return the rows of `streaming.csv`."""
    return [
        StreamedSession(
            utterance_id=one.row.utterance_id,
            dataset=one.row.dataset,
            locale=one.row.locale,
            model=one.row.model,
            repeat=one.row.repeat,
            speech_bounds_source=one.row.speech_bounds_source,
            first_text_s=one.row.first_text_s,
            final_text_s=one.row.final_text_s,
            emission_p50_s=percentile(ascending(one.emission_s), 50),
            emission_p90_s=percentile(ascending(one.emission_s), 90),
            al_s=round(one.lagging.al_s, 6) if one.lagging else None,
            laal_s=round(one.lagging.laal_s, 6) if one.lagging else None,
            dal_s=round(one.lagging.dal_s, 6) if one.lagging else None,
            ap=round(one.lagging.ap, 6) if one.lagging else None,
            erasure=one.erasure,
            revisions=one.revisions,
            metric=one.metric,
            rate_after_0_s=one.after[0.0].rate,
            rate_after_05_s=one.after[0.5].rate,
            rate_after_1_s=one.after[1.0].rate,
            rate_after_2_s=one.after[2.0].rate,
            rate_after_5_s=one.after[5.0].rate,
            rate_final=one.after[None].rate,
        )
        for one in sessions
    ]


def _by_model(sessions: Iterable[Watched]) -> dict[tuple[str, str], list[Watched]]:
    """Return the sessions of each dataset × model."""
    return grouped(sessions, lambda one: (one.row.dataset, one.row.model))


def _sampled(rows: Iterable[Row]) -> dict[tuple[str, str], dict[str, list[Row]]]:
    """Return some rows of each dataset × model, by locale."""
    told = (row for row in punctual(rows) if row.counts and row.counts.reference_tokens)
    cells = grouped(told, lambda row: (row.dataset, row.model, row.locale))
    most = max(_FEWEST, _MOST // max(1, len(cells)))
    draw = random.Random(0)  # noqa: S311 - a sample, not a secret
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for (dataset, model, locale), own in cells.items():
        picked = own if len(own) <= most else draw.sample(own, most)
        found.setdefault((dataset, model), {})[locale] = picked
    return found


def _watched(row: Row, exhibits: Exhibits, profile: str, metric: str) -> Watched | None:
    trace, bounds = exhibits.trace(row), exhibits.bounds(row)
    if trace is None or bounds is None or row.reference is None:
        return None
    shown = screens(hypothesis(trace, exhibits.channel).fragments)
    final = shown[-1].text if shown else ""
    strict = score_text(row.reference, final, row.locale, profile="norm-1", metric=metric)
    times = token_times(shown, row.locale, metric)
    return Watched(
        row=row,
        metric=metric,
        after=_after(row, shown, bounds.end_s, profile, metric),
        emission_s=emission_delays(strict, shown, onset_s=bounds.start_s, end_s=bounds.end_s),
        lagging=lagging(times, row.audio_s or 0.0, strict.counts.reference_tokens),
        erasure=erasure(shown),
        revisions=revisions(shown),
    )


def _after(
    row: Row, shown: Sequence[Screen], end_s: Seconds, profile: str, metric: str
) -> dict[Seconds | None, EditCounts]:
    """Return a row's edits at each time after the end of speech, and of its final text (None)."""
    final = row.companions.get(metric) or EditCounts()
    known = {shown[-1].text if shown else "": final}
    counts: dict[Seconds | None, EditCounts] = {None: final}
    for delta in DELTAS_S:
        text = text_at(shown, end_s + delta)
        if text not in known:
            score = score_text(row.reference or "", text, row.locale, profile=profile)
            known[text] = score.companions[metric]
        counts[delta] = known[text]
    return counts
