"""A command line in this process: what a process of its own would add is a second of imports."""

from __future__ import annotations

import pytest

from harness import cli


def ended(*arguments: object) -> int:
    """Return the exit code of `harness` with these arguments."""
    with pytest.raises(SystemExit) as end:
        cli.main(list(map(str, arguments)))
    return end.value.code
