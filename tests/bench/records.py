"""Reading a run's records and making its tables, against peers and floors."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

import msgspec

from harness.report.tables.columns import UTTERANCE_COLUMNS
from harness.report.tables.table import UTTERANCES
from harness.run.folder import JOURNAL, PLAN
from harness.run.record import PlannedUtterance, Usage, UtteranceRecord
from tests.bench.disk import cpu, measured
from tests.bench.measure import Cost, Goal, process, ratio, ratios
from tests.bench.scoring import transcripts
from tests.run.runs import plan

MODEL = "gemini-live-2.5-flash-preview"


def records(rounds: int = 3, count: int = 320_000, reported: int = 80_000) -> str:
    """What reading a journal and a table costs, against pandas and the standard library; and a report per record.

    Half of `reported` are enough that the memory of texts normalised before, which is bounded, is full.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "read"
        few, many = (reports(Path(name) / f"{n}", n) for n in (reported // 2, reported))
        run(folder, count)
        repeated(Path(name) / f"{reported}" / UTTERANCES, folder / UTTERANCES, count // reported)
        mib = (folder / JOURNAL).stat().st_size / 2**20
        kinds = ("journal", "table", "pandas_table", "pandas_journal", "plain_journal", "lines")
        found = measured(rounds, kinds, [folder])
    assert {count} == {one["paths"][0]["count"] for told in found.values() for one in told}
    seconds = {kind: cpu(told) for kind, told in found.items()}
    mib_of = {kind: [one["mib"] for one in told] for kind, told in found.items()}
    theirs = "pandas_journal"
    guessed = (
        f"{len(UTTERANCE_COLUMNS)} columns; with types guessed pandas needs {median(ratios(seconds['pandas_table'], seconds[theirs])):.2f} "
        f"of the CPU and {median(ratios(mib_of['pandas_table'], mib_of[theirs])):.2f} of the memory"
    )
    goals = [
        Goal("CPU, ours to pandas", ratios(seconds["journal"], seconds[theirs]), 1 / 5),
        Goal("memory, ours to pandas", ratios(mib_of["journal"], mib_of[theirs]), 1 / 8),
        Goal("CPU of the table", ratios(seconds["table"], seconds[theirs]), 1 / 5, floor=guessed),
        Goal("memory of the table", ratios(mib_of["table"], mib_of[theirs]), 1 / 8, floor=guessed),
    ]
    rows = "\n".join(
        f"| {words} | {median(seconds[kind]):.2f} | {median(mib_of[kind]):.0f} "
        f"| {ratio(seconds[kind], seconds[theirs])} | {ratio(mib_of[kind], mib_of[theirs])} |"
        for kind, words in (
            ("journal", "ours, typed, one after the other"),
            ("table", "`harness.read_run`: the report's table as a typed data frame"),
            ("pandas_table", "pandas.read_csv of it, types guessed"),
            (theirs, "pandas.read_json(lines=True)"),
            ("plain_journal", "json.loads a line, kept"),
            ("lines", "lines alone"),
        )
    )
    each = reported - reported // 2
    ms = (many.cpu_s - few.cpu_s) / each * 1e3
    kib = (many.peak_mib - few.peak_mib) / each * 1024
    return f"""## Records

Reading a journal of {count:,} records, {mib:.0f} MiB, and the table that `harness report` writes of as many; fresh processes with their imports, {rounds} rounds in turn.

| | CPU s | MiB | CPU to pandas | memory to pandas |
|---|---|---|---|---|
{rows}

`harness report` of {reported:,} records, each text another, scored under every profile and written as tables and page: {many.cpu_s:.1f} CPU s,
{many.peak_mib:.0f} MiB. Beyond those of {reported // 2:,}, a record takes {ms:.2f} ms and {kib:.1f} KiB.
{MEASURED_ONCE}

{Goal.table(goals)}"""


MEASURED_ONCE = """Measured once, on 2026-11-22 on a busy machine: of 200,000 records 128 CPU s and 717 MiB, of a million
647 CPU s and 2,711 MiB; the page, 12.5 MB of either, holds a hundred thousand rows, the worst."""


def run(folder: Path, count: int) -> None:
    """Write a run of `count` utterances of some words, a tenth of them wrong: its plan and its journal."""
    (folder / "traces").mkdir(parents=True)
    said, heard = transcripts(count)
    utterances = [
        PlannedUtterance(
            id=f"u{number:07}", dataset="d", locale="en-US", reference=text, audio=f"/nowhere/{number}.wav",
            duration_s=5.0, sha256=f"{number:064x}", speaker=f"s{number % 200}",
        )
        for number, text in enumerate(said)
    ]  # fmt: skip
    (folder / PLAN).write_bytes(msgspec.json.encode(plan(utterances, models=(MODEL,), pace=0.0)))
    with (folder / JOURNAL).open("wb") as file:
        for number, text in enumerate(heard):
            file.write(msgspec.json.encode(record(number, text)) + b"\n")


def repeated(table: Path, to: Path, times: int) -> None:
    """Write the rows of a table so many times."""
    head, _, rows = table.read_bytes().partition(b"\n")
    with to.open("wb") as file:
        file.write(head + b"\n")
        for _ in range(times):
            file.write(rows)


def record(number: int, text: str) -> UtteranceRecord:
    """Return what the journal tells of one session."""
    return UtteranceRecord(
        utterance=f"u{number:07}", dataset="d", locale="en-US", model=MODEL, repeat=1, attempt=1, final=True,
        trace=f"traces/u{number:07}-gemini-live-2.5-flash-preview-r1-a1-01234567.jsonl.gz", outcome="ok",
        started_at="2026-01-02T03:04:05.678Z", endpoint="wss://example.org/ws", audio_samples=80_000,
        hypothesis=text, first_text_t=1.25, final_text_t=5.5, setup_s=0.25, send_lag_p50_ms=0.5, send_lag_p99_ms=1.5,
        send_lag_max_ms=2.5, usage=Usage(records=1, total_tokens=150), wall_s=8.0,
    )  # fmt: skip


def reports(folder: Path, count: int) -> Cost:
    """Return what `harness report` of `count` records takes."""
    run(folder, count)
    return process([sys.executable, "-m", "harness", "report", str(folder)])
