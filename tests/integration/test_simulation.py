"""The simulated service on the command's own path: frame by frame and session by session say the same."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import simulation
from harness.cli.run import command
from harness.corpus.scenario import Expectation, Scenario
from harness.errors import RefusedError, UsageError
from harness.run.assumptions import Assumptions
from harness.run.rate import RateLimit
from harness.wire.live.catalogue import MODELS
from harness.wire.live.codec import to_json
from harness.wire.live.endpoint import Route
from harness.wire.live.setups import asking_setup, speaking_setup, transcription_setup
from tests.run.runs import MODEL, plan, utterance

DEVELOPER = Route(platform="gemini", version="v1beta")
CHANNEL = {"transcribe": "input", "speak": "output", "ask": "output"}


def made(task="transcribe", *, count=8, **more):
    """Return a plan of `task`: clips of 2 to 6 s, texts of many lengths, every third question written."""
    more = {"turns": "manual", "transcript": CHANNEL[task]} | more
    items = [utterance(n, 2.0 + n % 5 + 0.013 * n) for n in range(count)]
    setup = transcription_setup(MODEL, turns=more["turns"], transcript=more["transcript"])
    if task != "transcribe":
        scenario = Scenario(expect=Expectation(contains="word"))
        items = [
            msgspec.structs.replace(
                one,
                reference="слово " * (2 + n % 7),
                audio=None if task == "speak" or n % 3 == 0 else one.audio,
                scenario=scenario,
            )
            for n, one in enumerate(items)
        ]
    if task == "speak":
        setup = speaking_setup(MODEL)
    if task == "ask":
        setup = asking_setup(MODEL, turns=more["turns"], transcript=more["transcript"])
    return plan(items, task=task, **more | {"setups": {MODEL: to_json(setup)}})


def printed(of, service, capsys, **how):
    """Return what is printed for a plan, as JSON."""
    how = {"route": DEVELOPER, "concurrency": 4, "budget": None, "rate": None} | how
    simulation.print_simulation(of, service, as_json=True, **how)
    return json.loads(capsys.readouterr().out)


def both(of, service, capsys, monkeypatch, **how):
    """Return what is forecast frame by frame and session by session."""
    frames = printed(of, service, capsys, **how)
    with monkeypatch.context() as patched:
        patched.setattr(simulation, "MOST_SESSIONS", 0)
        model = printed(of, service, capsys, **how)
    assert ("frames", "sessions") == (frames["method"], model["method"])
    return frames, model


PLANS = [
    *((task, {"turns": turns}) for task in CHANNEL for turns in ("manual", "auto")),
    ("transcribe", {"quiet_s": 10.0}),
    ("transcribe", {"pace": 0.0}),
    ("transcribe", {"pace": 2.0, "turns": "auto"}),
    ("transcribe", {"chunk_ms": 1000, "turns": "auto"}),
    ("transcribe", {"transcript": "reply"}),
    ("transcribe", {"transcript": "output"}),
    ("ask", {"transcript": "reply", "interrupt_after_s": 1.0}),
]
SERVICES = [
    {"setup_s": 5.0},
    {"quiet_s": 10.0},
    {"opening_s": 3.0, "answer_s": 2.0},
    {"connection_s": 3.0},
    {"silence_s": 2.0},
]
TABLE = [
    *((task, more, {}) for task, more in PLANS),
    *(
        ("transcribe", {"turns": turns}, service)
        for turns in ("manual", "auto")
        for service in SERVICES
    ),
    *((task, {}, {"setup_s": 2.0, "answer_s": 1.0}) for task in ("speak", "ask")),
]


@pytest.mark.parametrize(("task", "more", "service"), TABLE)
def test_frames_and_model_agree(capsys, monkeypatch, task, more, service):
    """Every frame sent to the emulator, or none: time and best differ by less than a hundredth, the rest not at all."""
    frames, model = both(made(task, **more), Assumptions(**service), capsys, monkeypatch)
    for name in ("wall_s", "best_s"):
        assert frames[name] == pytest.approx(model[name], rel=0.01), name
    for name in ("sessions", "attempts", "failed", "sessions_at_once", "audio_s", "tokens"):
        assert frames[name] == model[name], name
    assert frames["cost_usd"] == pytest.approx(model["cost_usd"], abs=1e-5)
    assert 0 == frames["failed"]
    assert frames["tokens"] > 0


@pytest.mark.parametrize("task", ["transcribe", "speak"])
@pytest.mark.parametrize(
    ("service", "how"),
    [({"sessions": 2}, {}), ({}, {"rate": RateLimit(sessions=30)}), ({}, {"budget": 0.01})],
)
def test_they_agree_where_not_all_is_admitted(capsys, monkeypatch, task, service, how):
    """Under a quota, a rate or a budget time and tokens differ by less than 3 %, what was done not at all.

    Of sessions that end in one instant chance decides which of those that wait goes first.
    """
    frames, model = both(made(task, count=24), Assumptions(**service), capsys, monkeypatch, **how)
    for name in ("wall_s", "tokens", "cost_usd"):
        assert frames[name] == pytest.approx(model[name], rel=0.03), name
    for name in ("sessions", "failed", "unattempted", "sessions_at_once"):
        assert frames[name] == model[name], name


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from(list(CHANNEL)),
    st.sampled_from(["manual", "auto"]),
    st.integers(1, 5),
    st.builds(
        Assumptions,
        opening_s=st.floats(0, 5),
        setup_s=st.floats(0, 5),
        answer_s=st.floats(0, 5),
        quiet_s=st.none() | st.floats(0, 8),
        silence_s=st.floats(0.02, 3),
        connection_s=st.floats(1, 540),
        sessions=st.none() | st.integers(1, 4),
    ),
)
def test_nothing_is_faster_than_the_best(task, turns, concurrency, service):
    """Whatever is assumed, frame by frame no plan takes less than the best possible."""
    of = made(task, turns=turns, count=3)
    found = simulation._frame_by_frame(
        of, service, DEVELOPER, concurrency=concurrency, budget_usd=None, rate=None
    )
    assert (3, 0) == (found.sessions, found.failed)
    assert found.wall_s >= found.best_s > 0


def runs(model, task):
    """Return whether `model` does `task`."""
    try:
        if task == "transcribe":
            transcription_setup(model.id, turns="manual", transcript="input")
        elif task == "speak":
            speaking_setup(model.id)
        else:
            transcript = "reply" if "TEXT" in model.modalities else "output"
            asking_setup(model.id, turns="manual", transcript=transcript)
    except UsageError:
        return False
    return True


@pytest.mark.parametrize(
    ("task", "model"),
    [
        *((task, one.id) for task in CHANNEL for one in MODELS if runs(one, task)),
        *((task, None) for task in CHANNEL),
        *((task, "gemini-9-live") for task in CHANNEL),
    ],
)
def test_every_model_does_its_tasks(capsys, tmp_path, task, model):
    """Whatever the catalogue's model, or one that it lacks, a task that it does is simulated, on its own platform."""
    (tmp_path / "clip.wav").write_bytes(b"no audio at all: it is not read")
    item = {"audio": "clip.wav", "duration": 2.5, "text": "Kto tam?", "locale": "pl-PL"}
    item |= {"expect": {"silence": True}} if task == "ask" else {}
    manifest = tmp_path / "items.jsonl"
    manifest.write_text("".join(json.dumps(item | {"id": f"i{n}"}) + "\n" for n in range(3)))
    named = ["--model", model] if model else []
    args = [str(manifest), "--task", task, "--service", "simulated", "--json", *named]
    assert 0 == command.main(args, standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert "sessions" if model == "gemini-9-live" else "frames" == told["method"]
    assert (3, 3, 0) == (told["sessions"], told["attempts"], told["failed"])
    assert (0.0 if task == "speak" else 7.5) == told["audio_s"]
    assert told["tokens"] > 0


def test_a_setup_that_the_emulator_refuses_is_still_simulated(capsys, monkeypatch):
    """Nobody is told that a service refused what was sent to none: the session's model answers instead."""

    async def refuse(*_):
        raise RefusedError("refused")

    monkeypatch.setattr(simulation.Streamer, "attempt", refuse)
    found = printed(made(count=2), Assumptions(), capsys)
    assert ("sessions", 0) == (found["method"], found["failed"])


def test_what_lacks_its_audio_fails_in_both(capsys, monkeypatch):
    """An item that lacks what the task needs is a failed one of the forecast."""
    of = made(count=3)
    lacking = msgspec.structs.replace(of.utterances[0], audio=None)
    of = msgspec.structs.replace(of, utterances=[lacking, *of.utterances[1:]])
    frames, model = both(of, Assumptions(), capsys, monkeypatch)
    assert (1, 1) == (frames["failed"], model["failed"])
    assert frames["audio_s"] == model["audio_s"]


def test_a_simulation_says_that_it_is_one(capsys):
    """The text begins with SIMULATED, says that nothing was sent, and what the quota did."""
    of = plan([utterance(n, 2.0) for n in range(6)])
    how = {"route": DEVELOPER, "concurrency": 4, "budget": None, "rate": None}
    simulation.print_simulation(of, Assumptions(sessions=2), as_json=False, **how)
    out = capsys.readouterr().out
    assert out.startswith("SIMULATED frame by frame")
    assert "Nothing was sent" in out
    assert "quota     2 sessions" in out


def test_breaks_are_said_to_be_simpler_than_real_ones(capsys):
    """Who assumes breaks reads that each is tried again whole, though a real session goes on where it can."""
    of = plan([utterance(0, 2.0)])
    how = {"route": DEVELOPER, "concurrency": 4, "budget": None, "rate": None}
    for faults, said in ((0.0, False), (0.25, True)):
        simulation.print_simulation(of, Assumptions(faults=faults), as_json=False, **how)
        assert said == ("25.00% of sessions, each tried again whole" in capsys.readouterr().out)


def test_the_same_simulation_twice_is_the_same(capsys):
    """Frame by frame, too, a plan has one forecast."""
    of, service = made(chunk_ms=200), Assumptions(sessions=3)
    assert printed(of, service, capsys) == printed(of, service, capsys)


@pytest.mark.wall
def test_the_command_simulates_and_leaves_nothing(harness, tmp_path):
    """`harness run --service simulated` prints a forecast, exits 0, and makes no run folder."""
    ran = harness("run", "sample", "--limit", "1", "--service", "simulated")
    assert 0 == ran.returncode, ran.stderr
    assert ran.stdout.startswith("SIMULATED")
    assert not (tmp_path / "reports").exists()
    assert 2 == harness("run", "sample", "--assume", "sessions=3").returncode
