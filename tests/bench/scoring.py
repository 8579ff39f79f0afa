"""What scoring costs: `python -m tests.bench.scoring ENGINE TEXTS.json`, each in a process of its own.

Prints JSON: CPU seconds of the engine alone, and what it found, which must be the same for engines that do the same.
"""

import json
import random
import string
import sys
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

from harness.score.edits import EditCounts

SEED = 1
Texts = list[str]


def transcripts(count: int) -> tuple[Texts, Texts]:
    """Return references of 10 to 28 words with frequencies as in speech (Zipf), and hypotheses with a tenth of them wrong."""
    draw = random.Random(SEED)  # noqa: S311 - seeded
    words = [
        "".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 9))) for _ in range(5000)
    ]
    weights = list(accumulate(1 / rank for rank in range(1, 5001)))
    references, hypotheses = [], []
    for _ in range(count):
        said = draw.choices(words, cum_weights=weights, k=draw.randint(10, 28))
        heard = []
        for word in said:
            chance = draw.random()
            if chance > 0.03:
                heard.append(draw.choice(words) if chance < 0.08 else word)
            if chance > 0.98:
                heard.append(draw.choice(words))
        references.append(" ".join(said))
        hypotheses.append(" ".join(heard))
    return references, hypotheses


def _sums(counts: list[EditCounts]) -> list[int]:
    return [
        sum(one.substitutions for one in counts),
        sum(one.deletions for one in counts),
        sum(one.insertions for one in counts),
    ]


def jiwer_words(said: Texts, heard: Texts) -> object:
    """Count words as jiwer does, given all pairs at once."""
    import jiwer

    return _jiwers(jiwer.process_words, said, heard)


def jiwer_characters(said: Texts, heard: Texts) -> object:
    """Count characters as jiwer does, given all pairs at once."""
    import jiwer

    return _jiwers(jiwer.process_characters, said, heard)


def _jiwers(process: Callable, said: Texts, heard: Texts) -> object:
    found = process(said, heard)
    return lambda: [found.substitutions, found.deletions, found.insertions]


def words(said: Texts, heard: Texts) -> object:
    """Count words."""
    return _counted("WER", said, heard)


def characters(said: Texts, heard: Texts) -> object:
    """Count characters."""
    return _counted("CER", said, heard)


def _counted(metric: str, said: Texts, heard: Texts) -> object:
    from harness.score.score import TOKENS, counter

    count = counter(TOKENS[metric])
    counts = [count(one, other) for one, other in zip(said, heard, strict=True)]
    return lambda: _sums(counts)


def floor_words(said: Texts, heard: Texts) -> object:
    """Cut texts at spaces and let the engine align all of their words, and count nothing."""
    from rapidfuzz.distance.Levenshtein import editops

    for one, other in zip(said, heard, strict=True):
        editops(one.split(), other.split())
    return list


def floor_characters(said: Texts, heard: Texts) -> object:
    """Let the engine align texts as they are, and count nothing."""
    from rapidfuzz.distance.Levenshtein import editops

    for one, other in zip(said, heard, strict=True):
        editops(one, other)
    return list


def normalised_and_counted(said: Texts, heard: Texts) -> object:
    """Normalise both texts under norm-1, and count words."""
    from harness.score.score import counts_of

    counts = counts_of(said, heard, "en-US", profile="norm-1")
    return lambda: _sums(counts)


def scored(said: Texts, heard: Texts) -> object:
    """Normalise, count and pool, with 10,000 bootstrap replicates."""
    from harness.score.score import counts_of
    from harness.stats.intervals import rate_interval

    counts = counts_of(said, heard, "en-US", profile="norm-1")
    found = rate_interval([(one.errors, one.reference_tokens) for one in counts])
    if (
        not found.low
        < sum(_sums(counts)) / sum(one.reference_tokens for one in counts)
        < found.high
    ):
        raise ValueError("the rate is not in its interval")
    return lambda: _sums(counts)


def _table(said: Texts, heard: Texts) -> list[tuple[int, int]]:
    from harness.score.align import counted

    pairs = zip(said, heard, strict=True)
    counts = [counted(one.split(), other.split()) for one, other in pairs]
    return [(one.errors, one.reference_tokens) for one in counts]


def interval(table: list[tuple[int, int]]) -> object:
    """Draw 10,000 bootstrap replicates of the utterances' rates."""
    from harness.stats.intervals import rate_interval

    found = rate_interval(table)
    return lambda: [round(found.low, 3), round(found.high, 3)]


def gather(table: list[tuple[int, int]]) -> object:
    """Draw a hundredth as many in numpy, one utterance after the other."""
    import numpy as np

    errors, tokens = np.array(table, dtype=float).T
    draw = np.random.Generator(np.random.PCG64(0))
    rates = []
    for _ in range(100):
        drawn = draw.integers(0, len(errors), len(errors))
        rates.append(errors[drawn].sum() / tokens[drawn].sum())
    return list


ON_TEXTS = (
    jiwer_words, words, floor_words, jiwer_characters, characters, floor_characters, normalised_and_counted, scored,
)  # fmt: skip
ON_COUNTS = (interval, gather)


def main() -> None:
    """Measure one engine once and print."""
    name, given = sys.argv[1], Path(sys.argv[2])
    engines = {engine.__name__: engine for engine in (*ON_TEXTS, *ON_COUNTS)}
    engine = engines[name]
    texts: tuple[Texts, Texts] = json.loads(given.read_text())
    given = (_table(*texts),) if engine in ON_COUNTS else texts
    # What is imported is not what is measured.
    engine(*([part[:50] for part in given]))
    start = time.process_time()
    found = engine(*given)
    spent = time.process_time() - start
    print(json.dumps({"cpu_s": spent, "found": found()}))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
