"""Converting audio, against peers and floors."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.bench.measure import Goal, pairs, ratio, ratios


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
        plain, short = Path(name) / "plain.wav", Path(name) / "short.flac"
        recordings([plain], minutes, rate=16_000)
        recordings([short], 1, seconds=1)
        measured(1, ("cached",), [plain])
        through = {
            kind: [cost * 60 / minutes for cost in cpu(told)]
            for kind, told in measured(rounds, ("load", "cached", "read_twice"), [plain]).items()
        }
        once = [sys.executable, "-m", "tests.bench.files"]
        theirs = [*once, "librosa_load", str(short)]
        cold, bare = (
            ratios(
                *(
                    [cost.cpu_s for cost in side]
                    for side in pairs([*once, kind, str(short)], theirs, rounds)
                )
            )
            for kind in ("load", "libraries")
        )
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
    goals += [
        Goal(
            "PCM16 at 16 kHz as it is, the first time, CPU s an hour",
            through["load"],
            0.1,
            floor=f"it is looked through for faults, and streamed; to read it twice takes {median(through['read_twice']):.2f}",
        ),
        Goal(
            "PCM16 at 16 kHz as it is, looked through before, CPU s an hour", through["cached"], 0.1
        ),
        Goal(
            "a process that converts a second, to librosa's",
            cold,
            0.1,
            floor=f"one that imports numpy, soundfile and soxr and converts nothing takes {median(bare):.2f}",
        ),
        Goal("memory, MiB", mib["load"], 40),
    ]
    table = "\n".join(rows)
    return f"""## Audio

CPU seconds an hour of audio to make 16 kHz PCM of {minutes} minutes at 44.1 kHz: ours, librosa's,
decoding alone (the floor), decoding and soxr's resampling, and a clip kept from before; imports left out. Fresh processes,
{rounds} rounds in turn. Memory beyond the first imports: ours {median(mib["load"]):.0f} MiB, librosa {median(mib["librosa_load"]):.0f} with its own.

| | ours | librosa | decoding | and resampling | kept | ours to librosa | ours to decoding | decoding and resampling to it | kept to ours |
|---|---|---|---|---|---|---|---|---|---|
{table}

{Goal.table(goals)}"""


def recordings(paths: list[Path], minutes: int, *, rate: int = 44_100, seconds: int = 60) -> None:
    """Write a voice's harmonics over noise, each file in its format; `seconds` are a minute's."""
    import numpy as np
    import soundfile

    draw = np.random.default_rng(0)
    t = np.arange(rate * seconds) / rate
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
