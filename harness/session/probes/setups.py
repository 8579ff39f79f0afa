"""Probes of the setup: all its fields, its rules, and the words of its refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.session.probes.probe import (
    FUNCTION,
    MORNING,
    QUESTION,
    NotOfferedError,
    Probe,
    answered,
    merged,
)
from harness.session.talk import FaultError
from harness.wire.live.messages import Setup

if TYPE_CHECKING:
    from harness.session.probes.probe import Fields, Place

FULL: Final[Fields] = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "tools": [{"functionDeclarations": [FUNCTION]}],
    "realtimeInputConfig": {
        "automaticActivityDetection": {
            "startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
            "endOfSpeechSensitivity": "END_SENSITIVITY_LOW",
            "prefixPaddingMs": 20,
            "silenceDurationMs": 500,
        },
        "activityHandling": "NO_INTERRUPTION",
        "turnCoverage": "TURN_INCLUDES_ALL_INPUT",
    },
    "inputAudioTranscription": {},
    "sessionResumption": {},
    "contextWindowCompression": {
        "triggerTokens": "25600",
        "slidingWindow": {"targetTokens": "12800"},
    },
    "generationConfig": {
        "temperature": 0.2,
        "topP": 0.9,
        "topK": 40,
        "maxOutputTokens": 64,
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
    },
}
"""What every model that converses takes, each field set."""


async def _full(place: Place) -> str:
    """Set every field, and then an unknown one: only a service that refuses that one has read the others."""
    async with place.session(FULL) as conversation:
        place.ask(conversation, QUESTION)
        told = await answered(conversation, MORNING)
    words = await place.scruple(merged(FULL, {"generationConfig": {"temperament": 0.2}}))
    return f"all taken, then {told}; with one that nobody knows: {words}"


async def _rule(place: Place) -> str:
    """Ask for two modalities: the rules say no before anything is sent, and so does the service."""
    broken: Fields = {"generationConfig": {"responseModalities": ["TEXT", "AUDIO"]}}
    try:
        place.named(broken)
    except NotOfferedError as error:
        rule = str(error)
    else:
        raise FaultError("a setup with two modalities breaks no rule")
    words = await place.refusal(*place.unchecked(broken), "config")
    return f"refused before it is sent, {rule}; sent all the same: {words}"


async def _words(place: Place) -> str:
    """Ask for a model that does not exist, which must be refused as such."""
    endpoint = place.endpoint(place.route(Setup()))
    setup = Setup(model=endpoint.model_name("no-such-model"))
    return await place.refusal(setup, endpoint, "model_not_found")


async def _strangers(place: Place) -> str:
    hurried = place.require_hurried(
        "no service sends them on demand; an emulator with --quirk unknown-fields does"
    )
    async with place.session(at=place.at(hurried)) as conversation:
        heard = await conversation.until(lambda one: one.strange, "unknown field")
    return f"{', '.join(sorted(heard.strange))}: kept, and the session goes on"


PROBES: Final = (
    Probe(capability="setup: every field, with its defaults", walk=_full, seen=False),
    Probe(capability="setup: rules, checked before connecting", walk=_rule, transcribes=True),
    Probe(capability="setup: close codes and reasons", walk=_words, transcribes=True),
    Probe(capability="setup: unknown fields are kept", walk=_strangers, transcribes=True),
)
