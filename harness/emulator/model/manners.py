"""How the emulated service behaves, the same for all its sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.emulator.model.answers import REPEAT, Answers
from harness.units import Milliseconds, Seconds
from harness.wire.live import catalogue
from harness.wire.live.assumptions import USUAL, Assumptions

_SILENCE_MS: Final = {"500ms": 500, "800ms": 800, "1s": 1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What an emulator's options decide."""

    assumed: Assumptions = USUAL
    """What is taken to be so of what is not known for certain."""

    audio_tokens: int | None = None
    """Tokens of a second of audio; None: as assumed."""

    connection_s: Seconds = catalogue.CONNECTION_S
    """Life of a connection."""

    go_away_lead_s: Seconds = catalogue.GO_AWAY_LEAD_S
    """How long before its end goAway is sent."""

    session_s: Seconds = catalogue.SESSION_AUDIO_S
    """Longest session without context-window compression, over its connections."""

    video_session_s: Seconds = catalogue.SESSION_VIDEO_S
    """The same once a picture was sent."""

    setup_s: Seconds = 30.0
    """Longest wait for `setup`."""

    pause_ms: Milliseconds | None = None
    """Silence that ends a turn under automatic detection, when the client does not say; None: as assumed."""

    reply_after_s: Seconds = 0.05
    """From the end of what was heard to the reply."""

    part_every_s: Seconds = 0.03
    """Between the parts of a written reply."""

    speech_pace: float = 1.25
    """Seconds of speech given out in a second: a little faster than it is played, as the service does."""

    answers: Answers = REPEAT
    """What is answered."""

    @property
    def audio_tokens_per_s(self) -> int:
        """Tokens of a second of audio."""
        return int(self.assumed.audio_tokens) if self.audio_tokens is None else self.audio_tokens

    @property
    def silence_ms(self) -> Milliseconds:
        """Silence that ends a turn under automatic detection, when the client does not say."""
        return _SILENCE_MS[self.assumed.silence] if self.pause_ms is None else self.pause_ms
