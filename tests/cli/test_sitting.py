"""What a sitting says of its end."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from harness.cli.companion import started
from harness.cli.sitting import _incomplete, _report, _say_end
from harness.cli.tasks import emulator_is
from harness.clock import run_virtual
from harness.run.pool import Tally
from tests.run.runs import plan, run, utterance
from tests.run.test_pool import vanishing
from tests.session.memory import Service, polite


def test_what_was_not_reached_is_incomplete_until_it_is(tmp_path):
    """A run whose service went away is incomplete (exit code 5), and whole once another sitting has reached it."""
    made = plan([utterance(n) for n in range(12)])
    service, _ = vanishing(3.0)
    run_virtual(run(made, tmp_path, service, concurrency=2))
    assert _incomplete(made, tmp_path)
    run_virtual(run(made, tmp_path, Service(polite(" hello")), concurrency=2))
    assert not _incomplete(made, tmp_path)


@pytest.mark.parametrize(
    "task, answers, words, never",
    [
        ("transcribe", None, ["a recogniser"], ["synthesiser", "answers"]),
        ("speak", None, ["a synthesiser"], ["recogniser", "answers"]),
        ("ask", Path("answers.jsonl"), ["prepared answers"], ["repeats"]),
        ("ask", None, ["it repeats each question"], ["prepared"]),
    ],
)
def test_a_run_says_what_stands_in_for_the_service(task, answers, words, never):
    """What is said of the emulator names what does the task, says that it is not Google's, and whether it repeats."""
    said = emulator_is(task, answers)
    assert all(word in said for word in [*words, "not Google's service"])
    assert not any(word in said for word in never)


def test_a_service_that_went_away_is_told_with_what_to_do(capsys):
    """The end of such a run says why nothing was reached, how many that failed, and which command tries them again."""
    _say_end(
        Tally(wanted=9, done=9, failed=4, absent="no route to host"), plan([utterance(0)]), None
    )
    said = capsys.readouterr().err
    assert "could not be reached any more: no route to host" in said
    assert "try again" in said
    assert "4 failed" in said


@pytest.fixture
def interrupted(monkeypatch):
    """Give the processes that are started, each of them at the instant of a Ctrl-C."""
    processes = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *args, **more):
            super().__init__(*args, **more)
            processes.append(self)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    yield processes
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


def test_an_interrupt_while_the_report_is_started_ends_it(tmp_path, interrupted):
    """Ctrl-C at the instant in which the reporting process is started ends that process too."""
    with pytest.raises(KeyboardInterrupt):
        _report(tmp_path, None, None, as_json=False)
    assert interrupted[0].returncode is not None


def test_an_interrupt_while_the_emulator_is_started_ends_it(tmp_path, interrupted):
    """Nor is it lost at the instant in which the run's own emulator is started: nothing begins, and nothing is left."""
    with pytest.raises(KeyboardInterrupt), started(tmp_path / "log", "--ear", "scripted"):
        pytest.fail("it went on")
    assert interrupted[0].returncode is not None
