"""The stretch of a clip that one connection streams."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audio.chunk import chunks
from harness.audio.clip import AudioClip, MemoryPcm
from harness.session.frames import Frames
from harness.session.pace import TICKS
from harness.session.span import TAIL_S, Span
from tests.session.memory import assignment


def sent(span: Span) -> list[tuple[int, bytes, float]]:
    """Return what the clip's part of `span` sends: where each message begins, its PCM, and when it is due."""
    told = []
    while len(span.sent) < span.count or span.turn():
        audio = json.loads(span.messages[len(span.sent)])["realtimeInput"]["audio"]
        told.append((span.cursor, b64decode(audio["data"]), span.due / TICKS))
        span.sent.append(span.messages[len(span.sent)])
    return told


def of(samples: int, **how) -> Span:
    """Return a span over a clip of so many samples, of which no two are alike."""
    pcm = b"".join(n.to_bytes(2, "little") for n in range(samples))
    todo = assignment(0.0, pace=how.pop("pace", 1.0))
    todo = replace(todo, frames=Frames(AudioClip(pcm=MemoryPcm(pcm)), 100))
    return Span(todo, **({"start": 0, "stop": samples, "tailed": False} | how))


@given(st.integers(0, 20_000), st.sampled_from([1.0, 2.5]), st.booleans())
def test_a_span_is_the_clips_chunks_on_time(samples, pace, tailed):
    """Whatever its length, a clip is sent as its chunks, each due when a microphone has recorded it; the end with the last."""
    span = of(samples, pace=pace, tailed=tailed)
    span.begin(100.0)
    clip = AudioClip(pcm=MemoryPcm(b"".join(n.to_bytes(2, "little") for n in range(samples))))
    told = sent(span)
    assert [(one.offset, one.pcm) for one in chunks(clip, 100)] == [one[:2] for one in told]
    dues = [100.0 + one.due_s / pace for one in chunks(clip, 100)]
    assert dues == pytest.approx([one[2] for one in told], abs=1e-7)
    assert (dues or [100.0])[-1] == pytest.approx(span.due / TICKS, abs=1e-7)
    assert samples == span.position == span.cursor
    assert not span.starves
    assert tailed == span.tail()


@given(st.integers(1, 20_000), st.integers(0, 20_000), st.integers(0, 12))
def test_spans_join_without_a_gap(samples, stop, cut):
    """Wherever one span stops, or is cut, the next one goes on: together they send every sample once."""
    first = of(samples, stop=min(stop, samples))
    first.begin(0.0)
    told = []
    while len(first.sent) < first.count or first.turn():
        if len(told) == cut:
            first.cut()
            break
        told.append(
            b64decode(json.loads(first.messages[len(first.sent)])["realtimeInput"]["audio"]["data"])
        )
        first.sent.append(first.messages[len(first.sent)])
    assert len(first.sent) == first.count
    assert not first.turn()
    assert not first.starves
    second = of(samples, start=first.position)
    second.begin(first.zero + first.position / 16_000)
    whole = b"".join(told + [pcm for _, pcm, _ in sent(second)])
    assert b"".join(n.to_bytes(2, "little") for n in range(samples)) == whole
    assert 0.0 == pytest.approx(second.zero, abs=1e-9)


@given(st.integers(0, 5_000))
def test_silence_follows_where_the_clip_ends(samples):
    """The silence begins behind the clip's last sample, on the same clock, and lasts as long as it should."""
    span = of(samples, tailed=True)
    span.begin(0.0)
    sent(span)
    assert span.tail()
    told = sent(span)
    assert samples == told[0][0] == span.position
    assert round(TAIL_S * 16_000) == sum(len(pcm) // 2 for _, pcm, _ in told)
    assert (samples + 1600) / 16_000 == pytest.approx(told[0][2], abs=1e-7)
    assert samples / 16_000 + TAIL_S == pytest.approx(span.due / TICKS, abs=1e-7)
    assert not span.tail()
