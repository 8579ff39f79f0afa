"""Words of languages that write none, by other people's segmenters."""

import subprocess
import sys

import pytest

from harness.errors import UsageError
from harness.score.score import METRICS, SEGMENTED, profile_block, score_text, tokens_of
from harness.text.segment import reading, segments


@pytest.mark.parametrize(
    "module, language, text, words",
    [
        ("unidic_lite", "ja", "早く来て下さい", ("早く", "来", "て", "下さい")),
        ("jieba", "cmn", "我们去北京大学", ("我们", "去", "北京大学")),
        ("pythainlp", "th", "ฉันไปโรงเรียน", ("ฉัน", "ไป", "โรงเรียน")),
    ],
)
def test_segments(module, language, text, words):
    """A segmenter divides a text into words and loses nothing of it."""
    pytest.importorskip(module)
    assert words == segments(text, language)
    assert text == "".join(words)
    assert () == segments("", language)


@pytest.mark.parametrize(
    "text, read",
    [("東京", "トウキョウ"), ("出来るだけ", "デキルダケ"), ("できるだけ", "デキルダケ"), ("ぴゅqxz", "ピュqxz"), ("", "")],
)  # fmt: skip
def test_readings(text, read):
    """Kanji and kana of the same word are read the same; what has no reading stays."""
    pytest.importorskip("unidic_lite")
    assert read == reading(text)


def test_kana_and_kanji_of_one_word_are_no_error_by_their_reading():
    """What is a third wrong by characters is right as it is read: so readings stand beside the rate."""
    pytest.importorskip("unidic_lite")
    pair = "出来るだけ早く来て下さい", "できるだけ早く来てください", "ja-JP"
    assert 1 / 3 == score_text(*pair, metric="CERns").rate
    read = score_text(*pair, metric="kanaCER")
    assert (0.0, 14) == (read.rate, read.counts.reference_tokens)
    assert ("=", "デ", "デ") == read.alignment[0]


def test_a_row_of_segments_names_its_tool():
    """The versions of tool and dictionary stand beside scores over segments, and only there."""
    assert {"fugashi", "unidic-lite"} <= profile_block("norm-1", "ja-JP", metric="segWER")["versions"].keys()  # fmt: skip
    assert "jieba" in profile_block("norm-1", "cmn-CN", "th-TH", metric="segWER")["versions"]
    assert "jieba" not in profile_block("norm-1", "cmn-CN")["versions"]


@pytest.mark.parametrize("metric, locale", [("segWER", "en-US"), ("segWER", "ko-KR"), ("kanaCER", "cmn-CN")])  # fmt: skip
def test_other_languages_are_refused(metric, locale):
    """A language that divides its words, or is not read in kana, has no such metric."""
    assert SEGMENTED.keys() <= set(METRICS)
    with pytest.raises(UsageError, match=f"{metric} is not for {locale}"):
        tokens_of(metric, locale)


@pytest.mark.parametrize(
    "module, locale, metric",
    [
        ("fugashi", "ja-JP", "kanaCER"),
        ("unidic_lite", "ja-JP", "segWER"),
        ("jieba", "cmn-CN", "segWER"),
        ("pythainlp", "th-TH", "segWER"),
    ],
)
def test_a_missing_segmenter_is_named(module, locale, metric):
    """Without its library the metric is refused with the command that installs it; all others are as before."""
    probe = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from harness.score.score import score_text\n"
        "from harness.errors import UsageError\n"
        f"assert score_text('a', 'a', {locale!r}).rate == 0\n"
        f"try: score_text('a', 'a', {locale!r}, metric={metric!r})\n"
        "except UsageError as error: sys.exit('live-harness[segment]' not in str(error))\n"
        "sys.exit(1)"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)
