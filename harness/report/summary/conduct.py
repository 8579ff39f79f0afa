"""How a run's sessions went: what went wrong, and whether our own client was on time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.report.summary.document import NOT_ATTEMPTED, Certificate, Trouble
from harness.report.summary.pooling import ascending, grouped
from harness.stats.percentiles import percentile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.report.rows.row import Row
    from harness.run.certificate import Certificate as ProcessCertificate


def troubles(rows: Iterable[Row]) -> list[Trouble]:
    """Return what went wrong, by outcome and class, the commonest first."""
    unwell = (row for row in rows if row.outcome != "ok" and row.passed is not True)
    groups = grouped(
        unwell, lambda row: (row.outcome, row.session.failure if row.session else None)
    )
    found = []
    for (outcome, failure), group in groups.items():
        reasons = Counter(row.reason for row in group if row.reason)
        found.append(
            Trouble(
                outcome=outcome or NOT_ATTEMPTED,
                failure=failure,
                rows=len(group),
                counted=_counted(group[0]),
                reasons=dict(reasons.most_common(3)),
            )
        )
    return sorted(found, key=lambda trouble: -trouble.rows)


def _counted(row: Row) -> str:
    if row.refused:
        return "refused: has no rate"
    return "must be run again" if row.must_rerun else "scored as it is"


def certificate(rows: Iterable[Row], processes: list[ProcessCertificate]) -> Certificate:
    """Return whether our own client was on time, over all sessions, and what was seen of its processes."""
    measured = [row for row in rows if row.send_lag_p99_ms is not None]
    medians = ascending(row.send_lag_p50_ms for row in measured)
    worst = ascending(row.send_lag_p99_ms for row in measured)
    return Certificate(
        sessions=len(measured),
        late=sum(row.late is True for row in measured),
        lag_p50_ms=percentile(medians, 50),
        lag_p99_worst_ms=worst[-1] if worst else None,
        lag_max_ms=max(
            ascending(row.session.send_lag_max_ms for row in measured if row.session), default=None
        ),
        processes=processes,
    )
