"""Fields of the setup: each does what is said of it, and one that is said to do nothing does nothing."""

from __future__ import annotations

import asyncio

import pytest

from harness.clock import run_virtual
from harness.emulator.conversation.handles import Handles, Life, Saved
from harness.emulator.model.context import Context
from harness.wire.live import codec
from harness.wire.live.endpoint import Route
from harness.wire.live.messages import Setup
from harness.wire.live.rules import require_taken
from tests.emulator.memory import VERTEX, Call, Drone, script, turn
from tests.emulator.signals import burst, hush
from tests.emulator.test_calls import answering
from tests.setup_fields import FIELDS, NOTHING, paths

BETA = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
ALPHA = BETA.replace("v1beta", "v1alpha")
HALF = "models/gemini-live-2.5-flash-preview"
NATIVE = "models/gemini-2.5-flash-native-audio-preview-12-2025"
DEDICATED = "models/gemini-3.5-transcribe-live"
TRANSLATE = "models/gemini-3.5-live-translate-preview"
EXTENDED = "models/gemini-3.8-live-extended-thinking"
VERTEX_HALF = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash"

TEXT = {"responseModalities": ["TEXT"]}
AUDIO = {"responseModalities": ["AUDIO"]}
FUNCTION = {"functionDeclarations": [{"name": "f"}]}
LONG = {"say": "word " * 400}
SEARCHED = {"grounding": {"webSearchQueries": ["x"]}, "say": "Found."}
DETECT = "realtimeInputConfig.automaticActivityDetection."


def example(value, model=HALF, path=BETA, answers=None, **base):
    """Return a value for a field, and the session in which it is tried."""
    return {"value": value, "model": model, "path": path, "answers": answers, "base": base}


def written(value, **more):
    """Return the same, with answers in text."""
    return example(value, **{"generationConfig": TEXT, "inputAudioTranscription": {}} | more)


def spoken(value, model=NATIVE, path=ALPHA, **more):
    """Return the same, with answers in speech."""
    return example(value, model, path, **{"generationConfig": AUDIO} | more)


def dedicated(value, **more):
    """Return the same for a model that does nothing but transcribe."""
    return example(value, DEDICATED, **more)


EXAMPLES = {
    "model": example(DEDICATED),
    "generationConfig.responseModalities": example(["TEXT"]),
    "generationConfig.maxOutputTokens": written(1),
    "generationConfig.temperature": written(1.5),
    "generationConfig.topP": written(0.5),
    "generationConfig.topK": written(7),
    "generationConfig.candidateCount": written(1),
    "generationConfig.seed": written(7),
    "generationConfig.presencePenalty": written(0.5),
    "generationConfig.frequencyPenalty": written(0.5),
    "generationConfig.speechConfig.voiceConfig.prebuiltVoiceConfig.voiceName": spoken("Kore"),
    "generationConfig.speechConfig.voiceConfig.replicatedVoiceConfig": spoken({"mimeType": "audio/pcm", "voiceSampleAudio": "AAAA"}),
    "generationConfig.speechConfig.voiceConfig.voice": spoken("voices/mine"),
    "generationConfig.speechConfig.languageCode": spoken("de-DE"),
    "generationConfig.speechConfig.multiSpeakerVoiceConfig": spoken({}),
    "generationConfig.mediaResolution": written("MEDIA_RESOLUTION_LOW"),
    "generationConfig.thinkingConfig.thinkingBudget": spoken(
        1, answers={"think": "It is a long thought.", "say": "Yes."}
    ),
    "generationConfig.thinkingConfig.includeThoughts": spoken(
        True, answers={"think": "A thought.", "say": "Yes."}
    ),
    "generationConfig.thinkingConfig.thinkingLevel": example(
        "HIGH", EXTENDED, generationConfig=AUDIO | {"thinkingConfig": {"thinkingLevel": "LOW"}}
    ),
    "generationConfig.enableAffectiveDialog": spoken(True),
    "generationConfig.enableEnhancedCivicAnswers": written(True),
    "generationConfig.translationConfig.targetLanguageCode": example("de", TRANSLATE),
    "generationConfig.translationConfig.echoTargetLanguage": example(True, TRANSLATE),
    "systemInstruction": written({"parts": [{"text": "Be brief, and then be brief again."}]}),
    "tools.functionDeclarations": written([FUNCTION], answers={"call": {"name": "f"}}),
    "tools.googleSearch": written([{"googleSearch": {}}], answers=SEARCHED),
    "tools.googleSearchRetrieval": written([{"googleSearchRetrieval": {}}], answers=SEARCHED),
    "tools.*": written([{"codeExecution": {}}, {"urlContext": {}}, {"googleMaps": {}}]),
    DETECT + "disabled": written(True),
    DETECT + "startOfSpeechSensitivity": written("START_SENSITIVITY_LOW"),
    DETECT + "endOfSpeechSensitivity": written("END_SENSITIVITY_LOW"),
    DETECT + "prefixPaddingMs": written(300),
    DETECT + "silenceDurationMs": written(1500),
    "realtimeInputConfig.activityHandling": written("NO_INTERRUPTION", answers=LONG),
    "realtimeInputConfig.turnCoverage": written("TURN_INCLUDES_ONLY_ACTIVITY"),
    "realtimeInputConfig.interimTranscriptTimestampEnabled": written(True),
    "inputAudioTranscription": example({}, generationConfig=TEXT),
    "inputAudioTranscription.languageCodes": dedicated(["pl-PL"]),
    "inputAudioTranscription.languageHints.languageCodes": dedicated(["pl-PL"]),
    "inputAudioTranscription.customVocabulary": dedicated(["Gdynia"]),
    "inputAudioTranscription.adaptationPhrases": dedicated(["Gdynia"]),
    "inputAudioTranscription.mode": dedicated("SMART"),
    "inputAudioTranscription.*": dedicated({"wordTimestamp": True, "diarization": True, "languageAuto": {}, "sourceText": "hello"}),
    "outputAudioTranscription": spoken({}),
    "outputAudioTranscription.*": dedicated({"wordTimestamp": True, "mode": "SMART"}),
    "sessionResumption": written({}),
    "sessionResumption.handle": written("HANDLE", sessionResumption={}),
    "sessionResumption.transparent": written(True, model=VERTEX_HALF, path=VERTEX, sessionResumption={}),
    "contextWindowCompression": written({}),
    "contextWindowCompression.triggerTokens": written(1, contextWindowCompression={}),
    "contextWindowCompression.slidingWindow.targetTokens": written(
        1, contextWindowCompression={"triggerTokens": 200}
    ),
    "proactivity.proactiveAudio": spoken(True, answers={"silent": True}),
    "proactivity.proactiveVideo": spoken(True),
    "explicitVadSignal": written(True, model=VERTEX_HALF, path=VERTEX),
    "historyConfig.initialHistoryInClientContent": written(True),
    "safetySettings": written([{"category": "HARM_CATEGORY_HARASSMENT"}]),
    "labels": written({"team": "x"}),
    "avatarConfig": written({"avatarName": "x"}),
}  # fmt: skip


class Notes:
    """An ear and a voice that keep what they are asked for."""

    def __init__(self):
        self.asked = []
        self.ear = script(" um hello", " hello world")
        self.appetite = self.ear.appetite
        self.name = "notes"

    def listen(self, languages=(), vocabulary=()):
        self.asked.append((languages, vocabulary))
        return self.ear.listen(languages, vocabulary)


async def session(setup, path, answers, handles):
    """Return all that can be seen of a session in which much is said, shown and written."""
    ear, voice = Notes(), Drone()
    more = {"manners": answering(answers)} if answers else {}
    call = Call(ear, path=path, voice=voice, handles=handles, **more)
    call.say({"setup": setup})
    if call.closed is None:
        await call.stream(hush(1) + burst(0.1) + hush(2) + burst(1) + hush(1) + burst(1) + hush(3))
    picture = {"mimeType": "image/jpeg", "data": "/9j/AAAA"}
    for message in (
        {"realtimeInput": {"video": picture}},
        turn("Tell me."),
        turn("Tell me more of it, as much as there is."),
        *[turn("And more of it, " * 6)] * 7,
    ):
        if call.closed is None:
            call.say(message)
            await asyncio.sleep(10)
    await asyncio.sleep(130)
    story = [(t, {k: v for k, v in m.items() if k != "setupComplete"}) for t, m in call.heard]
    return story, call.closed, call.closed_at, ear.asked, voice.said


def with_field(setup, path, value):
    """Return a setup with a field set; at `*` the fields that the value has."""
    *parents, name = path.split(".")
    changed = inner = dict(setup)
    if parents == ["tools"]:
        return changed | {"tools": value}
    for parent in parents:
        inner[parent] = dict(inner.get(parent, {}))
        inner = inner[parent]
    inner.update(value if name == "*" else {name: value})
    return changed


def seen(path, *, fields):
    """Return what is seen of the example's session, with its field and without."""
    shown = EXAMPLES[path]

    async def scene():
        handles = Handles()
        setup = {"model": shown["model"], **shown["base"]}
        value = shown["value"]
        if value == "HANDLE":
            before = Call(handles=handles)
            before.say({"setup": setup})
            before.say(turn("I was here before."))
            await asyncio.sleep(5)
            value = before.handles[-1]
            before.conversation.gone()
        if fields:
            setup = with_field(setup, path, value)
        return await session(setup, shown["path"], shown["answers"], handles)

    found = run_virtual(scene())
    return _without_names(found)


def _without_names(found):
    """Return it without the handles, which are drawn by lot."""
    story, *rest = found
    for _, message in story:
        message.get("sessionResumptionUpdate", {}).pop("newHandle", None)
    return story, *rest


@pytest.mark.capability("setup: every field, with its defaults", side="emulator")
@pytest.mark.parametrize("field", FIELDS, ids=lambda one: one.path)
def test_a_field_does_what_is_said_of_it(field):
    """A field that does something changes what is seen of a session, and one that does nothing changes nothing."""
    with_it, without = seen(field.path, fields=True), seen(field.path, fields=False)
    assert (field.does == NOTHING) is (with_it == without)


@pytest.mark.capability("setup: every field, with its defaults", side="parts")
@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_may_be_sent(path):
    """The client lets every field's example pass before anything is sent: none of them breaks a rule."""
    shown = EXAMPLES[path]
    fields = with_field(shown["base"], path, shown["value"])
    model = fields.pop("model", shown["model"]).rpartition("/")[2]
    platform = "vertex" if shown["path"] is VERTEX else "gemini"
    version = (
        "v1beta1" if platform == "vertex" else "v1alpha" if shown["path"] is ALPHA else "v1beta"
    )
    setup = codec.message_from(fields, Setup)
    require_taken(setup, model, Route(platform=platform, version=version))


def test_every_field_is_told():
    """No field of a setup is left out of the table, and the table has none that there is not."""
    told = [one.path for one in FIELDS]
    starred = tuple(one.removesuffix("*") for one in told if one.endswith("*"))
    below = (
        "sessionResumption",
        "contextWindowCompression",
        "inputAudioTranscription",
        "outputAudioTranscription",
    )
    there = set(paths())
    assert set() == {one for one in there if one not in told and not one.startswith(starred)}
    assert {one for one in told if not one.endswith("*") and one not in there} == set(below)
    assert told == list(EXAMPLES)


def test_what_a_handle_keeps_is_not_changed_by_whoever_resumes():
    """Two connections that resume one handle go on from the same past, each with a copy of its own."""
    handles = Handles()
    kept = Saved(model="m", context=Context(audio_rate=25), age_s=0.0, life=Life())
    handle = handles.issue(kept)
    first = handles.find(handle)
    first.context.present["TEXT"] = 7
    first.context.audio_s += 3
    second = handles.find(handle)
    assert Context(audio_rate=25) == second.context
    assert second.context is not first.context
