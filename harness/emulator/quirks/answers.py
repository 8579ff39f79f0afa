"""What a session is answered, and in which order: everything that was seen of Live services, one quirk each.

Knows messages. Does not know what is told of what was heard (`transcripts`), connections and how they end (`endings`), or
how a message is written (`frames`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.emulator.quirks.quirk import (
    HEARD,
    Parameter,
    Quirk,
    changed,
    content,
    duration,
    field,
    heard_text,
    left,
    whole,
)

if TYPE_CHECKING:
    from harness.emulator.quirks.quirk import Later, Message, Talk
    from harness.units import Seconds

_TURN_OVER: Final[Message] = {"serverContent": {"turnComplete": True}}

# ── When ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _late_turn_complete(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield (seconds if "turnComplete" in content(message) else 0.0), message


def _growing_delay(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield talk.since_ready_s * seconds, message


def _slow_setup(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield (seconds if "setupComplete" in message else 0.0), message


def _late_usage(message: Message, seconds: Seconds, talk: Talk) -> Later:
    bill = message.get("usageMetadata")
    yield from left({k: v for k, v in message.items() if k != "usageMetadata"})
    if bill is not None:
        yield seconds, {"usageMetadata": bill}


# ── Ends of turns ────────────────────────────────────────────────────────────────────────────────────────────────────


def _premature(message: Message, _: None, talk: Talk) -> Later:
    if HEARD in content(message) and talk.texts == 1:
        yield 0.0, _TURN_OVER
    yield 0.0, message


def _missing_turn_complete(message: Message, _: None, talk: Talk) -> Later:
    yield from left(changed(message, turnComplete=None) if content(message) else message)


def _duplicate_turn_complete(message: Message, _: None, talk: Talk) -> Later:
    yield 0.0, message
    if "turnComplete" in content(message):
        yield 0.0, _TURN_OVER


def _extra_turns(message: Message, _: None, talk: Talk) -> Later:
    yield 0.0, message
    if HEARD in content(message):
        yield 0.0, _TURN_OVER


def _phantom(message: Message, _: None, talk: Talk) -> Later:
    if "generationComplete" in content(message):
        message = changed(message, generationComplete=None, interrupted=True)
    yield 0.0, message


def _rejected(message: Message, reason: str, talk: Talk) -> Later:
    said = content(message)
    if "turnComplete" in said:
        yield 0.0, changed(message, turnCompleteReason=reason)
    elif not said:
        yield 0.0, message


def _endless_turn(message: Message, _: None, talk: Talk) -> Message | None:
    realtime = field(message, "realtimeInput")
    return None if field(realtime, "audioStreamEnd") else message


# ── Replies ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _long_reply(message: Message, words: int, talk: Talk) -> Later:
    if "modelTurn" in content(message):
        parts = [{"text": "word " * words}]
        message = changed(message, modelTurn={"role": "model", "parts": parts})
    yield 0.0, message


def _stray_output(message: Message, _: None, talk: Talk) -> Later:
    if "turnComplete" in content(message):
        yield 0.0, {"serverContent": {"outputTranscription": {"text": " stray"}}}
    yield 0.0, message


# ── Everything else ──────────────────────────────────────────────────────────────────────────────────────────────────


def _mute(message: Message, _: None, talk: Talk) -> Later:
    if "setupComplete" in message:
        yield 0.0, message


def _no_setup_complete(message: Message, _: None, talk: Talk) -> Later:
    yield from left({k: v for k, v in message.items() if k != "setupComplete"})


def _missing_usage(message: Message, _: None, talk: Talk) -> Later:
    yield from left({k: v for k, v in message.items() if k != "usageMetadata"})


_OTHER_NAMES: Final = {
    "responseTokenCount": "candidatesTokenCount",
    "responseTokensDetails": "candidatesTokensDetails",
}


def _other_usage_names(message: Message, _: None, talk: Talk) -> Later:
    bill = message.get("usageMetadata")
    if bill is not None:
        message = message | {"usageMetadata": {_OTHER_NAMES.get(k, k): v for k, v in bill.items()}}
    yield 0.0, message


def _all_at_once(message: Message, _: None, talk: Talk) -> Later:
    if not content(message):
        yield 0.0, message
        return
    merged: Message = talk.memory.setdefault("all-at-once", {})
    for name, value in content(message).items():
        before = merged.get(name)
        if name == HEARD and before:
            merged[name] = {"text": before["text"] + value["text"]}
        elif name == "modelTurn" and before:
            merged[name] = before | {"parts": before["parts"] + value["parts"]}
        else:
            merged[name] = value
    if "turnComplete" in merged:
        talk.memory["all-at-once"] = {}
        yield 0.0, message | {"serverContent": merged}


def _dead_after_resume(message: Message, _: None, talk: Talk) -> Later:
    if talk.resumed and content(message):
        message = changed(message, modelTurn=None, generationComplete=None, turnComplete=None)
    yield from left(message)


def _replayed(message: Message, _: None, talk: Talk) -> Later:
    heard = content(message).get(HEARD)
    if heard is not None:
        talk.shared["replayed-after-resume"] = heard["text"]
    yield 0.0, message
    if "setupComplete" in message and talk.resumed and "replayed-after-resume" in talk.shared:
        yield 0.0, heard_text(talk.shared["replayed-after-resume"])


def _usage_gap(message: Message, tokens: int, talk: Talk) -> Later:
    bill = message.get("usageMetadata")
    if bill is not None:
        counts = ("promptTokenCount", "totalTokenCount")
        message = message | {
            "usageMetadata": bill | {name: bill.get(name, 0) + tokens for name in counts}
        }
    yield 0.0, message


def _error_message(message: Message, status: int, talk: Talk) -> Later:
    if not content(message):
        yield 0.0, message
    elif not talk.memory.get("error-message"):
        talk.memory["error-message"] = True
        said = {"code": status, "message": "an error of the emulator's", "status": "UNAVAILABLE"}
        yield 0.0, {"error": said}


_FLOOD_S: Final = 120
"""Longer than a client should wait for silence."""


def _flood(message: Message, a_second: int, talk: Talk) -> Later:
    yield 0.0, message
    if "setupComplete" in message:
        for number in range(a_second * _FLOOD_S):
            talk.say({"sessionResumptionUpdate": {}}, number / a_second)


QUIRKS: Final = (
    Quirk(
        name="premature-turn-complete",
        does="turnComplete comes before a turn's first text as well.",
        source="googleapis/python-genai#2117",
        says=_premature,
    ),
    Quirk(
        name="missing-turn-complete",
        does="turnComplete never comes.",
        source="google-gemini/gemini-live-api-examples#56",
        says=_missing_turn_complete,
    ),
    Quirk(
        name="duplicate-turn-complete",
        does="turnComplete comes twice.",
        source="googleapis/js-genai#707",
        says=_duplicate_turn_complete,
    ),
    Quirk(
        name="late-turn-complete",
        takes=duration("10s"),
        does="turnComplete comes VALUE late.",
        source="livekit/agents#6431, google-gemini/cookbook#1346",
        says=_late_turn_complete,
    ),
    Quirk(
        name="extra-turns",
        does="A turnComplete follows every fragment of transcription: one turn looks like many.",
        source="googleapis/python-genai#1224, google-gemini/gemini-live-api-examples#37",
        says=_extra_turns,
    ),
    Quirk(
        name="phantom-interruption",
        does="A turn that nobody interrupted is said to be interrupted.",
        source="google-gemini/live-api-web-console#142, dograh-hq/dograh#687",
        says=_phantom,
    ),
    Quirk(
        name="rejected-turn",
        takes=Parameter(
            kind="choice",
            default="RESPONSE_REJECTED",
            choices=("RESPONSE_REJECTED", "PROHIBITED_INPUT_CONTENT", "GENERATED_AUDIO_SAFETY"),
        ),
        does="A turn brings no text and ends with the reason VALUE.",
        source="google-gemini/gemini-live-api-examples#40",
        says=_rejected,
    ),
    Quirk(
        name="endless-turn",
        does="audioStreamEnd is ignored: under automatic detection only silence ends a turn.",
        source="googleapis/python-genai#1328",
        hears=_endless_turn,
    ),
    Quirk(
        name="long-reply",
        takes=whole("2000", most="1000000"),
        does="Every part of a reply has VALUE words.",
        source="a model answers although only transcription is wanted",
        says=_long_reply,
    ),
    Quirk(
        name="stray-output",
        does="An outputTranscription that was not asked for ends every turn.",
        source="livekit/agents#3192",
        says=_stray_output,
    ),
    Quirk(
        name="all-at-once",
        does="A whole turn comes in one frame with all its fields.",
        source="google-gemini/gemini-skills: 3.x models put several fields into a frame",
        says=_all_at_once,
    ),
    Quirk(
        name="missing-usage",
        does="usageMetadata never comes.",
        source="BerriAI/litellm-docs#1052",
        says=_missing_usage,
    ),
    Quirk(
        name="late-usage",
        takes=duration("1s"),
        does="usageMetadata comes in a frame of its own, VALUE after the turn's end.",
        source="the Live API guides: “periodically”",
        says=_late_usage,
    ),
    Quirk(
        name="other-usage-names",
        does="usageMetadata has the other platform's names, candidates… for response….",
        source="google-genai's converters",
        says=_other_usage_names,
    ),
    Quirk(
        name="usage-gap",
        takes=whole("40"),
        does="A bill's prompt has VALUE tokens more than its modalities have together.",
        source="the developers' forum, thread 188765",
        says=_usage_gap,
    ),
    Quirk(
        name="growing-delay",
        takes=duration("100ms"),
        does="Everything comes VALUE later for every second that the session has lasted.",
        source="googleapis/python-genai#1859",
        says=_growing_delay,
    ),
    Quirk(
        name="dead-after-resume",
        does="In a resumed session transcription lives on, and no turn is ever answered or ended.",
        source="yagudaev/voiceclaw#255",
        says=_dead_after_resume,
    ),
    Quirk(
        name="replayed-after-resume",
        does="A resumed session begins with the last of the transcription once more.",
        source="yagudaev/voiceclaw#164",
        says=_replayed,
    ),
    Quirk(
        name="slow-setup",
        takes=duration("5s"),
        does="setupComplete comes VALUE late.",
        source="OpenWhispr/openwhispr#2062",
        says=_slow_setup,
    ),
    Quirk(
        name="no-setup-complete",
        does="setupComplete never comes.",
        source="DevEmperor/DictateKeyboard#292",
        says=_no_setup_complete,
    ),
    Quirk(
        name="mute",
        does="Nothing comes after setupComplete; the connection lives.",
        source="google-gemini/cookbook#1346",
        says=_mute,
    ),
    Quirk(
        name="error-message",
        takes=whole("503"),
        does="Instead of an answer comes an error message with the status VALUE.",
        source="some clients expect them; that the service sends them is uncertain",
        says=_error_message,
    ),
    Quirk(
        name="flood",
        takes=whole("20", most="1000"),
        does="From setupComplete on VALUE empty messages a second come, for two minutes.",
        source="a hostile service",
        says=_flood,
    ),
)
"""In the order in which they are applied."""
