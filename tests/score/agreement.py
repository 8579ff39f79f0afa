"""`make agreement`: ask every other program again, and write the table of docs/metrics.md.

A program that is not installed leaves its line as it was.
"""

import json
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from harness.score import align, sclite
from harness.score.score import TOKENS
from harness.stats.intervals import share_interval, t_quantile
from harness.stats.significance import benjamini_hochberg, mapsswe, segments
from harness.text import tokenise
from harness.text.normalise import normalised
from tests.score import textbook
from tests.score.conftest import _pairs
from tests.text import test_compounds as compounds

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


def compounds_line() -> str:
    """Compare totals where compounds written apart or together are no error."""
    from kaldialign import edit_distance

    pairs = list(compounds.pairs(1500, longest=14, seed=1))
    same = sum(
        edit_distance(said, heard, merge_compounds=True)["total"]
        == compounds.errors(said, heard).errors
        for said, heard in pairs
    )
    return f"| `merge_compounds` of kaldialign {version('kaldialign')}* | `WERc`: total | {same:,} of {len(pairs):,} |"


def scipy_line() -> str:
    """Compare quantiles of t, Wilson's intervals and Benjamini-Hochberg's q values."""
    from scipy import stats

    draw = random.Random(27)  # noqa: S311 - seeded
    apart = []
    for _ in range(500):
        level, degrees = draw.uniform(0.5, 0.999), draw.randint(1, 200)
        apart.append(abs(t_quantile(level, degrees) - stats.t.ppf(level, degrees)))
        n = draw.randint(1, 500)
        count = draw.randint(0, n)
        theirs = stats.binomtest(count, n).proportion_ci(method="wilson")
        found = share_interval(count, n)
        apart.append(max(abs(found.low - theirs.low), abs(found.high - theirs.high)))
        p_values = [draw.random() ** 3 for _ in range(draw.randint(1, 40))]
        q_values = zip(benjamini_hochberg(p_values), stats.false_discovery_control(p_values), strict=True)  # fmt: skip
        apart.append(max(abs(ours - theirs) for ours, theirs in q_values))
    same = sum(one < 1e-7 for one in apart)
    return (
        f"| scipy {version('scipy')} | t, Wilson, Benjamini–Hochberg; in the tests binomial and permutation test too | "
        f"{same:,} of {len(apart):,} within 1e-7 |"
    )


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


def whisper_line() -> str:
    """Compare the basic normaliser on every example, and on its words in any order."""
    from whisper_normalizer.basic import BasicTextNormalizer

    basic = BasicTextNormalizer()
    examples = [
        json.loads(line)
        for line in (GOLDEN / "normalise_examples.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    draw = random.Random(25)  # noqa: S311 - seeded
    words = [word for row in examples for word in row["text"].split()]
    texts = [(row["text"], row["locale"]) for row in examples]
    texts += [(" ".join(draw.choices(words, k=6)), "en-US") for _ in range(5000)]
    same = sum(
        " ".join(basic(text).split()) == normalised(text, locale, "compat-whisper-basic")
        for text, locale in texts
    )
    return f"| whisper-normalizer {version('whisper-normalizer')}* | `compat-whisper-basic` | {same:,} of {len(texts):,} texts |"


def textbook_line() -> str:
    """Compare with the second scorer: normal texts and totals in every locale."""
    texts: dict[str, list[str]] = {}
    for line in (GOLDEN / "normalise_examples.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        texts.setdefault(row["locale"], []).append(row["text"])
    draw = random.Random(26)  # noqa: S311 - seeded
    same = every = 0
    for locale, own in texts.items():
        for _ in range(100):
            pair = [" - ".join(draw.choices(own, k=3)) for _ in range(2)]
            normal = [normalised(text, locale) for text in pair]
            theirs = [textbook.norm(text, locale) for text in pair]
            same += normal == theirs and all(
                textbook.errors(*map(split, theirs)) == align.distance(*map(TOKENS[name], normal))
                for name, split in textbook.SPLIT.items()
            )
            every += 1
    return (
        "| a second scorer, written from the tables alone | `norm-1`, totals of WER, CER, CERns, MixER | "
        f"{same:,} of {every:,} random pairs in every locale; all golden cases without event tags |"
    )


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
    "| `merge_compounds`": compounds_line,
    "| scipy": scipy_line,
    "| NIST sclite": sclite_line,
    "| NIST sc_stats": sc_stats_line,
    "| whisper-normalizer": whisper_line,
    "| a second scorer": textbook_line,
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
