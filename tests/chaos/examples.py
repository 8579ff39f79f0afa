"""What hypothesis draws for every reader of what somebody else wrote: each takes it or names what is wrong, nothing else."""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import msgspec
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from harness.errors import InputError, RemoteProtocolError
from harness.report.summary.retelling import contradictions
from harness.run.demand import Demand
from harness.run.folder import BEGUN, PLAN, TRACES, read_plan
from harness.run.ledger import Ledger, Stake
from harness.trace.file import read_trace
from harness.wire.live.codec import encode
from tests.chaos.fuzz import ATOMS, READERS, SPLICES, golden_frames
from tests.chaos.section import Options, Section, spread, table
from tests.corpus.hostile import GOOD, LAYOUTS, NAMES, VALUES, fence_of, journal_judged, judged
from tests.run.runs import plan, utterance
from tests.run.test_journal import entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import DrawFn, SearchStrategy

    Judge = Callable[[Path, bytes], str]

TEXT = """What hypothesis draws from strategies for each reader: messages, lines and files that are right but for a value of any
kind, a name or some bytes, and such that are nothing at all. Each is taken, or named as what it is; what is taken of
frames is written and read again alike, and nothing else is ever raised. An example that does not hold would be shrunk and
shown here.

{table}"""

KEYS = [
    *sorted({key for way in "<>" for one in golden_frames(way) for key in json.loads(one)}),
    "text", "parts", "data", "mimeType", "tokenCount", "x", "",
]  # fmt: skip
"""Names in messages."""

JSON: SearchStrategy[object] = st.recursive(
    st.sampled_from(ATOMS) | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def altered(draw: DrawFn, value: object) -> object:
    """Draw a JSON value with one thing in it, at any depth, put in the place of another."""
    if not value or not isinstance(value, (dict, list)) or draw(st.integers(0, 3)) == 0:
        return draw(JSON)
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    at = draw(st.sampled_from(places))
    changed = dict(value) if isinstance(value, dict) else dict(enumerate(value))
    changed[at] = draw(altered(changed[at]))
    return changed if isinstance(value, dict) else list(changed.values())


@st.composite
def damaged(draw: DrawFn, good: list[bytes]) -> bytes:
    """Draw one of some JSON texts with a value altered, or its bytes, or all of it."""
    data = draw(st.sampled_from(good))
    how = draw(st.sampled_from(["whole", "value", "value", "value", "bytes", "bytes", "noise"]))
    if how == "value":
        return json.dumps(draw(altered(json.loads(data)))).encode(errors="surrogatepass")
    if how == "bytes":
        for _ in range(draw(st.integers(1, 3))):
            at, cut = draw(st.integers(0, len(data))), draw(st.integers(0, 8))
            data = (
                data[:at]
                + draw(st.sampled_from(SPLICES) | st.binary(max_size=4))
                + data[at + cut :]
            )
    return draw(st.binary(max_size=200)) if how == "noise" else data


def lines(good: list[bytes]) -> SearchStrategy[bytes]:
    """Return files of such texts, a line each, the last perhaps torn."""
    many = st.lists(damaged(good), max_size=4).map(b"\n".join)
    return st.tuples(many, st.sampled_from([b"\n", b""])).map(b"".join)


@st.composite
def manifests(draw: DrawFn, layout: str) -> bytes:
    """Draw a manifest of cells that are good, bad, and anything."""
    cell = st.sampled_from(VALUES) | st.binary(max_size=6)
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    rows = [
        {name: draw(st.just(GOOD.get(name, b"x")) | cell) for name in names}
        for _ in range(draw(st.integers(0, 4)))
    ]
    if joint := {"csv": b",", "tsv": b"\t"}.get(layout):
        written = [joint.join(names), *(joint.join(row.values()) for row in rows)]
    else:
        quote = draw(st.sampled_from([b'"', b'"', b""]))
        written = [
            b"{" + b",".join(b'"%s":%s%s%s' % (n, quote, v, quote) for n, v in row.items()) + b"}"
            for row in rows
        ]
    return draw(st.sampled_from([b"\n", b"\r\n", b"\r"])).join(written) + draw(
        st.binary(max_size=3)
    )


def _frame(decode: Callable) -> Judge:
    def judge(_: Path, data: bytes) -> str:
        try:
            message = decode(data)
        except RemoteProtocolError:
            return "named"
        if decode(encode(message)) != message:
            raise AssertionError(f"is not read back as it was written: {message}")
        return "taken"

    return judge


def _manifest(layout: str) -> Judge:
    def judge(folder: Path, data: bytes) -> str:
        usable, _ = judged(folder, layout, data)
        return "taken" if usable else "named"

    return judge


def _journal(folder: Path, data: bytes) -> str:
    return "named" if journal_judged(folder, data) is None else "taken"


def _begun(folder: Path, data: bytes) -> str:
    (folder / BEGUN).write_bytes(data)
    try:
        Ledger(folder)
    except InputError as error:
        str(error).encode(errors="surrogatepass")
        return "named"
    return "taken"


def _plan(folder: Path, data: bytes) -> str:
    (folder / PLAN).write_bytes(data)
    try:
        read_plan(folder)
    except InputError as error:
        str(error).encode(errors="surrogatepass")
        return "named"
    return "taken"


def _trace(folder: Path, data: bytes) -> str:
    path = folder / TRACES / "t.jsonl.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(data, 1))
    kept = entry(0, trace=f"{TRACES}/t.jsonl.gz")
    found = list(contradictions(folder, PLANNED, kept))
    try:
        read_trace(path)
    except InputError:
        if len(found) != 1:
            raise AssertionError(found) from None
        return "named"
    return "taken"


PLANNED = plan([utterance(n) for n in range(2)])
STAKE = Stake(
    utterance="u0", dataset="d", locale="de-DE", model="m", repeat=1, attempt=1,
    takes=Demand(audio_s=1.0), at="2026-01-01T00:00:00Z",
)  # fmt: skip


def _trace_lines() -> list[bytes]:
    """Return the lines of a trace: the header, and frames of the golden files as its events."""
    header = {
        "schema": 1, "utterance": "u", "dataset": "d", "locale": "de-DE", "model": "m", "repeat": 1, "attempt": 1,
        "plan": "0", "endpoint": "ws://h/", "client": "c", "started_at": "t", "chunk_ms": 100, "pace": 1.0, "turns": "manual",
    }  # fmt: skip
    events = [
        {"t": n / 10, "dir": way, "frame": json.loads(frame)}
        for way in "<>"
        for n, frame in enumerate(golden_frames(way)[:40])
    ]
    notes: list[dict[str, object]] = [
        {"connect": "ws://h/"}, {"upgraded": {}}, {"closed": {"code": 1000}}, {"ended": {"outcome": "ok"}},
        {"seam": {"offset": 0, "pause_s": 0.5}}, {"stood_still": {"s": 1.0}},
    ]  # fmt: skip
    events += [{"t": 0.0, "dir": "!", "frame": note} for note in notes]
    return [json.dumps(one).encode() for one in (header, *events)]


def _traces() -> SearchStrategy[bytes]:
    header, *events = _trace_lines()
    head = st.just(header) | damaged([header])
    return st.tuples(head, lines(events)).map(b"\n".join)


def _subjects() -> Iterator[tuple[str, SearchStrategy[bytes], Judge]]:
    """Yield every reader: what it reads, what is drawn for it, and who judges what comes of it."""
    for what, direction, decode in READERS:
        yield what, damaged(golden_frames(direction)), _frame(decode)
    for layout in LAYOUTS:
        yield f"{layout} manifests", manifests(layout), _manifest(layout)
    yield "journals", lines([msgspec.json.encode(entry(n)) for n in range(3)]), _journal
    yield "what is begun", lines([msgspec.json.encode(STAKE)]), _begun
    yield "traces", _traces(), _trace
    yield "plans", damaged([msgspec.json.encode(PLANNED)]), _plan


SUBJECTS = tuple(_subjects())


def drawn(number: int, most: int, seed: int) -> tuple[Counter, list[str]]:
    """Return how many examples the reader of `SUBJECTS` took and named, of `most`, and one that did neither, shrunk."""
    what, strategy, judge = SUBJECTS[number]
    verdicts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "dataset"
        folder.mkdir()
        if "manifests" in what:
            fence_of(folder)

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=most, database=None, deadline=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )  # fmt: skip
        @hypothesis.given(strategy)
        def each(data: bytes) -> None:
            verdicts[judge(folder, data)] += 1

        try:
            each()
        except Exception as error:  # noqa: BLE001 - that anything is raised is what is looked for
            notes = " ".join(getattr(error, "__notes__", ()))
            return verdicts, [f"{what}: {type(error).__name__}: {error} {notes}"]
    return verdicts, []


def _one(asked: tuple[int, int, int]) -> tuple[Counter, list[str], float]:
    begun = time.process_time()
    return *drawn(*asked), time.process_time() - begun


def section(options: Options) -> Section:
    """Return what came of all examples, the readers side by side."""
    asked = [(number, options.examples, options.seed) for number in range(len(SUBJECTS))]
    rows, broken = [], []
    for (what, _, _), (verdicts, wrong, spent) in zip(
        SUBJECTS, spread(_one, asked, at_once=1), strict=True
    ):
        counts = (verdicts.total(), verdicts["taken"], verdicts["named"])
        rows.append([what, *(f"{one:,}" for one in counts), len(wrong), f"{spent:.0f}"])
        broken += wrong
    head = ["reader of", "examples", "taken", "named", "anything else", "CPU, s"]
    return Section(
        title="Drawn by hypothesis", text=TEXT.format(table=table(head, rows)), broken=broken
    )
