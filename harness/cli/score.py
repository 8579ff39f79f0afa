"""`harness score`: score a run again, or any table of transcript pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.text.visible import visible

if TYPE_CHECKING:
    from harness.report.pair import Pair


@click.command(short_help="Score a run again, or any table of transcript pairs.")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("hypotheses", type=click.Path(path_type=Path), required=False)
@click.option(
    "--profile",
    default="norm-1n",
    show_default=True,
    help="How texts are made comparable before they are counted.",
)
@click.option(
    "--metric",
    default="auto",
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

    from harness.errors import UsageError
    from harness.report.sheet import sheet

    if draw and as_json:
        raise UsageError("--draw is for people", hint="--json has the alignment of every row")
    locale = None
    if language is not None:
        from harness.text.locales import canonical

        locale = canonical(language).code
    if path.is_dir():
        pairs = _run_pairs(path, profile=profile, metric=metric)
    else:
        from harness.report.pairs import read_pairs

        pairs = read_pairs(path, hypotheses, locale=locale)
        _tell_unanswered(pairs)
        _tell_speakerless(pairs)
    aligner = "sclite" if sclite else "minimal"
    details = as_json or bool(draw)
    document = sheet(pairs, profile=profile, metric=metric, aligner=aligner, details=details)
    _warn(document, profile)
    if as_json:
        click.echo(msgspec.json.encode(document))
    else:
        click.echo(_table(document))
        click.echo(_drawings(document["rows"], draw or 0), nl=False)
    return 5 if document["totals"]["failed"] else 0


def _run_pairs(path: Path, *, profile: str, metric: str) -> list[Pair]:
    """Return the pairs of a run, and write its reports again under the profile and metric."""
    from harness.errors import InputError
    from harness.report.pair import Pair

    if not (path / "plan.json").exists():
        raise InputError(
            f"{path}: a folder without plan.json, so no run",
            hint="name the table's file, or a folder below reports/",
        )
    from harness.report.build import build_reports
    from harness.report.write import PAGE, SUMMARY_MD
    from harness.run.folder import read_plan

    planned = {(one.dataset, one.id): one for one in read_plan(path).utterances}
    table = build_reports(path, profile=profile, metric=metric)
    click.echo(
        f"written again in {click.format_filename(path)}: the tables, {SUMMARY_MD} and {PAGE}, "
        f"under --profile {profile} --metric {metric}",
        err=True,
    )
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


def _table(document: dict[str, Any]) -> str:
    """Return the cells as a table for people: a rate with its interval, and what it is made of."""
    head = (
        "dataset",
        "locale",
        "model",
        "metric",
        "rate",
        "95 %",
        "norm-1",
        "S",
        "D",
        "I",
        "tokens",
        "scored",
    )
    rows: list[tuple[str, ...]] = [head]
    rows += [
        (
            visible(cell["dataset"]) or "-",
            visible(cell["locale"]),
            visible(cell["model"]) or "-",
            cell["metric"] or "-",
            _percent(cell["rate"]),
            _interval(cell),
            _percent(cell["rate_norm1"]),
            *(
                f"{cell[name]:,}"
                for name in ("substitutions", "deletions", "insertions", "reference_tokens")
            ),
            f"{cell['scored']:,}/{cell['utterances']:,}",
        )
        for cell in document["cells"]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += ["", *_means(document)]
    profile = document["profile"]
    lines.append(f"profile {profile['id']}, code {profile['code_sha256'][:12]}")
    if tools := _tools({cell["metric"] for cell in document["cells"]}, profile["versions"]):
        lines.append(f"cut by {', '.join(tools)}")
    return "\n".join(lines)


def _drawings(rows: list[dict[str, Any]], most: int) -> str:
    """Return the alignments of the rows with the most errors, the worst first; rows without any are none of them."""
    from shutil import get_terminal_size

    from harness.score.drawing import drawing

    def errors(row: dict[str, Any]) -> int:
        return sum(row[name] or 0 for name in ("substitutions", "deletions", "insertions"))

    width = get_terminal_size((100, 24)).columns
    drawn = ""
    for row in sorted(filter(errors, rows), key=errors, reverse=True)[:most]:
        steps = [
            (op, *(token if token is None else visible(token) for token in pair))
            for op, *pair in row["alignment"]
        ]
        who = ", ".join(visible(row[name]) for name in ("id", "locale", "model") if row[name])
        rate = "no rate" if row["rate"] is None else f"{row['metric']} {_percent(row['rate'])}"
        drawn += f"\n{who}: {rate}\n"
        drawn += drawing(steps, divided=row["metric"] not in {"CER", "CERns"}, width=width) + "\n"
    return drawn


def _means(document: dict[str, Any]) -> list[str]:
    """Return a line for each dataset's and model's mean over locales; one that lacks locales of another names them."""
    metrics = {cell["metric"] for cell in document["cells"] if cell["metric"]}
    means = [("macro_wer", "mean WER"), ("macro_cerns", "mean CER without spaces")]
    if metrics == {"CERns"}:
        means = means[1:]
    elif len(metrics) == 1:  # one that was asked for, or is every locale's own
        means[0] = ("macro_rate", f"mean {metrics.pop()}")
    macros = document["totals"]["macros"]
    lines = []
    for name, label in means:
        for macro in macros:
            own = macro[f"{name}_locales"]
            every = {
                locale
                for other in macros
                if other["dataset"] == macro["dataset"]
                for locale in other[f"{name}_locales"]
            }
            if not own or len(every) == 1:
                continue
            lacking = sorted(every.difference(own))
            count = f"{len(own)} of {len(every)}" if lacking else f"{len(own)}"
            sets = macro[f"{name}_sets"]
            shared = f" ({sets} test {'set' if sets == 1 else 'sets'})" if sets < len(own) else ""
            who = " / ".join(visible(macro[part]) for part in ("dataset", "model") if macro[part])
            lines.append(
                f"{label} of {count} locales{shared}"
                + (f", {who}" if who and len(macros) > 1 else "")
                + f": {_percent(macro[name])}"
                + (f" (lacks {', '.join(map(visible, lacking))})" if lacking else "")
            )
    return lines


def _tools(metrics: set[str | None], versions: dict[str, str]) -> list[str]:
    """Return what cut texts into tokens where that depends on a version."""
    from harness.text.segment import SEGMENTERS

    tools = [f"{name} {versions[name]}" for own in SEGMENTERS.values() for name in own if name in versions]  # fmt: skip
    if not metrics.isdisjoint({"segWER", "kanaCER"}):
        return tools
    return [f"the rules of Unicode {versions['unicode_clusters']}"] if "gCER" in metrics else []


def _interval(cell: dict[str, Any]) -> str:
    low, high = cell["rate_low"], cell["rate_high"]
    if low is None or high is None:
        return "too few" if cell["interval"] and cell["rate"] is not None else "-"
    return f"{100 * low:.2f} to {100 * high:.2f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"
