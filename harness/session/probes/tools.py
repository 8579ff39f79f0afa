"""Probes of tools: functions that are called, answered and taken back, and the search."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from harness.session.probes.probe import (
    FUNCTION,
    MORNING,
    NEWS,
    QUESTION,
    TEMPERATURE,
    NotShownError,
    Probe,
    asking,
    quoted,
)
from harness.session.talk import SilenceError
from harness.wire.live import catalogue
from harness.wire.live.scalars import excerpt

if TYPE_CHECKING:
    from harness.session.probes.probe import Fields, Place
    from harness.session.talk import Talk
    from harness.units import Seconds
    from harness.wire.live.messages import FunctionCall

_BRIEF_S: Final[Seconds] = 5.0
"""Wait for the end of the turn that calls: not every service ends it before the function has answered."""

EQUIPPED: Final[Fields] = {"tools": [{"functionDeclarations": [FUNCTION]}]}


def _declared(behavior: str) -> Fields:
    """Return the fields that declare the function with a behaviour."""
    return {"tools": [{"functionDeclarations": [FUNCTION | {"behavior": behavior}]}]}


async def called(conversation: Talk, place: Place) -> FunctionCall:
    """Return the call that the model makes; NotShownError when it answers instead."""
    place.ask(conversation, TEMPERATURE)
    heard = await conversation.until(lambda one: one.calls or one.turns, "function call")
    if not heard.calls:
        raise NotShownError("the model answered instead of calling")
    return heard.calls[0]


async def call(conversation: Talk, place: Place) -> str:
    """Have a function called, answer it, and return both."""
    made = await called(conversation, place)
    conversation.respond(made, {"celsius": 11})
    heard = await conversation.until(lambda one: one.answer and one.turns, "answer")
    return f"{made.name}({excerpt(str(made.args))}), then {quoted(heard.answer)}"


async def _unblocked(conversation: Talk, place: Place) -> str:
    """Ask something else while the call is open: it is answered, the call stands, and so does its late answer."""
    made = await called(conversation, place)
    with suppress(SilenceError):
        await conversation.until(lambda one: one.turns, "end of the turn that calls", _BRIEF_S)
    conversation.forget()
    place.ask(conversation, QUESTION)
    heard = await conversation.until(
        lambda one: one.cancelled or (one.turns and MORNING in one.answer.casefold()), "answer"
    )
    if heard.cancelled:
        raise NotShownError("the call was taken back when something else was said")
    conversation.forget()
    conversation.respond(made, {"celsius": 11})
    heard = await conversation.until(lambda one: one.answer and one.turns, "answer to the call")
    return f"“good morning” while the call was open, then {quoted(heard.answer)}"


async def _cancelled(place: Place) -> str:
    """Interrupt while a call is open: it is taken back, and an answer that comes too late harms nothing."""
    model = catalogue.find(place.model)
    # Only what is waited for can be interrupted, and some models wait where they are told to alone.
    waits = model is None or model.function_behavior == "BLOCKING"
    async with place.session(EQUIPPED if waits else _declared("BLOCKING")) as conversation:
        made = await called(conversation, place)
        place.ask(conversation, "Never mind.")
        heard = await conversation.until(lambda one: one.cancelled, "cancellation")
        conversation.respond(made, {"celsius": 11})
        place.ask(conversation, QUESTION)
        await conversation.until(lambda one: MORNING in one.answer.casefold(), "answer after it")
    return f"{len(heard.cancelled)} call taken back; its late answer was dropped"


async def _grounded(conversation: Talk, place: Place) -> str:
    place.ask(conversation, NEWS)
    heard = await conversation.until(lambda one: one.grounded or one.turns, "answer")
    if not heard.grounded:
        raise NotShownError("the model answered without a search")
    return "grounding metadata came"


PROBES: Final = (
    Probe(capability="tools: declarations, calls, responses", walk=asking(call, EQUIPPED)),
    Probe(
        capability="tools: blocking and not",
        walk=asking(_unblocked, _declared("NON_BLOCKING")),
    ),
    Probe(capability="tools: cancellation", walk=_cancelled),
    Probe(
        capability="tools: search grounding",
        walk=asking(_grounded, {"tools": [{"googleSearch": {}}]}),
    ),
)
