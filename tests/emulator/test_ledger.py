"""How far a connection's audio was heard, and what a resumption must bring again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.emulator.conversation.ledger import Ledger

SIZES = st.lists(st.integers(0, 40), max_size=30)
"""Samples that each message after the setup carries; 0: it carries none."""


def filled(sizes, **how) -> Ledger:
    """Return the ledger of a connection whose messages carried so much."""
    ledger = Ledger(**how)
    ledger.taken()  # the setup
    for size in sizes:
        if size:
            ledger.came(bytes(2 * size))
        ledger.taken()
    return ledger


@given(SIZES, st.lists(st.integers(0, 600), max_size=5))
def test_what_is_sent_again_is_all_that_was_not_heard(sizes, heard):
    """The messages behind the index, less what is ahead, are exactly the audio behind the place that was heard."""
    ledger = filled(sizes, indexed=True)
    total = sum(sizes)
    for place in heard:
        ledger.heard(min(place, total))
    place = min(max(heard, default=0), total)
    again = sum(
        sizes[ledger.index :]
    )  # the message behind index 0 is the first one behind the setup
    assert total - place == again - ledger.ahead
    assert again == ledger.behind


@given(SIZES, st.integers(0, 600))
def test_what_is_not_sent_again_is_kept(sizes, place):
    """Where the client is not told an index, the audio behind the place that was heard is kept, sample for sample."""
    ledger = Ledger(keeps=True)
    pcm = b"".join(n.to_bytes(2, "little") for n in range(sum(sizes)))
    at = 0
    for size in sizes:
        ledger.came(pcm[2 * at : 2 * (at + size)])
        ledger.taken()
        at += size
    ledger.heard(min(place, at))
    assert pcm[2 * min(place, at) :] == ledger.unheard
    assert 0 == ledger.ahead


def test_a_message_is_consumed_when_all_of_it_was_taken():
    """Of a long message that is still being taken nothing is consumed, though its first seconds were heard."""
    ledger = filled([], indexed=True)
    ledger.came(bytes(2 * 100))
    ledger.heard(100)
    assert (0, 100) == (ledger.index, ledger.ahead)
    ledger.came(bytes(2 * 50))
    ledger.taken()
    assert (0, 100, 150) == (ledger.index, ledger.ahead, ledger.behind)
    ledger.heard(150)
    assert (1, 0, 0) == (ledger.index, ledger.ahead, ledger.behind)


def test_a_message_is_gone_on_with_where_it_was_heard_to():
    """What was heard of a message over an earlier connection stays heard when it breaks off within it again."""
    ledger = filled([100], indexed=True, ahead=60)
    assert (0, 60) == (ledger.index, ledger.ahead)
    ledger.heard(10)  # of what was not heard before
    assert (0, 70) == (ledger.index, ledger.ahead)


def test_no_more_than_a_minute_is_kept():
    """A turn that nobody hears out takes no more memory than a minute of audio."""
    ledger = Ledger(keeps=True)
    for _ in range(600):
        ledger.came(bytes(3200))
        ledger.came(bytes(3200))
    assert 60 * 32_000 == len(ledger.unheard)
