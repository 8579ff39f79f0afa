"""The catalogue: published facts, kept in order."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date

import pytest
from click.testing import CliRunner

from harness.cli.models import command
from harness.wire.live.catalogue import MODELS, cost_usd, find, nearest
from harness.wire.live.voices import DEFAULT_VOICE, voices


def test_ids_are_unique_and_found():
    """Every model is found by its id and by its resource name on either platform."""
    assert len(MODELS) == len({model.id for model in MODELS})
    for model in MODELS:
        assert model is find(model.id)
        assert model is find(f"models/{model.id}")
        assert model is find(f"projects/p/locations/l/publishers/google/models/{model.id}")
    assert find("gemini-9") is None


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
def test_every_row_is_sound(model):
    """Facts that hang together hang together: kind and modalities, dates that are dates, a source for each."""
    assert model.platforms
    assert set(model.platforms) <= {"gemini", "vertex"}
    assert ("TEXT" in model.modalities) is (model.kind in ("half-cascade", "transcribe"))
    assert ("AUDIO" in model.modalities) is (model.kind != "transcribe")
    assert model.kind == "native-audio" or not (model.affective or model.proactive)
    assert model.source
    assert model.status
    if model.retired:
        assert date.fromisoformat(model.retired)
    assert model.price is not None or "shut down" in model.status
    if model.price:
        assert model.price.source
        assert (model.price.audio_out is not None) is ("AUDIO" in model.modalities)


GUIDES = {
    ("gemini-live-2.5-flash-preview", "gemini", "half-cascade", 0.50, 3.00, 2.00, 12.00),
    ("gemini-2.0-flash-live-001", "gemini", "half-cascade", 0.35, 2.10, 1.50, 8.50),
    (
        "gemini-2.5-flash-native-audio-preview-09-2025",
        "gemini",
        "native-audio",
        0.50,
        3.00,
        2.00,
        12.00,
    ),
    ("gemini-live-2.5-flash", "vertex", "half-cascade", 0.50, 3.00, 2.00, 12.00),
    (
        "gemini-live-2.5-flash-preview-native-audio-09-2025",
        "vertex",
        "native-audio",
        0.50,
        3.00,
        2.00,
        12.00,
    ),
    (
        "gemini-live-2.5-flash-preview-native-audio",
        "vertex",
        "native-audio",
        0.50,
        3.00,
        2.00,
        12.00,
    ),
    ("gemini-2.0-flash-live-preview-04-09", "vertex", "half-cascade", 0.50, 3.00, 2.00, 12.00),
}


def test_the_guides_models_are_the_guide_era():
    """The models of the guides, with platform, kind and prices, are exactly those of the guide era that have prices."""
    assert GUIDES == {
        (
            m.id,
            *m.platforms,
            m.kind,
            m.price.text_in,
            m.price.audio_in,
            m.price.text_out,
            m.price.audio_out,
        )
        for m in MODELS
        if m.era == "guide" and m.price
    }


def test_nearest_names_what_was_meant():
    """A slip of the finger finds the model, nonsense finds nothing."""
    assert "gemini-3.5-transcribe-live" == nearest("gemini-3.5-transcribe-liv")[0]
    assert "gemini-live-2.5-flash-preview" in nearest("models/Gemini-Live-2.5-Flash-Previw")
    assert [] == nearest("zzzz")


@pytest.mark.parametrize(
    "model, prompt, response, usd",
    [
        # One minute of audio at 32 tokens a second, answered by one word.
        ("gemini-live-2.5-flash-preview", {"AUDIO": 1920, "TEXT": 12}, {"TEXT": 1}, 0.005768),
        # A forum's example (thread 81303): 410 text and 131 audio in, 156 text out.
        ("gemini-2.0-flash-live-001", {"TEXT": 410, "AUDIO": 131}, {"TEXT": 156}, 0.0006526),
        ("gemini-3.8-live", {"VIDEO": 1_000_000}, {"AUDIO": 1_000_000}, 13.0),
        ("gemini-live-2.5-flash-preview", {}, {}, 0.0),
        ("gemini-9", {"TEXT": 1}, {}, None),
        ("gemini-2.0-flash-exp", {"TEXT": 1}, {}, None),
        ("gemini-3.5-transcribe-live", {"IMAGE": 1}, {}, None),
        ("gemini-3.5-transcribe-live", {"IMAGE": 0}, {"AUDIO": 0}, 0.0),
        ("gemini-live-2.5-flash-preview", {"SMELL": 1}, {}, None),
    ],
)
def test_cost_is_tokens_times_price(model, prompt, response, usd):
    """Cost is the sum over modalities; unknown models and modalities without a price have none, which is not 0."""
    expected = usd if usd is None else pytest.approx(usd)
    assert expected == cost_usd(model, prompt, response)


def test_voices():
    """Half-cascade has 8 voices, native audio those and 22 more."""
    assert 8 == len(voices("half-cascade"))
    assert 30 == len(set(voices("native-audio")))
    assert set(voices("half-cascade")) < set(voices("native-audio"))
    assert DEFAULT_VOICE in voices("half-cascade")


def test_models_are_listed_within_80_columns():
    """`harness models` shows every model of the platform asked for, and fits a narrow terminal."""
    result = CliRunner().invoke(command, ["--platform", "vertex"])
    assert 0 == result.exit_code
    assert max(map(len, result.output.splitlines())) <= 80
    for model in MODELS:
        assert (model.id in result.output.split()) is ("vertex" in model.platforms)


def test_models_are_one_json_document():
    """`harness models --json` is one document with every price's date and source."""
    document = json.loads(CliRunner().invoke(command, ["--json"]).output)
    there, gone = ([model.id for model in MODELS if model.gone is it] for it in (False, True))
    assert there + gone == [one["id"] for one in document["models"]]
    assert gone == [one["id"] for one in document["models"] if one["gone"]]
    prices = [one["price"] for one in document["models"] if one["price"]]
    assert all(price["as_of"] and price["source"] for price in prices)
    assert 15 * 60 == document["limits"]["session_audio_s"]


@pytest.mark.wall
def test_the_catalogue_needs_the_standard_library_only():
    """Whoever prints help may import the catalogue: it loads nothing from elsewhere but click."""
    program = (
        "import sys, harness.cli.models;"
        "print(*{m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert {"harness", "click"} >= {
        name
        for name in result.stdout.split()
        if not name.startswith("_") and name not in ("site", "sitecustomize", "usercustomize")
    }
