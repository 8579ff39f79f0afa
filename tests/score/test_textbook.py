"""The whole way from two texts to a rate, against a second scorer that was written from the published tables alone."""

import json
import random
from pathlib import Path

import pytest

from harness.score import align
from harness.score.score import TOKENS
from harness.text.locales import LOCALES
from harness.text.normalise import normalised
from tests.score import textbook

pytest.importorskip("pythainlp")
pytest.importorskip("opencc")

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = [
    case
    for line in (GOLDEN / "scoring_cases.jsonl").read_text(encoding="utf-8").splitlines()
    if (case := json.loads(line))["profile"] == "norm"
    and case["metric"] in textbook.SPLIT
    and "<" not in case["raw_ref"]  # it knows no event tags
]
ODD = [
    "\u00a0",
    "\u3000",
    "\t",
    "\u200b",
    "\ufeff",
    "\u00ad",
    "\u200e",
    " – ",
    "…",
    "’",
    "“",
    "»",
    "!",
    " ,",
    "\ufe0f",
]
NUMBERS = [
    "1,234.5",
    "1.234,5",
    "10 000",
    "12'345",
    "1,00,000",
    "2025",
    "3,5",
    "3.5",
    "10,20",
    "1٫5",
    "12:30",
    "1,234,56",
]
DIGITS = [0x30, 0x660, 0x6F0, 0x966, 0x9E6, 0xAE6, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xFF10]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_textbook_agrees_with_the_golden_cases(case):
    """The second scorer gives the published normal texts and totals, so that it is a witness."""
    said, heard = (textbook.norm(case[side], case["locale"]) for side in ("raw_ref", "raw_hyp"))
    assert (case["norm_ref"], case["norm_hyp"]) == (said, heard)
    split = textbook.SPLIT[case["metric"]]
    assert case["errors"] == textbook.errors(split(said), split(heard))


def sentences():
    """Return raw texts by locale."""
    found = {}
    for line in (GOLDEN / "normalise_examples.jsonl").read_text(encoding="utf-8").splitlines():
        example = json.loads(line)
        found.setdefault(example["locale"], []).append(example["text"])
    found["bn-BD"] = found["bn-IN"]
    return found


def disturbed(sentence, draw):
    """Return a text with odd characters, numbers in any digits, other case, and words lost or doubled.

    Numbers do not stand next to each other: nobody says whether `12 345 678` is one.
    """
    words = []
    for word in sentence.split():
        odd, chance = draw.choice(ODD), draw.random()
        if chance < 0.1:
            continue
        if chance < 0.2:
            words.append(word.upper())
        elif chance < 0.3:
            words.append(word + odd)
        elif chance < 0.35:
            words.append(odd + word)
        elif chance < 0.45:
            zero = draw.choice(DIGITS)
            number = draw.choice(NUMBERS).translate({ord("0") + n: zero + n for n in range(10)})
            words += [word, "-", number, "-"]
        elif chance < 0.5:
            words += [word, "-", word]
        else:
            words.append(word)
    return " ".join(words)


def test_a_thousand_pairs_in_every_locale():
    """Normal texts and totals are those of the textbook on 1,020 random pairs, 30 in each of the 34 locales."""
    draw = random.Random(20)  # noqa: S311 - seeded
    texts = sentences()
    assert LOCALES.keys() == texts.keys()
    for locale, own in texts.items():
        for _ in range(30):
            sources = draw.choices(own, k=3)
            pair = [disturbed(" - ".join(sources), draw) for _ in range(2)]
            normal = [normalised(text, locale) for text in pair]
            assert [textbook.norm(text, locale) for text in pair] == normal, (locale, pair)
            for metric, split in textbook.SPLIT.items():
                counts = align.counted(*map(TOKENS[metric], normal))
                said, heard = map(split, normal)
                assert textbook.errors(said, heard) == counts.errors
                assert (len(said), len(heard)) == (
                    counts.reference_tokens,
                    counts.hypothesis_tokens,
                )
