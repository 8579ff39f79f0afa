"""Transcripts to align: eight scripts, one text a corrupted copy of the other."""

import random

import pytest

SCRIPTS = {
    "Latin": ["der", "die", "das", "und", "ist", "nicht", "mit", "über", "straße", "é", "naïve"],
    "Devanagari": ["है", "में", "की", "कि", "के", "नहीं", "और", "हिन्दी", "हिंदी", "क़लम"],
    "Arabic": ["في", "من", "على", "إلى", "هذا", "التي", "كتاب", "مدرسة"],
    "Thai": ["ไม่ได้", "มา", "ไป", "น้ำ", "นำ", "ที่", "เป็น"],
    "Han": list("我们去北京他说她好人不在有这"),
    "Hangul": ["학교에", "간다", "나는", "한국", "안녕", "그래요"],
    "Cyrillic": ["и", "в", "не", "на", "что", "он", "ёлка", "елка"],
    "emoji": ["a", "😀", "é", "é", "İ", "ı"],
}


def _pairs(n, seed=1, corruption=0.25):
    """Yield script names and word lists, the second a corrupted copy of the first."""
    draw = random.Random(seed)  # noqa: S311 - seeded
    for number in range(n):
        script = list(SCRIPTS)[number % len(SCRIPTS)]
        words = SCRIPTS[script]
        reference = [draw.choice(words) for _ in range(draw.randint(0, 25))]
        hypothesis = []
        for word in reference:
            chance = draw.random()
            if chance < corruption / 3:
                continue
            hypothesis.append(draw.choice(words) if chance < 2 * corruption / 3 else word)
            if chance > 1 - corruption / 3:
                hypothesis.append(draw.choice(words))
        yield script, reference, hypothesis


@pytest.fixture(scope="session")
def pairs():
    """Return a function of how many, the seed and the share of wrong words; it yields script, reference, hypothesis."""
    return _pairs
