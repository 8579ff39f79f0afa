"""Converting audio and reading records, against peers and floors."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import msgspec

from tests.bench.measure import ratio


def measured(rounds: int, kinds: dict[str, tuple]) -> dict[str, list[dict]]:
    """Return what each kind took, run in turn."""
    found: dict[str, list[dict]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, arguments in kinds.items():
            ran = subprocess.run(
                [sys.executable, "-m", "tests.bench.files", name, *map(str, arguments)],
                check=True,
                capture_output=True,
            )
            found[name].append(json.loads(ran.stdout))
    return found


def cpu(found: list[dict]) -> list[float]:
    """Return the CPU of each round."""
    return [one["cpu"] for one in found]


def audio(rounds: int = 5, minutes: int = 5) -> str:
    """What converting costs, against librosa and against decoding alone."""
    import numpy as np
    import soundfile

    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw = np.random.default_rng(0)
        t = np.arange(44_100 * 60) / 44_100
        voice = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12))
        minute = 0.1 * voice * (
            0.5 + 0.5 * np.sin(2 * np.pi * 3 * t)
        ) + 0.003 * draw.standard_normal(len(t))
        for suffix in ("flac", "wav", "mp3", "ogg"):
            path = folder / f"speech.{suffix}"
            with soundfile.SoundFile(path, "w", 44_100, 1) as file:
                for _ in range(minutes):
                    for at in range(0, len(minute), 4096):
                        file.write(minute[at : at + 4096])
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            kept = (path, folder / "kept", sha256)
            measured(1, {"cached": kept, "librosa_load": (path,)})
            found = measured(
                rounds,
                {"load": (path,), "librosa_load": (path,), "decode": (path,), "cached": kept},
            )
            hours = minutes / 60
            each = {kind: median(cpu(one)) / hours for kind, one in found.items()}
            rows.append(
                f"| {suffix} | {each['load']:.2f} | {each['librosa_load']:.2f} | {each['decode']:.2f} | {each['cached']:.2f} "
                f"| {ratio(cpu(found['load']), cpu(found['librosa_load']))} | {ratio(cpu(found['load']), cpu(found['decode']))} "
                f"| {ratio(cpu(found['cached']), cpu(found['load']))} "
                f"| {median(one['mib'] for one in found['load']):.0f} / {median(one['mib'] for one in found['librosa_load']):.0f} |"
            )
    table = "\n".join(rows)
    return f"""## Audio

CPU seconds an hour of audio to make 16 kHz PCM of {minutes} minutes at 44.1 kHz: ours, librosa's,
decoding alone, and a clip kept from before; imports left out of the CPU, not of the memory. Fresh processes, {rounds} rounds in
turn. Goals: at most 1.1 times librosa, 1.5 times decoding but for WAV, kept a tenth of ours, 40 MiB whatever the length.

| | ours | librosa | decoding | kept | ours to librosa | ours to decoding | kept to ours | MiB: ours / librosa |
|---|---|---|---|---|---|---|---|---|
{table}"""


def records(rounds: int = 3, count: int = 1_000_000) -> str:
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
        found = measured(rounds, dict.fromkeys(kinds, (name,)))
    assert {count} == {one["count"] for told in found.values() for one in told}
    rows = "\n".join(
        f"| {words} | {median(cpu(found[kind])):.2f} | {median(one['mib'] for one in found[kind]):.0f} "
        f"| {ratio(cpu(found['journal']), cpu(found[kind]))} |"
        for kind, words in (
            ("journal", "ours, typed, one after the other"),
            ("pandas_journal", "pandas.read_json(lines=True)"),
            ("plain_journal", "json.loads a line, kept"),
            ("lines", "lines alone"),
        )
    )
    return f"""## Records

Reading a journal of {count:,} records, {mib:.0f} MiB; fresh processes with their imports, {rounds} rounds in turn. Goals: a fifth
of pandas' CPU and an eighth of its memory.

| | CPU s | MiB | ours to it |
|---|---|---|---|
{rows}"""
