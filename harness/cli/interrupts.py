"""Ctrl-C and SIGTERM at moments that must not be cut in two: while a process is started, and while the command ends."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOTH: Final = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def noted() -> Iterator[list[int]]:
    """Give the signals that came meanwhile: raised while a process starts, they would leave it running with nobody to end it."""
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number)) for number in _BOTH
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def heed_no_more() -> None:
    """Have no further signal change the exit code of a command that is ending, nor interrupt what it still says."""
    for number in _BOTH:
        signal.signal(number, signal.SIG_IGN)
