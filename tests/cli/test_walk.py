"""The doctor's walk: who is asked, for how long, and what a line says."""

from __future__ import annotations

import pytest

from harness.cli import walk
from harness.session.probes import probe as probes


def lines(monkeypatch, *walks, **options):
    """Return what the doctor finds with these walks as its probes, named by number."""
    found = [probes.Probe(capability=f"area: {n}", walk=one) for n, one in enumerate(walks)]
    monkeypatch.setattr("harness.session.probes.PROBES", tuple(found))
    return list(
        walk.walk("emulator", "ws://127.0.0.1:9", options.get("model"), own=options.get("own"))
    )


def test_the_first_model_that_has_it_is_asked(monkeypatch):
    """Of several models the first that is offered a capability answers for it, and is named where it is another."""

    async def only_thinkers(place):
        place.require(lambda one: one.thinking, "does not think")
        return "thought"

    async def anybody(place):
        return "said"

    async def nobody(place):
        raise probes.NotOfferedError(f"{place.model} has it not")

    thinker, said, none = lines(monkeypatch, only_thinkers, anybody, nobody)
    assert "gemini-2.5-flash-native-audio-preview-09-2025: thought" == thinker.found
    assert "said" == said.found
    assert ("not offered", f"{walk.EMULATED[0]} has it not") == (none.verdict, none.found)
    (alone,) = lines(monkeypatch, only_thinkers, model=walk.EMULATED[0])
    assert ("not offered", 0) == (alone.verdict, alone.exit_code)


@pytest.mark.parametrize(
    "ear, verdict, hint", [("pocketsphinx en-us", "not shown", True), ("whisper", "failed", False)]
)
def test_what_a_poor_ear_of_ours_misheard_says_what_helps(monkeypatch, ear, verdict, hint):
    """On a machine with pocketsphinx alone what is heard otherwise costs no exit code, and its line says what to install."""

    async def misheard(place):
        raise probes.MisheardError("at 8 kHz it heard nothing of it")

    own = walk.Emulators(url="ws://127.0.0.1:9", hurried="ws://127.0.0.1:9", tls=None, ear=ear)
    (found,) = lines(monkeypatch, misheard, own=own)
    assert (verdict, hint) == (found.verdict, found.hint == walk.BETTER_EAR)
    assert hint == (found.exit_code == 0)


def test_who_is_silent_twice_is_waited_for_no_longer(monkeypatch):
    """Two long waits in vain are enough: all others are brief, so that a mute service cannot hold the doctor for long."""
    waits = []

    async def silent(place):
        waits.append(place.wait_s)
        raise probes.SilenceError("nothing came")

    found = lines(monkeypatch, *[silent] * 4)
    assert [30.0, 30.0, walk.BRIEF_WAIT_S, walk.BRIEF_WAIT_S] == waits
    assert {("failed", walk.FAILED)} == {(one.verdict, one.exit_code) for one in found}


@pytest.mark.parametrize(
    "error, verdict, code",
    [
        (probes.NotShownError("it did otherwise"), "not shown", 0),
        (probes.NotWalkedError("it takes ten minutes"), "not walked", 0),
        (probes.SilenceError("it did not come"), "failed", walk.FAILED),
    ],
)
def test_a_line_says_what_came_and_how_long_it_took(monkeypatch, error, verdict, code):
    """What is no success says why; only what does not work costs the exit code."""

    async def broken(place):
        raise error

    (found,) = lines(monkeypatch, broken)
    assert (verdict, str(error), code) == (found.verdict, found.found, found.exit_code)
    assert found.took_s > 0
