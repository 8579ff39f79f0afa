"""Runs that may be compared: scored alike, or refused with the fields that differ.

Figures of two runs mean something side by side only if the same kind of service answered, and the same words were
counted in the same way. What forbids it can be overruled; then all runs are judged as the base is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from harness.errors import InputError
from harness.report.comparison.contrast import Obstacle
from harness.report.difference.pairing import adopted, by_key, overlap, require_overlap
from harness.report.tables.write import SUMMARY_JSON
from harness.run.folder import UNREADABLE, read_plan, whole
from harness.run.orphans import read_attempts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.report.tables.table import RunTable
    from harness.run.record import Plan

_SHOWN = 60
"""Characters of a differing text that a refusal quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs that may be compared: scored alike, with what was overruled to get there."""

    base: RunTable
    base_plan: Plan
    news: Sequence[tuple[RunTable, Plan]]
    profile: str
    metric: str
    forced: Sequence[Obstacle]


def open_runs(
    base: Path,
    news: Sequence[Path],
    *,
    profile: str | None = None,
    metric: str | None = None,
    force: bool = False,
) -> Runs:
    """Return the runs in these folders, scored alike: as asked for, else as the base was last reported.

    InputError names every field that makes them incomparable, unless `force`; without a common utterance even then.
    UsageError names an unknown profile or metric.
    """
    from harness.score.score import metric_of
    from harness.text.normalise import strict_profile

    ours = read_plan(base)
    theirs = [(folder, read_plan(folder)) for folder in news]
    names = [folder.resolve().name for folder in news]
    for name, (_, plan) in zip(names, theirs, strict=True):
        require_overlap(name, ours, plan)
    obstacles = [
        *_profile_obstacles(base, list(zip(names, news, strict=True)), profile, metric),
        *(
            obstacle
            for name, (_, plan) in zip(names, theirs, strict=True)
            for obstacle in plan_obstacles(name, ours, plan)
        ),
    ]
    if obstacles and not force:
        raise _refusal(obstacles)
    reported = reported_profile(base) or ("norm-1n", "auto")
    profile, metric = profile or reported[0], metric or reported[1]
    # What was typed wrong is said before anything is scored.
    strict_profile(profile)
    metric_of("en-US", metric)
    table = _judged(base, ours, profile, metric)
    tables = []
    for name, (folder, plan) in zip(names, theirs, strict=True):
        alike = adopted(plan, ours)
        new = _judged(folder, alike, profile, metric)
        tables.append((new, alike))
        obstacles += answer_obstacles(name, table, new)
    if obstacles and not force:
        raise _refusal(obstacles)
    return Runs(
        base=table, base_plan=ours, news=tables, profile=profile, metric=metric, forced=obstacles
    )


def baseline_table(
    folder: Path, table: RunTable, plan: Plan, *, profile: str, metric: str
) -> RunTable:
    """Return the run in `folder`, scored as `table` was, for a gate on `table` to compare with.

    InputError as `open_runs`.
    """
    require_comparable_plans(folder, plan, table.folder.resolve().name)
    alike = adopted(read_plan(folder), plan)
    baseline = _judged(folder, alike, profile, metric)
    obstacles = answer_obstacles(table.folder.resolve().name, baseline, table)
    if obstacles:
        raise _refusal(obstacles, forceable=False)
    return baseline


def _judged(folder: Path, plan: Plan, profile: str, metric: str) -> RunTable:
    from harness.report.assembly import run_table
    from harness.report.rows.bounds import SpeechBook

    records = read_attempts(folder)
    return run_table(folder, plan, records, SpeechBook(folder), profile=profile, metric=metric)


def require_comparable_plans(folder: Path, plan: Plan, name: str) -> None:
    """Raise the InputError that says why a run of `plan` cannot be compared with the one in `folder`, if so."""
    base = read_plan(folder)
    require_overlap(name, base, plan)
    obstacles = plan_obstacles(name, base, plan)
    if obstacles:
        raise _refusal(obstacles, forceable=False)


def _profile_obstacles(
    base: Path, news: Sequence[tuple[str, Path]], profile: str | None, metric: str | None
) -> list[Obstacle]:
    """Return where the runs' reports were written under other profiles or metrics, and none was asked for."""
    ours = reported_profile(base)
    found = []
    for name, folder in news:
        theirs = reported_profile(folder)
        if not ours or not theirs:
            continue
        for field, asked, a, b in zip(
            ("profile", "metric"), (profile, metric), ours, theirs, strict=True
        ):
            if asked is None and a != b:
                found.append(Obstacle(run=name, field=field, base=a, new=b))
    return found


def _refusal(obstacles: Sequence[Obstacle], *, forceable: bool = True) -> InputError:
    fields = list(dict.fromkeys(obstacle.field for obstacle in obstacles))
    hints = (
        ["--force compares them all the same, judged as the base is, and says so first"]
        if forceable
        else ["name another baseline"]
    )
    for field in ("profile", "metric"):
        if field in fields:
            value = next(obstacle.base for obstacle in obstacles if obstacle.field == field)
            hints.insert(0, f"--{field} {value} scores all of them by it")
    return InputError(
        f"these runs are not comparable: {', '.join(fields)} {'differs' if len(fields) == 1 else 'differ'}",
        why="; ".join(obstacle.text for obstacle in obstacles),
        hint="; or ".join(hints),
    )


def plan_obstacles(name: str, base: Plan, new: Plan) -> list[Obstacle]:
    """Return what the plans say against comparing them."""
    found = []
    if base.task != new.task:
        found.append(Obstacle(run=name, field="task", base=base.task, new=new.task))
    ours, theirs = by_key(base), by_key(new)
    common, _ = overlap(base, new)
    for field in ("reference", "locale"):
        other = [key for key in common if getattr(ours[key], field) != getattr(theirs[key], field)]
        if other:
            first = other[0]
            found.append(
                Obstacle(
                    run=name,
                    field=field,
                    base=f"{_quoted(getattr(ours[first], field))} for {first[1]}",
                    new=_quoted(getattr(theirs[first], field)),
                    count=len(other),
                )
            )
    return found


def answer_obstacles(name: str, base: RunTable, new: RunTable) -> list[Obstacle]:
    """Return what speaks against comparing runs by who answered: an emulator is no service."""
    ours, theirs = answered_by(base), answered_by(new)
    if set(ours) == set(theirs) or not ours or not theirs:
        return []
    return [
        Obstacle(
            run=name,
            field="service",
            base=", ".join(ours.values()),
            new=", ".join(theirs.values()),
        )
    ]


def answered_by(table: RunTable) -> dict[str, str]:
    """Return who answered, by kind (`emulated`, `scripted`, `other`, `google`), each as reports label it."""
    from harness.report.words.provenance import labels

    found: dict[str, str] = {}
    labelled = labels(table.rows, table.summary.task)
    for label in labelled:
        found[label.kind] = (
            f"{found[label.kind]}, {label.text}" if label.kind in found else label.text
        )
    answered = sum(
        row.session is not None and row.session.endpoint is not None for row in table.rows
    )
    if answered > sum(label.sessions for label in labelled):
        found["google"] = "Google's service"
    return found


class _ReportedProfile(msgspec.Struct):
    id: str
    metric: str


class _Reported(msgspec.Struct):
    profile: _ReportedProfile


def reported_profile(folder: Path) -> tuple[str, str] | None:
    """Return the text profile and metric that a run's report was written under; None: it has no readable report."""
    try:
        document = msgspec.json.decode(whole(folder / SUMMARY_JSON), type=_Reported)
    except (OSError, InputError, *UNREADABLE):
        return None
    # Libraries that were absent then are told in the id; both runs are scored again with those that are here now.
    name = document.profile.id.removeprefix("glt-").partition("-without-")[0]
    return name, document.profile.metric


def _quoted(text: str | None) -> str:
    if text is None:
        return "nothing"
    return f"“{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}”"
