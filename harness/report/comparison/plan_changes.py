"""What changed in the configuration between two runs: the fields of their plans that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from harness.report.comparison.contrast import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.difference.pairing import ModelPair
    from harness.run.record import Plan

_ITSELF = frozenset({"schema", "hash", "created_at", "command", "notes"})
"""Fields that differ between any two runs, or say again what others say."""


def plan_changes(base: Plan, new: Plan, models: Sequence[ModelPair]) -> list[Change]:
    """Return the fields that differ, in the plan's order; of the setups, those of the models that are compared."""
    ours, theirs = (
        _facts(base, [pair[0] for pair in models]),
        _facts(new, [pair[1] for pair in models]),
    )
    return [
        Change(field=field, base=ours.get(field), new=theirs.get(field))
        for field in {**ours, **theirs}
        if ours.get(field) != theirs.get(field)
    ]


def _facts(plan: Plan, models: Sequence[str]) -> dict[str, str]:
    """Return the plan's fields, flattened to dotted names, values as text."""
    found: dict[str, str] = {}
    for name in plan.__struct_fields__:
        value = getattr(plan, name)
        if name in _ITSELF:
            continue
        if name == "setups":
            for model in models:
                prefix = "setup" if len(models) == 1 else f"setup[{model}]"
                found |= _flat(prefix, plan.setups.get(model))
        elif name == "utterances":
            found["utterances"] = f"{len(plan.utterances):,}"
        elif name == "datasets":
            found["datasets"] = ", ".join(dataset.name for dataset in plan.datasets)
        else:
            found |= _flat(name, value)
    return found


def _flat(prefix: str, value: Any) -> dict[str, str]:
    if isinstance(value, dict) and value:
        return {
            name: text
            for key, inner in value.items()
            for name, text in _flat(f"{prefix}.{key}", inner).items()
        }
    return {prefix: value if isinstance(value, str) else msgspec.json.encode(value).decode()}
