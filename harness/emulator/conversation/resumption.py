"""Resuming a session on another connection: whose a handle is, how long it is good, and what a new one stands for.

A handle stands for what was heard between two phrases. What came behind that the client sends again where it is told which
message was consumed last (transparent resumption); elsewhere it is kept, and heard when the session goes on.

Knows sessions as they were saved, the audio that has come and how far it was heard; does not know what is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.emulator.conversation.handles import Hearing
from harness.emulator.conversation.ledger import Ledger
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Samples
from harness.wire.live import catalogue, refusals
from harness.wire.live.messages import SessionResumptionUpdate
from harness.wire.live.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.emulator.conversation.handles import Handles, Life, Saved
    from harness.emulator.model.respondent import Turn
    from harness.units import Seconds
    from harness.wire.live.assumptions import Assumptions
    from harness.wire.live.catalogue import Platform
    from harness.wire.live.messages import SessionResumptionConfig, Setup


class Resumption:
    """One connection's part in it. It begins while the setup is being taken; then `go_on`."""

    def __init__(self, handles: Handles, platform: Platform, assumed: Assumptions) -> None:
        self._handles = handles
        self._assumed = assumed
        self._valid_s = catalogue.HANDLE_VALID_S[platform]
        if platform == "vertex" and assumed.vertex_handle_life == "10min":
            self._valid_s = 10 * 60
        self._asked = False
        self._transparent = False
        self._ledger = Ledger()
        self._skip: Samples = 0
        """Of the audio to come, what an earlier connection was heard of it."""

        self._resumable = False
        self._owed = False
        """True: a handle is due, and waits for the end of a phrase."""

    # ── the session that goes on ─────────────────────────────────────────────────────────────────────────────────────

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

    def go_on(self, config: SessionResumptionConfig | None, hearing: Hearing) -> None:
        """Hear on from where an earlier connection was heard to; of a session that begins, from its beginning."""
        self._asked = config is not None
        self._transparent = config is not None and config.transparent
        self._skip = hearing.ahead if self._transparent else 0
        self._ledger = Ledger(indexed=self._transparent, keeps=self._asked, ahead=self._skip)

    # ── how far this connection was heard ────────────────────────────────────────────────────────────────────────────

    def audio(self, pcm: bytes) -> bytes:
        """Note 16 kHz audio that has come, and return what no earlier connection was heard of it."""
        self._ledger.came(pcm)
        skipped = min(self._skip, len(pcm) // SAMPLE_BYTES)
        self._skip -= skipped
        return pcm[skipped * SAMPLE_BYTES :]

    def taken(self) -> None:
        """Note that a message has been taken whole."""
        self._ledger.taken()

    def heard(self, end: Samples) -> None:
        """Note that everything before sample `end` was heard to its end, or is silence that nobody needs."""
        self._ledger.heard(end)

    def hearing(self, turn: Turn | None, *, lasts: bool, untold: str) -> Hearing:
        """Return how far the user was heard.

        `turn` is the last that was heard of, which `lasts` or not; `untold` what the client was not told of its text.
        """
        return Hearing(
            open=lasts,
            text=turn.text if turn else "",
            typed=turn.typed if turn else False,
            pieces=turn.pieces if turn else 0,
            language=turn.language if turn else None,
            untold=untold,
            ahead=self._ledger.ahead,
            unheard=self._ledger.unheard,
        )

    @property
    def again_s(self) -> Seconds:
        """How much audio the client will send again."""
        return self._ledger.behind / SAMPLE_RATE

    # ── handles ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def due(self) -> bool:
        """True: a handle should be given out at the end of this phrase."""
        return self._resumable and (self._transparent or self._owed)

    def update(
        self, resumable: bool, *, between: bool, saved: Callable[[], Saved]
    ) -> SessionResumptionUpdate | None:
        """Return what the client is told of handles: a new one, or that none is valid; None: nothing now, or ever.

        `between`: two phrases lie on either side; in the middle of one a handle waits for its end. `saved` gives the
        session as it is.
        """
        if not self._asked:
            return None
        self._resumable = resumable
        self._owed = resumable and not between
        if self._owed:
            return None
        if not resumable:
            return SessionResumptionUpdate()
        now = saved()
        now.life.newest_handle = self._handles.issue(now)
        return SessionResumptionUpdate(
            new_handle=now.life.newest_handle,
            resumable=True,
            last_consumed_client_message_index=self._ledger.index if self._transparent else None,
        )
