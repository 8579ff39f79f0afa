"""The multilingual ear: Whisper, through faster-whisper's parts, on one thread.

Faster than faster-whisper's own `transcribe` by half and more, since the encoder hears a window a little longer than
the phrase instead of 30 s: with 6 s of silence behind the phrase, and 12 s at the least, the texts stay those of the
whole window (CER 2.9 % and 3.0 % over 37 recordings, at 0.4 of the cost); with less silence words are lost or loop.

It detects the language by itself, among those of the locale registry, and remembers over the phrases of a session.
Knows phrases; does not know sessions' transcripts, and never a locale.
"""

from __future__ import annotations

import math
import time
import unicodedata
import zlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from harness.emulator.ear import weights
from harness.emulator.ear.ear import Appetite
from harness.errors import InputError
from harness.text.locales import LOCALES
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LANGUAGES: Final = tuple(sorted({locale.iso639_1 for locale in LOCALES.values()}))
"""The languages that are looked for, ISO 639-1."""

_FRAMES_A_SECOND: Final = 100
_LEAST_WINDOW_S: Final[Seconds] = 12.0
_SILENCE_S: Final[Seconds] = 6.0
_WINDOW_S: Final[Seconds] = 30.0

_BEAM: Final = 3
"""1, 3 and 5 cost the same within 5 %, since the encoder decides; 3 errs least on recordings (2.8, 2.9, 2.9 % CER)."""

_TOKENS: Final = 24
_TOKENS_A_SECOND: Final = 25
_MOST_TOKENS: Final = 224
"""How much text a phrase may have: scripts without merged tokens take up to three for a character."""

_MOST_PROMPT: Final = 200
"""Tokens of what is read before a phrase: with a phrase's 224 it fits into Whisper's 448."""

_LOOP_RATIO: Final = 2.4
"""Text that compresses better than this repeats itself (the value of Whisper's own decoder)."""

_NO_SPEECH: Final = 0.6
_UNSURE: Final = -1.0
"""No speech this probable, and tokens less probable than this on average, mean silence (Whisper's own values)."""

_MEMORY: Final = 0.5
"""What earlier phrases' language counts for, beside the latest."""

_IN_SCRIPT: Final = {
    "hi": ("DEVANAGARI", "नमस्ते, यह हिन्दी में है।"),
    "mr": ("DEVANAGARI", "नमस्कार, हे मराठीत आहे."),
}
"""Languages whose speech the small models tend to write in Latin letters: their script, and a prompt written in it.
With both, CER falls from over 90 % to about 20 % on synthetic clips. For bn, gu, kn, ml and te it does not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decoded:
    text: str
    log_probability: float
    """Mean over the tokens."""

    no_speech: float

    @property
    def loops(self) -> bool:
        data = self.text.encode()
        return len(data) > _LOOP_RATIO * len(zlib.compress(data))


class Whisper:
    """A loaded model. One phrase at a time; a phrase is at most 30 s."""

    appetite = Appetite(piece_s=None)

    def __init__(self, asked: str | None = None, languages: tuple[str, ...] = ()) -> None:
        """Load the weights that `asked` names or that are found; InputError when that cannot be done."""
        place, called = weights.model(asked)
        from faster_whisper import WhisperModel

        try:
            self._whisper: Any = WhisperModel(
                place, device="cpu", compute_type="int8", cpu_threads=1, num_workers=1
            )
        except (OSError, RuntimeError, ValueError) as error:
            # Hub errors are OSErrors, CTranslate2's are RuntimeErrors, unknown names ValueErrors.
            raise InputError(f"cannot load Whisper from {place}", why=str(error)) from error
        self.name = f"{called} int8 (faster-whisper {version('faster-whisper')})"
        self.languages = languages or LANGUAGES
        """What it may hear."""

        self._tokenizer = self._whisper.hf_tokenizer
        self._text_end: int = self._token("<|endoftext|>")

    def listener(
        self, languages: tuple[str, ...], vocabulary: tuple[str, ...] = ()
    ) -> WhisperListener:
        """Return what hears one session; languages that the model does not know are left out."""
        known = tuple(one for one in languages if one in self.languages)
        # With its full stop it reads like a sentence; without one, what is heard is written without punctuation, too.
        words = f"{', '.join(vocabulary)}." if vocabulary else ""
        return WhisperListener(self, known or self.languages, words)

    def real_time_factor(self) -> float:
        """Return the seconds of processor for a second of a 4 s phrase with 30 tokens: the best of three."""
        samples = self._silence(4.0)
        took = []
        for _ in range(3):
            began = time.process_time()
            encoded = self._encoded(samples)
            self._language_probabilities(encoded)
            # Without its end token the decoder writes as much as it is allowed to.
            self._decoded(encoded, "en", 30, suppressed=[self._text_end])
            took.append(time.process_time() - began)
        return min(took) / 4.0

    def phrase(
        self,
        pcm: bytes,
        languages: tuple[str, ...],
        memory: dict[str, float],
        vocabulary: str = "",
    ) -> tuple[str, dict[str, float]]:
        """Return the text of a phrase and the languages' probabilities weighed with `memory`, for the next one.

        `vocabulary` is read as if it had been said before.
        """
        import numpy as np

        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)
        duration = len(samples) / SAMPLE_RATE
        encoded = self._encoded(samples)
        heard = self._language_probabilities(encoded)
        score = {
            one: _MEMORY * memory.get(one, 0.0) + duration * heard.get(one, 0.0)
            for one in languages
        }
        language = max(score, key=score.__getitem__)
        most = min(_MOST_TOKENS, _TOKENS + round(_TOKENS_A_SECOND * duration))
        return self._best(encoded, language, most, vocabulary), score

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _best(self, encoded: Any, language: str, most: int, vocabulary: str) -> str:
        """Return the text in `language`; one that loops is tried once more with repetition forbidden."""
        script, prompt = _IN_SCRIPT.get(language, ("", ""))
        prompt = f"{vocabulary} {prompt}".strip()
        suppressed = list(self._foreign(script)) if script else []
        decoded = self._decoded(encoded, language, most, prompt=prompt, suppressed=suppressed)
        if decoded.loops:
            again = self._decoded(encoded, language, most, no_repeat_ngram_size=4)
            decoded = decoded if again.loops else again
        silent = decoded.no_speech > _NO_SPEECH and decoded.log_probability < _UNSURE
        return "" if silent else decoded.text.replace("\ufffd", "")

    def _encoded(self, samples: NDArray[np.float32]) -> Any:
        import numpy as np

        duration = len(samples) / SAMPLE_RATE
        window_s = min(_WINDOW_S, max(_LEAST_WINDOW_S, duration + _SILENCE_S))
        padded = np.zeros(int(window_s * SAMPLE_RATE), dtype=np.float32)
        padded[: len(samples)] = samples[: len(padded)]
        features = self._whisper.feature_extractor(padded)
        return self._whisper.encode(features[:, : int(window_s * _FRAMES_A_SECOND)])

    def _language_probabilities(self, encoded: Any) -> dict[str, float]:
        found: list[tuple[str, float]] = self._whisper.model.detect_language(encoded)[0]
        return {token[2:-2]: probability for token, probability in found}

    def _decoded(
        self,
        encoded: Any,
        language: str,
        most: int,
        *,
        prompt: str = "",
        suppressed: list[int] | None = None,
        **options: Any,
    ) -> _Decoded:
        before = (
            [
                self._token("<|startofprev|>"),
                *self._tokenizer.encode(f" {prompt}", add_special_tokens=False).ids[:_MOST_PROMPT],
            ]
            if prompt
            else []
        )
        start = [
            self._token(f"<|{one}|>")
            for one in ("startoftranscript", language, "transcribe", "notimestamps")
        ]
        (result,) = self._whisper.model.generate(
            encoded,
            [before + start],
            beam_size=_BEAM,
            max_length=len(before) + len(start) + most,
            # -1 stands for the model's own list: symbols that nobody speaks.
            suppress_tokens=[-1, *(suppressed or ())],
            return_scores=True,
            return_no_speech_prob=True,
            **options,
        )
        tokens = [one for one in result.sequences_ids[0] if one < self._text_end]
        return _Decoded(
            text=self._tokenizer.decode(tokens),
            log_probability=result.scores[0] if tokens else -math.inf,
            no_speech=result.no_speech_prob,
        )

    def _token(self, text: str) -> int:
        token: int | None = self._tokenizer.token_to_id(text)
        if token is None:
            raise InputError(f"the model has no token {text}", why="it is no multilingual Whisper")
        return token

    @cache  # noqa: B019 - one model lives as long as its process
    def _foreign(self, script: str) -> tuple[int, ...]:
        """Return the tokens with letters of other scripts."""

        def foreign(text: str) -> bool:
            return any(
                one.isalpha() and one != "\ufffd" and script not in unicodedata.name(one, "")
                for one in text
            )

        return tuple(one for one in range(self._text_end) if foreign(self._tokenizer.decode([one])))

    @staticmethod
    def _silence(seconds: Seconds) -> NDArray[np.float32]:
        import numpy as np

        return np.zeros(int(seconds * SAMPLE_RATE), dtype=np.float32)


class WhisperListener:
    """One session: its phrases, and the language they were in."""

    def __init__(self, whisper: Whisper, languages: tuple[str, ...], vocabulary: str = "") -> None:
        self._whisper = whisper
        self._vocabulary = vocabulary
        self._languages = languages
        self._memory: dict[str, float] = {}
        self.language: str | None = None
        self._phrase = bytearray()

    def hear(self, pcm: bytes, *, last: bool) -> str:
        """Return the text of the phrase that `pcm` completes; empty until its last piece."""
        self._phrase += pcm
        if not last or len(self._phrase) < SAMPLE_RATE * SAMPLE_BYTES // 10:
            return ""
        phrase = bytes(self._phrase)
        self._phrase.clear()
        text, self._memory = self._whisper.phrase(
            phrase, self._languages, self._memory, self._vocabulary
        )
        self.language = max(self._memory, key=self._memory.__getitem__)
        return text
