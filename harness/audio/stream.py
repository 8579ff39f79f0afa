"""PCM that arrives bit by bit at any rate, made 16 kHz, or another rate.

Knows rates; does not know files (that is `load`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.units import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class StreamResampler:
    """Turns a stream of s16le mono PCM into 16 kHz; what has the rate already passes through untouched.

    soxr at high quality holds some milliseconds back, which `flush` gives out.
    """

    def __init__(self, rate: int, to: int = SAMPLE_RATE) -> None:
        self.rate = rate
        """Samples a second of what comes in."""

        self.to = to
        """Samples a second of what goes out."""

        self._stream: Any = None

    def feed(self, pcm: bytes) -> bytes:
        """Return what `pcm` (whole samples) adds to the stream that goes out, possibly nothing yet."""
        if self.rate == self.to:
            return pcm
        return self._resampled(pcm, last=False)

    def flush(self) -> bytes:
        """Return the rest of the stream that goes out; what is fed next begins a new one."""
        if self._stream is None:
            return b""
        rest = self._resampled(b"", last=True)
        self._stream = None
        return rest

    def _resampled(self, pcm: bytes, *, last: bool) -> bytes:
        import numpy as np
        import soxr

        if self._stream is None:
            self._stream = soxr.ResampleStream(self.rate, self.to, 1, dtype="float32", quality="HQ")
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        out: NDArray[np.float32] = self._stream.resample_chunk(samples, last=last)
        return np.clip(np.rint(out), -32768, 32767).astype("<i2").tobytes()
