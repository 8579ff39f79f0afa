"""Traces on disk, and the text in them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import time
from shutil import which

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness.trace
from harness.errors import InputError
from harness.trace import (
    SessionTrace,
    TimedEvent,
    TraceHeader,
    hypothesis,
    read_trace,
    write_trace,
)

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


PIECES = st.lists(
    st.tuples(
        st.sampled_from(["inputTranscription", "interimInputTranscription", "seam", "replay"]),
        st.text(" \n\u3000ab", max_size=4),
    ),
    max_size=12,
)


def traced(pieces) -> SessionTrace:
    """Return a trace with a message, or the note of a seam, for each piece, a second apart."""
    events = []
    for t, (kind, text) in enumerate(pieces):
        if kind in ("seam", "replay"):
            unsaid = {"replay": {"unsaid": {"after": 0, "messages": 0}}} if kind == "replay" else {}
            seam = {"seam": {"offset": 0, "pause_s": 0.0} | unsaid}
            events.append(TimedEvent(t=float(t), dir="!", frame=seam))
        else:
            said = {"serverContent": {kind: {"text": text}}}
            events.append(TimedEvent(t=float(t), dir="<", frame=said))
    return SessionTrace(header=HEADER, events=events)


def joined(pieces):
    """Return text, first and last time, and seams, as told by joining all text at each piece."""
    text = interim = seen = ""
    first = final = None
    seams = []
    for t, (kind, piece) in enumerate(pieces):
        if kind == "seam":
            text, interim = text + interim, ""
        elif kind == "interimInputTranscription":
            interim = piece
        elif kind == "inputTranscription":
            text, interim = text + piece, ""
        if kind in ("seam", "replay"):
            seams.append(len((text + interim).lstrip()))
        whole = (text + interim).strip()
        if whole and first is None:
            first = float(t)
        if whole != seen:
            seen, final = whole, float(t)
    times = (first, final) if seen else (None, None)
    return (seen, *times, tuple(min(seam, len(seen)) for seam in seams))


@given(PIECES)
def test_text_is_joined_as_a_reader_joins_it(pieces):
    """Text, times and seams are those that joining everything anew at each piece gives, guesses and blanks and all."""
    found = hypothesis(traced(pieces), "input")
    assert joined(pieces) == (found.text, found.first_text_t, found.final_text_t, found.seams)


def test_many_pieces_take_time_as_few_do():
    """Twenty times the pieces take some twenty times the time, and not four hundred times."""
    spent = []
    for count in (1_000, 20_000):
        trace = traced([("inputTranscription", " word and word and word" * 20)] * count)
        begun = time.process_time()
        hypothesis(trace, "input")
        spent.append(time.process_time() - begun)
    assert spent[1] < 100 * spent[0]


def test_a_trace_that_unpacks_without_end_is_named(tmp_path, monkeypatch):
    """A bomb, a pipe, a folder and a device in the place of a trace are named, and nobody waits for their end."""
    monkeypatch.setattr(harness.trace, "MOST_BYTES", 1000)
    bomb, pipe, folder, device = (tmp_path / f"{n}.jsonl.gz" for n in range(4))
    bomb.write_bytes(gzip.compress(bytes(1001)))
    os.mkfifo(pipe)
    folder.mkdir()
    device.symlink_to("/dev/zero")
    for path in (bomb, pipe, folder, device, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="not a readable trace"):
            read_trace(path)
