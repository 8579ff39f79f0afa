"""The registry's promises: counts, names, and what every spelling of a locale comes to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.text.locales import LOCALES, SETS, canonical, select

STARRED = {"en-AU", "en-GB", "es-ES", "fr-CA", "gu-IN", "kn-IN", "ml-IN", "cmn-CN"}
"""The guide's mark for what native audio does not speak, copied by hand from its language table."""

ONLY_24 = {"ar-EG", "bn-BD", "ro-RO", "uk-UA"}


def spellings(code):
    """Return how people write `code`: cases, separators, scripts, three letters."""
    locale = LOCALES[code]
    region = code.partition("-")[2]
    return [
        code,
        code.lower(),
        code.upper(),
        code.replace("-", "_"),
        code.lower().replace("-", "_"),
        f"  {code}\n",
        f"{locale.iso639_1}-{region}",
        f"{locale.iso639_1}_{region.lower()}",
        f"{locale.iso639_3}-{region}",
        f"{locale.iso639_1}-{locale.script}-{region}",
        f"{locale.iso639_3}_{locale.script}_{region}",
    ]


def test_there_are_34_locales_in_sets_of_30_24_and_22():
    """The guide has 30 codes, 22 of them native; Vertex AI's list has 24; together they are 34."""
    assert 34 == len(LOCALES)
    assert {"guide": 30, "vertex24": 24, "native-audio": 22} == {
        name: len(codes) for name, codes in SETS.items()
    }
    assert set(SETS["guide"]) - STARRED == set(SETS["native-audio"])
    assert set(LOCALES) - set(SETS["guide"]) == ONLY_24
    exchanged = {"ar-XA": "ar-EG", "bn-IN": "bn-BD"}
    native_there = {exchanged.get(code, code) for code in SETS["native-audio"]}
    assert native_there | {"ro-RO", "uk-UA"} == set(SETS["vertex24"])


def test_native_audio_is_unknown_just_where_the_guide_is_silent():
    """The flag is None for the four locales that the guide does not list, and never elsewhere."""
    assert {code for code, locale in LOCALES.items() if locale.native_audio is None} == ONLY_24


@pytest.mark.parametrize("code", LOCALES)
def test_every_field_is_filled_as_it_promises(code):
    """No field is an empty string, every code of other tables is well formed, and RTL is Arabic's alone."""
    locale = LOCALES[code]
    assert code == locale.code
    assert "" not in {
        *(locale.english, locale.native, locale.fleurs, locale.metric),
        *(locale.common_voice, locale.note, *locale.secondary_metrics),
    }
    assert (2, 3, 4) == (len(locale.iso639_1), len(locale.iso639_3), len(locale.script))
    assert ("rtl" if locale.script == "Arab" else "ltr") == locale.direction
    assert locale.metric in {"WER", "CERns"}


def test_characters_are_counted_where_words_are_not_divided():
    """CERns is the measure of Chinese, Japanese, Thai and Korean, and of nothing else."""
    assert {"cmn-CN", "ja-JP", "th-TH", "ko-KR"} == {
        code for code, locale in LOCALES.items() if locale.metric == "CERns"
    }


@pytest.mark.parametrize("code", LOCALES)
def test_every_spelling_of_a_whole_code_is_that_code(code):
    """Case, separators, script and three letters change nothing, and nothing is assumed."""
    assert {(code, None)} == {
        (canonical(text).code, canonical(text).note) for text in spellings(code)
    }


@pytest.mark.parametrize("code", LOCALES)
def test_every_alias_of_the_table_resolves_to_its_language(code):
    """FLEURS, Common Voice and ISO codes of a locale come to a locale of the same language."""
    locale = LOCALES[code]
    for alias in filter(
        None, (locale.fleurs, locale.common_voice, locale.iso639_1, locale.iso639_3)
    ):
        assert locale.iso639_1 == LOCALES[canonical(alias).code].iso639_1


@given(st.sampled_from([alias for code in LOCALES for alias in spellings(code)]))
def test_canonical_is_idempotent(text):
    """The canonical code is its own canonical code, with nothing assumed."""
    code = canonical(text).code
    assert code == canonical(code).code
    assert canonical(code).note is None


@given(st.text(max_size=12) | st.from_regex(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,4}){0,2}"))
def test_any_text_is_a_locale_or_a_usage_error(text):
    """Nothing that can be typed makes anything but one of the 34 codes or a UsageError."""
    try:
        code = canonical(text).code
    except UsageError:
        return
    assert code in LOCALES


@pytest.mark.parametrize(
    "text, code",
    [
        ("zh", "cmn-CN"),
        ("cmn", "cmn-CN"),
        ("de", "de-DE"),
        ("deu", "de-DE"),
        ("ger", "de-DE"),
        ("en", "en-US"),
        ("es", "es-ES"),
        ("fr", "fr-FR"),
        ("pt", "pt-BR"),
        ("ar", "ar-XA"),
        ("ara", "ar-XA"),
        ("arz", "ar-EG"),
        ("bn", "bn-IN"),
        ("in", "id-ID"),
        ("mo", "ro-RO"),
        ("es_419", "es-US"),
        ("ja-Jpan", "ja-JP"),
    ],
)
def test_what_is_assumed_is_said(text, code):
    """A language without region stands for one locale, and a note says which."""
    found = canonical(text)
    assert code == found.code
    assert found.note is not None
    assert text in found.note
    assert code in found.note


@pytest.mark.parametrize(
    "text, code",
    [
        ("zh-CN", "cmn-CN"),
        ("zh_Hans_CN", "cmn-CN"),
        ("cmn_hans_cn", "cmn-CN"),
        ("cmn-Hans-CN", "cmn-CN"),
        ("ar-001", "ar-XA"),
        ("in_ID", "id-ID"),
    ],
)
def test_other_names_of_a_whole_locale_assume_nothing(text, code):
    """Chinese under its macrolanguage, standard Arabic and old codes with a region are exact."""
    assert (code, None) == (canonical(text).code, canonical(text).note)


@pytest.mark.parametrize(
    "text, named",
    [
        ("pt-PT", "pt-BR"),
        ("zh-TW", "cmn-CN"),
        ("zh-Hant-CN", "cmn-CN"),
        ("hi-Latn", "hi-IN"),
        ("de-DE-1996", "de-DE"),
        ("german", "de-DE"),
        ("fr-FX", "fr-FR"),
        ("iw", "he"),
        ("", "harness languages"),
        ("englisch", "en-US"),
        ("xx", "harness languages"),
    ],
)
def test_an_unknown_locale_is_named_with_its_neighbours(text, named):
    """A region, script or language that the registry lacks is refused, never replaced by another."""
    with pytest.raises(UsageError) as caught:
        canonical(text)
    assert f"“{text}”" in str(caught.value)
    assert named in str(caught.value)


def test_a_hostile_locale_cannot_paint_the_terminal():
    """The message about an unknown locale holds no control characters, and not all of a long text."""
    with pytest.raises(UsageError) as caught:
        canonical("de\x1b[2J\u202e" + "x" * 10_000)
    assert str(caught.value).replace("\n", "").isprintable()
    assert len(str(caught.value)) < 300


def test_select_expands_sets_and_keeps_the_first_of_each():
    """Words stand for codes in the order asked for, each code once."""
    assert list(SETS["guide"]) == select(["guide"])
    assert list(LOCALES) == select(["guide", "vertex24", "native-audio"])
    assert ["ro-RO", "de-DE", "cmn-CN"] == select(["ro", "de_de", "zh-CN", "DE"])
    assert SETS["native-audio"][0] == select(["Native-Audio"])[0]
    assert [] == select([])
    with pytest.raises(UsageError, match="xx"):
        select(["de-DE", "xx"])
