"""What `harness run` refuses before anything is made: datasets, models, setups and budgets that do not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.errors import UsageError
from harness.run.estimate import unpriced
from harness.wire.live.catalogue import find, nearest

if TYPE_CHECKING:
    from harness.corpus.utterance import Dataset
    from harness.run.record import Plan
    from harness.wire.live.messages import Setup


def refuse_namesakes(datasets: list[Dataset]) -> None:
    """Refuse two datasets of one name: their utterances could not be told apart."""
    seen: dict[str, Dataset] = {}
    for dataset in datasets:
        if (other := seen.setdefault(dataset.name, dataset)) is not dataset:
            raise UsageError(
                f"two datasets are called “{dataset.name}”",
                why=f"{other.root} and {dataset.root}",
                hint="give one of them another name in its recipe.toml, or run them one after the other",
            )


def require_prices(plan: Plan, budget: float | None) -> None:
    """Raise UsageError when there is a budget for sessions whose cost nobody can tell."""
    if budget is not None and (dear := unpriced(plan)):
        raise UsageError(
            f"--budget cannot bind {', '.join(map(repr, dear))}",
            why="no list price is known for what its sessions send and receive, so nobody can say what is spent",
            hint="leave --budget out and bound the run by --limit or --rate; harness models lists the prices that are known",
        )


def require_names(models: list[str]) -> None:
    """Refuse a model without a name, and warn of one that the catalogue lacks."""
    for model in models:
        if not model.strip():
            raise UsageError(
                "--model: a model has a name", hint="harness models lists those that are known"
            )
        if find(model) is None:
            near = nearest(model)
            hint = f"; the nearest known are {', '.join(near)}" if near else ""
            click.echo(
                f"warning: model {model!r} is not in the catalogue and is tried all the same{hint}",
                err=True,
            )


def require_turns(setup: Setup, turns: str) -> None:
    """Refuse a setup whose activity detection is not the one that --turns asks for."""
    if setup.manual_activity is not (turns == "manual"):
        raise UsageError(
            f"--turns {turns} and automaticActivityDetection.disabled contradict each other",
            why="activity signals are for sessions without automatic detection, and for no others "
            "(Live API capabilities guide)",
            hint="leave automaticActivityDetection.disabled to --turns",
        )


def require_transcript(setup: Setup, transcript: str) -> None:
    """Refuse a setup without the text that is to be scored: its sessions would be paid for nothing."""
    asked = {
        "input": ("inputAudioTranscription", setup.input_audio_transcription),
        "output": ("outputAudioTranscription", setup.output_audio_transcription),
    }
    name, transcription = asked.get(transcript, ("", setup))
    if transcription is None:
        raise UsageError(
            f"--transcript {transcript} needs {name}, which this setup lacks",
            why="no session would bring the text that is scored",
            hint=f"leave out --set {name}=null, or score another --transcript",
        )
