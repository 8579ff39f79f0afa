"""Seams of a trace: where another connection went on, and what text was taken back there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.trace.trace import SessionTrace, TimedEvent


def seams(trace: SessionTrace) -> list[dict[str, Any]]:
    """Return the notes of the places where another connection went on: `{"offset", "pause_s", "due_in_s"}`.

    After a break they have a `replay` as well: how many `samples` were sent again and how that is `known_by`, `why`, and
    of the messages received those whose text is `unsaid`.
    """
    return [event.frame["seam"] for event in trace.events if is_seam(event)]


def is_seam(event: TimedEvent) -> bool:
    """Return whether `event` notes that another connection went on."""
    return event.dir == "!" and "seam" in event.frame


def standing(events: Sequence[TimedEvent]) -> Sequence[TimedEvent]:
    """Return `events` without the received messages whose text a replay took back; `events` itself where there are none."""
    unsaid: set[int] = set()
    for event in events:
        if is_seam(event) and "replay" in event.frame["seam"]:
            taken = event.frame["seam"]["replay"]["unsaid"]
            unsaid.update(range(taken["after"], taken["after"] + taken["messages"]))
    if not unsaid:
        return events
    kept: list[TimedEvent] = []
    received = 0
    for event in events:
        received += event.dir == "<"
        if event.dir != "<" or received - 1 not in unsaid:
            kept.append(event)
    return kept


def commits(event: TimedEvent) -> bool:
    """Return whether `event` makes the interim text before it final: the next connection begins a turn of its own."""
    return is_seam(event) and "replay" not in event.frame["seam"]
