"""The data of the page's explorer: every row, packed by column, and what lies behind the worst.

Rows stand in plan order, so that texts of one language lie together and compress. The page draws from these columns and
computes no score: rates, operations and times are stored as they were counted.
"""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.report.document import NOT_ATTEMPTED
from harness.report.packing import Pack
from harness.report.rows import ANSWERS, SPACED
from harness.report.timeline import moments
from harness.text.locales import LOCALES
from harness.trace import hypothesis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.report.exhibits import Exhibits
    from harness.report.rows import Row

MOST_ROWS: Final = 200_000
"""Rows that the explorer holds; of a larger run, those with the most errors. The tables hold all."""

TEXT_CHARACTERS: Final = 11_000_000
"""Characters that packed texts may take in the page; where they would take more, the worst rows and a seeded sample of the
others have theirs."""

WORST_TEXTS: Final = 5_000

SESSIONS: Final = 500
"""Rows, the worst, whose session and clip are drawn on a timeline."""

AUDIO_BYTES: Final = 5_000_000
"""Characters of embedded audio, unless more is asked for."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Explorer:
    """What the explorer is drawn from."""

    packs: dict[str, str]
    """Packed columns by name: `rows`, `texts`, `sessions`."""

    audio: Sequence[str]
    """Embedded clips as base64 of MP3."""

    rows: int
    texts: int
    sessions: int
    linked: int
    """Clips that are played from files beside the page."""


def explorer(rows: Sequence[Row], exhibits: Exhibits, embed: Embed) -> Explorer:
    """Return the explorer of `rows`, which are in plan order."""
    order = worst_first(rows)
    if len(rows) > MOST_ROWS:
        kept = sorted(order[:MOST_ROWS])
        rows = [rows[place] for place in kept]
        order = worst_first(rows)
    packed_texts, texts = _texts(rows, order)
    clips = _Clips(rows, exhibits)
    clips.embed((place for place in _in_turn(rows, order) if rows[place].outcome), embed)
    drawn = sorted({*order[:SESSIONS], *clips.embedded_rows})
    sessions = [_session(rows[place], exhibits, clips) for place in drawn]
    return Explorer(
        packs={
            "rows": _columns(rows),
            "texts": packed_texts,
            "sessions": _sessions(drawn, sessions, clips),
        },
        audio=clips.audio,
        rows=len(rows),
        texts=texts,
        sessions=len(drawn),
        linked=clips.linked,
    )


def worst_first(rows: Sequence[Row]) -> list[int]:
    """Return the rows' places: the highest rate first, then what must be run again, then what has no rate."""

    def badness(place: int) -> tuple[bool, bool, float]:
        row = rows[place]
        return (row.rate is None, not row.must_rerun, -(row.rate or 0.0))

    return sorted(range(len(rows)), key=badness)


def _in_turn(rows: Sequence[Row], order: Iterable[int]) -> list[int]:
    """Return `order` dealt out over the locales: the worst of each, then the second of each, and so on.

    So a locale that a recogniser cannot hear does not take all the room there is.
    """
    met: dict[str, int] = {}
    rounds = []
    for rank, place in enumerate(order):
        turn = met[rows[place].locale] = met.get(rows[place].locale, 0) + 1
        rounds.append((turn, rank, place))
    return [place for _, _, place in sorted(rounds)]


# ── Columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_WORDS: Final = (
    "dataset", "locale", "model", "outcome", "metric", "speech_bounds_source", "reason",
)  # fmt: skip

_NUMBERS: Final = {
    "repeat": 1, "errors": 1, "substitutions": 1, "deletions": 1, "insertions": 1, "reference_tokens": 1,
    "rate": 100_000, "audio_s": 1000, "first_text_s": 1000, "final_text_s": 1000, "send_lag_p99_ms": 100,
    "late": 1, "attempts": 1, "total_tokens": 1, "cost_usd": 10_000_000,
}  # fmt: skip
"""Columns of numbers, and into how many parts the page divides one."""


def _columns(rows: Sequence[Row]) -> str:
    pack = Pack()
    locales = dict.fromkeys(row.locale for row in rows)
    pack.json(
        "facts",
        {
            "spaced": sorted(SPACED),
            "final": sorted(ANSWERS),
            "none": NOT_ATTEMPTED,
            "locales": {code: _script(code) for code in locales},
        },
    )
    pack.texts("utterance_id", [row.utterance_id for row in rows])
    for name in _WORDS:
        pack.words(name, [getattr(row, name) for row in rows])
    pack.words("faults", ["\n".join(fault_name(fault) for fault in row.faults) for row in rows])
    for name, per in _NUMBERS.items():
        pack.numbers(name, (getattr(row, name) for row in rows), per=per)
    return pack.base64()


def _script(code: str) -> dict[str, Any]:
    """Return how a browser is told of a locale's writing."""
    known = LOCALES.get(code)
    return {
        "lang": known.iso639_1 if known else code,
        "rtl": bool(known and known.direction == "rtl"),
    }


def fault_name(fault: str) -> str:
    """Return a fault as people read it."""
    return fault.replace("_", " ")


# ── Texts ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_PIECE, _SIDE = "\x1e", "\x1f"
"""What parts the pieces of a diff, and the two sides of a substitution."""


def _texts(rows: Sequence[Row], order: Sequence[int]) -> tuple[str, int]:
    """Return the packed texts, and of how many rows: of all, or of as many as there is room for."""
    wanted: Sequence[int] = range(len(rows))
    while True:
        packed = _packed_texts(rows, wanted)
        if len(packed) <= TEXT_CHARACTERS:
            return packed, len(wanted)
        # A sample compresses a little worse than the whole, so it is taken a little smaller than would fit.
        count = int(len(wanted) * TEXT_CHARACTERS / len(packed) * 0.9)
        others = list(order[WORST_TEXTS:])
        random.Random(0).shuffle(others)  # noqa: S311 - a sample, not a secret
        wanted = sorted([*order[:WORST_TEXTS], *others][:count])


def _packed_texts(rows: Sequence[Row], places: Sequence[int]) -> str:
    """Return reference, hypothesis and diff of the rows at `places`, side by side: they compress by each other."""
    pack = Pack()
    pack.numbers("rows", places)
    pack.texts("texts", [text for place in places for text in _row_texts(rows[place])])
    return pack.base64()


def _row_texts(row: Row) -> Iterator[str]:
    yield row.reference or ""
    yield row.hypothesis or ""
    yield diff_text(row)


def diff_text(row: Row) -> str:
    """Return the alignment that was counted as text: operation, reference, and of a substitution the hypothesis.

    What is equal or was only said has one text; separators within the texts become spaces.
    """
    return _PIECE.join(
        op + (_plain(said) + _SIDE + _plain(heard) if op == "S" else _plain(said or heard))
        for op, said, heard in row.diff
    )


def _plain(text: str | None) -> str:
    return (text or "").replace(_PIECE, " ").replace(_SIDE, " ")


# ── Sessions and clips ───────────────────────────────────────────────────────────────────────────────────────────────


class _Clips:
    """The clips of the drawn rows: one for each utterance, whatever models and repeats heard it."""

    def __init__(self, rows: Sequence[Row], exhibits: Exhibits) -> None:
        self._rows = rows
        self._exhibits = exhibits
        self._places: dict[tuple[str, str], int] = {}
        self.found: list[dict[str, Any]] = []
        self.audio: list[str] = []
        self.embedded_rows: list[int] = []
        """Of each embedded clip, the row for which it was embedded."""

    @property
    def linked(self) -> int:
        """How many clips are played from files."""
        return sum("link" in clip for clip in self.found)

    def embed(self, order: Iterable[int], wanted: Embed) -> None:
        """Put clips into the page, in the given order of rows, until no more are wanted or they fill the room."""
        from harness.audio.encode import mp3

        left = wanted.characters
        seen = set()
        for place in order:
            if wanted.clips is not None and len(self.audio) >= wanted.clips:
                break
            row = self._rows[place]
            key = (row.dataset, row.utterance_id)
            if key in seen:
                continue
            seen.add(key)
            # Never started where it could not fit: an encoded second is 3 kB, 4 kB as base64.
            if left is not None and (row.audio_s or 0.0) * 4000 > left:
                break
            clip = self._exhibits.clip(row)
            if clip is None:
                continue
            data = base64.b64encode(mp3(clip)).decode()
            if left is not None:
                left -= len(data)
                if left < 0:
                    break
            self._places[key] = len(self.found)
            self.found.append({"outline": _outline_text(clip), "audio": len(self.audio)})
            self.audio.append(data)
            self.embedded_rows.append(place)

    def place(self, row: Row) -> int | None:
        """Return which of the clips found is a row's; None: there is none to show or to play."""
        key = (row.dataset, row.utterance_id)
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


def _outline_text(clip: Any) -> str:
    """Return a clip's outline as a letter for the least and one for the most of each column: `@` is silence."""
    from harness.audio.encode import outline

    levels = outline(clip, _COLUMNS).astype(float) * (_LEVELS / 32768)
    return "".join(chr(ord("@") + round(level)) for level in levels.ravel().tolist())


def _session(row: Row, exhibits: Exhibits, clips: _Clips) -> dict[str, Any]:
    """Return what a row's timeline is drawn from; times in s, rounded to the millisecond."""
    bounds = exhibits.bounds(row)
    found: dict[str, Any] = {"clip": clips.place(row)}
    if bounds:
        found["speech"] = [round(bounds.start_s, 3), round(bounds.end_s, 3)]
    trace = exhibits.trace(row)
    if trace is not None:
        found["fragments"] = [
            [round(piece.t, 3), piece.text, int(piece.interim)]
            for piece in hypothesis(trace, exhibits.channel).fragments
        ]
        found["moments"] = [
            [
                round(one.t, 3),
                one.dir,
                one.name,
                one.detail,
                *([] if one.until is None else [round(one.until, 3)]),
            ]
            for one in moments(trace)
        ]
    return found


def _sessions(places: Sequence[int], sessions: Sequence[dict[str, Any]], clips: _Clips) -> str:
    pack = Pack()
    pack.numbers("rows", places)
    pack.json("sessions", sessions)
    pack.json("clips", clips.found)
    return pack.base64()
