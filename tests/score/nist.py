"""What NIST's programs say of ours: the lines of `tests.score.agreement` that sclite and sc_stats write."""

import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from harness.score import align, sclite
from harness.stats.significance import mapsswe, segments
from tests.score.conftest import _pairs

Counts = tuple[int, int, int, int]


def sctk(program: str) -> list[str]:
    """Return the command of one of NIST's programs; ImportError: it is not installed."""
    if tool := shutil.which(program):
        return [tool]
    if tool := shutil.which("sctk"):
        return [tool, program]
    raise ImportError(f"no {program} (Debian: apt install sctk)")


def sctk_version() -> str:
    """Return the version that sclite prints of itself."""
    printed = subprocess.run(sctk("sclite"), capture_output=True, text=True, check=False)
    return re.search(r"sclite Version: ([\d.]+)", printed.stdout + printed.stderr)[1]


def trn(folder: str, name: str, texts: Iterable[list[str]], ids: dict[str, int]) -> None:
    """Write word lists as NIST's `trn`, every word replaced by an id of its own: sclite has markup."""
    lines = (
        " ".join(f"w{ids.setdefault(word, len(ids))}" for word in words) + f" (s-{number:06d})"
        for number, words in enumerate(texts)
    )
    Path(folder, f"{name}.trn").write_text("\n".join(lines) + "\n", encoding="utf-8")


def sclite_counts(cases: list[tuple[str, list[str], list[str]]]) -> list[Counts]:
    """Return hits, substitutions, deletions and insertions as sclite prints them."""
    ids: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        trn(folder, "r", (said for _, said, _ in cases), ids)
        trn(folder, "h", (heard for *_, heard in cases), ids)
        printed = subprocess.run(
            [*sctk("sclite"), "-r", "r.trn", "trn", "-h", "h.trn", "trn", "-i", "rm", "-s", "-o", "pralign", "stdout"],
            cwd=folder, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    found = re.findall(
        r"id: \(s-(\d+)\)\n(?:.*\n)*?Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)", printed
    )
    by_number = {int(number): tuple(map(int, counts)) for number, *counts in found}
    return [by_number[number] for number in range(len(cases))]


def sclite_line() -> str:
    """Compare the split of errors, and on realistic pairs the totals, with what NIST's program prints."""
    same = every = totals = realistic = 0
    for corruption in (0.25, 0.9):
        cases = list(_pairs(12_000, seed=23, corruption=corruption))
        for (_, said, heard), theirs in zip(cases, sclite_counts(cases), strict=True):
            found = sclite.edits(said, heard)[1]
            same += theirs == (found.hits, found.substitutions, found.deletions, found.insertions)
            every += 1
            if corruption == 0.25:
                totals += sum(theirs[1:]) == align.distance(said, heard)
                realistic += 1
    return (
        f"| NIST sclite {sctk_version()} | H, S, D, I with `--sclite`; total without, of realistic pairs | {same:,} of "
        f"{every:,}, realistic and unrelated; {totals:,} of {realistic:,} |"
    )


def sc_stats_line() -> str:
    """Compare MAPSSWE with what NIST's program prints of pairs of systems."""
    same = every = 0
    for seed in range(6):
        said = [reference for _, reference, _ in _pairs(300, seed=30 + seed)]
        ids: dict[str, int] = {}
        heard = {
            name: [
                _corrupted(words, rate, random.Random(f"{seed} {name} {number}"))  # noqa: S311 - seeded
                for number, words in enumerate(said)
            ]
            for name, rate in (("a", 0.2), ("b", 0.2 + 0.02 * seed))
        }
        with tempfile.TemporaryDirectory() as folder:
            trn(folder, "r", said, ids)
            sgml = ""
            for name, texts in heard.items():
                trn(folder, name, texts, ids)
                sgml += subprocess.run(
                    [*sctk("sclite"), "-r", "r.trn", "trn", "-h", f"{name}.trn", "trn", "-i", "rm", "-s", "-o", "sgml", "stdout"],
                    cwd=folder, capture_output=True, text=True, check=True,
                ).stdout  # fmt: skip
            printed = subprocess.run(
                [*sctk("sc_stats"), "-p", "-t", "mapsswe", "-v", "-n", "-"],
                cwd=folder, input=sgml, capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
        segments_there, z = re.search(
            r"MTCH_PR_RESULTS.*\(# segs: (\d+)\).*\(Z Stat: (-?[\d.]+)\)", printed
        ).groups()
        differences = []
        for words, first, second in zip(said, heard["a"], heard["b"], strict=True):
            differences += segments(sclite.edits(words, first)[0], sclite.edits(words, second)[0])
        found = mapsswe(differences)
        same += (int(segments_there), float(z)) == (found.n, round(found.statistic, 3))
        every += 1
    return (
        f"| NIST sc_stats (with sclite {sctk_version()}) | MAPSSWE: segments, Z to 3 decimals | {same} of {every} corpora of "
        "300 utterances |"
    )


def _corrupted(words: list[str], rate: float, draw: random.Random) -> list[str]:
    heard = []
    for word in words:
        chance = draw.random()
        if chance > rate / 2:
            heard.append(draw.choice(words) if chance < rate else word)
        if chance > 1 - rate / 3:
            heard.append(draw.choice(words))
    return heard
