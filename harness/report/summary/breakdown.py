"""Where a cell's errors are: by kind of token, by place in the utterance, by speaker, length, pace and tag.

Knows aligned utterances and what they are labelled with; does not know files or pages. No part is tested against
another: many parts have few speakers.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from harness.report.difference.difference import UNPOOLED
from harness.report.summary.confusions import Tenth, deletions_by_position
from harness.report.summary.token_classes import Spoken, Tally, TokenClass, by_class
from harness.score.edits import EditCounts
from harness.score.score import WORD_METRICS, rate, total
from harness.stats.intervals import apart_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.report.rows.kinship import Block
    from harness.report.summary.confusions import Piece
    from harness.units import Seconds

EDGES_S: Final = (0.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Where buckets of length begin: a command, a sentence, two, a paragraph, minutes."""

EDGES_DB: Final = (10.0, 20.0, 30.0, 40.0)
"""Where buckets of the signal-to-noise ratio begin: a street, a room with people, an office, a studio."""

MOST_VALUES: Final = 20
"""A tag with more values than these is an id or a text, not a group."""


MOST_PARTS: Final = 20
"""Speakers that are listed: those with the worst rates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """A scored utterance, and what it can be put together with others by."""

    id: str
    locale: str
    reference: str
    """As it was written."""

    metric: str
    counts: EditCounts
    steps: Iterable[Piece]
    """Its alignment, token by token; gone over several times."""

    speaker: str | None
    block: Block
    """What moves together with it."""

    audio_s: Seconds | None
    tags: Mapping[str, str]
    snr_db: float | None = None
    """Of the clip; None: unknown."""

    began_at: str | None = None
    """When its session began, ISO 8601 UTC; None: unknown."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The utterances that have something in common."""

    value: str
    """What they have in common."""

    utterances: int
    errors: int
    reference_tokens: int
    rate: float | None
    """None: their references have no tokens."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """How far the worst part of a tag is from its best."""

    worst: str
    best: str
    difference: float
    """Of their rates."""

    low: float | None
    high: float | None
    """Ends of its 95 % interval over speakers, the two parts taken to have none in common; None: too few."""


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """A cell's errors, divided in several ways; each division but the one by position holds every token or utterance once."""

    token_classes: dict[TokenClass, Tally]
    """Reference tokens by what they are (`harness.report.summary.token_classes`)."""

    deletions_by_position: list[Tenth]
    """Reference tokens in ten parts of the utterance, from its start to its end."""

    by_speaker: list[Part]
    """The worst rate first, at most 20; empty: nobody says who spoke."""

    by_duration: list[Part]
    """By length of the clip; empty: unknown."""

    by_pace: list[Part]
    """The slowest, middle and fastest third, in reference tokens a second; empty: lengths unknown or all alike."""

    by_snr: list[Part]
    """By how far the speech stands out from its background (`harness.audio.speech`); empty: unknown."""

    by_turn: list[Part]
    """The first, middle and last third of the cell's sessions, by when they began; empty: unknown."""

    by_hour: list[Part]
    """By the hour in which sessions began, UTC; empty: unknown, or all in one."""

    by_tag: dict[str, list[Part]]
    """By the dataset's own tags of two to twenty values that are not all numbers."""

    gaps: dict[str, Gap]
    """By tag: the worst part against the best."""


def breakdown(utterances: Sequence[Utterance]) -> Breakdown:
    """Return where the errors of a cell's scored utterances are; they share a locale and a metric."""
    metric = utterances[0].metric if utterances else ""
    words = metric in WORD_METRICS
    tags = groups_of([one.tags for one in utterances])

    def divided(labels: Iterable[str | None]) -> list[Part]:
        labelled = zip(labels, utterances, strict=True)
        return parts(((label, one.counts) for label, one in labelled if label is not None), metric)

    by_tag = {name: divided(one.tags.get(name) for one in utterances) for name in tags}
    return Breakdown(
        token_classes=by_class(
            [
                Spoken(steps=one.steps, reference=one.reference, locale=one.locale, words=words)
                for one in utterances
            ]
        ),
        deletions_by_position=deletions_by_position(one.steps for one in utterances),
        by_speaker=divided(one.speaker for one in utterances)[:MOST_PARTS],
        by_duration=divided(
            None if one.audio_s is None else length_label(one.audio_s) for one in utterances
        ),
        by_pace=divided(_pace_labels(utterances)),
        by_snr=divided(None if one.snr_db is None else snr_label(one.snr_db) for one in utterances),
        by_turn=divided(_turn_labels(utterances)),
        by_hour=hours if len(hours := divided(map(_hour_label, utterances))) > 1 else [],
        by_tag=by_tag,
        gaps={
            name: gap
            for name, own in by_tag.items()
            if metric not in UNPOOLED and (gap := _gap(name, own, utterances))
        },
    )


def parts(labelled: Iterable[tuple[str, EditCounts]], metric: str) -> list[Part]:
    """Return the parts of counts that are labelled, the worst rate first."""
    groups: dict[str, list[EditCounts]] = {}
    for label, counts in labelled:
        groups.setdefault(label, []).append(counts)
    found = []
    for label, group in groups.items():
        pooled = total(group)
        found.append(
            Part(
                value=label,
                utterances=len(group),
                errors=pooled.errors,
                reference_tokens=pooled.reference_tokens,
                rate=rate(metric, pooled),
            )
        )
    return sorted(found, key=lambda part: (part.rate is None, -(part.rate or 0.0), part.value))


def length_label(length_s: Seconds) -> str:
    """Return the bucket that a length in seconds is in: `4 to 8 s`."""
    place = max(bisect_right(EDGES_S, length_s), 1)
    low = f"{EDGES_S[place - 1]:g}"
    return f"{low} s and over" if place == len(EDGES_S) else f"{low} to {EDGES_S[place]:g} s"


def snr_label(snr_db: float) -> str:
    """Return the bucket that a signal-to-noise ratio is in: `10 to 20 dB`."""
    place = bisect_right(EDGES_DB, snr_db)
    if place == 0:
        return f"under {EDGES_DB[0]:g} dB"
    if place == len(EDGES_DB):
        return f"{EDGES_DB[-1]:g} dB and over"
    return f"{EDGES_DB[place - 1]:g} to {EDGES_DB[place]:g} dB"


def _turn_labels(utterances: Sequence[Utterance]) -> list[str | None]:
    """Return which third of the sessions each is in, by when they began; None: unknown, or there are fewer than three."""
    began = sorted(one.began_at for one in utterances if one.began_at)
    if len(began) < 3:
        return [None] * len(utterances)
    thirds = [began[len(began) * third // 3] for third in (1, 2)]
    names = ("first third", "middle third", "last third")
    return [
        names[bisect_right(thirds, one.began_at)] if one.began_at else None for one in utterances
    ]


def _hour_label(one: Utterance) -> str | None:
    return f"{one.began_at[11:13]}:00 UTC" if one.began_at else None


def _pace_labels(utterances: Sequence[Utterance]) -> list[str | None]:
    """Return which third each utterance is in by reference tokens a second; None: its length is unknown or nothing is said."""
    paces = [
        one.counts.reference_tokens / one.audio_s if one.audio_s else None for one in utterances
    ]
    ordered = sorted(pace for pace in paces if pace)
    if not ordered or ordered[0] == ordered[-1]:
        return [None] * len(utterances)
    slow, fast = (ordered[(len(ordered) - 1) * third // 3] for third in (1, 2))
    names = [
        f"up to {slow:.1f} a second",
        f"{slow:.1f} to {fast:.1f} a second",
        f"over {fast:.1f} a second",
    ]
    return [names[bisect_left((slow, fast), pace)] if pace else None for pace in paces]


def _gap(tag: str, parts: Sequence[Part], utterances: Iterable[Utterance]) -> Gap | None:
    """Return the worst part of a tag against its best; None: fewer than two have a rate."""
    rated = [part for part in parts if part.rate is not None]
    if len(rated) < 2:
        return None
    worst, best = rated[0], rated[-1]
    blocks: dict[str, dict[Block, EditCounts]] = {worst.value: {}, best.value: {}}
    for one in utterances:
        own = blocks.get(one.tags.get(tag, ""))
        if own is not None:
            own[one.block] = own.get(one.block, EditCounts.zero()) + one.counts
    sides = (
        [(counts.errors, counts.reference_tokens) for counts in own.values()]
        for own in (blocks[worst.value], blocks[best.value])
    )
    interval = apart_interval(*sides)
    return Gap(
        worst=worst.value,
        best=best.value,
        difference=(worst.rate or 0.0) - (best.rate or 0.0),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def groups_of(tags: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the names of tags that divide utterances: of two to twenty values, and not all of them numbers."""
    values: dict[str, set[str]] = {}
    for one in tags:
        for name, value in one.items():
            values.setdefault(name, set()).add(value)
    return sorted(
        name
        for name, own in values.items()
        if 2 <= len(own) <= MOST_VALUES and not all(map(_is_number, own))
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
