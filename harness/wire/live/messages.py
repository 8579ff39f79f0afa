"""The Live API's messages, one frozen class each; field names are the wire's, in snake case.

An absent field is None, or False for flags, since proto JSON drops defaults. Fields that we do not know are kept in
`unknown` under the name they came with, at the level they came at. Closed sets of names are plain text here: a new
name from the service must not break a session; the server machine checks the names that clients send.

Source of every field: `google/ai/generativelanguage/v1beta/generative_service.proto` (googleapis/googleapis) and,
for what it lacks (marked "SDK"), the types of the official SDK `google-genai` 3.4.
"""

from __future__ import annotations

from typing import Any, Final

from harness.units import Seconds
from harness.wire.live.fields import (
    DURATION,
    Duration,
    EnumName,
    Float32,
    Float64,
    Int32,
    Int64,
    Message,
)
from harness.wire.live.tools import Tool

# ── Content ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Blob(Message, frozen=True):
    """Media: raw bytes (base64 on the wire) and what they are."""

    mime_type: str = ""
    """`audio/pcm;rate=16000` (s16le mono), `image/jpeg`, …"""

    data: bytes = b""
    display_name: str | None = None
    """Later (SDK)."""


class FunctionCall(Message, frozen=True):
    """The model asks the client to call a function."""

    id: str | None = None
    """To be echoed in the response; Vertex sent none in the guides' time."""

    name: str = ""
    args: dict[str, Any] = {}
    partial_args: list[dict[str, Any]] = []
    """Vertex AI, as `will_continue`: arguments that come bit by bit (SDK)."""

    will_continue: bool = False


class FunctionResponsePart(Message, frozen=True):
    """Media that belong to the answer of a function."""

    inline_data: Blob | None = None
    file_data: dict[str, Any] | None = None
    media_processing: EnumName | None = None
    """Later, as what follows (SDK)."""

    media_resolution: dict[str, Any] | None = None
    video_metadata: dict[str, Any] | None = None
    audio_metadata: dict[str, Any] | None = None
    document_metadata: dict[str, Any] | None = None
    spreadsheet_metadata: dict[str, Any] | None = None


class FunctionResponse(Message, frozen=True):
    """The client's answer to a `FunctionCall`."""

    id: str | None = None
    name: str = ""
    response: dict[str, Any] = {}
    """Free-form object; by convention `{"output": …}` or `{"error": …}`."""

    scheduling: EnumName | None = None
    """`INTERRUPT`, `WHEN_IDLE`, `SILENT`: for non-blocking functions only."""

    will_continue: bool | None = None
    parts: list[FunctionResponsePart] = []


class FileData(Message, frozen=True):
    """Media by their address."""

    mime_type: str = ""
    file_uri: str = ""
    display_name: str | None = None


class VideoMetadata(Message, frozen=True):
    """Which part of a video counts."""

    start_offset: Duration | None = None
    end_offset: Duration | None = None
    fps: Float64 | None = None
    """Frames a second."""

    content_layers: list[EnumName] = []
    """Later (SDK)."""


class ExecutableCode(Message, frozen=True):
    """What the model has run."""

    id: str | None = None
    language: EnumName | None = None
    code: str = ""


class CodeExecutionResult(Message, frozen=True):
    """What came of it."""

    id: str | None = None
    outcome: EnumName | None = None
    output: str = ""


class Part(Message, frozen=True):
    """One piece of content: one of its kinds of data."""

    text: str | None = None
    thought: bool = False
    """True: a summary of the model's thoughts, not part of the answer."""

    thought_signature: bytes = b""
    """Opaque; to be sent back as it came."""

    inline_data: Blob | None = None
    file_data: FileData | None = None
    video_metadata: VideoMetadata | None = None
    part_metadata: dict[str, Any] | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    tool_call: dict[str, Any] | None = None
    """Developer API, as `tool_response`: what a tool of the service's own was asked, and what it answered (SDK)."""

    tool_response: dict[str, Any] | None = None
    media_resolution: dict[str, Any] | None = None
    """Later, as what follows: how this part is looked at or heard (SDK)."""

    media_processing: EnumName | None = None
    audio_transcription: dict[str, Any] | None = None
    speech_metadata: dict[str, Any] | None = None
    audio_metadata: dict[str, Any] | None = None
    document_metadata: dict[str, Any] | None = None
    spreadsheet_metadata: dict[str, Any] | None = None


class Content(Message, frozen=True):
    """A turn's content."""

    role: str | None = None
    """`user` or `model`."""

    parts: list[Part] = []


# ── Setup ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class PrebuiltVoiceConfig(Message, frozen=True):
    """A voice by name."""

    voice_name: str | None = None


class VoiceConfig(Message, frozen=True):
    """How the model's voice is chosen."""

    prebuilt_voice_config: PrebuiltVoiceConfig | None = None
    replicated_voice_config: dict[str, Any] | None = None
    """Later: a voice after a sample of it (SDK)."""

    voice: str | None = None
    """Later: a voice that was made beforehand (SDK)."""


class SpeakerVoiceConfig(Message, frozen=True):
    """One speaker's voice."""

    speaker: str = ""
    voice_config: VoiceConfig | None = None


class MultiSpeakerVoiceConfig(Message, frozen=True):
    """The voices of several speakers."""

    speaker_voice_configs: list[SpeakerVoiceConfig] = []


class SpeechConfig(Message, frozen=True):
    """Speech output."""

    voice_config: VoiceConfig | None = None
    language_code: str | None = None
    """BCP-47, for half-cascade models; it does not steer input transcription."""

    multi_speaker_voice_config: MultiSpeakerVoiceConfig | None = None


class ThinkingConfig(Message, frozen=True):
    """How much the model thinks before it answers."""

    thinking_budget: Int32 | None = None
    """Tokens; 0 off, -1 dynamic."""

    include_thoughts: bool = False
    thinking_level: EnumName | None = None
    """Later: `MINIMAL`, `LOW`, `MEDIUM`, `HIGH`."""


class TranslationConfig(Message, frozen=True):
    """Later: what a live-translation model translates into (SDK)."""

    target_language_code: str | None = None
    echo_target_language: bool = False


class GenerationConfig(Message, frozen=True):
    """How the model answers. What the Live API does not allow here is simply not a field."""

    response_modalities: list[EnumName] = []
    """Exactly one of `TEXT`, `AUDIO`; empty: the service's default, AUDIO."""

    temperature: Float32 | None = None
    top_p: Float32 | None = None
    top_k: Int32 | None = None
    max_output_tokens: Int32 | None = None
    candidate_count: Int32 | None = None
    seed: Int32 | None = None
    presence_penalty: Float32 | None = None
    frequency_penalty: Float32 | None = None
    speech_config: SpeechConfig | None = None
    media_resolution: EnumName | None = None
    """`MEDIA_RESOLUTION_LOW`, `_MEDIUM`, `_HIGH`."""

    thinking_config: ThinkingConfig | None = None
    enable_affective_dialog: bool = False
    enable_enhanced_civic_answers: bool | None = None
    translation_config: TranslationConfig | None = None


class AutomaticActivityDetection(Message, frozen=True):
    """Server-side voice activity detection."""

    disabled: bool = False
    """True: the client sends activityStart and activityEnd itself."""

    start_of_speech_sensitivity: EnumName | None = None
    """`START_SENSITIVITY_HIGH` or `_LOW`."""

    end_of_speech_sensitivity: EnumName | None = None
    """`END_SENSITIVITY_HIGH` or `_LOW`."""

    prefix_padding_ms: Int32 | None = None
    """Speech needed before a start is committed, ms."""

    silence_duration_ms: Int32 | None = None
    """Silence needed before an end is committed, ms."""


class RealtimeInputConfig(Message, frozen=True):
    """How realtime input becomes turns."""

    automatic_activity_detection: AutomaticActivityDetection | None = None
    activity_handling: EnumName | None = None
    """`START_OF_ACTIVITY_INTERRUPTS` or `NO_INTERRUPTION`."""

    turn_coverage: EnumName | None = None
    """`TURN_INCLUDES_ONLY_ACTIVITY`, `TURN_INCLUDES_ALL_INPUT`, later `TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO`."""

    interim_transcript_timestamp_enabled: bool = False
    """Later (SDK)."""


class LanguageAuto(Message, frozen=True):
    """The language is detected: its presence is all it says."""


class LanguageHints(Message, frozen=True):
    """Languages that are likely."""

    language_codes: list[str] = []
    """BCP-47."""


class AudioTranscriptionConfig(Message, frozen=True):
    """Transcription switched on by being present. Guide-era models take it empty only; the fields are later (SDK)."""

    language_codes: list[str] = []
    language_hints: LanguageHints | None = None
    """Takes the place of `language_codes` in earlier versions, as `language_auto` that of none."""

    language_auto: LanguageAuto | None = None
    custom_vocabulary: list[str] = []
    adaptation_phrases: list[str] = []
    mode: EnumName | None = None
    """`VERBATIM` or `SMART`."""

    word_timestamp: bool = False
    diarization: bool = False
    source_text: str | None = None

    @property
    def languages(self) -> list[str]:
        """Return the languages to expect, BCP-47, by either field; none: any."""
        hinted = self.language_hints.language_codes if self.language_hints else []
        return [*self.language_codes, *hinted]


class SessionResumptionConfig(Message, frozen=True):
    """Asks for resumption handles; with a handle, resumes the session it names."""

    handle: str | None = None
    transparent: bool = False
    """Vertex only (SDK)."""


class SlidingWindow(Message, frozen=True):
    """Keep the newest part of the context."""

    target_tokens: Int64 | None = None


class ContextWindowCompressionConfig(Message, frozen=True):
    """What happens when the context is nearly full."""

    trigger_tokens: Int64 | None = None
    sliding_window: SlidingWindow | None = None


class ProactivityConfig(Message, frozen=True):
    """Native audio: the model may choose not to answer (SDK)."""

    proactive_audio: bool = False
    proactive_video: bool = False
    """Later."""


class HistoryConfig(Message, frozen=True):
    """Later: the first clientContent seeds the history (SDK)."""

    initial_history_in_client_content: bool = False


class Setup(Message, frozen=True):
    """The session's configuration: the first message and only the first."""

    model: str = ""
    """`models/{id}`; on Vertex `projects/{p}/locations/{l}/publishers/google/models/{id}`."""

    generation_config: GenerationConfig | None = None
    system_instruction: Content | None = None
    tools: list[Tool] = []
    realtime_input_config: RealtimeInputConfig | None = None
    input_audio_transcription: AudioTranscriptionConfig | None = None
    output_audio_transcription: AudioTranscriptionConfig | None = None
    session_resumption: SessionResumptionConfig | None = None
    context_window_compression: ContextWindowCompressionConfig | None = None
    proactivity: ProactivityConfig | None = None
    explicit_vad_signal: bool = False
    history_config: HistoryConfig | None = None
    safety_settings: list[dict[str, Any]] = []
    labels: dict[str, str] = {}
    avatar_config: dict[str, Any] | None = None

    @property
    def manual_activity(self) -> bool:
        """True: the client marks activity itself; False: the server detects it."""
        realtime = self.realtime_input_config
        detection = realtime.automatic_activity_detection if realtime else None
        return detection is not None and detection.disabled


# ── Client messages ──────────────────────────────────────────────────────────────────────────────────────────────────


class Empty(Message, frozen=True):
    """A signal: its presence is all it says."""


class ClientContent(Message, frozen=True):
    """Turns in order, appended to the history; interrupts a running generation."""

    turns: list[Content] = []
    turn_complete: bool = False
    """Absent means False on the wire: the server waits for more."""


class RealtimeInput(Message, frozen=True):
    """Live media, text and activity signals; one field per frame is how clients send them."""

    audio: Blob | None = None
    video: Blob | None = None
    text: str | None = None
    activity_start: Empty | None = None
    activity_end: Empty | None = None
    audio_stream_end: bool = False
    media_chunks: list[Blob] = []
    """Deprecated; only the first is used."""


class ToolResponse(Message, frozen=True):
    """Answers to a `ToolCall`."""

    function_responses: list[FunctionResponse] = []


class ContextUpdate(Message, frozen=True):
    """Later: a new instruction or tools in mid-session (SDK)."""

    system_instruction: Content | None = None
    tools: dict[str, Any] | None = None


class ClientMessage(Message, frozen=True):
    """What a client sends: exactly one of these."""

    setup: Setup | None = None
    client_content: ClientContent | None = None
    realtime_input: RealtimeInput | None = None
    tool_response: ToolResponse | None = None
    context_update: ContextUpdate | None = None


# ── Server messages ──────────────────────────────────────────────────────────────────────────────────────────────────


class SetupComplete(Message, frozen=True):
    """The session is ready."""

    session_id: str | None = None
    """Vertex, later."""


class Transcription(Message, frozen=True):
    """A piece of a transcript. Fragments concatenate verbatim; they may split words."""

    text: str = ""
    finished: bool = False
    """Later; seldom set, never to be waited for."""

    language_code: str | None = None
    speaker_label: str | None = None
    words: list[dict[str, Any]] = []
    start_offset: str | None = None
    end_offset: str | None = None


class ServerContent(Message, frozen=True):
    """The model's output and what was heard. Several fields may share one frame; every one counts."""

    model_turn: Content | None = None
    input_transcription: Transcription | None = None
    """What the user said; in no order relative to anything else, even after `turn_complete`."""

    output_transcription: Transcription | None = None
    interim_input_transcription: Transcription | None = None
    """Later: a hypothesis that replaces the interim one before it."""

    generation_complete: bool = False
    turn_complete: bool = False
    interrupted: bool = False
    waiting_for_input: bool = False
    turn_complete_reason: EnumName | None = None
    interaction_status: EnumName | None = None
    grounding_metadata: dict[str, Any] | None = None
    url_context_metadata: dict[str, Any] | None = None

    @property
    def ends_turn(self) -> bool:
        """True: the turn is complete, and nothing more is being thought of that would follow it."""
        return self.turn_complete and self.interaction_status != "IN_PROGRESS"


class ToolCall(Message, frozen=True):
    """Functions to call."""

    function_calls: list[FunctionCall] = []


class ToolCallCancellation(Message, frozen=True):
    """Calls whose answers are no longer wanted."""

    ids: list[str] = []


class GoAway(Message, frozen=True):
    """The connection will be aborted."""

    time_left: str = ""
    """Proto duration: `50s`, `1.500s`; empty is no time at all."""

    @property
    def time_left_s(self) -> Seconds:
        """Return `time_left` in s, at least 0; ValueError when it is not a duration."""
        if not DURATION.fullmatch(text := self.time_left or "0s"):
            raise ValueError(f"not a duration: {text[:20]!r}")
        return max(0.0, float(text[:-1]))


class SessionResumptionUpdate(Message, frozen=True):
    """A handle to resume with; empty while the session cannot be resumed at this point."""

    new_handle: str = ""
    resumable: bool = False
    last_consumed_client_message_index: Int64 | None = None


class ModalityTokenCount(Message, frozen=True):
    """Tokens of one modality."""

    modality: EnumName = ""
    """`TEXT`, `IMAGE`, `VIDEO`, `AUDIO`, `DOCUMENT`."""

    token_count: Int32 = 0


_MOST_MODALITIES: Final = 10_000
"""Characters of all modalities that a bill names: there are five, for five counts, of at most 20 characters."""


class UsageMetadata(Message, frozen=True):
    """One turn's bill, not a running total: a session's is the sum of its records.

    The Developer API says `response…` where Vertex says `candidates…`; read `response_tokens` and `response_details`.
    """

    prompt_token_count: Int32 | None = None
    """Tokens of the whole context of the turn."""

    cached_content_token_count: Int32 | None = None
    response_token_count: Int32 | None = None
    candidates_token_count: Int32 | None = None
    tool_use_prompt_token_count: Int32 | None = None
    thoughts_token_count: Int32 | None = None
    """May lie outside the total."""

    total_token_count: Int32 | None = None
    prompt_tokens_details: list[ModalityTokenCount] = []
    cache_tokens_details: list[ModalityTokenCount] = []
    response_tokens_details: list[ModalityTokenCount] = []
    candidates_tokens_details: list[ModalityTokenCount] = []
    tool_use_prompt_tokens_details: list[ModalityTokenCount] = []
    traffic_type: EnumName | None = None
    service_tier: EnumName | None = None

    @property
    def response_tokens(self) -> int | None:
        """Return the response's tokens under either platform's name; None when the record has neither."""
        if self.response_token_count is not None:
            return self.response_token_count
        return self.candidates_token_count

    @property
    def response_details(self) -> list[ModalityTokenCount]:
        """Return the response's tokens per modality under either platform's name."""
        return self.response_tokens_details or self.candidates_tokens_details

    @property
    def credible(self) -> bool:
        """True: no count is negative and there are few modalities, so each may be what was counted."""
        values = [getattr(self, name) for name in self.__struct_fields__]
        counts = [value for value in values if isinstance(value, int)]
        details = [one for value in values if isinstance(value, list) for one in value]
        if sum(len(one.modality) for one in details) > _MOST_MODALITIES:
            return False
        return min((*counts, *(one.token_count for one in details)), default=0) >= 0


class VoiceActivity(Message, frozen=True):
    """Later: the server heard speech begin or end (SDK)."""

    type: EnumName | None = None
    voice_activity_type: EnumName | None = None
    audio_offset: str | None = None


class VoiceActivityDetectionSignal(Message, frozen=True):
    """Later, Vertex: the server heard speech begin or end (SDK)."""

    vad_signal_type: EnumName | None = None


class ServerMessage(Message, frozen=True):
    """What a server sends: at most one of these, and `usage_metadata` beside it or alone."""

    setup_complete: SetupComplete | None = None
    server_content: ServerContent | None = None
    tool_call: ToolCall | None = None
    tool_call_cancellation: ToolCallCancellation | None = None
    go_away: GoAway | None = None
    session_resumption_update: SessionResumptionUpdate | None = None
    usage_metadata: UsageMetadata | None = None
    voice_activity: VoiceActivity | None = None
    voice_activity_detection_signal: VoiceActivityDetectionSignal | None = None
    error: dict[str, Any] | None = None
    """`{"code", "message", "status"}`: some clients parse it; whether the service sends it is uncertain."""
