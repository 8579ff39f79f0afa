"""The rows of `utterances.csv`: plan, journal and scores brought together, one row a planned session.

Knows one row at a time. What many rows say together is `summary`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.report.rows.by_ear import by_ear
from harness.report.rows.diff import SPACED, merged, pieces, written
from harness.report.rows.kinship import Kin, block
from harness.report.rows.replies import Reply, reply
from harness.run.attempt import OF_THE_AUDIO
from harness.run.bill import answered_tokens, bill_usd, spent_usd, unbilled_usd
from harness.run.folder import slot, slots
from harness.score.edits import EditCounts
from harness.score.faults import faults
from harness.score.score import Score, Unscored, judgement
from harness.score.seams import at_seams
from harness.units import SAMPLE_RATE, Milliseconds, Seconds, Usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.report.rows.bounds import SpeechBook
    from harness.report.rows.diff import Piece
    from harness.report.rows.kinship import Block
    from harness.run.folder import Slot
    from harness.run.heard import HeardSpeech
    from harness.run.record import (
        Plan,
        PlannedUtterance,
        Usage,
        UtteranceRecord,
    )

ANSWERS = frozenset({"ok", "ok_empty", "partial", "failed_server", "blocked"})
"""Outcomes that are the service's own answer, and are scored as such: no text is all deletions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One planned session: the columns of `utterances.csv`, then what pages draw and summaries pool."""

    utterance_id: str
    dataset: str
    locale: str
    model: str
    repeat: int
    outcome: str | None
    reference: str | None
    hypothesis: str | None
    metric: str | None
    errors: int | None
    hits: int | None
    substitutions: int | None
    deletions: int | None
    insertions: int | None
    reference_tokens: int | None
    rate: float | None
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
    ear_errors: int | None = None
    ear_rate: float | None = None

    speaker: str | None
    """Speaker in the dataset; None: unknown."""

    tags: Mapping[str, str]
    """The dataset's own tags that are texts, by name."""

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

    companions: Mapping[str, EditCounts]
    """Edits under the other metrics and profiles, by name."""

    if_deleted: EditCounts | None
    """For a row that must be run again: the edits had nothing been heard; None: it has no reference."""

    diff_text: str
    """The alignment that `counts` counted, runs merged, as `harness.report.rows.diff` writes it."""

    faults: tuple[str, ...]
    """What is suspicious about the transcript (`harness.score.faults`)."""

    unbilled_usd: Usd | None
    """What attempts and broken connections that brought no bill will have cost, by their audio; None: there were none,
    or the model has no price."""

    at_seams: EditCounts
    """Errors where another connection went on with the clip: tokens lost there, doubled or made up."""

    record: UtteranceRecord | None
    """The last attempt, when it was final."""

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
    def must_rerun(self) -> bool:
        """Whether this is no answer of the service: quota, our own failure, or never attempted."""
        return self.outcome not in ANSWERS


def rows(
    plan: Plan,
    records: Iterable[UtteranceRecord],
    speech: SpeechBook,
    *,
    profile: str,
    metric: str,
    heard: Mapping[str, HeardSpeech] | None = None,
) -> Iterator[Row]:
    """Yield a row for every planned session, in plan order, scored under `profile` and `metric`.

    `heard` is what an ear of ours made of the speech that was kept; None: none was asked. UsageError names an unknown
    profile or metric. Records that the plan does not know are passed over.
    """
    utterances = {(utterance.dataset, utterance.id): utterance for utterance in plan.utterances}
    kin = Kin(plan)
    attempts: dict[Slot, list[UtteranceRecord]] = {}
    for record in records:
        attempts.setdefault(slot(record), []).append(record)
    for wanted in slots(plan):
        dataset, utterance_id, _, _ = wanted
        utterance = utterances[dataset, utterance_id]
        row = _row(
            wanted,
            utterance,
            attempts.get(wanted, []),
            speech,
            plan,
            kin=kin,
            profile=profile,
            metric=metric,
        )
        yield _heard(row, utterance, heard, profile, metric) if heard else row


def _heard(
    row: Row,
    utterance: PlannedUtterance,
    heard: Mapping[str, HeardSpeech],
    profile: str,
    metric: str,
) -> Row:
    """Return a row with what an ear of ours made of its speech; the row as it is where there is no answer to hear."""
    told = None if row.must_rerun else by_ear(utterance, row.record, heard, profile, metric)
    if told is None:
        return row
    return replace(
        row,
        ear=told.ear,
        ear_hypothesis=told.text or None,
        ear_errors=told.counts.errors if told.counts else None,
        ear_rate=told.rate,
        ear_counts=told.counts,
    )


def _row(
    wanted: Slot,
    utterance: PlannedUtterance,
    attempts: list[UtteranceRecord],
    speech: SpeechBook,
    plan: Plan,
    *,
    kin: Kin,
    profile: str,
    metric: str,
) -> Row:
    _, _, model, repeat = wanted
    record = next((record for record in reversed(attempts) if record.final), None)
    audio_s = _audio_s(record)
    # Without a record there is no latency to count from them, and looking for them means decoding the whole clip.
    wanted_bounds = record is not None and plan.task != "speak"
    bounds = speech.bounds(utterance, audio_s) if wanted_bounds else None
    onset = bounds.start_s if bounds else None
    end = bounds.end_s if bounds else None
    usages = [attempt.usage for attempt in attempts if attempt.usage.records]
    answered = record is not None and record.outcome in ANSWERS
    heard = (record.hypothesis or "") if record and answered else ""
    said = utterance.reference
    judged = (
        Unscored(reason="an answer has no reference")
        if plan.task == "ask"
        else judgement(said, heard, utterance.locale, profile=profile, metric=metric)
    )
    scored = judged if isinstance(judged, Score) and answered else None
    told = reply(plan, utterance, record, bounds=bounds, scored=scored, answered=answered)
    reason = record.reason if record else _unfinished(attempts)
    if plan.task == "ask":
        reason = _of_the_answer(reason, told)
    elif isinstance(judged, Unscored):
        reason = reason or judged.reason
    elif judged.rate is None and answered:
        reason = reason or "the reference has no tokens"
    counts = scored.counts if scored else None
    ended = record is not None and not record.open_turn
    return Row(
        utterance_id=utterance.id,
        dataset=utterance.dataset,
        locale=utterance.locale,
        model=model,
        repeat=repeat,
        outcome=record.outcome if record else None,
        reference=utterance.reference or None,
        hypothesis=(record.hypothesis or None) if record else None,
        metric=scored.metric if scored else None,
        errors=counts.errors if counts else None,
        hits=counts.hits if counts else None,
        substitutions=counts.substitutions if counts else None,
        deletions=counts.deletions if counts else None,
        insertions=counts.insertions if counts else None,
        reference_tokens=counts.reference_tokens if counts else None,
        rate=scored.rate if scored else None,
        audio_s=audio_s,
        first_text_s=_since(onset, record.first_text_t if record else None),
        final_text_s=_since(end, record.final_text_t if record and ended else None),
        speech_bounds_source=bounds.source if bounds else None,
        setup_s=_rounded(record.setup_s if record else None),
        send_lag_p50_ms=_rounded(record.send_lag_p50_ms if record else None),
        send_lag_p99_ms=_rounded(record.send_lag_p99_ms if record else None),
        late=record.late if record else None,
        attempts=sum(map(_was_made, attempts)),
        prompt_tokens=_sum(usage.prompt_tokens for usage in usages),
        response_tokens=_sum(answered_tokens(usage) for usage in usages),
        total_tokens=_sum(usage.total_tokens for usage in usages),
        cost_usd=_cost(model, usages),
        reason=reason,
        first_audio_s=told.first_audio_s,
        speech_s=told.speech_s,
        speech_chars_per_s=told.speech_chars_per_s,
        expectation=told.expectation,
        passed=told.passed,
        first_reply_s=told.first_reply_s,
        tool_call_s=told.tool_call_s,
        interrupted_s=told.interrupted_s,
        fell_silent_s=told.fell_silent_s,
        thoughts_tokens=_sum(usage.thoughts_tokens for usage in usages),
        cached_tokens=_sum(usage.cached_tokens for usage in usages),
        tool_use_tokens=_sum(usage.tool_use_tokens for usage in usages),
        speaker=utterance.speaker,
        tags={
            name: value
            for name, value in utterance.tags.items()
            if isinstance(value, str) and value
        },
        snr_db=bounds.snr_db if bounds else None,
        recording=kin.recording(utterance),
        twin=kin.twin(utterance),
        counts=counts,
        companions=scored.companions if scored else {},
        if_deleted=judged.counts if isinstance(judged, Score) and not answered else None,
        diff_text=written(merged(scored.alignment, spaced=scored.metric in SPACED))
        if scored
        else "",
        faults=faults(scored, audio_s=audio_s) if scored and heard else (),
        at_seams=at_seams(scored, heard, record.seam_at) if scored and record else EditCounts(),
        unbilled_usd=_unbilled(attempts),
        record=record,
    )


def _audio_s(record: UtteranceRecord | None) -> Seconds | None:
    if record and record.audio_samples is not None:
        return record.audio_samples / SAMPLE_RATE
    return None


def _of_the_answer(reason: str | None, told: Reply) -> str | None:
    """Return why an answer is not right, and behind it what is odd about the question's audio.

    Where the session is not whole, that is why: what is missed in its answer may have come.
    """
    if reason is not None and reason.startswith(OF_THE_AUDIO):
        return "; ".join(filter(None, (told.why, reason)))
    return None if told.passed else reason or told.why


def _was_made(attempt: UtteranceRecord) -> bool:
    """Return whether an attempt opened a connection, or was let open one: what has no trace and took nothing did not."""
    return attempt.trace is not None or attempt.lost is not None


def _unfinished(attempts: list[UtteranceRecord]) -> str:
    if not attempts:
        return "not attempted"
    last = attempts[-1]
    return f"not finished after {len(attempts)} attempts; the last: {last.reason or last.outcome}"


def _since(origin: Seconds | None, t: Seconds | None) -> Seconds | None:
    return None if origin is None or t is None else _rounded(t - origin)


def _rounded(value: float | None) -> float | None:
    """Return `value` to the millionth: a loop's clock says no more."""
    return None if value is None else round(value, 6)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _cost(model: str, usages: list[Usage]) -> Usd | None:
    """Return what all attempts cost; None when one of them cannot be priced or none brought a bill."""
    costs = [bill_usd(model, usage) for usage in usages]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known), 10) if known and len(known) == len(costs) else None


def _unbilled(attempts: list[UtteranceRecord]) -> Usd | None:
    """Return the estimate of what the attempts cost, or their broken connections, that brought no bill."""
    taken = [one for one in attempts if one.setup_s is not None or one.unbilled_samples or one.lost]
    silent = sum(spent_usd(one) for one in taken if not one.usage.records)
    broken = sum(unbilled_usd(one) or 0.0 for one in taken if one.usage.records)
    return silent + broken or None
