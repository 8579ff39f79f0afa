"""What is remembered of turns: sums and words of whatever was kept, and what a turn costs."""

from __future__ import annotations

import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulator.model.context import Context
from harness.emulator.model.past import Past

some = settings(deadline=None, max_examples=60)

turns = st.dictionaries(st.sampled_from(["TEXT", "AUDIO", "VIDEO"]), st.integers(0, 9), max_size=3)
steps = st.lists(
    st.tuples(st.just("then"), turns, st.text(max_size=2))
    | st.tuples(st.just("without"), st.integers(-1, 40))
    | st.tuples(st.just("resume"), st.integers(0, 30)),
    max_size=30,
)


@given(steps)
@some
def test_a_past_is_the_list_of_its_turns(steps):
    """Turns added, let go, and gone on with from any earlier past: tokens and words are those of a plain list."""
    states = [(Past(), [])]
    for what, *given_ in steps:
        past, plain = states[-1]
        if what == "then":
            past, plain = past.then(*given_), [*plain, tuple(given_)]
        elif what == "without":
            past, plain = past.without(*given_), without(plain, *given_)
        else:
            past, plain = states[given_[0] % len(states)]
        states.append((past, plain))
    for past, plain in states:
        assert len(plain) == len(past)
        assert [words for _, words in plain] == list(past.words)
        assert summed(plain) == {name: count for name, count in past.tokens.items() if count}


def without(plain, tokens):
    """Return a list of turns less its oldest, as many as have so many tokens."""
    gone = 0
    while plain and gone < tokens:
        gone += sum(plain[0][0].values())
        plain = plain[1:]
    return plain


def summed(plain):
    """Return the tokens of a list of turns, by modality."""
    names = {name for tokens, _ in plain for name in tokens}
    sums = {name: sum(tokens.get(name, 0) for tokens, _ in plain) for name in names}
    return {name: count for name, count in sums.items() if count}


def lines_run(work):
    """Return how many lines of Python `work` runs."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def billed(turns):
    """Return a context after so many tiny turns, each billed, with a handle's copy of it."""
    context = Context(audio_rate=25)
    for _ in range(turns):
        context.read("hi")
        context.usage({"TEXT": 1}, thoughts=0, found=0)
        context.close({"TEXT": 1})
        context.compress(trigger=400, target=200)
        context.copy()
    return context


def test_a_turn_costs_the_same_however_many_went_before():
    """Billing, compressing and copying ten times as many tiny turns takes ten times as long, and no more."""
    few, many = lines_run(lambda: billed(100)), lines_run(lambda: billed(1000))
    assert 11 * few > many
    assert len(billed(10_000).past.spoken) < 500
