"""Traces on disk."""

from __future__ import annotations

import gzip
import json
import subprocess
from shutil import which

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.trace import SessionTrace, TimedEvent, TraceHeader, read_trace, write_trace

HEADER = TraceHeader(
    utterance="u",
    dataset="d",
    locale="en-US",
    model="m",
    repeat=1,
    attempt=1,
    plan="0" * 16,
    endpoint="ws://127.0.0.1:1/",
    client="test",
    started_at="2026-01-01T00:00:00Z",
    chunk_ms=100,
    pace=1.0,
    turns="manual",
)


@settings(max_examples=50)
@given(st.lists(st.text(max_size=300), max_size=30))
def test_a_trace_reads_back_as_it_was_written(tmp_path_factory, texts):
    """Whatever was said, and however little or much, a trace is on disk whole, for us and for any reader of gzip and JSON."""
    said = [{"serverContent": {"inputTranscription": {"text": text}}} for text in texts]
    events = [TimedEvent(t=float(n), dir="<", frame=frame) for n, frame in enumerate(said)]
    path = tmp_path_factory.mktemp("trace") / "t.jsonl.gz"
    write_trace(path, SessionTrace(header=HEADER, events=events))
    assert SessionTrace(header=HEADER, events=events) == read_trace(path)
    header, *lines = map(json.loads, gzip.decompress(path.read_bytes()).splitlines())
    assert ("u", said) == (header["utterance"], [line["frame"] for line in lines])
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize(
    "size", [0, 1, 200, 400, 900, 1800, 3900, 8000, 16_000, 32_000, 64_000, 10**6]
)
def test_another_gzip_unpacks_a_trace_of_any_size(tmp_path, size):
    """The system's own gzip takes the file, whatever window it was packed with."""
    words = " ".join(str(n * n % 9973) for n in range(size // 4))
    trace = SessionTrace(header=HEADER, events=[TimedEvent(t=0.0, dir="!", frame={"note": words})])
    write_trace(tmp_path / "t.gz", trace)
    unpacked = subprocess.run(
        [which("gzip"), "-dc", tmp_path / "t.gz"], check=True, capture_output=True
    )
    assert {"note": words} == json.loads(unpacked.stdout.splitlines()[1])["frame"]
