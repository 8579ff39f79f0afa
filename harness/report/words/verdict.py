"""The verdict: a run in a sentence.

Knows rows and standings. Does not know what else a reader must be told (`warnings`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.units import Usd, count_text, duration_text, percent_text, usd_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.rows.row import Row
    from harness.report.summary.document import Standing
    from harness.run.record import Plan


def verdict(
    plan: Plan, rows: Sequence[Row], standings: Sequence[Standing], cost: Usd | None
) -> str:
    """Return the run in a sentence: how much was done, and the headline rate of every dataset."""
    scored = sum(row.judged for row in rows)
    left = left_text(sum(row.must_rerun for row in rows), sum(row.refused for row in rows))
    locales = len({row.locale for row in rows})
    sent, came = (sum(row.audio_s or 0.0 for row in rows), sum(row.speech_s or 0.0 for row in rows))
    lengths = (
        f"{duration_text(came)} of speech"
        if plan.task == "speak"
        else f"{duration_text(sent)} of audio"
    )
    parts = [
        f"{scored:,} of {count_text(len(rows), 'session')} scored"
        + (f", {left}" if left else "")
        + f": {count_text(len(plan.models), 'model')}, {count_text(locales, 'locale')}, "
        + lengths
        + (f", {usd_text(cost)} at list prices" if cost is not None else "")
        + "."
    ]
    if plan.task == "ask":
        parts.append(f"{sum(row.passed is True for row in rows):,} of {scored:,} passed.")
    for dataset in dict.fromkeys(standing.dataset for standing in standings):
        own = [one for one in standings if one.dataset == dataset]
        standing = _best(own)
        if standing is None:
            continue
        alike = sum(
            one.macro_cerns is not None and _headline(one) == _headline(standing) for one in own
        )
        if len(plan.models) == 1:
            who = ""
        elif alike > 1:
            who = f" ({alike} of {len(plan.models)} models alike)"
        else:
            who = f" ({standing.model}, the lowest of {len(plan.models)})"
        parts.append(f"{dataset}: {_rate_of(standing)}{who}.")
    return " ".join(parts)


def left_text(failed: int, refused: int) -> str:
    """Return in words what has no answer yet, of which so many were `refused`: `2 to run again, 1 refused`; empty: nothing."""
    again = failed - refused
    return ", ".join(
        [f"{again:,} to run again"] * bool(again) + [f"{refused:,} refused"] * bool(refused)
    )


def _best(standings: Sequence[Standing]) -> Standing | None:
    """Return the lowest of a dataset's standings by the rate that heads it; None: nothing is complete."""
    complete = [one for one in standings if one.macro_cerns is not None]
    return min(complete, key=lambda one: _headline(one)[1], default=None)


def _headline(standing: Standing) -> tuple[str, float]:
    """Return the metric that heads a dataset and its rate: of a single locale its own, across locales the macro CERns."""
    if standing.locales == 1 and standing.macro_wer is not None:
        return "WER", standing.macro_wer
    return "macro CERns" if standing.locales > 1 else "CERns", standing.macro_cerns or 0.0


def _rate_of(standing: Standing) -> str:
    metric, rate = _headline(standing)
    of = (
        f" over {standing.ranked_locales} of {standing.locales} locales"
        if standing.locales > 1
        else ""
    )
    return f"{metric} {percent_text(rate)}{of}"
