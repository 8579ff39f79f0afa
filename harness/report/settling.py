"""How a transcript settles: the error rate of what was on the screen some time after the end of speech (WER@δ).

Every trace of a large run would take minutes to read and score six times, so a seeded sample of each cell is taken.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from harness.report.document import Settled
from harness.report.summary import pooled
from harness.score.score import score_text
from harness.score.stability import DELTAS_S, screens, text_at
from harness.trace import hypothesis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.report.exhibits import Exhibits
    from harness.report.rows import Row
    from harness.score.edits import EditCounts
    from harness.units import Seconds

_MOST: Final = 600
"""Sessions that are looked at, spread evenly over the cells."""

_FEWEST: Final = 3
"""Sessions of a cell that are looked at, however many cells there are."""


def settling(rows: Sequence[Row], exhibits: Exhibits, *, profile: str) -> list[Settled]:
    """Return the error rates of every dataset × model at each time after the end of speech, then of the final text.

    `rows` are those of a run that was paced at real time. Late sessions and those without a trace are left out.
    """
    found = []
    for (dataset, model), cells in _sampled(rows).items():
        every = [row for own in cells.values() for row in own]
        metric = "WER" if {row.metric for row in every} == {"WER"} else "CERns"
        counted = {
            locale: [counts for row in own if (counts := _counts(row, exhibits, profile, metric))]
            for locale, own in cells.items()
        }
        seen = {locale: own for locale, own in counted.items() if own}
        if not seen:
            continue
        for delta in (*DELTAS_S, None):
            rates = [pooled(counts[delta] for counts in own).rate for own in seen.values()]
            known = [rate for rate in rates if rate is not None]
            found.append(
                Settled(
                    dataset=dataset,
                    model=model,
                    after_s=delta,
                    metric=metric,
                    rate=sum(known) / len(known) if known else None,
                    locales=len(known),
                    sessions=sum(map(len, seen.values())),
                )
            )
    return found


def _sampled(rows: Iterable[Row]) -> dict[tuple[str, str], dict[str, list[Row]]]:
    """Return some rows of each dataset × model, by locale."""
    cells: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.late is False and row.counts is not None and row.counts.reference_tokens:
            cells.setdefault((row.dataset, row.model, row.locale), []).append(row)
    most = max(_FEWEST, _MOST // max(1, len(cells)))
    draw = random.Random(0)  # noqa: S311 - a sample, not a secret
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for (dataset, model, locale), own in cells.items():
        picked = own if len(own) <= most else draw.sample(own, most)
        found.setdefault((dataset, model), {})[locale] = picked
    return found


def _counts(
    row: Row, exhibits: Exhibits, profile: str, metric: str
) -> dict[Seconds | None, EditCounts] | None:
    """Return a row's edits at each time, and of its final text (None); None: its trace or its speech is unknown."""
    trace, bounds = exhibits.trace(row), exhibits.bounds(row)
    if trace is None or bounds is None or row.reference is None:
        return None
    shown = screens(hypothesis(trace, exhibits.channel).fragments)
    final = row.companions[metric]
    known = {shown[-1].text if shown else "": final}
    counts: dict[Seconds | None, EditCounts] = {None: final}
    for delta in DELTAS_S:
        text = text_at(shown, bounds.end_s + delta)
        if text not in known:
            score = score_text(row.reference, text, row.locale, profile=profile)
            known[text] = score.companions[metric]
        counts[delta] = known[text]
    return counts
