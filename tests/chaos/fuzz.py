"""Frames that nobody would send: the codec takes each or says that the peer broke the protocol, and nothing else."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RemoteProtocolError
from harness.wire.live.codec import decode_client, decode_server, encode, to_json
from tests.chaos.section import Section, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.section import Options

GOLDEN = Path(__file__).parents[1] / "golden" / "live"

ATOMS: tuple[object, ...] = (
    None, True, False, 0, -1, 1, 1e308, -0.5, 2**63, 2**64, "", "x", "AAAA", "-_-_", "50s", "1.5s", "é\u0000",
    "\ud800", "NaN", "9" * 40, "models/x", "TEXT", [], {}, [[]], [{}], {"": ""},
)  # fmt: skip
"""Values to put where others were."""

SPLICES = (
    b"\xff",
    b"\x00",
    b'"',
    b"\\u",
    b"\\ud800",
    b"{",
    b"}",
    b"[" * 120,
    b"null",
    b",",
    b":",
    b"1e999",
    b"\xef\xbb\xbf",
)
"""Bytes to put anywhere."""


def golden_frames(direction: str) -> list[bytes]:
    """Return the golden files' frames of one direction, `<` from a server or `>` from a client."""
    files = sorted(GOLDEN.glob("*.jsonl"))
    lines = (line for path in files for line in path.read_bytes().splitlines())
    records = [json.loads(line) for line in lines if line.strip()]
    return [json.dumps(one["frame"]).encode() for one in records if one.get("dir") == direction]


def mutilated(chance: random.Random, frames: list[bytes]) -> bytes | str:
    """Return a frame in which something is wrong: its bytes, its values, its names, its nesting, or all of it."""
    frame = chance.choice(frames)
    how = chance.randrange(8)
    if how == 0:
        return chance.randbytes(chance.randrange(200))
    if how == 1:
        return frame[: chance.randrange(len(frame))]
    if how == 2:
        at = chance.randrange(len(frame))
        return frame[:at] + bytes([chance.randrange(256)]) + frame[at + 1 :]
    if how == 3:
        at = chance.randrange(len(frame))
        return frame[:at] + chance.choice(SPLICES) + frame[at:]
    if how == 4:
        other = chance.choice(frames)
        return frame[: chance.randrange(len(frame))] + other[chance.randrange(len(other)) :]
    value = json.loads(frame)
    for _ in range(chance.choice((1, 1, 2, 5))):
        value = altered(value, chance)
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    return text if how == 5 else text.encode(errors="surrogatepass")


def altered(value: object, chance: random.Random) -> object:
    """Return a JSON value with one thing in it replaced, renamed, repeated, wrapped or removed."""
    if not value or not isinstance(value, (dict, list)) or chance.random() < 0.15:
        atom = chance.choice(ATOMS)
        return [value, atom] if chance.random() < 0.1 else atom
    if isinstance(value, list):
        at = chance.randrange(len(value))
        return [*value[:at], altered(value[at], chance), *value[at + chance.choice((0, 1)) :]]
    name = chance.choice(list(value))
    changed = dict(value)
    inner = changed.pop(name)
    if (what := chance.randrange(6)) == 0:
        return changed
    if what == 1:
        name = chance.choice((name.upper(), "unknown", "", name + "_", "_".join(name)))
    changed[name] = altered(inner, chance)
    return changed


def fuzz(
    decode: Callable, frames: list[bytes], chance: random.Random, most: int
) -> tuple[Counter, list[str]]:
    """Return how many of `most` frames `decode` took and refused, and those that did something else."""
    verdicts: Counter[str] = Counter()
    broken = []
    for _ in range(most):
        frame = mutilated(chance, frames)
        try:
            message = decode(frame)
        except RemoteProtocolError:
            verdicts["refused"] += 1
            continue
        except Exception as error:  # noqa: BLE001 - that anything else is raised is what is looked for
            broken.append(f"{type(error).__name__}: {error} from {frame[:200]!r}")
            continue
        verdicts["taken"] += 1
        if decode(encode(message)) != message:
            broken.append(f"is not read back as it was written: {to_json(message)}")
    return verdicts, broken


READERS = (("what a server sends", "<", decode_server), ("what a client sends", ">", decode_client))


def fuzzed(direction: str, options: Options) -> tuple[Counter, list[str], float]:
    """Return what came of fuzzing the reader of one direction, and its CPU, s."""
    (decode,) = (one for _, way, one in READERS if way == direction)
    chance = random.Random(f"{options.seed}{direction}")  # noqa: S311 - the same noise every time
    begun = time.process_time()
    verdicts, wrong = fuzz(decode, golden_frames(direction), chance, options.frames // 2)
    return verdicts, wrong, time.process_time() - begun


def section(options: Options) -> Section:
    """Return what came of fuzzing both readers of frames, each in a process."""
    rows, broken = [], []
    with ProcessPoolExecutor(len(READERS)) as processes:
        made = [processes.submit(fuzzed, direction, options) for _, direction, _ in READERS]
        found = [one.result() for one in made]
    for (what, _, _), (verdicts, wrong, spent) in zip(READERS, found, strict=True):
        total = verdicts.total() + len(wrong)
        rows.append(
            [what, f"{total:,}", f"{verdicts['taken']:,}", f"{verdicts['refused']:,}", len(wrong), f"{spent:.0f}"]
        )  # fmt: skip
        broken += wrong[:20]
    head = ["reader of", "frames", "taken", "RemoteProtocolError", "anything else", "CPU, s"]
    text = (
        "Frames of the golden files with bytes changed, cut, spliced, and values, names and nesting altered. A reader takes "
        "a frame or raises RemoteProtocolError, never anything else; what it takes, it writes and reads again alike.\n\n"
    )
    return Section(title="Fuzzed frames", text=text + table(head, rows), broken=broken)
