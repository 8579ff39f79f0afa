"""The command `harness`: one module a sub-command, loaded when it is asked for."""

from __future__ import annotations

import importlib
import os
import re
import sys
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from harness.cli.interrupts import heed_no_more
from harness.errors import NEAR, HarnessError
from harness.text.visible import visible
from harness.version import __version__

COMMANDS = {
    "run": "Stream datasets through Live sessions, score and report.",
    "score": "Score a run again, or any table of transcript pairs.",
    "report": "Write a run's reports again.",
    "compare": "Compare runs utterance by utterance; gate a build.",
    "datasets": "List, show, check and import datasets.",
    "languages": "List the locales that can be tested, and how each is measured.",
    "models": "List the models: what they can do, what they cost, whether they still exist.",
    "emulate": "Serve the Live API on this machine, with a real recogniser.",
    "token": "Mint an ephemeral token for a client that must not hold a key.",
    "doctor": "Check this machine, the credentials and every capability, a live session each.",
}
"""Sub-commands and their one-line help, so that `harness --help` loads none of them."""


class _Commands(click.Group):
    """A group that loads a sub-command's module only to run it or to print its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"harness.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = get_close_matches(name, COMMANDS, n=2, cutoff=NEAR)
            hint = (
                f" Did you mean {' or '.join(near)}?"
                if near
                else f" There are: {', '.join(COMMANDS)}."
            )
            ctx.fail(f"no such command: {name!r}.{hint}")
        found = super().resolve_command(ctx, args)
        if found[1] is not None:
            _warn_of_variables(name, found[1])
        return found


def _warn_of_variables(name: str, command: click.Command) -> None:
    """Warn of variables that are nearly those of the command's options; others may be somebody else's."""
    start = f"HARNESS_{name.upper()}_"
    known = [f"{start}{option.name.upper()}" for option in command.params if option.name]
    for variable in os.environ:
        if (
            variable.startswith(start)
            and variable not in known
            and not hasattr(command, "commands")
        ):
            for near in get_close_matches(variable, known, n=1, cutoff=0.9):
                click.echo(f"warning: {variable} sets nothing; did you mean {near}?", err=True)


def _load_config(ctx: click.Context, _param: click.Parameter, path: Path | None) -> None:
    """Fill Click's defaults from a TOML file whose tables are named after the commands."""
    if path is None:
        return
    import tomllib  # a help page needs none of it

    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path}: not TOML: {error}") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise click.BadParameter(
                f"{path}: {name} stands outside of any table: keys belong to a command, as in [run]"
            )
        _check_keys(f"{path}: [{name}]", [name], COMMANDS)
        if (command := root.get_command(ctx, name)) is not None:
            tables[name] = _defaults(f"{path}: [{name}", command, table)
    ctx.default_map = tables


def _defaults(where: str, command: click.Command, table: dict[str, Any]) -> dict[str, Any]:
    """Return what a command's table, or a group's of its commands' tables, gives as Click's defaults."""
    if isinstance(command, click.Group):
        _check_keys(f"{where}]", list(table), command.commands)
        for name, inner in table.items():
            if not isinstance(inner, dict):
                raise click.BadParameter(
                    f"{where}]: {name} is a command: its keys stand in a table of its own"
                )
        return {
            name: _defaults(f"{where}.{name}", command.commands[name], inner)
            for name, inner in table.items()
        }
    known = {p.name: p for p in command.params if p.name and not p.is_eager}
    values = {key.replace("-", "_"): value for key, value in table.items()}
    _check_keys(f"{where}]", list(values), known)
    return {key: _from_toml(value, known[key]) for key, value in values.items()}


def _check_keys(where: str, keys: list[str], known: Any) -> None:
    for key in keys:
        if key not in known:
            near = get_close_matches(key, known, n=2, cutoff=NEAR)
            names = [name.replace("_", "-") for name in (near or sorted(known))]
            hint = (
                f"did you mean {' or '.join(names)}?" if near else f"known are: {', '.join(names)}"
            )
            raise click.BadParameter(f"{where}: unknown key {key.replace('_', '-')!r}; {hint}")


def _from_toml(value: Any, param: click.Parameter) -> Any:
    """Return a TOML value as `param` reads it: text, and a list of it where there can be more than one."""
    several = param.multiple or param.nargs != 1
    if isinstance(value, list) and several:
        return [str(item) for item in value]
    read = value if isinstance(value, bool) else str(value)
    return [read] if several else read


@click.group(
    cls=_Commands,
    context_settings={
        "auto_envvar_prefix": "HARNESS",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
)
@click.version_option(__version__, prog_name="harness")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_load_config,
    is_eager=True,
    expose_value=False,
    help="TOML file with a table per command, e.g. [run]. Flags and HARNESS_<COMMAND>_<OPTION> beat it.",
)
def root() -> None:
    """Batch transcription and evaluation of real-time speech models over the Live API.

    Try `harness run` first: it streams the bundled recordings through an emulator on this machine, no key needed.
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with the code that says how it went (`harness.errors`)."""
    try:
        code = root.main(args=args, prog_name="harness", standalone_mode=False)
    except click.ClickException as error:
        click.echo(_shown(error), err=True, nl=False)
        if (origin := _origin(error)) is not None:
            click.echo(origin, err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        heed_no_more()
        click.echo("interrupted", err=True)
        sys.exit(130)
    except HarnessError as error:
        click.echo("\n".join(visible(line) for line in f"error: {error}".splitlines()), err=True)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        # Click leaves with 1 when the reader of our output has gone, as `| head` does; our 1 is a bug.
        sys.exit(141 if ended.code == 1 else ended.code)
    except Exception as error:  # noqa: BLE001 - the last door: a bug of ours, said in one line
        log = _log_bug(error)
        click.echo(
            f"bug: {type(error).__name__} in live-harness itself\n  the trace is in {log}\n  please report it",
            err=True,
        )
        if _named(sys.argv[1:] if args is None else args) == "run":
            click.echo(
                "  what the run has finished is kept, and the same command continues it", err=True
            )
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _shown(error: click.ClickException) -> str:
    """Return what Click shows of `error`, which begins as our own errors do."""
    told = StringIO()
    error.show(told)
    return re.sub(r"^Error: ", "error: ", told.getvalue(), count=1, flags=re.MULTILINE)


def _named(arguments: list[str]) -> str | None:
    """Return the command that `arguments` call; None: none is among them."""
    return next((argument for argument in arguments if argument in COMMANDS), None)


def _origin(error: click.ClickException) -> str | None:
    """Return which key of the file, or which variable, a bad value came from; None: it was typed."""
    if isinstance(error, click.NoSuchOption) and error.option_name == "--config":
        return "It stands before the command: harness --config FILE COMMAND"
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        other = {"--locale": "--language", "--language": "--locale"}.get(error.option_name)
        if any(other in param.opts for param in error.ctx.command.params):
            return f"{error.ctx.command_path} takes {other}"
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None:
        return None
    name = error.param.name or ""
    source = error.ctx.get_parameter_source(name)
    if source is ParameterSource.DEFAULT_MAP:
        return f"It is the key {name.replace('_', '-')} of [{error.ctx.info_name}] in the file of --config."
    if source is ParameterSource.ENVIRONMENT:
        return (
            f"It is the value of {error.ctx.auto_envvar_prefix}_{name.upper()} in the environment."
        )
    return None


def _log_bug(error: BaseException) -> Path:
    """Write the trace of `error` to a new file and return where: without frames' values and without the environment's secrets."""
    import tempfile
    import traceback

    from harness.secret import Secret, redact

    named = re.compile("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL")
    secrets = [Secret(value) for name, value in os.environ.items() if named.search(name.upper())]
    handle, name = tempfile.mkstemp(prefix="harness-bug-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(redact("".join(traceback.format_exception(error)), secrets))
    return Path(name)
