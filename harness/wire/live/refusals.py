"""How the Live API says no: every HTTP status and close code with its reason, and what kind of failure each is.

One table for both ends: the server machine closes with these texts, the client classifies by their beginnings.
A close reason holds at most 123 bytes and the service cuts it without a mark, so only prefixes are compared.

Sources are issues and threads where the text was seen (`owner/repo#number`), or the SDK's behaviour; "uncertain" where
nobody has published the service's own words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

FailureKind = Literal[
    "auth",
    "config",
    "model_not_found",
    "quota",
    "duration",
    "stale_handle",
    "transient",
    "client",
    "input",
]
"""What a failure was, which decides whether to try again. `input`: the clip cannot be read; nothing was sent."""

REASON_BYTES = 123
"""Bytes of UTF-8 that a close reason holds (RFC 6455 §5.5: 125 less the code's two)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One way in which the service refuses or ends a session."""

    name: str
    """Ours, unique."""

    code: int
    """Close code (1000 and up), or the HTTP status that refuses the upgrade (below 1000)."""

    reason: str
    """The reason's text; `{…}` stands for what varies."""

    kind: FailureKind
    source: str
    """Where the text was seen."""

    @property
    def at_upgrade(self) -> bool:
        """True: an HTTP status instead of a close code."""
        return self.code < 1000

    @property
    def prefix(self) -> str:
        """How the reason begins: up to the first thing that varies, short enough to survive cuts and rewordings."""
        return self.reason.partition("{")[0][:40]

    def text(self, **values: object) -> str:
        """Return the reason with its `{…}` filled in, whole: cut it with `close_reason` where it is sent."""
        return self.reason.format_map(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the service demands, in our words."""

    says: str
    """One clause, without a full stop."""

    source: str
    """Who says so."""


class Refused(ProtocolError):  # noqa: N818 - the domain's word: the service refused
    """A session that the service refuses. Carries what to close with, and the rule that was broken where one is known."""

    def __init__(
        self, refusal: Refusal, text: str | None = None, *, rule: Rule | None = None
    ) -> None:
        self.refusal = refusal
        self.text = refusal.text() if text is None else text
        self.rule = rule
        super().__init__(f"refused with {refusal.code}: {self.text}")

    @property
    def code(self) -> int:
        """The close code, or the HTTP status at the upgrade."""
        return self.refusal.code

    @property
    def reason(self) -> str:
        """The close reason, cut to what a close frame holds."""
        return close_reason(self.text)

    @property
    def error(self) -> dict[str, object]:
        """The same as an error message tells it: Google's HTTP code, the text whole, Google's name for the code."""
        status = 401 if self.code == 401 else _STATUS[self.refusal.kind]
        return {"code": status, "message": self.text, "status": _STATUS_NAMES[status]}


# ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────────

UNAUTHENTICATED = Refusal(
    name="http-unauthenticated",
    code=401,
    reason="Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
    kind="auth",
    source="Google's common 401 text; that it comes at the upgrade is uncertain",
)
UNAUTHENTICATED_LATE = Refusal(
    name="unauthenticated",
    code=1008,
    reason=UNAUTHENTICATED.reason,
    kind="auth",
    source="Google's common 401 text; that it comes as a close is uncertain",
)
NOT_FOUND = Refusal(
    name="not-found", code=404, reason="Not Found", kind="config", source="HTTP: unknown path"
)
TOO_MANY_REQUESTS = Refusal(
    name="too-many-requests",
    code=429,
    reason="Resource has been exhausted (e.g. check quota).",
    kind="quota",
    source="kazunori279/interpretab#13",
)
INVALID_ARGUMENT = Refusal(
    name="invalid-argument",
    code=1007,
    reason="Request contains an invalid argument.",
    kind="config",
    source="googleapis/python-genai#1780, googleapis/js-genai#1212",
)
TEXT_ON_NATIVE_AUDIO = Refusal(
    name="text-on-native-audio",
    code=1007,
    reason="Cannot extract voices from a non-audio request.",
    kind="config",
    source="googleapis/python-genai#1780: TEXT asked of a native audio model, Developer API",
)
UNKNOWN_NAME = Refusal(
    name="unknown-name",
    code=1007,
    reason='Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.',
    kind="config",
    source="googleapis/js-genai#478; the wording is Google's common JSON parser's",
)
INVALID_PAYLOAD = Refusal(
    name="invalid-payload",
    code=1007,
    reason="Invalid JSON payload received. {problem}",
    kind="config",
    source="Google's common JSON parser",
)
INVALID_VALUE = Refusal(
    name="invalid-value",
    code=1007,
    reason="Invalid value at {problem}",
    kind="config",
    source="Google's common JSON parser",
)
BAD_KEY = Refusal(
    name="bad-key",
    code=1007,
    reason="API key not valid. Please pass a valid API key.",
    kind="auth",
    source="public logs of the Developer API",
)
KEY_EXPIRED = Refusal(
    name="key-expired",
    code=1007,
    reason="API key expired. Please renew the API key.",
    kind="auth",
    source="Google's common text for HTTP; as a close reason uncertain",
)
KEY_LEAKED = Refusal(
    name="key-leaked",
    code=1008,
    reason="Your API key was reported as leaked. Please use another API key.",
    kind="auth",
    source="Google's common text for HTTP; as a close reason uncertain",
)
TOKEN_EXPIRED = Refusal(
    name="token-expired",
    code=1008,
    reason="Auth token expired.",
    kind="auth",
    source="uncertain: an ephemeral token after its expireTime",
)
TOKEN_SPENT = Refusal(
    name="token-spent",
    code=1008,
    reason="Auth token can no longer be used to start a session.",
    kind="auth",
    source="uncertain: no uses left, or after newSessionExpireTime (Gemini API ephemeral tokens guide)",
)
EXPLICIT_ACTIVITY = Refusal(
    name="explicit-activity",
    code=1007,
    reason="Explicit activity control is not supported when automatic activity detection is enabled.",
    kind="config",
    source="pipecat-ai/pipecat#4597",
)
SETUP_FIRST = Refusal(
    name="setup-first",
    code=1007,
    reason="setup must be the first message and only the first",
    kind="config",
    source="BerriAI/litellm#31494",
)
MEDIA_CHUNKS = Refusal(
    name="media-chunks",
    code=1007,
    reason="realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
    kind="config",
    source="public logs of 3.x models",
)
THINKING = Refusal(
    name="thinking",
    code=1007,
    reason="thinking_config is not supported",
    kind="config",
    source="public logs: thinkingConfig for a model that does not think",
)
THINKING_LEVEL = Refusal(
    name="thinking-level",
    code=1007,
    reason="Thinking level is not supported for this model",
    kind="config",
    source="NousResearch/hermes-agent#114116: gemini-3.8-live",
)
NO_THINKING_LEVEL = Refusal(
    name="no-thinking-level",
    code=1007,
    reason="Thinking level must be specified",
    kind="config",
    source="NousResearch/hermes-agent#114116: gemini-3.8-live-extended-thinking",
)
UNKNOWN_VOICE = Refusal(
    name="unknown-voice",
    code=1007,
    reason="Requested voice api_name '{voice}' is not available for model {model}",
    kind="config",
    source="uncertain",
)
UNSUPPORTED_LANGUAGE = Refusal(
    name="unsupported-language",
    code=1007,
    reason="Unsupported language code '{language}' for model {model}",
    kind="config",
    source="public logs of gemini-2.5-flash-native-audio-latest",
)
MODALITIES = Refusal(
    name="modalities",
    code=1007,
    reason="The requested combination of response modalities ({modalities}) is not supported by the model.",
    kind="config",
    source="public logs of gemini-3.5-transcribe-live",
)
STALE_HANDLE = Refusal(
    name="stale-handle",
    code=1007,
    reason="Invalid session handle",
    kind="stale_handle",
    source="public logs of resumption",
)
PRECONDITION = Refusal(
    name="precondition",
    code=1007,
    reason="Precondition check failed",
    kind="stale_handle",
    source="public logs of resumption",
)
MODEL_NOT_FOUND = Refusal(
    name="model-not-found",
    code=1008,
    reason="models/{model} is not found for API version {version}, or is not supported for bidiGenerateContent. Call ListModels to see the list of available models and their supported methods.",
    kind="model_not_found",
    source="public logs of the Developer API",
)
PUBLISHER_MODEL_NOT_FOUND = Refusal(
    name="publisher-model-not-found",
    code=1008,
    reason="Publisher Model `{model}` was not found or your project does not have access to it.",
    kind="model_not_found",
    source="public logs of Vertex AI",
)
NOT_IMPLEMENTED = Refusal(
    name="not-implemented",
    code=1008,
    reason="Operation is not implemented, or supported, or enabled.",
    kind="transient",
    source="googleapis/js-genai#1236: comes and goes, so it is worth another attempt",
)
SESSION_NOT_FOUND = Refusal(
    name="session-not-found",
    code=1008,
    reason="BidiGenerateContent session not found",
    kind="stale_handle",
    source="public logs of resumption",
)
ENTITY_NOT_FOUND = Refusal(
    name="entity-not-found",
    code=1008,
    reason="Requested entity was not found.",
    kind="stale_handle",
    source="public logs of resumption",
)
GO_AWAY_IGNORED = Refusal(
    name="go-away-ignored",
    code=1008,
    reason="Connection aborted because the client failed to close the connection after receiving a GoAway signal once the session duration limit was reached.",
    kind="duration",
    source="sierra-research/tau2-bench#461 (seen cut after “durat”)",
)
ABORTED = Refusal(
    name="aborted",
    code=1008,
    reason="The operation was aborted",
    kind="transient",
    source="autonomous-ai/autonomous-os#238, livekit/agents-js#2366",
)
UNREGISTERED = Refusal(
    name="unregistered",
    code=1008,
    reason="Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
    kind="auth",
    source="public logs of the Developer API",
)
API_DISABLED = Refusal(
    name="api-disabled",
    code=1008,
    reason="Generative Language API has not been used in project {project} before or it is disabled.",
    kind="auth",
    source="public logs of the Developer API",
)
MESSAGE_TOO_BIG = Refusal(
    name="message-too-big",
    code=1009,
    reason="",
    kind="client",
    source="our own receive limit; the service's is not documented",
)
QUOTA = Refusal(
    name="quota",
    code=1011,
    reason="You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
    kind="quota",
    source="kazunori279/interpretab#13 (seen cut after “head to: h”)",
)
EXHAUSTED = Refusal(
    name="exhausted",
    code=1011,
    reason="RESOURCE_EXHAUSTED",
    kind="quota",
    source="kazunori279/interpretab#13",
)
DEADLINE = Refusal(
    name="deadline",
    code=1011,
    reason="Deadline expired before operation could complete.",
    kind="duration",
    source="kizuna-ai-lab/sokuji#179",
)
RPC_DEADLINE = Refusal(
    name="rpc-deadline",
    code=1011,
    reason="RPC::DEADLINE_EXCEEDED",
    kind="duration",
    source="google-gemini/cookbook#387",
)
UNAVAILABLE = Refusal(
    name="unavailable",
    code=1011,
    reason="The service is currently unavailable.",
    kind="transient",
    source="livekit/agents#2274",
)
INTERNAL = Refusal(
    name="internal",
    code=1011,
    reason="Internal error encountered.",
    kind="transient",
    source="livekit/agents#1679, google/adk-python#3918",
)
OVERLOADED = Refusal(
    name="overloaded",
    code=1011,
    reason="OVERLOADED_TOO_MANY_RETRIES",
    kind="transient",
    source="google/adk-python#3918",
)
KEEPALIVE = Refusal(
    name="keepalive",
    code=1011,
    reason="keepalive ping timeout",
    kind="transient",
    source="our own WebSocket library's words, never the service's: googleapis/python-genai#2935",
)

REFUSALS: tuple[Refusal, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Refusal)
)
"""All of them, in the order above."""


# ── Classifying ──────────────────────────────────────────────────────────────────────────────────────────────────────

_BY_CODE: dict[int, FailureKind] = {
    1002: "client",
    1003: "client",
    1007: "config",
    1008: "config",
    1009: "client",
}
"""What a code alone says, when the reason is none that we know."""

_PREFIXES: tuple[tuple[str, FailureKind], ...] = tuple(
    sorted(
        ((one.prefix, one.kind) for one in REFUSALS if one.prefix),
        key=lambda pair: -len(pair[0]),
    )
)


def classify_close(code: int, reason: str) -> FailureKind:
    """Return what a close with `code` and `reason` means: by the reason's beginning, else by the code.

    Everything that neither tells apart is `transient`: dropped connections (1006), restarts (1001, 1012, 1013), an end
    (1000) before the session was done.
    """
    return _by_reason(reason) or _BY_CODE.get(code, "transient")


def _by_reason(reason: str) -> FailureKind | None:
    return next((kind for prefix, kind in _PREFIXES if reason.startswith(prefix)), None)


_STATUS: dict[FailureKind, int] = {
    "auth": 403,
    "config": 400,
    "model_not_found": 404,
    "quota": 429,
    "duration": 504,
    "stale_handle": 404,
    "transient": 503,
    "client": 400,
    "input": 400,
}
"""The HTTP status that stands for a kind of failure in error messages."""

_STATUS_NAMES: dict[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Google's names beside the HTTP codes (google/rpc/code.proto)."""


def classify_error(error: Mapping[str, object]) -> FailureKind:
    """Return what an error message means: by its text as a close's reason, else by the HTTP status it states."""
    message, code = error.get("message"), error.get("code")
    if isinstance(message, str) and (kind := _by_reason(message)) is not None:
        return kind
    if isinstance(code, int) and 400 <= code < 600:
        return classify_upgrade(code)
    return "transient"


_BY_STATUS: dict[int, FailureKind] = {
    401: "auth",
    403: "auth",
    407: "auth",
    408: "transient",
    425: "transient",
    429: "quota",
}


def classify_upgrade(status: int) -> FailureKind:
    """Return what an upgrade answered with HTTP `status` means."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "config" if 300 <= status < 500 else "transient"


def close_reason(text: str) -> str:
    """Return `text` cut to the 123 bytes of UTF-8 that a close frame holds, no character split, no mark."""
    return text.encode(errors="replace")[:REASON_BYTES].decode(errors="ignore")
