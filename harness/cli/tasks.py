"""What `harness run --task` means: its usual models, the text that is scored, and the setup it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from harness.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.corpus.utterance import Utterance
    from harness.run.record import Task
    from harness.session.config import Service
    from harness.trace import Channel
    from harness.units import Seconds
    from harness.wire.live.messages import Setup
    from harness.wire.live.setups import Turns

_MODELS: Final[dict[str, dict[str, str]]] = {
    "transcribe": {
        "emulator": "gemini-live-2.5-flash-preview",
        "gemini": "gemini-3.5-transcribe-live",
        "vertex": "gemini-3.5-transcribe-live",
    },
    "speak": {
        "emulator": "gemini-live-2.5-flash-preview",
        "gemini": "gemini-3.8-live",
        "vertex": "gemini-live-2.5-flash-native-audio",
    },
    "ask": {
        "emulator": "gemini-2.5-flash-native-audio-preview-09-2025",
        "gemini": "gemini-3.8-live",
        "vertex": "gemini-live-2.5-flash-native-audio",
    },
}
"""Task → service → the model asked when none is named."""


def usual_model(task: Task, service: Service) -> str:
    """Return the model that does `task` when none is named."""
    return _MODELS[task][service]


def scored_channel(task: Task, asked: Channel | None, models: Sequence[str]) -> Channel:
    """Return the text that is scored; UsageError when `asked` is none that the task has."""
    match task:
        case "transcribe":
            return asked or "input"
        case "speak":
            if asked not in (None, "output"):
                raise UsageError(
                    f"--task speak has no “{asked}” transcript",
                    why="what was spoken is scored by the service's transcription of it",
                    hint="leave --transcript out",
                )
            return "output"
        case "ask":
            from harness.wire.live.setups import writes

            if asked == "input":
                raise UsageError(
                    "--task ask has no “input” transcript",
                    why="what is judged is the answer",
                    hint="--transcript reply or output",
                )
            return asked or ("reply" if all(map(writes, models)) else "output")
        case _:
            assert_never(task)


def task_setup(
    task: Task,
    model: str,
    utterances: Sequence[Utterance],
    *,
    turns: Turns,
    transcript: Channel,
) -> Setup:
    """Return the setup with which `model` does `task`; UsageError when it cannot."""
    from harness.wire.live.setups import asking_setup, speaking_setup, transcription_setup

    match task:
        case "transcribe":
            return transcription_setup(model, turns=turns, transcript=transcript)
        case "speak":
            return speaking_setup(model)
        case "ask":
            expected = (one.scenario.expect for one in utterances if one.scenario)
            silence = any(expect.silence for expect in expected if expect)
            return asking_setup(model, turns=turns, transcript=transcript, silence=silence)
        case _:
            assert_never(task)


def refuse_unspoken(task: Task, utterances: Sequence[Utterance]) -> None:
    """Raise InputError when there is nothing to transcribe at all; single items without audio are rows that fail."""
    if task == "transcribe" and not any(utterance.audio for utterance in utterances):
        raise InputError(
            "there is no audio to transcribe",
            why="no utterance of the selection names an audio file (column audio_filepath)",
            hint="--task speak has texts read aloud, --task ask has questions answered",
        )


def refuse_interruption(task: Task, after_s: Seconds | None) -> None:
    """Raise UsageError when an answer is to be interrupted and there is none."""
    if after_s is not None and task != "ask":
        raise UsageError(
            "--interrupt-after interrupts an answer",
            why=f"--task {task} has none",
            hint="--task ask",
        )
