"""What a row says of the model's answer: whether it is right, and how soon it came.

Knows one row at a time, and the tasks in which the model answers (`speak`, `ask`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.score.answer import Answer, Verdict, expectation, verdict

if TYPE_CHECKING:
    from harness.report.rows.bounds import Bounds
    from harness.run.record import Exchange, Plan, PlannedUtterance, UtteranceRecord
    from harness.score.score import Score
    from harness.units import Seconds


INTERRUPTED: Final = "interrupted by us"
"""Why an answer that we spoke over is not judged: it could not be ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A row's columns about the answer; times in s from the end of what was asked."""

    expectation: str | None = None
    passed: bool | None = None
    why: str | None = None
    """Why it did not pass, or was not judged, in words; None: it passed, or nothing was expected."""

    first_reply_s: Seconds | None = None
    first_audio_s: Seconds | None = None
    tool_call_s: Seconds | None = None
    interrupted_s: Seconds | None = None
    fell_silent_s: Seconds | None = None
    speech_s: Seconds | None = None
    speech_chars_per_s: float | None = None


def reply(
    plan: Plan,
    utterance: PlannedUtterance,
    record: UtteranceRecord | None,
    *,
    bounds: Bounds | None,
    scored: Score | None,
    answered: bool,
) -> Reply:
    """Return what there is to say of the answer in `record`; nothing where the task is to transcribe.

    `bounds` are those of the spoken question; `answered`: the service answered, even if with nothing.
    """
    if plan.task == "transcribe":
        return Reply()
    expected = utterance.scenario.expect if plan.task == "ask" and utterance.scenario else None
    wanted = expectation(expected) if expected else None
    exchange = record.exchange if record else None
    if record is None or exchange is None:
        return Reply(expectation=wanted)
    judged = None
    over = exchange.interrupted
    if expected is not None and answered and over is None:
        answer = Answer(
            text=record.hypothesis or "",
            calls=[(call.name, call.args) for call in exchange.calls],
            spoke=exchange.speech_s > 0,
        )
        judged = (
            verdict(expected, answer, utterance.locale)
            if record.outcome in ("ok", "ok_empty")
            else Verdict(passed=False, why=record.reason)
        )
    asked = _asked(plan, record, bounds)
    called = exchange.calls[0].t if exchange.calls else None
    return Reply(
        expectation=wanted,
        passed=judged.passed if judged else None,
        why=judged.why if judged else INTERRUPTED if expected is not None and over else None,
        first_reply_s=_since(asked, exchange.first_reply_t),
        first_audio_s=_since(asked, exchange.first_audio_t),
        tool_call_s=_since(asked, called),
        interrupted_s=over.told_s if over else None,
        fell_silent_s=over.silent_s if over else None,
        speech_s=round(exchange.speech_s, 6),
        speech_chars_per_s=_speech_rate(scored, exchange) if plan.task == "speak" else None,
    )


def _asked(plan: Plan, record: UtteranceRecord, bounds: Bounds | None) -> Seconds | None:
    """Return when what was asked had been said, on the trace's clock; None: speech that was not paced at real time."""
    if record.audio_samples is None:
        return 0.0
    return bounds.end_s if bounds and plan.pace == 1 else None


def _since(origin: Seconds | None, t: Seconds | None) -> Seconds | None:
    return None if origin is None or t is None else round(t - origin, 6)


def _speech_rate(scored: Score | None, exchange: Exchange) -> float | None:
    """Return the characters a second of the model's speech."""
    if scored is None or not exchange.speech_s:
        return None
    counts = scored.companions["CERns"]
    characters = counts.hits + counts.substitutions + counts.insertions
    return round(characters / exchange.speech_s, 6)
