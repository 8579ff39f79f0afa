"""What items bring along for a task: read from any manifest, written back, and told when it is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.corpus.manifest import write_manifest
from harness.corpus.scenario import Expectation, ExpectedCall, OfferedFunction, Said, Scenario
from harness.corpus.shelf import open_dataset

WEATHER = {
    "name": "get_temp",
    "description": "Temperature of a city.",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
    "response": {"output": {"celsius": 11}},
    "behavior": "NON_BLOCKING",
    "after_s": 0.5,
}
COLUMNS = {
    "expect": {"tool": {"name": "get_temp", "args": {"city": "Gdynia"}}, "contains": ["11"]},
    "tools": [WEATHER],
    "context": [{"role": "user", "text": "Hello."}, {"role": "model", "text": "Hello!"}],
    "images": ["red.png"],
}


def manifest(folder, *rows):
    """Write rows and return the path."""
    (folder / "red.png").write_bytes(b"\x89PNG")
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def item(**more):
    """Return a written question."""
    return {"id": "q", "text": "How warm is it in Gdynia?", "locale": "en-US"} | more


def test_a_written_item_with_all_it_brings_along(tmp_path):
    """The four columns become one typed value, and leave no tags behind; nothing needs to be spoken."""
    dataset = open_dataset(str(manifest(tmp_path, item(**COLUMNS, mood="calm"))))
    [utterance] = dataset.utterances
    assert (None, {"mood": "calm"}) == (utterance.audio, utterance.tags)
    assert (
        Scenario(
            expect=Expectation(
                tool=ExpectedCall(name="get_temp", args={"city": "Gdynia"}), contains=["11"]
            ),
            tools=[OfferedFunction(**WEATHER)],
            context=[Said(role="user", text="Hello."), Said(role="model", text="Hello!")],
            images=[str(tmp_path / "red.png")],
        )
        == utterance.scenario
    )
    assert "tool + contains" == utterance.scenario.expect.kind


@pytest.mark.parametrize("nothing", [{}, {"text": ""}, {"text": None}])
def test_a_row_of_nothing_takes_no_written_item_along(tmp_path, nothing):
    """A row with neither audio nor text is a fault of its own: those after it may still be texts alone."""
    empty = {"id": "empty", "locale": "en-US"} | nothing
    dataset = open_dataset(str(manifest(tmp_path, item(), empty, item(id="after"))))
    assert ["q", "after"] == [utterance.id for utterance in dataset.utterances]
    [fault] = dataset.faults
    assert (2, False) == (fault.line, fault.warning)
    assert fault.what.startswith("neither audio nor text")


@pytest.mark.parametrize("lost", [{"audio": None}, {"audio": ""}, {"sound": "a.wav"}])
def test_a_row_that_lost_its_audio_makes_no_written_items(tmp_path, lost):
    """Where a row names audio in any way, those after it that name none lack theirs."""
    dataset = open_dataset(
        str(manifest(tmp_path, item(), item(id="lost") | lost, item(id="after")))
    )
    assert ["q"] == [utterance.id for utterance in dataset.utterances]
    assert [2, 3] == [fault.line for fault in dataset.faults]


def test_what_is_written_reads_back(tmp_path):
    """A manifest of ours holds what it was given, scenarios and written items included."""
    dataset = open_dataset(str(manifest(tmp_path, item(**COLUMNS), item(id="plain"))))
    write_manifest(tmp_path / "again.jsonl", dataset.utterances)
    again = open_dataset(str(tmp_path / "again.jsonl")).utterances
    assert [u.scenario for u in dataset.utterances] == [u.scenario for u in again]
    assert [(u.id, u.audio, u.reference) for u in dataset.utterances] == [
        (u.id, u.audio, u.reference) for u in again
    ]


def test_a_table_says_it_in_json(tmp_path):
    """In a CSV the cells hold JSON, and an empty audio cell means a written item."""
    path = tmp_path / "manifest.csv"
    path.write_text('id,audio_filepath,text,locale,expect\nq,,How much?,en-US,"{""number"": 4}"\n')
    [utterance] = open_dataset(str(path)).utterances
    assert (None, 4.0) == (utterance.audio, utterance.scenario.expect.number)


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ({"expect": "a word"}, "`expect` is not what a task can use"),
        ({"expect": {}}, "`expect` expects nothing"),
        ({"expect": {"contain": "x"}}, "unknown field `contain`"),
        ({"expect": {"contains": ["a", ""]}}, "contains an empty text"),
        ({"expect": {"silence": True, "number": 1}}, "silence and an answer"),
        ({"expect": {"tool": {"name": "f"}}}, "a call of “f”, which `tools` lacks"),
        ({"tools": {"name": "f"}}, "`tools` is not what a task can use"),
        ({"tools": [{"name": "f", "behavior": "LATER"}]}, "Invalid enum value 'LATER'"),
        ({"tools": [{"name": "f", "after_s": -5}]}, "after_s = -5: it should be 0 to 600 seconds"),
        ({"tools": [{"name": "f", "after_s": 1e9}]}, "after_s = 1e+09: it should be 0 to 600"),
        ({"tools": [{"name": "f"}, {"name": "f"}]}, "more than one function “f”"),
        ({"context": "a phone call"}, "`context` is not what a task can use"),
        ({"context": [{"role": "system", "text": "x"}]}, "Invalid enum value 'system'"),
        ({"images": ["../red.png"]}, "leaves the dataset's folder"),
        ({"images": ["red.webp"]}, "neither a JPEG nor a PNG"),
        ({"images": [".."]}, "leaves the dataset's folder"),
        ({"images": ["none"]}, "“none” is an empty folder"),
    ],
)
def test_columns_of_another_meaning_stay_tags(tmp_path, columns, what):
    """What a task cannot use is told with its reason, kept as a tag, and does not lose the item."""
    (tmp_path / "none").mkdir()
    dataset = open_dataset(str(manifest(tmp_path, item(**columns))))
    [utterance] = dataset.utterances
    assert what in utterance.scenario.flaw
    assert columns == utterance.tags
    assert any(what in fault.what and fault.warning for fault in dataset.faults)


def test_a_folder_of_images_stands_for_its_files(tmp_path):
    """They come in the order of their names, hidden ones left out, beside single files and videos."""
    folder = tmp_path / "steps"
    folder.mkdir()
    for name in ("2.png", "10.jpg", "1.MP4", ".hidden"):
        (folder / name).write_bytes(b"")
    dataset = open_dataset(str(manifest(tmp_path, item(images=["red.png", "steps", "steps/"]))))
    [utterance] = dataset.utterances
    names = [Path(image).name for image in utterance.scenario.images]
    assert ["red.png", *["1.MP4", "10.jpg", "2.png"] * 2] == names
