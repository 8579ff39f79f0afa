"""What a session is answered, and in which order: everything that was seen of Live services, one quirk each.

Knows messages. Does not know connections and how they end (`endings`), or how a message is written (`frames`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from harness.emulator.quirks.quirk import Parameter, Quirk, content, field

if TYPE_CHECKING:
    from harness.emulator.quirks.quirk import Later, Message, Talk
    from harness.units import Seconds

_HEARD: Final = "inputTranscription"


def _with(message: Message, **fields: Any) -> Message:
    """Return `message` with these fields of its content instead; None takes one away."""
    changed = {k: v for k, v in (content(message) | fields).items() if v is not None}
    rest = {k: v for k, v in message.items() if k != "serverContent"}
    return ({"serverContent": changed} if changed else {}) | rest


def _only(message: Message) -> Later:
    """Yield what is left of a message, if anything is."""
    if message:
        yield 0.0, message


def _heard(text: str, **more: Any) -> Message:
    return {"serverContent": {_HEARD: {"text": text}} | more}


_TURN_OVER: Final[Message] = {"serverContent": {"turnComplete": True}}

# ── When ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _late_transcription(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield (seconds if _HEARD in content(message) else 0.0), message


def _late_tail(message: Message, seconds: Seconds, talk: Talk) -> Later:
    late = _HEARD in content(message) and talk.texts > 1
    yield (seconds * (talk.texts - 1) if late else 0.0), message


def _shuffled(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield (talk.chance.uniform(0, seconds) if _HEARD in content(message) else 0.0), message


def _late_turn_complete(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield (seconds if "turnComplete" in content(message) else 0.0), message


def _growing_delay(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield talk.since_ready_s * seconds, message


def _slow_setup(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield (seconds if "setupComplete" in message else 0.0), message


def _late_usage(message: Message, seconds: Seconds, talk: Talk) -> Later:
    bill = message.get("usageMetadata")
    yield from _only({k: v for k, v in message.items() if k != "usageMetadata"})
    if bill is not None:
        yield seconds, {"usageMetadata": bill}


# ── Ends of turns ────────────────────────────────────────────────────────────────────────────────────────────────────


def _premature(message: Message, _: None, talk: Talk) -> Later:
    if _HEARD in content(message) and talk.texts == 1:
        yield 0.0, _TURN_OVER
    yield 0.0, message


def _missing_turn_complete(message: Message, _: None, talk: Talk) -> Later:
    yield from _only(_with(message, turnComplete=None) if content(message) else message)


def _duplicate_turn_complete(message: Message, _: None, talk: Talk) -> Later:
    yield 0.0, message
    if "turnComplete" in content(message):
        yield 0.0, _TURN_OVER


def _extra_turns(message: Message, _: None, talk: Talk) -> Later:
    yield 0.0, message
    if _HEARD in content(message):
        yield 0.0, _TURN_OVER


def _phantom(message: Message, _: None, talk: Talk) -> Later:
    if "generationComplete" in content(message):
        message = _with(message, generationComplete=None, interrupted=True)
    yield 0.0, message


def _rejected(message: Message, reason: str, talk: Talk) -> Later:
    said = content(message)
    if "turnComplete" in said:
        yield 0.0, _with(message, turnCompleteReason=reason)
    elif not said:
        yield 0.0, message


def _endless_turn(message: Message, _: None, talk: Talk) -> Message | None:
    realtime = field(message, "realtimeInput") or {}
    return None if field(realtime, "audioStreamEnd") else message


# ── Text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _missing_transcription(message: Message, _: None, talk: Talk) -> Later:
    yield from _only(_with(message, inputTranscription=None) if content(message) else message)


def _interim_only(message: Message, _: None, talk: Talk) -> Later:
    heard = content(message).get(_HEARD)
    if heard is None:
        yield 0.0, message
        return
    so_far = "" if talk.texts == 1 else talk.memory.get("interim-only", "")
    talk.memory["interim-only"] = so_far + heard["text"]
    interim = {"text": talk.memory["interim-only"]}
    yield 0.0, _with(message, inputTranscription=None, interimInputTranscription=interim)


def _repeated_text(message: Message, _: None, talk: Talk) -> Later:
    yield 0.0, message
    if _HEARD in content(message):
        yield 0.0, message


def _invented_text(message: Message, _: None, talk: Talk) -> Later:
    if "turnComplete" in content(message):
        yield 0.0, _heard(" Thanks for watching!")
    yield 0.0, message


def _wrong_script(message: Message, _: None, talk: Talk) -> Later:
    heard = content(message).get(_HEARD)
    if heard is not None:
        message = _with(message, inputTranscription={"text": re.sub(r"\w+", "शब्द", heard["text"])})
    yield 0.0, message


def _split_words(message: Message, most: int, talk: Talk) -> Later:
    heard = content(message).get(_HEARD)
    if heard is None:
        yield 0.0, message
        return
    text, size = heard["text"], max(1, most)
    for start in range(0, len(text), size):
        yield 0.0, _with(message, inputTranscription={"text": text[start : start + size]})


def _spaced(message: Message, _: None, talk: Talk) -> Later:
    heard = content(message).get(_HEARD)
    if heard is not None:
        message = _with(message, inputTranscription={"text": " " + " ".join(heard["text"].strip())})
    yield 0.0, message


def _unpunctuated(message: Message, _: None, talk: Talk) -> Later:
    heard = content(message).get(_HEARD)
    if heard is not None:
        plain = re.sub(r"[^\w\s']", "", heard["text"]).lower()
        message = _with(message, inputTranscription=heard | {"text": plain})
    yield 0.0, message


def _verbatim_anyway(message: Message, _: None, talk: Talk) -> Message | None:
    setup = field(message, "setup")
    asked = field(setup, "inputAudioTranscription") if isinstance(setup, dict) else None
    if not isinstance(setup, dict) or not isinstance(asked, dict) or asked.get("mode") != "SMART":
        return message
    others = {k: v for k, v in setup.items() if v is not asked}
    verbatim = asked | {"mode": "VERBATIM"}
    return {"setup": others | {"inputAudioTranscription": verbatim}}


def _long_reply(message: Message, words: int, talk: Talk) -> Later:
    if "modelTurn" in content(message):
        parts = [{"text": "word " * words}]
        message = _with(message, modelTurn={"role": "model", "parts": parts})
    yield 0.0, message


def _stray_output(message: Message, _: None, talk: Talk) -> Later:
    if "turnComplete" in content(message):
        yield 0.0, {"serverContent": {"outputTranscription": {"text": " stray"}}}
    yield 0.0, message


def _lost_start(message: Message, seconds: Seconds, talk: Talk) -> Message | None:
    realtime = field(message, "realtimeInput") or {}
    return None if field(realtime, "audio") and talk.audio_s <= seconds else message


def _deaf_below(message: Message, seconds: Seconds, talk: Talk) -> Later:
    if not content(message) or talk.audio_s >= seconds:
        yield 0.0, message


# ── Everything else ──────────────────────────────────────────────────────────────────────────────────────────────────


def _mute(message: Message, _: None, talk: Talk) -> Later:
    if "setupComplete" in message:
        yield 0.0, message


def _no_setup_complete(message: Message, _: None, talk: Talk) -> Later:
    yield from _only({k: v for k, v in message.items() if k != "setupComplete"})


def _missing_usage(message: Message, _: None, talk: Talk) -> Later:
    yield from _only({k: v for k, v in message.items() if k != "usageMetadata"})


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
        if name == _HEARD and before:
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
        message = _with(message, modelTurn=None, generationComplete=None, turnComplete=None)
    yield from _only(message)


def _replayed(message: Message, _: None, talk: Talk) -> Later:
    heard = content(message).get(_HEARD)
    if heard is not None:
        talk.shared["replayed-after-resume"] = heard["text"]
    yield 0.0, message
    if "setupComplete" in message and talk.resumed and "replayed-after-resume" in talk.shared:
        yield 0.0, _heard(talk.shared["replayed-after-resume"])


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


def _duration(default: str) -> Parameter:
    return Parameter(kind="duration", default=default)


def _count(default: str) -> Parameter:
    return Parameter(kind="count", default=default)


ORDER = "generative_service.proto: transcription comes in no order with anything else"

QUIRKS: Final = (
    Quirk(
        name="late-transcription",
        takes=_duration("2s"),
        does="Input transcription comes VALUE late, so after turnComplete.",
        source="pipecat-ai/pipecat#1788, googleapis/python-genai#2348",
        says=_late_transcription,
    ),
    Quirk(
        name="late-tail",
        takes=_duration("1500ms"),
        does="Each fragment of transcription after a turn's first comes VALUE after the one before.",
        source="OpenWhispr/openwhispr#2237, DevEmperor/DictateKeyboard#372",
        says=_late_tail,
    ),
    Quirk(
        name="shuffled",
        takes=_duration("1s"),
        does="Fragments of transcription are held back by up to VALUE each, in any order.",
        source=ORDER,
        says=_shuffled,
    ),
    Quirk(
        name="missing-transcription",
        does="No input transcription at all.",
        source="googleapis/python-genai#1279",
        says=_missing_transcription,
    ),
    Quirk(
        name="interim-only",
        does="Transcription comes as interimInputTranscription alone and is never made final.",
        source="OpenWhispr/openwhispr#2263",
        says=_interim_only,
    ),
    Quirk(
        name="repeated-text",
        does="Every fragment of transcription comes twice.",
        source="google-gemini/cookbook#1346",
        says=_repeated_text,
    ),
    Quirk(
        name="invented-text",
        does="A sentence that nobody said ends every turn's transcription.",
        source="livekit/agents#3551, google-gemini/cookbook#1345",
        says=_invented_text,
    ),
    Quirk(
        name="wrong-script",
        does="The transcription is in another language and script.",
        source="googleapis/js-genai#911, livekit/livekit#4338",
        says=_wrong_script,
    ),
    Quirk(
        name="split-words",
        takes=_count("3"),
        does="Fragments of transcription have at most VALUE characters, wherever words end.",
        source="google-gemini/cookbook#951",
        says=_split_words,
    ),
    Quirk(
        name="unpunctuated",
        does="The transcription has neither punctuation nor capitals.",
        source="OpenWhispr/openwhispr#2062: languageCodes alone",
        says=_unpunctuated,
    ),
    Quirk(
        name="verbatim-anyway",
        does="A dedicated model transcribes word for word although SMART was asked for.",
        source="zachlatta/freeflow#305: beside languageCodes",
        hears=_verbatim_anyway,
    ),
    Quirk(
        name="spaced-characters",
        does="The transcription has a space between all characters.",
        source="Project-N-E-K-O/N.E.K.O#788",
        says=_spaced,
    ),
    Quirk(
        name="lost-start",
        takes=_duration("1s"),
        does="The first VALUE of a turn's audio is not heard.",
        source="google-gemini/gemini-live-api-examples#26",
        hears=_lost_start,
    ),
    Quirk(
        name="deaf-below",
        takes=_duration("2s"),
        does="A turn with less than VALUE of audio is answered with nothing.",
        source="googleapis/python-genai#2903",
        says=_deaf_below,
    ),
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
        takes=_duration("10s"),
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
        takes=_count("2000"),
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
        takes=_duration("1s"),
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
        takes=_count("40"),
        does="A bill's prompt has VALUE tokens more than its modalities have together.",
        source="the developers' forum, thread 188765",
        says=_usage_gap,
    ),
    Quirk(
        name="growing-delay",
        takes=_duration("100ms"),
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
        takes=_duration("5s"),
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
        takes=_count("503"),
        does="Instead of an answer comes an error message with the status VALUE.",
        source="some clients expect them; that the service sends them is uncertain",
        says=_error_message,
    ),
    Quirk(
        name="flood",
        takes=_count("20"),
        does="From setupComplete on VALUE empty messages a second come, for two minutes.",
        source="a hostile service",
        says=_flood,
    ),
)
"""In the order in which they are applied."""
