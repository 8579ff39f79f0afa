"""`harness emulate`: the Live API on this machine."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harness.cli.finite import FiniteRange
from harness.errors import UsageError, suggestion
from harness.units import duration_text
from harness.wire.live import catalogue

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from contextlib import AsyncExitStack

    from harness.emulator.door.serve import Service
    from harness.emulator.ear.capacity import Capacity
    from harness.emulator.model.answers import Answers
    from harness.emulator.voice.voice import Voice


SCRIPTED_SESSIONS: Final = 1000
"""How many sessions are admitted when nothing is recognised."""


@click.command("emulate")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Anything but loopback lets others in: any key opens it.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port; 0 picks a free one.",
)
@click.option("--tls", is_flag=True, help="Also listen with TLS, under a certificate made for it.")
@click.option(
    "--ear",
    default="auto",
    show_default=True,
    metavar="EAR",
    help="auto, whisper, whisper:NAME, whisper:DIR, pocketsphinx, scripted, or scripted:FILE.",
)
@click.option(
    "--ear-language",
    multiple=True,
    metavar="CODE",
    help="Let the ear hear this language (ISO 639-1) instead of detecting it; repeat for several.",
)
@click.option(
    "--answers",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.jsonl",
    help="What to answer to what, instead of repeating what was said: docs/emulator.md.",
)
@click.option(
    "--sessions",
    type=click.IntRange(min=1),
    help="Sessions at once; more are refused for quota.  [default: as many as the ear hears in real time]",
)
@click.option(
    "--era",
    type=click.Choice(["guide", "later"]),
    default="later",
    show_default=True,
    help="guide: the service as the guides of autumn 2025 describe it; later: what came after as well.",
)
@click.option(
    "--audio-tokens",
    type=click.IntRange(min=1),
    help="Tokens of a second of audio in the usage it reports.  [default: 25, or as --assume audio-tokens]",
)
@click.option(
    "--silence-ms",
    type=click.IntRange(min=20),
    help="Silence that ends a turn when the client does not say.  [default: 800, or as --assume silence]",
)
@click.option(
    "--assume",
    multiple=True,
    metavar="NAME=CHOICE",
    help="Settle what is not known of the service; repeat for several. --list-assumptions shows all.",
)
@click.option("--list-assumptions", is_flag=True, help="Show all open questions and stop.")
@click.option(
    "--connection-life",
    type=FiniteRange(min=0, min_open=True),
    default=catalogue.CONNECTION_S,
    show_default=True,
    metavar="SECONDS",
    help=f"How long a connection may last, {duration_text(catalogue.CONNECTION_S)} as with the service.",
)
@click.option(
    "--go-away-lead",
    type=FiniteRange(min=0),
    default=catalogue.GO_AWAY_LEAD_S,
    show_default=True,
    metavar="SECONDS",
    help="How long before its end a connection is told.",
)
@click.option(
    "--quirk",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="Misbehave; repeat for several. --list-quirks shows all.",
)
@click.option(
    "--seed", default=0, show_default=True, help="Where quirks that are left to chance begin."
)
@click.option("--list-quirks", is_flag=True, help="Show all quirks and stop.")
@click.option("--json", "as_json", is_flag=True, help="Show them as JSON.")
@click.option(
    "--session-life",
    type=FiniteRange(min=0, min_open=True),
    default=catalogue.SESSION_AUDIO_S,
    show_default=True,
    metavar="SECONDS",
    help="How long a session without context-window compression may last, over its connections.",
)
@click.option(
    "--video-session-life",
    type=FiniteRange(min=0, min_open=True),
    default=catalogue.SESSION_VIDEO_S,
    show_default=True,
    metavar="SECONDS",
    help="The same once it was shown a picture.",
)
@click.option("--exit-with-stdin", is_flag=True, hidden=True)
def command(**options: Any) -> None:
    """Serve the Live API on this machine, with a real recogniser.

    Prints one line of JSON with the URL when it is ready, and serves until it is interrupted. Any key opens it except
    “invalid”. Point a client of your own at it to test it, or a run: harness run --url ws://127.0.0.1:8765.
    """
    import asyncio

    from harness.cli.registries import list_assumptions, list_quirks

    listed = {
        list_quirks: options.pop("list_quirks"),
        list_assumptions: options.pop("list_assumptions"),
    }
    as_json = options.pop("as_json")
    for show, wanted in listed.items():
        if wanted:
            show(as_json=as_json)
            return
    with_stdin = options.pop("exit_with_stdin")
    asyncio.run(_until_stopped(_serve(**options), with_stdin=with_stdin))


async def _until_stopped(serving: Coroutine[Any, Any, None], *, with_stdin: bool) -> None:
    """Run `serving` until SIGINT or SIGTERM comes, or standard input ends where that counts."""
    import asyncio
    import contextlib
    import signal
    import threading

    loop = asyncio.get_running_loop()
    task = loop.create_task(serving)
    with contextlib.suppress(NotImplementedError):  # Windows has Ctrl-C alone
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signal_number, task.cancel)
    if with_stdin:

        def watch() -> None:
            # Not `sys.stdin`, whose lock would be held when the interpreter ends.
            while os.read(0, 4096):
                pass
            with contextlib.suppress(RuntimeError):  # the loop may be over already
                loop.call_soon_threadsafe(task.cancel)

        threading.Thread(target=watch, daemon=True).start()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _serve(
    *,
    host: str,
    port: int,
    tls: bool,
    ear: str,
    ear_language: tuple[str, ...],
    answers: Path | None,
    sessions: int | None,
    era: catalogue.Era,
    quirk: tuple[str, ...],
    seed: int,
    assume: tuple[str, ...],
    audio_tokens: int | None,
    silence_ms: int | None,
    connection_life: float,
    go_away_lead: float,
    session_life: float,
    video_session_life: float,
) -> None:
    """Serve until cancelled: the ear first, then the sockets, then the line that says so."""
    import json
    from contextlib import AsyncExitStack
    from tempfile import TemporaryDirectory

    from harness.cli.ear import opened_ear
    from harness.emulator.door.certificate import certified
    from harness.emulator.door.serve import Service, listen, stop
    from harness.emulator.model.manners import Manners
    from harness.emulator.quirks.mischief import Mischief, parsed, require_effect
    from harness.wire.live.assumptions import assumed

    _require_one_word(assume, {"audio-tokens": audio_tokens, "silence": silence_ms})
    behaviour = Manners(
        assumed=assumed(assume),
        audio_tokens=audio_tokens,
        pause_ms=silence_ms,
        connection_s=connection_life,
        go_away_lead_s=go_away_lead,
        session_s=session_life,
        video_session_s=video_session_life,
        answers=_answers(answers),
    )
    misbehaving = parsed(quirk)
    require_effect(misbehaving, tls=tls, bounded=sessions is not None)
    mischief = Mischief(misbehaving, seed=seed)
    async with AsyncExitStack() as stack:
        heard_by, capacity = await opened_ear(stack, ear, _languages(ear_language))
        service = Service(
            ear=heard_by,
            voice=await _voice(stack),
            sessions=sessions or (capacity.sessions if capacity else SCRIPTED_SESSIONS),
            era=era,
            manners=behaviour,
            mischief=mischief,
        )
        if sessions is None and capacity is not None:
            capacity.changed = functools.partial(_admit, service, capacity)
        servers: list[asyncio.Server] = []
        stack.push_async_callback(stop, service, servers)
        servers.append(await listen(service, host, port))
        told: dict[str, object] = {"url": _url("ws", host, servers[0])}
        if tls:
            folder = stack.enter_context(TemporaryDirectory(prefix="harness-emulator-"))
            context, ca_file = certified(host, Path(folder), wrong=mischief.tls)
            if mischief.tls == "reset":
                # Nobody gets beyond the first bytes of the handshake.
                rude = Mischief({"reset": "upgrade"})
                broken = Service(ear=heard_by, sessions=0, mischief=rude)
                servers.append(await listen(broken, host, 0))
            else:
                servers.append(await listen(service, host, 0, context))
            told |= {"tls_url": _url("wss", host, servers[1]), "ca_file": str(ca_file)}
        if not _is_loopback(host):
            click.echo(f"others can reach this machine at {host}: any key opens it", err=True)
        spoken_by = service.voice and service.voice.name
        told |= {"ear": heard_by.name, "voice": spoken_by, "sessions": service.sessions}
        click.echo(json.dumps(told))
        await servers[0].serve_forever()


def _admit(service: Service, capacity: Capacity) -> None:
    """Admit as many sessions as the ear bears now, and say so; those that are open stay."""
    before, service.sessions = service.sessions, capacity.sessions
    click.echo(
        f"sessions at once: {service.sessions}, until now {before}; "
        f"the ear takes {capacity.real_time_factor:.2f} s for a second of speech",
        err=True,
    )


async def _voice(stack: AsyncExitStack) -> Voice | None:
    """Return this machine's voice, or None."""
    from harness.emulator.voice import voice

    if not voice.installed():
        return None
    found = voice.RemoteVoice()
    stack.push_async_callback(found.stop)
    await found.start()
    return found


def _answers(path: Path | None) -> Answers:
    """Return what is answered: what a file says, else what was said."""
    from harness.emulator.model.answers import REPEAT, Answers

    return Answers.from_file(path) if path else REPEAT


def _require_one_word(assume: tuple[str, ...], given: dict[str, int | None]) -> None:
    """Raise UsageError when a question is answered by --assume and by an option of its own, `given` by its name."""
    for name in (text.partition("=")[0] for text in assume):
        if given.get(name) is not None:
            raise UsageError(
                f"--assume {name} and the option of that name say the same thing", hint="take one"
            )


def _languages(codes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the languages that `--ear-language` names; UsageError when one is unknown."""
    from harness.text.locales import LOCALES

    known = {locale.iso639_1 for locale in LOCALES.values()}
    found = tuple(code.partition("-")[0].lower() for code in codes)
    for code in found:
        if code not in known:
            raise UsageError(
                f"--ear-language: no language {code!r}",
                hint=suggestion(code, known) or f"one of {', '.join(sorted(known))}",
            )
    return found


def _url(scheme: str, host: str, server: asyncio.Server) -> str:
    """Return where a client on this machine finds `server`."""
    port = server.sockets[0].getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}"


def _is_loopback(host: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
