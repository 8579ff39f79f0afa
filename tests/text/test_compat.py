"""Other people's normalisers: what they were published to do."""

import hashlib
import json
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.score.score import score_text
from harness.text import compat
from harness.text.normalise import INDIC, normalised, tolerates_numbers

EXAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "golden" / "normalise_examples.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]

# All inputs and results of openai/whisper, tests/test_normalizer.py at 1241061 (MIT).
WHISPER_ENGLISH = {
    "two": "2", "thirty one": "31", "five twenty four": "524", "nineteen ninety nine": "1999", "twenty nineteen": "2019",
    "two point five million": "2500000", "four point two billions": "4200000000s", "200 thousand": "200000",
    "200 thousand dollars": "$200000", "$20 million": "$20000000", "€52.4 million": "€52400000", "£77 thousands": "£77000s",
    "two double o eight": "2008", "three thousand twenty nine": "3029", "forty three thousand two hundred sixty": "43260",
    "forty three thousand two hundred and sixty": "43260", "nineteen fifties": "1950s", "thirty first": "31st",
    "thirty three thousand and three hundred and thirty third": "33333rd", "three billion": "3000000000",
    "millions": "1000000s", "july third twenty twenty": "july 3rd 2020",
    "august twenty sixth twenty twenty one": "august 26th 2021", "3 14": "3 14", "3.14": "3.14", "3 point 2": "3.2",
    "3 point 14": "3.14", "fourteen point 4": "14.4", "two point two five dollars": "$2.25",
    "two hundred million dollars": "$200000000", "$20.1 million": "$20100000", "ninety percent": "90%",
    "seventy six per cent": "76%", "double oh seven": "007", "double zero seven": "007", "nine one one": "911",
    "nine double one": "911", "one triple oh one": "10001", "two thousandth": "2000th", "thirty two thousandth": "32000th",
    "minus 500": "-500", "positive twenty thousand": "+20000", "two dollars and seventy cents": "$2.70", "3 cents": "¢3",
    "$0.36": "¢36", "three euros and sixty five cents": "€3.65", "three and a half million": "3500000",
    "forty eight and a half dollars": "$48.5", "b747": "b 747", "10 th": "10th", "10th": "10th",
    "mobilisation": "mobilization", "cancelation": "cancellation",
    "Let's": "let us", "he's like": "he is like", "she's been like": "she has been like", "10km": "10 km",
    "10mm": "10 mm", "RC232": "rc 232",
    "Mr. Park visited Assoc. Prof. Kim Jr.": "mister park visited associate professor kim junior",
}  # fmt: skip


@pytest.mark.witness
@pytest.mark.parametrize("text", WHISPER_ENGLISH)
def test_whispers_own_tests_of_its_english_normaliser_pass(text):
    """What Whisper's tests expect of its English normaliser, `compat-whisper-en` gives."""
    pytest.importorskip("whisper_normalizer")
    assert WHISPER_ENGLISH[text] == normalised(text, "en-US", "compat-whisper-en")


@pytest.mark.witness
@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: f"{row['locale']}-{row['text'][:8]!a}")
def test_our_basic_normaliser_is_whispers(row):
    """`compat-whisper-basic` is Whisper's basic normaliser in every locale."""
    basic = pytest.importorskip("whisper_normalizer.basic").BasicTextNormalizer()
    expected = " ".join(basic(row["text"]).split())
    assert expected == normalised(row["text"], row["locale"], "compat-whisper-basic")


@pytest.mark.witness
@given(st.text(max_size=30))
def test_our_basic_normaliser_is_whispers_on_any_text(text):
    """`compat-whisper-basic` is Whisper's basic normaliser on any text at all."""
    basic = pytest.importorskip("whisper_normalizer.basic").BasicTextNormalizer()
    assert " ".join(basic(text).split()) == normalised(text, "en-US", "compat-whisper-basic")


@pytest.mark.parametrize(
    "text, locale, expected",
    [
        ("Es kostet 10 000 Euro (ca.)", "de-DE", "es kostet zehntausend euro"),
        ("C’est l’été !", "fr-FR", "c est l été"),
        ("Vinte e 5", "pt-BR", "vinte e cinco"),
        ("25 ജനം", "ml-IN", "25 ജന"),
        ("50 50", "te-IN", "యాభ\u0c46\u0c56 యాభ\u0c46\u0c56"),
    ],
)
def test_open_asr_writes_numbers_in_words(text, locale, expected):
    """`compat-openasr-ml` drops what stands in parentheses, and spells numbers where num2words can."""
    pytest.importorskip("num2words")
    assert expected == normalised(text, locale, "compat-openasr-ml")


@pytest.mark.parametrize(
    "text, locale, expected",
    [
        ("Hello, 25 people (Sam 23:17) at 10.5.", "en-US", "hello people at"),
        ("25", "en-US", "25"),
        ("don’t ‘quote’ rock’n’roll", "en-US", "don't quote rock n'roll"),
        ("データ、１２ 人。", "ja-JP", "デ タ 人"),
        ("เด็ก ๆ ปี ๒๕๖๗", "th-TH", "เด็ก ปี ๒๕๖๗"),
        ("كِتَابٌ ٱلْـ٢٥", "ar-XA", "كتاب ال ٢٥"),
        ("हिन्दी २५ लोग।", "hi-IN", "हिन्दी लोग"),
        ("a-b &lt;c&gt; d_e", "de-DE", "a-b c d e"),
    ],
)
def test_mms(text, locale, expected):
    """`compat-mms` drops what MMS drops: whole numbers, marks of its list, vowel signs of Arabic."""
    assert expected == normalised(text, locale, "compat-mms")


# SHA-256 of what fairseq's text_normalize (main, 2026) wrote for every example, a line each.
WRITTEN_BY_FAIRSEQ = "edabe443cb3a095e8ba53ddeee46591d149c3460ab23f180af056db869db0c5b"


def test_mms_gives_what_fairseq_gave():
    """On every example of every locale, `compat-mms` writes what fairseq's text_normalize wrote."""
    printed = [normalised(row["text"], row["locale"], "compat-mms") for row in EXAMPLES]
    digest = hashlib.sha256("\n".join(printed).encode()).hexdigest()
    assert digest == WRITTEN_BY_FAIRSEQ


def vistaar_pairs():
    """Yield what ours and theirs write: no punctuation, the Indic NLP Library's normaliser, single spaces."""
    indic = pytest.importorskip("indicnlp.normalize.indic_normalize")
    verse = {"locale": "hi-IN", "text": "राम आए॥ सीता आईं।"}
    for row in [*EXAMPLES, verse]:
        if (language := row["locale"][:2]) in INDIC:
            theirs = indic.IndicNormalizerFactory().get_normalizer(language)
            bare = "".join(c for c in row["text"] if c not in string.punctuation + "।۔॥")
            ours = normalised(row["text"], row["locale"], "compat-vistaar")
            yield ours, re.sub(" +", " ", theirs.normalize(bare)).strip()


@pytest.mark.witness
def test_vistaar():
    """`compat-vistaar` is Vistaar's evaluation, in every Indic language."""
    pairs = list(vistaar_pairs())
    assert pairs
    for ours, theirs in pairs:
        assert theirs == ours


@pytest.mark.witness
@pytest.mark.parametrize("locale", ["en-US", "ar-XA", "ja-JP"])
def test_vistaar_is_for_indic_languages(locale):
    """Asked for another language, the profile is refused with the locale: the library has no normaliser for it."""
    pytest.importorskip("indicnlp.normalize.indic_normalize")
    with pytest.raises(UsageError, match=locale):
        normalised("a", locale, "compat-vistaar")


def test_why_it_is_no_headline():
    """Whisper's basic normaliser hides a wrong vowel sign: which is why it is never the headline."""
    pair = ("की किताब", "कि किताब", "hi-IN")
    assert 0 == score_text(*pair, profile="compat-whisper-basic").counts.errors
    assert 1 == score_text(*pair, profile="norm-1").counts.errors


def test_no_other_peoples_profile_tolerates_numbers():
    """A profile's name that ends in n is not by that a tolerant one."""
    assert not any(tolerates_numbers(profile) for profile in compat.PROFILES)


@pytest.mark.parametrize(
    "module, profile, command",
    [
        ("whisper_normalizer", "compat-whisper-en", "live-harness[text]"),
        ("num2words", "compat-openasr-ml", "live-harness[text]"),
        ("indicnlp", "compat-vistaar", "pip install --no-deps indic-nlp-library"),
    ],
)
def test_a_missing_package_is_named(module, profile, command):
    """Without its package, a profile is refused with the command that installs it."""
    probe = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from harness.text.normalise import normalised\n"
        "from harness.errors import UsageError\n"
        f"try: normalised('a', 'hi-IN', {profile!r})\n"
        f"except UsageError as error: sys.exit({command!r} not in str(error))\n"
        "sys.exit(1)"
    )
    assert UsageError.exit_code == 2
    subprocess.run([sys.executable, "-W", "error", "-c", probe], check=True)
