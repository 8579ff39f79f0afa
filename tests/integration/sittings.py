"""`harness run` in processes of its own that are stopped or killed, and what is left of the run when it is finished."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import wave
from collections import Counter
from pathlib import Path

import pandas as pd

from harness.run.folder import BEGUN, read_journal

CLIPS = 8

SAME = [
    "utterance_id", "locale", "outcome", "reference", "hypothesis", "metric", "errors", "hits", "reference_tokens",
    "rate", "audio_s", "attempts", "prompt_tokens", "total_tokens", "cost_usd", "reason",
]  # fmt: skip
"""Columns of a run's table that no clock shapes."""


def manifest(
    folder: Path, clips: int = CLIPS, seconds: float = 0.4, locales: tuple[str, ...] = ("en-US",)
) -> Path:
    """Write so many clips of noise, of these locales in turn, and a manifest of them; return where it is.

    It says where the speech is, so that nobody has to look for it: that takes librosa's import, the half of such a run.
    """
    rng = random.Random(1)  # noqa: S311 - repeatable noise
    lines = []
    for n in range(clips):
        with wave.open(str(folder / f"{n:02}.wav"), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
            file.writeframes(rng.randbytes(round((seconds + n / 50) * 16_000) * 2))
        line = {
            "audio_filepath": f"{n:02}.wav",
            "text": "seconds of audio",
            "locale": locales[n % len(locales)],
            "speech_start": 0.0,
            "speech_end": seconds,
        }
        lines.append(json.dumps(line))
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    return folder / "manifest.jsonl"


def begun(manifest: Path, out: Path, *options: str, **more) -> subprocess.Popen:
    """Start the command over `manifest` into `out`; it leads a process group of its own."""
    command = [sys.executable, "-m", "harness", "run", str(manifest), "--out", str(out), *options]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env=os.environ | more.pop("env", {}),
        text=True,
        **more,
    )


def killed(manifest: Path, out: Path, *options: str, after_s: float) -> bool:
    """Start the command and kill it after a while; return whether it was still at work."""
    process = begun(manifest, out, *options)
    try:
        process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    return False


def finished(manifest: Path, out: Path, *options: str, **more) -> pd.DataFrame:
    """Run the command to its end and return what does not depend on any clock of the run's table.

    It may have come to its end before, when it was killed with nothing left to do.
    """
    process = begun(manifest, out, *options, **more)
    said, _ = process.communicate(timeout=120)
    if process.returncode not in (0, 5) and "this run is finished" not in said:
        raise AssertionError(said)
    return table(out)


def table(out: Path) -> pd.DataFrame:
    """Return the columns of a run's table that no clock shapes, less the attempts that were open when it was killed."""
    rows = pd.read_csv(out / "utterances.csv", dtype=str)[SAME]
    lost = Counter(record.utterance for record in read_journal(out) if record.lost)
    rows["attempts"] = rows["attempts"].astype(int) - rows["utterance_id"].map(
        lambda one: lost[one]
    )
    return rows


def until(process: subprocess.Popen, happened) -> None:
    """Wait until `happened()`, which a file tells; the process must not end before."""
    while not happened():
        if process.poll() is not None:
            raise AssertionError(process.stdout.read())
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue


def journalled(out: Path) -> int:
    """Return how many attempts are written down in `out`."""
    return len(read_journal(out))


def with_variable(name: str, value: str) -> list[int]:
    """Return the processes of this machine (Linux) that have such a variable: what was started with it, and its children."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{name}={value}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def asked(out: Path) -> int:
    """Return how many sessions the service was asked for, while the run in `out` is at work."""
    begun = out / BEGUN
    return begun.read_bytes().count(b"\n") if begun.exists() else 0


def interrupt_group(process: subprocess.Popen) -> None:
    """Send SIGINT to the whole group, as a terminal does at Ctrl-C."""
    os.killpg(process.pid, signal.SIGINT)
