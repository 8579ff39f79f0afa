"""What scoring costs, against jiwer's one batch, and drawing, against numpy's gather."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from tests.bench.measure import Goal, ratio, ratios
from tests.bench.scoring import transcripts

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = (1_000, 20_000, 100_000)


def _engine(name: str, given: Path) -> dict:
    """Return the CPU seconds of one engine of `scoring` in a process of its own, and what it found."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench.scoring", name, str(given)],
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(ran.stdout)


def _measured(names: Sequence[str], given: Path) -> list[list[float]]:
    """Return the CPU seconds of each of some engines, run in turn; those that find anything must find the same."""
    told = [[_engine(name, given) for name in names] for _ in range(3)]
    for one in told:
        found = [engine["found"] for engine in one if engine["found"]]
        if any(other != found[0] for other in found):
            raise ValueError(f"{', '.join(names)} do not find the same")
    return [[engine["cpu_s"] for engine in one] for one in zip(*told, strict=True)]


def scoring() -> str:
    """What counting errors, normalising and drawing cost."""
    lines, goals, each = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            given = Path(folder) / f"{count}.json"
            given.write_text(json.dumps(transcripts(count)))
            for kind, least in (("words", {20_000: 8, 100_000: 15}), ("characters", {20_000: 20})):
                if kind == "characters" and count == SIZES[-1]:
                    continue
                theirs, ours, floor = _measured((f"jiwer_{kind}", kind, f"floor_{kind}"), given)
                each[kind, count] = [one / count * 1e6 for one in ours]
                cells = [
                    f"{count:,} {kind}",
                    *(f"{median(one) / count * 1e6:.1f}" for one in (theirs, ours, floor)),
                    ratio(theirs, ours),
                    ratio(ours, floor),
                ]
                lines.append(f"| {' | '.join(cells)} |")
                if count in least:
                    what = f"{kind} of {count:,}: times cheaper than jiwer"
                    why = f"the floor is {median(ratios(theirs, floor)):.1f}"
                    goals.append(Goal(what, ratios(theirs, ours), least[count], least=True, floor=why))  # fmt: skip
        normal, whole, floor = _measured(("normalised_and_counted", "scored", "floor_words"), given)
        gathered, drawn = _measured(("gather", "interval"), given)
    table = "\n".join(lines)
    # numpy draws a hundredth as many.
    gathered = [100 * one for one in gathered]
    goals += [
        Goal("an utterance of 100,000 to one of 1,000", ratios(each["words", 100_000], each["words", 1_000]), 1.2),
        Goal("10,000 drawings of 100,000 utterances, CPU s", drawn, 1.5),
        Goal("times cheaper than numpy's gather", ratios(gathered, drawn), 4, least=True),
    ]  # fmt: skip
    return f"""## Scoring

CPU µs an utterance of 10 to 28 words, a tenth of them wrong, each in a process of its own, 3 rounds in turn. jiwer is given
all of them at once; the counts are the same. The floor is Python's `split` and RapidFuzz's `editops`, which jiwer uses too,
of whole texts, and nothing counted. Ours does not cut words that both texts begin or end with; where characters are
counted, reading S, D and I off an alignment takes nearly as long as making it.

| utterances | jiwer | ours | floor | jiwer to ours | ours to floor |
|---|---|---|---|---|---|
{table}

Normalised under `norm-1`, every text another, {SIZES[-1]:,} utterances take {median(normal) / SIZES[-1] * 1e6:.1f} µs each;
pooled with 10,000 bootstrap drawings as well {median(whole) / SIZES[-1] * 1e6:.1f} µs: {ratio(whole, floor)} times the floor. The
drawings alone take {median(drawn):.2f} CPU s, numpy's gather {median(gathered):.1f} (from a hundredth of them).

{Goal.table(goals)}"""
