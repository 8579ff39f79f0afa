"""Run folders that somebody has damaged: the same command goes on, or names the file; what was answered is not asked for again."""

from __future__ import annotations

import functools
import json
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.errors import HarnessError
from harness.run.execute import open_folder
from harness.run.folder import BEGUN, JOURNAL, PLAN, REPORT, read_journal
from harness.run.orphans import read_attempts
from harness.run.plan import run_id
from tests.chaos.fuzz import SPLICES, altered
from tests.chaos.section import Options, Section, spread, table
from tests.run.crash import planned, sitting, undisturbed
from tests.run.disk import Disk, Killed

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = """Folders of a run of 14 utterances that was killed at one of several steps, or ended, or was reported. In each, one file
or two of them (the plan, the journal, what is begun, traces, speech, reports) were given random bytes, cut, emptied, doubled,
removed, swapped, or made a folder or a link that leads nowhere; or a value of their JSON was another. Then the same command
went on, in memory. It holds that it goes on or ends with an error that names the file, and that no utterance is asked for again
whose answer is in the journal or in its trace, as far as either was left alone. `python -m tests.chaos folders --folders N` does N.

{table}"""

ANSWERED = ("ok", "ok_empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A run folder before it is damaged."""

    folder: Path
    journal: frozenset[str]
    """Utterances that are answered by a line of the journal."""

    traces: dict[str, str]
    """Those that are answered, and where the trace lies that says so."""

    reported: bool
    """True: it was finished, and its report is there."""


@functools.cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    """Return where the folders lie, as long as this process lives."""
    return tempfile.TemporaryDirectory()


@functools.cache
def bases() -> tuple[Base, ...]:
    """Return the folders: of runs that died at steps of theirs, of one that ended, of one that was reported."""
    root = Path(_kept().name)
    made = planned(1)
    steps, _ = undisturbed(root / "quiet")
    found = []
    for number, share in enumerate((0.1, 0.3, 0.5, 0.7, 0.9, 1.0, 1.0)):
        folder = root / str(number) / run_id(made)
        if share < 1:
            try:
                with Disk(folder, dies_at=int(share * len(steps))).watched():
                    sitting(made, folder, 3)
            except (Killed, BaseExceptionGroup):
                pass
        else:
            sitting(made, folder, 3)
        if number == 5:
            (folder / REPORT).unlink()
        answered = [one for one in read_attempts(folder) if one.final and one.outcome in ANSWERED]
        found.append(
            Base(
                folder=folder,
                journal=frozenset(
                    one.utterance
                    for one in read_journal(folder)
                    if one.final and one.outcome in ANSWERED
                ),
                traces={one.utterance: one.trace for one in answered if one.trace},
                reported=(folder / REPORT).exists(),
            )
        )
    return tuple(found)


def _bytes(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with something wrong in its bytes."""
    at = chance.randrange(len(data) + 1)
    match chance.randrange(6):
        case 0:
            return data[:at] + chance.randbytes(1) + data[at + 1 :]
        case 1:
            return data[:at] + chance.choice(SPLICES) + data[at:]
        case 2:
            return data[:at] + bytes(len(data) - at)
        case 3:
            return data[at:]
        case 4:
            return chance.randbytes(chance.randrange(2000))
        case _:
            end = chance.randrange(at, len(data) + 1)
            return data[:at] + chance.randbytes(end - at) + data[end:]


def _name(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with a digit of it another: names, numbers of attempts and repeats, sums."""
    digits = [at for at, one in enumerate(data) if one in b"0123456789"]
    if not digits:
        return data
    at = chance.choice(digits)
    return data[:at] + str(chance.randrange(10)).encode() + data[at + 1 :]


def _value(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with a value of a line of its JSON, or of all of it, another."""
    lines = data.splitlines()
    at = chance.randrange(max(1, len(lines)))
    for text in (data, *lines[at : at + 1]):
        try:
            value = json.loads(text)
        except ValueError:
            continue
        changed = json.dumps(altered(value, chance)).encode(errors="replace")
        return data.replace(text, changed)
    return data


CHANGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bytes": _bytes,
    "cut": lambda data, chance: data[: chance.randrange(len(data) + 1)],
    "doubled": lambda data, chance: data + data[chance.randrange(len(data) + 1) :],
    "a digit": _name,
    "a value": _value,
}


def _damage(folder: Path, path: Path, chance: random.Random) -> tuple[str, list[Path]]:
    """Damage what is at `path` in a run folder, and return how, and all files that are not what they were."""
    if path.is_dir():
        inside = [path, *path.iterdir()]
        shutil.rmtree(path)
        how = chance.choice(("a file", "removed"))
        if how == "a file":
            path.write_bytes(b"no folder")
        return how, inside
    how = chance.choice([*CHANGES, *CHANGES, "removed", "a folder", "a link", "swapped", "emptied"])
    if how in CHANGES:
        path.write_bytes(CHANGES[how](path.read_bytes(), chance))
        return how, [path]
    if how == "swapped":
        other = chance.choice(_files(folder))
        theirs, ours = other.read_bytes(), path.read_bytes()
        other.write_bytes(ours)
        path.write_bytes(theirs)
        return f"swapped with {other.name}", [path, other]
    path.unlink()
    if how == "emptied":
        path.touch()
    elif how == "a folder":
        path.mkdir()
    elif how == "a link":
        path.symlink_to(folder / "nowhere")
    return how, [path]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _chosen(folder: Path, chance: random.Random) -> Path:
    """Return a file or folder of a run folder: one that all hangs on more often than another."""
    parts = [*_files(folder), *(path for path in folder.iterdir() if path.is_dir())]
    weights = [8 if path.name in (PLAN, JOURNAL, BEGUN) else 1 for path in parts]
    return chance.choices(parts, weights)[0]


def judged(seed: int, number: int) -> tuple[str, str | None]:
    """Return what came of a damaged folder, `goes on` or `named`, and in words what does not hold; None: all does."""
    chance = random.Random(f"{seed}/{number}")  # noqa: S311 - the same damage every time
    base = chance.choice(bases())
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / base.folder.name
        shutil.copytree(base.folder, folder)
        done, hit, retold = [], set(), False
        for _ in range(chance.choice((1, 1, 1, 2))):
            path = _chosen(folder, chance)
            how, paths = _damage(folder, path, chance)
            done.append(f"{path.relative_to(folder)} {how}")
            hit |= {str(one.relative_to(folder)) for one in paths}
            retold |= how == "a value"
        goes_on = chance.choice((_by_itself, _named))
        verdict, wrong, asked = _continued(folder, hit, goes_on, reported=base.reported)
    again = asked & _known(base, hit) if not retold else set()
    if again:
        wrong = f"{', '.join(sorted(again))} asked for again"
    told = f"seed {seed}, folder {number} ({base.folder.parent.name}): {'; '.join(done)}: {wrong}"
    return verdict, told if wrong else None


def _known(base: Base, hit: set[str]) -> set[str]:
    """Return the utterances whose answer is told by what was left alone."""
    known = {name for name, trace in base.traces.items() if trace not in hit}
    return known if JOURNAL in hit else known | base.journal


def _named(folder: Path) -> Path:
    """Return the folder that the command goes on in when it is given this one."""
    return folder


def _by_itself(folder: Path) -> Path:
    """Return the folder that the command of another day goes on in."""
    later = msgspec.structs.replace(planned(1), created_at="2026-01-09T00:00:00.000Z")
    return open_folder(later, None, folder.parent).folder


def _continued(
    folder: Path, hit: set[str], goes_on: Callable[[Path], Path], *, reported: bool
) -> tuple[str, str | None, set[str]]:
    """Return what came of the same command in a damaged folder, what was wrong, and which utterances were asked for."""
    lines: list = []
    verdict, wrong = "goes on", None
    try:
        if goes_on(folder) == folder:
            sitting(planned(1), folder, 3, lines)
        elif not reported:
            wrong = "another run is begun"
    except HarnessError as error:
        verdict, told = "named", str(error)
        names = {Path(one).name for one in hit}
        if error.exit_code not in (2, 3):
            wrong = f"exit code {error.exit_code}: {told}"
        elif not (
            (reported and "this run is finished" in told) or any(one in told for one in names)
        ):
            wrong = f"no file is named: {told}"
    except Exception as error:  # noqa: BLE001 - that anything else is raised is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        verdict = "else"
        wrong = f"{type(error).__name__}: {error} at {where.filename}:{where.lineno}"
    asked = {f"u{line.number:04}" for line in lines if hasattr(line, "number")}
    return verdict, wrong, asked


def _several(asked: tuple[int, int, int]) -> tuple[Counter, list[str], float]:
    seed, first, last = asked
    begun = time.process_time()
    verdicts: Counter[str] = Counter()
    broken = []
    for number in range(first, last):
        verdict, wrong = judged(seed, number)
        verdicts[verdict] += 1
        if wrong is not None:
            broken.append(wrong)
    return verdicts, broken, time.process_time() - begun


def section(options: Options) -> Section:
    """Return what came of all damaged folders."""
    step = 50
    asked = [
        (options.seed, first, min(first + step, options.folders))
        for first in range(0, options.folders, step)
    ]
    verdicts: Counter[str] = Counter()
    broken, spent = [], 0.0
    for counted, wrong, took in spread(_several, asked, at_once=1):
        verdicts += counted
        broken += wrong
        spent += took
    head = ["damaged folders", "goes on", "file named", "anything else", "does not hold", "CPU, s"]
    row = [f"{verdicts.total():,}", f"{verdicts['goes on']:,}", f"{verdicts['named']:,}", verdicts["else"], len(broken),
           f"{spent:.0f}"]  # fmt: skip
    return Section(
        title="Damaged run folders", text=TEXT.format(table=table(head, [row])), broken=broken[:20]
    )
