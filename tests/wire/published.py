"""Google's published message definitions as a judge of any frame, and what they lack."""

from __future__ import annotations

import functools
import importlib.util
import warnings
from typing import Any

import msgspec

from harness.wire.live import codec
from harness.wire.live.fields import Message

NOT_PUBLISHED = {
    # Fields of the SDK's types and of public logs that the published definitions lack.
    "ClientMessage": {"context_update"},
    "Setup": {
        "avatar_config",
        "explicit_vad_signal",
        "history_config",
        "labels",
        "proactivity",
        "safety_settings",
    },
    "GenerationConfig": {"enable_affective_dialog", "translation_config"},
    "ThinkingConfig": {"thinking_level"},
    "AudioTranscriptionConfig": {
        "adaptation_phrases",
        "custom_vocabulary",
        "diarization",
        "language_auto",
        "language_codes",
        "language_hints",
        "mode",
        "source_text",
        "word_timestamp",
    },
    "VoiceConfig": {"replicated_voice_config", "voice"},
    "RealtimeInputConfig": {"interim_transcript_timestamp_enabled"},
    "Blob": {"display_name"},
    "Part": {
        "audio_metadata",
        "audio_transcription",
        "document_metadata",
        "media_processing",
        "media_resolution",
        "speech_metadata",
        "spreadsheet_metadata",
        "tool_call",
        "tool_response",
    },
    "VideoMetadata": {"content_layers"},
    "FunctionCall": {"partial_args", "will_continue"},
    "Tool": {
        "enterprise_web_search",
        "exa_ai_search",
        "mcp_servers",
        "parallel_ai_search",
        "retrieval",
    },
    "SessionResumptionConfig": {"transparent"},
    "FileData": {"display_name"},
    "FunctionResponsePart": {
        "audio_metadata",
        "document_metadata",
        "file_data",
        "media_processing",
        "media_resolution",
        "spreadsheet_metadata",
        "video_metadata",
    },
    "ExecutableCode": {"id"},
    "CodeExecutionResult": {"id"},
    "Schema": {"additional_properties", "defs", "ref"},
    "GoogleSearch": {"blocking_confidence", "exclude_domains", "search_types"},
    "GoogleMaps": {"auth_config", "grounding_types"},
    "FileSearch": {"file_search_store_names", "metadata_filter", "top_k"},
    "ComputerUse": {"disabled_safety_policies", "enable_prompt_injection_detection"},
    "ServerMessage": {"error", "voice_activity", "voice_activity_detection_signal"},
    "SetupComplete": {"session_id"},
    "ServerContent": {"interaction_status", "interim_input_transcription", "turn_complete_reason"},
    "Transcription": {
        "end_offset",
        "finished",
        "language_code",
        "speaker_label",
        "start_offset",
        "words",
    },
    "SessionResumptionUpdate": {"last_consumed_client_message_index"},
    "UsageMetadata": {
        "candidates_token_count",
        "candidates_tokens_details",
        "service_tier",
        "traffic_type",
    },
}


@functools.cache
def _definitions() -> Any:
    """Return Google's package, or None where it is not installed: it is a witness, not a need."""
    if importlib.util.find_spec("google.ai") is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from google.ai import generativelanguage_v1beta
    return generativelanguage_v1beta


@functools.lru_cache(256)  # silence is the same frame again and again
def assert_published(frame: bytes | str, side: str) -> None:
    """Assert that Google's definitions take a frame of ours, but for the fields that are listed as unknown to them.

    `side` is `Client` or `Server`.
    """
    definitions = _definitions()
    if definitions is None:
        return
    from google.protobuf import json_format

    message = codec.decode_client(frame) if side == "Client" else codec.decode_server(frame)
    tree = codec.to_json(_known(message))
    if tree or not codec.to_json(message):
        kind = getattr(definitions, f"BidiGenerateContent{side}Message").pb()
        json_format.ParseDict(tree, kind())


def _known(message: Message) -> Message:
    """Return `message` without what the published definitions lack."""
    lacking = NOT_PUBLISHED.get(type(message).__name__, set())
    defaults = type(message)()
    changes: dict[str, Any] = {}
    for name in message.__struct_fields__:
        value = getattr(message, name)
        if name in lacking:
            changes[name] = getattr(defaults, name)
        elif isinstance(value, Message):
            changes[name] = _known(value)
        elif isinstance(value, list) and value and isinstance(value[0], Message):
            changes[name] = [_known(one) for one in value]
    return msgspec.structs.replace(message, **changes)
