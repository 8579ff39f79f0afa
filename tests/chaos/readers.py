"""Manifests and journals of any bytes: how many were read, and whether anything but a fault came of it."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import msgspec

from tests.chaos.section import Options, Section, table
from tests.corpus.hostile import (
    LAYOUTS,
    fence_of,
    journal_bytes,
    journal_judged,
    judged,
    manifest_bytes,
)
from tests.run.test_journal import entry

TEXT = """Manifests put together from good cells and bad ones (paths that lead out, pipes, devices, links, lone surrogates,
control characters, numbers beyond any, JSON two thousand deep) and then damaged, and journals cut, doubled and damaged.
It holds that every usable utterance lies inside its dataset and has an id of its own, that everything else is a fault that
can be printed, and that a journal is read or its bad line named.

{table}"""


def section(options: Options) -> Section:
    """Return what came of all readings."""
    rng = random.Random(options.seed)  # noqa: S311 - repeatable
    rows, broken = [], []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "dataset"
        folder.mkdir()
        fence_of(folder)
        for layout in LAYOUTS:
            usable = faults = 0
            for n in range(options.readings // len(LAYOUTS)):
                try:
                    more, wrong = judged(folder, layout, manifest_bytes(rng, layout))
                except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the table
                    broken.append(f"{layout} manifest {n}: {type(error).__name__}: {error}")
                    continue
                usable, faults = usable + more, faults + wrong
            rows.append([f"{layout} manifests", options.readings // len(LAYOUTS), usable, faults])
        whole = b"".join(msgspec.json.encode(entry(n)) + b"\n" for n in range(5))
        read = named = 0
        for n in range(options.readings):
            try:
                found = journal_judged(folder, journal_bytes(rng, whole))
            except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the table
                broken.append(f"journal {n}: {type(error).__name__}: {error}")
                continue
            read, named = read + (found or 0), named + (found is None)
        rows.append(["journals", options.readings, read, named])
    shown = table(["what", "read", "utterances or records", "faults named"], rows)
    return Section(title="Hostile files", text=TEXT.format(table=shown), broken=broken)
