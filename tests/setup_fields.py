"""Every field of a setup and what it does in the emulator: what `docs/emulator.md` shows, and a test holds against it."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union, get_args, get_origin, get_type_hints

from harness.wire.live.fields import Message
from harness.wire.live.messages import Content, MultiSpeakerVoiceConfig, Setup
from harness.wire.live.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field."""

    path: str
    """Below `setup`, as on the wire; with `*`: all below it that have no line of their own."""

    default: str
    does: str


def _field(path: str, default: str, does: str) -> Field:
    return Field(path=path, default=default, does=does)


_GENERATION = "generationConfig."
_SPEECH = "generationConfig.speechConfig."
_THINKING = "generationConfig.thinkingConfig."
_DETECTION = "realtimeInputConfig.automaticActivityDetection."
_HEARD = "inputAudioTranscription."

FIELDS = (
    _field("model", "required", "what can be asked for, and how it transcribes"),
    _field(_GENERATION + "responseModalities", "AUDIO, where the model has it", "TEXT is written, AUDIO spoken"),
    _field(_GENERATION + "maxOutputTokens", "no end", "cuts the answer"),
    _field(_GENERATION + "temperature", "the model's", NOTHING),
    _field(_GENERATION + "topP", "the model's", NOTHING),
    _field(_GENERATION + "topK", "the model's", NOTHING),
    _field(_GENERATION + "candidateCount", "1", NOTHING),
    _field(_GENERATION + "seed", "none", NOTHING),
    _field(_GENERATION + "presencePenalty", "0", NOTHING),
    _field(_GENERATION + "frequencyPenalty", "0", NOTHING),
    _field(_SPEECH + "voiceConfig.prebuiltVoiceConfig.voiceName", "Puck", "the voice's pitch"),
    _field(_SPEECH + "voiceConfig.replicatedVoiceConfig", "none", NOTHING),
    _field(_SPEECH + "voiceConfig.voice", "none", NOTHING),
    _field(_SPEECH + "languageCode", "that of what was heard", "the language that is spoken"),
    _field(_SPEECH + "multiSpeakerVoiceConfig", "none", NOTHING),
    _field(_GENERATION + "mediaResolution", "medium", "LOW: a picture costs a quarter"),
    _field(_THINKING + "thinkingBudget", "the model decides", "cuts a thought; 0: none is thought"),
    _field(_THINKING + "includeThoughts", "false", "thoughts are told"),
    _field(_THINKING + "thinkingLevel", "the model's", NOTHING),
    _field(_GENERATION + "enableAffectiveDialog", "false", NOTHING),
    _field(_GENERATION + "enableEnhancedCivicAnswers", "false", NOTHING),
    _field(_GENERATION + "translationConfig.targetLanguageCode", "en", NOTHING),
    _field(_GENERATION + "translationConfig.echoTargetLanguage", "false", NOTHING),
    _field("systemInstruction", "none", "is billed, and never let go"),
    _field("tools.functionDeclarations", "none", "functions that a file of answers may call"),
    _field("tools.googleSearch", "none", "grounding that a file of answers has is told"),
    _field("tools.googleSearchRetrieval", "none", "the same"),
    _field("tools.*", "none", NOTHING),
    _field(_DETECTION + "disabled", "false", "the client marks activity"),
    _field(_DETECTION + "startOfSpeechSensitivity", "HIGH; LOW on Vertex AI", "how clear and long speech must be to begin a turn"),
    _field(_DETECTION + "endOfSpeechSensitivity", "HIGH", "LOW: half as much silence again"),
    _field(_DETECTION + "prefixPaddingMs", "40, or 120 at LOW", "speech that begins a turn"),
    _field(_DETECTION + "silenceDurationMs", "800", "silence that ends it"),
    _field("realtimeInputConfig.activityHandling", "START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION: speech cuts no answer"),
    _field("realtimeInputConfig.turnCoverage", "all input; of 3.x speech and pictures", "what is billed"),
    _field("realtimeInputConfig.interimTranscriptTimestampEnabled", "false", NOTHING),
    _field("inputAudioTranscription", "absent: off", "what is heard is told"),
    _field(_HEARD + "languageCodes", "any", "languages that the ear listens for"),
    _field(_HEARD + "languageHints.languageCodes", "any", "the same"),
    _field(_HEARD + "customVocabulary", "none", "words that the ear expects"),
    _field(_HEARD + "adaptationPhrases", "none", "the same"),
    _field(_HEARD + "mode", "VERBATIM", "SMART: hesitations and repetitions are left out"),
    _field(_HEARD + "*", "false", NOTHING),
    _field("outputAudioTranscription", "absent: off", "what is spoken is told"),
    _field("outputAudioTranscription.*", "–", NOTHING),
    _field("sessionResumption", "absent: off", "handles are issued"),
    _field("sessionResumption.handle", "none", "resumes the session it names"),
    _field("sessionResumption.transparent", "false", "handles say which message they stand for"),
    _field("contextWindowCompression", "absent: off", "the session has no end of its own"),
    _field("contextWindowCompression.triggerTokens", "80 % of the window", "when the oldest turns are let go"),
    _field("contextWindowCompression.slidingWindow.targetTokens", "half of it", "how much is left then"),
    _field("proactivity.proactiveAudio", "false", "a file of answers may be silent"),
    _field("proactivity.proactiveVideo", "false", NOTHING),
    _field("explicitVadSignal", "false", "detected activity is told"),
    _field("historyConfig.initialHistoryInClientContent", "false", "the first content is not answered"),
    _field("safetySettings", "the service's", NOTHING),
    _field("labels", "none", NOTHING),
    _field("avatarConfig", "none", NOTHING),
)  # fmt: skip


def paths(kind: type[Message] = Setup, parent: str = "") -> Iterator[str]:
    """Yield the path of every field below a setup that has no fields of its own, as on the wire."""
    hints = get_type_hints(kind)
    for name, wire in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        if name == "unknown":
            continue
        inner = _class(hints[name])
        if inner is None or kind is Tool or inner in (Content, MultiSpeakerVoiceConfig):
            yield parent + wire
        else:
            yield from paths(inner, f"{parent}{wire}.")


def _class(hint: object) -> type[Message] | None:
    """Return the message that a field holds, one or several; None: it holds none."""
    for one in get_args(hint) if get_origin(hint) in (types.UnionType, Union, list) else (hint,):
        if isinstance(one, type) and issubclass(one, Message):
            return one
    return None


def table() -> str:
    """Return the table of all fields."""
    lines = ["| field | default | what it does here |", "|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| `{one.path}` | {one.default} | {one.does} |" for one in FIELDS)]
    )
