"""`harness doctor`: is this machine ready, does one session work from end to end, and what else works?"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harness.cli.finding import MARKS, Finding, tally
from harness.errors import HarnessError, InputError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.cli.walk import Emulators
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

    Each capability of docs/protocol.md gets a line: what came of it, and how long it took. It gets one or two short
    sessions (eight for the settings of the activity detection), with a sentence or a recording of a few seconds.

    \b
    ok    it works
    (ok)  it is taken, but nothing that comes back shows what it does
    –     the model or the platform lacks it, and is not asked for it
    ?     the model did something else
    …     it cannot be had on demand; the line says where it can
    FAIL  it does not work

    Without --model the emulator is asked for four models between them. Without --url the doctor starts two emulators that
    have its own answers, so that there is no ? but for what a poor recogniser hears; one of them lives in a hurry.

    Nothing is waited for longer than 30 seconds, and 5 once two waits were in vain.

    Exit code 0: all is well, perhaps with warnings. 3: this machine is not ready. 4: the service refuses. 5: a
    capability does not work.
    """  # noqa: D301 - Click's mark for a paragraph that it must not wrap
    import dataclasses
    import json

    from harness.secret import redact
    from harness.session.config import credentials
    from harness.text.visible import visible

    secrets = credentials(os.environ)
    findings: list[Finding] = []
    for one in _findings(service, url, model, quick=quick):
        finding = dataclasses.replace(one, found=redact(one.found, secrets))
        findings.append(finding)
        if not as_json:
            width = _WIDTH if ":" in finding.check else 12
            took = f"{finding.took_s:5.1f} s"
            click.echo(
                f"{MARKS[finding.verdict]} {took}  {finding.check:{width}} {visible(finding.found)}"
            )
            if finding.hint:
                click.echo(f"                           try: {finding.hint}")
    if as_json:
        click.echo(
            json.dumps([dataclasses.asdict(finding) for finding in findings], ensure_ascii=False)
        )
        return _exit_code(findings)
    click.echo(tally(findings))
    if service == "emulator" and url and any(one.verdict == "not shown" for one in findings):
        click.echo(
            f"note: an emulator shows what is marked {MARKS['not shown'].strip()} only with the doctor's own answers: "
            "harness doctor without --url starts one that has them"
        )
    return _exit_code(findings)


def _exit_code(findings: list[Finding]) -> int:
    return min((one.exit_code for one in findings if one.exit_code), default=0)


_WIDTH: Final = 58
"""Of the longest capability's name."""


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
        started = None
        if own:
            try:
                started = stack.enter_context(_emulators())
            except HarnessError as error:
                yield _failed("emulator", error)
                return
        place = started.url if started else url
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
            yield from walk(service, place, model, own=started)


@contextlib.contextmanager
def _emulators() -> Iterator[Emulators]:
    """Give the emulators that the walk asks: they answer its questions, and one lives in a hurry."""
    import importlib.util
    import tempfile

    from harness.cli.companion import started
    from harness.cli.walk import HURRIED, Emulators, write_answers
    from harness.session.probes.probe import Tls

    encrypted = ("--tls",) if importlib.util.find_spec("trustme") else ()
    with tempfile.TemporaryDirectory(prefix="harness-doctor-") as folder:
        place = Path(folder)
        answers = place / "answers.jsonl"
        write_answers(answers)
        usual = ("--answers", str(answers), "--sessions", "8", "--assume", "cached-turns=told")
        with (
            started(place / "emulator.log", *usual, *encrypted) as told,
            started(place / "hurried.log", *usual, *HURRIED) as hurried,
        ):
            yield Emulators(
                url=told["url"],
                ear=told["ear"],
                hurried=hurried["url"],
                tls=Tls(url=told["tls_url"], ca_file=told["ca_file"]) if encrypted else None,
            )


def _checked(name: str, check: Callable[[], Finding]) -> Finding:
    import dataclasses
    import time

    began = time.monotonic()
    try:
        found = check()
    except HarnessError as error:
        found = _failed(name, error)
    return dataclasses.replace(found, took_s=time.monotonic() - began)


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
    from harness.emulator.ear.ears import available

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
    from harness.emulator.voice.voice import installed

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
    from harness.cli.walk import recording
    from harness.run.attempt import record
    from harness.session.retry import STANDING_REFUSALS
    from harness.session.transport import connect
    from harness.session.trial import trial
    from harness.wire.live.setups import transcription_setup

    endpoint = given()
    setup = transcription_setup(model, turns="manual", transcript="input")
    result = await trial(recording(), connect, endpoint, setup, model)
    told = record(result.recorder.trace()[0], "input", path=None, final=True)
    if result.ending.failure is not None:
        refused = result.ending.failure in STANDING_REFUSALS
        raise (RefusedError if refused else InputError)(
            f"{model} at {endpoint.printable}",
            why=result.ending.reason,
            hint="check the key in the environment, and --model: harness models lists what is known"
            if refused
            else "check --url and the network; harness emulate serves the Live API on this machine",
        )
    heard = (
        ascii(told.hypothesis)
        if told.hypothesis and not told.hypothesis.isprintable()
        else told.hypothesis
    )
    found = f"{model} heard “{heard or ''}”; audio frames late by {told.send_lag_p99_ms} ms at the 99th percentile"
    if told.emulator:
        found += f"; EMULATED ({told.emulator})"
    return Finding(check="session", verdict="ok" if told.hypothesis else "warning", found=found)
