"""What makes a run this one: the hash over what is asked of the service, and what of a plan may be mended later.

Knows plans and records. Does not know where they lie.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from harness.session.waits import QUIET_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.run.record import Plan, PlannedUtterance, Task, UtteranceRecord


def identity(plan: Plan) -> str:
    """Return the SHA-256 over what `plan` asks of the service, hex, whatever it says its own hash is."""
    host = urlsplit(plan.endpoint).hostname
    whole_ms = int(plan.chunk_ms)  # 100 as it was typed, and 100.0 as it is read back, are one
    asked: dict[str, Any] = {
        "task": plan.task,
        "service": plan.service,
        "host": host,
        "models": plan.models,
        "setups": plan.setups,
        "transcript": plan.transcript,
        "pace": plan.pace,
        "chunk_ms": whole_ms if whole_ms == plan.chunk_ms else plan.chunk_ms,
        "turns": plan.turns,
        "repeats": plan.repeats,
        "seed": plan.seed,
        "utterances": [_asked(one, plan.task) for one in plan.utterances],
    }
    if plan.interrupt_after_s is not None:
        asked["interrupt_after_s"] = plan.interrupt_after_s
    if plan.quiet_s != QUIET_S:
        asked["quiet_s"] = (
            plan.quiet_s
        )  # it is not asked of the service, but shapes what is heard of it
    if plan.api_version is not None:
        asked["api_version"] = plan.api_version
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()


def _asked(utterance: PlannedUtterance, task: Task) -> list[Any]:
    """Return what `task` sends of an utterance, to be hashed."""
    spoken = [utterance.sha256, utterance.offset_s, utterance.duration_s]
    named = [utterance.dataset, utterance.id, utterance.locale]
    match task:
        case "transcribe":
            return named + spoken
        case "speak":
            return [*named, utterance.reference]
        case "ask":
            question = spoken if utterance.audio else [utterance.reference]
            return named + question + _brought(utterance)


def _brought(utterance: PlannedUtterance) -> list[Any]:
    """Return what a scenario sends, to be hashed: all but what is expected; pictures by their bytes."""
    if (scenario := utterance.scenario) is None:
        return []
    given = msgspec.to_builtins([scenario.tools, scenario.context])
    return [given, list(utterance.images_sha256)]


def fingerprint(utterance: PlannedUtterance) -> str:
    """Return the SHA-256 over all that is planned of an utterance, hex: what could not be sent is tried again when it changes."""
    return hashlib.sha256(msgspec.json.encode(utterance, order="deterministic")).hexdigest()


def amended(there: Plan, plan: Plan, records: Iterable[UtteranceRecord]) -> Plan | None:
    """Return `there` with what `plan` has mended of its utterances, where a run of one is one of the other; else None.

    `there` is a run's own plan and `records` are its attempts. What was sent stays as it was planned, but for where its
    files are. What never was, since a file could not be read, something was lacking or its turn had not come, is as `plan`
    has it.
    """
    if not _alike(there, plan):
        return None
    sent = {(one.dataset, one.utterance) for one in records if one.trace or one.lost is not None}
    planned = {(one.dataset, one.id): one for one in plan.utterances}
    utterances = []
    for one in there.utterances:
        name = (one.dataset, one.id)
        now = planned.get(name, one)
        utterances.append(_found_again(one, now) if name in sent else now)
    if utterances == there.utterances:
        return there if there.hash == plan.hash else None
    formerly = [*there.formerly, there.hash] if there.hash != plan.hash else there.formerly
    goes_on = msgspec.structs.replace(
        there, utterances=utterances, hash=plan.hash, formerly=formerly
    )
    return goes_on if identity(goes_on) == plan.hash else None


def _found_again(sent: PlannedUtterance, now: PlannedUtterance) -> PlannedUtterance:
    """Return an utterance as it was `sent`, with its files where they are `now`."""
    scenario = sent.scenario
    if scenario is not None and now.scenario is not None:
        scenario = msgspec.structs.replace(scenario, images=now.scenario.images)
    return msgspec.structs.replace(sent, audio=now.audio, scenario=scenario)


def _alike(there: Plan, plan: Plan) -> bool:
    """Return whether two plans differ in their utterances alone, of which they have as many."""
    if there.hash == plan.hash:
        return True
    if len(there.utterances) != len(plan.utterances) or there.setups != plan.setups:
        return False
    return identity(msgspec.structs.replace(plan, utterances=there.utterances)) == there.hash
