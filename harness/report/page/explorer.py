"""The data of the page's explorer: every row, packed by column, and what lies behind the worst.

Rows stand in plan order, so that texts of one language lie together and compress. The page draws from these columns and
computes no score: rates, operations and times are stored as they were counted.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.report.page.clips import Clips, KeptClips
from harness.report.page.packing import Pack
from harness.report.page.shared import script
from harness.report.page.timeline import moments
from harness.report.rows.diff import SPACED
from harness.report.rows.row import ANSWERS
from harness.report.summary.delays import AWAITED
from harness.report.summary.document import NOT_ATTEMPTED
from harness.trace.hypothesis import hypothesis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.report.page.clips import Embed
    from harness.report.rows.exhibits import Exhibits
    from harness.report.rows.row import Row
    from harness.run.record import Task

MOST_ROWS: Final = 200_000
"""Rows that the explorer holds; of a larger run, those with the most errors. The tables hold all."""

PACKED_CHARACTERS: Final = 13_500_000
"""Characters that columns and texts may take in the page, so that it stays below 15 MB; where they would take more, the
worst rows and a seeded sample of the others have their texts."""

WORST_TEXTS: Final = 5_000

SESSIONS: Final = 500
"""Rows, the worst, whose session and clip are drawn on a timeline."""


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


def explorer(
    rows: Sequence[Row], exhibits: Exhibits, sound: Embed | KeptClips, *, task: Task
) -> Explorer:
    """Return the explorer of `rows`, which are in plan order; `sound`: which clips are in the page, or what was in it."""
    order = worst_first(rows)
    if len(rows) > MOST_ROWS:
        kept = sorted(order[:MOST_ROWS])
        rows = [rows[place] for place in kept]
        order = worst_first(rows)
    columns = _columns(rows, task)
    packed_texts, texts = _texts(rows, order, PACKED_CHARACTERS - len(columns))
    clips = sound if isinstance(sound, KeptClips) else _chosen(rows, order, exhibits, sound)
    drawn = sorted({*order[:SESSIONS], *clips.embedded_rows})
    sessions = [_session(rows[place], clips.of(place), exhibits) for place in drawn]
    return Explorer(
        packs={
            "rows": columns,
            "texts": packed_texts,
            "sessions": _sessions(drawn, sessions, clips),
        },
        audio=clips.audio,
        rows=len(rows),
        texts=texts,
        sessions=len(drawn),
        linked=clips.linked,
    )


def _chosen(rows: Sequence[Row], order: Sequence[int], exhibits: Exhibits, wanted: Embed) -> Clips:
    clips = Clips(rows, exhibits)
    clips.embed((place for place in _in_turn(rows, order) if rows[place].outcome), wanted)
    return clips


def worst_first(rows: Sequence[Row]) -> list[int]:
    """Return the rows' places: the highest rate first, then what must be run again, then what has no rate.

    An answer that did not pass is as bad as a rate of 1.
    """

    def badness(place: int) -> tuple[bool, bool, float]:
        row = rows[place]
        rate = row.rate if row.passed is None else float(not row.passed)
        return (rate is None, not row.must_rerun, -(rate or 0.0))

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

_ALWAYS: Final = {
    "repeat": 1, "audio_s": 1000, "send_lag_p99_ms": 100, "late": 1, "attempts": 1, "total_tokens": 1,
    "cost_usd": 10_000_000,
}  # fmt: skip
"""Columns of numbers, and into how many parts the page divides one."""

_COUNTED: Final = {
    "errors": 1, "substitutions": 1, "deletions": 1, "insertions": 1, "reference_tokens": 1, "rate": 100_000,
}  # fmt: skip
_OF_TASK: Final[Mapping[Task, dict[str, int]]] = {
    "transcribe": _COUNTED,
    "speak": _COUNTED | {"speech_s": 1000, "speech_chars_per_s": 100},
    "ask": {"passed": 1, "tool_call_s": 1000, "fell_silent_s": 1000, "speech_s": 1000},
}
"""Those that only the rows of a task have, beside what it waits for."""


def _columns(rows: Sequence[Row], task: Task) -> str:
    pack = Pack()
    awaited = AWAITED[task]
    locales = dict.fromkeys(row.locale for row in rows)
    pack.json(
        "facts",
        {
            "spaced": sorted(SPACED),
            "final": sorted(ANSWERS),
            "none": NOT_ATTEMPTED,
            "task": task,
            "awaited": [[one.words, one.column] for one in awaited],
            "locales": {code: script(code) for code in locales},
        },
    )
    pack.texts("utterance_id", [row.utterance_id for row in rows])
    for name in (*_WORDS, *(["expectation"] if task == "ask" else [])):
        pack.words(name, [getattr(row, name) for row in rows])
    pack.words("faults", ["\n".join(fault_name(fault) for fault in row.faults) for row in rows])
    numbers = _ALWAYS | _OF_TASK[task] | {one.column: 1000 for one in awaited}
    if any(row.ear for row in rows):
        pack.texts("ear_hypothesis", [row.ear_hypothesis or "" for row in rows])
        pack.words("ear", [row.ear for row in rows])
        numbers |= {"ear_errors": 1, "ear_rate": 100_000}
    for name, per in numbers.items():
        pack.numbers(name, (getattr(row, name) for row in rows), per=per)
    return pack.base64()


def fault_name(fault: str) -> str:
    """Return a fault as people read it."""
    return fault.replace("_", " ")


# ── Texts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _texts(rows: Sequence[Row], order: Sequence[int], room: int) -> tuple[str, int]:
    """Return the packed texts, and of how many rows: of all, or of as many as fit into `room` characters."""
    wanted: Sequence[int] = range(len(rows))
    while True:
        packed = _packed_texts(rows, wanted)
        if len(packed) <= room:
            return packed, len(wanted)
        # A sample compresses a little worse than the whole, so it is taken a little smaller than would fit.
        count = int(len(wanted) * room / len(packed) * 0.9)
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
    yield row.diff_text


# ── Sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _session(row: Row, clip: int | None, exhibits: Exhibits) -> dict[str, Any]:
    """Return what a row's timeline is drawn from; times in s, rounded to the millisecond."""
    bounds = None if exhibits.received(row) else exhibits.bounds(row)
    found: dict[str, Any] = {"clip": clip}
    record = exhibits.record(row) if exhibits.received(row) else None
    if record and record.exchange:
        # What the model said stands where it began to come, and is speech from its beginning to its end.
        found["at"] = record.exchange.first_audio_t
        found["length"] = row.speech_s
        found["speech"] = [0.0, row.speech_s]
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


def _sessions(
    places: Sequence[int], sessions: Sequence[dict[str, Any]], clips: Clips | KeptClips
) -> str:
    pack = Pack()
    pack.numbers("rows", places)
    pack.json("sessions", sessions)
    pack.json("clips", clips.found)
    return pack.base64()
