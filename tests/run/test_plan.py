"""What a plan is, and what its identity covers."""

from __future__ import annotations

import wave
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.corpus.scenario import Expectation, Said, Scenario
from harness.corpus.utterance import Dataset, Utterance
from harness.errors import InputError
from harness.run.assumptions import Assumptions
from harness.run.estimate import estimate, unpriced
from harness.run.folder import read_plan, slots, write_plan
from harness.run.plan import chosen, make_plan, run_id
from harness.run.rate import RateLimit
from harness.run.simulate import forecast


def wav(path: Path, seconds: float = 1.0, value: int = 0) -> Path:
    """Write a WAV of a constant value."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(value.to_bytes(2, "little", signed=True) * round(seconds * 16000))
    return path


def dataset(folder: Path, count: int = 4, locales=("de-DE", "en-US")) -> Dataset:
    """Return a dataset of `count` utterances a locale."""
    items = tuple(
        Utterance(
            id=f"{locale}-{n}",
            dataset="d",
            audio=wav(folder / f"{locale}-{n}.wav", value=n),
            reference="a",
            locale=locale,
            duration_s=1.0,
        )
        for locale in locales
        for n in range(count)
    )
    return Dataset(name="d", title="t", root=folder, utterances=items)


def made(folder: Path, **changes):
    """Return the plan of a small dataset, with changes."""
    data = changes.pop("data", None) or dataset(folder)
    facts = {
        "datasets": [data],
        "utterances": data.utterances,
        "service": "emulator",
        "url": None,
        "models": ["gemini-live-2.5-flash-preview"],
        "setups": {"gemini-live-2.5-flash-preview": {"a": 1}},
        "transcript": "input",
        "pace": 1.0,
        "chunk_ms": 100,
        "turns": "manual",
        "repeats": 1,
        "seed": 0,
        "command": "harness run d",
    }
    return make_plan(**(facts | changes))


@pytest.mark.parametrize(
    "change",
    [
        {"service": "gemini"},
        {"models": ["another"], "setups": {"another": {"a": 1}}},
        {"setups": {"gemini-live-2.5-flash-preview": {"a": 2}}},
        {"transcript": "reply"},
        {"pace": 0.0},
        {"chunk_ms": 40},
        {"turns": "auto"},
        {"repeats": 2},
        {"seed": 1},
        {"url": "wss://proxy.example/"},
        {"quiet_s": 5.0},
    ],
)
def test_what_is_asked_of_the_service_is_the_identity(tmp_path, change):
    """Whatever changes what is asked of the service changes the plan's hash."""
    assert made(tmp_path).hash != made(tmp_path, **change).hash


def test_what_is_not_asked_is_not_the_identity(tmp_path):
    """References, the command and the port of an endpoint leave the hash as it is."""
    data = dataset(tmp_path)
    mended = tuple(msgspec.structs.replace(u, reference="better") for u in data.utterances)
    base = made(tmp_path, data=data)
    assert base.hash == made(tmp_path, data=msgspec.structs.replace(data, utterances=mended)).hash
    assert base.hash == made(tmp_path, command="harness run d --concurrency 3").hash
    assert (
        made(tmp_path, url="ws://127.0.0.1:1000/").hash
        == made(tmp_path, url="ws://127.0.0.1:2000/").hash
    )


def test_other_audio_is_another_plan(tmp_path):
    """The bytes of the audio are part of the identity, its path is not."""
    base = made(tmp_path)
    wav(tmp_path / "de-DE-0.wav", value=77)
    data = dataset(tmp_path)
    wav(tmp_path / "de-DE-0.wav", value=77)
    assert base.hash != made(tmp_path, data=data).hash


def test_a_plan_is_read_back_as_written(tmp_path):
    """plan.json gives the plan back."""
    plan = made(tmp_path)
    write_plan(tmp_path, plan)
    assert plan == read_plan(tmp_path)


def test_the_run_id_is_the_time_and_the_hash(tmp_path):
    """A run is called after when it was planned, in UTC, and the first eight digits of its hash."""
    plan = msgspec.structs.replace(made(tmp_path), created_at="2026-11-21T14:03:12.345Z")
    assert f"20261121-140312-{plan.hash[:8]}" == run_id(plan)


@given(st.integers(1, 5), st.integers(0, 3))
def test_a_limited_choice_is_seeded_and_kept_in_order(tmp_path_factory, limit, seed):
    """At most `limit` a locale are chosen, the same for the same seed, in the dataset's order."""
    data = dataset(tmp_path_factory.mktemp("d"), count=5)
    picked = chosen([data], None, limit, seed)
    assert picked == chosen([data], None, limit, seed)
    order = [u.id for u in data.utterances]
    assert sorted(picked, key=lambda u: order.index(u.id)) == picked
    assert {"de-DE": limit, "en-US": limit} == {
        locale: sum(u.locale == locale for u in picked) for locale in ("de-DE", "en-US")
    }


def test_a_larger_choice_of_other_locales_does_not_change_ours(tmp_path):
    """What is chosen of one locale does not depend on which other locales are there."""
    data = dataset(tmp_path, count=6)
    both = [u for u in chosen([data], None, 2, 7) if u.locale == "de-DE"]
    assert both == chosen([data], ["de-DE"], 2, 7)


def test_an_empty_selection_says_what_there_is(tmp_path):
    """When no utterance is left, the error names the locales that the datasets hold."""
    with pytest.raises(InputError, match="de-DE, en-US"):
        chosen([dataset(tmp_path)], ["pl-PL"], None, 0)


def test_the_estimate_adds_up(tmp_path):
    """Sessions, audio and tokens are those of utterances × models × repeats."""
    told = estimate(made(tmp_path, repeats=3), 4)
    assert (24, 24.0, 0) == (told.sessions, told.audio_s, told.unknown_lengths)
    assert told.wall_s > 24.0 / 4
    assert told.cost_usd > 0


@pytest.mark.parametrize(
    ("rate", "least_s"),
    [
        (RateLimit(sessions=6), 230.0),
        (RateLimit(tokens=36), 23 * 60.0),
        (RateLimit(sessions=6, tokens=36), 23 * 60.0),
        (RateLimit(sessions=6, tokens=36_000), 230.0),
    ],
)
def test_no_run_is_estimated_faster_than_its_rate(tmp_path, rate, least_s):
    """The last of 24 sessions, 36 tokens each, waits for the 23 before it, whatever is open at once; so it is unpaced."""
    told = estimate(made(tmp_path, repeats=3), 100, rate=rate)
    assert pytest.approx(least_s) == told.rate_s
    assert told.wall_s > told.rate_s
    assert told.rate_s == estimate(made(tmp_path, repeats=3, pace=0), 100, rate=rate).rate_s
    simulated = forecast(
        p := made(tmp_path, repeats=3), slots(p), Assumptions(), concurrency=100, rate=rate
    )
    assert told.wall_s == pytest.approx(simulated.wall_s, rel=0.02)


@pytest.mark.parametrize("share", [0.5, 1.01, 7.5, 24.5])
def test_a_budget_is_estimated_to_cover_what_it_covers(tmp_path, share):
    """So many sessions are covered as a run of the same estimates does before its budget stops it."""
    plan = made(tmp_path, repeats=3)
    budget = share * estimate(plan, 1).cost_usd / 24
    told = estimate(plan, 1, budget_usd=budget)
    assert min(24, int(share)) == told.affordable
    simulated = forecast(plan, slots(plan), Assumptions(), concurrency=1, budget_usd=budget)
    assert told.affordable == simulated.sessions - simulated.unattempted


def test_what_an_item_brings_along_counts_where_it_is_sent(tmp_path):
    """A scenario and a text change the plan of the task that sends them, and of no other; an expectation changes none."""

    def hashed(task, **scenario):
        data = dataset(tmp_path, 1, ("en-US",))
        [one] = data.utterances
        text = scenario.pop("reference", "a")
        brought = Scenario(**scenario) if scenario else None
        one = msgspec.structs.replace(one, scenario=brought, reference=text)
        return made(tmp_path, data=msgspec.structs.replace(data, utterances=(one,)), task=task).hash

    context = [Said(role="user", text="Hello.")]
    assert hashed("transcribe") == hashed("transcribe", context=context)
    assert hashed("ask") != hashed("ask", context=context)
    assert hashed("ask", context=context) == hashed(
        "ask", context=context, expect=Expectation(number=1)
    )
    assert hashed("speak") == hashed("speak", context=context)
    assert hashed("speak") != hashed("speak", reference="b")
    assert hashed("transcribe") == hashed("transcribe", reference="b")
    assert 3 == len({hashed(task) for task in ("transcribe", "speak", "ask")})
    assert hashed("ask") != made(tmp_path, task="ask", interrupt_after_s=1.0).hash


@pytest.mark.parametrize("task", ["transcribe", "speak", "ask"])
def test_a_budget_binds_what_has_a_price(tmp_path, task):
    """A model is unpriced where the estimate of a session of its is unknown: without a price, or without one for its answer."""
    models = ["gemini-3.8-live", "gemini-3.5-transcribe-live", "gemini-2.0-flash-exp", "new"]
    plan = msgspec.structs.replace(made(tmp_path), task=task, models=models)
    priced = [msgspec.structs.replace(plan, models=[m]) for m in models]
    assert [
        m for m, one in zip(models, priced, strict=True) if estimate(one, 1).cost_usd is None
    ] == unpriced(plan)
    assert models[2 if task == "transcribe" else 1 :] == unpriced(plan)
