"""The Live API's models and limits, each with its date and source; their prices and voices are `prices` and `voices`.

Standard library only, so that `--help` may read it. Knows published facts; does not know which of them a session uses.
Facts rot: `AS_OF` says when they were collected, and every price and status carries its own date.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from harness.wire.live import prices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.units import Seconds, Usd

AS_OF = "2026-11-21"
"""When this catalogue was last checked as a whole."""

Platform: TypeAlias = Literal["gemini", "vertex"]
"""`gemini`: the Gemini Developer API; `vertex`: Vertex AI."""

Kind: TypeAlias = Literal["half-cascade", "native-audio", "transcribe", "translate"]
"""How a model speaks: `half-cascade` hears natively and speaks through a separate voice, so it can also write;
`native-audio` speaks itself, and cannot write; `transcribe` writes what it hears; `translate` says it in another
language."""

Modality: TypeAlias = Literal["TEXT", "AUDIO"]

Era: TypeAlias = Literal["guide", "later"]
"""`guide`: the service as the Live guides of autumn 2025 describe it; `later`: what came after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of the Live API."""

    id: str
    platforms: tuple[Platform, ...]
    kind: Kind
    modalities: tuple[Modality, ...]
    """What it can answer in; a session picks one."""

    context_tokens: int | None
    """Context window of a session, tokens: 128k for native audio, 32k for half-cascade (capabilities guide); None: not
    published."""

    thinking: bool = False
    """It takes `thinkingConfig`."""

    thinking_levels: bool = False
    """It takes `thinkingLevel`."""

    least_thinking: str | None = None
    """The lowest `thinkingLevel` of a model that must be told one; None: it need not be."""

    affective: bool = False
    """It takes `enableAffectiveDialog`."""

    proactive: bool = False
    """It takes `proactivity`."""

    async_functions: bool = True
    """It takes functions with `NON_BLOCKING` behaviour."""

    transcription_hints: bool = False
    """It takes the fields of `AudioTranscriptionConfig`; others want it empty."""

    content_any_time: bool = True
    """False: `clientContent` only seeds the history."""

    era: Era
    """When it appeared."""

    status: str
    """Availability in words, with its dates."""

    retired: str | None = None
    """Day it was shut down or is announced to be, ISO 8601; None: none announced."""

    gone: bool = False
    """True: it has been shut down; an emulator may still serve its wire."""

    source: str
    price: prices.Price | None = None
    """None: no price is known, which is not a price of 0."""

    @property
    def media_chunks(self) -> bool:
        """True: it still takes the deprecated `realtimeInput.mediaChunks`; the 3.x models refuse it."""
        return not self.id.startswith("gemini-3.")

    @property
    def transcribes_always(self) -> bool:
        """True: it tells what it heard without being asked (google-gemini/gemini-skills; forum thread 136977)."""
        return self.kind == "transcribe" or self.id.startswith("gemini-3.1-")

    @property
    def transcription(self) -> Literal["fragments", "whole", "interim"]:
        """How it tells what it heard: bit by bit, once when it is over, or in guesses that replace each other."""
        if self.kind == "transcribe":
            return "interim"
        return "whole" if self.id.startswith("gemini-3.1-") else "fragments"

    @property
    def always_proactive(self) -> bool:
        """True: it decides by itself whether to answer; others do where `proactivity` asks for it."""
        return self.id.startswith("gemini-3.8-")

    @property
    def tells_status(self) -> bool:
        """True: with the end of each turn it tells whether more follows, `interactionStatus` (SDK 2.18)."""
        return self.id == "gemini-3.8-live-extended-thinking"

    @property
    def session_s(self) -> Seconds | None:
        """Longest session, whatever becomes of its context; None: as others (Vertex AI's page of Gemini 3.5 Transcribe)."""
        return 10 * 60 if self.kind == "transcribe" else None

    @property
    def turn_coverage(self) -> str | None:
        """What a turn includes unless the client says; None: not known for certain.

        Of the later models, documented with `TurnCoverage` (SDK) and for 3.8.
        """
        later = self.kind == "native-audio" and self.id.startswith("gemini-3.")
        return "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO" if later else None

    @property
    def function_behavior(self) -> Literal["BLOCKING", "NON_BLOCKING"]:
        """How a function behaves that does not say."""
        return "NON_BLOCKING" if self.id.startswith("gemini-3.8-") else "BLOCKING"


# ── Models ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_CAPABILITIES = "Live API capabilities guide, autumn 2025"
_THINKING_SEEN = "NousResearch/hermes-agent#114116, ProfSynapse/nexus#389"
_VERTEX_OVERVIEW = "Vertex AI Live API overview, autumn 2025"

MODELS: tuple[Model, ...] = (
    Model(
        id="gemini-3.5-transcribe-live",
        platforms=("gemini", "vertex"),
        kind="transcribe",
        modalities=("TEXT",),
        context_tokens=None,
        async_functions=False,
        transcription_hints=True,
        era="later",
        status="since 2026-08-26; sessions of 10 min at most",
        source="coval-ai/benchmarks#552, trevornk/ramblr#227",
        price=prices.TRANSCRIBE_LIVE,
    ),
    Model(
        id="gemini-3.5-transcribe-live-preview",
        platforms=("vertex",),
        kind="transcribe",
        modalities=("TEXT",),
        context_tokens=None,
        async_functions=False,
        transcription_hints=True,
        era="later",
        status="preview name of gemini-3.5-transcribe-live on Vertex",
        source="coval-ai/benchmarks#552",
        price=prices.TRANSCRIBE_LIVE,
    ),
    Model(
        id="gemini-3.8-live",
        platforms=("gemini", "vertex"),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        proactive=True,
        era="later",
        status="since 2026-09-15; always proactive",
        source=f"Gemini API release notes, 2026-09; {_THINKING_SEEN}",
        price=prices.LIVE_3,
    ),
    Model(
        id="gemini-3.8-live-extended-thinking",
        platforms=("gemini", "vertex"),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        thinking=True,
        thinking_levels=True,
        least_thinking="LOW",
        proactive=True,
        era="later",
        status="since 2026-09-15; always proactive",
        source=f"Gemini API release notes, 2026-09; {_THINKING_SEEN}",
        price=prices.LIVE_3,
    ),
    Model(
        id="gemini-3.5-live-translate-preview",
        platforms=("gemini",),
        kind="translate",
        modalities=("AUDIO",),
        context_tokens=None,
        async_functions=False,
        era="later",
        status="since mid 2026",
        source=prices.LITELLM_2026,
        price=prices.Price(
            text_in=3.50,
            audio_in=3.50,
            image_in=None,
            text_out=21.00,
            audio_out=21.00,
            as_of="2026-11",
            source=prices.LITELLM_2026,
        ),
    ),
    Model(
        id="gemini-3.1-flash-live-preview",
        platforms=("gemini",),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        thinking=True,
        thinking_levels=True,
        async_functions=False,
        content_any_time=False,
        era="later",
        status="since 2026-03; deprecated from 2026-11-17",
        retired="2026-11-17",
        source=f"google-gemini/gemini-skills; {prices.LITELLM_2026}",
        price=prices.LIVE_3,
    ),
    Model(
        id="gemini-2.5-flash-native-audio-preview-12-2025",
        platforms=("gemini",),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        thinking=True,
        thinking_levels=True,
        affective=True,
        proactive=True,
        era="later",
        status="since 2025-12-12; deprecated from 2026-11-17",
        retired="2026-11-17",
        source=prices.LITELLM_2026,
        price=prices.FLASH_DEV,
    ),
    Model(
        id="gemini-2.5-flash-native-audio-latest",
        platforms=("gemini",),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        thinking=True,
        thinking_levels=True,
        affective=True,
        proactive=True,
        era="later",
        status="another name of the 12-2025 preview",
        retired="2026-11-17",
        source=prices.LITELLM_2026,
        price=prices.FLASH_DEV,
    ),
    Model(
        id="gemini-live-2.5-flash-native-audio",
        platforms=("vertex",),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        thinking=True,
        affective=True,
        proactive=True,
        era="later",
        status="generally available since 2025-12; deprecated from 2026-12-13",
        retired="2026-12-13",
        source=prices.LITELLM_2026,
        price=prices.FLASH_VERTEX,
    ),
    Model(
        id="gemini-2.5-flash-native-audio-preview-09-2025",
        platforms=("gemini",),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        thinking=True,
        affective=True,
        proactive=True,
        era="guide",
        status="since 2025-09; superseded by 12-2025",
        source=_CAPABILITIES,
        price=prices.FLASH_DEV,
    ),
    Model(
        id="gemini-live-2.5-flash-preview",
        platforms=("gemini",),
        kind="half-cascade",
        modalities=("TEXT", "AUDIO"),
        context_tokens=32_768,
        era="guide",
        status="2025-06-17 to 2025-12-09",
        retired="2025-12-09",
        gone=True,
        source=_CAPABILITIES,
        price=prices.FLASH_DEV,
    ),
    Model(
        id="gemini-2.0-flash-live-001",
        platforms=("gemini",),
        kind="half-cascade",
        modalities=("TEXT", "AUDIO"),
        context_tokens=32_768,
        era="guide",
        status="2025-04-09 to 2025-12-09",
        retired="2025-12-09",
        gone=True,
        source=_CAPABILITIES,
        price=prices.Price(
            text_in=0.35,
            audio_in=2.10,
            image_in=2.10,
            text_out=1.50,
            audio_out=8.50,
            as_of="2025-10-31",
            source=f"Gemini API pricing page; {prices.LITELLM_2025}",
        ),
    ),
    Model(
        id="gemini-live-2.5-flash",
        platforms=("vertex",),
        kind="half-cascade",
        modalities=("TEXT", "AUDIO"),
        context_tokens=32_768,
        era="guide",
        status="private preview",
        source=_VERTEX_OVERVIEW,
        price=prices.flash_price("2025-10", "assumed from the 2.5 Flash Live family", assumed=True),
    ),
    Model(
        id="gemini-live-2.5-flash-preview-native-audio-09-2025",
        platforms=("vertex",),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        thinking=True,
        affective=True,
        proactive=True,
        era="guide",
        status="public preview since 2025-09",
        source=_VERTEX_OVERVIEW,
        price=prices.FLASH_VERTEX,
    ),
    Model(
        id="gemini-live-2.5-flash-preview-native-audio",
        platforms=("vertex",),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        affective=True,
        proactive=True,
        era="guide",
        status="until 2025-10-18",
        retired="2025-10-18",
        gone=True,
        source=_VERTEX_OVERVIEW,
        price=prices.flash_price("2025-10", prices.LITELLM_2025, assumed=True),
    ),
    Model(
        id="gemini-2.0-flash-live-preview-04-09",
        platforms=("vertex",),
        kind="half-cascade",
        modalities=("TEXT", "AUDIO"),
        context_tokens=32_768,
        era="guide",
        status="preview since 2025-04-09",
        source=f"{_VERTEX_OVERVIEW} (its WebSocket sample)",
        price=prices.flash_price("2025-10", prices.LITELLM_2025),
    ),
    Model(
        id="gemini-2.5-flash-preview-native-audio-dialog",
        platforms=("gemini",),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        affective=True,
        proactive=True,
        era="guide",
        status="since 2025-05; shut down",
        gone=True,
        source="Gemini API release notes, 2025-05",
    ),
    Model(
        id="gemini-2.5-flash-exp-native-audio-thinking-dialog",
        platforms=("gemini",),
        kind="native-audio",
        modalities=("AUDIO",),
        context_tokens=131_072,
        thinking=True,
        affective=True,
        proactive=True,
        era="guide",
        status="since 2025-05; shut down",
        gone=True,
        source="Gemini API release notes, 2025-05",
    ),
    Model(
        id="gemini-2.0-flash-exp",
        platforms=("gemini", "vertex"),
        kind="half-cascade",
        modalities=("TEXT", "AUDIO"),
        context_tokens=32_768,
        era="guide",
        status="since 2024-12, the first Live model; shut down",
        gone=True,
        source="Gemini API release notes, 2024-12",
    ),
)
"""Newest first: those that the guides name, those that came after, and those before that logs still mention."""

_BY_ID: Mapping[str, Model] = MappingProxyType({model.id: model for model in MODELS})


def find(model_id: str) -> Model | None:
    """Return the model with this id (a resource name's last part will do), or None."""
    return _BY_ID.get(model_id.rpartition("/")[2])


def nearest(model_id: str, *, most: int = 3) -> list[str]:
    """Return the ids most like `model_id`, best first; empty when none is near."""
    return get_close_matches(model_id.rpartition("/")[2].casefold(), _BY_ID, n=most, cutoff=0.5)


# ── Cost ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def cost_usd(
    model: str, prompt_by_modality: Mapping[str, int], response_by_modality: Mapping[str, int]
) -> Usd | None:
    """Return what these tokens cost; None when the model has no price or a modality of theirs has none.

    Keys are the wire's: `TEXT`, `AUDIO`, `IMAGE`, `VIDEO`, `DOCUMENT`. A session's tokens are the sums over its usage
    records, since each record is one turn's bill. Without a free tier: what the tokens would cost when billed.
    """
    known = find(model)
    if known is None or known.price is None:
        return None
    return known.price.of(prompt_by_modality, response_by_modality)


AUDIO_TOKENS_PER_S: tuple[int, int] = (25, 32)
"""Sources disagree. 25: Vertex AI's session page, and its per-second prices (25 times the token's). 32: the Developer
API's audio and pricing pages, and bills shown in the developer forum (threads 81303, 92653)."""

DEFAULT_AUDIO_TOKENS_PER_S = 32
"""Tokens of a second of audio, for estimates made before the service has counted. The higher of the two, so that a
budget errs on the safe side."""

PICTURE_TOKENS = 258
"""Tokens of a picture, and of a second of video at 1 frame a second. Source: Gemini API documentation, tokens."""

LOW_PICTURE_TOKENS = 66
"""Tokens of a picture at `MEDIA_RESOLUTION_LOW`. Source: Gemini API documentation, video understanding; the enum's own
comment in the proto says 64."""

DEFAULT_CONTEXT_TOKENS = 32_768
"""Context window of a model for which none was published: that of the half-cascade models."""

# ── Limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────

SESSION_AUDIO_S: Seconds = 15 * 60
"""Longest session with audio only, without context-window compression. Source: Live API capabilities guide."""

SESSION_VIDEO_S: Seconds = 2 * 60
"""Longest session with audio and video, without compression. Source: Live API capabilities guide."""

CONNECTION_S: Seconds = 10 * 60
"""About how long a connection lives before goAway. Source: Gemini API documentation, session management."""

GO_AWAY_LEAD_S: Seconds = 60
"""How long before the abort goAway comes; 50 s to 300 s were seen. Source: as above; kizuna-ai-lab/sokuji#179."""

FREE_SESSIONS = 3
"""Concurrent sessions of a key without billing, as last published (early 2025). Source: forum threads 54514, 78114."""

HANDLE_VALID_S: Mapping[Platform, Seconds] = MappingProxyType(
    {"gemini": 2 * 3600, "vertex": 24 * 3600}
)
"""How long a resumption handle lives. Source: the platforms' session pages, 2025-12."""
