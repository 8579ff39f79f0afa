"""How long a transcript takes, from the times of a trace and the bounds of the speech.

Times are seconds from the due time of the clip's first sample. A latency is counted from when a sample was due,
not from when it was sent, so it may be negative: text can come before its audio is over.

Knows times; does not know texts, nor where speech begins (that is `harness.audio.speech`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.units import Seconds


def first_text_s(
    first_text_t: Seconds | None, onset_s: Seconds, *, pace: float = 1.0
) -> Seconds | None:
    """Return the first non-empty fragment's time minus the due time of the onset of speech, s.

    None: there was no text, or the audio was not paced (`pace` 0), so that nothing was due.
    `onset_s` is in seconds of audio from the clip's first sample.
    """
    return _since_due(first_text_t, onset_s, pace)


def final_text_s(
    final_text_t: Seconds | None, end_s: Seconds, *, pace: float = 1.0
) -> Seconds | None:
    """Return the transcript's last change minus the due time of the end of speech, s; None as for `first_text_s`.

    `end_s` is in seconds of audio from the clip's first sample.
    """
    return _since_due(final_text_t, end_s, pace)


def _since_due(t: Seconds | None, audio_s: Seconds, pace: float) -> Seconds | None:
    return None if t is None or not pace else t - audio_s / pace
