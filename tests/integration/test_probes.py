"""Every row of the doctor's walk can fail: where the capability is there it is found, and where it is broken it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.cli import walk
from harness.clock import run_virtual
from harness.secret import Secret
from harness.session.config import route
from harness.session.probes import PROBES, connections
from harness.session.probes.probe import Place, Tls, outcome
from harness.wire.live import endpoint as live
from harness.wire.live import refusals
from harness.wire.live.refusals import Refused
from tests.integration.peer import (
    BRISK,
    ENCRYPTED,
    HURRIED,
    MANNERS,
    SPEECH,
    USUAL,
    Fault,
    Message,
    Peer,
    lacking,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def walked(capability: str, fault: Fault, monkeypatch):
    """Return what the doctor finds of a capability where this is wrong, asking one model after the other as it does."""
    peer = Peer(fault)
    monkeypatch.setattr(connections, "_minted", peer.minted)
    monkeypatch.setattr(connections, "tls_context", lambda: peer)
    place = Place(
        connect=peer.connect,
        endpoint=lambda to: live.gemini(Secret("doctor"), version=to.version, url=USUAL),
        route=lambda setup: route("emulator", None, [setup], {}),
        service="emulator",
        url=USUAL,
        key=Secret("doctor"),
        model=walk.EMULATED[0],
        speech=SPEECH,
        pause_s=0.0,
        hurried=HURRIED,
        tls=Tls(url=ENCRYPTED, ca_file="ca.pem"),
        answers=True,
    )
    (probe,) = (one for one in PROBES if one.capability == capability)
    found = None
    for model in walk.EMULATED:
        found = run_virtual(outcome(probe, replace(place, model=model)))
        if found.verdict != "not offered":
            break
    return found


# ── What may be wrong ────────────────────────────────────────────────────────────────────────────────────────────────


def deaf_to(*names: str) -> Fault:
    """Return a service that does not see these fields."""
    return Fault(heard=lacking(*names))


def never_says(*names: str) -> Fault:
    """Return a service that never sends these fields."""
    return Fault(said=lacking(*names))


def says(name: str, value: object) -> Fault:
    """Return a service that has nothing but `value` in a field, wherever it has the field."""

    def put(inner):
        if isinstance(inner, dict):
            return {one: value if one == name else put(other) for one, other in inner.items()}
        return [put(one) for one in inner] if isinstance(inner, list) else inner

    return Fault(said=put)


def refuses(wanted: Callable[[Message], object]) -> Fault:
    """Return a service that closes when it hears such a message."""

    def heard(message: Message) -> Message:
        if wanted(message):
            raise Refused(refusals.INVALID_ARGUMENT)
        return message

    return Fault(heard=heard)


def _with_key(key: str) -> Fault:
    """Return a service that takes any credential for this one."""

    def door(url, headers):
        return url, {
            name: value.replace("invalid", key) if "invalid" in value else value
            for name, value in headers.items()
        }

    return Fault(door=door)


def _shut(what: Callable[[str, dict[str, str]], bool]) -> Fault:
    """Return a service whose door is shut where `what` says so."""

    def door(url, headers):
        if what(url, headers):
            raise Refused(refusals.NOT_FOUND)
        return url, headers

    return Fault(door=door)


def _forgets_turns(message: Message) -> Message | None:
    """Lose turns that are not complete."""
    turns = message.get("clientContent")
    return None if turns is not None and not turns.get("turnComplete") else message


def _first_modality(message: Message) -> Message:
    config = message.get("setup", {}).get("generationConfig", {})
    if "responseModalities" in config:
        config["responseModalities"] = config["responseModalities"][:1]
    return message


def _any_model(message: Message) -> Message:
    if "setup" in message:
        message["setup"]["model"] = f"models/{walk.EMULATED[0]}"
    return message


def _at_16_khz(message: Message) -> Message:
    audio = message.get("realtimeInput", {}).get("audio")
    if audio:
        audio["mimeType"] = "audio/pcm;rate=16000"
    return message


def _undetected(message: Message) -> Message:
    if "setup" in message:
        detection = {"automaticActivityDetection": {"disabled": True}}
        message["setup"]["realtimeInputConfig"] = detection
    return message


def _thoughtless(message: Message) -> Message | None:
    parts = message.get("serverContent", {}).get("modelTurn", {}).get("parts", [])
    if any(part.get("thought") for part in parts):
        return None
    return lacking("thoughtsTokenCount")(message)


def _mute(message: Message) -> Message:
    """Hear every question as what nobody asked the model."""
    return json.loads(
        json.dumps(message).replace("Please say: good morning.", "I am talking to somebody else.")
    )


def _in_one_spelling(message: Message) -> Message:
    usage = message.get("usageMetadata", {})
    if "candidatesTokenCount" in usage:
        usage["responseTokenCount"] = usage.pop("candidatesTokenCount")
    return message


def _long(request: Message) -> Message:
    return request | {"uses": 0}


BROKEN: dict[str, list[Fault]] = {
    "connection: API key in a header": [_with_key("good")],
    "connection: ephemeral tokens": [Fault(minted=_long)],
    "connection: ephemeral tokens, locked setups": [
        Fault(minted=lambda request: {"uses": request.get("uses", 1)})
    ],
    "connection: Vertex AI: regional, global, multi-region": [
        refuses(lambda message: "locations/global" in str(message))
    ],
    "connection: Vertex AI: refreshed bearer tokens": [_with_key("good")],
    "connection: Vertex AI: express mode": [
        _shut(lambda url, headers: "aiplatform" in url and "x-goog-api-key" in headers)
    ],
    "connection: v1beta, v1alpha, v1": [_shut(lambda url, _: ".v1." in url)],
    "connection: another URL": [_shut(lambda url, _: url.startswith(USUAL))],
    "connection: TLS": [
        Fault(trusting=True),
        _shut(lambda url, _: url.startswith(ENCRYPTED)),
    ],
    "connection: refusals at the upgrade": [
        Fault(door=lambda url, headers: (url.replace("Elsewhere", ""), headers))
    ],
    "setup: every field, with its defaults": [
        deaf_to("temperament"),
        refuses(lambda message: "topK" in str(message)),
    ],
    "setup: rules, checked before connecting": [Fault(heard=_first_modality)],
    "setup: close codes and reasons": [Fault(heard=_any_model)],
    "setup: unknown fields are kept": [Fault(hurried_quirks=False)],
    "text: turns": [deaf_to("clientContent"), deaf_to("text")],
    "text: incremental context": [Fault(heard=_forgets_turns)],
    "text: history seeding": [Fault(heard=_forgets_turns)],
    "text: realtime text": [deaf_to("realtimeInput")],
    "audio in: 16 kHz sent, 4 to 192 kHz taken": [Fault(heard=_at_16_khz)],
    "audio in: automatic activity detection": [Fault(heard=_undetected)],
    "audio in: sensitivities, padding, silence": [
        deaf_to("automaticActivityDetection"),
        deaf_to("startOfSpeechSensitivity"),
        deaf_to("endOfSpeechSensitivity"),
        deaf_to("prefixPaddingMs"),
        deaf_to("silenceDurationMs"),
        Fault(heard=_undetected),
    ],
    "audio in: manual activity": [deaf_to("activityStart", "activityEnd"), deaf_to("activityEnd")],
    "audio in: audioStreamEnd": [deaf_to("audioStreamEnd")],
    "audio in: turn coverage": [deaf_to("turnCoverage")],
    "audio in: activity handling": [deaf_to("activityHandling")],
    "audio in: transcription": [never_says("inputTranscription")],
    "audio out: 24 kHz PCM": [
        says("mimeType", "audio/pcm;rate=16000"),
        never_says("inlineData"),
    ],
    "audio out: voices": [deaf_to("voiceConfig")],
    "audio out: language code": [deaf_to("languageCode")],
    "audio out: output transcription": [never_says("outputTranscription")],
    "audio out: interruption": [never_says("interrupted")],
    "video in: pictures": [deaf_to("video")],
    "video in: media resolution": [deaf_to("mediaResolution")],
    "native audio: affective dialogue": [
        deaf_to("enableAffectiveDialog", "enableAffectiveMonolog"),
        refuses(lambda message: "enableAffectiveDialog" in str(message)),
    ],
    "native audio: proactive audio": [deaf_to("proactivity"), Fault(heard=_mute)],
    "native audio: thinking": [Fault(said=_thoughtless), deaf_to("includeThoughts")],
    "tools: declarations, calls, responses": [deaf_to("tools"), deaf_to("toolResponse")],
    "tools: blocking and not": [deaf_to("behavior"), deaf_to("toolResponse")],
    "tools: cancellation": [never_says("toolCallCancellation")],
    "tools: search grounding": [deaf_to("tools"), never_says("groundingMetadata")],
    "usage: both spellings": [
        Fault(said=_in_one_spelling),
        never_says("responseTokenCount", "candidatesTokenCount"),
        never_says("usageMetadata"),
    ],
    "usage: per modality, turn and session": [
        never_says("promptTokensDetails"),
        says("promptTokenCount", 7),
        never_says("usageMetadata"),
    ],
    "usage: thoughts": [never_says("thoughtsTokenCount")],
    "usage: cached tokens": [never_says("cachedContentTokenCount")],
    "usage: tool-use tokens": [never_says("toolUsePromptTokenCount")],
    "usage: absent is unknown": [Fault(hurried_quirks=False)],
    "long sessions: goAway": [never_says("goAway"), deaf_to("handle")],
    "long sessions: resumption": [deaf_to("handle"), never_says("newHandle")],
    "long sessions: context-window compression": [
        deaf_to("contextWindowCompression"),
        says("promptTokenCount", 2000),
        never_says("usageMetadata"),
    ],
    "long sessions: limits of sessions and connections": [
        Fault(hurried=MANNERS),
        Fault(hurried=replace(BRISK, video_session_s=900)),
        Fault(hurried=replace(BRISK, session_s=900, video_session_s=1)),
        Fault(hurried=replace(BRISK, connection_s=600)),
    ],
    "long sessions: replay and seams": [Fault(hurried=MANNERS)],
    "later models: interim hypotheses": [never_says("interimInputTranscription")],
    "later models: language hints, vocabulary, verbatim mode": [
        deaf_to("languageCodons"),
        refuses(lambda message: "customVocabulary" in str(message)),
    ],
    "later models: fields and eras": [deaf_to("historyConfig"), Fault(heard=_forgets_turns)],
    "later models: context updates": [
        deaf_to("contextUpdate"),
        refuses(lambda message: "contextUpdate" in message),
    ],
}
"""What is wrong with a service that lacks a capability, or only says that it had it."""

ACCEPTED = {
    "setup: every field, with its defaults",
    "native audio: affective dialogue",
    "later models: language hints, vocabulary, verbatim mode",
}
"""What nothing on the wire tells the effect of."""


def test_every_row_has_been_seen_to_fail():
    """No row is without a service that breaks it, and none of these is for another."""
    assert [probe.capability for probe in PROBES] == list(BROKEN)


@pytest.mark.parametrize("capability", BROKEN)
def test_a_row_stands_where_nothing_is_wrong(capability, monkeypatch):
    """A service that has a capability shows it; where nothing could show, that it was taken is told apart from that."""
    found = walked(capability, Fault(), monkeypatch)
    assert ("accepted" if capability in ACCEPTED else "ok") == found.verdict, found.told


@pytest.mark.parametrize(
    "capability, fault",
    [
        pytest.param(name, fault, id=f"{name}-{number}")
        for name, faults in BROKEN.items()
        for number, fault in enumerate(faults)
    ],
)
def test_a_row_falls_where_its_capability_is_broken(capability, fault, monkeypatch):
    """A service that lacks a capability, or only says that it had it, fails in its row."""
    found = walked(capability, fault, monkeypatch)
    assert "failed" == found.verdict, found.told
