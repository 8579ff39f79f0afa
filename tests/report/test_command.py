"""`harness report`: what it prints, what it writes, how it fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from harness.cli import main


def asked(*arguments):
    """Return the exit code of `harness` with these arguments."""
    with pytest.raises(SystemExit) as ended:
        main(["report", *map(str, arguments)])
    return ended.value.code


def test_it_prints_the_table_and_writes_the_files(run, capsys):
    """Stdout has the labels, the verdict, a table for each dataset and a line a cell; stderr names the files; exit 0."""
    folder = run()
    assert 0 == asked(folder)
    out, err = capsys.readouterr()
    assert out.startswith("EMULATED (whisper-base)\n")
    for title in (
        "gemini-live-2.5-flash-preview on sample",
        "gemini-live-2.5-flash-preview on voices (synthetic speech)",
    ):
        assert title in out.splitlines()
    assert 8 == sum(re.search(r" \$0\.\d{4}$", line) is not None for line in out.splitlines())
    assert "report.html" in err
    assert (folder / "report.html").is_file()


def test_a_terminal_is_given_an_address_that_opens(run, capsys, monkeypatch):
    """A terminal shows where the page is as a URL, which can be clicked or pasted, whatever the folder is called."""
    folder = run()
    monkeypatch.chdir(folder.rename(folder.parent / "größte Läufe #1").parent)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert 0 == asked("größte Läufe #1")
    [shown] = re.findall("file:.*", capsys.readouterr().err)
    page = Path(url2pathname(urlsplit(shown).path))
    assert page == Path("größte Läufe #1/report.html").resolve()
    assert page.is_file()


def test_json_is_one_document(run, capsys):
    """`--json` prints summary.json and nothing else on stdout."""
    folder = run()
    assert 0 == asked(folder, "--json", "--metric", "CERns", "--profile", "norm-1")
    out = capsys.readouterr().out
    assert json.loads((folder / "summary.json").read_text()) == json.loads(out)
    assert {"CERns", None} >= {cell["metric"] for cell in json.loads(out)["cells"]}


@pytest.mark.parametrize(
    "option, wrong, nearest",
    [("--profile", "norm-9", "norm-1"), ("--metric", "WERR", "WER")],
)
def test_an_unknown_name_is_a_usage_error(run, capsys, option, wrong, nearest):
    """An unknown profile or metric is exit 2, and the message names it and the nearest."""
    assert 2 == asked(run(), option, wrong)
    told = capsys.readouterr().err
    assert wrong in told
    assert nearest in told


def test_a_folder_that_is_no_run_is_named(tmp_path, capsys):
    """A folder without a plan is exit 3, and the message says what it lacks."""
    assert 3 == asked(tmp_path)
    assert "plan.json" in capsys.readouterr().err


BROKEN = {
    "a plan of an older schema": ("plan.json", b'{"schema": 0}', ["schema 0", "older version"]),
    "a plan of a newer schema": ("plan.json", b'{"schema": 9, "x": 1}', ["schema 9", "upgrade"]),
    "another program's plan": ("plan.json", b'{"hello": 1}', ["not a readable plan", "hash"]),
    "a torn plan": (
        "plan.json",
        b'{"schema": 1, "hash": "1f',
        ["not a readable plan", "truncated"],
    ),
    "noise for a plan": ("plan.json", bytes(range(256)), ["not a readable plan"]),
    "a record of a newer schema": (
        "journal.jsonl",
        b'{"schema": 2, "x": 1}\n',
        ["journal.jsonl:1", "schema 2", "newer version", "upgrade"],
    ),
    "a line that is no record": (
        "journal.jsonl",
        b'{"hello": 1}\n',
        ["journal.jsonl:1", "not a readable record", "remove that line"],
    ),
}
"""What a file of the folder holds instead, and what the message says."""


@pytest.mark.parametrize("file, data, told", BROKEN.values(), ids=BROKEN)
def test_a_folder_that_cannot_be_read_is_refused_by_name(run, capsys, file, data, told):
    """What is of another schema or no run's at all is exit 3; the message names file, line, schema, and what to do."""
    folder = run()
    (folder / file).write_bytes(data)
    assert 3 == asked(folder)
    message = capsys.readouterr().err
    for words in (file, *told):
        assert words in message


def _torn(folder):
    journal = folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])


def _without_traces(folder):
    for trace in (folder / "traces").iterdir():
        trace.unlink()


LOST = {
    "a torn journal": (_torn, "journal.jsonl ends in the midst of a line"),
    "no journal": (lambda folder: (folder / "journal.jsonl").unlink(), "journal.jsonl is missing"),
    "no traces": (_without_traces, "traces are missing"),
}


@pytest.mark.parametrize("lose, told", LOST.values(), ids=LOST)
def test_what_is_missing_is_said_first(run, capsys, lose, told):
    """A folder that lost something is reported as far as it goes: exit 0, and its first warning says what is missing."""
    folder = run()
    lose(folder)
    assert 0 == asked(folder)
    assert told in next(line for line in capsys.readouterr().out.splitlines() if line[0] == "!")
    assert told in (folder / "report.html").read_text()


@pytest.mark.wall
def test_help_loads_nothing_heavy():
    """`harness report --help` imports nothing third-party but click."""
    code = (
        "import sys\nfrom harness.cli import main\ntry:\n    main(['report', '--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'numpy','pandas','jinja2','msgspec','rich','librosa'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stderr.strip()


@pytest.mark.parametrize("value, clips", [("none", 0), ("0", 0), ("1", 1), ("all", 2), (None, 2)])
def test_clips_are_embedded_as_asked(run, said, tmp_path, value, clips):
    """`--embed-audio` takes a number, `none` or `all`; without it the worst clips are embedded within the budget."""
    import soundfile

    soundfile.write(tmp_path / "a.wav", [0.0, 0.5, -0.5, 0.1] * 4000, 16_000)
    folder = run([said.Said(id=n, audio=str(tmp_path / "a.wav"), audio_s=1.0) for n in "ab"])
    assert 0 == asked(folder, *(["--embed-audio", value] if value else []))
    assert clips == (folder / "report.html").read_text().count('id="audio-')


def test_a_wrong_number_of_clips_is_a_usage_error(run, capsys):
    """What is neither a number nor `none` nor `all` is exit 2, and the message says what may be said."""
    assert 2 == asked(run(), "--embed-audio", "some")
    assert "not a number, none or all" in capsys.readouterr().err


def test_scoring_a_run_says_what_it_wrote(run, capsys):
    """A run that is scored again has its reports written again, and a line on stderr says so, with the metric."""
    folder = run()
    with pytest.raises(SystemExit):
        main(["score", str(folder), "--metric", "CER"])
    told = capsys.readouterr()
    (line,) = (line for line in told.err.splitlines() if "writing again" in line)
    assert "summary.md and report.html" in line
    assert "--metric CER" in line
    assert json.loads((folder / "summary.json").read_text())["profile"]
