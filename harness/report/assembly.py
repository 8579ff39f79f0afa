"""A run folder as a table: its rows and the document that sums them up, from its plan, journal and traces alone.

Writes nothing; what is made of a table is `build`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from harness.errors import InputError
from harness.report.rows.bounds import SpeechBook
from harness.report.rows.exhibits import Exhibits
from harness.report.rows.rows import rows
from harness.report.summary import conduct, mistakes, pooling, spread
from harness.report.summary.cells import cell_by_cell, pooled_cells
from harness.report.summary.delays import AWAITED
from harness.report.summary.document import DatasetFacts, Profile, Summary
from harness.report.summary.ranking import ranked
from harness.report.summary.retelling import retelling, told_again
from harness.report.summary.standings import pooled_standings
from harness.report.summary.streaming import settling, streamed_sessions, streaming, watched
from harness.report.tables.table import RunTable
from harness.report.words.ears import deaf_spots
from harness.report.words.provenance import labels
from harness.report.words.verdict import verdict
from harness.report.words.warnings import warnings
from harness.run.attempts import Slots, lacking
from harness.run.certificate import read_certificates
from harness.run.folder import losses
from harness.run.heard import read_heard
from harness.run.orphans import unended
from harness.score.score import profile_block
from harness.version import __version__
from harness.wire.live.catalogue import AS_OF, find

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.report.rows.row import Row
    from harness.report.summary.retelling import Retelling
    from harness.run.record import Plan, UtteranceRecord


def settled_table(
    folder: Path,
    plan: Plan,
    records: Sequence[UtteranceRecord],
    speech: SpeechBook,
    exhibits: Exhibits,
    *,
    profile: str,
    metric: str,
) -> RunTable:
    """Return the run in `folder` as a table, with how its transcripts grew where it was paced in real time."""
    heard = retelling(folder, plan, records)
    table = run_table(folder, plan, records, speech, profile=profile, metric=metric, heard=heard)
    if plan.pace != 1.0:
        return table
    sessions = watched(table.rows, exhibits, profile=profile)
    grown = structs.replace(
        table.summary, settling=settling(sessions), streaming=streaming(sessions)
    )
    return replace(table, summary=grown, streamed=streamed_sessions(sessions))


def run_table(
    folder: Path,
    plan: Plan,
    records: Sequence[UtteranceRecord],
    speech: SpeechBook,
    *,
    profile: str,
    metric: str,
    heard: Retelling | None = None,
) -> RunTable:
    """Return the run in `folder` as a table; nothing is written.

    `records` are its journal's, `heard` is what its traces said when they were asked again; None: they were not.
    """
    by_ear = read_heard(folder) if plan.task == "speak" else None
    places = Slots(plan, records)
    scored = list(rows(plan, records, places, speech, profile=profile, metric=metric, heard=by_ear))
    if not scored:
        raise InputError(f"{folder}: there is nothing to report", why="its plan is empty")
    refused = sum(records[place].failure == "quota" for its in places.again() for place in its[:-1])
    return RunTable(
        folder=folder,
        rows=scored,
        summary=run_summary(
            folder,
            plan,
            scored,
            foreign=places.foreign,
            refused=refused,
            lost=[*lacking(records), *losses(folder, records), *unended(records)],
            heard=heard,
            profile=profile,
            metric=metric,
        ),
    )


def run_summary(
    folder: Path,
    plan: Plan,
    scored: Sequence[Row],
    *,
    foreign: int,
    refused: int,
    lost: Sequence[str],
    heard: Retelling | None,
    profile: str,
    metric: str,
) -> Summary:
    """Return the document of rows that are scored; `foreign` records are not of the plan, `refused` ones were tried again.

    `lost` is what the folder lacks, `heard` what its traces said when they were asked again; None: they were not.
    """
    scored = cell_by_cell(scored)
    block = profile_block(profile, metric=metric)
    awaited = AWAITED[plan.task]
    cells = pooled_cells(scored, profile=block["id"], awaited=awaited[0])
    standings = ranked(pooled_standings(scored, cells, awaited=awaited[0]), cells, scored)
    datasets = _datasets(plan)
    spots = deaf_spots(scored)
    cost = pooling.cost(scored)
    attempts = sum(row.attempts for row in scored)
    begun = [row.session.started_at for row in scored if row.session]
    return Summary(
        run=folder.resolve().name,
        harness=__version__,
        plan_hash=plan.hash,
        created_at=plan.created_at,
        last_session_at=max(begun, default=None),
        service=plan.service,
        endpoints=sorted(
            {row.session.endpoint for row in scored if row.session and row.session.endpoint}
        ),
        task=plan.task,
        transcript=plan.transcript,
        pace=plan.pace,
        chunk_ms=plan.chunk_ms,
        turns=plan.turns,
        repeats=plan.repeats,
        seed=plan.seed,
        command=plan.command,
        versions=plan.versions,
        environment=plan.environment,
        setups=plan.setups,
        datasets=datasets,
        models=plan.models,
        locales=sorted({row.locale for row in scored}),
        profile=Profile(
            id=block["id"],
            metric=metric,
            code_sha256=block["code_sha256"],
            versions=block["versions"],
        ),
        prices_as_of=_prices_as_of(plan),
        labels=labels(scored, plan.task),
        verdict=verdict(plan, scored, standings, cost),
        warnings=warnings(
            plan,
            scored,
            cells,
            datasets,
            spots,
            foreign=foreign,
            refused=refused,
            lost=lost,
            heard=heard,
        ),
        deaf_spots=spots,
        sessions=len(scored),
        scored=sum(row.judged for row in scored),
        failed=sum(row.must_rerun for row in scored),
        attempts=attempts,
        refused=refused,
        retold=told_again(heard),
        audio_s=pooling.audio(scored) or 0.0,
        cost_usd=cost,
        certificate=conduct.certificate(scored, read_certificates(folder)),
        standings=standings,
        cells=cells,
        troubles=conduct.troubles(scored),
        latencies=spread.latencies(scored, awaited),
        buckets=spread.buckets(scored),
        mistakes=mistakes.mistakes(scored),
        breakdowns=mistakes.breakdowns(scored),
        flags=mistakes.flags(scored),
    )


def _datasets(plan: Plan) -> list[DatasetFacts]:
    found = []
    for dataset in plan.datasets:
        own = [utterance for utterance in plan.utterances if utterance.dataset == dataset.name]
        found.append(
            DatasetFacts(
                name=dataset.name,
                title=dataset.title,
                licence=dataset.licence,
                synthetic=dataset.synthetic,
                utterances=len(own),
                locales=sorted({utterance.locale for utterance in own}),
                spoken=any(utterance.audio for utterance in own),
            )
        )
    return found


def _prices_as_of(plan: Plan) -> str | None:
    """Return the date of the price book; None when it has a price of none of the plan's models."""
    priced = any(model.price for model in map(find, plan.models) if model)
    return AS_OF if priced else None
