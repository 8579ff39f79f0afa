"""Probes of usage: what a turn's record says, under which names, and what none says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.secret import Secret
from harness.session.probes.connections import as_vertex, on_vertex
from harness.session.probes.minds import thoughtful
from harness.session.probes.probe import (
    NEWS,
    QUESTION,
    RIDDLE,
    NotShownError,
    Probe,
    asking,
    bill,
    by_modality,
)
from harness.session.talk import FaultError

if TYPE_CHECKING:
    from harness.session.probes.probe import Place
    from harness.session.talk import Talk
    from harness.wire.live.messages import UsageMetadata


def _spelling(usage: UsageMetadata) -> str:
    if usage.response_token_count is not None:
        return "responseTokenCount"
    return "none" if usage.candidates_token_count is None else "candidatesTokenCount"


async def _spellings(place: Place) -> str:
    told = []
    async with place.session() as conversation:
        place.ask(conversation, QUESTION)
        told.append(_spelling(await bill(conversation)))
    if place.service == "emulator":
        vertex = as_vertex(place)
        async with vertex.session(at=on_vertex(place, Secret("ya29.any"))) as conversation:
            vertex.ask(conversation, QUESTION)
            told.append(_spelling(await bill(conversation)))
    if "none" in told:
        raise NotShownError("the record does not say what the answer cost")
    if len(told) > len(set(told)):
        raise NotShownError(f"{told[0]} on either platform")
    return ", ".join(told)


async def _itemised(conversation: Talk, place: Place) -> str:
    """Take two turns: each has a record of its own, and the second one's prompt holds the first."""
    records = []
    for _ in range(2):
        place.ask(conversation, QUESTION)
        records.append(await bill(conversation))
    first, second = records
    told = [
        f"{one.prompt_token_count} in ({by_modality(one)}), {one.response_tokens} out"
        for one in records
    ]
    total = sum(one.total_token_count or 0 for one in records)
    if not (first.prompt_token_count or 0) < (second.prompt_token_count or 0):
        raise NotShownError(f"the second turn's prompt is no longer: {'; '.join(told)}")
    if not (first.prompt_tokens_details and second.prompt_tokens_details):
        raise NotShownError(f"no record tells of modalities: {'; '.join(told)}")
    return f"{'; '.join(told)}; {total} in all"


async def _thought(place: Place) -> str:
    async with place.session(thoughtful(place)) as conversation:
        place.ask(conversation, RIDDLE)
        usage = await bill(conversation)
    if usage.thoughts_token_count is None:
        raise NotShownError("the record tells of no thoughts")
    return f"{usage.thoughts_token_count} of thoughts, {usage.total_token_count} in all"


async def _cached(conversation: Talk, place: Place) -> str:
    """Take two turns: the second one's prompt repeats the first, which may have been kept."""
    place.ask(conversation, QUESTION)
    await bill(conversation)
    place.ask(conversation, QUESTION)
    usage = await bill(conversation)
    if usage.cached_content_token_count is None:
        raise NotShownError("the record tells of no cache")
    return f"{usage.cached_content_token_count} of {usage.prompt_token_count} from a cache"


async def _found(conversation: Talk, place: Place) -> str:
    place.ask(conversation, NEWS)
    usage = await bill(conversation)
    if usage.tool_use_prompt_token_count is None:
        raise NotShownError("the record does not tell what a search found")
    return f"{usage.tool_use_prompt_token_count} found, beside {usage.prompt_token_count} asked"


async def _absent(place: Place) -> str:
    hurried = place.require_hurried(
        "no service leaves records out on demand; an emulator with --quirk missing-usage does"
    )
    place.require_conversing()
    async with place.session(at=place.at(hurried)) as conversation:
        place.ask(conversation, QUESTION)
        heard = await conversation.turn()
    if heard.usage:
        raise FaultError("a record came")
    return "no record came, so what the turn cost is unknown, and not 0"


PROBES: Final = (
    Probe(capability="usage: both spellings", walk=_spellings),
    Probe(capability="usage: per modality, turn and session", walk=asking(_itemised)),
    Probe(capability="usage: thoughts", walk=_thought),
    Probe(capability="usage: cached tokens", walk=asking(_cached)),
    Probe(
        capability="usage: tool-use tokens", walk=asking(_found, {"tools": [{"googleSearch": {}}]})
    ),
    Probe(capability="usage: absent is unknown", walk=_absent, transcribes=True),
)
