"""Probes of native audio: how it says something, whether, and after which thought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.session.probes.probe import (
    MORNING,
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


async def _affected(place: Place) -> str:
    """Ask for it, and then with an unknown field beside it: a refusal shows that the field was read; its sound cannot be judged."""
    asked = {"enableAffectiveDialog": True}
    async with place.session({"generationConfig": asked}) as conversation:
        place.ask(conversation, QUESTION)
        told = await answered(conversation, MORNING)
    words = await place.scruple({"generationConfig": asked | {"enableAffectiveMonolog": True}})
    return f"taken, and answered {told}; what nobody knows: {words}"


async def _silent(conversation: Talk, place: Place) -> str:
    """Say something that is not for the model, and then something that is: only the second is answered."""
    place.ask(conversation, PRIVATE)
    heard = await conversation.turn()
    if heard.answer or heard.pcm:
        raise NotShownError(f"the model answered what was not for it: {quoted(heard.answer)}")
    place.ask(conversation, QUESTION)
    return f"silent where nobody spoke to it, else {await answered(conversation, MORNING)}"


async def _thinking(place: Place) -> str:
    async with place.session(thoughtful(place)) as conversation:
        place.ask(conversation, RIDDLE)
        heard = await conversation.turn()
    billed = any(one.thoughts_token_count for one in heard.usage)
    if not heard.thoughts:
        lack = "a summary of the thought that is billed" if billed else "a thought"
        raise NotShownError(f"the model answered without {lack}")
    return f"{quoted(heard.thoughts.strip())}, apart from the answer {quoted(heard.answer)}"


PROBES: Final = (
    Probe(
        capability="native audio: affective dialogue",
        walk=_affected,
        seen=False,
    ),
    Probe(
        capability="native audio: proactive audio",
        walk=asking(_silent, {"proactivity": {"proactiveAudio": True}}),
    ),
    Probe(capability="native audio: thinking", walk=_thinking),
)
