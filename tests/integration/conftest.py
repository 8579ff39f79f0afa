"""Processes that the command's own tests talk to."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

import pytest


@contextlib.contextmanager
def emulating(*options: str):
    """Give the URL of an emulator in its own process, with an ear that reads from a script."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("HARNESS_", "GEMINI_", "GOOGLE_"))
    }
    command = [sys.executable, "-m", "harness", "emulate", "--port", "0", "--ear", "scripted"]
    process = subprocess.Popen(
        [*command, "--exit-with-stdin", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    line = process.stdout.readline()
    assert line, process.stderr.read().decode()
    yield json.loads(line)["url"]
    process.communicate(timeout=100)
    assert 0 == process.returncode


@pytest.fixture(scope="session")
def emulator_url():
    """Give the URL of an emulator that repeats what its script says."""
    with emulating() as url:
        yield url


@pytest.fixture
def harness(tmp_path):
    """Give a function that runs the command in an empty folder and returns what came of it."""

    def call(*arguments: str, **options) -> subprocess.CompletedProcess:
        environment = os.environ | options.pop("env", {})
        return subprocess.run(
            [sys.executable, "-m", "harness", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=options.pop("cwd", tmp_path),
            env=environment,
            timeout=110,
            **options,
        )

    return call
