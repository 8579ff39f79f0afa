"""`harness run --dry-run`: what a plan would take, and cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.run.estimate import Estimate
    from harness.run.rate import RateLimit
    from harness.run.record import Plan
    from harness.units import Usd

_INCOMPLETE: Final = 5
"""Exit code of a run that is not whole."""

TOLD: Final = 3
"""So many of the utterances that cannot be sent are named."""


def print_forecast(
    plan: Plan,
    concurrency: int,
    *,
    rate: RateLimit | None,
    budget: Usd | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Print what `plan` would take with `concurrency` sessions at once, and where `budget` would stop it.

    Return the exit code: that of a run in which every session fails, where nothing of the plan can be sent.
    """
    import dataclasses
    import json

    import msgspec

    from harness.cli.listing import print_facts
    from harness.run.estimate import estimate, unsendable
    from harness.stats.power import PLANNED_RATE, planned, planned_text
    from harness.units import count_text, duration_text, rough_text, usd_text
    from harness.wire.live.catalogue import AS_OF

    told = estimate(plan, concurrency, rate=rate, budget_usd=budget)
    # An answer passes or not: what differences of error rates can be shown is no question there.
    cells = [] if plan.task == "ask" else planned(_reference_lengths(plan))
    lost = list(unsendable(plan))
    nothing = len(lost) == len(plan.utterances)
    notes = [
        *plan.notes,
        *_lost_notes(plan, lost),
        *_credential_notes(plan),
        *_continued_notes(plan, out),
    ]
    if as_json:
        document = {
            "plan": plan.hash,
            "price_date": AS_OF,
            "notes": notes,
            **dataclasses.asdict(told),
            "detectable": {
                "rate": PLANNED_RATE,
                "level": 0.95,
                "power": 0.8,
                "cells": [msgspec.structs.asdict(cell) for cell in cells],
            },
        }
        click.echo(json.dumps(document, ensure_ascii=False))
        return _INCOMPLETE if nothing else 0
    if nothing:
        for note in notes:
            click.echo(f"note: {note}")
        click.echo("nothing was sent, and nothing can be: a run would fail in every session")
        return _INCOMPLETE
    locales = count_text(len({u.locale for u in plan.utterances}), "locale")
    selected = f"{count_text(len(plan.utterances), 'utterance')} in {locales}"
    unknown = f" ({told.unknown_lengths} of unknown length)" if told.unknown_lengths else ""
    wall = (
        f"about {rough_text(told.wall_s)}"
        if told.wall_s is not None
        else "not paced: as fast as the service takes it"
    )
    cost = (
        f"about {usd_text(told.cost_usd)}"
        if told.cost_usd is not None
        else "unknown: no price for a model"
    )
    ear = ", or as many as its recogniser hears" if plan.service == "emulator" else ""
    emulated = ", had it been Google's service" if plan.service == "emulator" else ""
    rows = [
        (
            "sessions",
            f"{told.sessions} = {selected} × {count_text(len(plan.models), 'model')} × {count_text(plan.repeats, 'repeat')}{unknown}",
        ),
        ("models", ", ".join(plan.models)),
        ("audio", duration_text(told.audio_s)),
        ("time", f"{wall}, {concurrency} sessions at once{ear}"),
        *_rate_rows(told),
        ("tokens", f"about {told.prompt_tokens:,} in, {told.response_tokens:,} out"),
        ("cost", f"{cost} at the prices of {AS_OF}{emulated}"),
        *_budget_rows(told, budget),
        *(("can show", line) for line in (planned_text(cells) if plan.task != "ask" else ())),
        ("service", plan.endpoint),
    ]
    print_facts(rows)
    for note in notes:
        click.echo(f"note: {note}")
    click.echo("nothing was sent")
    return 0


def _credential_notes(plan: Plan) -> Iterator[str]:
    """Yield which credentials a run would lack; a forecast needs none."""
    import os

    from harness.session.config import lacking

    if lack := lacking(plan.service, os.environ):
        yield f"before you run this: {lack.what}; {lack.hint}"


def _continued_notes(plan: Plan, out: Path | None) -> Iterator[str]:
    """Yield which unfinished run of the same plan would go on, and how much of it is left."""
    from harness.cli.sitting import REPORTS, mended_note, shown
    from harness.run.folder import iter_journal, unfinished
    from harness.run.runs import continued, mendable
    from harness.text.visible import visible
    from harness.units import count_text

    if found := continued(plan, out, REPORTS):
        folder, goes_on = found
        left = len(unfinished(goes_on, iter_journal(folder)))
        of = count_text(len(plan.utterances) * len(plan.models) * plan.repeats, "session")
        yield f"a run would continue in {visible(shown(folder))}, with {left} of {of} left"
    elif out is None and (other := mendable(plan, REPORTS)):
        yield visible(mended_note(other))


def _lost_notes(plan: Plan, lost: list[str]) -> Iterator[str]:
    """Yield which utterances no session can be asked for, the first few by name."""
    from harness.text.visible import visible
    from harness.units import count_text

    if faults := [visible(fault) for fault in lost]:
        more = f"; and {len(faults) - TOLD} more" if len(faults) > TOLD else ""
        yield (
            f"{len(faults)} of {count_text(len(plan.utterances), 'utterance')} cannot be sent: "
            f"{'; '.join(faults[:TOLD])}{more} (harness datasets check reads every file)"
        )


def _rate_rows(told: Estimate) -> Iterator[tuple[str, str]]:
    """Yield how long the rate makes the run."""
    from harness.units import rough_text

    if told.rate_s:
        yield "rate", f"the last session begins after {rough_text(told.rate_s)} at the soonest"


def _budget_rows(told: Estimate, budget: Usd | None) -> Iterator[tuple[str, str]]:
    """Yield where the budget stops the run."""
    if budget is None or told.affordable is None:
        return
    if told.affordable == told.sessions:
        yield "budget", f"${budget:g} covers all sessions"
    else:
        yield (
            "budget",
            f"${budget:g} stops it after about {told.affordable} of {told.sessions} sessions, the longest first",
        )


def _reference_lengths(plan: Plan) -> dict[tuple[str, str], list[int]]:
    """Return the references' lengths in tokens of each locale's own metric, by dataset and locale."""
    from harness.score.score import metric_of, tokens_of

    lengths: dict[tuple[str, str], list[int]] = {}
    for utterance in plan.utterances:
        tokens = tokens_of(metric_of(utterance.locale), utterance.locale)
        length = len(tokens(utterance.reference or ""))
        lengths.setdefault((utterance.dataset, utterance.locale), []).append(length)
    return lengths
