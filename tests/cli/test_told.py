"""What the commands say on the terminal beside their results."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.cli import root
from harness.cli.sitting import _say_end
from harness.errors import RefusedError
from harness.run.execute import open_folder
from harness.run.pool import Tally
from harness.wire.live.catalogue import MODELS
from tests.cli.typed import ended
from tests.run.runs import plan, utterance
from tests.run.test_plan import wav


@pytest.mark.parametrize("key", ["language = 'de-DE'", "language = ['de-DE']"])
def test_one_value_of_a_repeatable_key_is_a_list_of_one(tmp_path, capsys, key):
    """In a configuration file, what can be given again may be one text as well as a list; so may what stands without a flag."""
    config = tmp_path / "harness.toml"
    config.write_text(
        f"[run]\n{key}\ndatasets = 'voices'\nset = 'generationConfig.temperature=0.2'\n"
    )
    assert 0 == ended("--config", config, "run", "--dry-run", "--json")
    assert 1 == json.loads(capsys.readouterr().out)["sessions"]


@pytest.mark.parametrize("command, kept", [("run", True), ("score", False)])
def test_a_bug_in_a_run_says_what_is_kept(monkeypatch, capsys, tmp_path, command, kept):
    """A bug is exit 1 with a trace in a file; of a run it is said that its work is kept and how it goes on."""

    def broken(**_):
        raise ZeroDivisionError

    monkeypatch.setattr(root, "main", broken)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert 1 == ended(command)
    told = capsys.readouterr().err
    assert "please report it" in told
    assert kept == ("the same command continues it" in told)


def test_a_bug_tells_no_secret(monkeypatch, capsys, tmp_path):
    """Neither what is printed of a bug nor its trace in the file shows a key or token of the environment."""
    secrets = {
        "GEMINI_API_KEY": "AIzaSyD-0123456789abcdef",
        "GEMINI_EPHEMERAL_TOKEN": "auth_tokens/fedcba9876543210",
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29.qwertyuiopasdfgh",
    }

    def broken(**_):
        try:
            {}[" and ".join(secrets.values())]
        except KeyError as error:
            raise ValueError(secrets["GEMINI_API_KEY"]) from error

    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(root, "main", broken)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert 1 == ended("run")
    told = capsys.readouterr().err
    (log,) = [line.rpartition(" ")[2] for line in told.splitlines() if "the trace is in" in line]
    written = Path(log).read_text(encoding="utf-8")
    assert "ValueError: [secret]" in written
    for value in secrets.values():
        assert value.removeprefix("auth_tokens/") not in told + written


def _options(command):
    """Yield the options of a command and of those below it."""
    yield from command.params
    for name in getattr(command, "list_commands", lambda _: ())(None):
        yield from _options(command.get_command(None, name))


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--no-such-option"],
        ["run", "--limit", "Error: x"],
        ["rnu"],
        ["datasets", "shw"],
        ["--config", "nowhere.toml", "run"],
        ["run", "nowhere.jsonl"],
        ["run", "--task", "speak", "speak", "--pace", "0"],
    ],
)
def test_every_error_begins_alike(tmp_path, monkeypatch, capsys, arguments):
    """Of what was typed wrong, ours and Click's errors are one line that begins with “error:”, below the usage if any."""
    monkeypatch.chdir(tmp_path)
    assert ended(*arguments) in {2, 3}
    told = capsys.readouterr().err
    (said,) = re.findall("^(?:error|Error): .*", told, re.MULTILINE)
    assert said.startswith("error: ")
    assert told.endswith("\n")
    assert not told.endswith("\n\n")


def test_a_command_without_arguments_still_prints_its_help(capsys):
    """What Click shows of no command at all is the help page, as it was."""
    assert 2 == ended()
    told = capsys.readouterr()
    assert "Usage: harness" in told.out + told.err
    assert "Stream datasets" in told.out + told.err
    assert "rror:" not in told.out + told.err


def test_a_peers_words_cannot_look_like_ours():
    """Whatever lines a service's words have, each stands below what we say of it."""
    error = RefusedError(
        "refused", why="no\r\nerror: all is lost\n  try: rm -rf /\x0bdone", hint="wait"
    )
    first, *others, last = str(error).split("\n")
    assert ("refused", "  try: wait") == (first, last)
    assert all(line.startswith("  ") for line in others)


def test_no_secret_can_be_typed():
    """No command has an option for a key, a token or a password: what is typed is in every list of processes."""
    typed = [name for option in _options(root) for name in option.opts]
    assert len(typed) > 100
    assert [] == [name for name in typed if re.search("key|secret|password|credential|auth", name)]
    assert {"--token", "-t"}.isdisjoint(typed)


@pytest.mark.parametrize(
    "spent, words, command",
    [
        (0.008, "together more than the budget", "the same command with a larger --budget"),
        (0.002, "together within the budget", "harness"),
    ],
)
def test_a_spent_budget_asks_for_a_larger_one(capsys, spent, words, command):
    """A run that its budget stopped goes on with a larger one, or with the same where the bills left room for the next."""
    why = "the budget of $0.01 did not cover another session"
    tally = Tally(wanted=3, done=1, stopped=why, next_usd=0.0043, cost_usd=spent)
    _say_end(tally, plan([utterance(n) for n in range(7)]), 0.01)
    told = capsys.readouterr().err
    assert "2 of the plan's 7 were not attempted" in told
    assert f"${spent:.4f} are spent, and the next session takes up to $0.0043, {words}" in told
    assert f"to continue: {command}" in told
    _say_end(Tally(wanted=3, done=1, stopped="interrupted"), plan([utterance(0)]), None)
    assert "to continue: harness" in capsys.readouterr().err


def test_a_table_is_read_as_the_metrics_say(tmp_path, capsys):
    """Where nothing was said there is no rate, what was heard counts, and the mean is that of the metric asked for."""
    table = tmp_path / "t.tsv"
    table.write_text("reference\thypothesis\tlocale\na b\ta c\ten-US\n\txy\ten-US\nja\tje\tde-DE\n")
    assert 5 == ended("score", table, "--metric", "CER")
    told = capsys.readouterr()
    assert "no rate: line 3" in told.err
    assert "the reference is empty; what was inserted counts in the sums" in told.err
    # (1 substituted + 2 inserted) / 3 and 1 / 2
    assert "mean CER of 2 locales: 75.00 %" in told.out
    assert "mean WER" not in told.out


def test_a_score_fits_a_narrow_terminal(tmp_path, capsys):
    """Of one model and dataset the names stand above the table once, figures are flush right, and 80 columns are enough."""
    table = tmp_path / "t.csv"
    rows = [
        f"{text},x,{code},gemini-live-2.5-flash-preview,sample"
        for code, text in (("en-US", "a b c d"), ("de-DE", "e"))
    ]
    table.write_text("\n".join(["reference,hypothesis,locale,model,dataset", *rows]))
    ended("score", table)
    lines = capsys.readouterr().out.splitlines()
    assert "gemini-live-2.5-flash-preview on sample" == lines[0]
    assert ["de-DE", "en-US"] == [line.split()[0] for line in lines[2:4]]
    assert 1 == len({len(line) for line in lines[1:4]})
    assert all(len(line) <= 80 for line in lines)


def test_a_dry_run_fits_a_narrow_terminal(capsys):
    """No line of a plan, or of a simulation, is longer than 80 columns but where a single word is."""
    for more in (["--dry-run"], ["--service", "simulated", "--assume", "faults=0.01"]):
        assert 0 == ended("run", "sample", "--limit", "1", *more)
        facts = [line for line in capsys.readouterr().out.splitlines() if "SIMULATED" not in line]
        assert all(len(line) <= 80 for line in facts), facts


def test_a_reader_that_has_gone_is_no_bug():
    """Output into a closed pipe ends with 141, as of other programs that SIGPIPE ends, and says nothing of a bug."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        ran = subprocess.run(
            [sys.executable, "-m", "harness", "models"],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (141, b"") == (ran.returncode, ran.stderr)


def test_a_locale_that_no_dataset_has_is_answered_with_those_it_has(capsys):
    """Nothing selected is exit 3, with the locales that are there and the option that chooses."""
    assert 3 == ended("run", "speak", "--language", "pl-PL", "--dry-run")
    told = capsys.readouterr().err
    assert "asked for: pl-PL" in told
    assert "de-DE" in told
    assert "--language" in told
    assert "check" not in told


def test_one_of_a_thing_is_one(capsys):
    """A forecast counts utterances and locales in words that agree with the numbers."""
    assert 0 == ended("run", "voices", "--language", "de-DE", "--dry-run")
    assert "1 utterance in 1 locale " in capsys.readouterr().out


def test_a_dry_run_names_what_cannot_be_sent(tmp_path, capsys):
    """A forecast names the first utterances whose audio is not there or none, and the command that tells all."""
    made = wav(tmp_path / "good.wav")
    (tmp_path / "junk.wav").write_text("x")
    names = [made.name, "junk.wav", *(f"gone-{n}.wav" for n in range(3))]
    rows = [{"audio_filepath": name, "text": "a", "locale": "en-US"} for name in names]
    rows[-1]["duration"] = 1.0
    table = tmp_path / "bad.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert 0 == ended("run", table, "--dry-run")
    told = capsys.readouterr().out
    assert "note: 4 of 5 utterances cannot be sent: " in told
    assert f"{tmp_path / 'junk.wav'}: is text, not audio" in told
    assert f"{tmp_path / 'gone-1.wav'}: there is no such file; and 1 more" in told
    assert "harness datasets check" in told
    assert "good.wav" not in told
    assert 0 == ended("run", table, "--dry-run", "--json")
    assert "4 of 5" in json.loads(capsys.readouterr().out)["notes"][0]
    assert 0 == ended("run", "ask", "--task", "ask", "--dry-run")
    assert "cannot be sent" not in capsys.readouterr().out


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_dry_run_of_nothing_that_can_be_sent_ends_as_the_run(tmp_path, capsys, form):
    """Where no file can be read a forecast has the exit code of the run in which every session fails, and shows no costs."""
    table = tmp_path / "gone.jsonl"
    table.write_text(json.dumps({"audio_filepath": "no.wav", "text": "a", "locale": "en-US"}))
    assert 5 == ended("run", table, "--dry-run", *form)
    told = capsys.readouterr().out
    assert "1 of 1 utterance cannot be sent" in told
    assert form or "nothing was sent, and nothing can be" in told
    assert "cost  " not in told
    assert "can show" not in told


def test_a_dry_run_says_which_credentials_a_run_would_lack(monkeypatch, capsys):
    """Without a key or a project a forecast is exit 0 with a note of what to set; with one it has no such note."""
    for name in ("GEMINI_EPHEMERAL_TOKEN", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    gemini = ("--service", "gemini", "--model", "gemini-3.5-transcribe-live")
    vertex = ("--service", "vertex", "--model", "gemini-live-2.5-flash")
    for service, what in ((gemini, "GEMINI_API_KEY"), (vertex, "GOOGLE_CLOUD_PROJECT")):
        assert 0 == ended("run", "sample", "--dry-run", *service)
        (note,) = re.findall("note: before you run this: .*", capsys.readouterr().out)
        assert what in note
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    for service in (gemini, vertex):
        assert 0 == ended("run", "sample", "--dry-run", *service)
        assert "before you run this" not in capsys.readouterr().out


def test_a_dry_run_says_which_unfinished_run_would_go_on(tmp_path, monkeypatch, capsys):
    """A forecast names the folder that a run of the same plan would continue, below reports or at --out, and what is left."""
    monkeypatch.chdir(tmp_path)
    plans = []
    with monkeypatch.context() as spied:
        spied.setattr(
            "harness.cli.forecast._continued_notes", lambda plan, _: plans.append(plan) or []
        )
        assert 0 == ended("run", "sample", "--dry-run")
    (planned,) = plans
    folder = open_folder(planned, None, Path("reports")).folder
    capsys.readouterr()
    for out in ((), ("--out", folder)):
        assert 0 == ended("run", "sample", "--dry-run", *out)
        told = capsys.readouterr().out
        assert f"note: a run would continue in {folder}, with 37 of 37 sessions left" in told
    for other in (("--out", "elsewhere"), ("--repeat", "2")):
        assert 0 == ended("run", "sample", "--dry-run", *other)
        assert "would continue" not in capsys.readouterr().out


def test_a_dry_run_heeds_rate_and_budget(capsys):
    """A forecast says when the rate lets the last session begin, and after how many the budget stops the run."""
    assert 0 == ended("run", "sample", "--dry-run", "--rate", "2/min", "--budget", "0.003")
    told = capsys.readouterr().out
    assert "the last session begins after 18 min 00 s at the soonest" in told
    assert "time      about 18 min 0" in told
    assert re.search(r"budget +\$0.003 stops it after about \d of 37 sessions", told)
    assert 0 == ended("run", "sample", "--dry-run", "--budget", "3", "--pace", "0")
    assert "$3 covers all sessions" in capsys.readouterr().out


def test_the_emulators_default_model_is_marked_and_explained(capsys):
    """The model that a run asks the emulator for is marked, and why one that has ended is served is said."""
    assert 0 == ended("models")
    about = capsys.readouterr().out.split("\n\n")
    (default,) = (one for one in about if "--task transcribe" in one)
    assert default.startswith("gemini-live-2.5-flash-preview")
    assert "has ended at the service" in default
    assert "TEXT" in default


@pytest.mark.parametrize("platform", [[], ["--platform", "gemini"], ["--platform", "vertex"]])
def test_models_that_were_shut_down_stand_behind_the_others(capsys, platform):
    """Who picks a model reads those that exist first, and below a line those that do not, as many as are counted."""
    assert 0 == ended("models", *platform)
    there, gone = capsys.readouterr().out.split("Shut down at the services:\n\n")
    assert "gemini-3.5-transcribe-live" in there
    assert "shut down" not in there
    *models, counted = gone.rstrip().split("\n\n")
    ids = {one.splitlines()[0] for one in models}
    assert {model.id for model in MODELS if model.gone} >= ids > set()
    assert f"{len(ids)} of them shut down" in counted.replace("\n", " ")


def test_the_layouts_are_named_where_the_datasets_are(capsys):
    """`harness datasets --help` names each layout, and cuts no summary short."""
    from harness.corpus.layout import LAYOUTS

    assert 0 == ended("datasets", "--help")
    told = capsys.readouterr().out
    assert all(layout in told for layout in LAYOUTS)
    assert "..." not in told.partition("Commands:")[2]


def test_no_key_is_looked_for_where_none_is_needed():
    """With an emulator elsewhere the doctor finds no credentials, and says that none are needed."""
    from harness.cli.doctor import _credentials

    assert "no key needed at ws://127.0.0.1:9" in _credentials("emulator", "ws://127.0.0.1:9").found
