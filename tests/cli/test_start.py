"""The command's door: it opens fast, and says what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

import harness
from harness.cli import COMMANDS, root
from tests.cli.typed import ended

HEAVY = ("numpy", "pandas", "librosa", "jiwer", "websockets", "soundfile")

HELP = """
import sys
sys.argv = ["harness", *{arguments!r}]
from harness.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
third = {{name.partition(".")[0] for name in sys.modules}} - sys.stdlib_module_names
print(sorted(third), file=sys.stderr)
"""


def python(code: str) -> subprocess.CompletedProcess:
    """Run `code` in a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@cache
def baseline() -> set:
    """Return what a bare interpreter of this environment has loaded already."""
    code = "import sys; print(sorted({m.partition('.')[0] for m in sys.modules} - sys.stdlib_module_names))"
    return set(eval(python(code).stdout))  # noqa: S307 - our own list


@pytest.mark.wall
@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)]
)
def test_help_imports_nothing_but_click(arguments):
    """No help page imports a third-party module but click."""
    ran = python(HELP.format(arguments=arguments))
    assert 0 == ran.returncode, ran.stderr
    loaded = set(eval(ran.stderr.strip().splitlines()[-1])) - baseline()  # noqa: S307 - our own list
    assert loaded <= {"click", "harness", "__main__"}, loaded
    assert not loaded & set(HEAVY)


@pytest.mark.wall
def test_the_version_told_is_the_packages():
    """`--version` reads no metadata, since that takes as long as all else of it: what it tells is what is packaged."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == harness.__version__


def test_a_run_streams_with_little_loaded(tmp_path, monkeypatch):
    """The process that converts and streams loads no tables, plots, scorers or other clients: a child of it reports."""
    rate = 44_100
    soundfile.write(tmp_path / "clip.flac", np.zeros(rate // 2), rate)
    clip = {"id": "a", "audio": "clip.flac", "text": "hello", "locale": "en-US"}
    spoken = {"speech_start": 0.0, "speech_end": 0.5}  # or the report looks for it, with librosa
    (tmp_path / "few.jsonl").write_text(json.dumps(clip | spoken))
    monkeypatch.setenv("HARNESS_EMULATE_EAR", "scripted")
    out = str(tmp_path / "run")
    code = HELP.format(arguments=["run", str(tmp_path / "few.jsonl"), "--pace", "0", "--out", out])
    ran = python(code)
    loaded = set(eval(ran.stderr.strip().splitlines()[-1]))  # noqa: S307 - our own list
    assert {"soundfile", "soxr", "websockets"} <= loaded
    assert not loaded & {"pandas", "librosa", "scipy", "matplotlib", "google", "jiwer", "rapidfuzz"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_listed_help_is_the_commands_own(name):
    """The one line that `harness --help` prints of a command is the command's own."""
    command = root.get_command(None, name)
    assert command is not None
    assert COMMANDS[name].rstrip(".") == command.get_short_help_str(limit=200).rstrip(".")


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        (["rum"], 2, ["'rum'", "run"]),
        (["run", "--langage", "de"], 2, ["--langage", "--language"]),
        (["run", "--language", "xx-YY"], 2, ["xx-YY"]),
        (["run", "--language", "de-DE,fr-FR"], 2, ["--language de-DE --language fr-FR"]),
        (["run", "--config", "harness.toml"], 2, ["--config FILE COMMAND"]),
        (["score", "t.csv", "--locale", "en-US"], 2, ["harness score takes --language"]),
        (["datasets", "check", "sample", "--language", "en-US"], 2, ["check takes --locale"]),
        (["run", "--language", "de-ED"], 2, ["de-ED", "de-DE"]),
        (["run", "no-such-dataset"], 2, ["no-such-dataset"]),
        (["run", "sampel"], 2, ["sampel", "sample"]),
        (["run", "--service", "gemni"], 2, ["gemni", "gemini"]),
        (["run", "--set", "generationConfig.temprature=1"], 2, ["temprature", "temperature"]),
        (["run", "--set", "nonsense"], 2, ["nonsense", "PATH=VALUE"]),
        (["run", "--pace", "-1"], 2, ["-1"]),
        (["run", "--url", "ws://127.0.0.1:1/?key=abc"], 2, ["query", "GEMINI_API_KEY"]),
        (["run", "--service", "gemini"], 4, ["GEMINI_API_KEY", "emulator"]),
        (["run", "--service", "vertex"], 4, ["GOOGLE_CLOUD_PROJECT"]),
        (["run", "--language", "kn-IN", "sample"], 3, ["no utterance"]),
    ],
)
def test_what_is_typed_wrong_is_named(tmp_path, monkeypatch, capfd, *, arguments, code, words):
    """A wrong word on the command line is named, with the nearest right ones, in one message and the right exit code."""
    monkeypatch.chdir(tmp_path)
    assert code == ended(*arguments)
    said = capfd.readouterr()
    assert "Traceback" not in said.err
    assert all(word in said.err for word in words), said.err
    assert "abc" not in said.err
    assert "" == said.out
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "toml, words",
    [
        ("[run]\nconcurency = 3\n", ["concurency", "concurrency"]),
        ("[rum]\nseed = 3\n", ["rum", "run"]),
        ("[run\n", ["TOML"]),
        ("[run]\npace = 'fast'\n", ["fast", "key pace of [run]"]),
    ],
)
def test_a_wrong_configuration_is_named(toml, words, tmp_path, monkeypatch, capfd):
    """An unknown key or value in a configuration file is named with the nearest right one, and exits with 2."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "harness.toml"
    config.write_text(toml)
    assert 2 == ended("--config", config, "run", "--dry-run")
    said = capfd.readouterr().err
    assert all(word in said for word in words), said


def test_flag_beats_environment_beats_file_beats_default(tmp_path, monkeypatch, capfd):
    """An option's value comes from the flag, else the environment, else the configuration file, else its default."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "harness.toml"
    config.write_text("[run]\nrepeat = 2\nlanguage = ['de-DE', 'ru-RU']\n")

    def sessions(*arguments):
        assert 0 == ended(*arguments, "--dry-run", "--json")
        return json.loads(capfd.readouterr().out)["sessions"]

    plain = sessions("run", "voices")
    assert 34 == plain
    from_file = sessions("--config", str(config), "run", "voices")
    assert 2 * 2 == from_file
    monkeypatch.setenv("HARNESS_RUN_REPEAT", "3")
    assert 3 * 2 == sessions("--config", str(config), "run", "voices")
    assert 5 * 2 == sessions("--config", str(config), "run", "voices", "--repeat", "5")
    monkeypatch.setenv("HARNESS_RUN_LANGUAGE", "de-DE ru-RU pl-PL")
    assert 5 * 3 == sessions("--config", str(config), "run", "voices", "--repeat", "5")


def _options(command, context):
    """Return the options of a command and of those below it."""
    import click

    below = command.list_commands(context) if isinstance(command, click.Group) else []
    own = [one for one in command.params if isinstance(one, click.Option)]
    return own + [
        one for name in below for one in _options(command.get_command(context, name), context)
    ]


def test_a_variable_and_a_key_are_named_as_their_option():
    """What `--some-option` sets, HARNESS_<COMMAND>_SOME_OPTION and the key some-option set as well."""
    import click

    from harness.cli import root

    shortened = {
        "as_json",
        "chosen",
    }  # named after what they are, since `json` and `set` are Python's
    odd = {
        one.name: one.opts
        for one in _options(root, click.Context(root))
        if f"--{one.name.replace('_', '-')}" not in one.opts
    }
    assert shortened == odd.keys()
