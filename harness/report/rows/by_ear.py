"""What a row's speech is worth to an ear of ours, beside what the service says that it said.

Knows one row at a time, and what the ear heard of its WAV (`harness.run.heard`); does not know how an ear hears.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.run.heard import speech_file
from harness.score.score import Score, judgement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.run.heard import HeardSpeech
    from harness.run.record import PlannedUtterance, UtteranceRecord
    from harness.score.edits import EditCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class ByEar:
    """A row's columns by ear."""

    ear: str
    text: str
    """What it heard; empty: nothing."""

    counts: EditCounts | None
    """Edits of the row's metric; None: there is no reference to hold it against."""


def by_ear(
    utterance: PlannedUtterance,
    record: UtteranceRecord | None,
    heard: Mapping[str, HeardSpeech],
    profile: str,
    metric: str,
) -> ByEar | None:
    """Return what there is to say of a row's speech; None: nobody has listened to it yet.

    An answer without speech, in a run that an ear has heard, is heard as nothing. UsageError as `judgement`.
    """
    if record is None:
        return None
    file = speech_file(record)
    line = None if file is None else heard.get(file)
    if file is not None and line is None:
        return None
    text = line.text if line else ""
    judged = judgement(utterance.reference, text, utterance.locale, profile=profile, metric=metric)
    scored = judged if isinstance(judged, Score) else None
    return ByEar(
        ear=line.ear if line else " + ".join(sorted({one.ear for one in heard.values()})),
        text=text,
        counts=scored.counts if scored else None,
    )
