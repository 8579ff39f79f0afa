"""The tasks in which the model answers, over a real socket, against the emulator's voice and answers."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from harness import read_run
from harness.emulator.voice import voice
from tests.integration.conftest import emulating

pytestmark = [
    pytest.mark.wall,
    pytest.mark.skipif(not voice.installed(), reason="needs py-nanotts"),
]

ASK = Path(__file__).parents[2] / "datasets" / "ask"


@pytest.fixture(scope="module")
def answering():
    """Give the URL of an emulator that answers as the bundled questions want it."""
    with emulating("--answers", str(ASK / "answers.jsonl")) as url:
        yield url


def written(folder: Path) -> Path:
    """Return a manifest of the bundled questions that are written: they need no recogniser."""
    rows = [json.loads(line) for line in (ASK / "manifest.jsonl").read_text("utf-8").splitlines()]
    kept = [row for row in rows if "audio_filepath" not in row]
    for row in kept:
        for name in row.get("images", ()):
            picture = folder / name
            picture.parent.mkdir(exist_ok=True)
            picture.write_bytes((ASK / name).read_bytes())
    path = folder / "written.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    return path


def test_texts_are_spoken_in_six_locales(harness, answering, tmp_path):
    """Each text comes back as audio in its folder, and as what was said, word for word."""
    done = harness(
        "run", "--task", "speak", "speak", "--limit", 1, "--url", answering, "--out", "r"
    )
    assert 0 == done.returncode, done.stderr
    table = read_run(tmp_path / "r")
    assert [6, 0.0] == [len(table), table["rate"].max()]
    sounds = sorted((tmp_path / "r" / "audio").glob("*.wav"))
    lengths = []
    for sound in sounds:
        with wave.open(str(sound)) as file:
            lengths.append(file.getnframes() / file.getframerate())
    assert sorted(lengths) == pytest.approx(sorted(table["speech_s"]), abs=1e-6)
    assert min(lengths) > 1
    assert "EMULATED" in done.stdout


def test_speech_is_heard_by_an_ear_of_ours(harness, answering, tmp_path):
    """`--heard-by` hears what was kept after the streaming; a finished run is heard later on, and nothing twice."""
    script = tmp_path / "ear.json"
    script.write_text(json.dumps({"*": " The train to Hamburg"}))
    ear = ("--heard-by", f"scripted:{script}")
    run = ("run", "--task", "speak", "speak", "--language", "en-US", "--url", answering)
    done = harness(*run, "--out", "r", env={"HARNESS_RUN_HEARD_BY": ear[1]})
    assert 0 == done.returncode, done.stderr
    assert "by ear" in done.stdout
    table = read_run(tmp_path / "r")
    assert {"scripted"} == set(table["ear"])
    assert 0 < table["ear_rate"].min() <= 1
    assert 0 == table["rate"].max()
    kept = (tmp_path / "r" / "heard.jsonl").read_bytes()
    assert len(table) == kept.count(b"\n")
    (tmp_path / "r" / "heard.jsonl").write_bytes(kept[:-5])
    again = harness("report", "r", *ear)
    assert 0 == again.returncode, again.stderr
    assert kept == (tmp_path / "r" / "heard.jsonl").read_bytes()
    next((tmp_path / "r" / "audio").iterdir()).write_bytes(b"no speech")
    broken = harness("report", "r", *ear)
    assert 5 == broken.returncode
    assert "was not heard" in broken.stderr
    asks = harness("run", "--task", "ask", "ask", "--url", answering, *ear)
    assert 2 == asks.returncode
    assert "--task speak" in asks.stderr


def test_written_questions_are_answered(harness, answering, tmp_path):
    """Words, a number, a call, history and a picture: every answer is what its item expects."""
    manifest = written(tmp_path)
    done = harness("run", "--task", "ask", manifest, "--url", answering, "--out", "r")
    assert 0 == done.returncode, done.stderr
    table = read_run(tmp_path / "r").set_index("utterance_id")
    assert table["passed"].all(), table["reason"].to_dict()
    assert table.loc["number-written"]["thoughts_tokens"] > 0
    assert table.loc["tool-written"]["tool_call_s"] < table.loc["tool-written"]["first_reply_s"]
    assert f"{len(table)} of {len(table)} passed" in done.stdout


def test_an_answer_is_interrupted_over_a_socket(harness, answering, tmp_path):
    """A long answer is spoken over: it is cut, and the row says how soon."""
    words = " ".join(["and then the little dog went on through the town"] * 8)
    item = {"id": "long", "text": words, "locale": "en-US", "expect": {"contains": "dog"}}
    manifest = tmp_path / "long.jsonl"
    manifest.write_text(json.dumps(item) + "\n")
    given = ["--task", "ask", manifest, "--url", answering, "--out", "r", "--interrupt-after", 1]
    done = harness("run", *given)
    assert 0 == done.returncode, done.stderr
    [row] = read_run(tmp_path / "r").to_dict("records")
    assert 0 <= row["interrupted_s"]
    assert 0 <= row["fell_silent_s"]
    assert len(row["hypothesis"]) < len(words)


@pytest.mark.parametrize(
    "mark, name, task", [(",", "items.csv", "speak"), ("\t", "items.tsv", "ask")]
)
def test_tables_of_texts_are_spoken_and_asked(harness, answering, tmp_path, *, mark, name, task):
    """A table without audio does for both what JSON lines do; to be transcribed it has nothing."""
    rows = [["text", "locale", "expect"], ["Say four.", "en-US", '{"contains": "four"}']]
    (tmp_path / name).write_text(
        "".join(
            mark.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) + "\n"
            for row in rows
        )
    )
    done = harness("run", "--task", task, name, "--url", answering, "--out", "r")
    assert 0 == done.returncode, done.stderr
    [row] = read_run(tmp_path / "r").to_dict("records")
    assert "Say four." == row["reference"]
    silent = harness("run", name, "--url", answering)
    assert (3, True) == (silent.returncode, "no audio to transcribe" in silent.stderr)


def test_what_a_task_cannot_use_is_told(harness, answering, tmp_path):
    """A typed contradiction ends at once with 2, a selection without audio with 3, a lame item with 5 and its name."""
    manifest = tmp_path / "lame.jsonl"
    manifest.write_text(json.dumps({"id": "lame", "text": "Hello?", "locale": "en-US"}) + "\n")
    assert 2 == harness("run", manifest, "--interrupt-after", 1).returncode
    assert 2 == harness("run", "--task", "ask", manifest, "--transcript", "input").returncode
    silent = harness("run", manifest, "--url", answering)
    assert (3, True) == (silent.returncode, "no audio to transcribe" in silent.stderr)
    lame = harness("run", "--task", "ask", manifest, "--url", answering, "--out", "r")
    assert 5 == lame.returncode
    [row] = read_run(tmp_path / "r").to_dict("records")
    assert "lame: it does not say what answer is expected" in row["reason"]
