"""Many rows pooled into cells: one per dataset × model × locale."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from harness.report.summary.certainty import detectable_difference, rate_certainty
from harness.report.summary.document import NOT_ATTEMPTED, Cell, Flagged
from harness.report.summary.pooling import (
    ascending,
    audio,
    billed,
    by_modality,
    cost,
    deviation,
    grouped,
    known_sum,
    passing,
    pooled,
    punctual,
    total_s,
)
from harness.report.summary.utterance_rates import share, silence, utterance_rates
from harness.score.readability import readability, reading
from harness.score.score import rate
from harness.stats.percentiles import percentile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from harness.report.rows.row import Row
    from harness.report.summary.delays import Awaited
    from harness.score.edits import EditCounts
    from harness.score.readability import Readability

UNANSWERED: Final = ("failed_server", "blocked")
"""Outcomes of the service's own making that brought no transcript."""


GROSS: Final = frozenset({"wrong_script", "wrong_language", "suspect_zh", "suspect_ja", "loop", "hallucination"})  # fmt: skip
"""Faults of a whole transcript."""


def cell_by_cell(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in the order of all tables: datasets as first met, locales by name, models as first met.

    Rows of one cell keep their order.
    """
    groups = list(grouped(rows, lambda row: (row.dataset, row.locale, row.model)).values())
    datasets, models = (
        {name: place for place, name in enumerate(dict.fromkeys(names))}
        for names in ((one[0].dataset for one in groups), (one[0].model for one in groups))
    )
    groups.sort(key=lambda one: (datasets[one[0].dataset], one[0].locale, models[one[0].model]))
    return [row for group in groups for row in group]


def pooled_cells(rows: Iterable[Row], *, profile: str, awaited: Awaited) -> list[Cell]:
    """Return a cell per dataset × model × locale, in the order they are first met.

    `profile` is the id of the normalisation that the rows were scored under, `awaited` what they waited for first of all.
    """
    every = list(rows)
    missed = {
        (row.dataset, row.utterance_id)
        for row in every
        if row.must_rerun or row.outcome in UNANSWERED
    }
    return [
        _cell(group, missed, profile=profile, awaited=awaited)
        for group in grouped(every, lambda row: (row.dataset, row.model, row.locale)).values()
    ]


def _cell(
    rows: Sequence[Row], missed: Collection[tuple[str, str]], *, profile: str, awaited: Awaited
) -> Cell:
    scored = [row for row in rows if row.counts is not None]
    counts = pooled(row.counts for row in scored)
    usages = [row.session for row in rows if row.session]
    ends, rests_on = (
        (rate_certainty(scored) or (None, None))
        if scored and counts.reference_tokens
        else (None, None)
    )
    first = ascending(row.first_text_s for row in punctual(rows))
    final = ascending(row.final_text_s for row in punctual(rows))
    held = [row for row in rows if row.passed is not None]
    replied = ascending(row.first_reply_s for row in punctual(rows))
    silenced = ascending(row.fell_silent_s for row in rows)
    audible = ascending(row.first_audio_s for row in punctual(rows))
    by_ear = [row for row in rows if row.ear_counts is not None]
    metric = scored[0].metric if scored else None  # one locale, one metric
    speakers = {row.speaker for row in scored}
    return Cell(
        dataset=rows[0].dataset,
        locale=rows[0].locale,
        model=rows[0].model,
        metric=metric,
        utterances=len(rows),
        scored=len(scored) + len(held),
        failed=sum(row.must_rerun for row in rows),
        refused=sum(row.refused for row in rows),
        rate=rate(metric, counts) if metric else None,
        rate_low=ends.low if ends else None,
        rate_high=ends.high if ends else None,
        rate_norm1=_whole_rate(metric, [row.companions.norm_1 for row in scored])
        if metric
        else None,
        wer=_whole_rate("WER", [row.companions.wer for row in scored]),
        cer=_whole_rate("CER", [row.companions.cer for row in scored]),
        cerns=_whole_rate("CERns", [row.companions.cerns for row in scored]),
        mer=rate("MER", counts),
        audio_s=audio(rows),
        first_text_p50_s=percentile(first, 50),
        first_text_p95_s=percentile(first, 95),
        final_text_p50_s=percentile(final, 50),
        final_text_p95_s=percentile(final, 95),
        late_sessions=sum(row.late is True for row in rows),
        prompt_tokens=billed(rows, lambda row: row.prompt_tokens),
        response_tokens=billed(rows, lambda row: row.response_tokens),
        total_tokens=billed(rows, lambda row: row.total_tokens),
        cost_usd=cost(rows),
        profile=profile,
        first_audio_p50_s=percentile(audible, 50),
        first_audio_p95_s=percentile(audible, 95),
        speech_s=total_s(row.speech_s for row in rows),
        speech_chars_per_s=_speech_rate(rows),
        passed=sum(row.passed is True for row in held) if held else None,
        pass_rate=round(sum(row.passed is True for row in held) / len(held), 6) if held else None,
        first_reply_p50_s=percentile(replied, 50),
        first_reply_p95_s=percentile(replied, 95),
        tool_call_p50_s=percentile(ascending(row.tool_call_s for row in punctual(rows)), 50),
        fell_silent_p50_s=percentile(silenced, 50),
        fell_silent_p95_s=percentile(silenced, 95),
        ear=" + ".join(dict.fromkeys(row.ear for row in by_ear if row.ear)) or None,
        ear_scored=len(by_ear) if by_ear else None,
        ear_rate=rate(metric, pooled(row.ear_counts for row in by_ear)) if metric else None,
        thoughts_tokens=known_sum(row.thoughts_tokens for row in rows),
        cached_tokens=known_sum(row.cached_tokens for row in rows),
        tool_use_tokens=known_sum(row.tool_use_tokens for row in rows),
        test_set=rows[0].test_set,
        hits=counts.hits,
        substitutions=counts.substitutions,
        deletions=counts.deletions,
        insertions=counts.insertions,
        reference_tokens=counts.reference_tokens,
        speakers=len(speakers) if speakers and None not in speakers else None,
        timed=len(ascending(getattr(row, awaited.column) for row in punctual(rows))),
        outcomes=dict(Counter(row.outcome or NOT_ATTEMPTED for row in rows)),
        rate_if_failed_deleted=_worst_case(rows, metric),
        passing=passing(rows),
        rate_answered=_answered(scored, missed, metric),
        detectable=detectable_difference(scored) if scored else None,
        basis=rests_on,
        utterance_rates=utterance_rates([row.counts for row in scored if row.counts], metric)
        if metric
        else None,
        readability=reading(_readings(scored)),
        flagged=_flagged(scored, metric),
        unanswered=share(
            sum(row.outcome in UNANSWERED for row in rows),
            sum(row.outcome is not None for row in rows),
        ),
        rate_sd_of_repeats=deviation(
            [
                rate(metric, pooled(row.counts for row in group))
                for group in grouped(scored, lambda row: row.repeat).values()
            ]
        )
        if metric
        else None,
        silence=silence([(row.counts, row.audio_s) for row in scored if row.counts]),
        prompt_by_modality=by_modality(usage.prompt_by_modality for usage in usages),
        response_by_modality=by_modality(usage.response_by_modality for usage in usages),
    )


def _readings(scored: Iterable[Row]) -> Iterator[Readability]:
    for row in scored:
        found = readability(row.reference or "", row.hypothesis or "", row.locale)
        if found is not None:
            yield found


def _flagged(scored: Sequence[Row], metric: str | None) -> Flagged | None:
    flagged = [row for row in scored if not GROSS.isdisjoint(row.faults)]
    rows = share(len(flagged), len(scored))
    if not flagged or rows is None or metric is None:
        return None
    return Flagged(
        rows=rows,
        rate_flagged=rate(metric, pooled(row.counts for row in flagged)),
        rate_unflagged=rate(
            metric, pooled(row.counts for row in scored if GROSS.isdisjoint(row.faults))
        ),
    )


def _whole_rate(metric: str, counts: Sequence[EditCounts | None]) -> float | None:
    """Return the pooled rate; None when one of the counts is missing: a rate over a part would mislead."""
    return None if None in counts else rate(metric, pooled(counts))


def _worst_case(rows: Sequence[Row], metric: str | None) -> float | None:
    if metric is None or not any(row.must_rerun for row in rows):
        return None
    return rate(metric, pooled(row.counts or row.if_deleted for row in rows))


def _answered(
    scored: Sequence[Row], missed: Collection[tuple[str, str]], metric: str | None
) -> float | None:
    answered = [row for row in scored if (row.dataset, row.utterance_id) not in missed]
    if metric is None or len(answered) == len(scored):
        return None
    return rate(metric, pooled(row.counts for row in answered))


def _speech_rate(rows: Iterable[Row]) -> float | None:
    """Return the characters a second of all speech that has a rate: long texts count for more."""
    rated = [(row.speech_chars_per_s, row.speech_s) for row in rows]
    known = [(rate, length) for rate, length in rated if rate is not None and length]
    seconds = sum(length for _, length in known)
    return round(sum(rate * length for rate, length in known) / seconds, 6) if seconds else None
