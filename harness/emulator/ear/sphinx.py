"""The portable ear: CMU PocketSphinx with the English model its wheel carries. It hears while audio arrives.

A hypothesis may still change, text that was sent may not. So a word is given out when two hypotheses in a row agree on
everything up to it and it is not the newest one; the rest follows at a pause or the end.
"""

from __future__ import annotations

import re
import time
from importlib.metadata import version
from typing import Any, Final

from harness.emulator.ear.ear import Appetite
from harness.units import SAMPLE_RATE

_PIECE_S: Final = 0.2
_VARIANT: Final = re.compile(r"\(\d+\)$")
"""How the dictionary marks a second pronunciation."""

_SETTLED: Final = 1
"""How many of a hypothesis' newest words may still change."""


class PocketSphinx:
    """English, whatever is said to it."""

    appetite = Appetite(piece_s=_PIECE_S)

    def __init__(self) -> None:
        self.name = f"pocketsphinx en-us {version('pocketsphinx')}"

    def listener(
        self, languages: tuple[str, ...], vocabulary: tuple[str, ...] = ()
    ) -> SphinxListener:
        """Return what hears one session, with the model's own words."""
        return SphinxListener()

    def real_time_factor(self) -> float:
        """Return the seconds of processor for a second of audio: noise that comes in syllables."""
        import numpy as np

        swell = np.abs(np.sin(np.arange(SAMPLE_RATE) / SAMPLE_RATE * np.pi * 4))
        noise = np.random.default_rng(0).normal(0, 3000, SAMPLE_RATE) * swell
        pcm = noise.astype("<i2").tobytes()
        listener = self.listener(())
        size = round(_PIECE_S * SAMPLE_RATE) * 2
        began = time.process_time()
        for offset in range(0, len(pcm), size):
            listener.hear(pcm[offset : offset + size], last=False)
        listener.hear(b"", last=True)
        return time.process_time() - began


class SphinxListener:
    """One session. Its decoder is its own, since a decoder adapts to the voice it hears."""

    language: str | None = "en"

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder: Any = Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")
        self._open = False
        self._given: list[str] = []
        self._before: list[str] = []

    def hear(self, pcm: bytes, *, last: bool) -> str:
        """Return the words that are certain by now; with `last`, the rest of the utterance."""
        if not self._open:
            self._decoder.start_utt()
            self._open = True
        if pcm:
            self._decoder.process_raw(pcm, no_search=False, full_utt=False)
        if last:
            self._decoder.end_utt()
            self._open = False
            words = self._words()
            new = words[len(self._given) :]
            self._given, self._before = [], []
            return _spoken(new)
        words = self._words()
        agreed = 0
        for one, other in zip(words, self._before, strict=False):
            if one != other:
                break
            agreed += 1
        self._before = words
        new = words[len(self._given) : max(len(self._given), min(agreed, len(words) - _SETTLED))]
        self._given += new
        return _spoken(new)

    def _words(self) -> list[str]:
        hypothesis = self._decoder.hyp()
        if hypothesis is None:
            return []
        words = (_VARIANT.sub("", one) for one in hypothesis.hypstr.split())
        return [one for one in words if not one.startswith(("<", "["))]


def _spoken(words: list[str]) -> str:
    return "".join(f" {one}" for one in words)
