"""What is wrong with a file or its signal though it can be streamed; each fault is `name: what was found`.

Judged while the blocks pass by, in constant memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from harness.units import SAMPLE_RATE, Samples, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harness.audio.source import AudioInfo

_CLIPPING_SHARE: Final = 1e-4
_CLIPPING_SAMPLES: Final = 3
"""How many samples at full scale are called clipping; the single peak of a normalised recording is not."""

_SILENCE_DBFS: Final = -60.0
_SHORTEST_S: Final[Seconds] = 0.1
"""What is shorter holds no word."""

_DC_SHARE: Final = 0.01
"""Mean of the samples, as a share of full scale, from which it is called a DC offset (-40 dBFS)."""

_MOST_32: Final = 2**31 - 1
"""What fits into 32 bits: into so many samples are added twice as fast as into 64."""

_KINDS: Final = {
    "wav wave": "WAV WAVEX RF64 NIST wav",
    "rf64 bwf": "WAV WAVEX RF64",
    "w64": "W64 w64",
    "flac": "FLAC flac",
    "mp1 mp2 mp3 mpga": "MP3 mp3",
    "ogg oga opus spx": "OGG ogg",
    "aif aiff aifc": "AIFF aiff",
    "au snd": "AU",
    "caf": "CAF caf",
    "sph nist": "NIST",
    "voc": "VOC",
    "m4a m4b mp4 mov 3gp 3g2": "mov",
    "aac": "aac",
    "webm weba mka mkv": "matroska",
    "wma asf": "asf",
    "amr": "amr amrnb amrwb",
}
"""What containers a file's suffix promises; a suffix that is not here promises nothing."""

_SUFFIX_KINDS: Final = {
    f".{suffix}": kinds.split() for suffixes, kinds in _KINDS.items() for suffix in suffixes.split()
}


def wrong_suffix(path: Path, info: AudioInfo) -> Iterator[str]:
    """Yield the fault of a file whose name promises something else than it holds."""
    container = info.format.partition("/")[0]
    if container not in _SUFFIX_KINDS.get(path.suffix.lower(), [container]):
        yield f"wrong extension: named {path.suffix}, the content is {info.format}"


def short(here_s: Seconds, said_s: Seconds) -> str:
    """Return the fault of a file that holds less than its header says."""
    return f"short: the header says {said_s:.2f} s, and {here_s:.2f} s are there"


def damaged(at_s: Seconds, why: str) -> str:
    """Return the fault of a file that can be decoded only up to `at_s`."""
    return f"damaged: decoding stopped at {at_s:.2f} s ({why or 'the decoder gives no reason'})"


def lacks_its_end(told: str) -> bool:
    """Return whether faults in words, joined by `; `, say that less of a file was streamed than it should hold."""
    return "short: the header says " in told or "damaged: decoding stopped at " in told


class SignalFaults:
    """The faults of one signal, gathered while its blocks pass by.

    Clipping is judged on the samples as they were recorded (resampling blurs it); silence and DC on what is streamed.
    """

    def __init__(self, full_scale: float) -> None:
        self._full_scale = full_scale
        self.frames: Samples = 0
        """How many samples of each channel were recorded."""
        self._recorded: Samples = 0
        self._at_full_scale: Samples = 0
        self._streamed: Samples = 0
        self._sum = 0
        self._peak = 0.0

    def recorded(self, block: NDArray[Any]) -> float:
        """Take the file's samples, frames first: floats, or int16; return their peak, NaN or infinite if one is."""
        if not block.size:
            return 0.0
        peak = max(float(block.max()), -float(block.min()))
        full_scale = self._full_scale * 32768 if block.dtype.kind == "i" else self._full_scale
        if peak >= full_scale:
            self._at_full_scale += int((block >= full_scale).sum())
            self._at_full_scale += int((block <= -full_scale).sum())
        self._recorded += block.size
        self.frames += len(block)
        return peak

    def streamed(self, pcm: NDArray[np.int16], peak: float) -> None:
        """Take samples as they are streamed, whose largest magnitude is `peak`."""
        self._streamed += pcm.size
        fits = int(_MOST_32 // max(peak, 1.0))
        self._sum += sum(
            int(pcm[at : at + fits].sum(dtype="int32")) for at in range(0, pcm.size, fits)
        )
        self._peak = max(self._peak, peak)

    def found(self) -> Iterator[str]:
        """Yield each fault of the samples taken so far."""
        share = self._at_full_scale / self._recorded if self._recorded else 0.0
        if share >= _CLIPPING_SHARE and self._at_full_scale >= _CLIPPING_SAMPLES:
            yield f"clipping: {share:.2%} of the samples are at full scale"
        if self._streamed < _SHORTEST_S * SAMPLE_RATE:
            yield f"too short for a word: {self._streamed / SAMPLE_RATE:.4f} s"
        if self._peak == 0:
            yield "silence: every sample is zero"
        elif (peak_dbfs := 20 * math.log10(self._peak / 32768)) < _SILENCE_DBFS:
            yield f"silence: the peak is {peak_dbfs:.0f} dBFS"
        mean = self._sum / self._streamed / 32768 if self._streamed else 0.0
        if abs(mean) >= _DC_SHARE:
            yield f"DC offset: the mean is {mean:+.1%} of full scale"
