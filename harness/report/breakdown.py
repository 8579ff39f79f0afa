"""Error rates of parts: by speaker, by length of clip, by tag.

Knows counts and what they are labelled with; does not know texts. No part is tested against another here: many parts
have few speakers.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import msgspec

from harness.score.score import rate, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.score.edits import EditCounts
    from harness.units import Seconds

EDGES_S: Final = (0.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Where buckets of length begin: a command, a sentence, two, a paragraph, minutes."""

MOST_VALUES: Final = 20
"""A tag with more values than these is an id or a text, not a group."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The utterances that have something in common."""

    value: str
    """What they have in common."""

    utterances: int
    errors: int
    reference_tokens: int
    rate: float | None
    """None: their references have no tokens."""


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
