"""What `harness run` refuses before anything is made, and what may not mislead its own child processes."""

from __future__ import annotations

import socket

import pytest

from harness.cli import main
from harness.cli.companion import companion
from harness.run import certificate
from tests.cli.typed import ended
from tests.integration.sittings import manifest


def refused(*arguments) -> int:
    """Return the exit code of `harness run` with these arguments."""
    with pytest.raises(SystemExit) as ended:
        main(["run", *map(str, arguments)])
    return ended.value.code


@pytest.mark.parametrize(
    "url", ["ws://", "127.0.0.1:80", "ws://h:0/", "ws://u:p@h/", "ws://h/?key=x"]
)
def test_a_bad_url_is_refused_before_anything_is_made(tmp_path, monkeypatch, capsys, url):
    """An endpoint that is none is exit 2, and neither a folder nor a file is left behind."""
    monkeypatch.chdir(tmp_path)
    assert 2 == refused("sample", "--url", url, "--out", "out")
    assert "error:" in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


def test_two_datasets_of_one_name_are_refused(tmp_path, monkeypatch, capsys):
    """Datasets whose utterances could not be told apart are exit 2, with both places and what to do."""
    for name in ("one", "two"):
        (tmp_path / name / "clips").mkdir(parents=True)
        manifest(tmp_path / name / "clips", clips=1)
    monkeypatch.chdir(tmp_path)
    both = [tmp_path / name / "clips" / "manifest.jsonl" for name in ("one", "two")]
    assert 2 == refused(*both, "--dry-run")
    told = capsys.readouterr().err
    assert "two datasets are called “clips”" in told
    assert "one" in told
    assert "two" in told


@pytest.mark.parametrize(
    "option, value",
    [
        ("--out", "out"),
        ("--gate", "rules.toml"),
        ("--url", "ws://127.0.0.1:9"),
        ("--processes", "2"),
        ("--heard-by", "whisper"),
    ],
)
def test_a_simulation_refuses_what_it_would_not_heed(tmp_path, monkeypatch, capsys, option, value):
    """What only a run heeds that sends something is exit 2 where nothing is sent, with what to do instead."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.toml").write_text("[[rule]]\ncolumn = 'wer'\nmax = 1\n")
    task = ["--task", "speak", "speak"] if option == "--heard-by" else ["sample"]
    assert 2 == refused(*task, "--limit", 1, "--service", "simulated", option, value)
    told = capsys.readouterr().err
    assert f"{option} is not for --service simulated" in told
    assert "--json" in told
    assert not (tmp_path / "out").exists()


SOUND = [("--pace", "0"), ("--chunk-ms", "20"), ("--turns", "auto"), ("--turns", "manual")]
"""What says how audio goes out, a default among it."""


@pytest.mark.parametrize("option, value", SOUND)
def test_a_text_is_not_streamed(tmp_path, monkeypatch, capsys, option, value):
    """How audio goes out is exit 2 where texts are sent, even as the default has it; questions may be spoken."""
    monkeypatch.chdir(tmp_path)
    assert 2 == refused("--task", "speak", "speak", option, value, "--dry-run")
    told = capsys.readouterr().err
    assert f"{option} is not for --task speak" in told
    assert f"leave {option} out" in told
    assert 0 == refused("--task", "ask", "ask", option, value, "--dry-run")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("option, value", SOUND)
def test_what_is_set_for_all_runs_is_no_matter_to_a_text(
    tmp_path, monkeypatch, capsys, option, value
):
    """A file or a variable that says how audio goes out leaves `--task speak` as it is."""
    name = option.removeprefix("--")
    file = tmp_path / "config.toml"
    file.write_text(f"[run]\n{name} = {value if value.isdigit() else repr(value)}\n")
    speak = ["run", "--task", "speak", "speak", "--dry-run"]
    assert 0 == ended("--config", file, *speak)
    monkeypatch.setenv(f"HARNESS_RUN_{name.upper().replace('-', '_')}", value)
    assert 0 == ended(*speak)
    assert "sessions" in capsys.readouterr().out


NO_NUMBERS = ["nan", "NaN", "-nan", "inf", "-inf", "1e999"]


@pytest.mark.parametrize("number", NO_NUMBERS)
@pytest.mark.parametrize("option", ["--pace", "--quiet", "--budget", "--interrupt-after"])
def test_what_is_no_number_is_refused(tmp_path, monkeypatch, capsys, option, number):
    """NaN and infinity are exit 2 for every number of a run, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    assert 2 == refused("sample", f"{option}={number}", "--task=ask", "--dry-run")
    assert option in capsys.readouterr().err
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("number", NO_NUMBERS)
@pytest.mark.parametrize(
    "command",
    [
        *[f"emulate --{name}" for name in ("connection-life", "go-away-lead", "session-life")],
        "emulate --video-session-life",
        "compare --margin",
    ],
)
def test_no_command_takes_what_is_no_number(capsys, command, number):
    """The other commands refuse NaN and infinity in the same way."""
    with pytest.raises(SystemExit) as ended:
        main(
            f"{command}={number} . .".split()
            if "margin" in command
            else f"{command}={number}".split()
        )
    assert 2 == ended.value.code
    assert command.split()[1] in capsys.readouterr().err


def test_what_is_no_number_is_refused_from_a_file_and_the_environment(
    tmp_path, monkeypatch, capsys
):
    """TOML has a NaN of its own; it is refused there and in a variable, and the message says where it stands."""
    file = tmp_path / "config.toml"
    file.write_text("[run]\npace = nan\n")
    with pytest.raises(SystemExit) as ended:
        main(["--config", str(file), "run", "--dry-run"])
    assert 2 == ended.value.code
    assert "the key pace of [run]" in capsys.readouterr().err
    monkeypatch.setenv("HARNESS_RUN_QUIET", "nan")
    assert 2 == refused("--dry-run")
    assert "HARNESS_RUN_QUIET" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--set", "inputAudioTranscription=null"], "inputAudioTranscription"),
        (
            ["--task", "speak", "speak", "--set", "outputAudioTranscription=null"],
            "outputAudioTranscription",
        ),
        (["--model", ""], "a model has a name"),
    ],
)
def test_a_run_that_could_bring_nothing_is_refused(capsys, arguments, told):
    """A setup without the transcript that is scored, and a model without a name, are exit 2 before anything is opened."""
    assert 2 == refused(*arguments, "--dry-run")
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "override, told",
    [
        ("generationConfig.seed=99999999999", "TYPE_INT32"),
        ("generationConfig.topK=-1", "topK is not negative"),
        ("generationConfig.topK=1.5", "TYPE_INT32"),
        ("contextWindowCompression.triggerTokens=-1", "triggerTokens is not negative"),
        (
            'tools=[{"functionDeclarations":[{"name":"f","parameters":{"type":"BANANA"}}]}]',
            "type is one of ARRAY, BOOLEAN",
        ),
        ('tools=[{"googleSearch":{"banana":1}}]', "no field banana"),
    ],
)
def test_a_setup_that_the_service_would_refuse_is_refused(capsys, override, told):
    """What is wrong with a setup's values is exit 2 before anything is planned or opened."""
    assert 2 == refused("sample", "--set", override, "--dry-run")
    assert told in capsys.readouterr().err


@pytest.mark.wall
def test_a_module_in_the_working_folder_does_not_stand_in_for_ours(tmp_path, monkeypatch):
    """Our own child processes do not import what lies in the folder where the command was typed."""
    for name in ("harness", "json", "msgspec"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_EMULATE_EAR", "scripted")
    with companion(tmp_path / "emulator.log") as url:
        assert url.startswith("ws://127.0.0.1:")


@pytest.mark.wall
@pytest.mark.parametrize("pace", [0, 1])
def test_where_nothing_answers_nothing_is_left(tmp_path, monkeypatch, capsys, pace):
    """A run whose service was never reached is exit 3, says that its folder is removed, and has removed it.

    That timers are late is told to who streams in real time: others' latencies are not reported anyway.
    """

    async def late():
        return 5.0, 50.0

    monkeypatch.setattr(certificate, "timer_floor_ms", late)
    manifest(tmp_path, clips=1)
    monkeypatch.chdir(tmp_path)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{nobody.getsockname()[1]}"
        options = ("--url", url, "--pace", pace, "--out", "out")
        assert 3 == refused(tmp_path / "manifest.jsonl", *options)
    told = capsys.readouterr().err
    assert bool(pace) == ("this machine is busy" in told)
    assert "nothing answers at the service's address" in told
    assert "its folder is removed" in told
    assert not (tmp_path / "out").exists()
