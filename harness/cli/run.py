"""`harness run`: stream, score and report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from harness.cli.finite import FiniteRange
from harness.cli.overrides import overrides
from harness.cli.typed import retold
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.corpus.utterance import Dataset
    from harness.run.assumptions import Assumptions


@click.command(short_help="Stream datasets through Live sessions, score and report.")
@click.argument("datasets", nargs=-1, metavar="[DATASET]...")
@click.option(
    "--task",
    type=click.Choice(["transcribe", "speak", "ask"]),
    default="transcribe",
    show_default=True,
    help="transcribe: audio to text; speak: text to speech; ask: questions to answers, held against what is expected.",
)
@click.option(
    "--service",
    type=click.Choice(["emulator", "gemini", "vertex", "simulated"]),
    default="emulator",
    show_default=True,
    help="The service: our emulator on this machine, the Gemini Developer API, or Vertex AI. "
    "simulated tries the plan on virtual time and sends nothing.",
)
@click.option(
    "--assume",
    multiple=True,
    metavar="NAME=VALUE",
    help="What the simulated service is like: sessions, opening-s, setup-s, answer-s, silence-s, quiet-s, connection-s, "
    "faults; e.g. sessions=50.",
)
@click.option(
    "--url",
    help="Another endpoint that speaks the service's protocol: a running emulator, a proxy.",
)
@click.option(
    "--api-version",
    metavar="VERSION",
    help="v1beta, v1alpha or v1; on Vertex AI v1beta1 or v1.  [default: the first, or what the setup needs]",
)
@click.option(
    "--model",
    multiple=True,
    help="Model id; give it again for more. harness models lists them.",
)
@click.option(
    "--language",
    multiple=True,
    help="Locale such as de-DE, or a set: guide, vertex24, native-audio. Default: all in the datasets.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    help="At most N utterances per locale and dataset, chosen by the seed.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of every choice.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 10_000),
    default=8,
    show_default=True,
    help="Sessions at once; lowered by itself when the service refuses for quota.",
)
@click.option(
    "--pace",
    type=FiniteRange(0, 100),
    default=1.0,
    show_default=True,
    help="1 is real time; 0 is as fast as the service takes it, and latency is then not reported.",
)
@click.option(
    "--chunk-ms",
    type=click.IntRange(10, 10_000),
    default=100,
    show_default=True,
    help="Audio per frame, ms.",
)
@click.option(
    "--turns",
    type=click.Choice(["manual", "auto"]),
    default="manual",
    show_default=True,
    help="manual: activity signals around the clip; auto: the service detects speech.",
)
@click.option(
    "--quiet",
    type=FiniteRange(0, 60),
    default=2.0,
    show_default=True,
    metavar="S",
    help="How long a session listens for more text after its turn is said to be over. Text that comes later is lost.",
)
@click.option(
    "--transcript",
    type=click.Choice(["input", "reply", "output"]),
    help="The text that is scored: of what was heard, the reply, or of the speech output. "
    "Default: input; with --task speak output; with --task ask reply where the models write, else output.",
)
@click.option(
    "--interrupt-after",
    type=FiniteRange(0, 600),
    metavar="S",
    help="With --task ask: speak over each answer S seconds after it begins, and see how fast the model falls silent.",
)
@click.option(
    "--heard-by",
    metavar="EAR",
    help="With --task speak: let a recogniser of this machine hear the speech in the end, as harness emulate --ear.",
)
@click.option(
    "--repeat",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Runs of every cell.",
)
@click.option(
    "--set",
    multiple=True,
    callback=overrides,
    metavar="PATH=VALUE",
    help="Any field below setup, e.g. generationConfig.temperature=0.2.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    help="Streaming processes. Default: as many as the sessions need to be on time, at most one a core.",
)
@click.option(
    "--rate",
    metavar="N/min",
    help="Sessions and tokens a minute at most: 60/min, or sessions=60,tokens=100000. Tokens count by estimate until billed.",
)
@click.option(
    "--budget",
    type=FiniteRange(0, min_open=True),
    metavar="USD",
    help="Stop cleanly before more is spent.",
)
@click.option(
    "--gate",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="GATE.toml",
    help="Rules that the run must pass; exit code 6 when one fails. Writes junit.xml.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print what would be done, and what it would cost; open nothing.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Run folder. Default: reports/<run-id>, or the newest unfinished run of the same plan.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def command(
    *,
    datasets: tuple[str, ...],
    task: Any,
    service: Any,
    assume: tuple[str, ...],
    url: str | None,
    api_version: str | None,
    model: tuple[str, ...],
    language: tuple[str, ...],
    limit: int | None,
    seed: int,
    concurrency: int,
    pace: float,
    chunk_ms: int,
    turns: Any,
    quiet: float,
    transcript: Any,
    interrupt_after: float | None,
    heard_by: str | None,
    repeat: int,
    set: list[tuple[str, str]],  # noqa: A002 - the option's name is also its variable's and its key's
    processes: int | None,
    rate: str | None,
    budget: float | None,
    gate: Path | None,
    dry_run: bool,
    out: Path | None,
    as_json: bool,
) -> int:
    """Stream DATASETs through Live sessions, score what comes back, and write a report.

    A DATASET is a recipe's name (harness datasets list), or the path of a manifest or a folder. Without one, the
    bundled recordings are used.

    \b
    harness run                                     the bundled recordings, through the emulator
    harness run my.jsonl --language de-DE --limit 50
    harness run --task speak speak                  texts, read aloud and heard again
    harness run --task ask ask                      questions, and whether the answers are right
    harness run --service gemini --model gemini-3.5-transcribe-live --dry-run

    An interrupted run is continued by the same command.
    """  # noqa: D301 - Click's mark for a paragraph that it must not wrap
    from harness.cli.forecast import print_forecast
    from harness.cli.gating import open_gate, require_baseline
    from harness.cli.refused import (
        refuse_namesakes,
        require_names,
        require_prices,
        require_transcript,
        require_turns,
    )
    from harness.cli.sitting import sit
    from harness.cli.tasks import (
        refuse_misplaced,
        refuse_unspoken,
        scored_channel,
        task_setup,
        usual_model,
    )
    from harness.corpus.shelf import open_dataset
    from harness.run.plan import chosen, make_plan
    from harness.run.rate import rate_limit
    from harness.session.config import endpoints, route
    from harness.text.locales import select
    from harness.wire.live.codec import to_json
    from harness.wire.live.rules import require_taken
    from harness.wire.live.setups import with_overrides

    at_most = rate_limit(rate) if rate else None
    simulated = _assumptions(
        service, assume, url=url, heard_by=heard_by, processes=processes, out=out, gate=gate
    )
    spoken: Any = _platform_of(model) if simulated else service
    rules = open_gate(gate) if gate else None
    refuse_misplaced(task, interrupt_after_s=interrupt_after, ear=heard_by, typed=_typed_names())
    locales = select(language) if language else None
    only = locales[0] if locales is not None and len(locales) == 1 else None
    if url is not None:
        # What is wrong with it is said before anything is made.
        endpoints(service, url, os.environ, version=api_version)()
    opened = [open_dataset(name, locale=only) for name in dict.fromkeys(datasets or ("sample",))]
    refuse_namesakes(opened)
    notes = _notes(opened, locales)
    utterances = chosen(opened, locales, limit, seed)
    refuse_unspoken(task, utterances)
    names = list(dict.fromkeys(model)) or [usual_model(task, spoken)]
    transcript = scored_channel(task, transcript, names)
    require_names(names)
    setups = {
        name: with_overrides(
            task_setup(task, name, utterances, turns=turns, transcript=transcript), set
        )
        for name in names
    }
    method = route(spoken, api_version, setups.values(), os.environ)
    for name, setup in setups.items():
        if task != "speak":  # a text has no activity to signal
            require_turns(setup, turns)
        require_transcript(setup, transcript)
        require_taken(setup, name, method)
    plan = make_plan(
        datasets=opened,
        utterances=utterances,
        service=service,
        url=url,
        api_version=api_version,
        models=names,
        setups={name: to_json(setup) for name, setup in setups.items()},
        transcript=transcript,
        pace=pace,
        chunk_ms=chunk_ms,
        turns=turns,
        repeats=repeat,
        seed=seed,
        command=retold(),
        notes=notes,
        task=task,
        interrupt_after_s=interrupt_after,
        quiet_s=quiet,
    )
    if rules:
        require_baseline(rules, plan)
    require_prices(plan, budget)
    if dry_run:
        return print_forecast(
            plan, concurrency, rate=at_most, budget=budget, out=out, as_json=as_json
        )
    for note in notes:
        click.echo(f"note: {note}", err=True)
    if simulated:
        from harness.cli.simulation import print_simulation

        del opened, utterances  # a million of them, perhaps; all that counts is in the plan
        print_simulation(
            plan,
            simulated,
            route=method,
            concurrency=concurrency,
            budget=budget,
            rate=at_most,
            as_json=as_json,
        )
        return 0
    if service != "emulator" or url is not None:
        # What is wrong with them is said before a folder is made.
        endpoints(service, url, os.environ, version=method.version)
    return sit(
        plan,
        opened,
        service,
        url,
        concurrency=concurrency,
        processes=processes,
        rate=at_most,
        budget=budget,
        gate=gate,
        ear=heard_by,
        out=out,
        version=method.version,
        as_json=as_json,
    )


def _assumptions(service: str, assume: tuple[str, ...], **real: object) -> Assumptions | None:
    """Return what the simulated service is like; None: another one is to be asked.

    UsageError when an option of `real`, which a run heeds that sends something, is given to one that sends nothing.
    """
    if service != "simulated":
        if assume:
            raise UsageError("--assume is for --service simulated alone")
        return None
    for name in (name.replace("_", "-") for name, value in real.items() if value is not None):
        raise UsageError(
            f"--{name} is not for --service simulated",
            why="a simulation sends nothing: there is no endpoint, no process that streams, no run folder, and nothing to "
            "hear or to judge",
            hint=f"leave --{name} out; --json prints the forecast as a document to keep",
        )
    from harness.run.assumptions import assumptions

    return assumptions(assume)


def _typed_names() -> set[str]:
    """Return the names of the options that were typed; neither a file's nor a variable's are among them."""
    ctx = click.get_current_context()
    return {
        name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def _platform_of(models: tuple[str, ...]) -> str:
    """Return the service whose protocol a simulated run speaks: Vertex AI's where a model is served by it alone."""
    from harness.wire.live.catalogue import find

    known = filter(None, map(find, models))
    return "vertex" if any(one.platforms == ("vertex",) for one in known) else "emulator"


def _notes(datasets: list[Dataset], locales: list[str] | None) -> list[str]:
    """Return what the reader of the results should know about the selection."""
    from harness.text.visible import visible

    notes: list[str] = []
    for dataset in datasets:
        faults = [fault for fault in dataset.faults if not fault.warning]
        if faults:
            first = faults[0]
            place = f"{first.where}:{first.line}" if first.line else first.where
            notes.append(
                f"{dataset.name}: {len(faults)} {'item' if len(faults) == 1 else 'items'} cannot be used, the first at {place}: {first.what} "
                f"(harness datasets check tells all)"
            )
        if dataset.overlooked is not None:
            path = visible(str(dataset.overlooked))
            notes.append(
                f"{dataset.name}: a manifest lies there and was not read: harness run {path}"
            )
    if locales is not None:
        have = {u.locale for dataset in datasets for u in dataset.utterances}
        lacking = [locale for locale in locales if locale not in have]
        if lacking:
            notes.append(
                f"{len(lacking)} of {len(locales)} languages asked for {'is' if len(lacking) == 1 else 'are'} not in "
                f"the datasets: {', '.join(lacking)}"
            )
    return notes
