"""`harness report`: write a run's reports again."""

from __future__ import annotations

import sys
from pathlib import Path

import click


def _clips(context: click.Context, option: click.Parameter, value: str | None) -> str | int | None:
    """Return how many clips are asked for: a number, `all`, or None where nobody said."""
    if value in (None, "all"):
        return value
    if value == "none":
        return 0
    if value.isascii() and value.isdigit():
        return int(value)
    raise click.BadParameter(f"{value!r} is not a number, none or all", context, option)


@click.command(short_help="Write a run's reports again.")
@click.argument("run", type=click.Path(path_type=Path))
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
    help="Which rate is the headline; auto takes each locale's own.",
)
@click.option(
    "--excel", is_flag=True, help="Begin the CSV files with the mark Excel needs to read UTF-8."
)
@click.option(
    "--embed-audio",
    metavar="N|none|all",
    callback=_clips,
    help="Put the N worst clips into the page, none, or all; else the worst that fit into 5 MB.",
)
@click.option(
    "--gate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="GATE.toml",
    help="Rules that the run must pass; exit code 6 when one fails. Writes junit.xml.",
)
@click.option(
    "--heard-by",
    metavar="EAR",
    help="Let a recogniser of this machine hear the speech that a --task speak run kept, first: as harness emulate --ear.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Write nothing: work everything out again from the traces and say where the folder differs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print summary.json instead of the table.")
def command(
    *,
    run: Path,
    profile: str,
    metric: str,
    excel: bool,
    embed_audio: str | int | None,
    gate: Path | None,
    heard_by: str | None,
    verify: bool,
    as_json: bool,
) -> int:
    """Score RUN (a run folder) again from its journal and traces, and write every report into it.

    No session is opened. The same folder, profile and version give the same bytes. Every record of the journal is worked
    out again from its trace; when one is something else, the reports say so and the exit code is 5.

    What --heard-by hears is kept in the folder, and scored beside the service's own transcription from then on.

    Example: harness report reports/20261121-140312-1f0c9a7e --profile norm-1
    """
    if verify:
        return _verified(run)
    unheard = _unheard(run, heard_by) if heard_by else 0
    from harness.cli.gating import open_gate, passes
    from harness.report.build import build_reports
    from harness.report.page.clips import Embed
    from harness.report.tables.table import UTTERANCES
    from harness.report.tables.write import PAGE, SUMMARY_CSV, SUMMARY_MD, json_bytes
    from harness.report.words.digest import summary_rich, summary_text

    rules = open_gate(gate) if gate else None
    embed = None
    if embed_audio is not None:
        embed = Embed(clips=None if embed_audio == "all" else int(embed_audio), characters=None)
    table = build_reports(run, profile=profile, metric=metric, excel=excel, embed=embed)
    if as_json:
        click.echo(json_bytes(table.summary), nl=False)
    elif sys.stdout.isatty():
        from rich.console import Console

        Console().print(summary_rich(table.summary))
    else:
        click.echo(summary_text(table.summary))
    beside = f"{SUMMARY_MD}, {SUMMARY_CSV}, {UTTERANCES}"
    if sys.stderr.isatty():
        # Terminals open such an address, and it can be pasted into a browser from any folder.
        click.echo(
            f"written: {(run / PAGE).resolve().as_uri()}\n  and beside it {beside}", err=True
        )
    else:
        click.echo(f"written into {click.format_filename(run)}: {PAGE}, {beside}", err=True)
    told = table.summary.retold
    if told and told.read:
        few = "" if told.read == told.traces else f" of {told.traces:,}, evenly spread"
        found = f"{told.contradicted:,} are something else" if told.contradicted else "all agree"
        records = "record was" if told.read == 1 else "records were"
        click.echo(f"{told.read:,} {records} worked out again from traces{few}: {found}", err=True)
    if rules and not passes(rules, table, profile=profile, metric=metric, to_stderr=as_json):
        return 6
    return 5 if unheard or (told and told.contradicted) else 0


def _unheard(run: Path, ear: str) -> int:
    """Let an ear hear the speech of `run`, and return how much of it could not be heard."""
    from harness.cli.ear import hear_speech
    from harness.text.visible import visible

    return hear_speech(run, ear, say=lambda told: click.echo(visible(told), err=True))


def _verified(run: Path) -> int:
    """Say where `run` is not what its traces and journal give, and return 0 when it is nowhere; InputError otherwise.

    What is found is said at once: the next thing looked at may be what cannot be read.
    """
    from harness.errors import InputError
    from harness.report.verify import OTHER_VERSION, differences
    from harness.text.visible import visible
    from harness.units import count_text

    found = []
    for one in differences(run):
        click.echo(visible(one))
        found.append(one)
    if found == [OTHER_VERSION]:
        raise InputError(
            f"{run}: every record is what its trace gives, and the report cannot be verified",
            hint=f"harness report {run} writes it again",
        )
    if found:
        raise InputError(
            f"{run}: {count_text(len(found), 'difference')} from what the traces and the journal give",
            hint=f"harness report {run} writes the tables again; a trace that was changed stays changed",
        )
    click.echo(
        "every record is what its trace gives, and every table and the page what the journal gives"
    )
    return 0
