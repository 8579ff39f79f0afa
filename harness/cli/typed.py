"""The command as it was typed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def typed() -> str:
    """Return the command as it was given: what continues a run."""
    return shlex.join(["harness", *sys.argv[1:]])


def retold() -> str:
    """Return the command as a report repeats it, which others read: of a whole path after --out its last part alone."""
    arguments = list(sys.argv[1:])
    for number, argument in enumerate(arguments):
        if argument.startswith("--out="):
            arguments[number] = "--out=" + _placed(argument.removeprefix("--out="))
        elif number and arguments[number - 1] == "--out":
            arguments[number] = _placed(argument)
    return shlex.join(["harness", *arguments])


def _placed(folder: str) -> str:
    return Path(folder).name if Path(folder).is_absolute() else folder
