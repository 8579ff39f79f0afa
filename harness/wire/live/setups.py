"""The setup that a task sends by default, and how `--set PATH=VALUE` changes it.

Knows what each kind of model needs in order to transcribe, to speak or to answer. Does not know the platform: the model's resource name is
put in by whoever opens the session.
"""

from __future__ import annotations

import types
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from harness.errors import UsageError, suggestion
from harness.wire.live import catalogue, codec
from harness.wire.live.fields import Message
from harness.wire.live.messages import (
    AudioTranscriptionConfig,
    AutomaticActivityDetection,
    Content,
    GenerationConfig,
    Part,
    ProactivityConfig,
    RealtimeInputConfig,
    Setup,
    ThinkingConfig,
)
from harness.wire.live.names import not_live

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.wire.live.catalogue import Model

Turns: TypeAlias = Literal["manual", "auto"]
"""Who says where a turn begins and ends: the client, or the server's activity detection."""

Channel: TypeAlias = Literal["input", "reply", "output"]
"""Which text is the transcript: of what was sent, the model's written reply, or of the model's speech."""

INSTRUCTIONS: dict[Channel, str] = {
    "input": "Do not answer what you hear. Reply only: ok",
    "reply": "Write down what the user says, word for word, in the language and script it is spoken in. Do not "
    "answer, translate, correct, comment or add anything. If nothing is said, reply with nothing.",
    "output": "Repeat aloud what the user says, word for word, in the same language. Do not answer, translate or "
    "add anything.",
}
"""System instruction for models that converse; a dedicated transcription model takes none."""

INPUT_REPLY_TOKENS = 16
"""`maxOutputTokens` where the reply is thrown away: enough for “ok”, too little to cost anything."""


def transcription_setup(model: str, *, turns: Turns, transcript: Channel) -> Setup:
    """Return the setup with which `model` (an id, even one unknown to the catalogue) transcribes; its `model` is empty.

    It answers in TEXT where it can, since nobody listens. With manual turns all audio counts. With automatic ones the
    detection's own parameters are the service's. UsageError: the model cannot give that transcript.
    """
    known = catalogue.find(model)
    modalities = known.modalities if known else _guessed_modalities(model)
    transcribes = known.kind == "transcribe" if known else "transcribe" in model
    modality = {
        "input": "TEXT" if "TEXT" in modalities else "AUDIO",
        "reply": "TEXT",
        "output": "AUDIO",
    }[transcript]
    if modality not in modalities or (transcribes and transcript != "input"):
        raise UsageError(
            f"{model} gives no “{transcript}” transcript",
            why=f"it answers in {' or '.join(modalities)}"
            + (" and does nothing but transcribe its input" if transcribes else ""),
            hint="--transcript input",
        )
    return Setup(
        generation_config=GenerationConfig(
            response_modalities=[modality],
            thinking_config=_least_thinking(known),
            temperature=0.0,
            max_output_tokens=INPUT_REPLY_TOKENS
            if transcript == "input" and not transcribes
            else None,
        ),
        system_instruction=None
        if transcribes
        else Content(parts=[Part(text=INSTRUCTIONS[transcript])]),
        realtime_input_config=_MANUAL if turns == "manual" else None,
        # Their other mode leaves out hesitations and repetitions, which a reference may have (coval-ai/benchmarks#552).
        input_audio_transcription=AudioTranscriptionConfig(
            mode="VERBATIM" if transcribes else None
        ),
        output_audio_transcription=AudioTranscriptionConfig() if transcript == "output" else None,
    )


SPEAKING = (
    "Read aloud what the user writes, word for word, in the language it is written in. Do not answer, translate, "
    "comment or add anything."
)
"""System instruction of a model that speaks a text."""


def speaking_setup(model: str) -> Setup:
    """Return the setup with which `model` reads texts aloud; its `model` is empty. UsageError: it does not speak."""
    known = catalogue.find(model)
    if known is not None and (
        "AUDIO" not in known.modalities or known.kind in ("transcribe", "translate")
    ):
        raise UsageError(
            f"{model} does not speak what it is given",
            why=f"it is there to {known.kind}"
            if known.kind in ("transcribe", "translate")
            else f"it answers in {' or '.join(known.modalities)}",
            hint="harness models lists those that answer in AUDIO",
        )
    return Setup(
        generation_config=GenerationConfig(
            response_modalities=["AUDIO"], thinking_config=_least_thinking(known)
        ),
        system_instruction=Content(parts=[Part(text=SPEAKING)]),
        output_audio_transcription=AudioTranscriptionConfig(),
    )


def asking_setup(model: str, *, turns: Turns, transcript: Channel, silence: bool = False) -> Setup:
    """Return the setup with which `model` answers questions; its `model` is empty.

    `transcript` is the answer that is judged: its text (`reply`) or the transcription of its speech (`output`). With
    `silence` a model that can is left to decide whether to answer at all. UsageError: it does not answer so.
    """
    known = catalogue.find(model)
    modality = "TEXT" if transcript == "reply" else "AUDIO"
    if known is not None and (
        modality not in known.modalities or known.kind in ("transcribe", "translate")
    ):
        raise UsageError(
            f"{model} does not answer questions in {modality}",
            why=f"it is there to {known.kind}"
            if known.kind in ("transcribe", "translate")
            else f"it answers in {' or '.join(known.modalities)}",
            hint="harness models lists what each answers in; --transcript output takes AUDIO",
        )
    manual = _MANUAL.automatic_activity_detection if turns == "manual" else None
    return Setup(
        generation_config=GenerationConfig(
            response_modalities=[modality], thinking_config=_least_thinking(known)
        ),
        # All input: pictures come before the question, not within it.
        realtime_input_config=RealtimeInputConfig(
            automatic_activity_detection=manual, turn_coverage="TURN_INCLUDES_ALL_INPUT"
        ),
        input_audio_transcription=AudioTranscriptionConfig(),
        output_audio_transcription=AudioTranscriptionConfig() if modality == "AUDIO" else None,
        proactivity=ProactivityConfig(proactive_audio=True)
        if silence and known is not None and known.proactive
        else None,
    )


def writes(model: str) -> bool:
    """Return whether `model` can answer in text."""
    known = catalogue.find(model)
    return "TEXT" in (known.modalities if known else _guessed_modalities(model))


_MANUAL = RealtimeInputConfig(
    automatic_activity_detection=AutomaticActivityDetection(disabled=True),
    turn_coverage="TURN_INCLUDES_ALL_INPUT",
)


def _least_thinking(known: Model | None) -> ThinkingConfig | None:
    """Return the lowest level of thought of a model that must be told one, None of any other."""
    level = known.least_thinking if known else None
    return ThinkingConfig(thinking_level=level) if level else None


def _guessed_modalities(model: str) -> tuple[str, ...]:
    """Return what a model that the catalogue lacks probably answers in: every conversational one speaks."""
    return ("TEXT",) if "transcribe" in model else ("AUDIO",)


# ── Overrides ────────────────────────────────────────────────────────────────────────────────────────────────────────


def with_overrides(setup: Setup, overrides: Iterable[tuple[str, str]]) -> Setup:
    """Return `setup` with the field at each dotted path (below `setup`, camelCase or snake_case) set to a value.

    A value is JSON, else a string; `null` removes the field. UsageError: no such field (its neighbours are named), or
    a value that it cannot hold.
    """
    tree = codec.to_json(setup)
    for path, text in overrides:
        value = _json_or_text(text)
        _put(tree, path, value)
        try:
            codec.message_from(tree, Setup)
        except ValueError as error:
            raise UsageError(f"--set {path}={text}: {error}") from None
    return codec.message_from(tree, Setup)


def _json_or_text(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return text


def _put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Set the field at `path`; UsageError when it leads nowhere. Below a free-form object every name leads somewhere."""
    kind: type[Message] | None = Setup
    steps = path.split(".")
    for depth, step in enumerate(steps):
        name = step if kind is None else _wire_name(kind, step, ".".join(steps[:depth]))
        if depth == len(steps) - 1:
            tree.pop(name, None)
            if value is not None:
                tree[name] = value
            return
        kind = None if kind is None else _below(kind, name, path)
        inner = tree.setdefault(name, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--set {path}: {'.'.join(steps[: depth + 1])} is not an object")
        tree = inner


def _wire_name(kind: type[Message], step: str, parent: str) -> str:
    """Return the camelCase name of the field of `kind` that `step` names."""
    names = {
        name: wire
        for name, wire in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
        if name != "unknown"
    }
    if parent == "" and step == "model":
        raise UsageError("--set model: the model is not a field to set", hint="--model ID")
    if step in names.values():
        return step
    if step in names:
        return names[step]
    if (rule := not_live(kind, step)) is not None:
        raise UsageError(f"--set: {rule.says}", why=f"source: {rule.source}")
    where = f"setup.{parent}" if parent else "setup"
    raise UsageError(
        f"--set: {where} has no field {step!r}",
        why=f"it has {', '.join(wire for wire in names.values() if wire != 'model')}",
        hint=suggestion(step, names.values()),
    )


def _below(kind: type[Message], name: str, path: str) -> type[Message] | None:
    """Return the class of the object in field `name` of `kind`, or None when the object is free-form."""
    attribute = kind.__struct_fields__[kind.__struct_encode_fields__.index(name)]
    hint = get_type_hints(kind)[attribute]
    if get_origin(hint) in (types.UnionType, Union):
        hint = next(one for one in get_args(hint) if one is not types.NoneType)
    if get_origin(hint) is dict or hint is Any:
        return None
    if isinstance(hint, type) and issubclass(hint, Message):
        return hint
    raise UsageError(
        f"--set {path}: {name} has no fields of its own",
        hint=f"set it whole: --set {name}='[…]'" if get_origin(hint) is list else None,
    )
