"""What is not known of the Live API for certain: the open questions, how each may be answered, and who says so.

Sources contradict each other, or nobody but users has told. An emulator has to do something: it takes the first choice of
every question to be so, unless it is told to assume another. A client must come right with all of them.

Standard library only, so that `--help` may read it. Knows questions; what a choice does is done where its field is read.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.errors import UsageError, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is taken to be so: a choice for each question, whose name is the field's, with hyphens."""

    bare_model: Literal["taken", "refused"] = "taken"
    vertex_missing_auth: Literal["at-upgrade", "by-close"] = "at-upgrade"
    too_many_sessions: Literal["at-upgrade", "by-close"] = "at-upgrade"
    error_frames: Literal["never", "before-close"] = "never"
    unknown_fields: Literal["refused", "ignored"] = "refused"
    json: Literal["lenient", "exact"] = "lenient"
    v1alpha_fields: Literal["unknown-name", "invalid-argument"] = "unknown-name"
    unknown_voice: Literal["named", "invalid-argument"] = "named"
    native_language: Literal["listed", "ignored"] = "listed"
    transcription_fields: Literal["refused", "unanswered"] = "refused"
    vertex_start_sensitivity: Literal["low", "high"] = "low"
    vertex_end_sensitivity: Literal["high", "low"] = "high"
    silence: Literal["800ms", "500ms", "1s"] = "800ms"
    longest_silence: Literal["as-asked", "2s"] = "as-asked"
    turn_coverage: Literal["all-input", "only-activity"] = "all-input"
    manual_stream_end: Literal["ignored", "refused"] = "ignored"
    vertex_realtime_text: Literal["taken", "refused"] = "taken"
    seeded_history: Literal["taken", "refused"] = "taken"
    late_content: Literal["refused", "ignored"] = "refused"
    late_tool_response: Literal["ignored", "refused"] = "ignored"
    ignored_go_away: Literal["aborted", "deadline"] = "aborted"
    vertex_handle_life: Literal["24h", "10min"] = "24h"
    older_handles: Literal["taken", "refused"] = "taken"
    unknown_handle: Literal["not-found", "invalid"] = "not-found"
    resumption_use: Literal["free", "counted"] = "free"
    audio_tokens: Literal["25", "32"] = "25"
    picture_tokens: Literal["258", "256"] = "258"
    cached_turns: Literal["untold", "told"] = "untold"
    half_cascade_context: Literal["32k", "1M"] = "32k"
    vertex_native_context: Literal["128k", "32k"] = "128k"


USUAL: Final = Assumptions()
"""What is taken to be so where nobody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer to a question."""

    name: str
    does: str
    """What a service does where it is so; a clause."""

    source: str
    """Who says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that is not known for certain."""

    name: str
    asks: str
    choices: tuple[Choice, ...]
    """The first is what is assumed."""

    @property
    def default(self) -> str:
        """The choice that is assumed unless another is asked for."""
        return self.choices[0].name


_PROTO: Final = "generative_service.proto"
_SDK: Final = "google-genai 2.34"
_VERTEX_MODEL: Final = "Vertex AI's model page"
_VERTEX_SESSIONS: Final = "Vertex AI's session management page"
_GUIDE: Final = "Live API capabilities guide"
_NOBODY: Final = "nobody has told"


def _question(name: str, asks: str, *choices: tuple[str, str, str]) -> Question:
    return Question(
        name=name,
        asks=asks,
        choices=tuple(Choice(name=one, does=does, source=source) for one, does, source in choices),
    )


QUESTIONS: Final = (
    _question(
        "bare-model",
        "May setup.model be a bare id on the Developer API, without “models/”?",
        ("taken", "it is taken", "Vertex AI's overview sends one there"),
        ("refused", "1008, model not found", f"{_SDK} always adds the prefix"),
    ),
    _question(
        "vertex-missing-auth",
        "When does Vertex AI refuse credentials?",
        ("at-upgrade", "HTTP 401 answers the upgrade", f"{_SDK}: InvalidStatus"),
        ("by-close", "1008 right after the upgrade", "the Developer API refuses keys so"),
    ),
    _question(
        "too-many-sessions",
        "How is a session refused for quota?",
        ("at-upgrade", "HTTP 429 answers the upgrade", "kazunori279/interpretab#13"),
        ("by-close", "1011 right after the upgrade", "kazunori279/interpretab#13"),
    ),
    _question(
        "error-frames",
        "Is an error told in a message before the connection is closed?",
        ("never", "the close's reason alone tells", "none is documented"),
        ("before-close", "{“error”: {code, message, status}} comes first", "clients parse it"),
    ),
    _question(
        "unknown-fields",
        "What comes of a field that the service does not know, or not at this place?",
        ("refused", "1007, “Unknown name …”", "gunpal5/Google_GenerativeAI#45"),
        (
            "ignored",
            "nothing, as if it were not there",
            "googleapis/python-genai#1279, on Vertex AI",
        ),
    ),
    _question(
        "json",
        "May a single value stand for a list of one, and an enum's name be in lower case?",
        (
            "lenient",
            "both are taken",
            "google-gemini/live-api-web-console sends responseModalities: “audio”",
        ),
        ("exact", "1007", "protobuf's own parsers refuse both"),
    ),
    _question(
        "v1alpha-fields",
        "In which words are affective dialogue and proactive audio refused below v1alpha?",
        ("unknown-name", "1007, “Unknown name …”", "the words for any other field"),
        ("invalid-argument", "1007, “Request contains an invalid argument.”", _NOBODY),
    ),
    _question(
        "unknown-voice",
        "In which words is an unknown voice refused?",
        ("named", "1007, with the voice's name", _NOBODY),
        ("invalid-argument", "1007, “Request contains an invalid argument.”", _NOBODY),
    ),
    _question(
        "native-language",
        "What comes of a languageCode for native audio, which picks the language itself?",
        (
            "listed",
            "1007, “Unsupported language code …”, where it does not speak it",
            "public logs of gemini-2.5-flash-native-audio-latest",
        ),
        ("ignored", "nothing, whichever it is", f"{_GUIDE}: it does not support setting one"),
    ),
    _question(
        "transcription-fields",
        "What comes of transcription hints for a model that takes none?",
        ("refused", "1007, invalid argument", f"{_PROTO}: the message has no fields"),
        ("unanswered", "setupComplete never comes", "DevEmperor/DictateKeyboard#292"),
    ),
    _question(
        "vertex-start-sensitivity",
        "Which startOfSpeechSensitivity holds on Vertex AI where none is asked for?",
        ("low", "120 ms of clear speech begin a turn", f"{_SDK}, {_VERTEX_MODEL}"),
        ("high", "40 ms of speech begin a turn", _PROTO),
    ),
    _question(
        "vertex-end-sensitivity",
        "Which endOfSpeechSensitivity holds on Vertex AI where none is asked for?",
        ("high", "the usual silence ends a turn", f"{_VERTEX_MODEL}, {_PROTO}"),
        ("low", "half as much again must pass", f"{_SDK}; googleapis/python-genai#2555"),
    ),
    _question(
        "silence",
        "Which silenceDurationMs holds where none is asked for?",
        ("800ms", "0.8 s of silence end a turn", "between the two"),
        ("500ms", "0.5 s of silence end a turn", _NOBODY),
        ("1s", "1 s of silence ends a turn", "google-gemini/gemini-live-api-examples#37"),
    ),
    _question(
        "longest-silence",
        "Is a long silenceDurationMs obeyed?",
        ("as-asked", "it is", "googleapis/js-genai#1467, of 2.5"),
        ("2s", "2 s end a turn all the same", "google-gemini/gemini-live-api-examples#50"),
    ),
    _question(
        "turn-coverage",
        "Does silence belong to a turn where turnCoverage is not asked for?",
        ("all-input", "all that is sent is billed", "bills in the developers' forum, 92653"),
        ("only-activity", "speech alone is billed", _PROTO),
    ),
    _question(
        "manual-stream-end",
        "What does audioStreamEnd do where the client marks activity?",
        ("ignored", "nothing", f"{_GUIDE}: activityEnd takes its place"),
        ("refused", "1007, invalid argument", _NOBODY),
    ),
    _question(
        "vertex-realtime-text",
        "Does Vertex AI take realtimeInput.text?",
        ("taken", "it is a turn, or part of one", _PROTO),
        ("refused", "1007, invalid argument", "no page of Vertex AI shows it in the guides' time"),
    ),
    _question(
        "seeded-history",
        "Does a model whose history clientContent may only seed take one, asked for by historyConfig?",
        ("taken", "it does", f"{_GUIDE}, of gemini-3.1-flash-live-preview"),
        ("refused", "1007, invalid argument", "yagudaev/voiceclaw#252"),
    ),
    _question(
        "late-content",
        "What comes of clientContent for such a model that seeds nothing?",
        ("refused", "1007, invalid argument", "google/adk-python#5018, livekit/agents#5262"),
        ("ignored", "nothing", "google-gemini/gemini-skills: realtime text takes its place"),
    ),
    _question(
        "late-tool-response",
        "What comes of a toolResponse that nobody waits for, as to a cancelled call?",
        ("ignored", "nothing", _NOBODY),
        ("refused", "1007, invalid argument", _NOBODY),
    ),
    _question(
        "ignored-go-away",
        "How is a connection cut off that goAway has not ended?",
        ("aborted", "1008, “Connection aborted …”", "sierra-research/tau2-bench#461"),
        ("deadline", "1011, “Deadline expired …”", "kizuna-ai-lab/sokuji#179"),
    ),
    _question(
        "vertex-handle-life",
        "How long after its session's end is a resumption handle good on Vertex AI?",
        ("24h", "a day", _VERTEX_SESSIONS),
        ("10min", "about 10 minutes", f"{_VERTEX_SESSIONS}, further down"),
    ),
    _question(
        "older-handles",
        "Does a handle resume its session when a newer one was issued?",
        ("taken", "it does, without what came after it", _PROTO),
        ("refused", "only the newest does", "livekit-plugins-google keeps the newest alone"),
    ),
    _question(
        "unknown-handle",
        "How is a handle refused that names no session?",
        ("not-found", "1008, “BidiGenerateContent session not found”", "public logs"),
        ("invalid", "1007, “Invalid session handle”", "public logs"),
    ),
    _question(
        "resumption-use",
        "Does resuming a session take a use of an ephemeral token?",
        ("free", "it takes none", "Gemini API ephemeral tokens guide"),
        ("counted", "1011 where none is left", "ai-shifu/ai-shifu#2744, forum thread 98979"),
    ),
    _question(
        "audio-tokens",
        "How many tokens are a second of audio?",
        ("25", "25, in and out", f"{_VERTEX_SESSIONS}, its prices a second"),
        ("32", "32, in and out", "Developer API's pricing page, forum threads 81303, 92653"),
    ),
    _question(
        "picture-tokens",
        "How many tokens are a picture?",
        ("258", "258, and 66 at MEDIA_RESOLUTION_LOW", "Gemini API: tokens, video understanding"),
        ("256", "256, and 64 at MEDIA_RESOLUTION_LOW", f"{_PROTO}, the enum's comments"),
    ),
    _question(
        "cached-turns",
        "Does a bill tell that the turns before came from a cache?",
        ("untold", "cachedContentTokenCount never comes", "no public record has it"),
        ("told", "it counts them, as a part of the prompt", f"{_PROTO} has the field"),
    ),
    _question(
        "half-cascade-context",
        "How long is the context of gemini-live-2.5-flash-preview?",
        ("32k", "32,768 tokens", _GUIDE),
        ("1M", "1,048,576 tokens", "the API's list of models"),
    ),
    _question(
        "vertex-native-context",
        "How long is the context of native audio on Vertex AI, unless it is raised?",
        ("128k", "131,072 tokens", "Vertex AI Live API overview"),
        ("32k", "32,768 tokens", _VERTEX_MODEL),
    ),
)
"""In the order in which a session meets them."""

BY_NAME: Final = {one.name: one for one in QUESTIONS}


def assumed(texts: Iterable[str]) -> Assumptions:
    """Return the assumptions that `NAME=CHOICE` texts ask for; UsageError says what is wrong with one."""
    found: dict[str, Any] = {}
    for text in texts:
        name, _, choice = text.partition("=")
        question = BY_NAME.get(name)
        if question is None:
            hint = suggestion(name, BY_NAME) or "harness emulate --list-assumptions"
            raise UsageError(f"--assume: no such question: {name!r}", hint=hint)
        names = [one.name for one in question.choices]
        if choice not in names:
            raise UsageError(
                f"--assume {name}: no such choice: {choice!r}",
                hint=suggestion(choice, names) or f"one of {', '.join(names)}",
            )
        found[name.replace("-", "_")] = choice
    return replace(USUAL, **found)


def departures(assumptions: Assumptions) -> dict[str, str]:
    """Return the choices that are not the usual ones, by question."""
    chosen = {
        one.name.replace("_", "-"): getattr(assumptions, one.name) for one in fields(assumptions)
    }
    return {name: choice for name, choice in chosen.items() if choice != BY_NAME[name].default}
