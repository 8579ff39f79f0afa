"""What a run is to do, worked out before anything is asked of the service.

The plan's hash is the run's identity. It covers what is asked of the service and nothing else: the same questions put
with another concurrency, budget or folder, or judged against a mended reference, are the same run.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import platform
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.clock import utc_now
from harness.errors import InputError
from harness.run.identity import identity
from harness.run.record import Plan, PlannedDataset, PlannedUtterance
from harness.session.waits import QUIET_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.corpus.utterance import Dataset, Utterance
    from harness.run.folder import Slot
    from harness.run.record import Task
    from harness.trace.trace import Channel
    from harness.units import Seconds


def chosen(
    datasets: Sequence[Dataset], locales: Sequence[str] | None, limit: int | None, seed: int
) -> list[Utterance]:
    """Return the utterances to run: of `locales` (None: all), at most `limit` a locale and dataset, in dataset order.

    The choice depends on `seed` and the utterances' ids alone. InputError when nothing is left.
    """
    picked: list[Utterance] = []
    for dataset in datasets:
        by_locale: dict[str, list[Utterance]] = {}
        for utterance in dataset.utterances:
            if locales is None or utterance.locale in locales:
                by_locale.setdefault(utterance.locale, []).append(utterance)
        for locale, utterances in by_locale.items():
            if limit is None or len(utterances) <= limit:
                picked += utterances
                continue
            rng = random.Random(f"{seed}/{dataset.name}/{locale}")  # noqa: S311 - a repeatable choice, not a secret
            kept = set(rng.sample(sorted(u.id for u in utterances), limit))
            picked += [u for u in utterances if u.id in kept]
    if not picked:
        have = sorted({u.locale for dataset in datasets for u in dataset.utterances})
        raise InputError(
            "no utterance is selected",
            why=f"asked for: {', '.join(locales or ())}; the datasets hold {', '.join(have)}",
            hint="--language takes one of those; without it all of them are run",
        )
    return picked


def file_sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file's bytes, hex; None when it cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def make_plan(
    *,
    datasets: Sequence[Dataset],
    utterances: Sequence[Utterance],
    service: str,
    url: str | None,
    models: Sequence[str],
    setups: dict[str, dict[str, Any]],
    transcript: Channel,
    pace: float,
    chunk_ms: float,
    turns: str,
    repeats: int,
    seed: int,
    command: str,
    api_version: str | None = None,
    notes: Sequence[str] = (),
    task: Task = "transcribe",
    interrupt_after_s: Seconds | None = None,
    quiet_s: Seconds = QUIET_S,
) -> Plan:
    """Return the plan; reads every audio file once for its hash.

    `setups` are the setup messages without the model's resource name; `url` is the endpoint without a query, None for
    the service's own or an emulator that the run starts itself; `api_version` None is the service's usual one.
    """
    planned = [_planned(u) for u in utterances]
    used = {u.dataset for u in planned}
    plan = Plan(
        hash="",
        created_at=utc_now(),
        task=task,
        service=service,
        endpoint=url or service,
        api_version=api_version,
        models=list(models),
        setups=setups,
        transcript=transcript,
        interrupt_after_s=interrupt_after_s,
        pace=pace,
        quiet_s=quiet_s,
        chunk_ms=chunk_ms,
        turns=turns,
        repeats=repeats,
        seed=seed,
        datasets=[
            PlannedDataset(name=d.name, title=d.title, licence=d.licence, synthetic=d.synthetic)
            for d in datasets
            if d.name in used
        ],
        utterances=planned,
        command=command,
        versions=_versions(),
        environment=_environment(),
        notes=list(notes),
    )
    return msgspec.structs.replace(plan, hash=identity(plan))


def _planned(utterance: Utterance) -> PlannedUtterance:
    images = utterance.scenario.images if utterance.scenario else ()
    return PlannedUtterance(
        id=utterance.id,
        dataset=utterance.dataset,
        locale=utterance.locale,
        reference=utterance.reference,
        audio=str(utterance.audio) if utterance.audio else None,
        offset_s=utterance.offset_s,
        duration_s=utterance.duration_s,
        sha256=file_sha256(utterance.audio) if utterance.audio else None,
        speaker=utterance.speaker,
        tags=utterance.tags,
        scenario=utterance.scenario,
        images_sha256=tuple(file_sha256(Path(one)) for one in images),
    )


_SHAPING = (
    "live-harness",
    "jiwer",
    "librosa",
    "msgspec",
    "numpy",
    "pandas",
    "rapidfuzz",
    "soundfile",
    "soxr",
    "websockets",
)
"""Distributions whose version can change a figure."""


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    known = {"python": platform.python_version()}
    for name in _SHAPING:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            continue  # not installed as a distribution: nothing to state
    return known


def _environment() -> dict[str, str]:
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cores": str(os.cpu_count() or "unknown"),
        "python": platform.python_implementation(),
    }


def planned_length_s(utterance: PlannedUtterance) -> Seconds | None:
    """Return an utterance's length, s, from the manifest or the file's header; None when neither tells."""
    if utterance.duration_s is not None:
        return utterance.duration_s
    if utterance.audio is None:
        return None
    path = Path(utterance.audio)
    try:
        length = file_length_s(path, path.stat().st_mtime_ns)
    except (InputError, OSError):
        return None
    return None if length is None else max(0.0, length - utterance.offset_s)


@functools.cache
def file_length_s(path: Path, changed_ns: int) -> Seconds | None:  # noqa: ARG001 - a file that is changed is asked again
    """Return what the header of an audio file says of its length, s, asked once for all that ask; InputError."""
    from harness.audio.load import probe

    return probe(path).duration_s


def longest_first(plan: Plan, wanted: Iterable[Slot]) -> list[Slot]:
    """Return `wanted` so that long utterances do not begin when the others have ended; unknown lengths come first.

    Longest processing time first (R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969). All that is asked of
    one utterance stays together, so that its clip is prepared once; else the order is the plan's.
    """
    place = {
        (utterance.dataset, utterance.id): (
            -length if (length := planned_length_s(utterance)) is not None else -math.inf,
            number,
        )
        for number, utterance in enumerate(plan.utterances)
    }
    return sorted(wanted, key=lambda slot: place[slot[:2]])


def run_id(plan: Plan) -> str:
    """Return the run's default name: `YYYYMMDD-HHMMSS-<first 8 of the hash>`, in UTC."""
    day, clock = plan.created_at[:10].replace("-", ""), plan.created_at[11:19].replace(":", "")
    return f"{day}-{clock}-{plan.hash[:8]}"
