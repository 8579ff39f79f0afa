"""Probes of text: turns, what went before them, and text among the audio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.session.probes.probe import MORNING, NAME, QUESTION, Probe, answered, asking
from harness.wire.live import catalogue

if TYPE_CHECKING:
    from harness.session.probes.probe import Fields, Place
    from harness.session.talk import Talk

SEEDED: Final[Fields] = {"historyConfig": {"initialHistoryInClientContent": True}}


async def recalled(conversation: Talk, place: Place) -> str:
    """Ask for what was said before and return the answer; NotShownError when it does not tell it."""
    place.ask(conversation, NAME)
    return await answered(conversation, "ada")


def seed(conversation: Talk, *, complete: bool) -> None:
    """Say what went before; `complete`: it is all of the history."""
    conversation.say("My name is Ada.", complete=False)
    conversation.say("Hello, Ada.", complete=complete, role="model")


def _require_turns(place: Place) -> None:
    place.require(lambda one: one.content_any_time, "takes turns as its history alone")


async def _turn(place: Place) -> str:
    _require_turns(place)
    async with place.session() as conversation:
        conversation.say(QUESTION)
        return await answered(conversation, MORNING)


async def _context(place: Place) -> str:
    _require_turns(place)
    async with place.session() as conversation:
        conversation.say("My name is Ada.", complete=False)
        return await recalled(conversation, place)


async def _history(place: Place) -> str:
    model = catalogue.find(place.model)
    alone = model is not None and not model.content_any_time
    async with place.session(SEEDED if alone else {}) as conversation:
        # Where turns are history and nothing else, its end is what the service waits for.
        seed(conversation, complete=alone)
        return await recalled(conversation, place)


async def _realtime(conversation: Talk, _: Place) -> str:
    conversation.send(conversation.client.text(QUESTION))
    return await answered(conversation, MORNING)


PROBES: Final = (
    Probe(capability="text: turns", walk=_turn),
    Probe(capability="text: incremental context", walk=_context),
    Probe(capability="text: history seeding", walk=_history),
    Probe(capability="text: realtime text", walk=asking(_realtime), doubted=True),
)
