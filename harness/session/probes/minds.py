"""Probes of native audio: how it says something, whether, and after which thought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.session.probes.probe import (
    PRIVATE,
    QUESTION,
    RIDDLE,
    NotShownError,
    Probe,
    answered,
    asking,
    quoted,
)
from harness.wire.live import catalogue

if TYPE_CHECKING:
    from harness.session.probes.probe import Fields, Place
    from harness.session.talk import Talk


def thoughtful(place: Place) -> Fields:
    """Return the fields with which the place's model thinks and tells of it: by its level, where it must be told one."""
    model = catalogue.find(place.model)
    level = model.least_thinking if model else None
    much = {"thinkingBudget": 256} if level is None else {"thinkingLevel": level}
    return {"generationConfig": {"thinkingConfig": {**much, "includeThoughts": True}}}


async def _affected(conversation: Talk, place: Place) -> str:
    place.ask(conversation, QUESTION)
    return await answered(conversation)


async def _maybe_silent(conversation: Talk, place: Place) -> str:
    place.ask(conversation, PRIVATE)
    heard = await conversation.turn()
    return f"answered {quoted(heard.answer)}" if heard.answer else "silent, as it may be"


async def _thinking(place: Place) -> str:
    async with place.session(thoughtful(place)) as conversation:
        place.ask(conversation, RIDDLE)
        heard = await conversation.turn()
    billed = any(one.thoughts_token_count for one in heard.usage)
    if not heard.thoughts and not billed:
        raise NotShownError("the model answered without a thought")
    if not heard.thoughts:
        return "billed, without a summary"
    return f"{quoted(heard.thoughts.strip())}, apart from the answer {quoted(heard.answer)}"


PROBES: Final = (
    Probe(
        capability="native audio: affective dialogue",
        walk=asking(_affected, {"generationConfig": {"enableAffectiveDialog": True}}),
    ),
    Probe(
        capability="native audio: proactive audio",
        walk=asking(_maybe_silent, {"proactivity": {"proactiveAudio": True}}),
    ),
    Probe(capability="native audio: thinking", walk=_thinking),
)
