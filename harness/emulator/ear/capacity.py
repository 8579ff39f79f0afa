"""How many sessions an ear bears at once, by how long it took for what it heard last.

It begins with what the recogniser takes on a free machine and follows what it really takes. Knows seconds; does not
know who hears, nor whom a number keeps out.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.units import Seconds

MOST_SESSIONS: Final = 64
"""However fast an ear is, it hears one phrase after the other."""

STRETCH_S: Final[Seconds] = 16.0
"""Audio in a stretch: several phrases, since a short one takes Whisper twice as long a second as a long one."""

STRETCHES: Final = 3
"""The median of so many counts: one that was slow by accident changes nothing, two in a row do."""

SLACK: Final = 1.1
"""The number stays until the factor is a tenth beyond where another would be right, so that it does not flap."""


def bearable(real_time_factor: float) -> int:
    """Return how many sessions an ear hears at once in real time, at least one."""
    return max(1, min(MOST_SESSIONS, int(1 / max(real_time_factor, 1e-3))))


class Capacity:
    """One ear's."""

    def __init__(self, real_time_factor: float) -> None:
        """Begin with the seconds that the recogniser takes for a second of speech where nothing disturbs it."""
        self.real_time_factor = real_time_factor
        """Seconds it takes for a second of speech, by now."""

        self.sessions = bearable(real_time_factor)
        """How many it bears at once."""

        self.changed: Callable[[], None] = lambda: None
        """Called when `sessions` has become another number."""

        self._factors = deque([real_time_factor] * STRETCHES, maxlen=STRETCHES)
        self._audio_s: Seconds = 0.0
        self._took_s: Seconds = 0.0

    def heard(self, audio_s: Seconds, took_s: Seconds) -> None:
        """Note that it took `took_s`, waiting aside, to hear `audio_s` more of any session."""
        self._audio_s += audio_s
        self._took_s += took_s
        if self._audio_s < STRETCH_S:
            return
        self._factors.append(self._took_s / self._audio_s)
        self._audio_s = self._took_s = 0.0
        self.real_time_factor = factor = median(self._factors)
        too_many = self.sessions * factor > SLACK
        too_few = (self.sessions + 1) * factor * SLACK < 1
        if (too_many or too_few) and self.sessions != (now := bearable(factor)):
            self.sessions = now
            self.changed()
