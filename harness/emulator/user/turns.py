"""When the user's turn begins and ends, and which pieces of audio the ear gets to hear.

A machine over samples: audio and signals go in, `Begun`, `Piece` and `Ended` come out. With automatic detection a turn
begins after `prefixPaddingMs` of speech and ends after `silenceDurationMs` without; with manual activity it lasts from
activityStart to activityEnd. Either way the audio of a turn is cut where the speaker pauses, so that an ear that wants
whole phrases can give text while more audio arrives.

Knows samples; does not know text, replies, or time other than audio's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from harness.emulator.user.activity import FRAME_BYTES, FRAME_MS, SpeechDetector
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Milliseconds, Samples, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.ear.ear import Appetite
    from harness.wire.live.assumptions import Assumptions
    from harness.wire.live.catalogue import Platform
    from harness.wire.live.messages import AutomaticActivityDetection


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The user's turn has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Audio of the turn for the ear."""

    pcm: bytes
    """s16le mono 16 kHz."""

    last: bool
    """True: the speaker pauses or has finished, so all that was heard can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The user's turn is over."""


Step: TypeAlias = Begun | Piece | Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How automatic detection decides."""

    margin_db: float
    """How far speech stands out from the background, dB."""

    start_ms: Milliseconds
    """Speech that begins a turn."""

    silence_ms: Milliseconds
    """Silence that ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What holds where a client does not say."""

    start: str = "HIGH"
    """Start sensitivity, `HIGH` or `LOW`."""

    end: str = "HIGH"
    """End sensitivity, the same."""

    silence_ms: Milliseconds = 800
    longest_silence_ms: Milliseconds | None = None
    """Silence that ends a turn whatever the client says; None: it is obeyed."""


USUAL: Final = Usual()


def usual_on(platform: Platform, assumed: Assumptions, *, silence_ms: Milliseconds) -> Usual:
    """Return what holds on a platform; `silence_ms` is the silence that ends a turn."""
    on_vertex = platform == "vertex"
    return Usual(
        start=assumed.vertex_start_sensitivity.upper() if on_vertex else "HIGH",
        end=assumed.vertex_end_sensitivity.upper() if on_vertex else "HIGH",
        silence_ms=silence_ms,
        longest_silence_ms=2000 if assumed.longest_silence == "2s" else None,
    )


_START_MS: Final = {"HIGH": 40, "LOW": 120}
_MARGIN_DB: Final = {"HIGH": 8.0, "LOW": 14.0}
_LOW_END_FACTOR: Final = 1.5
"""What the sensitivities mean is undocumented; that LOW takes more speech and more silence is what their names say."""


def detection(asked: AutomaticActivityDetection | None, usual: Usual = USUAL) -> Detection:
    """Return how a client's setup has turns detected."""
    start = _sensitivity(asked.start_of_speech_sensitivity if asked else None) or usual.start
    end = _sensitivity(asked.end_of_speech_sensitivity if asked else None) or usual.end
    prefix = asked.prefix_padding_ms if asked else None
    silence = asked.silence_duration_ms if asked else None
    if silence is None:
        silence = round(usual.silence_ms * (_LOW_END_FACTOR if end == "LOW" else 1))
    return Detection(
        margin_db=_MARGIN_DB[start],
        start_ms=_START_MS[start] if prefix is None else prefix,
        silence_ms=min(silence, usual.longest_silence_ms or silence),
    )


def _sensitivity(name: str | None) -> str | None:
    """Return the level that a sensitivity names, None where it names none."""
    level = (name or "").rpartition("_")[2]
    return level if level in _MARGIN_DB else None


PAUSE_MS: Final[Milliseconds] = 500
"""A pause at which a phrase is cut."""

_LEAST_PHRASE_MS: Final[Milliseconds] = 1000
"""Speech that is worth being heard by itself: recognisers guess at less."""

_LONG_PAUSE_MS: Final[Milliseconds] = 1500
"""After so long a pause even a short phrase is heard."""

_LONGEST_PHRASE_S: Final[Seconds] = 15.0
_CUT_WITHIN_FRAMES: Final = 150
"""A phrase of 15 s without a pause is cut at the quietest moment of its last 3 s."""

_LEAD_BYTES: Final = 15 * FRAME_BYTES
_TAIL_BYTES: Final = 10 * FRAME_BYTES
"""Kept around speech: 300 ms before, 200 ms after. Soft beginnings and ends are in there."""

_LULL_MS: Final[Milliseconds] = 60
"""A gap of 60 ms within a word does not make speech begin anew."""


class Turns:
    """One session's turns. Feed it 16 kHz PCM and the client's signals; it yields what follows."""

    def __init__(self, appetite: Appetite, how: Detection, *, manual: bool) -> None:
        self.manual = manual
        """True: the client marks the turns."""

        self.open = False
        """True while a turn lasts."""

        self.begins: Samples = 0
        """First sample, of all there was, that no piece has carried yet; what lies before it is done with."""

        self._appetite = appetite
        self._how = how
        self._detector = SpeechDetector(how.margin_db)
        self._phrase = bytearray()
        self._forget()

    def _forget(self) -> None:
        """Begin with nothing heard."""
        self.begins += len(self._phrase) // SAMPLE_BYTES
        self._phrase = bytearray()
        """Audio that no piece has carried yet."""

        self._levels: list[float] = []
        """Of the phrase's frames, dBFS."""

        self._loud_end = 0
        """Where in the phrase its last speech ends, bytes."""

        self._speech_ms = 0
        """Speech since the last piece that was a phrase's last."""

        self._run_ms = 0
        """Speech of the latest run, over lulls."""

        self._quiet_ms = 0
        """Silence since the latest speech."""

        self._given = False
        """True: a piece has carried some of the turn."""

    @property
    def judged(self) -> Samples:
        """Where the audio ends that was looked at, in samples of all there was."""
        return self.begins + len(self._phrase) // SAMPLE_BYTES

    # ── what the client does ─────────────────────────────────────────────────────────────────────────────────────────

    def audio(self, pcm: bytes) -> Iterator[Step]:
        """Yield what follows from more audio."""
        for frame, speech, level in self._detector.feed(pcm):
            self._note(frame, speech, level)
            if self.open:
                yield from self._after_frame()
            elif self._run_ms >= max(self._how.start_ms, FRAME_MS):
                self.open = True
                yield Begun()
            elif self._run_ms == 0:
                self._speech_ms = 0
                self._keep_lead()

    def start(self) -> Iterator[Step]:
        """Yield what follows from activityStart."""
        if not self.open:
            self._phrase += self._detector.flush()
            self._forget()
            self.open = True
            yield Begun()

    def end(self) -> Iterator[Step]:
        """Yield what follows from activityEnd, or from the end of the stream: a turn that lasts is over."""
        self._phrase += self._detector.flush()
        if self.open:
            yield from self._over()
        else:
            self._forget()

    # ── what follows ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _note(self, frame: bytes, speech: bool, level: float) -> None:
        self._phrase += frame
        self._levels.append(level)
        if speech:
            self._loud_end = len(self._phrase)
            self._speech_ms += FRAME_MS
            self._run_ms += FRAME_MS
            self._quiet_ms = 0
        else:
            self._quiet_ms += FRAME_MS
            if self._quiet_ms > _LULL_MS:
                self._run_ms = 0

    def _after_frame(self) -> Iterator[Step]:
        appetite = self._appetite
        if not self.manual and self._quiet_ms >= max(self._how.silence_ms, FRAME_MS):
            yield from self._over()
        elif not appetite.trimmed:
            yield from self._portion()
        elif not self._speech_ms:
            self._keep_lead()
        elif self._pauses():
            yield self._cut(self._loud_end + _TAIL_BYTES)
            self._speech_ms = 0
        elif appetite.piece_s is not None:
            yield from self._portion()
        elif len(self._phrase) >= _LONGEST_PHRASE_S * SAMPLE_RATE * SAMPLE_BYTES:
            yield self._cut(self._quietest())
            self._speech_ms = self._loud_end // FRAME_BYTES * FRAME_MS

    def _pauses(self) -> bool:
        """Return whether the speaker pauses after something that is worth being heard by itself."""
        if self._quiet_ms < PAUSE_MS:
            return False
        return (
            self._appetite.piece_s is not None
            or self._speech_ms >= _LEAST_PHRASE_MS
            or self._quiet_ms >= _LONG_PAUSE_MS
        )

    def _over(self) -> Iterator[Step]:
        if not self._appetite.trimmed:
            if self._phrase or self._given:
                yield self._cut(len(self._phrase))
        elif self._speech_ms:
            yield self._cut(self._loud_end + _TAIL_BYTES)
        self._forget()
        self.open = False
        yield Ended()

    def _portion(self) -> Iterator[Step]:
        """Yield what an ear that hears as the audio comes can be given."""
        piece_s = self._appetite.piece_s or 0.0
        if len(self._phrase) >= piece_s * SAMPLE_RATE * SAMPLE_BYTES:
            piece = Piece(pcm=bytes(self._phrase), last=False)
            self._drop(len(piece.pcm))
            self._given = True
            yield piece

    def _cut(self, end: int) -> Piece:
        """Return the phrase up to `end` (bytes) and keep what follows it."""
        piece = Piece(pcm=bytes(self._phrase[:end]), last=True)
        self._drop(len(piece.pcm))
        return piece

    def _keep_lead(self) -> None:
        """Forget what is so long before any speech that it cannot belong to it."""
        self._drop(max(0, len(self._phrase) - _LEAD_BYTES))

    def _drop(self, count: int) -> None:
        """Take `count` bytes from the phrase's beginning."""
        self.begins += count // SAMPLE_BYTES
        del self._phrase[:count]
        del self._levels[: count // FRAME_BYTES]
        self._loud_end = max(0, self._loud_end - count)

    def _quietest(self) -> int:
        """Return where in the last seconds of the phrase its quietest frame ends, bytes."""
        recent = self._levels[-_CUT_WITHIN_FRAMES:]
        return (len(self._levels) - len(recent) + recent.index(min(recent)) + 1) * FRAME_BYTES
