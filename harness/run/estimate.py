"""What a plan will take before anything is sent: time, tokens, cost, and how far a budget goes; by arithmetic alone.

Does not know what a service does: `simulate` tries that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import InputError
from harness.run import errands
from harness.run.demand import Demand, estimate_usd
from harness.run.folder import slots
from harness.run.plan import file_length_s, longest_first, planned_length_s
from harness.run.rate import MINUTE_S
from harness.session.waits import QUIET_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.run.rate import RateLimit
    from harness.run.record import Plan, PlannedUtterance
    from harness.units import Seconds, Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a plan will take, before anything is sent."""

    sessions: int
    audio_s: Seconds
    """Audio to stream, of utterances whose length is known."""

    unknown_lengths: int
    """Sessions whose utterance's length is not known yet."""

    wall_s: Seconds | None
    """At real-time pace, and no faster than the rate allows; None when not paced."""

    rate_s: Seconds | None
    """From the first session's beginning to the last's, at least, by the rate; None: there is none."""

    prompt_tokens: int
    response_tokens: int
    cost_usd: Usd | None
    """None: a model's price is not known."""

    affordable: int | None
    """How many sessions the budget covers, the longest first, as they begin; None: there is none."""


PER_SESSION_S: Final[Seconds] = 2.5
"""What a session takes beside its audio, s: connection, set-up, and the wait for the last text."""


def estimate(
    plan: Plan,
    concurrency: int,
    *,
    rate: RateLimit | None = None,
    budget_usd: Usd | None = None,
) -> Estimate:
    """Return what `plan` will take with `concurrency` sessions at once; time, tokens and cost are of all of it."""
    lengths = [planned_length_s(u) if errands.speaks(plan, u) else 0.0 for u in plan.utterances]
    audio_s = sum(length for length in lengths if length is not None)
    rounds = plan.repeats * len(plan.models)
    sessions = len(lengths) * rounds
    demands = [
        errands.demand(plan, utterance, length or 0.0)
        for utterance, length in zip(plan.utterances, lengths, strict=True)
    ]
    costs = [_sum([estimate_usd(model, one) for one in demands]) for model in plan.models]
    rate_s = None if rate is None else _rate_s(rate, [one.tokens for one in demands], rounds)
    wall = None
    if plan.pace:
        longest = max((length for length in lengths if length is not None), default=0.0)
        each_s = PER_SESSION_S - QUIET_S + plan.quiet_s
        busy = rounds * (audio_s / plan.pace + len(lengths) * each_s)
        wall = max(busy / concurrency, longest / plan.pace + each_s)
        if rate_s is not None:
            wall = max(wall, rate_s + each_s)
    once = _sum(costs)
    return Estimate(
        sessions=sessions,
        audio_s=audio_s * rounds,
        unknown_lengths=sum(length is None for length in lengths) * rounds,
        wall_s=wall,
        rate_s=rate_s,
        prompt_tokens=sum(sum(one.prompt.values()) for one in demands) * rounds,
        response_tokens=sum(sum(one.response.values()) for one in demands) * rounds,
        cost_usd=None if once is None else plan.repeats * once,
        affordable=None if budget_usd is None else _affordable(plan, demands, budget_usd),
    )


def _rate_s(rate: RateLimit, tokens: Sequence[int], rounds: int) -> Seconds:
    """Return how long the last of all sessions waits at least until it begins: each makes room for the next."""
    by_session = (len(tokens) * rounds - 1) / rate.sessions if rate.sessions else 0.0
    by_token = (sum(tokens) * rounds - max(tokens)) / rate.tokens if rate.tokens else 0.0
    return MINUTE_S * max(by_session, by_token)


def _affordable(plan: Plan, demands: Sequence[Demand], budget_usd: Usd) -> int:
    """Return how many sessions `budget_usd` covers by their estimates, in the order in which a run begins them."""
    takes = {(u.dataset, u.id): one for u, one in zip(plan.utterances, demands, strict=True)}
    spent: Usd = 0.0
    order = longest_first(plan, slots(plan))
    for number, slot in enumerate(order):
        spent += estimate_usd(slot[2], takes[slot[:2]]) or 0.0
        if spent > budget_usd:
            return number
    return len(order)


def unsendable(plan: Plan) -> Iterator[str]:
    """Yield in words why an utterance cannot be sent, for each such one, as far as the headers of files tell."""
    for utterance in plan.utterances:
        if lack := errands.lacks(plan, utterance):
            yield f"{utterance.id}: {lack}"
        elif errands.speaks(plan, utterance) and (fault := _audio_fault(utterance)):
            yield fault


def _audio_fault(utterance: PlannedUtterance) -> str | None:
    """Return why an utterance's audio cannot be read; None: its header can, or its length is known without it."""
    path = Path(utterance.audio or "")
    try:
        if utterance.sha256 is None:
            return f"{path}: {'cannot be read' if path.exists() else 'there is no such file'}"
        if utterance.duration_s is None:
            file_length_s(path, path.stat().st_mtime_ns)
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    except InputError as error:
        return error.what
    return None


def unpriced(plan: Plan) -> list[str]:
    """Return the models of `plan` whose sessions have no known price: a budget could not bind them."""
    whole = Demand()
    # A second of audio stands for any length: what has a price has one for all of its tokens.
    for one in plan.utterances:
        whole += errands.demand(plan, one, 1.0 if errands.speaks(plan, one) else 0.0)
    return [model for model in plan.models if estimate_usd(model, whole) is None]


def _sum(costs: Sequence[Usd | None]) -> Usd | None:
    """Return the sum; None when one is not known."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
