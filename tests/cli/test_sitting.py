"""What a sitting says of its end."""

from __future__ import annotations

from harness.cli.sitting import _incomplete, _say_end
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


def test_a_service_that_went_away_is_told_with_what_to_do(capsys):
    """The end of such a run says why nothing was reached, how many that failed, and which command tries them again."""
    _say_end(Tally(wanted=9, done=9, failed=4, absent="no route to host"))
    said = capsys.readouterr().err
    assert "could not be reached any more: no route to host" in said
    assert "try again" in said
    assert "4 failed" in said
