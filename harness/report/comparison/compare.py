"""`comparison`: a base run and others, paired utterance by utterance, with a verdict that luck does not earn.

Every run is scored anew from its journal, under one text profile and the base's references. A verdict rests on the
paired permutation test over blocks (speakers), Holm-adjusted over the rows of one pair of models; a macro difference is
one claim and stands by itself.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Final

from harness.report.comparison.comparable import answered_by
from harness.report.comparison.contrast import (
    PASSED,
    Bill,
    CellDifference,
    Comparison,
    Contrast,
    Delay,
    MacroDifference,
    Moved,
    Side,
)
from harness.report.comparison.plan_changes import plan_changes
from harness.report.difference.difference import UNPOOLED, difference, errors, ratio_blocks, timed
from harness.report.difference.pairing import by_test_set, model_pairs, overlap, paired
from harness.report.difference.verdict import (
    LEVEL,
    Better,
    RateDifference,
    judged,
    macro_difference,
    rate_difference,
    silence,
)
from harness.report.summary.delays import AWAITED
from harness.score.score import profile_block
from harness.stats.intervals import percentile_interval
from harness.stats.significance import benjamini_hochberg, holm, mapsswe, segments
from harness.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.report.comparison.comparable import Runs
    from harness.report.difference.pairing import Key, ModelPair, Pair
    from harness.report.rows.diff import Piece
    from harness.report.rows.row import Row
    from harness.report.summary.delays import Awaited
    from harness.report.tables.table import RunTable
    from harness.run.record import Plan

Place = tuple[str, str]
"""Dataset and locale."""

MOST_MOVED: Final = 50
"""Utterances that the document shows in full."""


def comparison(
    runs: Runs, *, models: ModelPair | None = None, margin: float | None = None
) -> Comparison:
    """Return the document; `models` picks one model of each run, `margin` (a ratio) is what “no worse” allows.

    UsageError or InputError when there is no such model, or none that the runs share.
    """
    block = profile_block(runs.profile)
    return Comparison(
        forced=list(runs.forced),
        harness=__version__,
        profile=block["id"],
        code_sha256=block["code_sha256"],
        metric=runs.metric,
        margin=margin,
        level=LEVEL,
        base=_side(runs.base, runs.base_plan),
        contrasts=[
            _contrast(runs, new, plan, models=models, margin=margin) for new, plan in runs.news
        ],
    )


def _contrast(
    runs: Runs, new: RunTable, plan: Plan, *, models: ModelPair | None, margin: float | None
) -> Contrast:
    keys, counts = overlap(runs.base_plan, plan)
    pairs_of_models = model_pairs(new.folder.resolve().name, runs.base_plan, plan, models)
    macros: list[MacroDifference] = []
    cells: list[CellDifference] = []
    moved: list[Moved] = []
    late = 0
    for pair_of_models in pairs_of_models:
        by_cell = _by_cell(paired(keys, runs.base.rows, new.rows, pair_of_models))
        own = _cells(by_cell.values(), margin, delay_to=AWAITED[plan.task][0])
        cells += own
        macros += _macros(by_cell, own, margin)
        moved += [one for pairs in by_cell.values() for one in _moved(pairs)]
        late += sum(map(_sent_late, chain.from_iterable(by_cell.values())))
    return Contrast(
        new=_side(new, plan),
        utterances=counts,
        changes=plan_changes(runs.base_plan, plan, pairs_of_models),
        notes=[
            *_same_run(runs.base, new, pairs_of_models),
            *_notes(cells, runs.base_plan, keys, late=late, asked=plan.task == "ask"),
        ],
        macros=macros,
        cells=cells,
        moved=sorted(moved, key=lambda one: -abs(one.share))[:MOST_MOVED],
    )


# ── Cells ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _by_cell(pairs: Iterable[Pair]) -> dict[Place, list[Pair]]:
    """Return the pairs of each cell: datasets as first met, locales by name, as a report's tables have them."""
    found: dict[str, dict[str, list[Pair]]] = {}
    for pair in pairs:
        first = pair.base[0]
        found.setdefault(first.dataset, {}).setdefault(first.locale, []).append(pair)
    return {
        (dataset, locale): locales[locale]
        for dataset, locales in found.items()
        for locale in sorted(locales)
    }


def _cells(
    groups: Iterable[Sequence[Pair]],
    margin: float | None,
    *,
    delay_to: Awaited = AWAITED["transcribe"][0],
) -> list[CellDifference]:
    """Return a row per cell of one pair of models, verdicts holding for all of them together."""
    found = [(group, _cell_difference(group, margin)) for group in groups]
    family = [one for _, one in found if one.p is not None]
    p_values = [one.p or 0.0 for one in family]
    adjusted = dict(
        zip(
            map(id, family),
            zip(holm(p_values), benjamini_hochberg(p_values), strict=True),
            strict=True,
        )
    )
    return [
        _cell(
            group,
            judged(one, *adjusted[id(one)], margin=margin) if id(one) in adjusted else one,
            delay_to=delay_to,
        )
        for group, one in found
    ]


def _cell_difference(pairs: Sequence[Pair], margin: float | None) -> RateDifference:
    metric = _metric(pairs)
    better: Better = "higher" if metric == PASSED else "lower"
    blocks, _ = ratio_blocks(pairs, _column(metric))
    failed = [sum(row.must_rerun for row in _rows(pairs, side)) for side in ("base", "new")]
    if metric in UNPOOLED:
        return silence(len(blocks), f"{metric} has no paired test")
    found = rate_difference(blocks, margin=margin, better=better)
    if not any(failed):
        return found
    why = (
        f"incomplete: {failed[0]:,} of the base and {failed[1]:,} of the new run must be run again"
    )
    return silence(len(blocks), why, base=found.base_rate, new=found.new_rate, better=better)


def _cell(pairs: Sequence[Pair], found: RateDifference, *, delay_to: Awaited) -> CellDifference:
    first = pairs[0]
    both = [
        (base, new)
        for pair in pairs
        if (base := errors(pair.base)) is not None and (new := errors(pair.new)) is not None
    ]
    return CellDifference(
        **{name: getattr(found, name) for name in RateDifference.__struct_fields__},
        dataset=first.base[0].dataset,
        locale=first.base[0].locale,
        base_model=first.base[0].model,
        new_model=first.new[0].model,
        metric=_metric(pairs),
        utterances=len(pairs),
        pairs=len(both),
        base_failed=sum(row.must_rerun for row in _rows(pairs, "base")),
        new_failed=sum(row.must_rerun for row in _rows(pairs, "new")),
        speakers_known=all(pair.block[0] == "speaker" for pair in pairs),
        improved=sum(new < base for base, new in both),
        worsened=sum(new > base for base, new in both),
        mapsswe_p=_mapsswe(pairs),
        delay=_delay(pairs, delay_to),
        bill=_bill(pairs),
    )


def _metric(pairs: Sequence[Pair]) -> str | None:
    rows = [row for pair in pairs for row in pair.base]
    if any(row.passed is not None for row in rows):
        return PASSED
    return next((row.metric for row in rows if row.metric), None)


def _column(metric: str | None) -> str:
    """Return the column that holds a metric's rate."""
    return "pass_rate" if metric == PASSED else "rate"


def _rows(pairs: Iterable[Pair], side: str) -> Iterable[Row]:
    return (row for pair in pairs for row in getattr(pair, side))


def _mapsswe(pairs: Sequence[Pair]) -> float | None:
    if _metric(pairs) != "WER" or any(len(pair.base) + len(pair.new) != 2 for pair in pairs):
        return None
    found = [
        length
        for pair in pairs
        if pair.base[0].counts and pair.new[0].counts
        for length in segments(operations(pair.new[0].diff), operations(pair.base[0].diff))
    ]
    without_spread = len(set(found)) == 1 and any(found)
    if len(found) < 2 or without_spread:  # Z has no value then; NIST's tool prints 0
        return None
    return mapsswe(found).p


def operations(diff: Iterable[Piece]) -> str:
    """Return an alignment of words as runs of operations: `=4S1D1`."""
    return "".join(f"{op}{len(said.split()) if op == '=' and said else 1}" for op, said, _ in diff)


def _delay(pairs: Sequence[Pair], to: Awaited) -> Delay | None:
    p50 = difference(pairs, f"{to.name}_p50_s", tested=False)
    p95 = difference(pairs, f"{to.name}_p95_s", tested=False)
    if p50 is None:
        return None
    shifts = [median(new) - median(base) for _, base, new in timed(pairs, to.column)]
    ends = percentile_interval(shifts, 0.5)
    return Delay(
        of=to.words,
        n=p50.n,
        base_p50_s=p50.base,
        new_p50_s=p50.new,
        p50_difference_s=_rounded(p50.change),
        base_p95_s=p95.base if p95 else None,
        new_p95_s=p95.new if p95 else None,
        p95_difference_s=_rounded(p95.change) if p95 else None,
        shift_s=_rounded(median(shifts)),
        shift_low_s=_rounded(ends.low) if ends else None,
        shift_high_s=_rounded(ends.high) if ends else None,
    )


def _bill(pairs: Sequence[Pair]) -> Bill:
    tokens = difference(pairs, "total_tokens", tested=False)
    cost = difference(pairs, "cost_usd", tested=False)
    return Bill(
        base_tokens=tokens.base if tokens else None,
        new_tokens=tokens.new if tokens else None,
        base_cost_usd=_cents(cost.base) if cost else None,
        new_cost_usd=_cents(cost.new) if cost else None,
    )


def _cents(usd: float) -> float:
    """Return an amount as the tables hold it."""
    return round(usd, 10)


def _rounded(seconds: float) -> float:
    """Return `seconds` to the millionth, as the tables hold them."""
    return round(seconds, 6)


# ── Across locales ───────────────────────────────────────────────────────────────────────────────────────────────────


def _macros(
    by_cell: Mapping[Place, Sequence[Pair]], cells: Sequence[CellDifference], margin: float | None
) -> list[MacroDifference]:
    """Return the macro differences of every dataset: CERns over its complete locales, and each other metric over its own."""
    found = []
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        whole = [
            cell
            for cell in cells
            if cell.dataset == dataset and cell.pairs and not (cell.base_failed or cell.new_failed)
        ]
        others = {
            cell.metric: _column(cell.metric)
            for cell in whole
            if cell.metric and cell.metric != "CERns"
        }
        for metric, column in {"CERns": "cerns", **others}.items():
            own = [cell.locale for cell in whole if metric in ("CERns", cell.metric)]
            pairs = {locale: by_cell[dataset, locale] for locale in own}
            rated = [
                locale
                for locale in own
                if sum(block[2] for block in ratio_blocks(pairs[locale], column)[0])
            ]
            if not rated or metric in UNPOOLED:
                continue
            sets = by_test_set(pair for locale in rated for pair in pairs[locale])
            told = macro_difference(
                [ratio_blocks(one, column)[0] for one in sets],
                margin=margin,
                better="higher" if metric == PASSED else "lower",
            )
            found.append(
                MacroDifference(
                    **{name: getattr(told, name) for name in RateDifference.__struct_fields__},
                    dataset=dataset,
                    base_model=cells[0].base_model,
                    new_model=cells[0].new_model,
                    metric=metric,
                    locales=rated,
                )
            )
    return found


# ── What the reader sees beside the figures ──────────────────────────────────────────────────────────────────────────


def _moved(pairs: Sequence[Pair]) -> list[Moved]:
    """Return the utterances of one cell whose errors, or whose answer's verdict, changed."""
    found = []
    metric = _metric(pairs)
    lengths = [1 if metric == PASSED else pair.base[0].reference_tokens or 0 for pair in pairs]
    tokens = sum(lengths)
    for pair, length in zip(pairs, lengths, strict=True):
        base, new = errors(pair.base), errors(pair.new)
        if base is None or new is None or base == new:
            continue
        ours, theirs = (next(row for row in side if row.judged) for side in (pair.base, pair.new))
        found.append(
            Moved(
                dataset=ours.dataset,
                utterance_id=ours.utterance_id,
                locale=ours.locale,
                base_model=ours.model,
                new_model=theirs.model,
                metric=metric,
                reference=ours.reference,
                base_hypothesis=ours.hypothesis,
                new_hypothesis=theirs.hypothesis,
                base_errors=base,
                new_errors=new,
                reference_tokens=length,
                share=(new - base) / max(1, tokens),
                repeats=max(len(pair.base), len(pair.new)),
                base_diff=ours.diff,
                new_diff=theirs.diff,
            )
        )
    return found


def _sent_late(pair: Pair) -> bool:
    """Return whether a run has no session of the utterance that our client sent on time, and one that it sent late."""
    return any({row.late for row in side} - {None} == {True} for side in (pair.base, pair.new))


def _side(table: RunTable, plan: Plan) -> Side:
    return Side(
        run=table.folder.resolve().name,
        plan_hash=plan.hash,
        created_at=plan.created_at,
        command=plan.command,
        models=plan.models,
        answered_by=answered_by(table),
        sessions=table.summary.sessions,
        failed=table.summary.failed,
    )


def _same_run(base: RunTable, new: RunTable, models: Iterable[ModelPair]) -> Iterator[str]:
    """Yield what the reader of a comparison of the same sessions must know; two models of one run are none."""
    if base.folder.resolve() == new.folder.resolve() and all(
        ours == theirs for ours, theirs in models
    ):
        yield "This is one run on both sides: a comparison with itself shows nothing."


def _notes(
    cells: Sequence[CellDifference], plan: Plan, keys: Iterable[Key], *, late: int, asked: bool
) -> list[str]:
    """Return what the reader must know before believing a figure; `late` utterances a client of ours sent late."""
    found = []
    incomplete = [cell.locale for cell in cells if cell.base_failed or cell.new_failed]
    if incomplete:
        found.append(
            f"{len(incomplete):,} of {len(cells):,} rows are incomplete ({', '.join(incomplete)}): sessions of them "
            "must be run again, so they have no verdict and are in no macro rate. The same command continues a run."
        )
    nameless = [cell.locale for cell in cells if not cell.speakers_known]
    if nameless:
        found.append(
            f"Speakers are unknown in {', '.join(dict.fromkeys(nameless))}: recordings or "
            "sentences stand for them, and the intervals are lower bounds."
        )
    used = Counter(dataset for dataset, _ in keys)
    found += [
        f"{dataset.name}: synthetic speech. Its figures say little about people."
        for dataset in plan.datasets
        if dataset.synthetic and used[dataset.name]
    ]
    if (plan.pace != 1.0 and not asked) or not any(cell.delay for cell in cells):
        left_out = (
            f" ({late:,} are left out, since our client sent them late in the one or the other)"
            if late
            else ""
        )
        found.append(
            f"Latency is not compared: no utterance was timed at real-time pace in both runs{left_out}."
        )
    return found
