"""Many rows pooled: cells, the models' standings, what went wrong, and whether our own client was on time.

Counts add and rates are derived from the sums; a rate is never averaged inside a cell. Across locales only a macro
average over complete cells is given, never a sum.
"""

from __future__ import annotations

from collections import Counter
from operator import eq, lt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from harness.report.rows.kinship import kinds
from harness.report.summary.document import (
    NOT_ATTEMPTED,
    Basis,
    Cell,
    Certificate,
    Flagged,
    Standing,
    Trouble,
)
from harness.report.summary.utterance_rates import share, silence, utterance_rates
from harness.score.readability import readability, reading
from harness.score.score import rate, total
from harness.stats.percentiles import percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from harness.report.rows.kinship import Block
    from harness.report.rows.row import Row
    from harness.report.summary.delays import Awaited
    from harness.report.summary.utterance_rates import Share
    from harness.run.certificate import Certificate as ProcessCertificate
    from harness.score.edits import EditCounts
    from harness.score.readability import Readability
    from harness.stats.intervals import Interval
    from harness.units import Seconds, Usd

T = TypeVar("T")


def cell_by_cell(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in the order of all tables: datasets as first met, locales by name, models as first met.

    Rows of one cell stay in theirs.
    """
    groups = _grouped(rows, lambda row: (row.dataset, row.locale, row.model))
    datasets, models = (
        {name: place for place, name in enumerate(dict.fromkeys(names))}
        for names in ((one[0].dataset for one in groups), (one[0].model for one in groups))
    )
    groups.sort(key=lambda one: (datasets[one[0].dataset], one[0].locale, models[one[0].model]))
    return [row for group in groups for row in group]


def cells(
    rows: Iterable[Row],
    *,
    profile: str,
    awaited: Awaited,
    interval: Callable[[Sequence[Row]], tuple[Interval | None, Basis] | None],
    detectable: Callable[[Sequence[Row]], float | None] = lambda _: None,
) -> list[Cell]:
    """Return a cell per dataset × model × locale, in the order they are first met.

    `awaited` is what the rows waited for first of all; `interval` gives the 95 % interval of the scored rows' pooled rate,
    if there is one, and what it rests on, or None; `detectable` the smallest difference of rates that they can show, or None.
    """
    every = list(rows)
    missed = {
        (row.dataset, row.utterance_id)
        for row in every
        if row.must_rerun or row.outcome in UNANSWERED
    }
    return [
        _cell(
            group,
            missed,
            profile=profile,
            awaited=awaited,
            interval=interval,
            detectable=detectable,
        )
        for group in _grouped(every, lambda row: (row.dataset, row.model, row.locale))
    ]


def _cell(
    rows: Sequence[Row],
    missed: Collection[tuple[str, str]],
    *,
    profile: str,
    awaited: Awaited,
    interval: Callable[[Sequence[Row]], tuple[Interval | None, Basis] | None],
    detectable: Callable[[Sequence[Row]], float | None],
) -> Cell:
    scored = [row for row in rows if row.counts is not None]
    counts = pooled(row.counts for row in scored)
    usages = [row.session for row in rows if row.session]
    ends, rests_on = (
        (interval(scored) or (None, None)) if scored and counts.reference_tokens else (None, None)
    )
    first = timed(row.first_text_s for row in _punctual(rows))
    final = timed(row.final_text_s for row in _punctual(rows))
    held = [row for row in rows if row.passed is not None]
    replied = timed(row.first_reply_s for row in _punctual(rows))
    silenced = timed(row.fell_silent_s for row in rows)
    audible = timed(row.first_audio_s for row in _punctual(rows))
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
        rate=rate(metric, counts) if metric else None,
        rate_low=ends.low if ends else None,
        rate_high=ends.high if ends else None,
        rate_norm1=_companion(scored, "norm-1", metric) if metric else None,
        wer=_companion(scored, "WER", "WER"),
        cer=_companion(scored, "CER", "CER"),
        cerns=_companion(scored, "CERns", "CERns"),
        mer=rate("MER", counts),
        audio_s=audio(rows),
        first_text_p50_s=percentile(first, 50),
        first_text_p95_s=percentile(first, 95),
        final_text_p50_s=percentile(final, 50),
        final_text_p95_s=percentile(final, 95),
        late_sessions=sum(row.late is True for row in rows),
        prompt_tokens=_billed(rows, lambda row: row.prompt_tokens),
        response_tokens=_billed(rows, lambda row: row.response_tokens),
        total_tokens=_billed(rows, lambda row: row.total_tokens),
        cost_usd=cost(rows),
        profile=profile,
        first_audio_p50_s=percentile(audible, 50),
        first_audio_p95_s=percentile(audible, 95),
        speech_s=_total(row.speech_s for row in rows),
        speech_chars_per_s=_speech_rate(rows),
        passed=sum(row.passed is True for row in held) if held else None,
        pass_rate=round(sum(row.passed is True for row in held) / len(held), 6) if held else None,
        first_reply_p50_s=percentile(replied, 50),
        first_reply_p95_s=percentile(replied, 95),
        tool_call_p50_s=percentile(timed(row.tool_call_s for row in _punctual(rows)), 50),
        fell_silent_p50_s=percentile(silenced, 50),
        fell_silent_p95_s=percentile(silenced, 95),
        ear=" + ".join(dict.fromkeys(row.ear for row in by_ear if row.ear)) or None,
        ear_scored=len(by_ear) if by_ear else None,
        ear_rate=rate(metric, pooled(row.ear_counts for row in by_ear)) if metric else None,
        thoughts_tokens=_known(row.thoughts_tokens for row in rows),
        cached_tokens=_known(row.cached_tokens for row in rows),
        tool_use_tokens=_known(row.tool_use_tokens for row in rows),
        test_set=rows[0].test_set,
        hits=counts.hits,
        substitutions=counts.substitutions,
        deletions=counts.deletions,
        insertions=counts.insertions,
        reference_tokens=counts.reference_tokens,
        speakers=len(speakers) if speakers and None not in speakers else None,
        timed=len(timed(getattr(row, awaited.column) for row in _punctual(rows))),
        outcomes=dict(Counter(row.outcome or NOT_ATTEMPTED for row in rows)),
        rate_if_failed_deleted=_worst_case(rows, metric),
        passing=_passing(rows),
        rate_answered=_answered(scored, missed, metric),
        detectable=detectable(scored) if scored else None,
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
        rate_sd_of_repeats=_deviation(
            [
                rate(metric, pooled(row.counts for row in group))
                for group in _grouped(scored, lambda row: (row.repeat,))
            ]
        )
        if metric
        else None,
        silence=silence([(row.counts, row.audio_s) for row in scored if row.counts]),
        prompt_by_modality=_by_modality(usage.prompt_by_modality for usage in usages),
        response_by_modality=_by_modality(usage.response_by_modality for usage in usages),
    )


UNANSWERED: Final = ("failed_server", "blocked")
"""Outcomes of the service's own making that brought no transcript."""

GROSS: Final = frozenset({"wrong_script", "wrong_language", "suspect_zh", "suspect_ja", "loop", "hallucination"})  # fmt: skip
"""Faults of a whole transcript."""


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


def basis(interval: Interval | None, blocks: Collection[Block]) -> Basis:
    """Return what an interval over these blocks, each once, rests on; None is “too few”."""
    method: Literal["bootstrap", "linearised", "too few"] = "too few"
    if interval is not None:
        method = "bootstrap" if interval.method == "bootstrap" else "linearised"
    return Basis(
        method=method,
        blocks=len(blocks),
        block=kinds(blocks),
        seed=interval.seed if interval else None,
    )


def standings(
    rows: Sequence[Row],
    cells: Sequence[Cell],
    *,
    awaited: Awaited,
    interval: Callable[[Sequence[Sequence[Row]]], tuple[float, float] | None],
) -> list[Standing]:
    """Return a standing per dataset × model: the lowest macro CERns of a dataset first, or the largest share passed.

    Incomplete ones are last. `awaited` is what the rows waited for first of all; `interval` gives the ends of the 95 %
    interval of the macro CERns of some test sets' scored rows, or None.
    """
    ranks = _mean_ranks(cells)
    found = []
    for group in _grouped(rows, lambda row: (row.dataset, row.model)):
        dataset, model = group[0].dataset, group[0].model
        own = [cell for cell in cells if (cell.dataset, cell.model) == (dataset, model)]
        ranked = [cell for cell in own if cell.complete and cell.rate is not None]
        first = timed(row.first_text_s for row in _punctual(group))
        final = timed(row.final_text_s for row in _punctual(group))
        audible = timed(row.first_audio_s for row in _punctual(group))
        replied = timed(row.first_reply_s for row in _punctual(group))
        usages = [row.session for row in group if row.session]
        characters = _by_test_set((cell.test_set, cell.cerns) for cell in ranked)
        words = [(cell.test_set, cell.rate) for cell in ranked if cell.metric == "WER"]
        macro = _mean(characters)
        ends = None if macro is None else interval(_strata(group, {cell.locale for cell in ranked}))
        found.append(
            Standing(
                dataset=dataset,
                model=model,
                locales=len(own),
                ranked_locales=len(ranked),
                test_sets=len(characters),
                word_locales=len(words),
                macro_cerns=macro,
                macro_cerns_low=ends[0] if ends else None,
                macro_cerns_high=ends[1] if ends else None,
                macro_cerns_sd=_deviation(characters),
                mean_rank=ranks.get((dataset, model)),
                worst_locale=max(
                    ((cell.cerns, cell.locale) for cell in ranked if cell.cerns is not None),
                    default=(None, None),
                )[1],
                macro_wer=_mean(_by_test_set(words)),
                passed=_passing(group),
                utterances=len(group),
                scored=sum(row.judged for row in group),
                failed=sum(row.must_rerun for row in group),
                first_text_p50_s=percentile(first, 50),
                first_text_p95_s=percentile(first, 95),
                final_text_p50_s=percentile(final, 50),
                final_text_p95_s=percentile(final, 95),
                first_audio_p50_s=percentile(audible, 50),
                first_audio_p95_s=percentile(audible, 95),
                first_reply_p50_s=percentile(replied, 50),
                first_reply_p95_s=percentile(replied, 95),
                timed=len(timed(getattr(row, awaited.column) for row in _punctual(group))),
                late_sessions=sum(row.late is True for row in group),
                audio_s=audio(group),
                prompt_tokens=_billed(group, lambda row: row.prompt_tokens),
                response_tokens=_billed(group, lambda row: row.response_tokens),
                total_tokens=_billed(group, lambda row: row.total_tokens),
                prompt_by_modality=_by_modality(usage.prompt_by_modality for usage in usages),
                response_by_modality=_by_modality(usage.response_by_modality for usage in usages),
                thoughts_tokens=_known(row.thoughts_tokens for row in group),
                cached_tokens=_known(row.cached_tokens for row in group),
                tool_use_tokens=_known(row.tool_use_tokens for row in group),
                cost_usd=cost(group),
            )
        )
    order = {name: place for place, name in enumerate(dict.fromkeys(row.dataset for row in rows))}
    return sorted(
        found,
        key=lambda standing: (
            order[standing.dataset],
            standing.failed > 0
            if standing.passed
            else standing.macro_cerns is None or standing.ranked_locales < standing.locales,
            -standing.passed.share if standing.passed else standing.macro_cerns or 0.0,
        ),
    )


def _strata(rows: Iterable[Row], locales: set[str]) -> list[list[Row]]:
    """Return the scored rows of each test set of some locales."""
    return _grouped(
        (row for row in rows if row.locale in locales and row.counts is not None),
        lambda row: (row.test_set,),
    )


def _passing(rows: Iterable[Row]) -> Share | None:
    held = [row.passed for row in rows if row.passed is not None]
    return share(sum(held), len(held))


def _by_test_set(rates: Iterable[tuple[str, float | None]]) -> list[float | None]:
    """Return the mean rate of each test set, of its cells' rates; None where one of them is missing."""
    sets: dict[str, list[float | None]] = {}
    for name, value in rates:
        sets.setdefault(name, []).append(value)
    return [_mean(own) for own in sets.values()]


def _mean_ranks(cells: Iterable[Cell]) -> dict[tuple[str, str], float]:
    """Return by dataset and model the mean of its places by CERns over the test sets that all its rivals completed."""
    found: dict[tuple[str, str], float] = {}
    for own in _grouped(cells, lambda cell: (cell.dataset,)):
        models = list(dict.fromkeys(cell.model for cell in own))
        places: dict[str, list[float]] = {model: [] for model in models}
        for rivals in _grouped(own, lambda cell: (cell.test_set,)):
            rates = {
                model: _mean([c.cerns if c.complete else None for c in rivals if c.model == model])
                for model in models
            }
            known = [value for value in rates.values() if value is not None]
            if 1 < len(known) == len(models):
                for model, value in zip(rates, known, strict=True):
                    below, equal = (sum(same(other, value) for other in known) for same in (lt, eq))
                    places[model].append(below + (equal + 1) / 2)
        found |= {(own[0].dataset, model): fmean(at) for model, at in places.items() if at}
    return found


def troubles(rows: Iterable[Row]) -> list[Trouble]:
    """Return what went wrong, by outcome and class, the commonest first."""
    found = []
    for group in _grouped(
        (row for row in rows if row.outcome != "ok" and row.passed is not True),
        lambda row: (row.outcome, row.session.failure if row.session else None),
    ):
        reasons = Counter(row.reason for row in group if row.reason)
        found.append(
            Trouble(
                outcome=group[0].outcome or NOT_ATTEMPTED,
                failure=group[0].session.failure if group[0].session else None,
                rows=len(group),
                counted=_counted(group[0]),
                reasons=dict(reasons.most_common(3)),
            )
        )
    return sorted(found, key=lambda trouble: -trouble.rows)


def _counted(row: Row) -> str:
    if row.refused:
        return "refused: has no rate"
    return "must be run again" if row.must_rerun else "scored as it is"


def certificate(rows: Iterable[Row], processes: list[ProcessCertificate]) -> Certificate:
    """Return whether our own client was on time, over all sessions, and what was seen of its processes."""
    measured = [row for row in rows if row.send_lag_p99_ms is not None]
    medians = timed(row.send_lag_p50_ms for row in measured)
    worst = timed(row.send_lag_p99_ms for row in measured)
    return Certificate(
        sessions=len(measured),
        late=sum(row.late is True for row in measured),
        lag_p50_ms=percentile(medians, 50),
        lag_p99_worst_ms=worst[-1] if worst else None,
        lag_max_ms=max(
            timed(row.session.send_lag_max_ms for row in measured if row.session), default=None
        ),
        processes=processes,
    )


def timed(values: Iterable[float | None]) -> list[float]:
    """Return the values that are there, ascending."""
    return sorted(value for value in values if value is not None)


def _grouped(of: Iterable[T], key: Callable[[T], tuple[Any, ...]]) -> list[list[T]]:
    groups: dict[tuple[Any, ...], list[T]] = {}
    for one in of:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())


def pooled(counts: Iterable[EditCounts | None]) -> EditCounts:
    """Return the sum of the counts that are there."""
    return total(count for count in counts if count is not None)


def _companion(scored: Sequence[Row], name: str, metric: str) -> float | None:
    """Return the pooled rate under another metric; None when a row lacks it: a rate over a part would mislead."""
    counts = [row.companions.get(name) for row in scored]
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


def _punctual(rows: Iterable[Row]) -> Iterable[Row]:
    """Return the rows whose latency is the service's: our own client was on time."""
    return (row for row in rows if row.late is False)


def audio(rows: Iterable[Row]) -> Seconds | None:
    """Return the audio that was sent; None when no clip was read."""
    return _total(row.audio_s for row in rows)


def _total(lengths: Iterable[Seconds | None]) -> Seconds | None:
    """Return the sum of what is there; None when nothing is."""
    known = [length for length in lengths if length is not None]
    return round(sum(known), 6) if known else None


def _known(counts: Iterable[int | None]) -> int | None:
    """Return the sum of what is there; None when nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _speech_rate(rows: Iterable[Row]) -> float | None:
    """Return the characters a second of all speech that has a rate: long texts count for more."""
    rated = [(row.speech_chars_per_s, row.speech_s) for row in rows]
    known = [(rate, length) for rate, length in rated if rate is not None and length]
    seconds = sum(length for _, length in known)
    return round(sum(rate * length for rate, length in known) / seconds, 6) if seconds else None


def _billed(rows: Sequence[Row], tokens: Callable[[Row], int | None]) -> int | None:
    """Return the rows' sum; None when a row that answered has none, or no row has any."""
    values = [tokens(row) for row in rows]
    if any(value is None and unbilled(row) for row, value in zip(rows, values, strict=True)):
        return None
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def cost(rows: Sequence[Row]) -> Usd | None:
    """Return the rows' sum; None when a row that answered, or that brought tokens, has no price."""
    if any(
        row.cost_usd is None and (unbilled(row) or row.total_tokens is not None) for row in rows
    ):
        return None
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    return round(sum(costs), 10) if costs else None


def unbilled(row: Row) -> bool:
    """Whether a row should have brought a bill: the service took its audio and answered."""
    return row.outcome in ("ok", "ok_empty", "partial", "blocked")


def _by_modality(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))


def _deviation(values: Sequence[float | None]) -> float | None:
    """Return the standard deviation; None of fewer than two, or when a value is missing."""
    known = [value for value in values if value is not None]
    return stdev(known) if len(known) > 1 and len(known) == len(values) else None


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the unweighted mean; None of nothing, or when a value is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
