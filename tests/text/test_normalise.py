"""What the text profiles keep and what they fold."""

import json
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
import regex
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.text import scripts
from harness.text.compat import LIBRARIES
from harness.text.locales import LOCALES
from harness.text.normalise import PROFILES, normalised, steps

GOLDEN = Path(__file__).parents[1] / "golden"
PROFILE_OF_CASE = {
    "raw": "raw-1",
    "orth": "orth-1",
    "norm": "norm-1",
    "normn": "norm-1n",
    "lenient": "lenient-1",
}


def jsonl(name):
    """Return the objects of a golden file."""
    return [json.loads(line) for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()]


CASES = jsonl("scoring_cases.jsonl")
EXAMPLES = jsonl("normalise_examples.jsonl")
LETTERS = {
    code: sorted(
        {
            character
            for case in CASES
            if case["locale"].split("-")[0] == code.split("-")[0]
            for text in (case["raw_ref"], case["raw_hyp"])
            for character in text
            if not character.isascii() or character.isalpha()
        }
        | set(" abIŞİß.,'’-\u200b\u200d\u0301\u0307")
    )
    for code in LOCALES
}


def texts(locale):
    """Return texts of a locale's own letters, with those that are most often confused."""
    return st.text(alphabet=LETTERS[locale], max_size=30)


locales = st.sampled_from(sorted(LOCALES))
localised = locales.flatmap(lambda locale: st.tuples(st.just(locale), texts(locale)))


@settings(max_examples=400)
@given(localised, st.sampled_from(["raw-1", "orth-1", "norm-1", "lenient-1"]))
@example(("vi-VN", "HOÀ"), "orth-1")
@example(("en-US", "a\u200b\u0301"), "raw-1")
@example(("th-TH", "เเเเ"), "norm-1")
@example(("th-TH", "เ เก"), "norm-1")
@example(("th-TH", 'ก่"ุ'), "norm-1")
@example(("fr-FR", "æ\u0301"), "lenient-1")
@example(("de-DE", "ß\u0307"), "lenient-1")
def test_a_normal_text_is_its_own_normal_form(localised, profile):
    """Normalising a text that is normal already changes nothing; numbers aside, whose marks are read only once."""
    locale, text = localised
    assume(not regex.search(r"\p{Nd}\p{P}", text))
    once = normalised(text, locale, profile)
    assert once == normalised(once, locale, profile)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_golden_normal_texts_are_fixed_points(case):
    """Every golden reference is its own normal form."""
    profile = PROFILE_OF_CASE[case["profile"]]
    assert case["norm_ref"] == normalised(case["norm_ref"], case["locale"], profile)


@settings(max_examples=400)
@given(locales, st.data())
def test_no_mark_is_lost_outside_the_tables(locale, data):
    """`norm-1` keeps every combining mark that no published table of the locale names."""
    language = locale.split("-")[0]
    assume(language not in {"ar", "th", "tr", "ru"})
    text = data.draw(
        texts(locale).filter(lambda text: not regex.search(r"[\u200c\u200d\u0e00-\u0eff]", text))
    )

    def marks(text):
        return len(regex.findall(r"\p{M}", unicodedata.normalize("NFD", text)))

    assert marks(normalised(text, locale, "raw-1")) <= marks(normalised(text, locale, "norm-1"))


@settings(max_examples=300)
@given(st.text(max_size=40), locales)
def test_any_text_at_all_is_normalised(text, locale):
    """There is no text that the profiles cannot take, and what comes out has single spaces inside only."""
    for profile in set(PROFILES) - set(LIBRARIES):
        normal = normalised(text, locale, profile)
        assert normal == " ".join(normal.split())


@pytest.mark.parametrize("profile", ["norm-1", "compat-whisper-en", "compat-openasr-ml"])
def test_every_digit_is_normalised(profile):
    """Digits of all scripts are read, those of scripts that Python's Unicode lacks too: they stay as they are."""
    digits = regex.findall(r"\p{Nd}", "".join(map(chr, range(0x110000))))
    assert len(digits) > 700
    found = normalised(" ".join(digits), "en-US", profile)
    assert found
    if profile == "norm-1":
        known = {digit for digit in digits if digit.isdecimal()}
        assert {digit for digit in digits if digit in found.split()} - set("0123456789") == set(
            digits
        ) - known


@pytest.mark.parametrize("row", EXAMPLES, ids=lambda row: f"{row['locale']}-{row['text'][:12]!a}")
def test_examples_of_every_locale(row):
    """Each locale's worked examples hold under `norm-1`."""
    assert row["normalised"] == normalised(row["text"], row["locale"], "norm-1")


@pytest.mark.parametrize(
    "text, locale, profile, expected",
    [
        ("1.234.567,89", "de-DE", "norm-1", "1234567.89"),
        ("1,234,567.89", "en-US", "norm-1", "1234567.89"),
        ("12,34,567.5", "hi-IN", "norm-1", "1234567.5"),
        ("1,2345", "en-US", "norm-1", "1 2345"),
        ("0,5 l", "fr-FR", "norm-1", "0.5 l"),
        ("en 2020 10 000 fois", "fr-FR", "norm-1", "en 2020 10000 fois"),
        ("[laughter] yes (applause) *cough* <noise>", "en-US", "norm-1", "yes"),
        ("👨\u200d👩\u200d👧 ok", "en-US", "norm-1", "ok"),
        ("wait... 10:30, mother-in-law's", "en-US", "orth-1", "wait ... 10:30 , mother-in-law's"),
        ("क्षेत्र\u200dफल", "hi-IN", "raw-1", "क्षेत्र\u200dफल"),
        ("½ m²", "en-US", "norm-1", "½ m²"),
        ("dell’arte", "it-IT", "orth-1", "dell'arte"),
        ("乾隆皇帝的乾燥房間", "cmn-CN", "norm-1", "乾隆皇帝的干燥房间"),
        ("Quý QUÝ thuý", "vi-VN", "norm-1", "quý quý thúy"),
        ("كتاب\u08f0ا \u08e3ب\u08ff", "ar-XA", "norm-1", "كتابا ب"),
        ("डि’सूजा", "hi-IN", "norm-1", "डि'सूजा"),
        ("डि’सूजा", "hi-IN", "orth-1", "डि'सूजा"),
        ("มๅ ฤๅษี", "th-TH", "norm-1", "มาฤๅษี"),
    ],
)
def test_readings(text, locale, profile, expected):
    """Numbers, tags, emoji and marks are read as the tables say."""
    assert expected == normalised(text, locale, profile)


def test_the_profiles_are_nested():
    """What two texts have in common under a stricter profile they have in common under a laxer one."""
    order = ("raw-1", "orth-1", "norm-1", "lenient-1")
    for row in EXAMPLES:
        for stricter, laxer in pairwise(order):
            same = normalised(row["text"], row["locale"], stricter)
            assert normalised(same, row["locale"], laxer) == normalised(
                row["text"], row["locale"], laxer
            )


def test_every_locale_lists_its_steps_as_published():
    """The steps of `norm-1` and their order are those of the published table."""
    common = [
        "nfc",
        "invis",
        "ws",
        "typo",
        "width",
        "tags",
        "lower",
        "digits",
        "numpunct",
        "punct",
        "ws2",
    ]
    own = {
        "ar": ("lower", ["ar", "ar_alef"]), "cmn": ("lower", ["t2s"]), "ru": ("lower", ["ru_yo"]),
        "vi": ("width", ["vi_d_tone"]), "nl": ("width", ["nl_ij"]), "th": ("width", ["thai"]),
        "ro": ("width", ["ro_comma"]),
        **{code: ("width", ["indic"]) for code in ["hi", "bn", "gu", "kn", "mr", "ml", "ta", "te"]},
    }  # fmt: skip
    for locale in LOCALES:
        language = locale.split("-")[0]
        expected = list(common)
        if language in own:
            after, names = own[language]
            place = expected.index(after) + 1
            expected[place:place] = names
        if language in {"ja", "cmn", "th"}:
            expected.append("cjkspace")
        assert expected == list(steps(locale, "norm-1"))


def test_an_unknown_profile_or_locale_is_named_with_the_nearest():
    """A typing mistake is answered with what was probably meant."""
    with pytest.raises(UsageError, match="norm-1n"):
        normalised("a", "en-US", "norm-1N")
    with pytest.raises(UsageError, match="xx"):
        normalised("a", "xx", "norm-1")


THAI = "เแโไใาิีึืุูำะั่้๊๋์ํกขคนมย็ๆ"

# PyThaiNLP's last steps delete marks without a base and all but the last of different tone marks in a row.
STRAY_MARKS = regex.compile(r"(^|[ะาำเ-ไๆ็-๎])[ัิ-ฺ็-๎]|[่-๋][่-๋]")

TRADITIONAL = (
    "臺灣的軟體", "皇后在後面", "乾隆皇帝覺得很乾燥", "他說頭髮發現了", "鬱鬱蔥蔥的樹木", "一目瞭然",
)  # fmt: skip


@pytest.mark.witness
@given(st.text(alphabet=THAI, max_size=12))
def test_thai_agrees_with_pythainlp(text):
    """Thai spelling is ordered as PyThaiNLP orders it, where it does not delete marks that stand alone."""
    normalize = pytest.importorskip("pythainlp.util").normalize
    assume(not STRAY_MARKS.search(text))
    ours = scripts.thai(text)
    assert ours == normalize(text)


@pytest.mark.witness
def test_simplified_agrees_with_opencc():
    """Traditional text becomes the simplified text that OpenCC makes of it."""
    opencc = pytest.importorskip("opencc").OpenCC("t2s")
    for text in TRADITIONAL:
        assert opencc.convert(text) == scripts.simplified(text)
