"""What a session of a simulated run comes to: how long it stays, what it takes, and what it is billed.

Both ways to simulate go by it. Session by session, a session is such a stay and nothing else. Frame by frame, the real
client and the emulator spend it, and what they took is billed by the same rule as `--dry-run` and `--budget` estimate:
the tokens of the audio sent, and of the text or speech that is expected back.

The simulated service speaks as long as its text is (`CHARACTERS_A_SECOND`), is silent about pictures and functions, and
answers every question in words. Knows the client's own waits (`session.waits`) and the assumptions; knows no loop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from harness.audio.chunk import chunk_samples
from harness.run import errands
from harness.run.assumptions import UNPACED
from harness.run.demand import estimate_usd
from harness.run.plan import planned_length_s
from harness.run.record import Usage
from harness.session.span import TAIL_S
from harness.session.waits import Waits
from harness.units import SAMPLE_RATE
from harness.wire.live.codec import message_from
from harness.wire.live.messages import Setup

if TYPE_CHECKING:
    from harness.run.assumptions import Assumptions
    from harness.run.demand import Demand
    from harness.run.record import Plan, PlannedUtterance
    from harness.units import Samples, Seconds

TYPICAL_S: Final[Seconds] = 5.0
"""Assumed length of an utterance whose length is unknown, s."""

_HEARD_IN: Final[Samples] = 320
"""Samples that activity detection judges at a time: a turn's silence begins with the first such piece that is wholly
silent."""

_SAME_S: Final[Seconds] = 1e-6
"""Times closer than this are the same: sums of them are not exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One session, from its setup to its close."""

    legs: tuple[Samples, ...]
    """Audio over each of its connections; one of 0: nothing is spoken."""

    spans_s: tuple[Seconds, ...]
    """How long each lasts from `setupComplete`, less the wait for the instant at which its stream starts."""

    least_s: Seconds
    """How long it lasts at least in all."""

    demand: Demand
    """What it sends and is expected to bring."""


@dataclass(slots=True, kw_only=True)
class Account:
    """What the sessions of a simulated run came to."""

    audio_s: Seconds = 0.0
    """Sent."""

    tokens: int = 0
    """Billed."""

    _busy_s: list[Seconds] = field(default_factory=lambda: [0.0, 0.0])

    def add(self, audio: Samples, usage: Usage) -> None:
        """Count an attempt."""
        self.audio_s += audio / SAMPLE_RATE
        self.tokens += usage.total_tokens or 0

    def done(self, stay: Stay) -> None:
        """Count a session that ended well."""
        busy, longest = self._busy_s
        self._busy_s = [busy + stay.least_s, max(longest, stay.least_s)]

    def best_s(self, concurrency: int, service: Assumptions) -> Seconds:
        """Return the shortest time in which the sessions that ended well fit, `concurrency` at once; 0: none did."""
        busy, longest = self._busy_s
        return max(busy / concurrency, longest) + service.opening_s if longest else 0.0


class Stays:
    """The stays of a plan's sessions."""

    def __init__(self, plan: Plan, service: Assumptions) -> None:
        quiet_s = plan.quiet_s if service.quiet_s is None else service.quiet_s
        self.plan = msgspec.structs.replace(
            plan, pace=plan.pace or UNPACED, quiet_s=quiet_s, interrupt_after_s=None
        )
        """The plan as it is simulated: always paced, and nobody interrupts an answer."""

        self.service = service
        self.chunk = chunk_samples(plan.chunk_ms)
        self._waits = Waits.listening(quiet_s)
        self._silence = round(_silence_s(plan, service) * SAMPLE_RATE)
        # Another connection begins where a message does.
        self._leg = math.ceil(round(service.connection_s * SAMPLE_RATE) / self.chunk) * self.chunk

    def of(self, utterance: PlannedUtterance) -> Stay:
        """Return the stay of a session with `utterance`."""
        plan, service = self.plan, self.service
        spoken = errands.speaks(plan, utterance)
        length_s = (planned_length_s(utterance) or TYPICAL_S) if spoken else 0.0
        demand = errands.demand(plan, utterance, length_s)
        legs = self._legs(round(length_s * SAMPLE_RATE))
        reply_s = demand.speech_s if plan.transcript == "output" else 0.0
        spans = tuple(
            leg / SAMPLE_RATE / plan.pace
            + self._after_s(leg, reply_s * (leg / sum(legs) if spoken else 1.0))
            for leg in legs
        )
        between_s = (len(legs) - 1) * (service.opening_s + service.setup_s)
        return Stay(
            legs=legs,
            spans_s=spans,
            least_s=service.setup_s + sum(spans) + between_s,
            demand=demand,
        )

    def _legs(self, samples: Samples) -> tuple[Samples, ...]:
        """Return how much of a clip goes over each connection, in about equal parts.

        A clip that cannot be divided goes over one.
        """
        if samples <= self._leg or self.plan.task != "transcribe":
            return (samples,)
        even = math.ceil(samples / math.ceil(samples / self._leg) / self.chunk) * self.chunk
        whole, rest = divmod(samples, even)
        return (even,) * whole + ((rest,) if rest else ())

    def _after_s(self, leg: Samples, reply_s: Seconds) -> Seconds:
        """Return how long the client stays behind its audio: silence sent, the answer, and the wait for more.

        A turn that the service ended while silence was still sent is not known to be over, so more is waited for
        (`harness.session.errand.usual_patience_s`).
        """
        waits, pace = self._waits, self.plan.pace
        tail_s = ended_s = 0.0
        if leg and self.plan.turns == "auto":
            tail_s = TAIL_S / pace
            silent = self._silence + -leg % _HEARD_IN
            ended_s = min(tail_s, math.ceil(silent / self.chunk) * self.chunk / SAMPLE_RATE / pace)
        over_s = ended_s + self.service.answer_s + reply_s - tail_s
        if over_s < -_SAME_S:
            return tail_s + waits.more_text_s + (reply_s if self.plan.task == "ask" else 0.0)
        return tail_s + min(over_s + waits.quiet_s, waits.drain_s)


def billed(demand: Demand) -> Usage:
    """Return the bill of a session that took `demand`."""
    prompt, response = demand.prompt, demand.response
    return Usage(
        records=1,
        prompt_tokens=sum(prompt.values()),
        response_tokens=sum(response.values()),
        total_tokens=demand.tokens,
        prompt_by_modality=prompt,
        response_by_modality=response,
    )


def priced(plan: Plan) -> bool:
    """Return whether all of a plan's models have a price."""
    demand = errands.demand(plan, plan.utterances[0], 1.0)
    return all(estimate_usd(model, demand) is not None for model in plan.models)


def _silence_s(plan: Plan, service: Assumptions) -> Seconds:
    """Return the silence that ends a turn: what the setup asks for, else what the service does of itself."""
    setup = message_from(plan.setups[plan.models[0]], Setup)
    config = setup.realtime_input_config
    asked = config.automatic_activity_detection if config else None
    if asked is None or asked.silence_duration_ms is None:
        return service.silence_s
    return asked.silence_duration_ms / 1000
