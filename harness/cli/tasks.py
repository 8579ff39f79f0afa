"""What `harness run --task` means: its usual models, the text that is scored, and the setup it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from harness.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from harness.corpus.utterance import Dataset, Utterance
    from harness.run.record import Task
    from harness.session.config import Service
    from harness.trace.trace import Channel
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


TASKS: Final[tuple[Task, ...]] = ("transcribe", "speak", "ask")


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


ANSWERS: Final = "answers.jsonl"
"""In the run folder: what the emulator that the run started was to answer."""


def emulated_answers(task: Task, datasets: Sequence[Dataset], folder: Path) -> Path | None:
    """Return the file, in the run folder, of what our emulator is to answer; None: it repeats what it hears.

    That is what the datasets' recipes say, in their order. It knows no reference and no expectation.
    """
    files = [dataset.answers for dataset in datasets if dataset.answers is not None]
    if task != "ask" or not files:
        return None
    try:
        lines = [line for file in files for line in file.read_bytes().splitlines() if line.strip()]
        (folder / ANSWERS).write_bytes(b"".join(line + b"\n" for line in lines))
    except OSError as error:
        raise InputError(
            f"{error.filename}: what the emulator is to answer cannot be read or kept",
            why=error.strerror,
        ) from error
    return folder / ANSWERS


def emulator_is(task: Task, answers: Path | None) -> str:
    """Return what does `task` in a service's place, with the file of `answers` that it has or None."""
    place = "on this machine, not Google's service"
    match task:
        case "transcribe":
            return f"a recogniser {place}"
        case "speak":
            return f"a synthesiser {place}"
        case "ask":
            if answers is not None:
                return f"prepared answers, a recogniser and a synthesiser {place}"
            return (
                f"a recogniser and a synthesiser {place}; "
                "it repeats each question, since no recipe names a file of answers"
            )
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


def refuse_misplaced(
    task: Task, *, interrupt_after_s: Seconds | None, ear: str | None, typed: Collection[str]
) -> None:
    """Raise UsageError for an option that is another task's; of those `typed` for one that `task` would not heed.

    What a file or a variable sets may be meant for other runs. InputError: the ear cannot hear on this machine.
    """
    _refuse_interruption(task, interrupt_after_s)
    _refuse_unheard(task, ear)
    _refuse_soundless(task, typed)


def _refuse_interruption(task: Task, after_s: Seconds | None) -> None:
    """Raise UsageError when an answer is to be interrupted and there is none."""
    if after_s is not None and task != "ask":
        raise UsageError(
            "--interrupt-after interrupts an answer",
            why=f"--task {task} has none",
            hint="--task ask",
        )


_OF_SOUND: Final = ("pace", "chunk_ms", "turns")
"""Options of `harness run` that say how recordings go out."""


def _refuse_soundless(task: Task, typed: Collection[str]) -> None:
    """Raise UsageError when one of the options `typed` says how audio goes out and none does."""
    if task != "speak":
        return
    for name in (name.replace("_", "-") for name in _OF_SOUND if name in typed):
        raise UsageError(
            f"--{name} is not for --task speak",
            why="a text is sent whole: there is no audio to pace, to cut or to put signals around",
            hint=f"leave --{name} out; --task ask streams spoken questions, --task transcribe recordings",
        )


def _refuse_unheard(task: Task, ear: str | None) -> None:
    """Raise UsageError when an ear is to hear speech and there is none, or there is no such ear; InputError: not here."""
    if ear is None:
        return
    if task != "speak":
        raise UsageError(
            "--heard-by hears the speech of a model",
            why=f"--task {task} is not scored by it",
            hint="--task speak",
        )
    from harness.emulator.ear.ears import chosen

    chosen(ear)
