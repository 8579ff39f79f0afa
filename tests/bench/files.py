"""What converting audio and reading records cost: `python -m tests.bench.files KIND PATH…`, each in a fresh process.

Prints JSON: for each path its CPU s and what was counted in it, and the peak of memory beyond what the imports took, MiB.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from tests.bench.measure import peak_mib


def spent() -> tuple[float, float]:
    """Return CPU s and peak MiB so far."""
    told = resource.getrusage(resource.RUSAGE_SELF)
    return told.ru_utime + told.ru_stime, peak_mib()


def librosa_load(path: Path) -> int:
    """Convert with librosa."""
    import librosa
    import numpy as np

    samples, _rate = librosa.load(path, sr=16_000)
    return len(np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2"))


def decode(path: Path) -> int:
    """Decode and nothing else: the floor."""
    import soundfile

    with soundfile.SoundFile(path) as file:
        return sum(len(block) for block in file.blocks(65_536, dtype="float32"))


def resample(path: Path) -> int:
    """Decode and resample and nothing else: what any converter to 16 kHz does that is bit-equal to librosa's."""
    import soundfile
    import soxr

    with soundfile.SoundFile(path) as file:
        stream = soxr.ResampleStream(file.samplerate, 16_000, 1, "float32", "HQ")
        return sum(
            len(stream.resample_chunk(block)) for block in file.blocks(65_536, dtype="float32")
        )


def read_twice(path: Path) -> int:
    """Read a file's bytes two times, as ours reads them: what it takes to look through what is streamed later."""
    import numpy as np

    from harness.audio.clip import FilePcm
    from harness.audio.source import BLOCK

    block = np.empty(BLOCK, dtype="<i2")
    with path.open("rb") as file:
        while file.readinto(block.data.cast("B")):
            pass
    pcm = FilePcm(path, 0, path.stat().st_size // 2)
    return sum(len(pcm.read(at, BLOCK // 2)) for at in range(0, len(pcm), BLOCK // 2))


def libraries(_path: Path) -> int:
    """Import what no converter to 16 kHz can do without that is bit-equal to librosa's, and convert nothing."""
    import soundfile
    import soxr

    return len((soundfile.__name__, soxr.__name__))


def load(path: Path) -> int:
    """Convert with ours."""
    from harness.audio.load import load as ours

    return sum(len(block) for block in ours(path).blocks())


def cached(path: Path) -> int:
    """Convert with ours, kept from before beside it; a plan has the file's hash, so it is worked out the first time alone."""
    import hashlib

    from harness.audio.cache import Conversions

    known = path.with_name(f"{path.name}.sha256")
    if not known.exists():
        known.write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    kept = Conversions(path.parent / "kept", most_bytes=2**34)
    clip = kept.clip(path, sha256=known.read_text())
    return sum(len(block) for block in clip.blocks())


def pandas_journal(path: Path) -> int:
    """Read a journal with pandas."""
    import pandas as pd

    return len(pd.read_json(path / "journal.jsonl", lines=True))


def table(path: Path) -> int:
    """Read the table of a run as a data frame."""
    import harness

    return len(harness.read_run(path))


def pandas_table(path: Path) -> int:
    """Read the table of a run with pandas, its types guessed."""
    import pandas as pd

    return len(pd.read_csv(path / "utterances.csv"))


def plain_journal(path: Path) -> int:
    """Read a journal with the standard library, all at once."""
    with (path / "journal.jsonl").open("rb") as file:
        return len([json.loads(line) for line in file])


def journal(path: Path) -> int:
    """Read a journal with ours, one record after the other."""
    from harness.run.folder import iter_journal

    return sum(record.final for record in iter_journal(path))


def lines(path: Path) -> int:
    """Count a journal's lines: the floor."""
    with (path / "journal.jsonl").open("rb") as file:
        return sum(1 for _ in file)


KINDS = {
    one.__name__: one
    for one in (
        librosa_load,
        decode,
        resample,
        read_twice,
        libraries,
        load,
        cached,
        pandas_journal,
        plain_journal,
        table,
        pandas_table,
        journal,
        lines,
    )
}
CONVERT = ("librosa_load", "decode", "resample", "read_twice", "load", "cached")


def main() -> None:
    """Measure each path once and print; what converts, the second time: its imports are the start's cost, not the clip's."""
    import numpy as np  # noqa: F401 - all but the readers of records need it: not what is measured

    kind, *paths = sys.argv[1:]
    _, peak = spent()
    if kind in CONVERT:
        KINDS[kind](Path(paths[0]))
    found = []
    for path in paths:
        cpu, _ = spent()
        count = KINDS[kind](Path(path))
        found.append({"cpu": spent()[0] - cpu, "count": count})
    print(json.dumps({"paths": found, "mib": spent()[1] - peak}))  # noqa: T201 - for the parent


main()
