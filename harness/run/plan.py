"""What a run is to do, worked out before anything is asked of the service, and what that will cost.

The plan's hash is the run's identity. It covers what is asked of the service and nothing else: the same questions put
with another concurrency, budget or folder, or judged against a mended reference, are the same run.
"""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any

import msgspec

from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.corpus.utterance import Dataset, Utterance
    from harness.run.record import Plan, PlannedUtterance


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
            why=f"the datasets hold {', '.join(have) or 'no usable utterance'}",
            hint="harness datasets check NAME tells what is wrong with a dataset",
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


def plan_hash(
    *,
    task: str,
    models: Sequence[str],
    setups: dict[str, dict[str, Any]],
    transcript: str,
    pace: float,
    chunk_ms: float,
    turns: str,
    repeats: int,
    seed: int,
    utterances: Sequence[PlannedUtterance],
) -> str:
    """Return the SHA-256 over what is asked of the service, hex."""
    asked = {
        "task": task,
        "models": list(models),
        "setups": setups,
        "transcript": transcript,
        "pace": pace,
        "chunk_ms": chunk_ms,
        "turns": turns,
        "repeats": repeats,
        "seed": seed,
        "utterances": [
            [u.dataset, u.id, u.locale, u.sha256, u.offset_s, u.duration_s] for u in utterances
        ],
    }
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()


def run_id(plan: Plan) -> str:
    """Return the run's default name: `YYYYMMDD-HHMMSS-<first 8 of the hash>`, in UTC."""
    day, clock = plan.created_at[:10].replace("-", ""), plan.created_at[11:19].replace(":", "")
    return f"{day}-{clock}-{plan.hash[:8]}"
