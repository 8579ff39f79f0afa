"""`harness doctor`: is this machine ready, does one session work from end to end, and what else works?"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.finding import MARKS, Finding
from harness.errors import HarnessError, InputError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.wire.live.endpoint import Endpoint


@click.command(
    short_help="Check this machine, the credentials and every capability, a live session each."
)
@click.option(
    "--service",
    type=click.Choice(["emulator", "gemini", "vertex"]),
    default="emulator",
    show_default=True,
)
@click.option("--url", help="Another endpoint that speaks the service's protocol.")
@click.option("--model", help="Model of the session. Default: as harness run.")
@click.option("--quick", is_flag=True, help="One session, and no walk through the capabilities.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def command(*, service: Any, url: str | None, model: str | None, quick: bool, as_json: bool) -> int:
    """Check this machine, the credentials, one Live session from end to end, and every capability of the Live API.

    Each capability gets a short session, a sentence or one recording of a few seconds; what the model lacks is not
    asked for (–), and where the model does something else, that is told (?). Without --model the emulator is asked for
    three models between them.

    Exit code 0: all is well, perhaps with warnings. 3: this machine is not ready. 4: the service refuses. 5: a
    capability does not work.
    """
    import dataclasses
    import json

    findings: list[Finding] = []
    for finding in _findings(service, url, model, quick=quick):
        findings.append(finding)
        if not as_json:
            width = 49 if ":" in finding.check else 12
            click.echo(f"{MARKS[finding.verdict]}  {finding.check:{width}} {finding.found}")
            if finding.hint:
                click.echo(f"                   try: {finding.hint}")
    if as_json:
        click.echo(
            json.dumps([dataclasses.asdict(finding) for finding in findings], ensure_ascii=False)
        )
    elif service == "emulator" and url and any(one.verdict == "not shown" for one in findings):
        click.echo(
            f"note: an emulator shows what is marked {MARKS['not shown'].strip()} only with the doctor's own answers: "
            "harness doctor without --url starts one that has them"
        )
    return min((one.exit_code for one in findings if one.exit_code), default=0)


def _findings(
    service: Any, url: str | None, model: str | None, *, quick: bool
) -> Iterator[Finding]:
    from harness.cli.tasks import usual_model
    from harness.cli.walk import walk

    own = service == "emulator" and url is None
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("python", _python),
        ("audio", _audio),
        ("clock", _clock),
        ("datasets", _datasets),
        *([("recogniser", _recogniser), ("voice", _voice)] if own else []),
    ]
    with contextlib.ExitStack() as stack:
        ready = True
        for name, check in checks:
            found = _checked(name, check)
            ready = ready and found.verdict != "failed"
            yield found
        if not ready:
            return
        try:
            place = stack.enter_context(_emulator()) if own else url
        except HarnessError as error:
            yield _failed("emulator", error)
            return
        named = model or usual_model("transcribe", service)
        for name, check in (
            *(() if own else (("credentials", lambda: _credentials(service, place)),)),
            ("session", lambda: _session(service, place, named)),
        ):
            found = _checked(name, check)
            yield found
            if found.verdict == "failed":
                return
        if not quick:
            yield from walk(service, place, model)


@contextlib.contextmanager
def _emulator() -> Iterator[str]:
    """Give the URL of an emulator that answers what the walk asks."""
    import tempfile

    from harness.cli.companion import companion
    from harness.cli.walk import write_answers

    with tempfile.TemporaryDirectory(prefix="harness-doctor-") as folder:
        answers = Path(folder) / "answers.jsonl"
        write_answers(answers)
        with companion(Path(folder) / "emulator.log", answers=answers) as url:
            yield url


def _checked(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except HarnessError as error:
        return _failed(name, error)


def _failed(name: str, error: HarnessError) -> Finding:
    why = f"{error.what}: {error.why}" if error.why else error.what
    code = error.exit_code if isinstance(error, RefusedError) else InputError.exit_code
    return Finding(check=name, verdict="failed", found=why, hint=error.hint, exit_code=code)


def _python() -> Finding:
    import platform

    from harness.version import __version__

    found = (
        f"live-harness {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores"
    )
    return Finding(check="python", verdict="ok", found=found)


def _audio() -> Finding:
    from harness.audio.load import readable_formats

    return Finding(check="audio", verdict="ok", found=readable_formats())


def _clock() -> Finding:
    """Measure how late this machine wakes a sleeper: what every latency figure rests on."""
    import asyncio

    from harness.clock import run_punctual

    async def lags() -> list[float]:
        loop = asyncio.get_running_loop()
        late: list[float] = []
        for _ in range(100):
            due = loop.time() + 0.005
            await asyncio.sleep(0.005)
            late.append((loop.time() - due) * 1000)
        return sorted(late)

    measured = run_punctual(lags())
    found = f"timers late by {measured[49]:.2f} ms in the median, {measured[98]:.2f} ms at the 99th percentile"
    if measured[98] > 20:
        hint = (
            "stop what else runs: sessions that are over 20 ms late are left out of latency tables"
        )
        return Finding(check="clock", verdict="warning", found=found, hint=hint)
    return Finding(check="clock", verdict="ok", found=found)


def _datasets() -> Finding:
    from harness.corpus.shelf import open_dataset

    dataset = open_dataset("sample")
    return Finding(
        check="datasets",
        verdict="ok",
        found=f"sample: {len(dataset.utterances)} utterances in {dataset.root}",
    )


def _recogniser() -> Finding:
    from harness.emulator.ears import available

    ears = available()
    if not ears:
        raise InputError("no recogniser is installed", hint="pip install 'live-harness[emulator]'")
    if "whisper" not in ears:
        return Finding(
            check="recogniser",
            verdict="warning",
            found=f"{', '.join(ears)}: English alone",
            hint="pip install 'live-harness[emulator,ear-weights]' for every language",
        )
    return Finding(check="recogniser", verdict="ok", found=", ".join(ears))


def _voice() -> Finding:
    from harness.emulator.voice import installed

    if installed():
        return Finding(check="voice", verdict="ok", found="pico: six locales")
    return Finding(
        check="voice",
        verdict="warning",
        found="none, so the emulator refuses to answer in AUDIO",
        hint="pip install 'live-harness[emulator]'",
    )


def _credentials(service: Any, url: str | None) -> Finding:
    from harness.session.config import endpoints

    endpoint = endpoints(service, url, os.environ)()
    if service == "emulator":
        found = f"no key needed at {endpoint.printable}"
        return Finding(check="credentials", verdict="ok", found=found)
    return Finding(check="credentials", verdict="ok", found=f"found, for {endpoint.printable}")


def _session(service: Any, url: str | None, model: str) -> Finding:
    """Stream the shortest English clip of the sample dataset through one session."""
    from harness.clock import run_punctual
    from harness.session.config import endpoints

    return run_punctual(_one_session(endpoints(service, url, os.environ), model))


async def _one_session(given: Callable[[], Endpoint], model: str) -> Finding:
    import asyncio

    import msgspec

    from harness.audio.load import load
    from harness.clock import utc_now
    from harness.corpus.shelf import open_dataset
    from harness.run.attempt import record
    from harness.session.assignment import Assignment
    from harness.session.drive import Session
    from harness.session.frames import Frames
    from harness.session.pace import Pacer
    from harness.session.transport import connect
    from harness.trace import TraceHeader
    from harness.version import __version__
    from harness.wire.live.setups import transcription_setup

    english = [u for u in open_dataset("sample").utterances if u.locale == "en-US"]
    utterance = min(english, key=lambda u: u.duration_s or float("inf"))
    assert utterance.audio is not None  # noqa: S101 - of the bundled recordings
    endpoint = given()
    setup = transcription_setup(model, turns="manual", transcript="input")
    header = TraceHeader(
        utterance=utterance.id,
        dataset="sample",
        locale=utterance.locale,
        model=model,
        repeat=1,
        attempt=1,
        plan="doctor",
        endpoint=endpoint.printable,
        client=f"live-harness/{__version__}",
        started_at=utc_now(),
        chunk_ms=100,
        pace=1.0,
        turns="manual",
    )
    clip = load(utterance.audio, offset_s=utterance.offset_s, duration_s=utterance.duration_s)
    assignment = Assignment(
        header=header,
        name="doctor",
        endpoint=endpoint,
        setup=msgspec.structs.replace(setup, model=endpoint.model_name(model)),
        frames=Frames(clip, chunk_ms=100),
        pace=1.0,
    )
    result = await Session(assignment, connect, Pacer(asyncio.get_running_loop())).run()
    assert result is not None  # noqa: S101 - it is alone, so nobody kept it from asking
    told = record(result.recorder.trace()[0], "input", path=None, final=True)
    if result.ending.failure is not None:
        raise (
            RefusedError
            if result.ending.failure in ("auth", "config", "model_not_found")
            else InputError
        )(f"{model} at {endpoint.printable}", why=result.ending.reason)
    heard = (
        ascii(told.hypothesis)
        if told.hypothesis and not told.hypothesis.isprintable()
        else told.hypothesis
    )
    found = f"{model} heard “{heard or ''}”; audio frames late by {told.send_lag_p99_ms} ms at the 99th percentile"
    if told.emulator:
        found += f"; EMULATED ({told.emulator})"
    return Finding(check="session", verdict="ok" if told.hypothesis else "warning", found=found)
