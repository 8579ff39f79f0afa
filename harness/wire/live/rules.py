"""What a setup may ask of a model: a table of rules, each with its source and with the words the service refuses in.

The server machine refuses by it; a client asks it before anything is sent (`require_taken`). Every check raises
`Refused`. Knows one setup at a time; names of fields are `names`' business, order of messages is `server`'s.

Rules that nobody has published are left out: a setup that the service takes must never be refused here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from harness.errors import UsageError
from harness.text.locales import LOCALES
from harness.wire.live import catalogue, refusals
from harness.wire.live.assumptions import USUAL, Assumptions
from harness.wire.live.endpoint import Route
from harness.wire.live.messages import (
    AudioTranscriptionConfig,
    AutomaticActivityDetection,
    ClientMessage,
    Content,
    ContextWindowCompressionConfig,
    GenerationConfig,
    RealtimeInputConfig,
    Setup,
    SlidingWindow,
    SpeechConfig,
    ThinkingConfig,
)
from harness.wire.live.names import check_names
from harness.wire.live.refusals import INVALID_ARGUMENT, Refusal, Refused, Rule
from harness.wire.live.scalars import excerpt
from harness.wire.live.tools import FunctionDeclaration, Tool
from harness.wire.live.voices import voices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.wire.live.catalogue import Era, Modality, Model, Platform

_CAPABILITIES: Final = "Live API capabilities guide, autumn 2025"
_PROTO: Final = "google/ai/generativelanguage/v1beta/generative_service.proto"
_CONTENT: Final = "google/ai/generativelanguage/v1beta/content.proto"
_VERTEX_SESSIONS: Final = "Vertex AI's session management page"

# ── The model and its modality ───────────────────────────────────────────────────────────────────────────────────────

_MODEL_NAME = {
    "gemini": re.compile(r"(?:models/)?([^/]+)"),
    "vertex": re.compile(
        r"(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/google/models/)?([^/]+)"
    ),
}
"""How `setup.model` names a model."""


def model_of(setup: Setup, route: Route, era: Era, assumed: Assumptions = USUAL) -> Model:
    """Return the model a setup names; Refused when this platform, version and era do not serve it."""
    named = _MODEL_NAME[route.platform].fullmatch(setup.model)
    if "/" not in setup.model and route.platform == "gemini" and assumed.bare_model == "refused":
        named = None
    model = catalogue.find(named[1]) if named else None
    if (
        model is not None
        and route.platform in model.platforms
        and not (era == "guide" and model.era == "later")
    ):
        return replace(model, context_tokens=_context_tokens(model, route, assumed))
    rule = None if model is None else _served(model, era)
    if route.platform == "vertex":
        refusal = refusals.PUBLISHER_MODEL_NOT_FOUND
        raise Refused(refusal, refusal.text(model=excerpt(setup.model)), rule=rule)
    refusal = refusals.MODEL_NOT_FOUND
    shown = excerpt(setup.model.removeprefix("models/"))
    raise Refused(refusal, refusal.text(model=shown, version=route.version), rule=rule)


def _context_tokens(model: Model, route: Route, assumed: Assumptions) -> int | None:
    if model.id == "gemini-live-2.5-flash-preview" and assumed.half_cascade_context == "1M":
        return 2**20
    if (route.platform, model.kind) == ("vertex", "native-audio") and (
        assumed.vertex_native_context == "32k"
    ):
        return 2**15
    return model.context_tokens


def _served(model: Model, era: Era) -> Rule:
    names = {"gemini": "the Gemini Developer API", "vertex": "Vertex AI"}
    where = " and ".join(names[platform] for platform in model.platforms)
    late = ", and came after the guides" if era == "guide" and model.era == "later" else ""
    return Rule(says=f"{model.id} is served by {where} alone{late}", source=model.source)


def modality_of(setup: Setup, model: Model, route: Route) -> Modality:
    """Return the one modality the session answers in; Refused when the setup asks for what the model has not."""
    asked = _modalities(setup)
    rule = Rule(says=f"{model.id} answers in {model.modalities[0]} alone", source=model.source)
    match asked:
        case []:
            # The service's default is AUDIO, for the models that have it.
            return "AUDIO" if "AUDIO" in model.modalities else model.modalities[0]
        case ["TEXT" | "AUDIO" as one] if one in model.modalities:
            return one
        case ["TEXT"] if route.platform == "gemini":
            raise Refused(refusals.TEXT_ON_NATIVE_AUDIO, rule=rule)
        case ["AUDIO"]:
            text = refusals.MODALITIES.text(modalities="AUDIO")
            raise Refused(refusals.MODALITIES, text, rule=rule)
        case _:
            raise Refused(INVALID_ARGUMENT, rule=rule)


def _modalities(setup: Setup) -> list[str]:
    config = setup.generation_config
    named = config.response_modalities if config else []
    return [one for one in named if one != "MODALITY_UNSPECIFIED"]


# ── What holds for every model ───────────────────────────────────────────────────────────────────────────────────────

_Broken: TypeAlias = Callable[[Setup], object]
"""True of a setup that breaks the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _SetupRule(Rule):
    broken: _Broken
    vertex_only: bool = False
    """True: stated for Vertex AI alone."""


def _generation(setup: Setup) -> GenerationConfig:
    return setup.generation_config or GenerationConfig()


def _speech(setup: Setup) -> SpeechConfig:
    return _generation(setup).speech_config or SpeechConfig()


def _thinking(setup: Setup) -> ThinkingConfig:
    return _generation(setup).thinking_config or ThinkingConfig()


def _detection(setup: Setup) -> AutomaticActivityDetection:
    realtime = setup.realtime_input_config or RealtimeInputConfig()
    return realtime.automatic_activity_detection or AutomaticActivityDetection()


def _compression(setup: Setup) -> ContextWindowCompressionConfig:
    return setup.context_window_compression or ContextWindowCompressionConfig()


def _target(setup: Setup) -> int | None:
    return (_compression(setup).sliding_window or SlidingWindow()).target_tokens


def _outside(value: float | None, least: float, most: float = float("inf")) -> bool:
    return value is not None and not least <= value <= most


_MOST_VOCABULARY: Final = 1000

_FUNCTION_NAME: Final = re.compile(r"[A-Za-z0-9_:.-]{1,64}")


def _functions(setup: Setup) -> list[FunctionDeclaration]:
    return [function for tool in setup.tools for function in tool.function_declarations]


EVERY_MODEL: Final = (
    _SetupRule(
        says="a session answers in one modality, TEXT or AUDIO",
        source=_CAPABILITIES,
        broken=lambda setup: _modalities(setup) not in ([], ["TEXT"], ["AUDIO"]),
    ),
    _SetupRule(
        says="generationConfig.temperature lies between 0 and 2",
        source=_PROTO,
        broken=lambda setup: _outside(_generation(setup).temperature, 0, 2),
    ),
    _SetupRule(
        says="generationConfig.topP lies between 0 and 1",
        source=_PROTO,
        broken=lambda setup: _outside(_generation(setup).top_p, 0, 1),
    ),
    _SetupRule(
        says="generationConfig.topK is not negative",
        source=_PROTO,
        broken=lambda setup: _outside(_generation(setup).top_k, 0),
    ),
    _SetupRule(
        says="contextWindowCompression.triggerTokens is not negative",
        source=_PROTO,
        broken=lambda setup: _outside(_compression(setup).trigger_tokens, 0),
    ),
    _SetupRule(
        says="slidingWindow.targetTokens is not negative",
        source=_PROTO,
        broken=lambda setup: _outside(_target(setup), 0),
    ),
    _SetupRule(
        says="generationConfig.maxOutputTokens is not negative",
        source=_PROTO,
        broken=lambda setup: _outside(_generation(setup).max_output_tokens, 0),
    ),
    _SetupRule(
        says="thinkingBudget is a number of tokens, 0 for none, or -1 for as many as the model likes",
        source="Gemini API thinking guide",
        broken=lambda setup: _outside(_thinking(setup).thinking_budget, -1),
    ),
    _SetupRule(
        says="thinkingBudget and thinkingLevel exclude each other",
        source="Gemini API thinking guide",
        broken=lambda setup: (
            _thinking(setup).thinking_budget is not None and _thinking(setup).thinking_level
        ),
    ),
    _SetupRule(
        says="automaticActivityDetection.prefixPaddingMs is not negative",
        source=_PROTO,
        broken=lambda setup: _outside(_detection(setup).prefix_padding_ms, 0),
    ),
    _SetupRule(
        says="automaticActivityDetection.silenceDurationMs is not negative",
        source=_PROTO,
        broken=lambda setup: _outside(_detection(setup).silence_duration_ms, 0),
    ),
    _SetupRule(
        says="systemInstruction holds text alone",
        source=_PROTO,
        broken=lambda setup: any(
            part.text is None for part in (setup.system_instruction or Content()).parts
        ),
    ),
    _SetupRule(
        says="contextWindowCompression.triggerTokens lies between 5,000 and 128,000 on Vertex AI",
        source=_VERTEX_SESSIONS,
        vertex_only=True,
        broken=lambda setup: _outside(_compression(setup).trigger_tokens, 5_000, 128_000),
    ),
    _SetupRule(
        says="slidingWindow.targetTokens lies between 0 and 128,000 on Vertex AI",
        source=_VERTEX_SESSIONS,
        vertex_only=True,
        broken=lambda setup: _outside(_target(setup), 0, 128_000),
    ),
    _SetupRule(
        says=f"customVocabulary holds at most {_MOST_VOCABULARY} phrases",
        source="google-genai 2.34, AudioTranscriptionConfig",
        broken=lambda setup: (
            setup.input_audio_transcription
            and len(setup.input_audio_transcription.custom_vocabulary) > _MOST_VOCABULARY
        ),
    ),
    _SetupRule(
        says="mode SMART goes without wordTimestamp and diarization",
        source="google-genai 2.34, AudioTranscriptionConfig",
        broken=lambda setup: (
            (asked := setup.input_audio_transcription)
            and asked.mode == "SMART"
            and (asked.word_timestamp or asked.diarization)
        ),
    ),
    _SetupRule(
        says="a function's name is 1 to 64 of A to Z, a to z, 0 to 9, “_”, “:”, “.” and “-”",
        source=_CONTENT,
        broken=lambda setup: any(
            not _FUNCTION_NAME.fullmatch(function.name) for function in _functions(setup)
        ),
    ),
    _SetupRule(
        says="parameters and parametersJsonSchema exclude each other",
        source=_CONTENT,
        broken=lambda setup: any(
            function.parameters and function.parameters_json_schema is not None
            for function in _functions(setup)
        ),
    ),
    _SetupRule(
        says="response and responseJsonSchema exclude each other",
        source=_CONTENT,
        broken=lambda setup: any(
            function.response and function.response_json_schema is not None
            for function in _functions(setup)
        ),
    ),
)

# ── What a model can ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelRule(Rule):
    """`says` continues a model's id."""

    can: Callable[[Model], bool]
    asked: _Broken
    """True of a setup that asks for it."""

    refusal: Refusal = INVALID_ARGUMENT


def _asks_more_than_presence(transcription: AudioTranscriptionConfig | None) -> bool:
    return transcription not in (None, AudioTranscriptionConfig())


_EMPTY_TRANSCRIPTION: Final = _ModelRule(
    says="takes inputAudioTranscription and outputAudioTranscription empty only",
    source="DevEmperor/DictateKeyboard#292: only transcribe-live takes their fields",
    can=lambda model: model.transcription_hints,
    asked=lambda setup: (
        _asks_more_than_presence(setup.input_audio_transcription)
        or _asks_more_than_presence(setup.output_audio_transcription)
    ),
)

_BLOCKING: Final = _ModelRule(
    says="has no NON_BLOCKING functions",
    source="google-gemini/gemini-skills",
    can=lambda model: model.async_functions,
    asked=lambda setup: any(function.behavior == "NON_BLOCKING" for function in _functions(setup)),
)

ABILITIES: Final = (
    _ModelRule(
        says="takes no thinkingLevel",
        source="NousResearch/hermes-agent#114116",
        can=lambda model: model.thinking_levels,
        asked=lambda setup: _thinking(setup).thinking_level,
        refusal=refusals.THINKING_LEVEL,
    ),
    _ModelRule(
        says="must be told a thinkingLevel",
        source="NousResearch/hermes-agent#114116",
        can=lambda model: model.least_thinking is None,
        asked=lambda setup: not _thinking(setup).thinking_level,
        refusal=refusals.NO_THINKING_LEVEL,
    ),
    _ModelRule(
        says="has no thinkingLevel MINIMAL",
        source="ProfSynapse/nexus#389",
        can=lambda model: model.least_thinking is None,
        asked=lambda setup: _thinking(setup).thinking_level == "MINIMAL",
        refusal=refusals.THINKING_LEVEL,
    ),
    _ModelRule(
        says="takes no thinkingConfig",
        source="public logs of models that do not think",
        can=lambda model: model.thinking,
        asked=lambda setup: _generation(setup).thinking_config,
        refusal=refusals.THINKING,
    ),
    _ModelRule(
        says="has no affective dialogue",
        source=_CAPABILITIES,
        can=lambda model: model.affective,
        asked=lambda setup: _generation(setup).enable_affective_dialog,
    ),
    _ModelRule(
        says="has no proactive audio",
        source=_CAPABILITIES,
        can=lambda model: model.proactive,
        asked=lambda setup: setup.proactivity and setup.proactivity.proactive_audio,
    ),
    _ModelRule(
        says="does not translate",
        source="SDK google-genai 2.8: translationConfig is live-translate's",
        can=lambda model: model.kind == "translate",
        asked=lambda setup: _generation(setup).translation_config,
    ),
    _EMPTY_TRANSCRIPTION,
    _BLOCKING,
)


def _check_voice(setup: Setup, model: Model, assumed: Assumptions) -> None:
    voice = _speech(setup).voice_config
    prebuilt = voice.prebuilt_voice_config if voice else None
    name = prebuilt.voice_name if prebuilt else None
    known = voices(model.kind)
    if name and name.casefold() not in {one.casefold() for one in known}:
        rule = Rule(says=f"{model.id} has the voices {', '.join(known)}", source=_CAPABILITIES)
        if assumed.unknown_voice == "invalid-argument":
            raise Refused(INVALID_ARGUMENT, rule=rule)
        text = refusals.UNKNOWN_VOICE.text(voice=excerpt(name), model=f"models/{model.id}")
        raise Refused(refusals.UNKNOWN_VOICE, text, rule=rule)


def _check_language(setup: Setup, model: Model, route: Route, assumed: Assumptions) -> None:
    code = _speech(setup).language_code
    known = _spoken(model, route)
    if model.kind == "native-audio" and assumed.native_language == "ignored":
        return
    if code and known is not None and code.casefold() not in {one.casefold() for one in known}:
        rule = Rule(says=f"{model.id} speaks {', '.join(known)}", source=_CAPABILITIES)
        text = refusals.UNSUPPORTED_LANGUAGE.text(
            language=excerpt(code), model=f"models/{model.id}"
        )
        raise Refused(refusals.UNSUPPORTED_LANGUAGE, text, rule=rule)


def _spoken(model: Model, route: Route) -> list[str] | None:
    """Return the languages that `speechConfig.languageCode` may name; None where no list was published."""
    if model.id.startswith("gemini-3.") or model.kind not in ("half-cascade", "native-audio"):
        return None
    if model.kind == "half-cascade":
        return [code for code, one in LOCALES.items() if one.guide or route.platform == "vertex"]
    return [
        code
        for code, one in LOCALES.items()
        if (one.vertex24 if route.platform == "vertex" else one.native_audio)
    ]


# ── All of them ──────────────────────────────────────────────────────────────────────────────────────────────────────


def check_setup(
    setup: Setup, route: Route, era: Era = "later", assumed: Assumptions = USUAL
) -> tuple[Model, Modality]:
    """Return the model and the modality of a setup; Refused when it breaks a rule of the service."""
    check_names(ClientMessage(setup=setup), route, era, assumed)
    model = model_of(setup, route, era, assumed)
    _check_every_model(setup, route)
    modality = modality_of(setup, model, route)
    for rule in ABILITIES:
        if not _overlooked(rule, assumed):
            _check_ability(rule, setup, model)
    _check_voice(setup, model, assumed)
    _check_language(setup, model, route, assumed)
    return model, modality


def _check_ability(rule: _ModelRule, setup: Setup, model: Model) -> None:
    if rule.asked(setup) and not rule.can(model):
        told = Rule(says=f"{model.id} {rule.says}", source=rule.source)
        raise Refused(rule.refusal, rule=told)


def check_functions(
    functions: Iterable[FunctionDeclaration], model_id: str, platform: Platform
) -> None:
    """Raise Refused when the service would refuse these functions, whatever else a setup asks of the model."""
    setup = Setup(tools=[Tool(function_declarations=list(functions))])
    # No version knows more of functions than another.
    route = Route(platform=platform, version="v1")
    check_names(ClientMessage(setup=setup), route, "later")
    _check_every_model(setup, route)
    if (model := catalogue.find(model_id)) is not None:
        _check_ability(_BLOCKING, setup, model)


def unanswered(setup: Setup, model: Model, assumed: Assumptions) -> bool:
    """Return whether a setup that breaks no other rule is never answered: neither taken nor refused."""
    rule = _EMPTY_TRANSCRIPTION
    return _overlooked(rule, assumed) and bool(rule.asked(setup)) and not rule.can(model)


def _overlooked(rule: Rule, assumed: Assumptions) -> bool:
    return rule is _EMPTY_TRANSCRIPTION and assumed.transcription_fields == "unanswered"


def _check_every_model(setup: Setup, route: Route) -> None:
    for rule in EVERY_MODEL:
        if rule.broken(setup) and (route.platform == "vertex" or not rule.vertex_only):
            raise Refused(INVALID_ARGUMENT, rule=rule)


def require_taken(setup: Setup, model_id: str, route: Route) -> None:
    """Raise UsageError when the service would refuse `setup` for this model: the rule, its source, the service's words.

    Of a model that the catalogue lacks only the rules are asked that hold for every one.
    """
    try:
        if catalogue.find(model_id) is not None:
            check_setup(msgspec.structs.replace(setup, model=model_id), route)
        else:
            check_names(ClientMessage(setup=setup), route, "later")
            _check_every_model(setup, route)
    except Refused as refused:
        rule = refused.rule
        raise UsageError(
            f"the service refuses this setup: {rule.says if rule else refused.text}",
            why=(f"source: {rule.source}; " if rule else "")
            + f"it closes with {refused.code}, “{refused.reason}”",
            hint="--model, --set PATH=VALUE and --api-version change what is asked",
        ) from None
