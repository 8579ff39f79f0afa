"""The emulator that a run starts for itself: a process of its own, on a free loopback port, gone when the run ends."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from harness.cli.interrupts import noted
from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_S: Final = 180
"""Longest wait for the emulator to load and measure its recogniser, s."""

STOP_S: Final = 10
"""Longest wait for it to end by itself, s."""


@contextlib.contextmanager
def companion(log: Path, *, answers: Path | None = None) -> Iterator[str]:
    """Give the URL of a fresh emulator and stop it in the end; what it has to say goes to `log`.

    `answers` is the file of what it answers; without, it repeats what it hears or reads. InputError when it does not
    start.
    """
    with started(log, *(() if answers is None else ("--answers", str(answers)))) as told:
        yield told["url"]


@contextlib.contextmanager
def started(log: Path, *options: str) -> Iterator[dict[str, Any]]:
    """Give the line of JSON that a fresh emulator says when it is ready, and stop the emulator in the end.

    It also ends when this process does, however that comes about: it watches the pipe that is its standard input.
    InputError when it does not start.
    """
    command = [sys.executable, "-P", "-m", "harness", "emulate", "--port", "0", "--exit-with-stdin"]
    command += options
    with log.open("ab") as said, noted() as came:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,  # Ctrl-C is for the run, which stops the emulator itself
        )
    try:
        if came:
            raise KeyboardInterrupt  # as it would have been a moment later
        yield _told(process, log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Have the emulator end, and kill it where it does not, or where whoever waits is interrupted once more."""
    assert process.stdin is not None  # noqa: S101 - asked for
    assert process.stdout is not None  # noqa: S101 - asked for
    try:
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


def _told(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    """Return the one line that the emulator prints when it is ready."""
    assert process.stdout is not None  # noqa: S101 - asked for above
    watchdog = threading.Timer(START_S, process.kill)
    watchdog.daemon = True  # nobody waits for it who is interrupted here
    try:
        watchdog.start()
        line = process.stdout.readline()
    finally:
        watchdog.cancel()
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-4:]
        raise InputError(
            "the emulator did not start",
            why="; ".join(line.strip() for line in last) or f"it said nothing within {START_S} s",
            hint=f"harness emulate shows more; its words are in {log}",
        ) from None
    return told
