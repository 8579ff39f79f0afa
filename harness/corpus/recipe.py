"""`recipe.toml`: what a folder of speech is called, how it is laid out, and what the reader of a report must know.

A dataset on the shelf is a folder with a recipe and, most simply, a manifest and its audio::

    datasets/sample/
        recipe.toml
        manifest.jsonl
        audio/…

    name = "sample"                     # required: what is typed on the command line; letters, digits, . _ -
    title = "Human recordings"          # required: one line for people
    layout = "jsonl"                    # required: jsonl, csv, tsv, folder, librispeech, common-voice, fleurs
    manifest = "manifest.jsonl"         # file, or folder for layouts that are folders; relative to the recipe
    licence = "CC0-1.0"                 # in words or as an SPDX expression
    source = "https://example.org/"     # where it came from
    synthetic = false                   # true: synthetic speech, and every table and report says so
    locale = "de-DE"                    # of utterances that name none
    audio_root = "../LibriSpeech"       # a folder outside this one where audio may lie as well
    answers = "answers.jsonl"           # what an emulator that a run starts is to answer (docs/emulator.md)

    [columns]                           # our column = the manifest's, where the names differ (jsonl, csv, tsv)
    text = "transkript"

Left out, `manifest` is `manifest.jsonl`, `.csv` or `.tsv` for those layouts, `test.tsv` for Common Voice and FLEURS,
and the folder itself for the others. An unknown key is an error. The columns of a manifest are told in
`harness.corpus.manifest`.

Knows recipes; does not know what is in a manifest, nor where recipes are looked for (that is `shelf`).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.corpus.layout import LAYOUTS, USUAL_PLACE, Layout
from harness.corpus.row import ALIASES
from harness.errors import InputError, UsageError, suggestion
from harness.text.locales import canonical

FILE_NAME: Final = "recipe.toml"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OURS = frozenset({"folder", "named_by_user"})
"""Fields of `Recipe` that no recipe file sets."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset's own description of itself."""

    folder: Path
    """Where the recipe lies, absolute."""

    name: str
    """What is typed on the command line."""

    title: str
    """One line for people."""

    layout: Layout
    manifest: str
    """File or folder that the layout's reader starts from, relative to `folder`."""

    licence: str | None = None
    """In words; None: the recipe does not say."""

    source: str | None = None
    """Where it came from, usually a URL; None: the recipe does not say."""

    synthetic: bool = False
    """True: the speech is synthetic."""

    locale: str | None = None
    """Canonical locale of utterances that name none; None: each must name its own."""

    audio_root: str | None = None
    """A folder outside of `folder`, absolute or relative to it, where audio may lie; None: no audio lies outside."""

    answers: str | None = None
    """File of what an emulator answers, relative to `folder`; None: it repeats what it hears. No service sees it."""

    columns: dict[str, str] = {}
    """Our column → the manifest's."""

    named_by_user: bool = False
    """True: the manifest itself was typed on the command line, and may name absolute paths anywhere."""


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in the file `path`; InputError that names the file and the key when it is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read", why=error.strerror) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8", why=str(error)) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not TOML", why=str(error)) from error
    known = [field for field in Recipe.__struct_fields__ if field not in _OURS]
    _refuse_unknown(path, table, known, "key")
    layout = table.get("layout")
    if layout is not None and layout not in LAYOUTS:
        raise InputError(
            f"{path}: unknown layout {layout!r}",
            why="the layouts are " + ", ".join(LAYOUTS),
            hint=suggestion(str(layout), LAYOUTS),
        )
    table.setdefault("manifest", USUAL_PLACE.get(layout, "") if layout else "")
    try:
        recipe = msgspec.convert(
            table | {"folder": str(path.parent.resolve())},
            Recipe,
            dec_hook=lambda kind, value: kind(value),
        )
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}".replace(" - at `$.", " at `")) from error
    return _checked(path, recipe)


def recipe_text(facts: dict[str, Any]) -> str:
    """Return the TOML of a recipe with these keys, in the order given; None leaves a key out."""
    lines = [f"{key} = {_toml(value)}" for key, value in facts.items() if value is not None]
    return "\n".join(lines) + "\n"


def usual_name(text: str) -> str:
    """Return `text` as a name that can be typed: what cannot be becomes a hyphen."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64] or "dataset"


def _toml(value: str | bool) -> str:
    # A JSON string is a TOML basic string but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _checked(path: Path, recipe: Recipe) -> Recipe:
    if not _NAME.fullmatch(recipe.name):
        raise InputError(
            f"{path}: the name {recipe.name!r} cannot be typed",
            why="a name is up to 64 letters, digits, dots, hyphens and underscores",
        )
    if recipe.columns and recipe.layout not in {"jsonl", "csv", "tsv"}:
        raise InputError(f"{path}: [columns] has no meaning for the layout “{recipe.layout}”")
    _refuse_unknown(path, recipe.columns, ALIASES, "column")
    for name, file in (("manifest", recipe.manifest), ("answers", recipe.answers or "")):
        if not (recipe.folder / file).resolve().is_relative_to(recipe.folder):
            raise InputError(f"{path}: the {name} {file!r} leaves the dataset's folder")
    if recipe.locale is None:
        return recipe
    try:
        code = canonical(recipe.locale).code
    except UsageError as error:
        raise InputError(f"{path}: {error.what}", why=error.why, hint=error.hint) from error
    return msgspec.structs.replace(recipe, locale=code)


def _refuse_unknown(path: Path, table: dict[str, Any], known: Collection[str], kind: str) -> None:
    for key in table:
        if key not in known:
            raise InputError(
                f"{path}: unknown {kind} {key!r}",
                why=f"the {kind}s are " + ", ".join(known),
                hint=suggestion(key, known),
            )
