"""A row of `utterances.csv`: one planned session, its columns, and what pages draw and summaries pool.

Knows one row; does not know how it is made (`rows`), nor what many say together (`summary`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from harness.report.rows.diff import pieces
from harness.report.rows.kinship import block
from harness.score.score import rate
from harness.session.retry import STANDING_REFUSALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.report.rows.diff import Piece
    from harness.report.rows.kinship import Block
    from harness.run.record import PlannedUtterance, Replayed
    from harness.score.edits import EditCounts
    from harness.trace.trace import FailureKind
    from harness.units import Milliseconds, Seconds, Usd

ANSWERS = frozenset({"ok", "ok_empty", "partial", "failed_server", "blocked"})
"""Outcomes that are the service's own answer, and are scored as such: no text is all deletions."""


class Session(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What summaries say of a row's last attempt beside its columns; as in its record (`harness.run.record`)."""

    place: int
    """Of the record, among the run's attempts."""

    failure: FailureKind | None
    reason: str | None
    started_at: str
    endpoint: str | None
    emulator: str | None
    violations: tuple[str, ...]
    seams: int
    replays: tuple[Replayed, ...]
    open_turn: bool
    behind_turn_s: Seconds | None
    send_lag_max_ms: Milliseconds | None
    prompt_by_modality: Mapping[str, int]
    response_by_modality: Mapping[str, int]


class Companions(msgspec.Struct, frozen=True, gc=False):
    """A row's edits under the other metrics and profiles; None: not scored."""

    wer: EditCounts | None = None
    cer: EditCounts | None = None
    cerns: EditCounts | None = None
    norm_1: EditCounts | None = None
    """Of the row's metric, under `norm-1`."""

    def get(self, name: str) -> EditCounts | None:
        """Return the edits under a score's name for them (`Score.companions`): WER, CER, CERns or norm-1."""
        known = {"WER": self.wer, "CER": self.cer, "CERns": self.cerns, "norm-1": self.norm_1}
        return known[name]


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One planned session: the columns of `utterances.csv`, then what pages draw and summaries pool.

    A report holds perhaps a million: what can be derived is not kept, and what rows share is kept once.
    """

    planned: PlannedUtterance
    """The utterance, as the plan has it."""

    model: str
    repeat: int
    outcome: str | None
    hypothesis: str | None
    metric: str | None
    audio_s: Seconds | None
    first_text_s: Seconds | None
    final_text_s: Seconds | None
    speech_bounds_source: str | None
    setup_s: Seconds | None
    send_lag_p50_ms: Milliseconds | None
    send_lag_p99_ms: Milliseconds | None
    late: bool | None
    attempts: int
    prompt_tokens: int | None
    response_tokens: int | None
    total_tokens: int | None
    cost_usd: Usd | None
    reason: str | None
    first_audio_s: Seconds | None = None
    speech_s: Seconds | None = None
    speech_chars_per_s: float | None = None
    expectation: str | None = None
    passed: bool | None = None
    first_reply_s: Seconds | None = None
    tool_call_s: Seconds | None = None
    interrupted_s: Seconds | None = None
    fell_silent_s: Seconds | None = None
    thoughts_tokens: int | None = None
    cached_tokens: int | None = None
    tool_use_tokens: int | None = None
    ear: str | None = None
    ear_hypothesis: str | None = None

    recording: str | None = None
    """The file that other utterances are cut from too, by its content; None: it has one of its own."""

    twin: str | None = None
    """The first locale of the dataset with the same clips, which are one test set; None: this is it, or it has its own."""

    snr_db: float | None = None
    """How far the speech stands out from its background; None: nobody listened, and the dataset does not say."""

    counts: EditCounts | None
    """Edits of the row's metric; None: not scored."""

    ear_counts: EditCounts | None = None
    """Edits of the row's metric in what an ear of ours heard; None: none was asked, or there is no reference."""

    companions: Companions
    if_deleted: EditCounts | None
    """Edits that a row that must be run again would have, had it been heard as nothing; None: it has counts, or no
    reference."""

    diff_text: str
    """The alignment that `counts` counted, runs merged, as `harness.report.rows.diff` writes it."""

    faults: tuple[str, ...]
    """What is suspicious about the transcript (`harness.score.faults`)."""

    unbilled_usd: Usd | None
    """What attempts and broken connections without a bill will have cost, estimated by their audio; None: there were
    none, or the model has no price."""

    at_seams: EditCounts
    """Errors where another connection went on with the clip: tokens lost there, doubled or made up."""

    session: Session | None
    """The last attempt, when it was final."""

    @property
    def utterance_id(self) -> str:
        """The utterance's id, unique in its dataset."""
        return self.planned.id

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return self.planned.dataset

    @property
    def locale(self) -> str:
        """BCP-47 locale of the utterance."""
        return self.planned.locale

    @property
    def reference(self) -> str | None:
        """What was said, as the dataset writes it; None: it does not say."""
        return self.planned.reference or None

    @property
    def speaker(self) -> str | None:
        """Speaker in the dataset; None: unknown."""
        return self.planned.speaker

    @property
    def tags(self) -> Mapping[str, str]:
        """The dataset's own tags that are texts, by name."""
        return {
            name: value
            for name, value in self.planned.tags.items()
            if isinstance(value, str) and value
        }

    @property
    def errors(self) -> int | None:
        """S + D + I of `counts`."""
        return self.counts.errors if self.counts else None

    @property
    def hits(self) -> int | None:
        """H of `counts`."""
        return self.counts.hits if self.counts else None

    @property
    def substitutions(self) -> int | None:
        """S of `counts`."""
        return self.counts.substitutions if self.counts else None

    @property
    def deletions(self) -> int | None:
        """D of `counts`."""
        return self.counts.deletions if self.counts else None

    @property
    def insertions(self) -> int | None:
        """I of `counts`."""
        return self.counts.insertions if self.counts else None

    @property
    def reference_tokens(self) -> int | None:
        """N of `counts`."""
        return self.counts.reference_tokens if self.counts else None

    @property
    def rate(self) -> float | None:
        """The metric of `counts`; None: not scored, or the reference has no token."""
        return rate(self.metric, self.counts) if self.metric and self.counts else None

    @property
    def ear_errors(self) -> int | None:
        """S + D + I of `ear_counts`."""
        return self.ear_counts.errors if self.ear_counts else None

    @property
    def ear_rate(self) -> float | None:
        """The metric of `ear_counts`; None as above."""
        return rate(self.metric, self.ear_counts) if self.metric and self.ear_counts else None

    @property
    def test_set(self) -> str:
        """The locale that stands for its clips in a macro average."""
        return self.twin or self.locale

    @property
    def block(self) -> Block:
        """What moves together with it."""
        return block(
            speaker=self.speaker,
            recording=self.recording,
            reference=self.reference,
            utterance=self.utterance_id,
        )

    @property
    def diff(self) -> list[Piece]:
        """The alignment that `counts` counted, runs merged."""
        return pieces(self.diff_text)

    @property
    def judged(self) -> bool:
        """Whether the row is in a rate: its transcript was counted, or its answer held against what was expected."""
        return self.counts is not None or self.passed is not None

    @property
    def refused(self) -> bool:
        """Whether the service refused what it was asked with, which it would do again."""
        failure = self.session.failure if self.session else None
        return self.outcome == "failed_client" and failure in STANDING_REFUSALS

    @property
    def must_rerun(self) -> bool:
        """Whether this is no answer of the service: quota, our own failure, or never attempted."""
        return self.outcome not in ANSWERS
