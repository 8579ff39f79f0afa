"""What of all that comes belongs to the user's turn: everything, or what was said alone.

What does not belong to it is not billed. Knows seconds and pictures; does not know what is in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.wire.live.assumptions import Assumptions
    from harness.wire.live.catalogue import Model
    from harness.wire.live.messages import Setup


class Coverage:
    """One session's, as its setup asks for it."""

    def __init__(self, setup: Setup, model: Model, assumed: Assumptions) -> None:
        covered = _asked(setup) or model.turn_coverage or _USUAL[assumed.turn_coverage]
        self.silence = setup.manual_activity or covered == "TURN_INCLUDES_ALL_INPUT"
        """True: all audio belongs to it. Marked by the client, a turn is all activity from its start to its end."""

        self._pictures = covered != "TURN_INCLUDES_ONLY_ACTIVITY"

    def sees(self, *, within: bool) -> bool:
        """Return whether a picture belongs to it that comes `within` a turn, or between two."""
        return within or self._pictures


_USUAL = {"all-input": "TURN_INCLUDES_ALL_INPUT", "only-activity": "TURN_INCLUDES_ONLY_ACTIVITY"}


def _asked(setup: Setup) -> str | None:
    config = setup.realtime_input_config
    asked = config.turn_coverage if config else None
    return None if asked == "TURN_COVERAGE_UNSPECIFIED" else asked
