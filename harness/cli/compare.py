"""`harness compare`: a paired comparison of runs, and the gate on it."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from harness.cli.finite import FiniteRange

if TYPE_CHECKING:
    from harness.report.gates.gate import GateResult


@click.command(short_help="Compare runs utterance by utterance; gate a build.")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument(
    "new", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="NEW [MORE]..."
)
@click.option(
    "--model",
    multiple=True,
    help="Model to compare; twice: A of BASE with B of the others. Default: the only ones, else equal ones.",
)
@click.option(
    "--margin",
    type=FiniteRange(0, 1, min_open=True, max_open=True),
    help="What “no worse” allows, as a ratio: 0.005 is half a point.",
)
@click.option("--profile", help="How texts are made comparable. Default: as BASE was reported.")
@click.option("--metric", help="Which rate is counted. Default: as BASE was reported.")
@click.option(
    "--gate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="GATE.toml",
    help="Rules that every NEW must pass against BASE; exit code 6 when one fails.",
)
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where the gate's junit.xml goes. Default: into each NEW.",
)
@click.option("--force", is_flag=True, help="Compare what is not comparable, and say so first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write Markdown for a pull request.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write one self-contained page.",
)
def command(
    *,
    base: Path,
    new: tuple[Path, ...],
    model: tuple[str, ...],
    margin: float | None,
    profile: str | None,
    metric: str | None,
    gate: Path | None,
    junit: Path | None,
    force: bool,
    as_json: bool,
    markdown: Path | None,
    html: Path | None,
) -> int:
    """Compare run folders: each NEW with BASE, over the utterances that both hold.

    Per locale and over all: the difference of the error rate with its paired interval, whether it is more than luck,
    latency, failures, what changed in the configuration, and the utterances that moved most.

    Example: harness compare reports/before reports/after --margin 0.005 --html compare.html
    """
    if len(model) > 2:
        raise click.BadParameter(
            "give it once, or twice: of BASE, of the others", param_hint="--model"
        )
    if junit and not gate:
        raise click.BadParameter("it is what a --gate writes", param_hint="--junit")

    import msgspec

    from harness.report.comparison.comparable import open_runs
    from harness.report.comparison.compare import comparison
    from harness.report.comparison.digest import comparison_markdown, comparison_text
    from harness.report.gates.rules import read_gate

    rules = read_gate(gate) if gate else None
    models = (model[0], model[-1]) if model else None
    runs = open_runs(base, new, profile=profile, metric=metric, force=force)
    document = comparison(runs, models=models, margin=margin)
    results: list[tuple[Path, GateResult]] = []
    if rules:
        from harness.report.gates.gate import check_gate

        results = [
            (folder, check_gate(rules, table, runs.base, models=models))
            for folder, (table, _) in zip(new, runs.news, strict=True)
        ]
        document = msgspec.structs.replace(
            document,
            contrasts=[
                msgspec.structs.replace(contrast, gate=result)
                for contrast, (_, result) in zip(document.contrasts, results, strict=True)
            ],
        )
        _write_junit(results, junit)
    if markdown:
        _write(markdown, comparison_markdown(document).encode())
    if html:
        from harness.report.page.comparison import comparison_page

        _write(html, comparison_page(document))
    if as_json:
        click.echo(msgspec.json.encode(document))
    else:
        # As wide as the terminal where there is one.
        width = get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo(comparison_text(document, width))
    return 0 if all(result.passed for _, result in results) else 6


def _write_junit(results: list[tuple[Path, GateResult]], junit: Path | None) -> None:
    """Write the gate's results: all into the file asked for, else each into its run folder."""
    from harness.report.gates.junit import JUNIT, junit_bytes

    named = [(folder.resolve().name, folder, result) for folder, result in results]
    if junit:
        _write(junit, junit_bytes([(name, result) for name, _, result in named]))
        return
    for name, folder, result in named:
        _write(folder / JUNIT, junit_bytes([(name, result)]))


def _write(path: Path, data: bytes) -> None:
    from harness.report.tables.write import write_files

    write_files(path.parent, {path.name: [data]})
