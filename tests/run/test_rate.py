"""Sessions and tokens a minute, in virtual time: never more than allowed, and no slower than that."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run_virtual
from harness.errors import UsageError
from harness.run.demand import transcription
from harness.run.folder import read_journal
from harness.run.rate import Rate, RateLimit, rate_limit
from tests.run.runs import breaking_once, plan, resumable, run, utterance
from tests.session.memory import MODEL, Service, polite


@pytest.mark.parametrize(
    "text, limit",
    [
        ("60", RateLimit(sessions=60)),
        ("60/min", RateLimit(sessions=60)),
        ("0.5/min", RateLimit(sessions=0.5)),
        ("tokens=100000", RateLimit(tokens=100_000)),
        ("sessions=60,tokens=100000/min", RateLimit(sessions=60, tokens=100_000)),
        (" tokens=5 , 60", RateLimit(sessions=60, tokens=5)),
    ],
)
def test_a_rate_is_read(text, limit):
    """Each spelling names what it says."""
    assert limit == rate_limit(text)


@pytest.mark.parametrize("text", ["", "fast", "60/s", "-1", "0", "60,70", "sessions=", "token=5"])
def test_what_is_no_rate_is_refused(text):
    """What is no rate is refused, with examples."""
    with pytest.raises(UsageError, match="not a rate"):
        rate_limit(text)


@given(
    st.floats(1, 10_000),
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 500)), min_size=1, max_size=80),
)
def test_no_minute_has_more_than_its_limit(sessions, calls):
    """In any 60 s no more sessions begin than allowed; with enough asked for, not fewer than that either."""
    rate = Rate(RateLimit(sessions=sessions, tokens=1_000))
    now, begun = 0.0, []
    for pause, tokens in calls:
        now += pause
        begun.append((now + rate.wait_s(now, tokens), tokens))
    times = [at for at, _ in begun]
    assert sorted(times) == times
    for first, at in enumerate(times):
        inside = [tokens for when, tokens in begun[first:] if when < at + 60 - 1e-6]
        assert len(inside) <= math.ceil(sessions - 1e-9)
        assert sum(inside[:-1]) <= 1_000 + 1e-6


class Timed(Service):
    """A service that notes when sessions are asked for, and how many are open."""

    def __init__(self, answer) -> None:
        self.asked: list[float] = []
        super().__init__(self._noting(answer))

    def _noting(self, answer):
        def noted(line, frame):
            if "setup" in frame:
                self.asked.append(asyncio.get_running_loop().time())
            answer(line, frame)

        return noted


def test_a_run_keeps_its_rate_exactly(tmp_path):
    """At 30 sessions a minute, sessions begin 2 s apart, however many could be open."""
    service = Timed(polite(" hello"))
    made = plan([utterance(n, 1.0) for n in range(20)])
    run_virtual(run(made, tmp_path, service, concurrency=16, rate=RateLimit(sessions=30)))
    assert 20 == len(service.asked)
    gaps = [after - before for before, after in pairwise(service.asked)]
    assert all(2.0 == pytest.approx(gap, abs=1e-6) for gap in gaps)


def test_a_bill_that_differs_is_made_up_for(tmp_path):
    """Tokens are what the service billed: 32 a session, though 29 were expected, make 3.2 s a session at 600 a minute."""
    service = Timed(polite(" hello"))
    made = plan([utterance(n, 1.0) for n in range(30)])
    run_virtual(run(made, tmp_path, service, concurrency=2, rate=RateLimit(tokens=600)))
    spent = service.asked[-1] - service.asked[0]
    assert 29 * 3.2 == pytest.approx(spent, abs=1.0)


@pytest.mark.parametrize("dear", [1, 3, 10])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_bills_beyond_the_estimates_are_made_up_for(tmp_path, dear, concurrency):
    """However dear and late bills are, the limit is passed by no more than what open sessions were billed beyond estimates."""
    begun, billed, one = [], [], transcription(1.0).tokens

    def answer(line, frame):
        if "setup" in frame:
            begun.append(line.loop.time())
            line.say({"setupComplete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            bill = {"promptTokenCount": dear * one, "totalTokenCount": dear * one}
            said = {"inputTranscription": {"text": " hello"}}
            line.say({"serverContent": said})
            line.say({"serverContent": {"turnComplete": True}, "usageMetadata": bill}, 5.0)
            billed.append(line.loop.time() + 5.0)

    made = plan([utterance(n, 1.0) for n in range(40)])
    limit = RateLimit(tokens=600)
    run_virtual(run(made, tmp_path, Service(answer), concurrency=concurrency, rate=limit))
    for number, at in enumerate(begun):
        # Its place was given when the one `concurrency` before it ended, some seconds behind its bill.
        known = max(0, number - 2 * concurrency)
        assert all(when <= at for when in billed[:known])
        assert dear * one * known <= (at - begun[0]) * 10 + 1e-6
    spent = dear * one * (len(begun) - 1)
    assert spent <= (begun[-1] - begun[0]) * 10 + 2 * concurrency * (dear - 1) * one + 1e-6


def test_a_rate_that_is_not_reached_changes_nothing(tmp_path):
    """A run that is slower than its rate by itself takes as long as without one."""
    times = []
    for number, rate in enumerate((None, RateLimit(sessions=6_000, tokens=10**9))):
        service = Timed(polite(" hello"))
        made = plan([utterance(n, 3.0) for n in range(12)])
        run_virtual(run(made, tmp_path / str(number), service, concurrency=2, rate=rate))
        times.append(service.asked[-1])
    assert times[0] == pytest.approx(times[1], rel=0.03)


def test_what_is_sent_again_counts(tmp_path):
    """A session that a break made send audio twice takes the tokens of both: the next begins so much later."""
    timed = Timed(breaking_once().answer)
    made = plan([utterance(n, 3.0) for n in range(4)])
    setups = {MODEL: resumable(MODEL)}
    run_virtual(
        run(made, tmp_path, timed, concurrency=1, setups=setups, rate=RateLimit(tokens=600))
    )
    first, again = timed.asked[::2], timed.asked[1::2]
    replayed = [record.replays[0].samples / 16_000 for record in read_journal(tmp_path)]
    assert len(first) == len(again) == len(replayed) == 4
    for (before, after), seconds in zip(pairwise(first), replayed, strict=False):
        tokens = transcription(3.0).tokens + transcription(seconds).tokens
        assert tokens / 10 == pytest.approx(after - before, abs=0.01)
