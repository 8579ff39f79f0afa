"""What the service takes: names, enum values, and the fields that each platform, API version, model and era has.

Used by the server machine to refuse and by the client to check a setup before anything is sent. Every check raises
`Refused` with the service's own words (`refusals`). Knows one message at a time; order is `server`'s business.

`era="guide"` is the service as the guides of autumn 2025 describe it: a field that came later is an unknown name.
Dates of fields: changelog of the SDK `google-genai`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.wire.live import catalogue, refusals
from harness.wire.live.codec import excerpt
from harness.wire.live.messages import (
    AudioTranscriptionConfig,
    AutomaticActivityDetection,
    ClientMessage,
    FunctionDeclaration,
    FunctionResponse,
    GenerationConfig,
    Message,
    RealtimeInputConfig,
    SessionResumptionConfig,
    Setup,
    ThinkingConfig,
)
from harness.wire.live.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.wire.live.catalogue import Era, Modality, Model
    from harness.wire.live.endpoint import Route

# ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_Place = tuple[type[Message], str]

_ENUMS: dict[_Place, tuple[str, frozenset[str]]] = {
    (GenerationConfig, "response_modalities"): (
        "GenerationConfig.Modality",
        frozenset({"MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO"}),
    ),
    (GenerationConfig, "media_resolution"): (
        "GenerationConfig.MediaResolution",
        frozenset({f"MEDIA_RESOLUTION_{one}" for one in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH")}),
    ),
    (ThinkingConfig, "thinking_level"): (
        "ThinkingConfig.ThinkingLevel",
        frozenset({"THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH"}),
    ),
    (AutomaticActivityDetection, "start_of_speech_sensitivity"): (
        "RealtimeInputConfig.AutomaticActivityDetection.StartSensitivity",
        frozenset({f"START_SENSITIVITY_{one}" for one in ("UNSPECIFIED", "LOW", "HIGH")}),
    ),
    (AutomaticActivityDetection, "end_of_speech_sensitivity"): (
        "RealtimeInputConfig.AutomaticActivityDetection.EndSensitivity",
        frozenset({f"END_SENSITIVITY_{one}" for one in ("UNSPECIFIED", "LOW", "HIGH")}),
    ),
    (RealtimeInputConfig, "activity_handling"): (
        "RealtimeInputConfig.ActivityHandling",
        frozenset(
            {"ACTIVITY_HANDLING_UNSPECIFIED", "START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"}
        ),
    ),
    (RealtimeInputConfig, "turn_coverage"): (
        "RealtimeInputConfig.TurnCoverage",
        frozenset(
            {
                "TURN_COVERAGE_UNSPECIFIED",
                "TURN_INCLUDES_ONLY_ACTIVITY",
                "TURN_INCLUDES_ALL_INPUT",
                "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
            }
        ),
    ),
    (AudioTranscriptionConfig, "mode"): (
        "AudioTranscriptionConfig.Mode",
        frozenset({"MODE_UNSPECIFIED", "VERBATIM", "SMART"}),
    ),
    (FunctionDeclaration, "behavior"): (
        "FunctionDeclaration.Behavior",
        frozenset({"UNSPECIFIED", "BLOCKING", "NON_BLOCKING"}),
    ),
    (FunctionResponse, "scheduling"): (
        "FunctionResponse.Scheduling",
        frozenset({"SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"}),
    ),
}
"""Closed sets of names: the proto's type name and its values."""

_LATER: dict[_Place, str] = {
    (Setup, "explicit_vad_signal"): "2025-12",
    (ThinkingConfig, "thinking_level"): "2025-11",
    (Setup, "history_config"): "2026-03",
    (GenerationConfig, "translation_config"): "2026-06",
    (AudioTranscriptionConfig, "language_codes"): "2026-07",
    (AudioTranscriptionConfig, "language_hints"): "2026-06",
    (AudioTranscriptionConfig, "language_auto"): "2026-06",
    (AudioTranscriptionConfig, "custom_vocabulary"): "2026-08",
    (AudioTranscriptionConfig, "adaptation_phrases"): "2026-06",
    (AudioTranscriptionConfig, "mode"): "2026-08",
    (AudioTranscriptionConfig, "word_timestamp"): "2026-08",
    (AudioTranscriptionConfig, "diarization"): "2026-08",
    (Setup, "safety_settings"): "2026",
    (Setup, "labels"): "2026",
    (Setup, "avatar_config"): "2026",
    (ClientMessage, "context_update"): "2026-09",
}
"""Fields that came after the guides, and the month."""

_LATER_VALUES: dict[_Place, frozenset[str]] = {
    (RealtimeInputConfig, "turn_coverage"): frozenset(
        {"TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"}
    ),
}

_VERTEX_ONLY: frozenset[_Place] = frozenset(
    {(Setup, "explicit_vad_signal"), (SessionResumptionConfig, "transparent")}
)
_V1ALPHA_ONLY: frozenset[_Place] = frozenset(
    {(Setup, "proactivity"), (GenerationConfig, "enable_affective_dialog")}
)
"""On the Developer API these need v1alpha (capabilities guide); that the others do not know the names is uncertain."""


def check_names(message: ClientMessage, route: Route, era: Era) -> None:
    """Raise Refused for the first name or enum value in `message` that this platform, version and era do not have."""
    for place, wire_name, value, path in _fields_set(message, ""):
        if place is None or not _has_field(place, route, era):
            where = f" at '{path}'" if path else ""
            raise Refused(
                refusals.UNKNOWN_NAME,
                refusals.UNKNOWN_NAME.text(name=excerpt(wire_name), where=where),
            )
        if enum := _ENUMS.get(place):
            names = enum[1] - (_LATER_VALUES.get(place, frozenset()) if era == "guide" else set())
            for name in value if isinstance(value, list) else [value]:
                if name not in names:
                    field = f"{path}.{place[1]}"
                    problem = f"'{field}' (type.googleapis.com/google.ai.generativelanguage.v1beta.{enum[0]}), \"{excerpt(name)}\""
                    raise Refused(
                        refusals.INVALID_VALUE, refusals.INVALID_VALUE.text(problem=problem)
                    )


def _has_field(place: _Place, route: Route, era: Era) -> bool:
    return not (
        (era == "guide" and place in _LATER)
        or (route.platform == "gemini" and place in _VERTEX_ONLY)
        or (route.platform == "gemini" and route.version != "v1alpha" and place in _V1ALPHA_ONLY)
    )


def _fields_set(message: Message, path: str) -> Iterator[tuple[_Place | None, str, Any, str]]:
    """Yield (place, or None when unknown; name on the wire; value; path of its parent) of all that `message` sets."""
    for name, value in message.unknown.items():
        yield None, name, value, path
    kind = type(message)
    for name, wire_name in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        value = getattr(message, name)
        # A number that is 0 says something; every other empty value is a default.
        if name == "unknown" or (
            not value and (value is False or not isinstance(value, (int, float)))
        ):
            continue
        yield (kind, name), wire_name, value, path
        inner = f"{path}.{name}" if path else name
        if isinstance(value, Message):
            yield from _fields_set(value, inner)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Message):
                    yield from _fields_set(item, f"{inner}[{index}]")


# ── Setup ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_MODEL_NAME = {
    "gemini": re.compile(r"(?:models/)?([^/]+)"),
    "vertex": re.compile(
        r"(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/google/models/)?([^/]+)"
    ),
}
"""How `setup.model` names a model. Bare ids: the Vertex overview's sample sends one; on the Developer API uncertain."""

_VERTEX_TRIGGER_TOKENS = range(5_000, 128_001)
"""`contextWindowCompression.triggerTokens` on Vertex AI. Source: its session management page."""


def model_of(setup: Setup, route: Route, era: Era) -> Model:
    """Return the model a setup names; Refused when this platform, version and era do not serve it."""
    named = _MODEL_NAME[route.platform].fullmatch(setup.model)
    model = catalogue.find(named[1]) if named else None
    if (
        model is not None
        and route.platform in model.platforms
        and not (era == "guide" and model.era == "later")
    ):
        return model
    if route.platform == "vertex":
        refusal = refusals.PUBLISHER_MODEL_NOT_FOUND
        raise Refused(refusal, refusal.text(model=excerpt(setup.model)))
    refusal = refusals.MODEL_NOT_FOUND
    shown = excerpt(setup.model.removeprefix("models/"))
    raise Refused(refusal, refusal.text(model=shown, version=route.version))


def modality_of(setup: Setup, model: Model, route: Route) -> Modality:
    """Return the one modality the session answers in; Refused when the setup asks for what the model has not."""
    config = setup.generation_config
    asked = [
        one
        for one in (config.response_modalities if config else ())
        if one != "MODALITY_UNSPECIFIED"
    ]
    match asked:
        case []:
            # The service's default is AUDIO, for the models that have it.
            return "AUDIO" if "AUDIO" in model.modalities else model.modalities[0]
        case ["TEXT" | "AUDIO" as one] if one in model.modalities:
            return one
        case ["TEXT"] if route.platform == "gemini":
            raise Refused(refusals.TEXT_ON_NATIVE_AUDIO)
        case ["AUDIO"]:
            raise Refused(refusals.MODALITIES, refusals.MODALITIES.text(modalities="AUDIO"))
        case _:
            raise Refused(refusals.INVALID_ARGUMENT)


def check_setup(setup: Setup, route: Route, era: Era = "later") -> tuple[Model, Modality]:
    """Return the model and the modality of a setup; Refused when it breaks a rule of the service."""
    check_names(ClientMessage(setup=setup), route, era)
    model = model_of(setup, route, era)
    modality = modality_of(setup, model, route)
    config = setup.generation_config or GenerationConfig()
    if (thinking := config.thinking_config) and not (
        model.thinking_levels if thinking.thinking_level else model.thinking
    ):
        raise Refused(refusals.THINKING)
    _check_voice(config, model)
    if not all(_allowed(setup, config, model, route)):
        raise Refused(refusals.INVALID_ARGUMENT)
    return model, modality


def _check_voice(config: GenerationConfig, model: Model) -> None:
    speech = config.speech_config
    voice = speech.voice_config if speech else None
    prebuilt = voice.prebuilt_voice_config if voice else None
    name = prebuilt.voice_name if prebuilt else None
    known = {one.casefold() for one in catalogue.voices(model.kind)}
    if name and name.casefold() not in known:
        text = refusals.UNKNOWN_VOICE.text(voice=excerpt(name), model=f"models/{model.id}")
        raise Refused(refusals.UNKNOWN_VOICE, text)


def _allowed(setup: Setup, config: GenerationConfig, model: Model, route: Route) -> Iterator[bool]:
    """Yield whether each rule holds for which the service has no words but “invalid argument”."""
    yield model.affective or not config.enable_affective_dialog
    yield model.proactive or not (setup.proactivity and setup.proactivity.proactive_audio)
    yield model.kind == "translate" or config.translation_config is None
    for transcription in (setup.input_audio_transcription, setup.output_audio_transcription):
        # Guide-era and conversational models take the object empty only (DevEmperor/DictateKeyboard#292).
        empty = transcription in (None, AudioTranscriptionConfig())
        yield model.transcription_hints or empty
    yield model.async_functions or all(
        function.behavior != "NON_BLOCKING"
        for tool in setup.tools
        for function in tool.function_declarations
    )
    compression = setup.context_window_compression
    if compression and compression.trigger_tokens is not None and route.platform == "vertex":
        yield compression.trigger_tokens in _VERTEX_TRIGGER_TOKENS
