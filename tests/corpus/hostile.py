"""Manifests and journals made to hurt: lines cut out of good ones and bad ones, put together and damaged, from a seed."""

from __future__ import annotations

import random
from pathlib import Path

from harness.corpus.fence import Fence
from harness.corpus.manifest import Entry
from harness.corpus.recipe import Recipe
from harness.corpus.shelf import fault_text, read
from harness.corpus.utterance import Fault
from harness.errors import InputError
from harness.run.folder import JOURNAL, read_journal
from harness.text.visible import visible

LAYOUTS = {"jsonl": "manifest.jsonl", "csv": "manifest.csv", "tsv": "manifest.tsv"}

VALUES = [
    b"a.wav", b"../b.wav", b"/etc/passwd", b"/dev/zero", b"fifo", b"link.wav", b"out/../../b.wav", b"http://h/a.wav",
    b"de-DE", b"xx-YY", b"", b" ", b"1e999", b"-1", b"NaN", b"0", b"12345678901234567890123", b"true", b"null",
    b"\\ud800", b"\xff\xfe", b"\x00", b"\x1b[31m", b"\xef\xbb\xbf", "\u202e\u2028".encode(), b"x" * 600, b"'", b'"', b'""',
    b"[" * 2000, b'{"a":' * 2000, b"=cmd()", b"\\", b"\\u0000", b"99999999999999999999999999999999e99999",
]  # fmt: skip
NAMES = [
    b"audio_filepath", b"text", b"locale", b"id", b"offset", b"duration", b"speaker", b"dataset", b"tag", b"path", b"",
]  # fmt: skip


GOOD = {
    b"audio_filepath": b"a.wav",
    b"path": b"a.wav",
    b"locale": b"de-DE",
    b"offset": b"1",
    b"duration": b"2",
}


def fence_of(folder: Path) -> Fence:
    """Lay out a folder with everything a path could name, and return its fence."""
    (folder / "a.wav").write_bytes(b"")
    (folder.parent / "b.wav").write_bytes(b"")
    (folder / "link.wav").symlink_to("../b.wav")
    import os

    os.mkfifo(folder / "fifo")
    return Fence(root=str(folder.resolve()))


def manifest_bytes(rng: random.Random, layout: str) -> bytes:
    """Return a manifest of a few rows, good and bad, somewhere damaged."""
    joint = {"csv": b",", "tsv": b"\t"}.get(layout)
    names = rng.sample(NAMES, rng.randint(1, 6))
    lines = [joint.join(names)] if joint else []
    for _ in range(rng.randint(0, 5)):
        values = [
            GOOD[name] if name in GOOD and rng.random() < 0.6 else rng.choice(VALUES)
            for name in names
        ]
        if joint:
            quoted = [b'"' + value + b'"' if rng.random() < 0.3 else value for value in values]
            lines.append(joint.join(quoted[: rng.randint(1, len(quoted))]))
        else:
            cells = [
                b'"%s": %s' % (name, value if rng.random() < 0.3 else b'"' + value + b'"')
                for name, value in zip(names, values, strict=True)
            ]
            lines.append(b"{" + b", ".join(cells) + b"}")
    return _damaged(rng, rng.choice([b"\n", b"\r\n"]).join(lines) + b"\n")


def _damaged(rng: random.Random, data: bytes) -> bytes:
    mutable = bytearray(data)
    for _ in range(rng.choice([0, 0, 1, 3])):
        at = rng.randrange(len(mutable) + 1)
        mutable[at : at + rng.randint(0, 4)] = rng.randbytes(rng.randint(0, 4))
    return bytes(mutable)


def judged(folder: Path, layout: str, data: bytes) -> tuple[int, int]:
    """Return how many utterances and faults a manifest gives; every utterance lies inside, every fault can be shown."""
    name = LAYOUTS[layout]
    (folder / name).write_bytes(data)
    recipe = Recipe(
        folder=folder.resolve(), name="d", title="t", layout=layout, manifest=name, locale="en-US"
    )
    usable = faults = 0
    ids: set[str] = set()
    for found in read(recipe):
        match found:
            case Entry(utterance=utterance):
                usable += 1
                if utterance.id in ids or not utterance.id or len(utterance.id) > 600:
                    raise AssertionError(f"id {utterance.id!r}")
                ids.add(utterance.id)
                if utterance.audio and not utterance.audio.resolve().is_relative_to(
                    folder.resolve()
                ):
                    raise AssertionError(f"{utterance.audio} lies outside")
            case Fault():
                faults += 1
                visible(fault_text(found)).encode()
    return usable, faults


def journal_judged(folder: Path, data: bytes) -> int | None:
    """Return how many records a journal holds; None: a line of it is named as unreadable."""
    (folder / JOURNAL).write_bytes(data)
    try:
        return len(read_journal(folder))
    except InputError as error:
        if JOURNAL not in str(error):
            raise
        return None


def journal_bytes(rng: random.Random, whole: bytes) -> bytes:
    """Return a good journal, cut, doubled and damaged."""
    lines = whole.splitlines(keepends=True)
    return _damaged(rng, b"".join(rng.choices(lines, k=rng.randint(0, 6))))[: rng.randint(0, 5000)]
