"""Probes of what came after the guides: transcription models, and fields that only later models take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.session.probes.listening import marked, stream_end
from harness.session.probes.probe import (
    FUNCTION,
    MANUAL,
    TRANSCRIBED,
    Probe,
)
from harness.session.probes.texts import SEEDED, recalled, seed
from harness.session.probes.tools import call
from harness.session.talk import FaultError
from harness.wire.live import codec
from harness.wire.live.messages import ClientMessage, ContextUpdate

if TYPE_CHECKING:
    from harness.session.probes.probe import Fields, Place

HINTED: Final[Fields] = {
    "inputAudioTranscription": {
        "languageCodes": ["en-US"],
        "customVocabulary": ["Gdynia"],
        "mode": "VERBATIM",
    }
}

_MISNAMED: Final[Fields] = {"inputAudioTranscription": {"languageCodons": ["en-US"]}}


async def _hinted(place: Place) -> str:
    """Give hints, and then some under an unknown name: the recording needs none, so only the refusal shows that they are read."""
    async with place.session(HINTED) as conversation:
        told = await stream_end(conversation, place)
    return f"taken, then {told}; what nobody knows: {await place.scruple(_MISNAMED)}"


async def _guessed(place: Place) -> str:
    place.require(lambda one: one.transcription == "interim", "tells no guesses")
    async with place.session(MANUAL | TRANSCRIBED) as conversation:
        told = await marked(conversation, place)
        guesses = conversation.heard.guesses
    if not guesses:
        raise FaultError(f"{told} came without a guess before it")
    return f"{guesses} before {told}"


def _require_later(place: Place) -> None:
    place.require(lambda one: one.era == "later", "came with the guides")


async def _later(place: Place) -> str:
    """Give a history in the first content, as `historyConfig` says."""
    _require_later(place)
    async with place.session(SEEDED) as conversation:
        seed(conversation, complete=True)
        return f"historyConfig: {await recalled(conversation, place)}"


async def _updated(place: Place) -> str:
    """Give a function in the midst of a session."""
    _require_later(place)
    async with place.session() as conversation:
        tools = {"tools": [{"functionDeclarations": [FUNCTION]}]}
        conversation.send(codec.encode(ClientMessage(context_update=ContextUpdate(tools=tools))))
        return f"a function that the setup had not: {await call(conversation, place)}"


PROBES: Final = (
    Probe(capability="later models: interim hypotheses", walk=_guessed, transcribes=True),
    Probe(
        capability="later models: language hints, vocabulary, verbatim mode",
        walk=_hinted,
        transcribes=True,
        seen=False,
    ),
    Probe(capability="later models: fields and eras", walk=_later),
    Probe(capability="later models: context updates", walk=_updated),
)
