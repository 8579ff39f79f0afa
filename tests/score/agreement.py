"""`python -m tests.score.agreement`: ask every other program again, and write the table of docs/metrics.md.

A program that is not installed leaves its line as it was.
"""

import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from harness.score import align, sclite
from harness.text import tokenise
from tests.score.conftest import _pairs

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
GOLDEN = Path(__file__).parents[1] / "golden"
Counts = tuple[int, int, int, int]


def ours(reference: list[str], hypothesis: list[str]) -> Counts:
    """Return hits, substitutions, deletions, insertions."""
    counts = align.counted(reference, hypothesis)
    return counts.hits, counts.substitutions, counts.deletions, counts.insertions


def jiwer_line() -> str:
    """Compare the counts of words, and of characters."""
    import jiwer

    pairs = list(_pairs(8000, seed=21))
    words = characters = 0
    for _, said, heard in pairs:
        theirs = jiwer.process_words(" ".join(said), " ".join(heard))
        found = theirs.hits, theirs.substitutions, theirs.deletions, theirs.insertions
        words += found == ours(said, heard)
        letters = jiwer.process_characters(" ".join(said), " ".join(heard))
        found = letters.hits, letters.substitutions, letters.deletions, letters.insertions
        characters += found == ours(" ".join(said), " ".join(heard))
    return (
        f"| jiwer {version('jiwer')} | H, S, D, I of words; of characters | {words:,} of {len(pairs):,} pairs in eight "
        f"scripts; {characters:,} of {len(pairs):,} |"
    )


def kaldialign_line() -> str:
    """Compare totals."""
    from kaldialign import edit_distance

    pairs = list(_pairs(8000, seed=22, corruption=0.8))
    same = sum(
        edit_distance(said, heard)["total"] == align.distance(said, heard)
        for _, said, heard in pairs
    )
    return f"| kaldialign {version('kaldialign')} | total | {same:,} of {len(pairs):,} |"


def sclite_line() -> str:
    """Compare the split of errors with what NIST's program prints."""
    tool = shutil.which("sclite") or shutil.which("sctk")
    if tool is None:
        raise ImportError("no sclite")
    program = [tool] if tool.endswith("sclite") else [tool, "sclite"]
    same = every = 0
    for corruption in (0.25, 0.9):
        cases = list(_pairs(10_000, seed=23, corruption=corruption))
        ids: dict[str, int] = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, side in (("r", 1), ("h", 2)):
                lines = (
                    " ".join(f"w{ids.setdefault(word, len(ids))}" for word in case[side])
                    + f" (s-{number:06d})"
                    for number, case in enumerate(cases)
                )
                Path(folder, f"{name}.trn").write_text("\n".join(lines) + "\n", encoding="utf-8")
            printed = subprocess.run(
                [*program, "-r", "r.trn", "trn", "-h", "h.trn", "trn", "-i", "rm", "-s", "-o", "pralign", "stdout"],
                cwd=folder, capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
        scores = re.findall(
            r"id: \(s-(\d+)\)\n(?:.*\n)*?Scores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)", printed
        )
        for number, *counts in scores:
            _, said, heard = cases[int(number)]
            found = sclite.edits(said, heard)[1]
            theirs = found.hits, found.substitutions, found.deletions, found.insertions
            same += tuple(map(int, counts)) == theirs
        every += len(cases)
    return f"| NIST sclite | H, S, D, I with `--sclite` | {same:,} of {every:,}, realistic and unrelated |"


def unicode_line() -> str:
    """Compare grapheme clusters with Unicode's own cases."""
    same = every = 0
    for line in (GOLDEN / "grapheme_break_test.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("÷"):
            parts = [
                "".join(chr(int(code, 16)) for code in part.split(" × "))
                for part in line.strip("÷ ").split(" ÷ ")
            ]
            same += parts == tokenise._CLUSTER.findall("".join(parts))
            every += 1
    return (
        f"| Unicode 17 GraphemeBreakTest | `gCER`'s clusters (regex {version('regex')}, which follows Unicode "
        f"{tokenise.clusters_unicode().removesuffix('.0')}) | {same} of {every}; the other four are those that Unicode 18 "
        "changed (GB9c: a virama joins what follows, whatever stands before it), and are as it has them |"
    )


def bootstrap_line() -> str:
    """Compare the linearised standard error with a plain bootstrap of numpy."""
    import numpy as np

    from harness.stats.intervals import rate_interval

    draw = random.Random(24)  # noqa: S311 - seeded
    blocks = [(draw.randint(0, 30), draw.randint(150, 300)) for _ in range(60)]
    found = rate_interval(blocks)
    table = np.array(blocks)
    rng = np.random.Generator(np.random.PCG64(1))
    drawn = table[rng.integers(0, len(table), (20_000, len(table)))].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    apart = max(abs(found.low - low), abs(found.high - high)) / (high - low)
    return f"| numpy | interval of 60 speakers, drawn one by one | ends within {apart:.1%} of its width |"


LINES: dict[str, Callable[[], str]] = {
    "| jiwer ": jiwer_line,
    "| kaldialign ": kaldialign_line,
    "| NIST sclite": sclite_line,
    "| Unicode": unicode_line,
    "| numpy": bootstrap_line,
}
"""How a line begins → what makes it."""


def rewritten(lines: list[str]) -> Iterator[str]:
    """Yield the lines of the table's section, those that can be made again made again."""
    for line in lines:
        make = next((make for start, make in LINES.items() if line.startswith(start)), None)
        try:
            yield make() if make else line
        except ImportError:
            yield line


def main() -> None:
    """Write the table."""
    page, mark, section = PAGE.read_text(encoding="utf-8").partition("## Agreement with others\n")
    section = "\n".join(rewritten(section.split("\n")))
    PAGE.write_text(page + mark + section, encoding="utf-8")
    print(section)  # noqa: T201 - the result


if __name__ == "__main__":
    main()
