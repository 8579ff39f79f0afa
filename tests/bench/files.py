"""What converting audio and reading records cost: `python -m tests.bench.files KIND PATH [MORE]`, each in a fresh process.

Prints JSON: CPU s, and the peak of memory beyond what the imports took, MiB.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path


def spent() -> tuple[float, float]:
    """Return CPU s and peak MiB so far."""
    told = resource.getrusage(resource.RUSAGE_SELF)
    return told.ru_utime + told.ru_stime, told.ru_maxrss / 1024


def librosa_load(path: Path, *_: str) -> int:
    """Convert with librosa."""
    import librosa
    import numpy as np

    samples, _rate = librosa.load(path, sr=16_000)
    return len(np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2"))


def decode(path: Path, *_: str) -> int:
    """Decode and nothing else: the floor."""
    import soundfile

    with soundfile.SoundFile(path) as file:
        return sum(len(block) for block in file.blocks(65_536, dtype="float32"))


def load(path: Path, *_: str) -> int:
    """Convert with ours."""
    from harness.audio.load import load as ours

    return sum(len(block) for block in ours(path).blocks())


def cached(path: Path, folder: str, sha256: str) -> int:
    """Convert with ours, kept from before."""
    from harness.audio.cache import Conversions

    clip = Conversions(Path(folder), most_bytes=2**34).clip(path, sha256=sha256)
    return sum(len(block) for block in clip.blocks())


def pandas_journal(path: Path, *_: str) -> int:
    """Read a journal with pandas."""
    import pandas as pd

    return len(pd.read_json(path / "journal.jsonl", lines=True))


def plain_journal(path: Path, *_: str) -> int:
    """Read a journal with the standard library, all at once."""
    with (path / "journal.jsonl").open("rb") as file:
        return len([json.loads(line) for line in file])


def journal(path: Path, *_: str) -> int:
    """Read a journal with ours, one record after the other."""
    from harness.run.folder import iter_journal

    return sum(record.final for record in iter_journal(path))


def lines(path: Path, *_: str) -> int:
    """Count a journal's lines: the floor."""
    with (path / "journal.jsonl").open("rb") as file:
        return sum(1 for _ in file)


def main() -> None:
    """Measure once and print; what converts, the second time: its imports are the start's cost, not the clip's."""
    kinds = {
        one.__name__: one
        for one in (
            librosa_load,
            decode,
            load,
            cached,
            pandas_journal,
            plain_journal,
            journal,
            lines,
        )
    }
    import numpy as np  # noqa: F401 - all but the readers of records need it: not what is measured

    kind, path, *more = sys.argv[1:]
    _, peak = spent()
    if kind in ("librosa_load", "decode", "load", "cached"):
        kinds[kind](Path(path), *more)
    cpu, _ = spent()
    count = kinds[kind](Path(path), *more)
    after, most = spent()
    print(json.dumps({"cpu": after - cpu, "mib": most - peak, "count": count}))  # noqa: T201 - for the parent


main()
