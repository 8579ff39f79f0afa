"""The command as it was typed."""

from __future__ import annotations

import shlex
import sys


def typed(*, place: bool) -> str:
    """Return the command as it was given; without `place` what it asks for, wherever the run folder lies."""
    arguments = list(sys.argv[1:])
    if not place:
        for number, argument in reversed(list(enumerate(arguments))):
            if argument == "--out" or argument.startswith("--out="):
                del arguments[number : number + (1 if "=" in argument else 2)]
    return shlex.join(["harness", *arguments])
