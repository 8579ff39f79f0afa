"""How rows are made: plan, journal and scores brought together, one row a planned session.

Knows one row at a time. What many rows say together is `summary`.
"""

from __future__ import annotations

from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Final

import msgspec

from harness.report.rows.by_ear import by_ear
from harness.report.rows.diff import SPACED, merged, written
from harness.report.rows.kinship import Kin
from harness.report.rows.replies import Reply, reply
from harness.report.rows.row import ANSWERS, Companions, Row, Session
from harness.run.attempt import OF_THE_AUDIO
from harness.run.bill import answered_tokens, bill_usd, spent_usd, unbilled_usd
from harness.run.folder import planned_sessions
from harness.score.edits import EditCounts
from harness.score.faults import faults
from harness.score.score import Score, Unscored, judgement
from harness.score.seams import at_seams
from harness.units import SAMPLE_RATE, Seconds, Usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.report.rows.bounds import SpeechBook
    from harness.run.attempts import Slots
    from harness.run.heard import HeardSpeech
    from harness.run.record import (
        Plan,
        PlannedUtterance,
        Usage,
        UtteranceRecord,
    )
    from harness.trace.trace import Outcome


def rows(
    plan: Plan,
    records: Sequence[UtteranceRecord],
    places: Slots,
    speech: SpeechBook,
    *,
    profile: str,
    metric: str,
    heard: Mapping[str, HeardSpeech] | None = None,
) -> Iterator[Row]:
    """Yield a row for every planned session, in plan order, scored under `profile` and `metric`.

    `places` says where among `records` those of each session are; `heard` is what an ear of ours made of the speech that was
    kept; None: none was asked. UsageError names an unknown profile or metric.
    """
    kin = Kin(plan)
    for utterance, model, repeat in planned_sessions(plan):
        own = places.places((utterance.dataset, utterance.id, model, repeat))
        attempts = {place: records[place] for place in own}
        row = _row(
            utterance,
            attempts,
            speech,
            plan,
            model=model,
            repeat=repeat,
            kin=kin,
            profile=profile,
            metric=metric,
        )
        record = attempts[row.session.place] if row.session else None
        yield _heard(row, record, heard, profile, metric) if heard else row


def _heard(
    row: Row,
    record: UtteranceRecord | None,
    heard: Mapping[str, HeardSpeech],
    profile: str,
    metric: str,
) -> Row:
    """Return a row with what an ear of ours made of its speech; the row as it is where there is no answer to hear."""
    told = None if row.must_rerun else by_ear(row.planned, record, heard, profile, metric)
    if told is None:
        return row
    return msgspec.structs.replace(
        row,
        ear=told.ear,
        ear_hypothesis=told.text or None,
        ear_counts=told.counts,
    )


def _row(
    utterance: PlannedUtterance,
    by_place: dict[int, UtteranceRecord],
    speech: SpeechBook,
    plan: Plan,
    *,
    model: str,
    repeat: int,
    kin: Kin,
    profile: str,
    metric: str,
) -> Row:
    attempts = list(by_place.values())
    place = next((at for at in reversed(by_place) if by_place[at].final), None)
    record = None if place is None else by_place[place]
    audio_s = _audio_s(record)
    # Without a record there is no latency to count from them, and looking for them means decoding the whole clip.
    wanted_bounds = record is not None and plan.task != "speak"
    bounds = speech.bounds(utterance, audio_s) if wanted_bounds else None
    onset = bounds.start_s if bounds else None
    end = bounds.end_s if bounds else None
    usages = [attempt.usage for attempt in attempts if attempt.usage.records]
    outcome = _outcome(record)
    answered = outcome in ANSWERS
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
        planned=utterance,
        model=model,
        repeat=repeat,
        outcome=outcome,
        hypothesis=(record.hypothesis or None) if record else None,
        metric=scored.metric if scored else None,
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
        snr_db=bounds.snr_db if bounds else None,
        recording=kin.recording(utterance),
        twin=kin.twin(utterance),
        counts=_one_of(counts) if counts else None,
        companions=_companions(scored) if scored else _NO_COMPANIONS,
        if_deleted=judged.counts if isinstance(judged, Score) and not answered else None,
        diff_text=written(merged(scored.alignment, spaced=scored.metric in SPACED))
        if scored
        else "",
        faults=faults(scored, audio_s=audio_s) if scored and heard else (),
        at_seams=at_seams(scored, heard, record.seam_at)
        if scored and record and record.seam_at
        else _NO_EDITS,
        unbilled_usd=_unbilled(attempts),
        session=None if record is None or place is None else session_of(record, place),
    )


def _outcome(record: UtteranceRecord | None) -> Outcome | None:
    """Return how the last attempt ended; None: there is no final one.

    What a proxy says is no answer of the service behind it: nothing is scored, and the same command asks again.
    """
    if record is not None and record.away:
        return "failed_client"
    return record.outcome if record else None


_NO_EDITS: Final = EditCounts()
_NO_COMPANIONS: Final = Companions()


@lru_cache(maxsize=1 << 14)
def _one_of(counts: EditCounts) -> EditCounts:
    """Return the first of equal counts: of words, a million rows have a few thousand."""
    return counts


@lru_cache(maxsize=1 << 12)
def _tokens(by_modality: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    """Return tokens by modality; equal ones are one object, since utterances of equal length have equal tokens."""
    return dict(by_modality)


def _companions(scored: Score) -> Companions:
    found = scored.companions
    return Companions(
        wer=_one_of(found["WER"]),
        cer=_one_of(found["CER"]),
        cerns=_one_of(found["CERns"]),
        norm_1=_one_of(found["norm-1"]),
    )


def session_of(record: UtteranceRecord, place: int) -> Session:
    """Return what summaries say of `record`, which is at `place` among the run's."""
    return Session(
        place=place,
        failure=record.failure,
        reason=record.reason,
        started_at=record.started_at,
        endpoint=record.endpoint and intern(record.endpoint),
        emulator=record.emulator and intern(record.emulator),
        violations=record.violations,
        seams=record.seams,
        replays=record.replays,
        open_turn=record.open_turn,
        behind_turn_s=record.behind_turn_s,
        send_lag_max_ms=record.send_lag_max_ms,
        prompt_by_modality=_tokens(tuple(record.usage.prompt_by_modality.items())),
        response_by_modality=_tokens(tuple(record.usage.response_by_modality.items())),
    )


def _audio_s(record: UtteranceRecord | None) -> Seconds | None:
    if record and record.audio_samples is not None:
        return record.audio_samples / SAMPLE_RATE
    return None


def _of_the_answer(reason: str | None, told: Reply) -> str | None:
    """Return why an answer is not right, followed by what is odd about the question's audio.

    Where the session is not whole, that is why: what is missed in its answer may have come.
    """
    if reason is not None and reason.startswith(OF_THE_AUDIO):
        return "; ".join(filter(None, (told.why, reason)))
    return None if told.passed else reason or told.why


def _was_made(attempt: UtteranceRecord) -> bool:
    """Return whether an attempt opened a connection, or was allowed to: without a trace, and without a cost, it did not."""
    return attempt.trace is not None or attempt.lost is not None


def _unfinished(attempts: Sequence[UtteranceRecord]) -> str:
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


def _unbilled(attempts: Sequence[UtteranceRecord]) -> Usd | None:
    """Return the estimated cost of attempts, and of broken connections, that brought no bill."""
    taken = [one for one in attempts if one.setup_s is not None or one.unbilled_samples or one.lost]
    silent = sum(spent_usd(one) for one in taken if not one.usage.records)
    broken = sum(unbilled_usd(one) or 0.0 for one in taken if one.usage.records)
    return silent + broken or None
