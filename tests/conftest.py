"""What all tests share: a test that lacks what it needs skips on a developer's machine and fails in CI."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from itertools import chain
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.capabilities import claimed, watched

COMPLETE = bool(os.environ.get("HARNESS_TESTS_COMPLETE"))

settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci")

os.environ["HARNESS_CACHE"] = "off"  # tests leave nothing in the user's folders

NEEDS = {"ear": "faster_whisper", "witness": "google.genai"}
"""What a marker needs to be installed."""

skipped: list[str] = []


def pytest_configure():
    """Let Ctrl-C be heard by tests and by the processes that they start: a shell's background jobs ignore it, and so would these."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def lacking(what: str) -> NoReturn:
    """Skip the test for want of `what`."""
    pytest.skip(f"needs {what}")


def pytest_collection_modifyitems(items):
    """Deal files of whole commands, which wait longest, to all workers first: none is to be left alone with them at the end."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    whole: dict[Path, list[pytest.Item]] = {}
    rest = []
    for item in items:
        if "integration" in item.path.parts:
            whole.setdefault(item.path, []).append(item)
        else:
            rest.append(item)
    dealt: list[pytest.Item] = []
    for worker in range(workers):
        dealt += chain.from_iterable(list(whole.values())[worker::workers])
        dealt += rest[len(rest) * worker // workers : len(rest) * (worker + 1) // workers]
    items[:] = dealt


def pytest_runtest_setup(item):
    """Hold tests back whose marker names software that is not installed."""
    for marker, module in NEEDS.items():
        if item.get_closest_marker(marker) and not _installed(module):
            lacking(module)


def pytest_runtest_logreport(report):
    """Remember what was skipped."""
    if report.skipped and not hasattr(report, "wasxfail"):
        skipped.append(f"{report.nodeid}: {report.longrepr[2] if report.longrepr else ''}")


def pytest_sessionfinish(session):
    """In CI a skipped test is a failure: everything that tests want is installed there."""
    if COMPLETE and skipped and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Say why a run without failures failed all the same."""
    if COMPLETE and skipped:
        terminalreporter.section("skipped, though nothing may be missing here")
        for line in skipped:
            terminalreporter.line(line)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@pytest.fixture
def chromium() -> str:
    """Give the path of a Chromium to look at pages with."""
    found = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if found is None:
        lacking("chromium")
    return found


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """Keep this machine's own keys and settings out of every test."""
    for name in list(os.environ):
        if name.startswith(("GEMINI_", "GOOGLE_", "HARNESS_", "CLOUDSDK_")) and name not in {
            "HARNESS_TESTS_COMPLETE",
            "HARNESS_CACHE",
        }:
            monkeypatch.delenv(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail a test that claims a capability for a run's client and has driven none."""
    if not any("client" in claimed(mark) for mark in item.iter_markers("capability")):
        return (yield)
    with watched() as driven:
        result = yield
    if not driven:
        pytest.fail(f"{item.name} claims a capability for the client, and drove no run's client")
    return result
