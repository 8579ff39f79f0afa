"""`harness datasets`: what is printed where, and how it ends."""

import json
import os
import subprocess
import sys
import wave

import pytest
from click.testing import CliRunner

from harness.cli.datasets import command
from harness.errors import InputError, UsageError

HEAVY = [
    "numpy",
    "pandas",
    "librosa",
    "jiwer",
    "websockets",
    "soundfile",
    "msgspec",
    "scipy",
    "jinja2",
    "rich",
    "rapidfuzz",
    "soxr",
]


def run(*args, code=0):
    """Return the result of the command, which ends with `code`."""
    result = CliRunner().invoke(command, [str(arg) for arg in args])
    assert code == result.exit_code, (result.output, result.exception)
    return result


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Give a dataset of two utterances, in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    folder.mkdir()
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(range(256)) * 100)
    rows = [
        {
            "id": name,
            "audio_filepath": "a.wav",
            "text": text,
            "locale": "de-DE",
            "duration": 0.8,
            "speaker": "s",
        }
        for name, text in (("one", "eins"), ("two", "zwei"))
    ]
    (folder / "manifest.jsonl").write_text(
        "\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8"
    )
    return folder


def add(folder, **row):
    """Add a row to the manifest."""
    with (folder / "manifest.jsonl").open("a", encoding="utf-8") as file:
        file.write(
            json.dumps({"audio_filepath": "a.wav", "text": "x", "locale": "de-DE", **row}) + "\n"
        )


def test_list_names_the_bundled_datasets(data):
    """Four are bundled, and the synthetic ones are called so."""
    lines = run("list").stdout.splitlines()
    assert {"ask": "yes", "sample": "no", "speak": "no", "voices": "yes"} == {
        name: synthetic for name, synthetic, *_ in (line.split() for line in lines[1:])
    }
    names = [row["name"] for row in json.loads(run("list", "--json").stdout)]
    assert ["ask", "sample", "speak", "voices"] == names


def test_list_tells_a_broken_recipe_on_stderr(data):
    """The others are listed all the same."""
    broken = data.parent / "datasets" / "x"
    broken.mkdir(parents=True)
    (broken / "recipe.toml").write_text("x", encoding="utf-8")
    result = run("list")
    assert "sample" in result.stdout
    assert "left out" in result.stderr
    assert "recipe.toml" in result.stderr


def test_show_counts_by_locale(data):
    """Utterances, speakers and seconds of each locale, and of all."""
    shown = json.loads(run("show", "data", "--json").stdout)
    assert [{"locale": "de-DE", "utterances": 2, "speakers": 1, "duration_s": 1.6}] == shown[
        "locales"
    ]
    assert ("data", "jsonl", 2, 1.6, 0) == tuple(
        shown[key] for key in ("name", "layout", "utterances", "duration_s", "faults")
    )
    lines = [line.split() for line in run("show", "data").stdout.splitlines()]
    assert ["de-DE", "2", "1", "1.6", "s"] in lines
    assert ["all", "2", "-", "1.6", "s"] in lines
    assert "synthetic no" in run("show", "data").stdout
    assert "synthetic yes" in run("show", "voices").stdout


def test_show_says_where_to_look_for_faults(data):
    """A duration that is not known is not summed, and faults are counted on stderr."""
    add(data, locale="xx")
    add(data)
    result = run("show", "data")
    assert "1 fault: harness datasets check data" in result.stderr
    assert ["all", "3", "-", "-"] in [line.split() for line in result.stdout.splitlines()]


def test_check_is_silent_on_stdout_and_ends_with_0_when_all_is_well(data):
    """What is told goes to stderr."""
    result = run("check", "data")
    assert "" == result.stdout
    assert "data: no faults\n" == result.stderr


def test_check_prints_file_line_and_what_and_ends_with_3(data):
    """Each fault is a line that editors understand; the summary is on stderr."""
    add(data, audio_filepath="gone.wav")
    add(data, locale="de")
    add(data, locale="xx")
    result = run("check", "data", code=3)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("manifest.jsonl:3: ")
    assert "gone.wav: there is no such file" in lines[0]
    assert lines[1].startswith("manifest.jsonl:4: warning: locale “de” is taken as de-DE")
    assert lines[2].startswith("manifest.jsonl:5: unknown locale “xx”")
    assert "data: 2 faults, 1 warning\n" == result.stderr


def test_warnings_alone_end_with_0(data):
    """They are printed, and are no reason to stop a script."""
    add(data, locale="de", text=None)
    assert 2 == len(run("check", "data").stdout.splitlines())


def test_check_as_json_is_one_document(data):
    """The same faults, and the same exit code."""
    add(data, id="one")
    document = json.loads(run("check", "data", "--json", code=3).stdout)
    assert {
        "dataset": "data",
        "faults": [
            {
                "where": "manifest.jsonl",
                "line": 3,
                "what": "id “one” is taken by manifest.jsonl:1",
                "warning": False,
            }
        ],
    } == document


def test_what_is_hostile_is_made_visible(data):
    """No escape sequence and no bidirectional control of a manifest reaches the terminal."""
    add(data, audio_filepath="\u202eevil\x1b[2J.wav")
    add(data, id="a\u202eb")
    add(data, id="a\u202eb")
    output = run("check", "data", code=3).output
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert "\\u202e" in output


@pytest.mark.parametrize("sub", ["show", "check"])
def test_a_name_of_nothing_is_a_usage_error(data, sub):
    """The group above turns it into exit 2; a path without content into 3."""
    assert isinstance(run(sub, "sampel", code=1).exception, UsageError)
    (data.parent / "empty").mkdir()
    assert isinstance(run(sub, "empty", code=1).exception, InputError)


def test_import_makes_a_dataset_that_can_be_called_by_name(data):
    """Laid into ./datasets it is on the shelf, and passes its check."""
    result = run("import", "jsonl", "data", "datasets/mine", "--copy")
    assert "datasets/mine: 2 utterances; no faults\n" == result.stdout
    assert 5 == len(run("list", "--json").stdout.split('"name"')) - 1
    run("check", "mine")
    document = json.loads(run("show", "mine", "--json").stdout)
    assert ("mine", 2, None) == (document["name"], document["utterances"], document["audio_root"])


def test_import_tells_what_it_left_out_and_ends_with_5(data):
    """The rest is there."""
    add(data, locale="xx")
    result = run("import", "jsonl", "data", "new", "--json", code=5)
    document = json.loads(result.stdout)
    assert (2, "../data") == (document["utterances"], document["audio_root"])
    assert [3] == [fault["line"] for fault in document["faults"]]
    assert "manifest.jsonl:3: unknown locale" in result.stderr
    assert isinstance(run("import", "jsonl", "data", "new", code=1).exception, InputError)


def test_import_takes_a_locale_for_what_names_none(data):
    """A folder of audio says nothing of its language."""
    (data / "manifest.jsonl").unlink()
    (data / "a.txt").write_text("Hallo", encoding="utf-8")
    run("import", "folder", "data", "new", "--locale", "de")
    [row] = (data.parent / "new" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    assert "de-DE" == json.loads(row)["locale"]


@pytest.mark.wall
@pytest.mark.parametrize("module", ["datasets", "languages"])
def test_help_imports_nothing_heavy(module):
    """Importing the command loads click and the standard library, and nothing else of others."""
    code = f"import sys, harness.cli.{module}; print(*sorted(sys.modules))"
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not set(HEAVY) & set(done.stdout.split())
