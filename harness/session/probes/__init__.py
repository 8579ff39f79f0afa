"""Every capability of the Live API, a walk each: what is asked, and what must come back.

A capability that the model or the platform lacks is told by the rules, before anything is sent; what cannot be had on
demand is named with what would show it. A probe costs a sentence or two, or the seconds of one short recording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.session.probes import (
    bills,
    connections,
    later,
    listening,
    lives,
    minds,
    pictures,
    setups,
    speaking,
    texts,
    tools,
)

if TYPE_CHECKING:
    from harness.session.probes.probe import Probe

PROBES: Final[tuple[Probe, ...]] = (
    *connections.PROBES,
    *setups.PROBES,
    *texts.PROBES,
    *listening.PROBES,
    *speaking.PROBES,
    *pictures.PROBES,
    *minds.PROBES,
    *tools.PROBES,
    *bills.PROBES,
    *lives.PROBES,
    *later.PROBES,
)
"""In the order of docs/protocol.md."""
