"""The document of a comparison: what `harness compare --json` prints, and every other rendering repeats.

Differences are new less base, so a negative one of an error rate is better, and a positive one of a share passed. Knows
shapes; how they are made is `compare`, how they are told is `digest` and `page.comparison`.
"""

from __future__ import annotations

import msgspec

from harness.report.difference.pairing import Common
from harness.report.difference.verdict import RateDifference
from harness.report.gates.gate import GateResult
from harness.report.rows.diff import Piece
from harness.units import Seconds, Usd, count_text

COMPARISON_SCHEMA = 1

PASSED = "passed"
"""Metric of answers: the share that is what was expected."""


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """Something that differs between two runs and makes their figures incomparable."""

    run: str
    """The new run's name."""

    field: str
    """What differs: `profile`, `metric`, `service`, `task`, `reference`, `locale`."""

    base: str
    new: str
    count: int | None = None
    """Utterances that it concerns; None: the whole run."""

    @property
    def text(self) -> str:
        """What differs, in words."""
        where = ""
        if self.count is not None:
            first = ", the first:" if self.count > 1 else ":"
            where = f" of {count_text(self.count, 'common utterance')}{first}"
        return f"{self.field}{where} {self.base} in the base, {self.new} in {self.run}"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the runs."""

    run: str
    """The run folder's name."""

    plan_hash: str
    created_at: str
    """When it was planned, ISO 8601 UTC."""

    command: str
    models: list[str]
    answered_by: dict[str, str]
    """By kind (`emulated`, `scripted`, `other`, `google`), who answered, as reports label it."""

    sessions: int
    """Rows planned."""

    failed: int
    """Rows that must be run again."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the plan that differs."""

    field: str
    """Dotted: `setup.generationConfig.temperature`."""

    base: str | None
    """Value as JSON, plain text without its quotes; None: it has no such field."""

    new: str | None


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """How a latency differs over the utterances that both runs timed; s."""

    of: str
    """What came: `final text`; to a question `first reply`, of speech `first audio`."""

    n: int
    """Utterances timed on both sides."""

    base_p50_s: Seconds
    new_p50_s: Seconds
    p50_difference_s: Seconds
    base_p95_s: Seconds | None
    """None: too few; a p95 takes 20."""

    new_p95_s: Seconds | None
    p95_difference_s: Seconds | None
    shift_s: Seconds
    """Median of the utterances' own differences."""

    shift_low_s: Seconds | None
    """Ends of its 95 % interval (order statistics); None: fewer than six utterances."""

    shift_high_s: Seconds | None


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What the common utterances cost in each run, repeats averaged; None: some session did not say."""

    base_tokens: float | None
    new_tokens: float | None
    base_cost_usd: Usd | None
    """At the catalogue's list prices."""

    new_cost_usd: Usd | None


class CellDifference(RateDifference, frozen=True, kw_only=True):
    """Dataset × locale × pair of models."""

    dataset: str
    locale: str
    base_model: str
    new_model: str
    metric: str | None
    """`passed`: the share of answers that are what was expected. None: no pair is scored."""

    utterances: int
    """Common utterances."""

    pairs: int
    """Those among them that are scored on both sides: what the rates rest on."""

    base_failed: int
    """The base's rows among them that must be run again."""

    new_failed: int
    speakers_known: bool
    """False: some utterance has no speaker and is a block of its own; the interval is a lower bound."""

    improved: int
    """Pairs with fewer errors in the new run, or whose answer passed in more of its repeats."""

    worsened: int
    mapsswe_p: float | None
    """NIST's matched-pairs test, for comparison with published tables; None: not a WER, or repeated runs."""

    delay: Delay | None
    """None: no utterance was timed on both sides."""

    bill: Bill


class MacroDifference(RateDifference, frozen=True, kw_only=True):
    """The plain mean over the complete locales of a dataset and a pair of models."""

    dataset: str
    base_model: str
    new_model: str
    metric: str
    """`CERns`, which compares languages, over all; `WER` (or the one asked for) over the locales that it is meant for; of
    answers `passed`."""

    locales: list[str]


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """An utterance whose errors, or whose answer's verdict, changed."""

    dataset: str
    utterance_id: str
    locale: str
    base_model: str
    new_model: str
    metric: str | None
    reference: str | None
    base_hypothesis: str | None
    """Of the first scored repeat, as the service wrote it."""

    new_hypothesis: str | None
    base_errors: float
    """Mean over the repeats; of answers the share that did not pass."""

    new_errors: float
    reference_tokens: int
    share: float
    """What it adds to the difference of its locale's rate: what makes characters and words comparable."""

    repeats: int
    """Of the longer side."""

    base_diff: list[Piece]
    """The alignment of the transcript shown, runs merged."""

    new_diff: list[Piece]


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """The base against one other run."""

    new: Side
    utterances: Common
    changes: list[Change]
    notes: list[str]
    """What the reader must know before believing a figure."""

    macros: list[MacroDifference]
    cells: list[CellDifference]
    moved: list[Moved]
    """The largest share in the difference of their locale first."""

    gate: GateResult | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A base and the runs compared with it."""

    schema: int = COMPARISON_SCHEMA
    kind: str = "comparison"
    forced: list[Obstacle]
    """What speaks against comparing them, and was overruled."""

    harness: str
    profile: str
    """Text profile that all runs were scored under, with what was absent."""

    code_sha256: str
    metric: str
    margin: float | None
    """What `no worse` allows, as a ratio; None: not asked."""

    level: float
    """p at or below which a difference counts."""

    base: Side
    contrasts: list[Contrast]
