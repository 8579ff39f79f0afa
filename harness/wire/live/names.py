"""Which names the service knows: fields and enum values of each platform, API version and era.

Every check raises `Refused` with the service's own words and the rule that is broken. Knows one message at a time; what
a setup may ask of a model is `rules`' business, order is `server`'s.

`era="guide"` is the service as the guides of autumn 2025 describe it: a field that came later is an unknown name.
Dates of fields: changelog of the SDK `google-genai`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from harness.wire.live import refusals, scalars
from harness.wire.live.assumptions import USUAL, Assumptions
from harness.wire.live.enums import ENUMS, LATER_VALUES, Enum, Place
from harness.wire.live.fields import Message, camel
from harness.wire.live.messages import (
    AudioTranscriptionConfig,
    Blob,
    ClientMessage,
    FunctionCall,
    FunctionResponse,
    FunctionResponsePart,
    GenerationConfig,
    Part,
    ProactivityConfig,
    RealtimeInputConfig,
    SessionResumptionConfig,
    Setup,
    ThinkingConfig,
    VideoMetadata,
    VoiceConfig,
)
from harness.wire.live.refusals import Refused, Rule
from harness.wire.live.scalars import excerpt
from harness.wire.live.tools import GoogleMaps, GoogleSearch, Schema, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.wire.live.catalogue import Era
    from harness.wire.live.endpoint import Route

_ONEOFS: dict[type[Message], tuple[str, tuple[str, ...]]] = {
    ClientMessage: (
        "message_type",
        tuple(name for name in ClientMessage.__struct_fields__ if name != "unknown"),
    ),
    Part: (
        "data",
        (
            "text",
            "inline_data",
            "function_call",
            "function_response",
            "file_data",
            "executable_code",
            "code_execution_result",
        ),
    ),
}
"""Fields of which one message has at most one, and what the proto calls them together."""

_LATER_OF_PARTS = {
    "media_resolution": "2025-11",
    "tool_call": "2026",
    "tool_response": "2026",
    "audio_transcription": "2026-07",
    "media_processing": "2026",
    "speech_metadata": "2026",
    "audio_metadata": "2026",
    "document_metadata": "2026",
    "spreadsheet_metadata": "2026",
}

_LATER: dict[Place, str] = {
    (Setup, "explicit_vad_signal"): "2025-12",
    (ThinkingConfig, "thinking_level"): "2025-11",
    (VoiceConfig, "replicated_voice_config"): "2025-12",
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
    (AudioTranscriptionConfig, "source_text"): "2026",
    (RealtimeInputConfig, "interim_transcript_timestamp_enabled"): "2026",
    (ProactivityConfig, "proactive_video"): "2026",
    (VoiceConfig, "voice"): "2026",
    (VideoMetadata, "content_layers"): "2026",
    (Blob, "display_name"): "2026",
    (Tool, "mcp_servers"): "2026",
    **{(Part, name): month for name, month in _LATER_OF_PARTS.items()},
    **{
        (FunctionResponsePart, name): month
        for name, month in _LATER_OF_PARTS.items()
        if name in FunctionResponsePart.__struct_fields__
    },
    (FunctionResponsePart, "video_metadata"): "2026",
}
"""Fields that came after the guides, and the month."""

_VERTEX_ONLY: frozenset[Place] = frozenset(
    {
        (Setup, "explicit_vad_signal"),
        (SessionResumptionConfig, "transparent"),
        (Schema, "additional_properties"),
        (Schema, "ref"),
        (Schema, "defs"),
        (GoogleSearch, "exclude_domains"),
        (GoogleSearch, "blocking_confidence"),
        (GoogleMaps, "auth_config"),
        (FunctionCall, "partial_args"),
        (FunctionCall, "will_continue"),
        (Tool, "retrieval"),
        (Tool, "enterprise_web_search"),
        (Tool, "parallel_ai_search"),
        (Tool, "exa_ai_search"),
    }
)
_V1ALPHA_ONLY: frozenset[Place] = frozenset(
    {(Setup, "proactivity"), (GenerationConfig, "enable_affective_dialog")}
)
"""On the Developer API these need v1alpha (capabilities guide)."""

_GEMINI_ONLY: frozenset[Place] = frozenset(
    {
        (FunctionResponse, "will_continue"),
        (Part, "part_metadata"),
        (Part, "tool_call"),
        (Part, "tool_response"),
        (GenerationConfig, "enable_enhanced_civic_answers"),
        (Tool, "file_search"),
    }
)

_NOT_LIVE: frozenset[str] = frozenset(
    {
        "audioTimestamp",
        "logprobs",
        "responseJsonSchema",
        "responseLogprobs",
        "responseMimeType",
        "responseSchema",
        "routingConfig",
        "stopSequences",
    }
)
"""Fields of `generationConfig` that exist, and that the Live API takes none of (BidiGenerateContentSetup)."""

_PROTO = "google/ai/generativelanguage/v1beta/generative_service.proto"
_SDK = "the SDK google-genai 3.4, whose converters refuse it"
_CHANGELOG = "changelog of the SDK google-genai"
_CAPABILITIES = "Live API capabilities guide, autumn 2025"


def check_names(
    message: ClientMessage, route: Route, era: Era, assumed: Assumptions = USUAL
) -> None:
    """Raise Refused for the first name or enum value in `message` that this platform, version and era do not have."""
    for inner, path in messages(message):
        _check_oneof(inner, path)
        check_fields(inner, path, route, era, assumed)


def _check_oneof(message: Message, path: str) -> None:
    """Raise Refused when `message` sets two fields of which it may have one."""
    oneof, members = _ONEOFS.get(type(message), ("", ()))
    present = [name for name in members if getattr(message, name) is not None]
    if len(present) > 1:
        problem = (
            f"'{path}' (oneof), oneof field '{oneof}' is already set. Cannot set '{present[1]}'"
        )
        text = refusals.INVALID_VALUE.text(problem=problem)
        raise Refused(
            refusals.INVALID_VALUE,
            text,
            rule=Rule(says=f"there is at most one of {', '.join(members)}", source=_PROTO),
        )


def check_fields(
    message: Message, path: str, route: Route, era: Era, assumed: Assumptions = USUAL
) -> None:
    """Raise Refused for the first field or value of a message at `path` that does not exist here."""
    for place, wire_name, value in _fields_set(message):
        if place is None and wire_name in message.__struct_fields__:
            raise _set_twice(path, wire_name)
        if place is None and assumed.unknown_fields == "ignored":
            continue
        if place is None and (rule := not_live(type(message), wire_name)) is not None:
            raise Refused(refusals.INVALID_ARGUMENT, rule=rule)
        rule = _broken(place, wire_name, route, era)
        if place in _V1ALPHA_ONLY and rule and assumed.v1alpha_fields == "invalid-argument":
            raise Refused(refusals.INVALID_ARGUMENT, rule=rule)
        if rule is not None or place is None:
            where = f" at '{path}'" if path else ""
            text = refusals.UNKNOWN_NAME.text(name=excerpt(wire_name), where=where)
            raise Refused(refusals.UNKNOWN_NAME, text, rule=rule)
        if enum := ENUMS.get(place):
            later = LATER_VALUES.get(place, frozenset()) if era == "guide" else frozenset()
            for name in value if isinstance(value, list) else [value]:
                # A number without a name is kept, as proto JSON does; it asks for nothing.
                if (name not in enum.numbers or name in later) and not scalars.is_number(name):
                    raise _no_value(f"{path}.{place[1]}", wire_name, enum, name, later)


def not_live(kind: type[Message], name: str) -> Rule | None:
    """Return the rule by which a field of `kind` that exists is none of the Live API's, or None."""
    if kind is not GenerationConfig or camel(name) not in _NOT_LIVE:
        return None
    return Rule(says=f"the Live API takes no generationConfig.{camel(name)}", source=_PROTO)


def _broken(place: Place | None, wire_name: str, route: Route, era: Era) -> Rule | None:
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


def _set_twice(path: str, name: str) -> Refused:
    """Return the refusal of a field that comes in both spellings, as protobuf's conformance tests demand it."""
    problem = f"'{path}' (oneof), oneof field '_{name}' is already set. Cannot set '{name}'"
    return Refused(
        refusals.INVALID_VALUE,
        refusals.INVALID_VALUE.text(problem=problem),
        rule=Rule(
            says=f"{name} comes in one spelling",
            source="protobuf, json_format and conformance tests",
        ),
    )


def _no_value(field: str, wire_name: str, enum: Enum, name: str, later: frozenset[str]) -> Refused:
    problem = f"'{field}' (type.googleapis.com/google.ai.generativelanguage.v1beta.{enum.name}), \"{excerpt(name)}\""
    named = sorted(one for one in enum.numbers.keys() - later if not one.endswith("UNSPECIFIED"))
    return Refused(
        refusals.INVALID_VALUE,
        refusals.INVALID_VALUE.text(problem=problem),
        rule=Rule(says=f"{wire_name} is one of {', '.join(named)}", source=_PROTO),
    )


def messages(value: Any, path: str = "") -> Iterator[tuple[Message, str]]:
    """Yield every message in `value`, outermost first, with its path. A map is the list of its entries."""
    if isinstance(value, Message):
        yield value, path
        for name in value.__struct_fields__:
            if name != "unknown":
                yield from messages(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from messages(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for index, item in enumerate(value.values()):
            yield from messages(item, f"{path}[{index}].value")


def _fields_set(message: Message) -> Iterator[tuple[Place | None, str, Any]]:
    """Yield (place, or None when unknown; name on the wire; value) of all that `message` itself sets."""
    for name, value in message.unknown.items():
        yield None, name, value
    kind = type(message)
    for name, wire_name, default in _fields(kind):
        if (value := getattr(message, name)) != default:
            yield (kind, name), wire_name, value


@cache
def _fields(kind: type[Message]) -> list[tuple[str, str, Any]]:
    """Return the fields of `kind`: name, name on the wire, and default."""
    return [
        (
            info.name,
            info.encode_name,
            info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory(),
        )
        for info in msgspec.structs.fields(kind)
        if info.name != "unknown"
    ]
