"""Closed sets of names: which enum a field holds, and the number of each of its values.

Proto JSON writes a value's name and takes its number as well. Sources: `google/ai/generativelanguage/v1beta` (googleapis)
and, for values without a number, the types of the official SDK `google-genai` 3.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from harness.wire.live.fields import Message
from harness.wire.live.messages import (
    AudioTranscriptionConfig,
    AutomaticActivityDetection,
    CodeExecutionResult,
    ExecutableCode,
    FunctionResponse,
    GenerationConfig,
    ModalityTokenCount,
    RealtimeInputConfig,
    ThinkingConfig,
)
from harness.wire.live.tools import (
    ComputerUse,
    DynamicRetrievalConfig,
    FunctionDeclaration,
    Schema,
)

Place: TypeAlias = tuple[type[Message], str]
"""A field: its class and its attribute."""


@dataclass(frozen=True, kw_only=True)
class Enum:
    """One of Google's enums."""

    name: str
    """Google's, below the package."""

    numbers: Mapping[str, int | None]
    """Each value's number; None: it was not published."""

    @cached_property
    def _by_number(self) -> dict[int, str]:
        return {number: name for name, number in self.numbers.items() if number is not None}

    def named(self, number: int) -> str:
        """Return the name of the value with `number`, or the number as text where none has it."""
        return self._by_number.get(number, str(number))


def _numbered(name: str, *values: str, later: tuple[str, ...] = ()) -> Enum:
    """Return the enum with `values` numbered from 0 on, and `later` ones of unknown number."""
    numbers: dict[str, int | None] = {value: number for number, value in enumerate(values)}
    return Enum(name=name, numbers=numbers | dict.fromkeys(later))


_DETECTION = "RealtimeInputConfig.AutomaticActivityDetection"

ENUMS: dict[Place, Enum] = {
    (GenerationConfig, "response_modalities"): _numbered(
        "GenerationConfig.Modality",
        "MODALITY_UNSPECIFIED",
        "TEXT",
        "IMAGE",
        "AUDIO",
        later=("VIDEO",),
    ),
    (GenerationConfig, "media_resolution"): _numbered(
        "GenerationConfig.MediaResolution",
        *(f"MEDIA_RESOLUTION_{one}" for one in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH")),
    ),
    (ThinkingConfig, "thinking_level"): _numbered(
        "ThinkingConfig.ThinkingLevel",
        "THINKING_LEVEL_UNSPECIFIED",
        later=("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"),
    ),
    (AutomaticActivityDetection, "start_of_speech_sensitivity"): _numbered(
        f"{_DETECTION}.StartSensitivity",
        *(f"START_SENSITIVITY_{one}" for one in ("UNSPECIFIED", "HIGH", "LOW")),
    ),
    (AutomaticActivityDetection, "end_of_speech_sensitivity"): _numbered(
        f"{_DETECTION}.EndSensitivity",
        *(f"END_SENSITIVITY_{one}" for one in ("UNSPECIFIED", "HIGH", "LOW")),
    ),
    (RealtimeInputConfig, "activity_handling"): _numbered(
        "RealtimeInputConfig.ActivityHandling",
        "ACTIVITY_HANDLING_UNSPECIFIED",
        "START_OF_ACTIVITY_INTERRUPTS",
        "NO_INTERRUPTION",
    ),
    (RealtimeInputConfig, "turn_coverage"): _numbered(
        "RealtimeInputConfig.TurnCoverage",
        "TURN_COVERAGE_UNSPECIFIED",
        "TURN_INCLUDES_ONLY_ACTIVITY",
        "TURN_INCLUDES_ALL_INPUT",
        later=("TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",),
    ),
    (AudioTranscriptionConfig, "mode"): _numbered(
        "AudioTranscriptionConfig.Mode", "MODE_UNSPECIFIED", later=("VERBATIM", "SMART")
    ),
    (FunctionDeclaration, "behavior"): _numbered(
        "FunctionDeclaration.Behavior", "UNSPECIFIED", "BLOCKING", "NON_BLOCKING"
    ),
    (Schema, "type"): _numbered(
        "Type",
        "TYPE_UNSPECIFIED",
        "STRING",
        "NUMBER",
        "INTEGER",
        "BOOLEAN",
        "ARRAY",
        "OBJECT",
        "NULL",
    ),
    (ExecutableCode, "language"): _numbered(
        "ExecutableCode.Language", "LANGUAGE_UNSPECIFIED", "PYTHON"
    ),
    (CodeExecutionResult, "outcome"): _numbered(
        "CodeExecutionResult.Outcome",
        *(f"OUTCOME_{one}" for one in ("UNSPECIFIED", "OK", "FAILED", "DEADLINE_EXCEEDED")),
    ),
    (DynamicRetrievalConfig, "mode"): _numbered(
        "DynamicRetrievalConfig.Mode", "MODE_UNSPECIFIED", "MODE_DYNAMIC"
    ),
    (ComputerUse, "environment"): _numbered(
        "Tool.ComputerUse.Environment",
        "ENVIRONMENT_UNSPECIFIED",
        "ENVIRONMENT_BROWSER",
        later=("ENVIRONMENT_MOBILE", "ENVIRONMENT_DESKTOP"),
    ),
    (FunctionResponse, "scheduling"): _numbered(
        "FunctionResponse.Scheduling", "SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"
    ),
    (ModalityTokenCount, "modality"): _numbered(
        "Modality", "MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT"
    ),
}
"""The enum of each field that has one."""

ANY_CASE: frozenset[Place] = frozenset({(Schema, "type")})
"""Fields whose names may be in lower case: the Gemini API's function calling guide writes them so in its requests."""

LATER_VALUES: dict[Place, frozenset[str]] = {
    (GenerationConfig, "response_modalities"): frozenset({"VIDEO"}),
    (ComputerUse, "environment"): frozenset({"ENVIRONMENT_MOBILE", "ENVIRONMENT_DESKTOP"}),
    (RealtimeInputConfig, "turn_coverage"): frozenset(
        {"TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO"}
    ),
}
"""Values that came after the guides."""
