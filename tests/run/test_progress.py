"""The line that tells how far a run is."""

from __future__ import annotations

import asyncio
import io
import random
from types import SimpleNamespace

import pytest
from rich.console import Console

from harness.clock import run_virtual
from harness.run.gate import Gate
from harness.run.pool import Tally
from harness.run.progress import Outlook, details_text, live_bar
from harness.run.rate import Rate, RateLimit


def gate(**more):
    """Return what progress looks at of a gate."""
    return SimpleNamespace(**{"open": 1, "limit": 4, "absences": 0, "spaced": 0} | more)


def pool(gate=gate(), **tally):  # noqa: B008 - nobody changes it
    """Return what progress looks at of a pool."""
    told = {"wanted": 1200, "done": 300} | tally
    return SimpleNamespace(tally=Tally(**told), gate=gate)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_what_is_done_is_never_cut(width):
    """However narrow the terminal and long the details, the line shows how much is done, since when and how much longer."""
    screen = io.StringIO()
    shown = pool(quota_waits=16, failed=12, audio_s=54321.0, cost_usd=12.5)
    times = iter([0.0, 61.0])
    head = Outlook(lambda: next(times)).text(shown.tally, gate(open=4))
    assert "300/1200 done · 1 min 01 s · about 3 min 03 s left" == head
    bar = live_bar(Console(file=screen, width=width, force_terminal=True, color_system=None))
    with bar:
        details = details_text(shown, emulated=False)
        bar.add_task(head, total=1200, completed=300, details=details)
        bar.refresh()
    assert head in screen.getvalue()


def test_the_rest_only_gets_shorter_until_a_session_ends():
    """Between two ends of sessions the time left counts down; where it would be over, none is told."""
    times = iter([0.0, 0.0, 10.0, 15.0, 29.5, 40.0, 41.0])
    outlook = Outlook(lambda: next(times))
    done = [0, 1, 1, 1, 1, 2]
    told = [outlook.text(Tally(wanted=3, done=number), gate()) for number in done]
    assert "0/3 done · 0.0 s" == told[0]
    left = [line.split(" · ")[2:] for line in told]
    assert [[], ["about 20 s left"], ["about 15 s left"], [], [], ["about 20 s left"]] == left


def test_before_a_first_wave_has_ended_nobody_knows_the_rest():
    """With two hundred sessions at once, the end of the first says nothing of the speed of all."""
    times = iter([0.0, 60.0, 61.0])
    outlook = Outlook(lambda: next(times))
    assert "left" not in outlook.text(Tally(wanted=1000, done=1), gate(open=199))
    assert "about 3 min 47 s left" in outlook.text(Tally(wanted=1000, done=212), gate(open=200))


def test_only_a_service_has_a_quota():
    """A full emulator is told by how many sessions its recogniser hears, a service by how often it refused."""
    assert "4 heard at once" in details_text(pool(quota_waits=16), emulated=True)
    assert "quota" not in details_text(pool(quota_waits=16), emulated=True)
    assert "16 waits for quota" in details_text(pool(quota_waits=16), emulated=False)


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"absences": 1}, "nothing answers"),
        ({"spaced": 7}, "waits for --rate"),
        ({"absences": 1, "spaced": 7}, "nothing answers"),
    ],
)
def test_what_holds_the_run_has_no_end_in_sight(held, words):
    """While nothing answers, or sessions wait for the rate, no time left is told, but what is waited for."""
    times = iter([0.0, 60.0, 61.0])
    outlook = Outlook(lambda: next(times))
    tally = Tally(wanted=1000, done=250)
    assert "250/1000 done · 1 min 00 s" == outlook.text(tally, gate(**held))
    assert "left" in outlook.text(tally, gate())
    assert details_text(pool(gate(**held)), emulated=False).startswith(words)
    assert words not in details_text(pool(), emulated=False)


def test_who_waits_for_the_rate_is_counted():
    """A gate counts those whose turn the rate has not let come, until it has or all is stopped."""

    async def told():
        rate = Rate(RateLimit(sessions=60))
        held = Gate(8, random.Random(0), rate=rate)  # noqa: S311 - jitter, not a secret
        waiting = [asyncio.create_task(held.approach()) for _ in range(3)]
        counts = []
        for _ in range(2):
            await asyncio.sleep(0.6)
            counts.append(held.spaced)
        held.stop()
        assert [True, True, False] == await asyncio.gather(*waiting)
        return [*counts, held.spaced]

    assert [2, 1, 0] == run_virtual(told())
