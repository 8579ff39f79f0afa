"""How long a session waits for what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from harness.units import Seconds


QUIET_S: Final = 2.0
"""Time for which a session listens for more text after a turn is said to be over, unless told otherwise, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """The longest each wait may last.

    A transcript may come after `turnComplete`, or without one (pipecat-ai/pipecat#1788), so the end of a turn shortens
    the wait for more but never ends it.
    """

    upgrade_s: Seconds = 15.0
    """From the start of the connection to the open WebSocket."""

    setup_s: Seconds = 10.0
    """From `setup` to `setupComplete`."""

    stall_s: Seconds = 20.0
    """While the peer reads nothing of what we send."""

    quiet_s: Seconds = QUIET_S
    """Without a message, when the turn is complete and there is text."""

    late_text_s: Seconds = 3.0
    """Without a message, when the turn is complete and there is no text yet."""

    more_text_s: Seconds = 5.0
    """Without a message, when there is text and its turn ended before the clip did."""

    turn_end_s: Seconds = 15.0
    """Without a message, when there is text and its turn has not ended."""

    first_text_s: Seconds = 15.0
    """Without a message, when there is neither."""

    silence_s: Seconds = 6.0
    """Without a message, when there is neither and silence is the right answer."""

    drain_s: Seconds = 60.0
    """From the end of the audio, whatever comes."""

    close_s: Seconds = 2.0
    """From our close to the peer's."""

    @classmethod
    def listening(cls, quiet_s: Seconds) -> Self:
        """Return the usual waits with `quiet_s` after a complete turn; the longer waits are at least as long as that."""
        usual = cls()
        return replace(
            usual,
            quiet_s=quiet_s,
            late_text_s=max(usual.late_text_s, quiet_s),
            more_text_s=max(usual.more_text_s, quiet_s),
            turn_end_s=max(usual.turn_end_s, quiet_s),
            first_text_s=max(usual.first_text_s, quiet_s),
        )
