"""The clips that a page plays and draws: the worst are in it, others are played from their files beside it.

An utterance that was spoken has one clip, whatever models and repeats heard it; of a text that was to be spoken, the clip
is what a model said.
"""

from __future__ import annotations

import base64
import math
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.report.page.packing import embedded, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from harness.audio.clip import AudioClip
    from harness.report.rows.exhibits import Exhibits
    from harness.report.rows.row import Row

AUDIO_BYTES: Final = 5_000_000
"""Characters of embedded audio, unless more is asked for."""

_CHARACTERS_A_SECOND: Final = 4000
"""Of embedded audio, about: 3 kB as MP3."""

_LEAST_CHARACTERS: Final = 4000
"""Room for less than a second is no room."""

_MISSES: Final = 100
"""Clips in a row that are gone, after which the others are taken to be gone too."""

_COLUMNS: Final = 200
"""Of a clip's outline: a pixel each at the width of a phone."""

_LEVELS: Final = 31
"""Steps from silence to full scale of a clip's outline: it is drawn 56 pixels high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """Which clips are put into the page, the worst first."""

    clips: int | None = None
    """So many; None: as many as fit."""

    characters: int | None = AUDIO_BYTES
    """Base64 characters they may take together; None: no limit."""


class Clips:
    """The clips of the drawn rows."""

    def __init__(self, rows: Sequence[Row], exhibits: Exhibits) -> None:
        self._rows = rows
        self._exhibits = exhibits
        self._places: dict[tuple[object, ...], int] = {}
        self._room = 0.0
        self.found: list[dict[str, Any]] = []
        self.audio: list[str] = []
        self.embedded_rows: list[int] = []
        """Of each embedded clip, the row for which it was embedded."""

    @property
    def linked(self) -> int:
        """How many clips are played from files."""
        return sum("link" in clip for clip in self.found)

    def embed(self, order: Iterable[int], wanted: Embed) -> None:
        """Put clips into the page, in the given order of rows, until no more are wanted or there is no room."""
        if wanted.clips == 0:
            return
        self._room = math.inf if wanted.characters is None else wanted.characters
        most = math.inf if wanted.clips is None else wanted.clips
        for place, found in self._encoded(order):
            if found is None or len(found[1]) > self._room:
                continue
            drawn, data = found
            row = self._rows[place]
            self._places[self._key(row)] = len(self.found)
            self.found.append({"outline": drawn, "audio": len(self.audio)})
            self.audio.append(data)
            self.embedded_rows.append(place)
            self._room -= len(data)
            if self._room < _LEAST_CHARACTERS or len(self.audio) >= most:
                return

    def _encoded(self, order: Iterable[int]) -> Iterator[tuple[int, tuple[str, str] | None]]:
        """Yield rows with outline and base64 of their clips, None where there is none, on all cores.

        Each utterance once, and none that could not fit; nothing any more when many in a row have no clip.
        """
        ahead = 2 * (os.cpu_count() or 1)
        places = self._candidates(order)
        misses = 0
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            waiting: deque[tuple[int, Future[tuple[str, str] | None]]] = deque()
            while misses < _MISSES:
                for place in islice(places, ahead - len(waiting)):
                    waiting.append((place, pool.submit(self._encode, self._rows[place])))
                if not waiting:
                    return
                place, future = waiting.popleft()
                found = future.result()
                misses = 0 if found else misses + 1
                yield place, found

    def _candidates(self, order: Iterable[int]) -> Iterator[int]:
        seen = set()
        for place in order:
            row = self._rows[place]
            key = self._key(row)
            if (
                key not in seen
                and (row.audio_s or row.speech_s or 0.0) * _CHARACTERS_A_SECOND <= self._room
            ):
                seen.add(key)
                yield place

    def _key(self, row: Row) -> tuple[object, ...]:
        """Return whose clip a row's is: the utterance's, or what one model said once."""
        whose = (row.dataset, row.utterance_id)
        return (*whose, row.model, row.repeat) if self._exhibits.received(row) else whose

    def _encode(self, row: Row) -> tuple[str, str] | None:
        from harness.audio.encode import mp3

        clip = self._exhibits.clip(row)
        if clip is None:
            return None
        return _outline_text(clip), base64.b64encode(mp3(clip)).decode()

    def of(self, place: int) -> int | None:
        """Return which of the clips found is that of a row; None: there is none to show or to play."""
        row = self._rows[place]
        key = self._key(row)
        if key not in self._places:
            clip = self._exhibits.clip(row)
            link = self._exhibits.link(row)
            facts: dict[str, Any] = {}
            if clip is not None:
                facts["outline"] = _outline_text(clip)
            if link is not None:
                facts |= {"link": link, "from": round(self._exhibits.starts_at(row), 3)}
            if not facts:
                return None
            self._places[key] = len(self.found)
            self.found.append(facts)
        return self._places[key]


class KeptClips:
    """The clips that lie in a page: who verifies it may have neither their files nor the encoder that it was made with."""

    def __init__(self, page: str) -> None:
        """ValueError when `page` has no sessions as they are written."""
        parts = unpacked(page, "sessions")
        try:
            kept = msgspec.convert(parts, _KeptSessions, strict=False)
            self._clips = {
                place: session.clip for place, session in zip(kept.rows, kept.sessions, strict=True)
            }
            self.embedded_rows = [
                place
                for place, clip in self._clips.items()
                if clip is not None and "audio" in kept.clips[clip]
            ]
        except (msgspec.ValidationError, IndexError) as error:
            raise ValueError(str(error)) from error
        self.found = kept.clips
        self.audio = embedded(page, r"audio-\d+")

    @property
    def linked(self) -> int:
        """How many clips are played from files."""
        return sum("link" in clip for clip in self.found)

    def of(self, place: int) -> int | None:
        """Return which of the clips is that of a row; None: none, or its session is not in the page."""
        return self._clips.get(place)


class _KeptSession(msgspec.Struct):
    clip: int | None = None


class _KeptSessions(msgspec.Struct):
    rows: list[int]
    sessions: list[_KeptSession]
    clips: list[dict[str, Any]]


def _outline_text(clip: AudioClip) -> str:
    """Return a clip's outline as a letter for the least and one for the most of each column: `@` is silence."""
    from harness.audio.encode import outline

    levels = outline(clip, _COLUMNS).astype(float) * (_LEVELS / 32768)
    return "".join(chr(ord("@") + round(level)) for level in levels.ravel().tolist())
