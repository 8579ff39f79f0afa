"""Run folders made by hand: a plan, a journal and traces, as a run leaves them behind."""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from harness.run.attempt import record
from harness.run.folder import JOURNAL, TRACES, write_plan
from harness.run.record import Plan, PlannedDataset, PlannedUtterance, Usage, UtteranceRecord
from harness.trace.file import write_trace
from harness.trace.trace import SessionTrace, TimedEvent, TraceHeader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

MODEL = "gemini-live-2.5-flash-preview"
ENDPOINT = "ws://127.0.0.1:8080/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
EMULATOR = "0.1.0; whisper-base"
STARTED = "2026-11-21T14:03:12.000Z"
CLIP_S = 4.0
SPEECH = {"speech_start": 0.5, "speech_end": 3.5}


@dataclass(frozen=True, kw_only=True)
class Said:
    """An utterance and what became of it."""

    id: str
    locale: str = "en-US"
    reference: str | None = "the quick brown fox"
    hypothesis: str | None = "the quick brown fox"
    """None with the outcome `ok`: never attempted."""

    dataset: str = "sample"
    model: str = MODEL
    repeat: int = 1
    outcome: str = "ok"
    failure: str | None = None
    reason: str | None = None
    late: bool = False
    refused_first: int = 0
    """Attempts refused for quota before this one."""

    speaker: str | None = None
    tags: dict[str, Any] = field(default_factory=lambda: dict(SPEECH))
    audio: str = "/nowhere/audio.wav"
    audio_s: float = CLIP_S
    emulator: str | None = EMULATOR
    endpoint: str = ENDPOINT
    usage: Usage | None = None
    final: bool = True


def usage(prompt: int = 128, response: int = 9) -> Usage:
    """Return the bill of a session: audio in, text out."""
    return Usage(
        records=1,
        prompt_tokens=prompt,
        response_tokens=response,
        total_tokens=prompt + response,
        prompt_by_modality={"AUDIO": prompt},
        response_by_modality={"TEXT": response},
    )


def make_run(
    folder: Path,
    said: Iterable[Said],
    *,
    synthetic: Iterable[str] = ("voices",),
    pace: float = 1.0,
    command: str = "harness run sample voices",
    notes: Iterable[str] = (),
) -> Path:
    """Write a run of `said` into `folder` and return it; the plan asks every model for every utterance."""
    said = list(said)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TRACES).mkdir(exist_ok=True)
    utterances = {
        (one.dataset, one.id): PlannedUtterance(
            id=one.id,
            dataset=one.dataset,
            locale=one.locale,
            reference=one.reference,
            audio=one.audio,
            sha256=None,
            speaker=one.speaker,
            tags=one.tags,
        )
        for one in said
    }
    names = dict.fromkeys(one.dataset for one in said)
    plan = Plan(
        hash="1f0c9a7e" * 8,
        created_at="2026-11-21T14:00:00.000Z",
        service="emulator",
        endpoint="emulator",
        models=list(dict.fromkeys(one.model for one in said)),
        setups={MODEL: {"generationConfig": {"responseModalities": ["TEXT"]}}},
        pace=pace,
        chunk_ms=100,
        turns="manual",
        repeats=max((one.repeat for one in said), default=1),
        seed=0,
        datasets=[
            PlannedDataset(
                name=name,
                title=f"The dataset {name}",
                licence="CC0-1.0",
                synthetic=name in synthetic,
            )
            for name in names
        ],
        utterances=list(utterances.values()),
        command=command,
        versions={"python": "3.11.7", "websockets": "17.4"},
        environment={"machine": "x86_64", "cores": "2"},
        notes=list(notes),
    )
    write_plan(folder, plan)
    records = [record for one in said for record in _records(folder, plan, one)]
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    (folder / JOURNAL).write_bytes(lines)
    return folder


def _records(folder: Path, plan: Plan, one: Said) -> list[UtteranceRecord]:
    refused = [
        _record(folder, plan, one, _refused(one), attempt=number, final=False)
        for number in range(1, one.refused_first + 1)
    ]
    if one.hypothesis is None and one.outcome == "ok":
        return refused
    events = _events(one, _fragments(one))
    return [
        *refused,
        _record(folder, plan, one, events, attempt=one.refused_first + 1, final=one.final),
    ]


def _record(
    folder: Path, plan: Plan, one: Said, events: list[TimedEvent], *, attempt: int, final: bool
) -> UtteranceRecord:
    """Write an attempt's trace, and return its record."""
    trace = f"{TRACES}/{len(list((folder / TRACES).iterdir())):04d}.jsonl.gz"
    header = TraceHeader(
        utterance=one.id,
        dataset=one.dataset,
        locale=one.locale,
        model=one.model,
        repeat=one.repeat,
        attempt=attempt,
        plan=plan.hash,
        endpoint=one.endpoint,
        emulator=one.emulator,
        client="live-harness/0.1.0",
        started_at=STARTED,
        audio_samples=int(one.audio_s * 16_000),
        chunk_ms=100,
        pace=plan.pace,
        turns="manual",
    )
    told = SessionTrace(header=header, events=events)
    write_trace(folder / trace, told)
    return record(told, "input", path=trace, final=final)


def _refused(one: Said) -> list[TimedEvent]:
    """Return a session that the service closed for quota before it was set up."""
    reason = "1011: quota exceeded"
    ended = {"outcome": "failed_quota", "failure": "quota", "reason": reason}
    return [
        TimedEvent(t=-0.035, dir="!", frame={"connect": one.endpoint}),
        TimedEvent(t=-0.035, dir="!", frame={"upgraded": {}}),
        TimedEvent(t=-0.035, dir=">", frame={"setup": {"model": one.model}}),
        TimedEvent(t=-0.014, dir="!", frame={"closed": {"code": 1011, "reason": "quota exceeded"}}),
        TimedEvent(t=-0.014, dir="!", frame={"ended": ended}),
    ]


def _events(one: Said, fragments: list[tuple[float, str]]) -> list[TimedEvent]:
    """Return a session with manual activity: set up before the first sample is due, paced, one frame for each fact."""
    frames = int(one.audio_s * 10)
    lags_ms = [0.4] * (frames - 1) + [31.0 if one.late else 2.5]
    sent = [
        TimedEvent(
            t=round((n + 1) / 10 + lag_ms / 1000, 6),
            dir=">",
            frame={"realtimeInput": {"audio": {"offset": n * 1600, "samples": 1600}}},
        )
        for n, lag_ms in enumerate(lags_ms)
    ]
    heard = [
        TimedEvent(t=t, dir="<", frame={"serverContent": {"inputTranscription": {"text": text}}})
        for t, text in fragments
    ]
    end = max([frames / 10 + 0.11, *(t for t, _ in fragments)])
    ended = {"outcome": one.outcome, "failure": one.failure, "reason": one.reason}
    events = [
        TimedEvent(t=-0.035, dir="!", frame={"connect": one.endpoint}),
        TimedEvent(t=-0.035, dir="!", frame={"upgraded": {}}),
        TimedEvent(t=-0.035, dir=">", frame={"setup": {"model": one.model}}),
        TimedEvent(t=-0.014, dir="<", frame={"setupComplete": {}}),
        TimedEvent(t=0.0, dir=">", frame={"realtimeInput": {"activityStart": {}}}),
        *sent,
        TimedEvent(t=frames / 10 + 0.105, dir=">", frame={"realtimeInput": {"activityEnd": {}}}),
        *heard,
        TimedEvent(t=end, dir="<", frame={"serverContent": {"turnComplete": True}, **_bill(one)}),
        TimedEvent(t=end + 0.5, dir="!", frame={"closed": {"code": 1000, "by_us": True}}),
        TimedEvent(
            t=end + 0.5,
            dir="!",
            frame={"ended": {name: value for name, value in ended.items() if value is not None}},
        ),
    ]
    return sorted(events, key=lambda event: event.t)


def _bill(one: Said) -> dict[str, Any]:
    """Return the usage record of the last message; nothing where there was none."""
    bill = usage() if one.usage is None else one.usage
    if not bill.records:
        return {}
    said = {
        "promptTokenCount": bill.prompt_tokens,
        "responseTokenCount": bill.response_tokens,
        "totalTokenCount": bill.total_tokens,
        "thoughtsTokenCount": bill.thoughts_tokens,
        "cachedContentTokenCount": bill.cached_tokens,
        "toolUsePromptTokenCount": bill.tool_use_tokens,
        "promptTokensDetails": _details(bill.prompt_by_modality),
        "responseTokensDetails": _details(bill.response_by_modality),
    }
    return {"usageMetadata": {name: value for name, value in said.items() if value is not None}}


def _details(counts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": count} for name, count in counts.items()]


def _fragments(one: Said) -> list[tuple[float, str]]:
    """Return the hypothesis cut in two, and when the pieces came: later for longer ids, so that rows differ."""
    if not one.hypothesis:
        return []
    half = len(one.hypothesis) // 2
    later = len(one.id) / 20
    pieces = [
        (1.1 + later, one.hypothesis[:half]),
        (one.audio_s + 0.2 + later, one.hypothesis[half:]),
    ]
    return [(t, text) for t, text in pieces if text]


def unpacked(page: str, name: str) -> dict[str, Any]:
    """Return the parts of a page's pack, as its script sees them: numbers with None, texts, values."""
    (text,) = re.findall(f'<script type="text/plain" id="pack-{name}">(.*?)</script>', page)
    whole = gzip.decompress(base64.b64decode(text, validate=True))
    start = 4 + struct.unpack_from("<I", whole)[0]
    found: dict[str, Any] = {}
    for part, (kind, offset, length, *more) in json.loads(whole[4:start]).items():
        data = whole[start + offset : start + offset + length]
        if kind == "numbers":
            count, per = more
            values = np.frombuffer(data, np.uint8).reshape(4, count).T.copy().view("<i4").ravel()
            found[part] = [None if value == -(2**31) else value / per for value in values.tolist()]
        elif kind == "texts":
            found[part] = data.decode().split("\0") if more[0] else []
        else:
            found[part] = json.loads(data)
    return found


STORIES = (
    Said(id="en-1", speaker="a"),
    Said(id="en-22", speaker="b", hypothesis="the quick brown box jumped"),
    Said(id="en-333", speaker="c", late=True, hypothesis="quick brown fox"),
    Said(id="en-empty", speaker="a", hypothesis="", outcome="ok_empty"),
    Said(id="de-1", locale="de-DE", reference="Größe ist nicht alles", hypothesis="größe ist alles"),
    Said(
        id="de-quota",
        locale="de-DE",
        reference="Guten Morgen",
        hypothesis=None,
        outcome="failed_quota",
        failure="quota",
        reason="1011: quota exceeded",
        usage=Usage(),
    ),
    Said(id="de-retried", locale="de-DE", reference="Guten Abend", hypothesis="Guten Abend", refused_first=2),
    Said(
        id="ar-1",
        locale="ar-XA",
        reference="يولد جميع الناس أحرارا متساوين في الكرامة",
        hypothesis="يولد جميع الناس أحرار متساوين الكرامة والحقوق",
    ),
    Said(id="hi-1", locale="hi-IN", reference="सभी मनुष्य जन्म से स्वतंत्र हैं", hypothesis="सभी मनुष जन्म स्वतंत्र हैं"),
    Said(id="th-1", locale="th-TH", reference="มนุษย์ทั้งหลายเกิดมามีอิสระ", hypothesis="มนุษทังหลายเกิดมาอิสระ", dataset="voices"),
    Said(id="ja-1", locale="ja-JP", reference="すべての人間は生まれながらにして自由", hypothesis="全ての人間は生まれながら自由です", dataset="voices"),
    Said(id="cmn-1", locale="cmn-CN", reference="人人生而自由", hypothesis="人人生儿自由", dataset="voices"),
    Said(id="bn-1", locale="bn-IN", reference="সমস্ত মানুষ স্বাধীনভাবে", hypothesis="samasta manusha", dataset="voices"),
    Said(
        id="en-broken",
        hypothesis=None,
        outcome="failed_server",
        failure="transient",
        reason="1011: internal error",
        usage=Usage(),
    ),
    Said(id="en-never", hypothesis=None),
    Said(id="en-unwritten", reference=None, hypothesis="who knows"),
    Said(
        id="</script><script>alert(1)</script>",
        reference='=HYPERLINK("http://x","<img src=x onerror=alert(1)>")',
        hypothesis="<b onmouseover=alert(1)>@SUM\u202e\x1b[31m</b><!-- ]]>",
        reason="'quoted'; <svg/onload=alert(1)> javascript:alert(1)",
    ),
)  # fmt: skip
"""One of everything that happens to utterances."""


@pytest.fixture(scope="session")
def said() -> Any:
    """Return this module: what runs are made of."""
    return sys.modules[__name__]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of run folders, each in a folder of its own."""
    made = 0

    def make(said: Iterable[Said] = STORIES, **facts: Any) -> Path:
        nonlocal made
        made += 1
        return make_run(tmp_path / f"run-{made}", said, **facts)

    return make
