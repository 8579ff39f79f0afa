"""Where speech begins and ends in every clip of a run: found once, kept in `speech.jsonl`.

Latency is counted from these. A person's annotation beats our detector, which beats the clip's own ends.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import structs

from harness.errors import InputError
from harness.run.folder import UNREADABLE
from harness.run.lines import numbered_lines
from harness.units import SAMPLE_RATE, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.run.record import PlannedUtterance

SPEECH = "speech.jsonl"

Source = Literal["annotation", "detected", "clip"]


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Speech in a clip, s from its first sample."""

    start_s: Seconds
    end_s: Seconds
    source: Source
    """`annotation` of the dataset, `detected` in the signal, or the `clip`'s own ends."""

    snr_db: float | None = None
    """How far the speech stands out from its background: the dataset's tag `snr_db` or `snr`, else as detected; None: the
    bounds were not detected, and there is no such tag."""


class AudioSpan(msgspec.Struct, frozen=True, kw_only=True):
    """What was listened to. The same bytes are listened to once, whatever file they lie in."""

    sha256: str | None
    """Of the file's bytes, hex; None: it could not be read when planned."""

    audio: str
    """The file's path, so that people find it."""

    offset_s: Seconds
    duration_s: Seconds | None

    @property
    def key(self) -> tuple[str, Seconds, Seconds | None]:
        """What makes two spans the same."""
        return (self.sha256 or self.audio, self.offset_s, self.duration_s)


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `speech.jsonl`."""

    span: AudioSpan
    bounds: Bounds | None
    """None: listened to, and no speech was found."""


class SpeechBook:
    """The speech bounds of a run's clips: what `speech.jsonl` holds, and what is found on the way."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SPEECH
        self._known = _read(self._path)
        self._gone: set[tuple[str, Seconds, Seconds | None]] = set()

    def bounds(self, utterance: PlannedUtterance, audio_s: Seconds | None) -> Bounds | None:
        """Return where speech lies in a clip of `audio_s`; None when not even its length is known, or there is none."""
        found = _annotation(utterance) or self._listened(utterance, audio_s)
        told = _tag(utterance, "snr_db", "snr")
        return found if found is None or told is None else structs.replace(found, snr_db=told)

    def _listened(self, utterance: PlannedUtterance, audio_s: Seconds | None) -> Bounds | None:
        if utterance.audio is None:
            return None
        span = AudioSpan(
            sha256=utterance.sha256,
            audio=utterance.audio,
            offset_s=utterance.offset_s,
            duration_s=utterance.duration_s,
        )
        key = span.key
        if key not in self._known and key not in self._gone:
            try:
                self._known[key] = _Line(span=span, bounds=_detected(span))
            except InputError:
                self._gone.add(key)  # not kept: the file may be back the next time
        line = self._known.get(key)
        if line and line.bounds:
            return line.bounds
        return None if audio_s is None else Bounds(start_s=0.0, end_s=audio_s, source="clip")

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of `speech.jsonl`, in the order the clips were met."""
        for line in self._known.values():
            yield msgspec.json.encode(line) + b"\n"


def _read(path: Path) -> dict[tuple[str, Seconds, Seconds | None], _Line]:
    """Return the bounds kept at `path`; none when it is missing or not ours, since they can be found again."""
    try:
        lines = [msgspec.json.decode(line, type=_Line) for _, line in numbered_lines(path)]
    except (OSError, InputError, *UNREADABLE):
        return {}
    return {line.span.key: line for line in lines}


def _tag(utterance: PlannedUtterance, *names: str) -> float | None:
    """Return the first of some tags that is a finite number; None: none is."""
    for name in names:
        try:
            value = float(utterance.tags[name])
        except (KeyError, TypeError, ValueError):
            continue
        if math.isfinite(value):
            return value
    return None


def _annotation(utterance: PlannedUtterance) -> Bounds | None:
    """Return the bounds in the tags `speech_start` and `speech_end`, s from the clip's first sample; None: one is not valid."""
    try:
        start, end = (float(utterance.tags[tag]) for tag in ("speech_start", "speech_end"))
    except (KeyError, TypeError, ValueError):
        return None
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
        return None
    return Bounds(start_s=start, end_s=end, source="annotation")


def _detected(span: AudioSpan) -> Bounds | None:
    """Return what the detector finds, to the sample; InputError when the audio is gone or unreadable."""
    from pathlib import Path

    from harness.audio.load import load
    from harness.audio.speech import speech_bounds

    clip = load(Path(span.audio), offset_s=span.offset_s, duration_s=span.duration_s)
    found = speech_bounds(clip)
    if found is None:
        return None
    start, end = (round(t * SAMPLE_RATE) / SAMPLE_RATE for t in (found.start_s, found.end_s))
    return Bounds(start_s=start, end_s=end, source="detected", snr_db=round(found.snr_db, 1))
