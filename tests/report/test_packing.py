"""Packed columns: what goes in comes out, missing values and hostile text included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.page.packing import Pack


def through(said, pack: Pack):
    """Return a pack's parts as they are read from a page."""
    return said.unpacked(f'<script type="text/plain" id="pack-x">{pack.base64()}</script>', "x")


@given(values=st.lists(st.none() | st.integers(-(2**31) + 1, 2**31 - 1)))
def test_whole_numbers_come_back(said, values):
    """Every int32 but the one that says missing comes back, and None as None."""
    pack = Pack()
    pack.numbers("n", values)
    assert values == through(said, pack)["n"]


@given(values=st.lists(st.none() | st.floats(-10_000, 10_000)))
def test_real_numbers_come_back_to_their_precision(said, values):
    """A real number comes back to half a step."""
    pack = Pack()
    pack.numbers("n", values, per=1000)
    for value, stored in zip(values, through(said, pack)["n"], strict=True):
        assert value is None if stored is None else abs(value - stored) <= 0.000501


def test_what_int32_cannot_hold_is_held_at_its_ends(said):
    """Values beyond int32 neither wrap around nor become missing."""
    pack = Pack()
    pack.numbers("n", [1e12, -1e12])
    assert [2**31 - 1, -(2**31) + 1] == through(said, pack)["n"]


@given(values=st.lists(st.text()))
def test_texts_come_back(said, values):
    """Every text comes back, only NUL and what is no UTF-8 replaced."""
    pack = Pack()
    pack.texts("t", values)
    pack.words("w", values)
    parts = through(said, pack)
    kept = [value.replace("\0", "\ufffd") for value in values]
    assert kept == parts["t"]
    assert values == [parts["w.words"][int(place)] for place in parts["w"]]


def test_lone_surrogates_do_not_break_a_page(said):
    """Text that is no Unicode is shown as question marks."""
    pack = Pack()
    pack.texts("t", ["a\ud800b"])
    pack.json("j", {"x": "\udfff"})
    assert (["a?b"], {"x": "?"}) == (through(said, pack)["t"], through(said, pack)["j"])


def test_the_same_parts_give_the_same_text():
    """A pack has no time of day in it."""
    packs = [Pack(), Pack()]
    for pack in packs:
        pack.texts("t", ["a", "b"])
        pack.numbers("n", [1, None])
    assert packs[0].base64() == packs[1].base64()


def test_nan_is_refused():
    """A value that is not a number cannot get into a page as JSON."""
    with pytest.raises(ValueError, match="JSON"):
        Pack().json("j", float("nan"))
