"""How many sessions an ear bears: laws of the number, and a door that follows it on virtual time."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import ear as opened
from harness.cli import emulate
from harness.clock import run_virtual
from harness.emulator.door.serve import Service
from harness.emulator.ear.capacity import (
    MOST_SESSIONS,
    SLACK,
    STRETCH_S,
    Capacity,
    bearable,
)
from harness.emulator.ear.scripted import Scripted

FACTORS = st.floats(0.002, 20.0)
PHRASES = st.lists(st.floats(0.1, 30.0), min_size=1, max_size=60)


def followed(capacity):
    """Return the list that every change of `capacity` is added to."""
    told = []
    capacity.changed = lambda: told.append(capacity.sessions)
    return told


def settle(capacity, factor, phrase_s=4.0):
    """Let an ear of this factor hear phrases, as many as it may take until the number has followed.

    One stretch may be of before and after, two are a majority; each ends with a phrase.
    """
    left_s = 3 * (STRETCH_S + phrase_s)
    while left_s > 0:
        capacity.heard(phrase_s, factor * phrase_s)
        left_s -= phrase_s


@pytest.mark.parametrize("factor, sessions", [(0.12, 8), (0.5, 2), (3.0, 1), (0.0, 64)])
def test_an_ear_bears_what_it_hears_in_real_time(factor, sessions):
    """Admission begins with the inverse of the real-time factor, at least one session and at most 64."""
    assert sessions == Capacity(factor).sessions


@given(FACTORS, PHRASES)
def test_a_steady_ear_keeps_its_number(factor, phrases):
    """However long its phrases are, an ear as fast as at its start never bears another number."""
    capacity = Capacity(factor)
    told = followed(capacity)
    for audio_s in phrases:
        capacity.heard(audio_s, audio_s * factor)
    assert [] == told


@given(FACTORS, st.lists(st.floats(1 / SLACK + 1e-6, SLACK - 1e-6), max_size=40))
def test_the_number_does_not_flap(factor, noise):
    """An ear whose speed wavers by up to a tenth keeps its number."""
    capacity = Capacity(factor)
    told = followed(capacity)
    for share in noise:
        capacity.heard(STRETCH_S, STRETCH_S * factor * share)
    assert [] == told


@given(FACTORS, st.floats(0.001, 1000.0))
def test_one_accident_changes_nothing(factor, took_s):
    """A single phrase that takes long, or no time at all, among others as ever leaves the number where it was."""
    capacity = Capacity(factor)
    told = followed(capacity)
    for took in (factor * STRETCH_S, took_s, factor * STRETCH_S, factor * STRETCH_S, took_s):
        capacity.heard(STRETCH_S, took)
    assert [] == told


@given(FACTORS, FACTORS, st.floats(0.5, 30.0))
def test_the_number_goes_to_what_keeps_up(before, after, phrase_s):
    """Three stretches after an ear has changed its speed, it bears what it hears in real time, to within a tenth; and stays."""
    capacity = Capacity(before)
    capacity.heard(STRETCH_S / 2, before * STRETCH_S / 2)
    settle(capacity, after, phrase_s)
    number = capacity.sessions
    assert number == 1 or number * after <= SLACK + 1e-9
    assert number == MOST_SESSIONS or (number + 1) * after * SLACK >= 1 - 1e-9
    told = followed(capacity)
    for _ in range(5):
        settle(capacity, after, phrase_s)
    assert [] == told


@given(FACTORS, st.lists(st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 600.0)), max_size=80))
def test_there_is_always_room_for_one_and_never_for_too_many(factor, told):
    """Whatever an ear does, it bears from 1 to 64 sessions, and each change is told once."""
    capacity = Capacity(factor)
    numbers, changes = [capacity.sessions], followed(capacity)
    for audio_s, took_s in told:
        capacity.heard(audio_s, took_s)
        if capacity.sessions != numbers[-1]:
            numbers.append(capacity.sessions)
    assert numbers[1:] == changes
    assert 1 <= min(numbers) <= max(numbers) <= MOST_SESSIONS


# ── at the door ──────────────────────────────────────────────────────────────────────────────────────────────────────

CHANGE_S = 240.0
SETTLED_S = 90.0
"""How long a crowded door may take after its ear's change: those who are open stay, and have to be heard."""


async def crowded(factors):
    """Let users knock for ever at a door whose ear has each of `factors` for a while.

    Return, for each, how many were open at once when it had settled, and how long a text was waited for at the most.
    """
    loop, turn = asyncio.get_running_loop(), asyncio.Lock()
    began = loop.time()
    capacity = Capacity(factors[0])
    service = Service(ear=Scripted(), sessions=capacity.sessions)

    def admit():
        service.sessions = capacity.sessions

    capacity.changed = admit
    most_open, longest_s = [0] * len(factors), [0.0] * len(factors)

    async def hear(audio_s):
        async with turn:
            took_s = audio_s * factors[int((loop.time() - began) // CHANGE_S)]
            await asyncio.sleep(took_s)
            capacity.heard(audio_s, took_s)

    async def user(phrase_s):
        while True:
            if not service.admit():
                await asyncio.sleep(0.5)
                continue
            service.open_sessions += 1
            await asyncio.sleep(phrase_s)
            asked = loop.time()
            await hear(phrase_s)
            era, age_s = divmod(loop.time() - began, CHANGE_S)
            if age_s > SETTLED_S:
                waited_s = loop.time() - asked
                longest_s[int(era)] = max(longest_s[int(era)], waited_s)
                most_open[int(era)] = max(most_open[int(era)], service.open_sessions)
            service.open_sessions -= 1
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as users:
        tasks = [users.create_task(user(3.0 + number % 5)) for number in range(40)]
        await asyncio.sleep(CHANGE_S * len(factors) - 1)
        for task in tasks:
            task.cancel()
    return most_open, longest_s


@pytest.mark.parametrize(
    "factors",
    [
        (0.17, 0.17),  # as steady as a measured one
        (0.5, 0.095),  # the start was a bad moment
        (0.095, 0.45),  # the start was a good one
        (0.095, 0.9, 0.095),  # the machine was busy in between
    ],
)
def test_a_crowded_door_admits_what_its_ear_keeps_up_with(factors):
    """A minute and a half after an ear's speed has changed as many are open as it hears in real time, and texts come soon."""
    most_open, longest_s = run_virtual(crowded(factors))
    assert [bearable(one) for one in factors] == most_open
    for factor, number, waited_s in zip(factors, most_open, longest_s, strict=True):
        # Nobody waits for more than one phrase of everybody who is open, of up to 7 s.
        assert waited_s <= number * factor * 7.0 + 1e-6


async def serve_once(monkeypatch, told, *arguments):
    """Serve with an ear that is measured to bear two sessions, call `told` with its capacity, and return `GET /`'s state."""
    capacity = Capacity(0.4)
    ready = asyncio.Event()
    lines = []

    async def ear(*_):
        return Scripted(), capacity

    def echo(text, *, err=False):
        lines.append((err, text))
        if not err:
            ready.set()

    monkeypatch.setattr(opened, "opened_ear", ear)
    monkeypatch.setattr(click, "echo", echo)
    options = emulate.command.make_context("emulate", ["--port", "0", *arguments]).params
    for name in ("list_quirks", "list_assumptions", "as_json", "exit_with_stdin"):
        options.pop(name)
    serving = asyncio.ensure_future(emulate._serve(**options))
    await ready.wait()
    told(capacity)
    port = json.loads(lines[0][1])["url"].rpartition(":")[2]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    state = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
    writer.close()
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    return state, lines


@pytest.mark.wall
async def test_the_emulator_follows_its_ear_and_says_so(monkeypatch):
    """When the ear bears another number the emulator admits that many, and says it in one line beside its output."""
    state, lines = await serve_once(monkeypatch, lambda capacity: settle(capacity, 0.1))
    assert 10 == state["capacity"]
    assert 2 == json.loads(lines[0][1])["sessions"]
    said = "sessions at once: 10, until now 2; the ear takes 0.10 s for a second of speech"
    assert [(True, said)] == lines[1:]


@pytest.mark.wall
async def test_a_number_that_was_asked_for_stays(monkeypatch):
    """With --sessions the emulator admits that many, whatever its ear bears."""
    told = lambda capacity: settle(capacity, 5.0)  # noqa: E731 - as short as its use
    state, lines = await serve_once(monkeypatch, told, "--sessions", "7")
    assert 7 == state["capacity"]
    assert 1 == len(lines)
