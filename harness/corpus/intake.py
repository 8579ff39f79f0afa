"""`take_in`: a dataset in any layout becomes a folder for the shelf, with a JSON lines manifest and a recipe.

Knows how to write one down again; does not know how any is read (that is `shelf`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from harness.corpus.check import audio_faults
from harness.corpus.layout import Layout, start
from harness.corpus.manifest import write_manifest
from harness.corpus.recipe import FILE_NAME, Recipe, read_recipe, recipe_text, usual_name
from harness.corpus.shelf import fault_text, made_up, read
from harness.corpus.utterance import Fault, Utterance
from harness.errors import InputError, UsageError
from harness.text.locales import canonical
from harness.text.visible import visible

MANIFEST: Final = "manifest.jsonl"

AUDIO_FOLDER: Final = "audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What was taken in."""

    recipe: Recipe
    """The new dataset's."""

    utterances: int
    """How many it holds."""

    faults: tuple[Fault, ...]
    """What was wrong with the source; an utterance with a fault is left out."""


def take_in(
    layout: Layout, source: Path, target: Path, *, copy: bool = False, locale: str | None = None
) -> Intake:
    """Read `source` as `layout`, write `target` with a manifest and a recipe, and return what became of it.

    Audio stays where it is, named by relative path (the recipe's `audio_root` opens its folder when that is not
    `target`), or with `copy` goes into `target/audio`. Utterances whose row or audio is at fault are left out. `locale`
    is that of utterances which name none. A recipe at `source` is heeded and its facts are kept.

    Raises UsageError when `source` does not exist or its recipe tells of another layout; InputError when `target`
    holds a dataset already or cannot be written, when the audio has no folder in common, or when nothing can be used.
    """
    recipe = _recipe(layout, source, locale)
    for name in (MANIFEST, FILE_NAME):
        if (target / name).exists():
            raise InputError(f"{target / name} exists and is not overwritten")
    usable, faults = _usable(recipe)
    if not usable:
        told = "\n".join(visible(fault_text(fault)) for fault in faults[:3])
        raise InputError(f"{source}: no usable utterance", why=told or "there is nothing in it")
    try:
        target.mkdir(parents=True, exist_ok=True)
        audio_root = None
        if copy:
            usable = list(_copied(usable, recipe.folder, target.resolve()))
        else:
            audio_root = _audio_root(usable, target.resolve())
        write_manifest(target / MANIFEST, usable)
        facts = {
            "name": usual_name(target.resolve().name),
            "title": recipe.title,
            "layout": "jsonl",
            "manifest": MANIFEST,
            "licence": recipe.licence,
            "source": recipe.source,
            "synthetic": recipe.synthetic,
            "audio_root": audio_root,
        }
        with (target / FILE_NAME).open("x", encoding="utf-8") as file:
            file.write(recipe_text(facts))
    except OSError as error:
        raise InputError(f"{target}: cannot be written", why=str(error)) from error
    return Intake(
        recipe=read_recipe(target / FILE_NAME), utterances=len(usable), faults=tuple(faults)
    )


def _recipe(layout: Layout, source: Path, locale: str | None) -> Recipe:
    """Return the recipe of what is to be read."""
    if not source.exists():
        raise UsageError(f"{source}: there is no such file or folder")
    if (source / FILE_NAME).is_file():
        recipe = read_recipe(source / FILE_NAME)
        if recipe.layout != layout:
            raise UsageError(f"{source}: its recipe says {recipe.layout}, not {layout}")
    else:
        recipe = made_up(layout, start(layout, source))
        recipe = msgspec.structs.replace(recipe, named_by_user=source.is_file())
    if locale is not None and recipe.locale is None:
        return msgspec.structs.replace(recipe, locale=canonical(locale).code)
    return recipe


def _usable(recipe: Recipe) -> tuple[list[Utterance], list[Fault]]:
    """Return the utterances whose row and audio are without fault, and the faults of all."""
    usable: list[Utterance] = []
    faults: list[Fault] = []
    for found in read(recipe):
        if isinstance(found, Fault):
            faults.append(found)
            continue
        of_audio = list(audio_faults(found))
        faults += of_audio
        if all(fault.warning for fault in of_audio):
            usable.append(found.utterance)
    return usable, faults


def _audio_root(utterances: list[Utterance], target: Path) -> str | None:
    """Return the folder that all audio is in, relative to `target`; None when that is `target` or lies in it."""
    folders = {os.path.realpath(file.parent) for one in utterances for file in _files(one)}
    if not folders:
        return None
    common = Path(os.path.commonpath(folders))
    if common.is_relative_to(target):
        return None
    if common == Path(common.anchor):
        raise InputError(
            "the audio files have no folder in common", hint="--copy puts them into the dataset"
        )
    return os.path.relpath(common, target).replace(os.sep, "/")


def _files(utterance: Utterance) -> list[Path]:
    """Return the files that an utterance needs: its audio and its pictures."""
    images = utterance.scenario.images if utterance.scenario else []
    return [*([utterance.audio] if utterance.audio else []), *map(Path, images)]


def _copied(utterances: list[Utterance], root: Path, target: Path) -> Iterator[Utterance]:
    """Yield the utterances with their files copied into `target`, each once, under the path it had in `root`."""
    copies: dict[Path, Path] = {}
    for utterance in utterances:
        for file in _files(utterance):
            if file not in copies:
                copies[file] = copy = _place(file, root, target)
                copy.parent.mkdir(parents=True, exist_ok=True)
                with file.open("rb") as old, copy.open("xb") as new:
                    shutil.copyfileobj(old, new)
        scenario = utterance.scenario
        if scenario is not None:
            images = [str(copies[Path(image)]) for image in scenario.images]
            scenario = msgspec.structs.replace(scenario, images=images)
        audio = copies[utterance.audio] if utterance.audio else None
        yield msgspec.structs.replace(utterance, audio=audio, scenario=scenario)


def _place(file: Path, root: Path, target: Path) -> Path:
    """Return where a file of the dataset in `root` lies in its copy in `target`."""
    if file.is_relative_to(root):
        return target / AUDIO_FOLDER / file.relative_to(root)
    folder = hashlib.sha256(os.fsencode(file.parent)).hexdigest()[:8]
    return target / AUDIO_FOLDER / folder / file.name
