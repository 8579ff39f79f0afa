"""`make agreement`: ask every other program again, and write the table of docs/metrics.md.

A program that is not installed leaves its line as it was.
"""

import json
import random
import runpy
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import files, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from harness.score import align
from harness.score.score import TOKENS
from harness.score.stability import lagging
from harness.stats.intervals import share_interval, t_quantile
from harness.stats.significance import benjamini_hochberg
from harness.text.normalise import normalised
from tests.score import nist, textbook
from tests.score import test_align as dynamic
from tests.score import test_published as published
from tests.score.conftest import _pairs
from tests.text import agreement as text
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


def dynamic_programme_line() -> str:
    """Compare totals with the distance as the textbook writes it down."""
    pairs = list(_pairs(4000, seed=29, corruption=0.5))
    same = sum(
        dynamic.textbook(said, heard) == align.distance(said, heard) for _, said, heard in pairs
    )
    return f"| textbook dynamic programme | total | {same:,} of {len(pairs):,} |"


def published_line() -> str:
    """Ask for what the tests of jiwer and kaldialign expect."""
    jiwers = [_holds(published.test_jiwers_measures, case) for case in published.MEASURES]
    jiwers += [_holds(published.test_jiwers_character_rates, case) for case in published.CHARACTERS]
    kaldis = [_holds(published.test_kaldialigns_edits, case) for case in published.EDITS]
    kaldis += [_holds(published.test_kaldialigns_corpora, case) for case in published.CORPORA]
    return (
        "| tests of jiwer and kaldialign | WER, MER, WIL, CER; totals and sclite's split | "
        f"{sum(jiwers)} of {len(jiwers)} cases about texts; {sum(kaldis)} of {len(kaldis)} |"
    )


def _holds(test: Callable[..., None], case: Sequence[object]) -> bool:
    try:
        test(*case)
    except AssertionError:
        return False
    return True


def simuleval_line() -> str:
    """Compare what tokens lag, on random delays, early tails and late ones."""
    scorers = _simulevals_scorers()
    draw = random.Random(31)  # noqa: S311 - seeded
    apart = []
    for _ in range(3000):
        source, said = draw.uniform(0.5, 20), draw.randint(1, 40)
        delays = sorted(draw.uniform(0, 1.5 * source) for _ in range(draw.randint(1, 40)))
        case = SimpleNamespace(
            delays=delays, source_length=source, reference="", reference_length=said
        )
        found = lagging(delays, source, said)
        theirs = [scorers[f"{name}Scorer"]().compute(case) for name in ("AL", "LAAL", "DAL", "AP")]
        ours = (found.al_s, found.laal_s, found.dal_s, found.ap)
        apart += [abs(one - other) for one, other in zip(ours, theirs, strict=True)]
    same = sum(one < 1e-12 for one in apart)
    return f"| SimulEval {version('simuleval')}* | AL, LAAL, DAL, AP | {same:,} of {len(apart):,} values within 1e-12 |"


def _simulevals_scorers() -> dict[str, Any]:
    """Return what SimulEval's one module of scorers defines; the package wants a score of others, which it does not use."""
    module = next(file for file in files("simuleval") or () if file.name == "latency_scorer.py")
    unused = ("textgrid", "simuleval", "simuleval.evaluator", "simuleval.evaluator.instance")
    with mock.patch.dict(sys.modules, dict.fromkeys(unused, mock.MagicMock())):
        return runpy.run_path(str(module.locate()))


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
    "| textbook dynamic": dynamic_programme_line,
    "| kaldialign ": kaldialign_line,
    "| `merge_compounds`": compounds_line,
    "| scipy": scipy_line,
    "| NIST sclite": nist.sclite_line,
    "| NIST sc_stats": nist.sc_stats_line,
    "| SimulEval": simuleval_line,
    "| Whisper's tests": text.whisper_english_line,
    "| tests of jiwer": published_line,
    "| Unicode": text.unicode_line,
    "| whisper-normalizer": text.whisper_line,
    "| fairseq": text.mms_line,
    "| Indic NLP": text.vistaar_line,
    "| a second scorer": textbook_line,
    "| PyThaiNLP": text.spelling_line,
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
