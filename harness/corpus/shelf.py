"""The shelf: datasets by name or by path.

A name is looked up as `<name>/recipe.toml` in every folder of the environment variable `HARNESS_DATASETS` (divided
like `PATH`), then in `./datasets`, then among the bundled ones; the first one found counts. The recipe's `name` is
the name, whatever its folder is called. A name beats a path; `./name` is always a path. A path is a folder with a recipe, a manifest, or a folder whose layout is
recognised by what lies in it.

Knows where datasets are; does not know how they are written (that is `sources` and `manifest`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from harness.corpus.fence import Fence
from harness.corpus.layout import MANIFEST_SUFFIXES, Layout, recognised
from harness.corpus.manifest import Entry, entries
from harness.corpus.recipe import FILE_NAME, Recipe, read_recipe, usual_name
from harness.corpus.row import Place
from harness.corpus.sources import READERS
from harness.corpus.utterance import Dataset, Fault
from harness.errors import InputError, UsageError, suggestion
from harness.text.locales import canonical
from harness.text.visible import visible

PATH_VARIABLE: Final = "HARNESS_DATASETS"
"""Environment variable: folders that hold datasets."""

_TOLD: Final = 3
"""How many faults an error repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The recipes within reach."""

    recipes: tuple[Recipe, ...]
    """By name; of several with one name the first found."""

    faults: tuple[Fault, ...]
    """Recipes that cannot be read; `where` is the whole path."""


def shelf() -> Shelf:
    """Return the datasets that can be called by name."""
    by_name: dict[str, Recipe] = {}
    faults: list[Fault] = []
    for folder in dict.fromkeys(folder.resolve() for folder in _folders()):
        for path in sorted(folder.glob(f"*/{FILE_NAME}")):
            try:
                recipe = read_recipe(path)
            except InputError as error:
                faults.append(Fault(where=str(path), what=one_line(error)))
            else:
                by_name.setdefault(recipe.name, recipe)
    return Shelf(recipes=tuple(by_name[name] for name in sorted(by_name)), faults=tuple(faults))


def open_dataset(text: str, *, locale: str | None = None) -> Dataset:
    """Return the dataset that `text` names: on the shelf, or by path. Audio is not opened.

    `locale` is that of utterances which name none, if the recipe has none either. Raises UsageError when nothing is
    there under that name, InputError when what is there holds no usable utterance.
    """
    recipe = located(text, locale=locale)
    utterances = []
    faults = []
    for found in read(recipe):
        if isinstance(found, Fault):
            faults.append(found)
        else:
            utterances.append(found.utterance)
    overlooked = _overlooked(recipe, text)
    if not utterances:
        told = [visible(fault_text(fault)) for fault in faults if not fault.warning]
        more = f"\n… and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
        hint = f"harness datasets check {text}" if more else None
        if overlooked:
            hint = f"name {overlooked}, which lies in it and was not read"
        raise InputError(
            f"{text}: no usable utterance",
            why="\n".join(told[:_TOLD]) + more or "there is nothing in it",
            hint=hint,
        )
    return Dataset(
        name=recipe.name,
        title=recipe.title,
        root=recipe.folder,
        licence=recipe.licence,
        synthetic=recipe.synthetic,
        answers=recipe.folder / recipe.answers if recipe.answers else None,
        utterances=tuple(utterances),
        faults=tuple(faults),
        overlooked=overlooked,
    )


def located(text: str, *, locale: str | None = None) -> Recipe:
    """Return the recipe of the dataset that `text` names, made up where a path has none.

    Raises UsageError when nothing is there, InputError when its recipe is wrong or no layout is recognised.
    """
    by_name = {recipe.name: recipe for recipe in shelf().recipes}
    if text in by_name:
        recipe = by_name[text]
    elif os.path.exists(text):  # noqa: PTH110 - Path.exists raises for names that no file can have
        recipe = _at(Path(text))
    else:
        known = ", ".join(by_name) or "none"
        raise UsageError(
            f"no dataset {text!r}",
            why=f"there is no such path, and the datasets are {known}",
            hint=suggestion(text, by_name),
        )
    if locale is not None and recipe.locale is None:
        return msgspec.structs.replace(recipe, locale=canonical(locale).code)
    return recipe


def made_up(layout: Layout, start: Path) -> Recipe:
    """Return a recipe for what the reader of `layout` starts from, named after its file or folder."""
    folder = start if start.is_dir() else start.parent
    name = folder.resolve().name
    if start.is_file():
        if layout in {"common-voice", "fleurs"}:
            name = f"{name}-{start.stem}"
        elif start.stem != "manifest":
            name = start.stem
    return Recipe(
        folder=folder.resolve(),
        name=usual_name(name),
        title=f"{start.name or name} ({layout})",
        layout=layout,
        manifest="." if start.is_dir() else start.name,
    )


def read(recipe: Recipe) -> Iterator[Entry | Fault]:
    """Yield the usable utterances of a dataset and its faults, in the order of its manifest."""
    place = Place(
        root=recipe.folder,
        start=recipe.folder / recipe.manifest,
        columns=recipe.columns,
        locale=recipe.locale,
    )
    also = recipe.audio_root and os.path.realpath(recipe.folder / recipe.audio_root)
    fence = Fence(root=str(recipe.folder), also=also, absolute=recipe.named_by_user)
    rows = READERS[recipe.layout](place)
    yield from entries(rows, dataset=recipe.name, fence=fence, locale=recipe.locale)


def fault_text(fault: Fault) -> str:
    """Return a fault as compilers write one: `file:line: what`, or `file: what`."""
    line = "" if fault.line is None else f":{fault.line}"
    warning = "warning: " if fault.warning else ""
    return f"{fault.where}{line}: {warning}{fault.what}"


def one_line(error: InputError) -> str:
    """Return an error without its hint, for a fault."""
    return ": ".join(filter(None, (error.what, error.why)))


def _at(path: Path) -> Recipe:
    """Return the recipe of the dataset at `path`, which exists."""
    beside = path / FILE_NAME if path.is_dir() else path.with_name(FILE_NAME)
    if beside.is_file():
        recipe = read_recipe(beside)
        if path.is_dir() or path.name == FILE_NAME:
            return recipe
        if path.resolve() == (recipe.folder / recipe.manifest).resolve():
            return msgspec.structs.replace(recipe, named_by_user=True)
    return msgspec.structs.replace(made_up(*recognised(path)), named_by_user=path.is_file())


def _overlooked(recipe: Recipe, text: str) -> Path | None:
    """Return the one manifest in the folder `text` that was taken for a folder of audio, as nobody wrote a recipe."""
    if recipe.layout != "folder" or (recipe.folder / FILE_NAME).is_file():
        return None
    tables = [path for path in recipe.folder.iterdir() if path.suffix.lower() in MANIFEST_SUFFIXES]
    return Path(text) / tables[0].name if len(tables) == 1 else None


def _folders() -> Iterator[Path]:
    """Yield the folders that hold datasets, those to be preferred first."""
    for folder in os.environ.get(PATH_VARIABLE, "").split(os.pathsep):
        if folder:
            yield Path(folder)
    yield Path("datasets")
    package = Path(__file__).parents[1]
    # In a wheel, and in a checkout.
    yield package / "_datasets"
    if (package.parent / "pyproject.toml").is_file():
        yield package.parent / "datasets"
