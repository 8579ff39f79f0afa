"""Which names the service knows: fields and enum values of each platform, API version and era.

Every check raises `Refused` with the service's own words and the rule that is broken. Knows one message at a time; what
a setup may ask of a model is `rules`' business, order is `server`'s.

`era="guide"` is the service as the guides of autumn 2025 describe it: a field that came later is an unknown name.
Dates of fields: changelog of the SDK `google-genai`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.wire.live import refusals
from harness.wire.live.assumptions import USUAL, Assumptions
from harness.wire.live.codec import excerpt
from harness.wire.live.messages import (
    AudioTranscriptionConfig,
    AutomaticActivityDetection,
    ClientMessage,
    FunctionDeclaration,
    FunctionResponse,
    GenerationConfig,
    Message,
    Part,
    RealtimeInputConfig,
    SessionResumptionConfig,
    Setup,
    ThinkingConfig,
    Tool,
)
from harness.wire.live.refusals import Refused, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.wire.live.catalogue import Era
    from harness.wire.live.endpoint import Route

_Place = tuple[type[Message], str]

ENUMS: dict[_Place, tuple[str, frozenset[str]]] = {
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

LATER_VALUES: dict[_Place, frozenset[str]] = {
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
"""On the Developer API these need v1alpha (capabilities guide)."""

_GEMINI_ONLY: frozenset[_Place] = frozenset(
    {
        (Setup, "labels"),
        (FunctionResponse, "will_continue"),
        (Part, "part_metadata"),
        (Tool, "file_search"),
    }
)

_PROTO = "google/ai/generativelanguage/v1beta/generative_service.proto"
_SDK = "the SDK google-genai 2.34, whose converters refuse it"
_CHANGELOG = "changelog of the SDK google-genai"
_CAPABILITIES = "Live API capabilities guide, autumn 2025"


def check_names(
    message: ClientMessage, route: Route, era: Era, assumed: Assumptions = USUAL
) -> None:
    """Raise Refused for the first name or enum value in `message` that this platform, version and era do not have."""
    for place, wire_name, value, path in _fields_set(message, ""):
        if place is None and assumed.unknown_fields == "ignored":
            continue
        rule = _broken(place, wire_name, route, era)
        if place in _V1ALPHA_ONLY and rule and assumed.v1alpha_fields == "invalid-argument":
            raise Refused(refusals.INVALID_ARGUMENT, rule=rule)
        if rule is not None or place is None:
            where = f" at '{path}'" if path else ""
            text = refusals.UNKNOWN_NAME.text(name=excerpt(wire_name), where=where)
            raise Refused(refusals.UNKNOWN_NAME, text, rule=rule)
        if enum := ENUMS.get(place):
            values = enum[1] - (LATER_VALUES.get(place, frozenset()) if era == "guide" else set())
            for name in value if isinstance(value, list) else [value]:
                if name not in values:
                    raise _no_value(f"{path}.{place[1]}", wire_name, enum[0], name, values)


def _broken(place: _Place | None, wire_name: str, route: Route, era: Era) -> Rule | None:
    """Return the rule by which this field does not exist here, or None."""
    if place is None:
        return Rule(says=f"the Live API has no field {excerpt(wire_name)}", source=_PROTO)
    if era == "guide" and place in _LATER:
        return Rule(says=f"{wire_name} came in {_LATER[place]}", source=_CHANGELOG)
    if route.platform == "gemini" and place in _VERTEX_ONLY:
        return Rule(says=f"{wire_name} exists on Vertex AI alone", source=_SDK)
    if route.platform == "vertex" and place in _GEMINI_ONLY:
        return Rule(says=f"{wire_name} exists on the Gemini Developer API alone", source=_SDK)
    if route.platform == "gemini" and route.version != "v1alpha" and place in _V1ALPHA_ONLY:
        return Rule(
            says=f"{wire_name} needs the API version v1alpha, and this is {route.version}",
            source=_CAPABILITIES,
        )
    return None


def _no_value(field: str, wire_name: str, kind: str, name: str, values: frozenset[str]) -> Refused:
    problem = f"'{field}' (type.googleapis.com/google.ai.generativelanguage.v1beta.{kind}), \"{excerpt(name)}\""
    named = sorted(value for value in values if not value.endswith("UNSPECIFIED"))
    return Refused(
        refusals.INVALID_VALUE,
        refusals.INVALID_VALUE.text(problem=problem),
        rule=Rule(says=f"{wire_name} is one of {', '.join(named)}", source=_PROTO),
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
