"""What a pool asks of whoever does its work, and what comes back of an attempt.

Knows neither how a session runs (`stream`, `farm`, `simulate`) nor when one may begin (`pool`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from harness.session.retry import ATTEMPTS

if TYPE_CHECKING:
    from harness.errors import InputError
    from harness.run.demand import Demand
    from harness.run.folder import Slot
    from harness.run.record import UtteranceRecord
    from harness.session.retry import Ending
    from harness.session.way import Way
    from harness.units import Usd

Configuration = tuple[str, str]
"""A model, and what tells its setups apart where they differ by utterance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """What one attempt left behind."""

    record: UtteranceRecord
    ending: Ending
    cost_usd: Usd
    """What it counts for against the budget."""

    answered: bool = True
    """False: nobody knows whether the service answered, since the process that asked it died."""


class Work(Protocol):
    """How the pool's owner does things; every method may be called for many slots at once."""

    async def prepare(self, slot: Slot) -> Any:
        """Return what an attempt needs (the clip); InputError when the utterance cannot be read."""

    def demand(self, slot: Slot, prepared: Any) -> Demand:
        """Return what an attempt will take, as far as that can be known."""

    def begin(self, slot: Slot, number: int, takes: Demand | None) -> None:
        """Write down that attempt `number` is about to ask for a session, or for more of one, and what that takes.

        None: it did not ask after all.
        """

    def configuration(self, slot: Slot) -> Configuration:
        """Return the model and setup of a slot: the service takes or refuses all slots alike that share them."""

    async def attempt(self, slot: Slot, prepared: Any, number: int, way: Way) -> Attempted | None:
        """Return what came of attempt `number` (from 1); its trace is written, its record is not.

        It connects, and then waits at `way` before it asks for a session. None: it never asked.
        """

    def unreadable(self, slot: Slot, error: InputError) -> UtteranceRecord:
        """Return the record of an utterance that cannot be streamed."""

    def untried(self, slot: Slot, ending: Ending) -> UtteranceRecord:
        """Return the record of an utterance whose model or configuration the service has refused already."""

    def keep(self, record: UtteranceRecord) -> None:
        """Write `record` down."""


def failed_once(record: UtteranceRecord) -> bool:
    """Return whether `record` is an attempt that counts against its utterance: refusals and absent services do not."""
    met = record.outcome != "failed_client" and not record.away
    return not record.final and record.failure in ATTEMPTS and met


def reached_nobody(record: UtteranceRecord) -> bool:
    """Return whether an attempt ended, as its trace tells it, without that anybody had answered."""
    return record.outcome == "failed_client" and record.failure == "transient"
