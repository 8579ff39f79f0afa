"""What is told of what was heard: late, in pieces, twice, wrong or not at all, one quirk each.

Knows messages. What else a session is answered is `answers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import regex

from harness.emulator.quirks.quirk import (
    HEARD,
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


def _late_transcription(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield (seconds if HEARD in content(message) else 0.0), message


def _late_tail(message: Message, seconds: Seconds, talk: Talk) -> Later:
    late = HEARD in content(message) and talk.texts > 1
    yield (seconds * (talk.texts - 1) if late else 0.0), message


def _shuffled(message: Message, seconds: Seconds, talk: Talk) -> Later:
    yield (talk.chance.uniform(0, seconds) if HEARD in content(message) else 0.0), message


def _missing_transcription(message: Message, _: None, talk: Talk) -> Later:
    yield from left(changed(message, inputTranscription=None) if content(message) else message)


def _interim_only(message: Message, _: None, talk: Talk) -> Later:
    heard = content(message).get(HEARD)
    if heard is None:
        yield 0.0, message
        return
    so_far = "" if talk.texts == 1 else talk.memory.get("interim-only", "")
    talk.memory["interim-only"] = so_far + heard["text"]
    interim = {"text": talk.memory["interim-only"]}
    yield 0.0, changed(message, inputTranscription=None, interimInputTranscription=interim)


def _repeated_text(message: Message, _: None, talk: Talk) -> Later:
    yield 0.0, message
    if HEARD in content(message):
        yield 0.0, message


def _invented_text(message: Message, _: None, talk: Talk) -> Later:
    if "turnComplete" in content(message):
        yield 0.0, heard_text(" Thanks for watching!")
    yield 0.0, message


_WORD: Final = regex.compile(r"[\w\p{M}]+")
_DEVANAGARI: Final = regex.compile(r"\p{Devanagari}")


def _wrong_script(message: Message, _: None, talk: Talk) -> Later:
    heard = content(message).get(HEARD)
    if heard is not None:
        word = "слово" if _DEVANAGARI.search(heard["text"]) else "शब्द"
        message = changed(message, inputTranscription={"text": _WORD.sub(word, heard["text"])})
    yield 0.0, message


def _split_words(message: Message, most: int, talk: Talk) -> Later:
    heard = content(message).get(HEARD)
    if heard is None:
        yield 0.0, message
        return
    text, size = heard["text"], max(1, most)
    for start in range(0, len(text), size):
        yield 0.0, changed(message, inputTranscription={"text": text[start : start + size]})


_MARKS: Final = regex.compile(r"(?!')[\p{P}\p{S}]")


def _unpunctuated(message: Message, _: None, talk: Talk) -> Later:
    heard = content(message).get(HEARD)
    if heard is not None:
        plain = _MARKS.sub("", heard["text"]).lower()
        message = changed(message, inputTranscription=heard | {"text": plain})
    yield 0.0, message


def _verbatim_anyway(message: Message, _: None, talk: Talk) -> Message | None:
    setup = field(message, "setup")
    asked = field(setup, "inputAudioTranscription")
    if not isinstance(setup, dict) or not isinstance(asked, dict) or asked.get("mode") != "SMART":
        return message
    others = {k: v for k, v in setup.items() if v is not asked}
    verbatim = asked | {"mode": "VERBATIM"}
    return {"setup": others | {"inputAudioTranscription": verbatim}}


def _spaced(message: Message, _: None, talk: Talk) -> Later:
    heard = content(message).get(HEARD)
    if heard is not None:
        message = changed(
            message, inputTranscription={"text": " " + " ".join(heard["text"].strip())}
        )
    yield 0.0, message


def _lost_start(message: Message, seconds: Seconds, talk: Talk) -> Message | None:
    realtime = field(message, "realtimeInput")
    return None if field(realtime, "audio") and talk.audio_s <= seconds else message


def _deaf_below(message: Message, seconds: Seconds, talk: Talk) -> Later:
    if not content(message) or talk.audio_s >= seconds:
        yield 0.0, message


_ORDER: Final = "generative_service.proto: transcription comes in no order with anything else"

QUIRKS: Final = (
    Quirk(
        name="late-transcription",
        takes=duration("2s"),
        does="Input transcription comes VALUE late, so after turnComplete.",
        source="pipecat-ai/pipecat#1788, googleapis/python-genai#2348",
        says=_late_transcription,
    ),
    Quirk(
        name="late-tail",
        takes=duration("1500ms"),
        does="Each fragment of transcription after a turn's first comes VALUE after the one before.",
        source="OpenWhispr/openwhispr#2237, DevEmperor/DictateKeyboard#372",
        says=_late_tail,
    ),
    Quirk(
        name="shuffled",
        takes=duration("1s"),
        does="Fragments of transcription are held back by up to VALUE each, in any order.",
        source=_ORDER,
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
        takes=whole("3"),
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
        takes=duration("1s"),
        does="The first VALUE of a turn's audio is not heard.",
        source="google-gemini/gemini-live-api-examples#26",
        hears=_lost_start,
    ),
    Quirk(
        name="deaf-below",
        takes=duration("2s"),
        does="A turn with less than VALUE of audio is answered with nothing.",
        source="googleapis/python-genai#2903",
        says=_deaf_below,
    ),
)
"""In the order in which they are applied."""
