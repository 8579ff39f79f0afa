"""`harness datasets`: what is on the shelf, what is in a dataset, what is wrong with it, and how to take one in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.listing import print_document, print_table
from harness.corpus.layout import LAYOUTS
from harness.text.visible import visible
from harness.units import count_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.corpus.layout import Layout
    from harness.corpus.recipe import Recipe
    from harness.corpus.utterance import Dataset, Fault, Utterance

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
_LOCALE = click.option(
    "--locale", metavar="CODE", help="Locale of utterances that name none, e.g. de-DE."
)


@click.group("datasets")
def command() -> None:
    """List, show, check and import datasets.

    A dataset is a recipe's name (looked for in $HARNESS_DATASETS, ./datasets and among the bundled ones), or the path of
    a manifest or a folder.

    The layouts that are read: jsonl (NeMo's too), csv, tsv, folder (audio, each with a .txt of its name), librispeech,
    common-voice and fleurs. They are recognised; harness datasets import --help says more.
    """


@command.command("list")
@_AS_JSON
def list_(as_json: bool) -> None:
    """List the datasets that can be called by name."""
    from harness.corpus.shelf import shelf

    found = shelf()
    if as_json:
        print_document([_facts(recipe) for recipe in found.recipes])
    else:
        print_table(
            ("NAME", "SYNTHETIC", "TITLE"),
            [
                (recipe.name, "yes" if recipe.synthetic else "no", recipe.title)
                for recipe in found.recipes
            ],
        )
    for fault in found.faults:
        click.echo(visible(f"left out: {fault.what}"), err=True)


@command.command("show", short_help="Show a dataset's facts, and its utterances by locale.")
@click.argument("name")
@_AS_JSON
def show(name: str, as_json: bool) -> None:
    """Show what is in the dataset NAME: its facts, and its utterances by locale."""
    from harness.corpus.shelf import located, open_dataset

    recipe, dataset = located(name), open_dataset(name)
    locales = _by_locale(dataset)
    facts = _facts(recipe) | {
        "utterances": len(dataset.utterances),
        "duration_s": _duration_s(dataset.utterances),
        "faults": sum(not fault.warning for fault in dataset.faults),
        "warnings": sum(fault.warning for fault in dataset.faults),
        "locales": locales,
    }
    if as_json:
        print_document(facts)
        return
    click.echo(visible(f"{recipe.name}: {recipe.title}"))
    for key in ("licence", "source", "folder", "layout", "manifest"):
        click.echo(visible(f"  {key:<9} {facts[key] or 'not said'}"))
    click.echo(f"  synthetic {'yes' if recipe.synthetic else 'no'}")
    click.echo()
    whole = facts | {"locale": "all", "speakers": None}
    print_table(
        ("LOCALE", "UTTERANCES", "SPEAKERS", "DURATION"),
        [
            (
                row["locale"],
                str(row["utterances"]),
                str(row["speakers"] or "-"),
                "-" if row["duration_s"] is None else duration_text(row["duration_s"]),
            )
            for row in [*locales, whole]
        ],
    )
    if dataset.faults:
        click.echo(f"{_counts(dataset.faults)}: harness datasets check {name}", err=True)


@command.command("check", short_help="Print each fault of a dataset as file:line: what.")
@click.argument("path")
@click.option("--deep", is_flag=True, help="Decode all audio to its end and look at the signal.")
@_LOCALE
@_AS_JSON
@click.pass_context
def check_(ctx: click.Context, path: str, deep: bool, locale: str | None, as_json: bool) -> None:
    """Check the dataset PATH (or a name) and print each fault as file:line: what.

    Ends with 0 when nothing is wrong or there are only warnings, with 3 when there are faults.
    """
    from harness.corpus.check import check
    from harness.corpus.shelf import fault_text

    faults = []
    for fault in check(path, locale=locale, deep=deep):
        faults.append(fault)
        if not as_json:
            click.echo(visible(fault_text(fault)))
    if as_json:
        print_document({"dataset": path, "faults": [_plain(fault) for fault in faults]})
    click.echo(visible(f"{path}: {_counts(faults)}"), err=True)
    if any(not fault.warning for fault in faults):
        ctx.exit(3)


@command.command("import", short_help="Write a manifest of SRC, laid out as LAYOUT, into DEST.")
@click.argument("layout", type=click.Choice(LAYOUTS), metavar="LAYOUT")
@click.argument("src", type=click.Path(path_type=Path))
@click.argument("dest", type=click.Path(path_type=Path))
@click.option("--copy", is_flag=True, help="Copy the audio into DEST instead of referring to it.")
@_LOCALE
@_AS_JSON
@click.pass_context
def import_(
    ctx: click.Context,
    *,
    layout: Layout,
    src: Path,
    dest: Path,
    copy: bool,
    locale: str | None,
    as_json: bool,
) -> None:
    """Read SRC, which is laid out as LAYOUT, and write DEST/manifest.jsonl and DEST/recipe.toml.

    LAYOUT is jsonl (NeMo's too), csv, tsv, folder (audio, each with a .txt of its name), librispeech, common-voice or
    fleurs; SRC is its folder, or the manifest or TSV file itself.

    Put DEST into a ./datasets folder, or its parent into $HARNESS_DATASETS, to call it by name. Nothing is overwritten.
    What cannot be used is told and left out, and the command then ends with 5.
    """
    from harness.corpus.intake import take_in
    from harness.corpus.shelf import fault_text

    intake = take_in(layout, src, dest, copy=copy, locale=locale)
    for fault in intake.faults:
        click.echo(visible(fault_text(fault)), err=True)
    if as_json:
        print_document(
            _facts(intake.recipe)
            | {
                "utterances": intake.utterances,
                "faults": [_plain(fault) for fault in intake.faults],
            }
        )
    else:
        utterances = count_text(intake.utterances, "utterance")
        click.echo(visible(f"{dest}: {utterances}; {_counts(intake.faults)}"))
    if any(not fault.warning for fault in intake.faults):
        ctx.exit(5)


def _facts(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe's keys as JSON values."""
    import msgspec

    facts: dict[str, Any] = msgspec.to_builtins(recipe, enc_hook=str)
    del facts["named_by_user"]
    return facts


def _plain(fault: Fault) -> dict[str, Any]:
    return {
        "where": fault.where,
        "line": fault.line,
        "what": fault.what,
        "warning": fault.warning,
    }


def _by_locale(dataset: Dataset) -> list[dict[str, Any]]:
    """Return a row per locale, in the order they are first met."""
    groups: dict[str, list[Utterance]] = {}
    for utterance in dataset.utterances:
        groups.setdefault(utterance.locale, []).append(utterance)
    return [
        {
            "locale": locale,
            "utterances": len(group),
            "speakers": len({u.speaker for u in group if u.speaker is not None}) or None,
            "duration_s": _duration_s(group),
        }
        for locale, group in groups.items()
    ]


def _duration_s(utterances: Sequence[Utterance]) -> float | None:
    """Return the total that the manifest says, s; None when it leaves one out."""
    total = 0.0
    for utterance in utterances:
        if utterance.duration_s is None:
            return None
        total += utterance.duration_s
    return round(total, 3)


def _counts(faults: Sequence[Fault]) -> str:
    warnings = sum(fault.warning for fault in faults)
    wrong = len(faults) - warnings
    text = "no faults" if not wrong else "1 fault" if wrong == 1 else f"{wrong} faults"
    if warnings:
        text += f", {warnings} warning{'s' if warnings > 1 else ''}"
    return text
