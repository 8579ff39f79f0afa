"""Resuming a session on another connection: whose a handle is, how long it is good, and new ones.

Knows sessions as they were saved, and the loop's time; does not know what is said in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.emulator.context import Saved
from harness.wire.live import catalogue, refusals
from harness.wire.live.refusals import Refused

if TYPE_CHECKING:
    from harness.emulator.context import Context, Handles, Hearing, Life
    from harness.units import Seconds
    from harness.wire.live.assumptions import Assumptions
    from harness.wire.live.catalogue import Platform
    from harness.wire.live.messages import Setup


class Resumption:
    """One connection's part in it."""

    def __init__(self, handles: Handles, platform: Platform, assumed: Assumptions) -> None:
        self._handles = handles
        self._assumed = assumed
        self._valid_s = catalogue.HANDLE_VALID_S[platform]
        if platform == "vertex" and assumed.vertex_handle_life == "10min":
            self._valid_s = 10 * 60

    def session(self, setup: Setup, model: str, now: Seconds) -> Saved | None:
        """Return the session that the setup's handle names, None without a handle; Refused when there is none such."""
        handle = setup.session_resumption.handle if setup.session_resumption else None
        if not handle:
            return None
        saved = self._handles.find(handle)
        if saved is None or not self._good(handle, saved.life, now):
            invalid = self._assumed.unknown_handle == "invalid"
            raise Refused(refusals.STALE_HANDLE if invalid else refusals.SESSION_NOT_FOUND)
        if saved.model != model:
            raise Refused(refusals.PRECONDITION)
        saved.life.ended_at_s = None
        return saved

    def _good(self, handle: str, life: Life, now: Seconds) -> bool:
        if self._assumed.older_handles == "refused" and handle != life.newest_handle:
            return False
        return life.ended_at_s is None or now <= life.ended_at_s + self._valid_s

    def handle(
        self, model: str, context: Context, hearing: Hearing, age_s: Seconds, life: Life
    ) -> str:
        """Return a new handle for a session as it is now."""
        saved = Saved(model=model, context=context, hearing=hearing, age_s=age_s, life=life)
        life.newest_handle = self._handles.issue(saved)
        return life.newest_handle
