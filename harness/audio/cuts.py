"""Where a long clip is best divided, so that no word is cut if it can be helped; and where its sound begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.units import SAMPLE_RATE

if TYPE_CHECKING:
    from harness.audio.clip import AudioClip
    from harness.units import Samples, Seconds

FRAME: Final[Samples] = SAMPLE_RATE // 20
"""Samples of a frame whose energy is looked at: 50 ms, shorter than a pause between words."""

PAUSE_FRAMES: Final = 8
"""A cut lies in the middle of the quietest run of so many frames: 400 ms, the pause at the end of a clause."""

SEARCH_SHARE: Final = 0.1
"""The quietest place is sought in the last tenth of what a part may be."""


SOUND_SHARE: Final = 0.1
"""Share of a clip's loudest frame that counts as sound."""


def first_sound(clip: AudioClip) -> Samples:
    """Return where the first 10 ms begin that are a tenth as loud as the loudest; 0 when all is silent.

    Quick and rough, for the process that streams: the onset that latency counts from is `speech.speech_bounds`.
    """
    size = SAMPLE_RATE // 100
    samples = np.frombuffer(clip.read(0, len(clip)), dtype="<i2").astype(np.float32)
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    loudness = np.sqrt((frames**2).mean(axis=1)) if len(frames) else np.zeros(1)
    return int(np.argmax(loudness >= SOUND_SHARE * loudness.max())) * size


def quiet_cuts(clip: AudioClip, longest_s: Seconds) -> tuple[Samples, ...]:
    """Return where to cut `clip` so that no part is longer than `longest_s`: sample indices, ascending; often none.

    Reads only the tenths in which a cut may lie. OSError when the clip can no longer be read.
    """
    longest = round(longest_s * SAMPLE_RATE)
    cuts: list[Samples] = []
    start = 0
    while len(clip) - start > longest:
        start = _quietest(clip, start + round(longest * (1 - SEARCH_SHARE)), start + longest)
        cuts.append(start)
    return tuple(cuts)


def _quietest(clip: AudioClip, first: Samples, end: Samples) -> Samples:
    """Return the middle of the quietest pause between the samples `first` and `end`."""
    signal = np.frombuffer(clip.read(first, end - first), "<i2")
    frames = len(signal) // FRAME
    if frames <= PAUSE_FRAMES:
        return end
    energy = np.square(signal[: frames * FRAME].reshape(frames, FRAME), dtype=np.float64).mean(
        axis=1
    )
    pauses = np.convolve(energy, np.ones(PAUSE_FRAMES), "valid")
    return first + (int(pauses.argmin()) * 2 + PAUSE_FRAMES) * FRAME // 2
