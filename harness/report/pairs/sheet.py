"""A table of pairs, scored: the document that `harness score --json` prints.

Counts add inside a cell (dataset × locale × model) and rates come from the sums; across locales there are only means
of rates. A pair without a rate stays, with its reason, and what was inserted where nothing was said is counted.

Knows pairs and scores; does not know files, runs or the terminal.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from harness.errors import UsageError
from harness.report.difference.difference import UNPOOLED
from harness.report.rows.kinship import block, recordings, test_sets
from harness.report.summary.breakdown import Utterance, breakdown
from harness.report.summary.certainty import basis
from harness.report.summary.confusions import confusions
from harness.report.summary.utterance_rates import silence, utterance_rates
from harness.score.edits import EditCounts
from harness.score.faults import faults
from harness.score.readability import readability, reading
from harness.score.score import (
    Judgement,
    Score,
    Unscored,
    judgement,
    profile_block,
    rate,
    score_text,
    total,
)
from harness.stats.intervals import rate_interval
from harness.stats.power import measured_difference
from harness.text.locales import LOCALES, canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from harness.report.pairs.pair import Pair
    from harness.report.rows.kinship import Block, Clip
    from harness.score.readability import Readability


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    pair: Pair
    locale: str
    """Canonical if it is known, else as the table writes it."""

    judgement: Judgement
    block: Block
    """What moves together with it."""

    @property
    def rate(self) -> float | None:
        return self.judgement.rate if isinstance(self.judgement, Score) else None


def sheet(
    pairs: Sequence[Pair],
    *,
    profile: str,
    metric: str,
    aligner: str = "minimal",
    details: bool = True,
) -> dict[str, Any]:
    """Return `rows`, `cells`, `totals` and `profile` of scored pairs; UsageError for an unknown profile or metric.

    Without `details` there are no alignments, flags and tables of errors: sooner, for where only rates are wanted.
    """
    # What was typed wrong is said before any pair is judged.
    for code in _known(pairs) or ["en-US"]:
        score_text("", "", code, profile=profile, metric=metric, aligner=aligner)
    cut = recordings((pair.audio, pair.offset_s) for pair in pairs if pair.audio)
    judged = [_judged(pair, profile, metric, aligner, cut) for pair in pairs]
    groups = _by_cell(judged)
    locales = sorted({one.locale for one in judged if isinstance(one.judgement, Score)})
    cells = []
    for key, group in groups.items():
        cell = _cell(*key, group)
        cells.append(cell | _details(group) if details else cell)
    return {
        "rows": [_row(one) | _evidence(one) if details else _row(one) for one in judged],
        "cells": cells,
        "totals": _totals(judged, groups),
        "profile": {
            **profile_block(profile, *locales, metric=metric),
            "aligner": aligner,
        },
    }


def _by_cell(judged: Iterable[_Judged]) -> dict[tuple[str, str, str], list[_Judged]]:
    """Return the pairs of each dataset, locale and model: locales by name, the others as first met."""
    found: dict[str, dict[str, dict[str, list[_Judged]]]] = {}
    models: dict[str, None] = {}
    for one in judged:
        locales = found.setdefault(one.pair.dataset, {})
        locales.setdefault(one.locale, {}).setdefault(one.pair.model, []).append(one)
        models.setdefault(one.pair.model)
    return {
        (dataset, locale, model): found[dataset][locale][model]
        for dataset in found
        for locale in sorted(found[dataset])
        for model in models
        if model in found[dataset][locale]
    }


def _known(pairs: Iterable[Pair]) -> list[str]:
    """Return the codes of the pairs' locales, those that are none left out."""
    codes: dict[str, None] = {}
    for locale in {pair.locale: None for pair in pairs}:
        with suppress(UsageError):
            codes[canonical(locale).code] = None
    return list(codes)


def _judged(pair: Pair, profile: str, metric: str, aligner: str, cut: Collection[str]) -> _Judged:
    """Return a pair's score; `cut` are the files that several pairs are from."""
    moves_with = block(
        speaker=pair.speaker,
        recording=pair.audio if pair.audio in cut else None,
        reference=pair.reference,
        utterance=pair.id,
    )
    locale, found = pair.locale, None
    try:
        locale = canonical(pair.locale).code
    except UsageError as error:
        found = Unscored(reason=error.what + (f"; {error.hint}" if error.hint else ""))
    if pair.reason:
        found = found or Unscored(reason=pair.reason)
    return _Judged(
        pair=pair,
        locale=locale,
        block=moves_with,
        judgement=found
        or judgement(
            pair.reference,
            pair.hypothesis,
            locale,
            profile=profile,
            metric=metric,
            aligner=aligner,
        ),
    )


def _row(one: _Judged) -> dict[str, Any]:
    pair, judged = one.pair, one.judgement
    row: dict[str, Any] = {
        "id": pair.id,
        "dataset": pair.dataset,
        "locale": one.locale,
        "model": pair.model,
        "speaker": pair.speaker,
        "line": pair.line,
        "metric": None,
        "hits": None,
        "substitutions": None,
        "deletions": None,
        "insertions": None,
        "reference_tokens": None,
        "rate": one.rate,
        "normalised_reference": None,
        "normalised_hypothesis": None,
    }
    if isinstance(judged, Score):
        row |= {"metric": judged.metric, **_counts(judged.counts)}
        row["normalised_reference"] = judged.normalised_reference
        row["normalised_hypothesis"] = judged.normalised_hypothesis
    if one.rate is None:
        row["reason"] = _reason(pair, judged)
    return row


def _evidence(one: _Judged) -> dict[str, Any]:
    """Return a row's alignment and flags."""
    if isinstance(one.judgement, Unscored):
        return {"alignment": None, "faults": []}
    return {
        "alignment": one.judgement.alignment,
        "faults": faults(one.judgement, audio_s=one.pair.duration_s),
    }


def _reason(pair: Pair, judged: Judgement) -> str:
    if isinstance(judged, Unscored):
        return judged.reason
    if pair.reference and pair.reference.strip():
        return f"the reference is empty under {judged.profile}"
    return "the reference is empty"


def _counts(counts: EditCounts) -> dict[str, int]:
    return {
        "hits": counts.hits,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
        "reference_tokens": counts.reference_tokens,
    }


def _scores(group: Iterable[_Judged]) -> list[Score]:
    return [one.judgement for one in group if isinstance(one.judgement, Score)]


def _cell(dataset: str, locale: str, model: str, group: Sequence[_Judged]) -> dict[str, Any]:
    scores = _scores(group)
    counts = total(score.counts for score in scores)
    metric = scores[0].metric if scores else None
    scored = sum(one.rate is not None for one in group)
    blocks = _blocks(group)
    interval = rate_interval(list(blocks.values())) if _is_ratio(metric) else None
    return {
        "dataset": dataset,
        "locale": locale,
        "model": model,
        "metric": metric,
        "utterances": len(group),
        "scored": scored,
        "failed": len(group) - scored,
        "errors": counts.errors,
        **_counts(counts),
        "rate": rate(metric, counts) if metric else None,
        "rate_low": interval.low if interval else None,
        "rate_high": interval.high if interval else None,
        "interval": basis(interval, blocks) if _is_ratio(metric) else None,
        "rate_norm1": rate(metric, _companion(scores, "norm-1")) if metric else None,
        "wer": _companion(scores, "WER").rate,
        "cer": _companion(scores, "CER").rate,
        "cerns": _companion(scores, "CERns").rate,
        "mer": counts.match_error_rate if scored else None,
        "detectable": measured_difference(list(blocks.values())) if interval else None,
        "utterance_rates": utterance_rates([score.counts for score in scores], metric)
        if metric
        else None,
        "silence": silence(
            [
                (one.judgement.counts, one.pair.duration_s)
                for one in group
                if isinstance(one.judgement, Score)
            ]
        ),
    }


def _details(group: Sequence[_Judged]) -> dict[str, Any]:
    """Return what a cell's errors are, and where they are."""
    judged = [
        (one.pair, one.judgement, one.block) for one in group if isinstance(one.judgement, Score)
    ]
    divided = breakdown(
        [
            Utterance(
                id=pair.id,
                locale=score.locale,
                reference=pair.reference or "",
                metric=score.metric,
                counts=score.counts,
                steps=score.alignment,
                speaker=pair.speaker,
                block=moves_with,
                audio_s=pair.duration_s,
                tags=pair.tags,
                snr_db=pair.snr_db,
            )
            for pair, score, moves_with in judged
        ]
    )
    return {
        "readability": reading(_readings(group)),
        "confusions": confusions((pair.id, score) for pair, score, _ in judged),
        **msgspec.structs.asdict(divided),
    }


def _readings(group: Iterable[_Judged]) -> Iterator[Readability]:
    for one in group:
        if isinstance(one.judgement, Score):
            found = readability(one.pair.reference or "", one.pair.hypothesis or "", one.locale)
            if found is not None:
                yield found


def _companion(scores: Iterable[Score], name: str) -> EditCounts:
    return total(score.companions[name] for score in scores)


def _is_ratio(metric: str | None) -> bool:
    """Return whether a metric is a ratio of errors to tokens of the reference."""
    return metric is not None and metric not in UNPOOLED


def _blocks(group: Iterable[_Judged]) -> dict[Block, tuple[int, int]]:
    """Return errors and tokens of what moves together, of the pairs that are scored."""
    blocks: dict[Block, tuple[int, int]] = {}
    for one in group:
        if isinstance(one.judgement, Score):
            counts = one.judgement.counts
            errors, tokens = blocks.get(one.block, (0, 0))
            blocks[one.block] = (errors + counts.errors, tokens + counts.reference_tokens)
    return blocks


def _totals(
    judged: Sequence[_Judged], groups: dict[tuple[str, str, str], list[_Judged]]
) -> dict[str, Any]:
    """Return summed counts, and `macros`: the means of each dataset's and model's cells.

    The same means stand beside the counts where there is one model; several are never averaged.
    """
    counts = total(score.counts for score in _scores(judged))
    metrics = {score.metric for score in _scores(judged)}
    scored = sum(one.rate is not None for one in judged)
    one_model = len({model for _, _, model in groups}) == 1
    sets = _test_sets(judged)
    return {
        "utterances": len(judged),
        "scored": scored,
        "failed": len(judged) - scored,
        "errors": counts.errors,
        **_counts(counts),
        **_means(groups if one_model else {}, metrics, sets),
        "macros": [
            {
                "dataset": dataset,
                "model": model,
                **_means(
                    {key: own for key, own in groups.items() if key[::2] == (dataset, model)},
                    metrics,
                    sets,
                ),
            }
            for dataset, model in dict.fromkeys(key[::2] for key in groups)
        ],
    }


_Place: TypeAlias = tuple[str, str]
"""Dataset and locale."""


def _test_sets(judged: Iterable[_Judged]) -> dict[_Place, _Place]:
    """Return for each dataset and locale the first that shares clips with it; without audio files, itself."""
    clips: dict[_Place, set[Clip]] = {}
    for one in judged:
        own = clips.setdefault((one.pair.dataset, one.locale), set())
        if one.pair.audio:
            own.add((one.pair.audio, one.pair.offset_s))
    return test_sets(clips)


class _Rates:
    """Rates of cells, to be averaged over a test set's cells, a locale's test sets, and locales."""

    def __init__(self, sets: Mapping[_Place, _Place]) -> None:
        self._sets = sets
        self._rates: dict[str, dict[_Place, list[float]]] = {}
        self._locales: set[str] = set()

    def add(self, place: _Place, rate: float | None) -> None:
        if rate is not None:
            first = self._sets[place]
            self._rates.setdefault(first[1], {}).setdefault(first, []).append(rate)
            self._locales.add(place[1])

    def told(self, name: str) -> dict[str, Any]:
        """Return the mean, the locales that it is over, and how many test sets these are."""
        means = [fmean(fmean(own) for own in sets.values()) for sets in self._rates.values()]
        return {
            name: fmean(means) if means else None,
            f"{name}_locales": sorted(self._locales),
            f"{name}_sets": sum(map(len, self._rates.values())),
        }


def _means(
    groups: Mapping[tuple[str, str, str], Sequence[_Judged]],
    metrics: set[str],
    sets: Mapping[_Place, _Place],
) -> dict[str, Any]:
    """Return means of cells' rates over locales, with the locales that they are over; a test set counts once.

    `macro_rate` is of the rate itself, where one metric of `metrics` counts all of them; `macro_wer` is over locales
    that are measured in words, `macro_cerns` over all of them. None: there is nothing to average.
    """
    own, words, characters = _Rates(sets), _Rates(sets), _Rates(sets)
    for (dataset, locale, _), group in groups.items():
        scores = _scores(group)
        place = (dataset, locale)
        if len(metrics) == 1 and scores:
            own.add(place, rate(scores[0].metric, total(score.counts for score in scores)))
        if locale in LOCALES and LOCALES[locale].metric == "WER":
            words.add(place, _companion(scores, "WER").rate)
        characters.add(place, _companion(scores, "CERns").rate)
    return {
        **own.told("macro_rate"),
        **words.told("macro_wer"),
        **characters.told("macro_cerns"),
    }
