"""How a transcript grew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.score.score import score_text
from harness.score.stability import (
    DELTAS_S,
    Screen,
    emission_delays,
    erasure,
    lagging,
    revisions,
    screens,
    text_at,
    token_times,
)
from harness.trace.hypothesis import Fragment


def pieces(*pairs):
    """Return fragments of (time, text), interim where the text begins with ~."""
    return [Fragment(t=t, text=text.lstrip("~"), interim=text.startswith("~")) for t, text in pairs]


@given(st.lists(st.text(alphabet="ab ", min_size=1, max_size=5), max_size=8))
def test_a_stream_that_only_appends_takes_nothing_back(texts):
    """Text deltas, a word divided between two of them among them, have no erasure and no revision."""
    shown = screens(pieces(*enumerate(texts)))
    assert (erasure(shown) or 0.0) == 0.0
    assert 0 == revisions(shown)
    assert text_at(shown, 100.0) == "".join(texts).strip()


def test_what_is_taken_back_is_counted():
    """Interim text that changes is erased by the characters after the common beginning."""
    shown = screens(pieces((1, "~the cap"), (2, "~the cat sat"), (3, "the cat "), (4, "sits")))
    assert ["the cap", "the cat sat", "the cat", "the cat sits"] == [s.text for s in shown]
    # "p", then " sat".
    assert (1 + 4) / 12 == erasure(shown)
    assert 2 == revisions(shown)
    assert erasure([]) is None


def test_the_screen_shows_what_has_come():
    """What WER@δ judges is the text that had come by then."""
    shown = screens(pieces((1.0, "one two"), (2.6, " three"), (9.0, " four")))
    found = [text_at(shown, 2.0 + delta_s) for delta_s in DELTAS_S]
    assert ["one two", "one two", *["one two three"] * 3] == found
    assert ["", "one two"] == [text_at(shown, t) for t in (0.5, 1.0)]


def test_a_token_has_come_when_it_stays():
    """A word divided between deltas, or changed later, has come only when it is whole and stays."""
    shown = screens(pieces((1, "Hello wor"), (2, "ld, how"), (3, " are")))
    assert [1, 2, 2, 3] == token_times(shown, "en-US", "WER")
    changed = [Screen(t=1, text="a b c"), Screen(t=2, text="a x"), Screen(t=3, text="a b c")]
    assert [1, 3, 3] == token_times(changed, "en-US", "WER")
    assert [] == token_times([], "en-US", "WER")


def test_emission_is_counted_for_tokens_that_are_right():
    """Each right token's time less its approximate end in the audio."""
    shown = screens(pieces((2.0, "ab cd"), (5.0, " xy zz")))
    score = score_text("ab cd ef zz", "ab cd xy zz", "en-US", profile="norm-1")
    found = emission_delays(score, shown, onset_s=0.0, end_s=4.0)
    assert [1.0, 0.0, 1.0] == pytest.approx(found)


def test_lagging_does_not_see_a_late_tail():
    """AL and LAAL of tokens at 2.1, 2.1 and 9 s on a clip of 2 s are 2.1 s; DAL sees the tail."""
    found = lagging([2.1, 2.1, 9.0], 2.0, 3)
    assert (2.1, 2.1) == (found.al_s, found.laal_s)
    assert 3.956 == pytest.approx(found.dal_s, abs=0.001)
    assert 2.2 == pytest.approx(found.ap)


def test_lagging_ends_with_the_token_that_comes_when_the_source_is_over():
    """AL is 1/τ Σ (d - (i - 1) |x| / |y|) up to τ, the first token with all of the source heard (Ma et al. 2019)."""
    delays_s, source_s = [1.0, 2.0, 3.0], 2.0
    heard = [min(delay, source_s) for delay in delays_s]
    last = heard.index(source_s) + 1
    expected = sum(delays_s[i] - i * source_s / 3 for i in range(last)) / last
    assert expected == pytest.approx(lagging(delays_s, source_s, 3).al_s)


@pytest.mark.parametrize(
    "tokens, al_s, laal_s",
    # Of 10 s the ideal reader of n tokens has said the i-th at 10 i / n: LAAL's n is the longer of the two texts' (Papi
    # et al. 2022), AL's the reference's.
    [(2, (1 + (3 - 5) + (5 - 10)) / 3, (1 + (3 - 10 / 3) + (5 - 20 / 3)) / 3),
     (3, (1 + (3 - 10 / 3) + (5 - 20 / 3)) / 3, (1 + (3 - 10 / 3) + (5 - 20 / 3)) / 3),
     (5, (1 + (3 - 2) + (5 - 4)) / 3, (1 + (3 - 2) + (5 - 4)) / 3)],
)  # fmt: skip
def test_saying_too_much_does_not_make_it_quicker(tokens, al_s, laal_s):
    """LAAL spreads the audio over the longer of reference and transcript; AL over the reference alone."""
    found = lagging([1.0, 3.0, 5.0], 10.0, tokens)
    assert al_s == pytest.approx(found.al_s)
    assert laal_s == pytest.approx(found.laal_s)


@given(st.integers(1, 20), st.floats(0.5, 30.0))
def test_an_ideal_reader_lags_by_nothing(n, source):
    """Tokens that come evenly as they are said have a lag of one token's length at most."""
    step = source / n
    found = lagging([step * number for number in range(n)], source, n)
    assert found.al_s == pytest.approx(0.0, abs=1e-9)
    assert found.laal_s == pytest.approx(0.0, abs=1e-9)
    assert found.dal_s == pytest.approx(0.0, abs=1e-9)
    late = lagging([step * number + 0.3 for number in range(n)], source, n)
    assert 0.3 == pytest.approx(late.dal_s)


def test_without_tokens_there_is_no_lag():
    """No token, no audio or no reference: nothing to measure."""
    assert lagging([], 2.0, 3) is None
    assert lagging([1.0], 0.0, 3) is None
    assert lagging([1.0], 2.0, 0) is None
