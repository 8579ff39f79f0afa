"""`harness score`: score a run again, or any table of transcript pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harness.text.visible import visible
from harness.units import count_text, pointed

if TYPE_CHECKING:
    from harness.report.pairs.pair import Pair

_USUAL: Final = ("norm-1n", "auto")
"""The profile and the metric of a report that nobody asked another of."""


@click.command(short_help="Score a run again, or any table of transcript pairs.")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("hypotheses", type=click.Path(path_type=Path), required=False)
@click.option(
    "--profile",
    default=_USUAL[0],
    show_default=True,
    help="How texts are made comparable before they are counted.",
)
@click.option(
    "--metric",
    default=_USUAL[1],
    show_default=True,
    help="Which rate is counted; auto takes each locale's own.",
)
@click.option(
    "--sclite",
    is_flag=True,
    help="Divide errors into S, D and I as NIST's sclite does (weights 4, 3, 3).",
)
@click.option("--language", help="Locale of pairs that name none.")
@click.option(
    "--draw",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw the alignments of the N rows with the most errors.",
)
@click.option("--json", "as_json", is_flag=True, help="Print rows, cells, totals and the profile.")
def command(  # noqa: PLR0917 - Click passes them by name
    path: Path,
    hypotheses: Path | None,
    profile: str,
    metric: str,
    sclite: bool,
    language: str | None,
    draw: int | None,
    as_json: bool,
) -> int:
    """Score PATH: a run folder, or a table with the columns reference, hypothesis and locale.

    Tables are CSV, TSV, JSON lines or Parquet; optional columns are id, speaker, dataset and model. NIST's formats
    come as two files: REF.trn HYP.trn, or REF.stm HYP.ctm, with --language.

    A run's tables, summary.md and report.html are written again under the profile and the metric.

    Example: harness score transcripts.tsv --metric CER --json
    """
    import msgspec

    from harness.cli.scoresheet import drawings, table
    from harness.errors import UsageError
    from harness.report.pairs.sheet import sheet

    if draw and as_json:
        raise UsageError("--draw is for people", hint="--json has the alignment of every row")
    locale = None
    if language is not None:
        from harness.text.locales import canonical

        locale = canonical(language).code
    if path.is_dir():
        pairs = _run_pairs(path, profile=profile, metric=metric)
    else:
        from harness.report.pairs.load import read_pairs

        pairs = read_pairs(path, hypotheses, locale=locale)
        _tell_unanswered(pairs)
        _tell_unread(pairs)
        _tell_speakerless(pairs)
    aligner = "sclite" if sclite else "minimal"
    details = as_json or bool(draw)
    document = sheet(pairs, profile=profile, metric=metric, aligner=aligner, details=details)
    _warn(document, profile)
    if as_json:
        click.echo(msgspec.json.encode(document))
    else:
        click.echo(table(document))
        click.echo(drawings(document["rows"], draw or 0), nl=False)
    return 5 if document["totals"]["failed"] else 0


def _run_pairs(path: Path, *, profile: str, metric: str) -> list[Pair]:
    """Return the pairs of a run, and write its reports again under the profile and metric."""
    from harness.errors import InputError
    from harness.report.pairs.pair import Pair

    if not (path / "plan.json").exists():
        raise InputError(
            f"{path}: a folder without plan.json, so no run",
            hint="name the table's file, or a folder below reports/",
        )
    from harness.report.build import build_reports
    from harness.report.tables.write import PAGE, SUMMARY_MD
    from harness.run.folder import read_plan
    from harness.score.score import metric_of
    from harness.text.normalise import strict_profile

    strict_profile(profile)
    metric_of("en-US", metric)  # what is unknown is told before anything is announced
    plan = read_plan(path)
    where = click.format_filename(path)
    click.echo(
        f"writing again in {where}: the tables, {SUMMARY_MD} and {PAGE}, under --profile {profile} --metric {metric}",
        err=True,
    )
    if (profile, metric) != _USUAL:
        click.echo(f"  to have them as they usually are: harness report {where}", err=True)
    planned = {(one.dataset, one.id): one for one in plan.utterances}
    table = build_reports(path, profile=profile, metric=metric)
    return [
        Pair(
            id=row.utterance_id,
            reference=row.reference,
            hypothesis=row.hypothesis,
            locale=row.locale,
            speaker=row.speaker,
            dataset=row.dataset,
            model=row.model,
            repeat=str(row.repeat),
            audio=utterance.sha256 or utterance.audio,
            offset_s=utterance.offset_s,
            duration_s=row.audio_s,
            tags=dict(row.tags),
            reason=(row.reason or row.outcome or "not attempted") if row.must_rerun else None,
        )
        for row in table.rows
        for utterance in [planned[row.dataset, row.utterance_id]]
    ]


def _tell_unanswered(pairs: list[Pair]) -> None:
    """Say on stderr how many pairs have no hypothesis at all."""
    if unanswered := [pair.id for pair in pairs if pair.hypothesis is None and not pair.reason]:
        click.echo(
            f"no hypothesis: {len(unanswered)} of {len(pairs)}, the first is id {visible(unanswered[0])}; "
            "counted as deletions",
            err=True,
        )


def _tell_unread(pairs: list[Pair]) -> None:
    """Say on stderr which columns hold what is no number, and how often."""
    for column in dict.fromkeys(name for pair in pairs for name in pair.unread):
        first, *others = [pair for pair in pairs if column in pair.unread]
        cell = first.unread[column]
        more = f" (and {count_text(len(others), 'more line')})" if others else ""
        click.echo(
            f"warning: line {first.line}: {visible(column)} “{visible(cell[:40])}” cannot be read, and is left out{more}",
            err=True,
        )
        if point := pointed(cell):
            click.echo(f"  try: {point}, with a point", err=True)


def _tell_speakerless(pairs: list[Pair]) -> None:
    """Say on stderr that intervals are too narrow when nobody says who spoke."""
    if not any(pair.speaker for pair in pairs):
        click.echo(
            "no speaker is named, so intervals are over recordings or sentences: their widths are lower bounds",
            err=True,
        )


def _warn(document: dict[str, Any], profile: str) -> None:
    """Say on stderr which rows have no rate and why, and which library numbers would take."""
    from harness.text.normalise import tolerates_numbers
    from harness.text.numbers import has_digits
    from harness.text.numerals import missing_library

    for row in document["rows"]:
        if "reason" in row:
            place = f"line {row['line']}, " if row["line"] else ""
            counted = row["insertions"] is not None
            lead = "no rate" if counted else "not scored"
            inserted = "; what was inserted counts in the sums" if row["insertions"] else ""
            click.echo(
                f"{lead}: {place}id {visible(row['id'])}: {visible(row['reason'])}{inserted}",
                err=True,
            )
    if not tolerates_numbers(profile):
        return
    lacking: dict[str, set[str]] = {}
    for row in document["rows"]:
        said, heard = row["normalised_reference"], row["normalised_hypothesis"]
        if row["metric"] and (has_digits(said) or has_digits(heard)):
            package = missing_library(row["locale"])
            if package:
                lacking.setdefault(package, set()).add(row["locale"])
    for package, locales in sorted(lacking.items()):
        click.echo(
            f"warning: {package} is not installed, so numbers count as errors when written another way "
            f"in {', '.join(sorted(locales))}\n  try: pip install 'live-harness[text]'",
            err=True,
        )
