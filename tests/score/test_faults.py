"""What is flagged in a transcript, and what is not."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score.faults import faults, foreign_share, is_loop
from harness.score.latency import final_text_s, first_text_s
from harness.score.score import score_text
from harness.text.locales import LOCALES


@pytest.mark.parametrize(
    "locale, reference, hypothesis, expected",
    [
        ("hi-IN", "आप कैसे हैं", "aap kaise hain", {"wrong_script"}),
        ("en-US", "how are you today", "आप कैसे हैं आज", {"wrong_script"}),
        ("cmn-CN", "你好", "Hello", {"wrong_script"}),
        ("cmn-CN", "我用 iPhone 拍照", "我用 iPhone 拍照", set()),
        ("hi-IN", "मोबाइल फोन बहुत अच्छा है", "mobile फोन बहुत अच्छा है", {"mixed_script"}),
        ("ja-JP", "今日はいい天気ですね", "今天天气真的非常好啊", {"suspect_zh"}),
        ("ja-JP", "東京都千代田区丸の内", "東京都千代田区丸の内", set()),
        ("cmn-CN", "我们去北京", "我们の北京", {"suspect_ja", "mixed_script"}),
        ("ru-RU", "сок и вода для всех", "coк и вода для всех", {"homoglyph", "mixed_script"}),
        ("es-ES", "todos los seres humanos nacen libres e iguales", "all human beings are born free and equal", {"wrong_language"}),
        ("en-US", "all human beings are born free and equal", "todos los seres humanos nacen libres", {"wrong_language"}),
        ("mr-IN", "सर्व मानवी व्यक्ति जन्मतः स्वतंत्र आहेत व त्यांना समान प्रतिष्ठा आहे", "सभी मनुष्य जन्म से स्वतन्त्र होते हैं और उन को समान अधिकार प्राप्त है", {"wrong_language"}),
        ("uk-UA", "всі люди народжуються вільними і рівними", "все люди рождаются свободными и равными", {"wrong_language"}),
        ("en-US", "all human beings are born free and equal", "all human beings are born in Las Palmas", set()),
        ("de-DE", "guten tag", "good day", set()),
        ("en-US", "the cat sat", "thank you " * 20, {"loop", "hallucination"}),
        ("th-TH", "สวัสดีครับผม", "ครับ" * 9, {"loop", "hallucination"}),
        ("en-US", "i am", "i am i am i am i am", {"loop", "hallucination"}),
        ("en-US", "no no no no no", "no no no no no", set()),
        ("en-US", "very very nice day", "very very nice day", set()),
        ("en-US", "yes", "no way at all my friend", {"hallucination"}),
        ("en-US", "", "thank you for watching", {"speech_in_silence"}),
        ("en-US", "a b c d e f g", "e f g", {"lost_start"}),
        ("en-US", "a b c d e f g", "a b c d", {"lost_end"}),
        ("en-US", "a b c d e f g h", "x f g h", {"lost_start"}),
        ("en-US", "a b c d e f g h", "a b c d x", {"lost_end"}),
        ("en-US", "a b c d e f g h", "x y z g h", set()),
        ("ja-JP", "今日はとてもいい天気ですね", "天気ですね", set()),
        ("ja-JP", "今日はとてもいい天気ですねと言った", "天気ですねと言った", set()),
        ("ja-JP", "今日の東京はとてもいい天気ですね", "天気ですね", {"lost_start"}),
        ("en-US", "a b c d", "", set()),
        ("de-DE", "es waren 25 leute", "es waren viele leute", {"numbers_differ"}),
        ("ko-KR", "안녕하세요 반갑습니다", "annyeonghaseyo", {"wrong_script"}),
        ("ko-KR", "안녕하세요 반갑습니다", "안녕하세요 반갑습니다", set()),
        ("ar-XA", "مرحبا كيف حالك اليوم", "здравствуйте как дела", {"wrong_script"}),
        ("bn-IN", "আমি ভাত খাই", "मैं चावल खाता हूं", {"wrong_script"}),
        ("ta-IN", "வணக்கம் நண்பர்களே", "வணக்கம் நண்பர்களே", set()),
        ("uk-UA", "сік і вода для всіх", "сiк i вода для всiх", {"homoglyph", "mixed_script"}),
        ("uk-UA", "сік і вода для всіх", "сік і вода для всіх", set()),
        ("pt-BR", "todos os seres humanos nascem livres e iguais em dignidade",
         "todos los seres humanos nacen libres e iguales en dignidad", {"wrong_language"}),
        ("fr-FR", "tous les êtres humains naissent libres et égaux", "tous les êtres humains naissent libres", set()),
        ("hi-IN", "नमस्ते दोस्तों", "धन्यवाद " * 12, {"loop", "hallucination"}),
        ("hi-IN", "हाँ हाँ हाँ हाँ", "हाँ हाँ हाँ हाँ", set()),
        ("ja-JP", "ありがとうございます", "ありがとうございます" * 5, {"loop", "hallucination"}),
        ("ar-XA", "شكرا لكم", "شكرا " * 10, {"loop", "hallucination"}),
        ("ja-JP", "...", "ご視聴ありがとうございました", {"speech_in_silence"}),
        ("th-TH", "", "ขอบคุณ", {"speech_in_silence"}),
        ("th-TH", "", "", set()),
        ("ru-RU", "сегодня хорошая погода и мы пойдём гулять", "и мы пойдём гулять", {"lost_start"}),
        ("hi-IN", "आज मौसम बहुत अच्छा है और हम बाहर जाएंगे", "आज मौसम बहुत अच्छा", {"lost_end"}),
        ("hi-IN", "आज मौसम बहुत अच्छा है", "आज मौसम अच्छा है", set()),
        ("ja-JP", "二十五人", "25人", {"numbers_differ"}),
        ("hi-IN", "२५ लोग", "पच्चीस लोग", {"numbers_differ"}),
        ("ar-XA", "٢٥ كتابا", "25 كتابا", set()),
    ],
)  # fmt: skip
def test_what_is_flagged(locale, reference, hypothesis, expected):
    """Each fault is found where it is, and nothing is flagged that is right."""
    assert expected == set(faults(score_text(reference, hypothesis, locale, profile="norm-1")))


def test_more_than_can_be_said_is_a_hallucination():
    """Over eight words a second nobody speaks."""
    scored = score_text(" ".join("abcdefghijklmnopq"), " ".join("abcdefghijklmnopq"), "en-US")
    assert "hallucination" in faults(scored, audio_s=2.0)
    assert () == faults(scored, audio_s=3.0)


def test_ordinary_text_of_any_length_is_no_loop():
    """A page of Hindi, which zlib packs to a quarter, is no loop."""
    sentence = "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है "
    page = " ".join(f"{sentence} {number} {sentence[number:]}" for number in range(3))
    assert len(page.encode()) / len(zlib.compress(page.encode())) > 2.4
    assert not is_loop(page)


@given(st.sampled_from(sorted(LOCALES)))
def test_a_language_is_not_foreign_to_itself(locale):
    """The name of every language in its own letters has no foreign letter."""
    own = LOCALES[locale].native
    assert 0.0 == foreign_share(own, LOCALES[locale].script)
    assert () == faults(score_text(own, own, locale))


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=12, unique=True))
def test_different_words_are_no_loop(words):
    """Without a word said twice there is no loop; said four times over there is, unless that is what was said."""
    once = " ".join(words)
    assert not is_loop(once)
    assert is_loop(" ".join([once] * 4))
    assert is_loop("x y " + " ".join([once] * 4)) == (len(words) > 0)
    assert not is_loop(" ".join([once] * 3))
    assert not is_loop(" ".join([once] * 4), " ".join([once] * 4))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("come with me now " * 4 + "and i will not go there anymore", True),
        ("come with me now " * 3 + "and i will not go there anymore", False),
        ("go go go go now or never friend", True),
        ("go go go go we came and we saw", False),
    ],
)
def test_a_loop_is_four_times_and_half_of_the_text(text, expected):
    """Three times is none, nor four in a text more than twice as long; other words in the rest do not hide it."""
    assert expected == is_loop(text)


@pytest.mark.parametrize(
    "t, bound, pace, expected", [(2.5, 0.5, 1.0, 2.0), (1.0, 3.0, 1.0, -2.0), (2.0, 3.0, 2.0, 0.5), (None, 1.0, 1.0, None), (2.0, 1.0, 0.0, None)]
)  # fmt: skip
def test_latency_is_counted_from_when_speech_was_due(t, bound, pace, expected):
    """Early text stays negative; without text, or without pacing, there is no latency."""
    assert expected == first_text_s(t, bound, pace=pace)
    assert expected == final_text_s(t, bound, pace=pace)
