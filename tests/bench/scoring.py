"""What scoring costs, against jiwer's one batch: `python -m tests.bench.scoring UTTERANCES`, in a process of its own.

Prints JSON: CPU µs an utterance, by what was done.
"""

import json
import random
import string
import sys
import time
from itertools import starmap

import jiwer

from harness.score import align
from harness.score.score import counts_of
from harness.stats.intervals import rate_interval

SEED = 1


def transcripts(count: int) -> tuple[list[str], list[str]]:
    """Return references of 8 to 22 words, and hypotheses with a tenth of the words wrong."""
    draw = random.Random(SEED)  # noqa: S311 - seeded
    words = [
        "".join(draw.choices(string.ascii_lowercase, k=draw.randint(2, 9))) for _ in range(5000)
    ]
    references, hypotheses = [], []
    for _ in range(count):
        said = draw.choices(words, k=draw.randint(8, 22))
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


def main() -> None:
    """Measure once and print."""
    count = int(sys.argv[1])
    references, hypotheses = transcripts(count)
    pairs = list(zip(references, hypotheses, strict=True))
    told = {}
    clock = time.process_time

    def note(name: str, since: float) -> None:
        told[name] = (clock() - since) / count * 1e6

    start = clock()
    theirs = jiwer.process_words(references, hypotheses)
    note("jiwer_words", start)
    start = clock()
    ours = [align.counted(said.split(), heard.split()) for said, heard in pairs]
    note("words", start)
    if theirs.substitutions != sum(one.substitutions for one in ours):
        sys.exit("the counts are not jiwer's")
    del theirs
    start = clock()
    theirs = jiwer.process_characters(references, hypotheses)
    note("jiwer_characters", start)
    start = clock()
    ours = list(starmap(align.counted, pairs))
    note("characters", start)
    if theirs.deletions != sum(one.deletions for one in ours):
        sys.exit("the counts are not jiwer's")
    del theirs
    start = clock()
    counts = counts_of(references, hypotheses, "en-US", profile="norm-1")
    note("normalised_and_counted", start)
    start = clock()
    rate_interval([(one.errors, one.reference_tokens) for one in counts])
    note("interval", start)
    print(json.dumps(told))  # noqa: T201 - the result


main()
