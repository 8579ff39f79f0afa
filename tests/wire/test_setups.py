"""The default setups: each model is asked for what it can give, and `--set` changes what it names."""

from __future__ import annotations

import msgspec
import pytest

from harness.errors import UsageError
from harness.wire.live import codec, rules
from harness.wire.live.catalogue import MODELS
from harness.wire.live.endpoint import Route
from harness.wire.live.messages import Setup
from harness.wire.live.setups import (
    INSTRUCTIONS,
    asking_setup,
    speaking_setup,
    transcription_setup,
    with_overrides,
)

ROUTES = {
    "gemini": Route(platform="gemini", version="v1beta"),
    "vertex": Route(platform="vertex", version="v1beta1"),
}


@pytest.mark.capability("setup: every field, with its defaults", side="parts")
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
@pytest.mark.parametrize("turns", ["manual", "auto"])
@pytest.mark.parametrize("transcript", ["input", "reply", "output"])
def test_every_default_is_one_the_service_takes(model, turns, transcript):
    """A model's default setup breaks no rule on any of its platforms; what it cannot give is said before."""
    can = {
        "input": True,
        "reply": "TEXT" in model.modalities and model.kind != "transcribe",
        "output": "AUDIO" in model.modalities,
    }[transcript]
    if not can:
        with pytest.raises(UsageError, match=model.id):
            transcription_setup(model.id, turns=turns, transcript=transcript)
        return
    setup = transcription_setup(model.id, turns=turns, transcript=transcript)
    assert "" == setup.model
    assert setup.manual_activity is (turns == "manual")
    assert setup.input_audio_transcription is not None
    assert (setup.output_audio_transcription is not None) is (transcript == "output")
    for platform in model.platforms:
        named = msgspec.structs.replace(setup, model=model.id)
        _, modality = rules.check_setup(named, ROUTES[platform])
        assert (
            "TEXT" if "TEXT" in model.modalities and transcript != "output" else "AUDIO"
        ) == modality


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
@pytest.mark.parametrize("transcript", ["reply", "output"])
@pytest.mark.parametrize("turns", ["manual", "auto"])
def test_what_answers_is_asked_as_the_service_takes_it(model, turns, transcript):
    """A setup to speak or to answer breaks no rule of any platform, silence included; who cannot is told before."""
    modality = "TEXT" if transcript == "reply" else "AUDIO"
    converses = model.kind not in ("transcribe", "translate")
    setups = []
    for can, make in (
        (modality in model.modalities, lambda: asking_setup(model.id, turns=turns, transcript=transcript, silence=True)),
        ("AUDIO" in model.modalities, lambda: speaking_setup(model.id)),
    ):  # fmt: skip
        if can and converses:
            setups.append(make())
            continue
        with pytest.raises(UsageError, match=model.id):
            make()
    for setup in setups:
        for platform in model.platforms:
            named = msgspec.structs.replace(setup, model=model.id)
            version = "v1alpha" if platform == "gemini" else "v1beta1"
            rules.check_setup(named, Route(platform=platform, version=version))


DEFAULTS = [
    (
        ("gemini-live-2.5-flash-preview", "manual", "input"),
        {
            "generationConfig": {
                "responseModalities": ["TEXT"],
                "temperature": 0.0,
                "maxOutputTokens": 16,
            },
            "systemInstruction": {"parts": [{"text": INSTRUCTIONS["input"]}]},
            "realtimeInputConfig": {
                "automaticActivityDetection": {"disabled": True},
                "turnCoverage": "TURN_INCLUDES_ALL_INPUT",
            },
            "inputAudioTranscription": {},
        },
    ),
    (
        ("gemini-live-2.5-flash-preview", "auto", "reply"),
        {
            "generationConfig": {"responseModalities": ["TEXT"], "temperature": 0.0},
            "systemInstruction": {"parts": [{"text": INSTRUCTIONS["reply"]}]},
            "inputAudioTranscription": {},
        },
    ),
    (
        ("gemini-3.5-transcribe-live", "auto", "input"),
        {
            "generationConfig": {"responseModalities": ["TEXT"], "temperature": 0.0},
            "inputAudioTranscription": {"mode": "VERBATIM"},
        },
    ),
    (
        ("gemini-99-live", "auto", "input"),
        {
            "generationConfig": {
                "responseModalities": ["AUDIO"],
                "temperature": 0.0,
                "maxOutputTokens": 16,
            },
            "systemInstruction": {"parts": [{"text": INSTRUCTIONS["input"]}]},
            "inputAudioTranscription": {},
        },
    ),
]


@pytest.mark.capability("setup: every field, with its defaults", side="parts")
@pytest.mark.capability("audio in: turn coverage", side="parts")
@pytest.mark.capability("later models: language hints, vocabulary, verbatim mode", side="parts")
@pytest.mark.parametrize("asked, expected", DEFAULTS, ids=lambda value: str(value)[:60])
def test_the_defaults(asked, expected):
    """What is sent by default, word for word."""
    model, turns, transcript = asked
    assert expected == codec.to_json(transcription_setup(model, turns=turns, transcript=transcript))


SETUP = transcription_setup("gemini-live-2.5-flash-preview", turns="manual", transcript="input")


@pytest.mark.capability("setup: every field, with its defaults", side="parts")
@pytest.mark.capability("audio in: sensitivities, padding, silence", side="parts")
@pytest.mark.capability("audio in: activity handling", side="parts")
@pytest.mark.parametrize(
    "path, value, expected",
    [
        ("generationConfig.temperature", "0.5", 0.5),
        ("generationConfig.speechConfig.languageCode", "de-DE", "de-DE"),
        ("generation_config.speech_config.language_code", '"de-DE"', "de-DE"),
        ("generationConfig.responseModalities", '["AUDIO"]', ["AUDIO"]),
        ("generationConfig.seed", '"7"', 7),
        ("realtimeInputConfig.automaticActivityDetection.disabled", "false", None),
        ("inputAudioTranscription", '{"languageCodes": ["de"]}', {"languageCodes": ["de"]}),
        ("systemInstruction", "null", None),
        ("tools", '[{"googleSearch": {}}]', [{"googleSearch": {}}]),
        ("labels.team", "speech", "speech"),
        ("avatarConfig.anything.at.all", "[1]", [1]),
    ],
)
def test_a_set_field_is_set(path, value, expected):
    """A path in either casing sets its field, a value is JSON or else text, null takes the field away."""
    setup = with_overrides(SETUP, [(path, value)])
    got = codec.to_json(setup)
    for step in path.split("."):
        head, *tail = step.split("_")
        got = got.get(head + "".join(map(str.capitalize, tail))) if got else None
    assert expected == got
    # Everything else is as it was.
    removed = with_overrides(setup, [(path, "null")])
    assert with_overrides(SETUP, [(path, "null")]) == removed


def test_overrides_follow_each_other():
    """The last value of a field holds, and earlier ones beside it stay."""
    changed = with_overrides(
        Setup(),
        [
            ("generationConfig.temperature", "1"),
            ("generationConfig.topP", "0.5"),
            ("generationConfig.temperature", "0.2"),
        ],
    )
    assert {"generationConfig": {"temperature": 0.2, "topP": 0.5}} == codec.to_json(changed)
    assert SETUP == with_overrides(SETUP, [])


@pytest.mark.parametrize(
    "path, value, words",
    [
        (
            "generationConfig.temprature",
            "1",
            ["setup.generationConfig", "temprature", "“temperature”", "topP"],
        ),
        ("generatoinConfig.temperature", "1", ["“generationConfig”", "sessionResumption"]),
        ("", "1", ["sessionResumption"]),
        ("generationConfig..seed", "1", ["setup.generationConfig"]),
        ("generationConfig.temperature.x", "1", ["temperature"]),
        ("tools.0.googleSearch", "{}", ["tools", "whole"]),
        ("generationConfig.temperature", "warm", ["temperature", "warm"]),
        ("generationConfig.temperature", "NaN", ["temperature"]),
        ("generationConfig.responseModalities", "true", ["response_modalities", "true"]),
        ("systemInstruction.parts", "1", ["system_instruction.parts"]),
        ("systemInstruction.parts", '[{"videoMetadata": {"startOffset": "1"}}]', ["start_offset"]),
        ("generationConfig", "1", ["generation_config"]),
        ("generationConfig.responseSchema", "{}", ["Live API takes no", "generative_service"]),
        ("model", "m", ["--model"]),
    ],
)
def test_a_wrong_path_or_value_is_said_so(path, value, words):
    """A field that does not exist is named with its neighbours, a value that does not fit with its field."""
    with pytest.raises(UsageError) as caught:
        with_overrides(SETUP, [(path, value)])
    for word in words:
        assert word in str(caught.value)
