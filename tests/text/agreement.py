"""What other normalisers, and Unicode, say of ours: the lines of `tests.score.agreement` that are about texts."""

import hashlib
import random
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from harness.text import scripts, tokenise
from harness.text.normalise import normalised
from tests.text import test_compat as compat
from tests.text import test_normalise as normalise
from tests.text import test_numbers as numbers

GOLDEN = Path(__file__).parents[1] / "golden"


def whisper_line() -> str:
    """Compare the basic normaliser on every example, and on its words in any order."""
    from whisper_normalizer.basic import BasicTextNormalizer

    basic = BasicTextNormalizer()
    draw = random.Random(25)  # noqa: S311 - seeded
    words = [word for row in compat.EXAMPLES for word in row["text"].split()]
    texts = [(row["text"], row["locale"]) for row in compat.EXAMPLES]
    texts += [(" ".join(draw.choices(words, k=6)), "en-US") for _ in range(5000)]
    same = sum(
        " ".join(basic(text).split()) == normalised(text, locale, "compat-whisper-basic")
        for text, locale in texts
    )
    return f"| whisper-normalizer {version('whisper-normalizer')}* | `compat-whisper-basic` | {same:,} of {len(texts):,} texts |"


def whisper_english_line() -> str:
    """Ask for what Whisper's own tests expect of its English normaliser."""
    import_module("whisper_normalizer")
    same = sum(
        expected == normalised(text, "en-US", "compat-whisper-en")
        for text, expected in compat.WHISPER_ENGLISH.items()
    )
    return (
        "| Whisper's tests of its English normaliser | `compat-whisper-en`* | "
        f"{same} of {len(compat.WHISPER_ENGLISH)} cases |"
    )


def mms_line() -> str:
    """Compare the digest of every example's normal form with that of what fairseq wrote."""
    printed = [normalised(row["text"], row["locale"], "compat-mms") for row in compat.EXAMPLES]
    found = hashlib.sha256("\n".join(printed).encode()).hexdigest() == compat.WRITTEN_BY_FAIRSEQ
    return (
        f"| fairseq's text_normalize, main of 2026 | `compat-mms` | {'all' if found else 'not all'} of {len(printed)} examples "
        "in every locale, by the digest of what it wrote (11,468 texts once, by hand) |"
    )


def vistaar_line() -> str:
    """Compare with the Indic NLP Library's normaliser as Vistaar calls it, on every example of eight languages."""
    library = version("indic-nlp-library")
    pairs = list(compat.vistaar_pairs())
    same = sum(ours == theirs for ours, theirs in pairs)
    return (
        f"| Indic NLP Library {library}* | `compat-vistaar` | {same} of {len(pairs)} examples of eight "
        "languages |"
    )


def spelling_line() -> str:
    """Compare Thai spelling, simplified Chinese, and Chinese and Korean numerals, with four libraries."""
    import cn2an
    import num2words
    import opencc
    from pythainlp.util import normalize

    draw = random.Random(28)  # noqa: S311 - seeded
    thai = []
    while len(thai) < 2000:
        text = "".join(draw.choices(normalise.THAI, k=draw.randint(1, 12)))
        if not normalise.STRAY_MARKS.search(text):
            thai.append(scripts.thai(text) == normalize(text))
    t2s = opencc.OpenCC("t2s")
    chinese = [scripts.simplified(text) == t2s.convert(text) for text in normalise.TRADITIONAL]
    spelt = []
    for number in numbers.some_numbers():
        if not 10 <= number < 20:
            spelt.append(numbers.form(number, "cmn-CN").replace("两", "二") == cn2an.an2cn(number))
        korean = num2words.num2words(number, lang="ko").replace(" ", "")
        spelt.append(numbers.form(number, "ko-KR") == korean)
    return (
        f"| PyThaiNLP {version('pythainlp')}*, OpenCC*, cn2an*, num2words* | Thai spelling without stray marks, t2s, Chinese "
        f"and Korean numerals | {sum(thai):,} of {len(thai):,} texts; {sum(chinese)} of {len(chinese)} examples; "
        f"{sum(spelt):,} of {len(spelt):,} numerals |"
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
