"""The models' standings in each dataset, the best first.

Across locales only a macro average over complete cells is given, never a sum.
"""

from __future__ import annotations

from operator import eq, lt
from statistics import fmean
from typing import TYPE_CHECKING

from harness.report.summary.certainty import macro_ends
from harness.report.summary.document import Standing
from harness.report.summary.pooling import (
    ascending,
    audio,
    billed,
    by_modality,
    cost,
    deviation,
    grouped,
    known_sum,
    mean,
    passing,
    punctual,
)
from harness.stats.percentiles import percentile

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from harness.report.rows.row import Row
    from harness.report.summary.delays import Awaited
    from harness.report.summary.document import Cell


def pooled_standings(
    rows: Sequence[Row], cells: Sequence[Cell], *, awaited: Awaited
) -> list[Standing]:
    """Return a standing per dataset × model: the lowest macro CERns of a dataset first, or the largest share passed.

    Incomplete ones are last. `awaited` is what the rows waited for first of all.
    """
    ranks = _mean_ranks(cells)
    found = []
    for group in grouped(rows, lambda row: (row.dataset, row.model)).values():
        dataset, model = group[0].dataset, group[0].model
        own = [cell for cell in cells if (cell.dataset, cell.model) == (dataset, model)]
        ranked = [cell for cell in own if cell.complete and cell.rate is not None]
        first = ascending(row.first_text_s for row in punctual(group))
        final = ascending(row.final_text_s for row in punctual(group))
        audible = ascending(row.first_audio_s for row in punctual(group))
        replied = ascending(row.first_reply_s for row in punctual(group))
        usages = [row.session for row in group if row.session]
        characters = _by_test_set((cell.test_set, cell.cerns) for cell in ranked)
        words = [(cell.test_set, cell.rate) for cell in ranked if cell.metric == "WER"]
        macro = mean(characters)
        ends = (
            None
            if macro is None
            else macro_ends(_test_sets(group, {cell.locale for cell in ranked}))
        )
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
                macro_cerns_sd=deviation(characters),
                mean_rank=ranks.get((dataset, model)),
                worst_locale=max(
                    ((cell.cerns, cell.locale) for cell in ranked if cell.cerns is not None),
                    default=(None, None),
                )[1],
                macro_wer=mean(_by_test_set(words)),
                passed=passing(group),
                utterances=len(group),
                scored=sum(row.judged for row in group),
                failed=sum(row.must_rerun for row in group),
                refused=sum(row.refused for row in group),
                first_text_p50_s=percentile(first, 50),
                first_text_p95_s=percentile(first, 95),
                final_text_p50_s=percentile(final, 50),
                final_text_p95_s=percentile(final, 95),
                first_audio_p50_s=percentile(audible, 50),
                first_audio_p95_s=percentile(audible, 95),
                first_reply_p50_s=percentile(replied, 50),
                first_reply_p95_s=percentile(replied, 95),
                timed=len(ascending(getattr(row, awaited.column) for row in punctual(group))),
                late_sessions=sum(row.late is True for row in group),
                audio_s=audio(group),
                prompt_tokens=billed(group, lambda row: row.prompt_tokens),
                response_tokens=billed(group, lambda row: row.response_tokens),
                total_tokens=billed(group, lambda row: row.total_tokens),
                prompt_by_modality=by_modality(usage.prompt_by_modality for usage in usages),
                response_by_modality=by_modality(usage.response_by_modality for usage in usages),
                thoughts_tokens=known_sum(row.thoughts_tokens for row in group),
                cached_tokens=known_sum(row.cached_tokens for row in group),
                tool_use_tokens=known_sum(row.tool_use_tokens for row in group),
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


def _test_sets(rows: Iterable[Row], locales: Container[str]) -> Iterable[list[Row]]:
    """Return the scored rows of each test set, of these locales alone."""
    scored = (row for row in rows if row.locale in locales and row.counts is not None)
    return grouped(scored, lambda row: row.test_set).values()


def _by_test_set(rates: Iterable[tuple[str, float | None]]) -> list[float | None]:
    """Return the mean rate of each test set, of its cells' rates; None where one of them is missing."""
    sets = grouped(rates, lambda one: one[0])
    return [mean([rate for _, rate in own]) for own in sets.values()]


def _mean_ranks(cells: Iterable[Cell]) -> dict[tuple[str, str], float]:
    """Return by dataset and model the mean of its places by CERns over the test sets that all its rivals completed."""
    found: dict[tuple[str, str], float] = {}
    for own in grouped(cells, lambda cell: cell.dataset).values():
        models = list(dict.fromkeys(cell.model for cell in own))
        places: dict[str, list[float]] = {model: [] for model in models}
        for rivals in grouped(own, lambda cell: cell.test_set).values():
            rates = {
                model: mean([c.cerns if c.complete else None for c in rivals if c.model == model])
                for model in models
            }
            known = [value for value in rates.values() if value is not None]
            if 1 < len(known) == len(models):
                for model, value in zip(rates, known, strict=True):
                    below, equal = (sum(same(other, value) for other in known) for same in (lt, eq))
                    places[model].append(below + (equal + 1) / 2)
        found |= {(own[0].dataset, model): fmean(at) for model, at in places.items() if at}
    return found
