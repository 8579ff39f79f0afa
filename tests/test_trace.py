"""Traces on disk, and the text in them."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import subprocess
import sys
import time
import tracemalloc
import zlib
from shutil import which

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from harness.session import recorder
from harness.session.recorder import MESSAGE_BYTES, Recorder
from harness.session.stock import Stock
from harness.trace import file
from harness.trace.file import openings, read_trace, write_trace
from harness.trace.hypothesis import hypothesis
from harness.trace.trace import SessionTrace, TimedEvent, TraceHeader
from tests.session.memory import assignment

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
    "size", [0, 1, 200, 400, 900, 1800, 3900, 8000, 16_000, 32_000, 64_000, 10**6, 3 * 10**6]
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


def test_a_trace_is_written_in_little_more_memory_than_its_file_takes(tmp_path):
    """What is packed is not held whole beside the events: a trace of 64 MiB is written in a quarter of that."""
    events = [TimedEvent(t=float(n), dir="<", frame={"a": "x" * 2**16}) for n in range(1024)]
    tracemalloc.start()
    try:
        write_trace(tmp_path / "t.gz", SessionTrace(header=HEADER, events=events))
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()
    assert events == read_trace(tmp_path / "t.gz").events


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
    monkeypatch.setattr(file, "MOST_BYTES", 1000)
    bomb, pipe, folder, device = (tmp_path / f"{n}.jsonl.gz" for n in range(4))
    bomb.write_bytes(gzip.compress(bytes(1001)))
    os.mkfifo(pipe)
    folder.mkdir()
    device.symlink_to("/dev/zero")
    for path in (bomb, pipe, folder, device, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="not a readable trace"):
            read_trace(path)


EVENT = b'{"t":0,"dir":"<","frame":{"a":%s}}'


@pytest.mark.parametrize(
    "lines, what",
    [
        ([EVENT % (b"[" * 20_000 + b"]" * 20_000)], "recursion"),
        ([b"[" * 100_000], ""),
        ([EVENT % b'"\\ud800"'], "truncated"),
        ([EVENT % b'"\xed\xa0\x80"'], "utf-8"),
        ([EVENT % b'"\xff"'], "utf-8"),
        ([b""], "truncated"),
        ([b"\0"], ""),
        ([EVENT.replace(b'"t":0', b'"t":1e999') % b"1"], ""),
        ([EVENT % b"1e999"], ""),
    ],
)
def test_a_trace_that_no_session_wrote_is_named(tmp_path, lines, what):
    """Deep JSON, text that is none and numbers beyond any are named with the file, never another error."""
    path = tmp_path / "t.jsonl.gz"
    header = msgspec.json.encode(HEADER)
    path.write_bytes(gzip.compress(b"\n".join([header, *lines, b""])))
    with pytest.raises(InputError, match=f"t.jsonl.gz: not a readable trace(?is:.*{what})"):
        read_trace(path)


def test_an_enormous_id_is_a_text_like_any(tmp_path):
    """A header whose names are a megabyte each is read: they are bounded where a file of ours would be written."""
    path = tmp_path / "t.jsonl.gz"
    trace = SessionTrace(header=msgspec.structs.replace(HEADER, utterance="u" * 2**20), events=[])
    write_trace(path, trace)
    assert trace == read_trace(path)


def test_a_trace_of_objects_without_end_is_named(tmp_path, monkeypatch):
    """Objects are bounded by number, whether they are events or within one: each is a hundred times what it is written with."""
    monkeypatch.setattr(file, "MOST_OBJECTS", 1000)
    path = tmp_path / "t.jsonl.gz"
    header = msgspec.json.encode(HEADER)
    for lines in ([EVENT % b"{}"] * 400, [EVENT % (b"[" + b"[]," * 1000 + b"1]")]):
        path.write_bytes(gzip.compress(b"\n".join([header, *lines, b""])))
        with pytest.raises(InputError, match="more than 1,000 objects"):
            read_trace(path)


def braces(value) -> int:
    """Return how many objects and lists a value of JSON has."""
    if not isinstance(value, dict | list):
        return 0
    return 1 + sum(map(braces, value.values() if isinstance(value, dict) else value))


JSON = st.recursive(
    st.text('a"\\[{\n'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('"\\{['), inner),
)


@given(JSON, st.integers(1, 9))
def test_braces_in_texts_are_no_objects(value, size):
    """Objects and lists are counted, and nothing that looks like one in a text, wherever the blocks end."""
    line = msgspec.json.encode(value)
    assert braces(value) == openings([line[at : at + size] for at in range(0, len(line), size)])


MANY = st.integers(0, 3000)
FRAMES = (
    st.builds(lambda what, n: what * n, st.sampled_from('[{\x01"\\\ud800'), MANY)
    | st.binary(max_size=3000)
    | MANY.map(lambda n: msgspec.json.encode({"serverContent": {"x": [{}] * (n // 3)}}))
    | JSON.map(msgspec.json.encode)
)
"""Text, noise, what JSON writes six times as long, and objects without end."""


@settings(max_examples=40)
@given(st.lists(FRAMES, max_size=30))
@example([b"\x01" * 3000] * 4)
@example([msgspec.json.encode({"x": [{}] * 500})] * 7)
def test_whatever_is_recorded_can_be_read(tmp_path_factory, said):
    """No service can say anything that makes a trace which we then refuse: what there is no room for is told as cut."""
    path = tmp_path_factory.mktemp("trace") / "t.jsonl.gz"
    clip = assignment().frames
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "MOST_BYTES", 40_000)
        patch.setattr(file, "MOST_OBJECTS", 1000)
        patch.setattr(recorder, "MOST_WRITTEN", 20_000)
        patch.setattr(recorder, "MOST_OPENED", 500)
        kept = Recorder(HEADER, "u", [], frames=clip, most_bytes=20_000, stock=Stock(10**9))
        kept.began(0.0)
        for number, frame in enumerate(said):
            kept.received(float(number), frame)
        trace, _ = kept.trace()
        write_trace(path, trace)
        assert trace == read_trace(path)
    heard = [event.frame for event in trace.events if event.dir == "<"]
    if sum(len(frame) + MESSAGE_BYTES for frame in said) < 20_000 / 6:
        assert {"cut"} not in [frame.keys() for frame in heard], "there is room"


def test_braces_in_a_text_do_not_make_a_trace_unreadable(tmp_path):
    """A frame of eleven million brackets is one text: its session is read back, paid once."""
    frame = {"raw": "[" * 11_000_000}
    trace = SessionTrace(header=HEADER, events=[TimedEvent(t=0.0, dir="<", frame=frame)])
    write_trace(tmp_path / "t.jsonl.gz", trace)
    assert trace == read_trace(tmp_path / "t.jsonl.gz")


@pytest.mark.parametrize("line", [b"\n", b"x" * 2**16])
def test_a_bomb_of_half_a_gigabyte_is_named(tmp_path, line):
    """A megabyte that unpacks to more than any trace of ours is named, before it has become memory or objects."""
    path = tmp_path / "t.jsonl.gz"
    with path.open("wb") as file:
        packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        file.write(packer.compress(msgspec.json.encode(HEADER) + b"\n"))
        block = line * (2**20 // len(line))
        for _ in range(2**29 // len(block) + 1):
            file.write(packer.compress(block))
        file.write(packer.flush())
    assert path.stat().st_size < 8 * 2**20
    told = peak_of(path)
    assert "not a readable trace" in told["error"]
    assert told["mib"] < 1300


PEAK = """
import json, pathlib, resource, sys
from harness.errors import InputError
from harness.trace.file import read_trace
try:
    read_trace(pathlib.Path(sys.argv[1]))
except InputError as error:
    told = str(error)
print(json.dumps({"error": told, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def peak_of(path) -> dict:
    """Return what reading a trace says, and the memory that a process needs for it, MiB."""
    done = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, check=True)
    return json.loads(done.stdout)


@settings(max_examples=200)
@given(st.binary(max_size=400), st.integers(0, 300), st.booleans())
def test_any_bytes_are_a_trace_or_named(tmp_path_factory, noise, at, packed):
    """Whatever bytes a trace holds, packed or damaged in its packing, it is read or named; nothing else is raised."""
    whole = gzip.compress(msgspec.json.encode(HEADER) + b"\n" + EVENT % b"{}" + b"\n", mtime=0)
    data = gzip.compress(noise) if packed else whole[:at] + noise + whole[at + len(noise) :]
    path = tmp_path_factory.mktemp("trace") / "t.jsonl.gz"
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        read_trace(path)
