"""Converting audio and reading records, against peers and floors."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import msgspec

from tests.bench.measure import Goal, ratio, ratios


def measured(rounds: int, kinds: tuple[str, ...], paths: list[Path]) -> dict[str, list[dict]]:
    """Return what each kind took with all `paths`, run in turn."""
    found: dict[str, list[dict]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, told in found.items():
            ran = subprocess.run(
                [sys.executable, "-m", "tests.bench.files", kind, *map(str, paths)],
                check=True,
                stdout=subprocess.PIPE,
            )
            told.append(json.loads(ran.stdout))
    return found


def cpu(found: list[dict], place: int = 0) -> list[float]:
    """Return the CPU that one path took in each round."""
    return [one["paths"][place]["cpu"] for one in found]


FORMATS = ("flac", "wav", "mp3", "ogg")


def audio(rounds: int = 3, minutes: int = 3) -> str:
    """What converting costs, against librosa and against decoding alone."""
    kinds = ("load", "librosa_load", "decode", "resample", "cached")
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / f"speech.{suffix}" for suffix in FORMATS]
        recordings(paths, minutes)
        measured(1, ("cached",), paths)
        found = measured(rounds, kinds, paths)
    rows, goals = [], []
    for place, suffix in enumerate(FORMATS):
        ours, librosa, decoding, resampling, kept = (cpu(found[kind], place) for kind in kinds)
        cells = [
            f"{median(one) * 60 / minutes:.2f}"
            for one in (ours, librosa, decoding, resampling, kept)
        ]
        cells += [ratio(ours, librosa), ratio(ours, decoding), ratio(resampling, decoding)]
        cells += [ratio(kept, ours)]
        rows.append(f"| {suffix} | {' | '.join(cells)} |")
        goals.append(Goal(f"{suffix}: ours to librosa", ratios(ours, librosa), 1.1))
        if suffix != "wav":
            goals.append(
                Goal(
                    f"{suffix}: ours to decoding",
                    ratios(ours, decoding),
                    1.5,
                    floor=f"decoding and resampling alone take {median(ratios(resampling, decoding)):.2f} times as much",
                )
            )
        goals.append(Goal(f"{suffix}: kept to ours", ratios(kept, ours), 0.1))
    mib = {kind: [one["mib"] for one in told] for kind, told in found.items()}
    goals.append(Goal("memory, MiB", mib["load"], 40))
    table = "\n".join(rows)
    return f"""## Audio

CPU seconds an hour of audio to make 16 kHz PCM of {minutes} minutes at 44.1 kHz: ours, librosa's,
decoding alone (the floor), decoding and soxr's resampling, and a clip kept from before; imports left out. Fresh processes,
{rounds} rounds in turn. Memory beyond the first imports: ours {median(mib["load"]):.0f} MiB, librosa {median(mib["librosa_load"]):.0f} with its own.

| | ours | librosa | decoding | and resampling | kept | ours to librosa | ours to decoding | decoding and resampling to it | kept to ours |
|---|---|---|---|---|---|---|---|---|---|
{table}

{Goal.table(goals)}"""


def recordings(paths: list[Path], minutes: int) -> None:
    """Write a voice's harmonics over noise, each file in its format."""
    import numpy as np
    import soundfile

    rate = 44_100
    draw = np.random.default_rng(0)
    t = np.arange(rate * 60) / rate
    voice = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12))
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * t)
    minute = 0.1 * voice * swell + 0.003 * draw.standard_normal(len(t))
    for path in paths:
        with soundfile.SoundFile(path, "w", rate, 1) as file:
            for _ in range(minutes):
                for at in range(
                    0, len(minute), 4096
                ):  # libsndfile's Vorbis overflows its stack on more
                    file.write(minute[at : at + 4096])


def records(rounds: int = 3, count: int = 100_000) -> str:
    """What reading a journal costs, against pandas and the standard library."""
    from harness.run.folder import JOURNAL
    from harness.run.record import Usage, UtteranceRecord

    record = UtteranceRecord(
        utterance="u000000", dataset="d", locale="en-US", model="gemini-live-2.5-flash-preview", repeat=1, attempt=1,
        final=True, trace="traces/u000000-gemini-live-2.5-flash-preview-r1-a1-01234567.jsonl.gz", outcome="ok",
        started_at="2026-01-02T03:04:05.678Z", endpoint="wss://example.org/ws", audio_samples=80_000,
        hypothesis="a transcript of a few words as there are many", first_text_t=1.25, final_text_t=5.5, setup_s=0.25,
        send_lag_p50_ms=0.5, send_lag_p99_ms=1.5, send_lag_max_ms=2.5, usage=Usage(records=1, total_tokens=150), wall_s=8.0,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        with (Path(name) / JOURNAL).open("wb") as file:
            for number in range(count):
                line = msgspec.json.encode(record).replace(b"u000000", b"u%06d" % number)
                file.write(line + b"\n")
        mib = (Path(name) / JOURNAL).stat().st_size / 2**20
        kinds = ("journal", "pandas_journal", "plain_journal", "lines")
        found = measured(rounds, kinds, [Path(name)])
    assert {count} == {one["paths"][0]["count"] for told in found.values() for one in told}
    mib_of = {kind: [one["mib"] for one in told] for kind, told in found.items()}
    goals = [
        Goal(
            "CPU, ours to pandas",
            ratios(cpu(found["journal"]), cpu(found["pandas_journal"])),
            1 / 5,
        ),
        Goal("memory, ours to pandas", ratios(mib_of["journal"], mib_of["pandas_journal"]), 1 / 8),
    ]
    rows = "\n".join(
        f"| {words} | {median(cpu(found[kind])):.2f} | {median(mib_of[kind]):.0f} "
        f"| {ratio(cpu(found['journal']), cpu(found[kind]))} |"
        for kind, words in (
            ("journal", "ours, typed, one after the other"),
            ("pandas_journal", "pandas.read_json(lines=True)"),
            ("plain_journal", "json.loads a line, kept"),
            ("lines", "lines alone"),
        )
    )
    return f"""## Records

Reading a journal of {count:,} records, {mib:.0f} MiB; fresh processes with their imports, {rounds} rounds in turn.

| | CPU s | MiB | ours to it |
|---|---|---|---|
{rows}

{Goal.table(goals)}"""
