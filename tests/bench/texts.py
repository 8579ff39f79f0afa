"""What scoring costs, against jiwer's one batch, and drawing, against numpy's gather."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.bench.measure import Goal, ratio, ratios
from tests.bench.scoring import transcripts

SIZES = (1_000, 20_000, 100_000)


def _engine(name: str, given: Path) -> dict:
    """Return the CPU seconds of one engine of `scoring` in a process of its own, and what it found."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench.scoring", name, str(given)],
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(ran.stdout)


def _paired(first: str, second: str, given: Path) -> tuple[list[float], list[float]]:
    """Return the CPU seconds of two engines that find the same, run in turn."""
    told = [(_engine(first, given), _engine(second, given)) for _ in range(3)]
    for a, b in told:
        if a["found"] and b["found"] and a["found"] != b["found"]:
            raise ValueError(f"{first} and {second} do not find the same")
    return [a["cpu_s"] for a, _ in told], [b["cpu_s"] for _, b in told]


def scoring() -> str:
    """What counting errors, normalising and drawing cost."""
    lines, goals, each = [], [], {}
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            given = Path(folder) / f"{count}.json"
            given.write_text(json.dumps(transcripts(count)))
            cells = [f"{count:,}"]
            for kind, least in (("words", {20_000: 8, 100_000: 15}), ("characters", {20_000: 20})):
                if kind == "characters" and count == SIZES[-1]:
                    cells += ["", "", ""]
                    continue
                theirs, ours = _paired(f"jiwer_{kind}", kind, given)
                each[kind, count] = [one / count * 1e6 for one in ours]
                cells += [
                    *(f"{median(one) / count * 1e6:.1f}" for one in (theirs, ours)),
                    ratio(theirs, ours),
                ]
                if count in least:
                    what = f"{kind} of {count:,}: times cheaper than jiwer"
                    goals.append(Goal(what, ratios(theirs, ours), least[count], least=True))
            whole = _engine("normalised_and_counted", given)["cpu_s"]
            lines.append(f"| {' | '.join([*cells, f'{whole / count * 1e6:.1f}'])} |")
        gathered, drawn = _paired("gather", "interval", given)
    table = "\n".join(lines)
    # numpy draws a hundredth as many.
    gathered = [100 * one for one in gathered]
    goals += [
        Goal("an utterance of 100,000 to one of 1,000", ratios(each["words", 100_000], each["words", 1_000]), 1.2),
        Goal("10,000 drawings of 100,000 utterances, CPU s", drawn, 1.5),
        Goal("times cheaper than numpy's gather", ratios(gathered, drawn), 4, least=True),
    ]  # fmt: skip
    return f"""## Scoring

CPU µs an utterance of 10 to 28 words, a tenth of them wrong, against jiwer given all of them at once, each in a process of
its own, 3 rounds in turn; the counts are the same. Normalising is `norm-1` of both texts, each its own, once. 10,000
bootstrap drawings of {SIZES[-1]:,} utterances take {median(drawn):.2f} CPU s, numpy's gather {median(gathered):.1f} (from a hundredth of them).

| utterances | jiwer, words | ours | ratio | jiwer, characters | ours | ratio | normalised and counted |
|---|---|---|---|---|---|---|---|
{table}

{Goal.table(goals)}"""
