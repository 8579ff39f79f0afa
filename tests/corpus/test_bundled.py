"""The datasets that come with the harness are whole, small, and say whose they are."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import soundfile
from cogapp import Cog

from harness.corpus.shelf import open_dataset
from harness.text.locales import LOCALES, canonical

FOLDER = Path(__file__).parents[2] / "datasets"
NAMES = ("ask", "sample", "speak", "voices")
READMES = (FOLDER / "README.md", *(FOLDER / name / "README.md" for name in NAMES))
LICENCES = {  # of the sample: licence → the file that says so
    "public domain": "README.md",
    "CC0-1.0": "README.md",
    "CC-BY-4.0": "README.md",
    "CC-BY-3.0": "LICENSES/CC-BY-3.0.txt",
    "MIT": "LICENSES/MIT-auditok.txt",
    "CC-BY-SA-3.0": "by-sa/LICENSE",
}


def rows(name: str) -> list[dict[str, str | float]]:
    """Return the manifest's rows as they are written."""
    manifest = FOLDER / name / "manifest.jsonl"
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]


ROWS = [pytest.param(name, row, id=f"{name}-{row['id']}") for name in NAMES for row in rows(name)]


@pytest.mark.parametrize("name, row", ROWS)
def test_audio_is_what_the_row_says(name, row):
    """Every row's audio decodes to as many seconds as the row says, at 16 kHz, mono, and is not silent."""
    if "audio_filepath" not in row:
        assert "duration" not in row
        return
    samples, rate = soundfile.read(FOLDER / name / row["audio_filepath"], dtype="int16")
    assert (16_000, 1) == (rate, samples.ndim)
    assert row["duration"] == pytest.approx(len(samples) / rate, abs=0.001)
    assert abs(samples).max() > 3_000


@pytest.mark.parametrize("name, row", ROWS)
def test_row_says_what_must_be_known(name, row):
    """Every row has a text in normal form C, a canonical locale, an origin and a licence."""
    assert row["text"] == unicodedata.normalize("NFC", row["text"]).strip() != ""
    assert (row["locale"], None) == ((found := canonical(row["locale"])).code, found.note)
    assert row["origin"].strip()
    assert row["licence"].strip()


@pytest.mark.parametrize("name", NAMES)
def test_rows_and_audio_match(name):
    """Ids are unique, and no audio file lies there without a row."""
    ids = [row["id"] for row in rows(name)]
    assert len(ids) == len(set(ids))
    there = {path for path in (FOLDER / name).rglob("*") if path.suffix in {".flac", ".opus"}}
    named = (row["audio_filepath"] for row in rows(name) if "audio_filepath" in row)
    assert there == {FOLDER / name / file for file in named}


@pytest.mark.parametrize("name", NAMES)
def test_shelf_opens_it_without_fault(name):
    """Each is on the shelf, every row becomes an utterance, and there is no fault."""
    dataset = open_dataset(name)
    assert () == dataset.faults
    assert [row["id"] for row in rows(name)] == [item.id for item in dataset.utterances]
    assert (name in {"ask", "voices"}) == dataset.synthetic
    assert dataset.licence


def test_every_locale_has_a_voice():
    """The voices speak each of the 34 locales once."""
    assert sorted(LOCALES) == sorted(row["locale"] for row in rows("voices"))


def test_borrowed_audio_says_so():
    """Two rows that share a clip say so."""
    first: dict[str, str] = {}
    for row in rows("voices"):
        first.setdefault(row["audio_filepath"], row["id"])
    shared = {row["id"]: row["same_audio_as"] for row in rows("voices") if row.get("same_audio_as")}
    assert {"bn-BD-udhr3": "bn-IN-udhr3"} == shared
    assert len(rows("voices")) - len(shared) == len(first)


def test_share_alike_lies_apart():
    """CC-BY-SA clips, and no others, lie in the folder that has their licence."""
    for row in rows("sample"):
        assert (row["licence"] == "CC-BY-SA-3.0") == row["audio_filepath"].startswith("by-sa/")


@pytest.mark.parametrize("licence", sorted({str(row["licence"]) for row in rows("sample")}))
def test_licence_is_told(licence):
    """Each licence of the sample has its text or its address beside the clips."""
    text = (FOLDER / "sample" / LICENCES[licence]).read_text(encoding="utf-8")
    assert len(text) > 1_000
    assert licence.casefold() in (FOLDER / "sample" / "README.md").read_text("utf-8").casefold()


def test_under_five_megabytes():
    """All of it is smaller than 5 MB."""
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 5_000_000


def test_data_only():
    """No Python lies here, so that nothing can shadow a package named `datasets`."""
    assert [] == list(FOLDER.rglob("*.py"))


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_tables_are_up_to_date(readme, monkeypatch):
    """The README's tables are what cog makes of the manifests today."""
    monkeypatch.chdir(FOLDER.parent)
    assert 0 == Cog().main(["cog", "--check", str(readme)])


def test_every_capability_is_asked_for():
    """Among the questions are written and spoken ones of every kind of expectation, with all that an item may bring."""
    asked = open_dataset("ask").utterances
    kinds = {(item.scenario.expect.kind.split(" + ")[0], item.audio is None) for item in asked}
    assert {"contains", "number", "tool", "silence"} == {kind for kind, _ in kinds}
    for brought in ("tools", "context", "images"):
        those = [item for item in asked if getattr(item.scenario, brought)]
        assert {True, False} == {item.audio is None for item in those}
    assert {"NON_BLOCKING", None} == {
        tool.behavior for item in asked for tool in item.scenario.tools
    }


def test_the_voice_of_the_emulator_is_given_something_to_say():
    """The texts are in the six locales that it speaks, as many in each."""
    counts = Counter(item.locale for item in open_dataset("speak").utterances)
    assert {"de-DE", "en-GB", "en-US", "es-ES", "fr-FR", "it-IT"} == set(counts)
    assert 1 == len(set(counts.values()))
