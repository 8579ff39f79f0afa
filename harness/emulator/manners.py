"""How the emulated service behaves, the same for all its sessions."""

from __future__ import annotations

from dataclasses import dataclass

from harness.emulator.answers import REPEAT, Answers
from harness.emulator.turns import DEFAULT_SILENCE_MS
from harness.units import Milliseconds, Seconds
from harness.wire.live import catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What an emulator's options decide."""

    audio_tokens_per_s: int = catalogue.AUDIO_TOKENS_PER_S[0]
    """25: what Vertex AI bills; 32: what the Developer API's pages say."""

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

    silence_ms: Milliseconds = DEFAULT_SILENCE_MS
    """Silence that ends a turn under automatic detection, when the client does not say."""

    reply_after_s: Seconds = 0.05
    """From the end of what was heard to the reply."""

    part_every_s: Seconds = 0.03
    """Between the parts of a written reply."""

    speech_pace: float = 1.25
    """Seconds of speech given out in a second: a little faster than it is played, as the service does."""

    answers: Answers = REPEAT
    """What is answered."""
