"""What a client has sent is taken in order, a little at a time, and what breaks on the way is told."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run_virtual
from harness.emulator.conversation.intake import PIECES_A_ROUND, Intake

LENGTHS = st.lists(st.integers(0, 3 * PIECES_A_ROUND), max_size=6)


async def taken(lengths, *, breaks_at=None):
    """Return in order the pieces taken of frames of so many pieces each, what was held, and what failed."""
    pieces, held, failed = [], [], []

    def take(frame):
        number, length = frame
        for place in range(length):
            if (number, place) == breaks_at:
                raise ValueError("not foreseen")
            pieces.append((number, place))
            yield

    intake = Intake(take=take, hold=held.append, failed=failed.append)
    for frame in enumerate(lengths):
        intake.add(frame)
    await asyncio.sleep(1)
    return pieces, held, failed


@given(LENGTHS)
def test_every_piece_is_taken_once_and_in_order(lengths):
    """However long the frames, nothing is lost or overtaken, and a client that was held back is let go again."""
    pieces, held, failed = run_virtual(taken(lengths))
    assert [(n, place) for n, length in enumerate(lengths) for place in range(length)] == pieces
    assert [] == failed
    assert [True, False] * (len(held) // 2) == held


@given(st.integers(0, 4 * PIECES_A_ROUND - 1))
def test_what_breaks_in_any_round_is_told_once(place):
    """A frame that breaks at once, or in a later round, ends the session: it is told, and nothing is taken after it."""
    pieces, _, failed = run_virtual(taken([4 * PIECES_A_ROUND, 3], breaks_at=(0, place)))
    assert [(0, at) for at in range(place)] == pieces
    assert ["not foreseen"] == [str(error) for error in failed]


def test_others_are_served_between_the_rounds_of_a_long_frame():
    """A long frame gives way to the loop after each round."""

    async def main():
        seen = []

        def take(_):
            for place in range(3 * PIECES_A_ROUND):
                seen.append(place)
                yield

        intake = Intake(take=take, hold=lambda _: None, failed=lambda _: None)
        asyncio.get_running_loop().call_soon(lambda: seen.append("another"))
        intake.add(None)
        await asyncio.sleep(1)
        return seen

    assert PIECES_A_ROUND == run_virtual(main()).index("another")


def test_nothing_is_taken_while_the_ear_is_behind():
    """A long frame waits for the ear, and goes on when it has caught up."""

    async def main():
        pieces = []

        def take(length):
            for place in range(length):
                pieces.append(place)
                yield

        intake = Intake(take=take, hold=lambda _: None, failed=lambda _: None)
        intake.wait(True)
        intake.add(3 * PIECES_A_ROUND)
        await asyncio.sleep(1)
        before = len(pieces)
        intake.wait(False)
        await asyncio.sleep(1)
        return before, len(pieces)

    assert (PIECES_A_ROUND, 3 * PIECES_A_ROUND) == run_virtual(main())
