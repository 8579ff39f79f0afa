"""A journal's record, derived from the trace of the attempt and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.audio.chunk import due
from harness.run.exchange import MOST_CALLED, calls_left_out, exchange, speech_s
from harness.run.invariants import violations
from harness.run.record import Replayed, Usage, UtteranceRecord
from harness.stats.percentiles import nearest_rank
from harness.trace.hypothesis import behind_turn_s, hypothesis, open_turn
from harness.trace.seams import seams
from harness.trace.trace import audio_sent
from harness.units import SAMPLE_BYTES, SAMPLE_RATE
from harness.wire.live.codec import decode_server
from harness.wire.live.messages import UsageMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.run.record import Exchange, Task
    from harness.trace.trace import Channel, SessionTrace
    from harness.units import Milliseconds, Samples, Seconds

LATE_MS: Final[Milliseconds] = 20.0
"""A session whose 99th percentile of send lag is over this, ms, has no latencies to report: our client was late. Nor has
one during which our process stood still (`harness.run.vigil`)."""


MOST_TEXT: Final = 2**20
"""Longest text that is judged, in characters: a day of speech. More is a service that floods, and no scorer's business."""

OF_THE_AUDIO: Final = "the audio: "
"""How a reason begins that tells of faults of the clip itself, which was streamed all the same."""


def record(
    trace: SessionTrace,
    channel: Channel,
    *,
    path: str | None,
    final: bool,
    task: Task = "transcribe",
) -> UtteranceRecord:
    """Return the record of the attempt that `trace` holds; `path` is where the trace lies in the run folder."""
    header = trace.header
    ended = _note(trace, "ended") or {}
    heard = hypothesis(trace, channel)
    lags = send_lags_ms(trace)
    ready = next(
        (e.t for e in trace.events if e.dir == "<" and _has(e.frame, "setupComplete")), None
    )
    began = _began(trace)
    judged = ended.get("outcome") in ("ok", "ok_empty", "partial", "blocked")
    answered = None if task == "transcribe" else exchange(trace)
    return UtteranceRecord(
        utterance=header.utterance,
        dataset=header.dataset,
        locale=header.locale,
        model=header.model,
        repeat=header.repeat,
        attempt=header.attempt,
        final=final,
        trace=path,
        outcome=ended.get("outcome", "failed_client"),
        failure=ended.get("failure"),
        away=ended.get("away", False),
        reason=_reason(
            ended.get("reason"),
            _cuts(trace, heard.text if judged else "", answered),
            _faults(trace),
        ),
        started_at=header.started_at,
        emulator=header.emulator,
        endpoint=header.endpoint,
        audio_samples=header.audio_samples,
        audio_crc32=header.audio_crc32,
        hypothesis=heard.text[:MOST_TEXT] if judged else None,
        first_text_t=_on_the_clips_clock(trace, heard.first_text_t),
        final_text_t=_on_the_clips_clock(trace, heard.final_text_t),
        open_turn=open_turn(trace, heard),
        behind_turn_s=behind_turn_s(trace, heard),
        seams=len(heard.seams),
        seam_at=tuple(min(seam, MOST_TEXT) for seam in heard.seams) if judged else (),
        replays=tuple(_replays(trace)),
        unbilled_samples=unbilled_samples(trace),
        setup_s=_span(began, ready),
        send_lag_p50_ms=nearest_rank(lags, 50),
        send_lag_p99_ms=nearest_rank(lags, 99),
        send_lag_max_ms=max(lags, default=None),
        late=(nearest_rank(lags, 99) or 0.0) > LATE_MS
        or (bool(header.pace) and _note(trace, "stood_still") is not None),
        usage=usage(trace),
        exchange=answered,
        speech_s=speech_s(trace) if answered is None else 0.0,
        wall_s=_span(began, trace.events[-1].t) if trace.events else None,
        violations=violations(trace),
    )


def _reason(told: str | None, cuts: Sequence[str], faults: Sequence[str]) -> str | None:
    """Return why a session is not whole, as it was told, and what of it is not judged; else the clip's `faults`."""
    if told or cuts:
        return "; ".join([*filter(None, [told]), *cuts])
    return OF_THE_AUDIO + "; ".join(faults) if faults else None


def _cuts(trace: SessionTrace, text: str, answered: Exchange | None) -> list[str]:
    """Return what of a session's `text` and of the functions that it called is too much for a record."""
    cuts = []
    if lost := sum(e.dir == "<" and e.frame.keys() == {"cut"} for e in trace.events):
        cuts.append(f"{lost:,} messages received had no room in the trace")
    if len(text) > MOST_TEXT:
        cuts.append(f"of {len(text):,} characters of text the first {MOST_TEXT:,} are judged")
    if answered is not None and (left := calls_left_out(trace, answered)):
        kept = len(answered.calls)
        cuts.append(
            f"of {kept + left:,} function calls the first {kept:,} are judged: the next is beyond the "
            f"{MOST_CALLED / 2**20:g} MiB that a record holds"
        )
    return cuts


def _faults(trace: SessionTrace) -> tuple[str, ...]:
    """Return what is wrong with the clip: with its signal, and where it was gone when what was sent was held against it."""
    sent = [e.frame["sent"] for e in trace.events if e.dir == "!" and "sent" in e.frame]
    unheld = sum(one["bytes"] for one in sent if one["clip_crc32"] is None)
    if not unheld:
        return trace.header.audio_faults
    gone = f"it is gone, so {unheld / SAMPLE_BYTES / SAMPLE_RATE:g} s of what was sent cannot be held against it"
    return (*trace.header.audio_faults, gone)


def _began(trace: SessionTrace) -> Seconds | None:
    """Return when the connection began to be opened, less the wait for the session's turn once it was open."""
    opened = next((e.t for e in trace.events if e.dir == "!" and "upgraded" in e.frame), None)
    asked = next((e.t for e in trace.events if e.dir == ">"), None)
    if not trace.events:
        return None
    waited = asked - opened if opened is not None and asked is not None else 0.0
    return trace.events[0].t + waited


def send_lags_ms(trace: SessionTrace) -> list[Milliseconds]:
    """Return how late each audio frame left, against its due time, ms, in the order sent; empty when not paced."""
    pace = trace.header.pace
    if not pace:
        return []
    lags: list[Milliseconds] = []
    paused: Seconds = 0.0
    for event in trace.events:
        if event.dir == "!" and "seam" in event.frame:
            paused += event.frame["seam"]["pause_s"]
        if (audio := audio_sent(event)) is not None:
            start = audio["offset"] if "offset" in audio else audio["silence"]
            lags.append(round((event.t - due(start + audio["samples"], pace) - paused) * 1000, 3))
    return lags


def _on_the_clips_clock(trace: SessionTrace, t: Seconds | None) -> Seconds | None:
    """Return `t` less the pauses at the seams before it; None when not paced at real time."""
    if t is None or trace.header.pace != 1:
        return None
    paused: Seconds = 0.0
    for event in trace.events:
        if event.dir == "!" and event.t <= t and "seam" in event.frame:
            seam = event.frame["seam"]
            still = max(0.0, event.t + seam.get("due_in_s", 0.0) - t)  # it pauses on
            paused += max(0.0, seam["pause_s"] - still)
    return round(t - paused, 6)


def usage(trace: SessionTrace) -> Usage:
    """Return the sum over the session's usage records: each is one turn's bill (pydantic/pydantic-ai#7269).

    None of them counts when one has a negative count: what the session took is then unknown.
    """
    bills = [
        bill
        for event in trace.events
        if event.dir == "<" and _has(event.frame, "usageMetadata")
        if (bill := decode_server(msgspec.json.encode(event.frame)).usage_metadata) is not None
    ]
    if not all(bill.credible for bill in bills):
        return Usage()
    return Usage(
        records=len(bills),
        prompt_tokens=_sum(bill.prompt_token_count for bill in bills),
        response_tokens=_sum(bill.response_tokens for bill in bills),
        total_tokens=_sum(bill.total_token_count for bill in bills),
        thoughts_tokens=_sum(bill.thoughts_token_count for bill in bills),
        cached_tokens=_sum(bill.cached_content_token_count for bill in bills),
        tool_use_tokens=_sum(bill.tool_use_prompt_token_count for bill in bills),
        prompt_by_modality=_by_modality(bills, "prompt_tokens_details"),
        response_by_modality=_by_modality(bills, "response_details"),
        cached_by_modality=_by_modality(bills, "cache_tokens_details"),
        tool_use_by_modality=_by_modality(bills, "tool_use_prompt_tokens_details"),
    )


def _replays(trace: SessionTrace) -> Iterator[Replayed]:
    """Yield what was taken back where connections broke off."""
    for seam in seams(trace):
        if "replay" in seam:
            told = seam["replay"]
            yield Replayed(
                offset=seam["offset"],
                samples=told["samples"],
                known_by=told["known_by"],
                why=told["why"],
            )


def unbilled_samples(trace: SessionTrace) -> Samples:
    """Return how much audio went over connections that broke off before a bill for it came.

    What is not sent again is in the next bill of the session that was resumed, unless the attempt failed before it came.
    An attempt that ended well has its last bill, whatever silence was sent behind it.
    """
    total = since = 0
    for event in trace.events:
        if (audio := audio_sent(event)) is not None:
            since += audio["samples"]
        elif event.dir == "<" and _has(event.frame, "usageMetadata"):
            since = 0
        elif event.dir == "!" and "replay" in event.frame.get("seam", {}):
            again = min(since, event.frame["seam"]["replay"]["samples"])
            total += again
            since -= again
    failed = (_note(trace, "ended") or {}).get("failure") is not None
    return total + (since if failed else 0)


def _sum(counts: Any) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _by_modality(bills: Sequence[UsageMetadata], field: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for bill in bills:
        for detail in getattr(bill, field):
            total[detail.modality] = total.get(detail.modality, 0) + detail.token_count
    return total


def _note(trace: SessionTrace, key: str) -> dict[str, Any] | None:
    return next(
        (e.frame[key] for e in reversed(trace.events) if e.dir == "!" and key in e.frame), None
    )


def _has(frame: Any, key: str) -> bool:
    return isinstance(frame, dict) and key in frame


def _span(start: Seconds | None, end: Seconds | None) -> Seconds | None:
    return None if start is None or end is None else round(end - start, 6) + 0.0  # never -0.0
