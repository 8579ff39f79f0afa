"""Two runs side by side: which utterances both hold, and which models are paired.

An utterance is common when dataset, id, and content (SHA-256 of the audio file, and where in it) are the same. The new
run is judged as the base is: by its references, locales and speakers, so that both rates have one denominator.

Knows plans and rows; does not know rates or tests (that is `difference`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from harness.errors import InputError, UsageError, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.rows.kinship import Block
    from harness.report.rows.row import Row
    from harness.run.record import Plan, PlannedUtterance

Key = tuple[str, str]
"""Dataset and utterance id."""

ModelPair = tuple[str, str]
"""The base's model, the new run's model."""


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """How far the selections of two runs overlap, in utterances."""

    common: int
    base_only: int
    new_only: int
    other_audio: int
    """Same dataset and id, other bytes or another span of the file: not common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One utterance as two runs heard it: the rows of one model each, all repeats."""

    base: tuple[Row, ...]
    new: tuple[Row, ...]

    @property
    def block(self) -> Block:
        """What moves together with it."""
        return self.base[0].block


def overlap(base: Plan, new: Plan) -> tuple[list[Key], Common]:
    """Return the common utterances in the base's order, and how far the selections overlap."""
    theirs = by_key(new)
    shared = [key for key in by_key(base) if key in theirs]
    ours = by_key(base)
    common = [key for key in shared if _content(ours[key]) == _content(theirs[key])]
    return common, Common(
        common=len(common),
        base_only=len(ours) - len(shared),
        new_only=len(theirs) - len(shared),
        other_audio=len(shared) - len(common),
    )


def require_overlap(name: str, base: Plan, new: Plan) -> None:
    """Raise the InputError that says why no utterance is common; return when one is."""
    common, counts = overlap(base, new)
    if common:
        return
    ours, theirs = _datasets(base), _datasets(new)
    if counts.other_audio:
        field = "sha256"
        why = f"{counts.other_audio:,} have the same id, but other audio (sha256, offset_s)"
    else:
        field = "utterances" if set(ours) & set(theirs) else "datasets"
        why = f"{field}: the base has {_listed(ours)}, {name} has {_listed(theirs)}"
    raise InputError(
        f"no utterance is common to the base and {name}: {field} differ",
        why=why,
        hint="compare runs over the same dataset; --limit chooses the same utterances for the same --seed",
    )


def adopted(new: Plan, base: Plan) -> Plan:
    """Return `new` with its common utterances judged as the base's: reference, locale, speaker and annotations."""
    ours, theirs = by_key(base), by_key(new)
    common = set(overlap(base, new)[0])
    return msgspec.structs.replace(
        new,
        utterances=[
            msgspec.structs.replace(
                utterance,
                reference=ours[key].reference,
                locale=ours[key].locale,
                speaker=ours[key].speaker,
                tags=ours[key].tags,
            )
            if key in common
            else utterance
            for key, utterance in theirs.items()
        ],
    )


def model_pairs(name: str, base: Plan, new: Plan, asked: ModelPair | None) -> list[ModelPair]:
    """Return which models are compared: those asked for, the only ones, else those of the same id.

    UsageError names a model that a run lacks; InputError when the runs share none.
    """
    if asked is not None:
        for model, plan, run in ((asked[0], base, "the base"), (asked[1], new, name)):
            if model not in plan.models:
                raise UsageError(
                    f"{run} has no model {model!r}",
                    hint=suggestion(model, plan.models) or f"it has {', '.join(plan.models)}",
                )
        return [asked]
    if len(base.models) == len(new.models) == 1:
        return [(base.models[0], new.models[0])]
    equal = [(model, model) for model in base.models if model in new.models]
    if not equal:
        raise InputError(
            f"the base and {name} have no model in common: models differ",
            why=f"models: {', '.join(base.models)} in the base, {', '.join(new.models)} in {name}",
            hint="--model A --model B compares A of the base with B of the other",
        )
    return equal


def paired(
    keys: Iterable[Key], base: Sequence[Row], new: Sequence[Row], models: ModelPair
) -> list[Pair]:
    """Return the pairs of `keys` in their order, for one pair of models."""
    ours, theirs = _by_utterance(base, models[0]), _by_utterance(new, models[1])
    return [Pair(base=tuple(ours[key]), new=tuple(theirs[key])) for key in keys]


def by_test_set(pairs: Iterable[Pair]) -> list[list[Pair]]:
    """Return the pairs of each test set, which counts once in a mean over locales."""
    sets: dict[str, list[Pair]] = {}
    for pair in pairs:
        sets.setdefault(pair.base[0].test_set, []).append(pair)
    return list(sets.values())


def _by_utterance(rows: Sequence[Row], model: str) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        if row.model == model:
            found.setdefault((row.dataset, row.utterance_id), []).append(row)
    return found


def by_key(plan: Plan) -> dict[Key, PlannedUtterance]:
    """Return a plan's utterances by dataset and id."""
    return {(utterance.dataset, utterance.id): utterance for utterance in plan.utterances}


def _content(utterance: PlannedUtterance) -> tuple[str | None, float]:
    return (utterance.sha256, utterance.offset_s)


def _datasets(plan: Plan) -> dict[str, int]:
    found: dict[str, int] = {}
    for utterance in plan.utterances:
        found[utterance.dataset] = found.get(utterance.dataset, 0) + 1
    return found


def _listed(datasets: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in datasets.items())
