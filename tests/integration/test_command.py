"""The command itself, in processes of its own, against an emulator in another: what a user does and sees."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import harness as package
from harness.report.verify import differences
from harness.run.folder import read_journal, read_plan, unfinished
from tests.cli.typed import ended
from tests.integration.sittings import manifest

pytestmark = [pytest.mark.wall, pytest.mark.timeout(240)]


def only_run(folder: Path) -> Path:
    """Return the one run folder below `folder`/reports."""
    (found,) = (folder / "reports").iterdir()
    return found


def speech(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """Return noise in bursts, as float, shaped (n,) or (n, channels)."""
    n = round(seconds * rate)
    t = np.arange(n) / rate
    signal = 0.3 * np.sin(2 * np.pi * 220 * t) * (np.sin(2 * np.pi * 3 * t) > 0)
    return signal if channels == 1 else np.stack([signal] * channels, axis=1)


ODD = [
    ("wav8.wav", 8000, 1, "WAV", "PCM_U8"),
    ("wav16.wav", 16000, 1, "WAV", "PCM_16"),
    ("wav24.wav", 44100, 2, "WAV", "PCM_24"),
    ("wav32.wav", 48000, 1, "WAV", "PCM_32"),
    ("float.wav", 22050, 1, "WAV", "FLOAT"),
    ("double.wav", 11025, 1, "WAV", "DOUBLE"),
    ("ulaw.wav", 8000, 1, "WAV", "ULAW"),
    ("alaw.wav", 8000, 1, "WAV", "ALAW"),
    ("six.wav", 48000, 6, "WAVEX", "PCM_16"),
    ("high.wav", 192000, 1, "WAV", "PCM_24"),
    ("a.flac", 44100, 2, "FLAC", "PCM_24"),
    ("b.ogg", 44100, 1, "OGG", "VORBIS"),
    ("c.opus", 48000, 1, "OGG", "OPUS"),
    ("d.mp3", 44100, 1, "MP3", "MPEG_LAYER_III"),
    ("e.aiff", 32000, 1, "AIFF", "PCM_16"),
    ("f.au", 8000, 1, "AU", "PCM_16"),
    ("g.w64", 16000, 1, "W64", "PCM_16"),
    ("h.rf64", 16000, 1, "RF64", "PCM_16"),
    ("i.caf", 16000, 1, "CAF", "PCM_16"),
    ("really-flac.wav", 16000, 1, "FLAC", "PCM_16"),
    ("Ünï cødé \u0631.wav", 16000, 1, "WAV", "PCM_16"),
]


@pytest.fixture
def odd_folder(tmp_path):
    """Give a folder of odd audio files with sidecar texts, three of which cannot be read."""
    folder = tmp_path / "odd"
    folder.mkdir()
    for name, rate, channels, kind, subtype in ODD:
        soundfile.write(
            folder / name, speech(0.6, rate, channels), rate, format=kind, subtype=subtype
        )
    (folder / "text.wav").write_text("I am not audio")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "cut.flac").write_bytes((folder / "a.flac").read_bytes()[:30])
    for path in list(folder.iterdir()):
        path.with_suffix(".txt").write_text("zero seconds of audio")
    return folder


def test_a_folder_of_odd_files(odd_folder, harness, emulator_url, tmp_path):
    """Every format is streamed; the three that cannot be read are rows that say why; the run goes on and exits with 5."""
    ran = harness("run", odd_folder, "--language", "en-US", "--url", emulator_url, "--pace", "0")
    assert 5 == ran.returncode, ran.stderr
    frame = package.read_run(only_run(tmp_path))
    assert len(ODD) + 3 == len(frame)
    failed = frame[frame["outcome"] == "failed_client"]
    assert 3 == len(failed)
    assert failed["reason"].notna().all()
    assert {"text", "empty", "cut"} == {Path(name).stem for name in failed["utterance_id"]}
    rest = frame[frame["outcome"] != "failed_client"]
    assert {"ok"} == set(rest["outcome"])
    assert (abs(rest["audio_s"] - 0.6) < 0.1).all()


def test_a_mended_clip_is_sent_alone(harness, emulator_url, tmp_path):
    """A finished run with a clip missing goes on when it is named, with that clip and no other, and verifies afterwards."""
    manifest(tmp_path, clips=3)
    hidden = (tmp_path / "01.wav").rename(tmp_path / "01.kept")
    command = ("run", "manifest.jsonl", "--url", emulator_url, "--pace", "0")
    first = harness(*command)
    assert 5 == first.returncode, first.stderr
    folder = only_run(tmp_path)
    traces = set((folder / "traces").iterdir())
    again = f"harness {' '.join(command)} --out reports/{folder.name}"
    assert f"once what could not be sent is mended, this sends it alone: {again}" in first.stderr
    hidden.rename(tmp_path / "01.wav")
    assert f"--out reports/{folder.name} sends that alone" in harness(*command, "--dry-run").stdout
    second = harness(*command, "--out", f"reports/{folder.name}")
    assert 0 == second.returncode, second.stderr
    assert "sends it alone" not in second.stderr
    assert 2 == len(traces)
    assert traces < set((folder / "traces").iterdir())
    records = read_journal(folder)
    assert [("01.wav", "failed_client"), ("01.wav", "ok")] == [
        (one.utterance, one.outcome) for one in records if one.utterance == "01.wav"
    ]
    assert 4 == len(records)
    assert {"ok"} == set(package.read_run(folder)["outcome"])
    assert [] == list(differences(folder))


def test_the_run_folder_holds_what_it_promises(harness, emulator_url, tmp_path):
    """A run leaves plan, journal, traces, tables and page, with the promised columns first and in order."""
    ran = harness(
        "run",
        "voices",
        "--limit",
        "1",
        "--language",
        "vertex24",
        "--url",
        emulator_url,
        "--pace",
        "0",
    )
    assert 0 == ran.returncode, ran.stderr
    folder = only_run(tmp_path)
    plan = read_plan(folder)
    assert [] == unfinished(plan, read_journal(folder))
    utterances = pd.read_csv(folder / "utterances.csv")
    first = [
        "utterance_id",
        "dataset",
        "locale",
        "model",
        "repeat",
        "outcome",
        "reference",
        "hypothesis",
        "metric",
        "errors",
        "hits",
        "substitutions",
        "deletions",
        "insertions",
        "reference_tokens",
        "rate",
        "audio_s",
        "first_text_s",
        "final_text_s",
        "speech_bounds_source",
        "setup_s",
        "send_lag_p50_ms",
        "send_lag_p99_ms",
        "late",
        "attempts",
        "prompt_tokens",
        "response_tokens",
        "total_tokens",
        "cost_usd",
        "reason",
    ]
    assert first == list(utterances.columns)[: len(first)]
    summary = pd.read_csv(folder / "summary.csv")
    columns = [
        "dataset",
        "locale",
        "model",
        "metric",
        "utterances",
        "scored",
        "failed",
        "rate",
        "rate_low",
        "rate_high",
        "rate_norm1",
        "wer",
        "cer",
        "cerns",
        "mer",
        "audio_s",
        "first_text_p50_s",
        "first_text_p95_s",
        "final_text_p50_s",
        "final_text_p95_s",
        "late_sessions",
        "prompt_tokens",
        "response_tokens",
        "total_tokens",
        "cost_usd",
        "profile",
    ]
    assert columns == list(summary.columns)[: len(columns)]
    assert 24 == len(summary)
    assert "EMULATED" in (folder / "summary.md").read_text()
    assert "SCRIPTED" in (folder / "report.html").read_text()
    assert 24 == len(list((folder / "traces").iterdir()))
    assert [] == list(differences(folder)), "traces, journal and tables agree"


@pytest.mark.capability("connection: API key in a header")
@pytest.mark.capability("connection: another URL")
@pytest.mark.capability("connection: ephemeral tokens")
@pytest.mark.capability("connection: Vertex AI: express mode")
def test_credentials_change_nothing_but_the_address(harness, emulator_url, tmp_path):
    """Through each door, by key, bearer token, express mode or ephemeral token, the tables are the same, and no secret stays."""
    columns = [
        "utterance_id",
        "hypothesis",
        "errors",
        "hits",
        "rate",
        "prompt_tokens",
        "total_tokens",
        "outcome",
    ]
    lasting = ("--uses", "0", "--door", "3600", "--life", "3600")
    minted = harness(
        "token", *lasting, "--url", emulator_url, env={"GEMINI_API_KEY": "any-key-at-all"}
    )
    token = minted.stdout.strip()
    gemini = ("--service", "gemini", "--model", "gemini-live-2.5-flash-preview")
    vertex = ("--service", "vertex", "--model", "gemini-live-2.5-flash")
    bearer = {"GOOGLE_CLOUD_PROJECT": "p", "CLOUDSDK_AUTH_ACCESS_TOKEN": "any-token-at-all"}
    doors = {
        "none": ((), {}),
        "key": (gemini, {"GEMINI_API_KEY": "any-key-at-all"}),
        "bearer": (vertex, bearer),
        "express": (vertex, {"GOOGLE_API_KEY": "express-key-at-all"}),
        "token": (gemini, {"GEMINI_EPHEMERAL_TOKEN": token}),
    }

    clips = manifest(tmp_path, clips=2)

    def through(door):
        options, environment = doors[door]
        return harness(
            *("run", clips, "--pace", "0", "--quiet", "0.3"),
            *("--url", emulator_url, "--out", tmp_path / door),
            *options,
            env=environment,
        )

    with ThreadPoolExecutor(2) as threads:
        runs = list(threads.map(through, doors))
    tables = []
    for door, ran in zip(doors, runs, strict=True):
        assert 0 == ran.returncode, ran.stderr
        out = tmp_path / door
        tables.append(package.read_run(out)[columns])
        everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
        said = ran.stdout + ran.stderr
        for secret in ("at-all", token.removeprefix("auth_tokens/")):
            assert secret.encode() not in everything
            assert secret not in said
    for table in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], table)


@pytest.mark.parametrize(
    "case",
    [
        (
            ["--service", "gemini", "--model", "gemini-live-2.5-flash-preview"],
            {"GEMINI_API_KEY": "invalid"},
            "credentials",
        ),
        (["--model", "no-such-model"], {}, "no-such-model"),
        (
            [
                *("--set", 'generationConfig.responseModalities=["AUDIO"]'),
                *("--set", "generationConfig.speechConfig.languageCode=pl-PL"),
            ],
            {},
            "pl-PL",
        ),
    ],
)
def test_a_refusal_is_told_at_once(harness, emulator_url, tmp_path, case):
    """A refused key, model or configuration exits with 4, in words and without a traceback; what was said is kept."""
    options, environment, words = case
    ran = harness(
        "run",
        "voices",
        "--url",
        emulator_url,
        "--pace",
        "0",
        "--out",
        "o",
        *options,
        env=environment,
    )
    assert 4 == ran.returncode, ran.stderr
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    [kept] = {record.failure for record in read_journal(tmp_path / "o")}
    assert kept in ("auth", "config", "model_not_found")
    assert list((tmp_path / "o" / "traces").iterdir())


def test_an_interrupted_run_is_continued_by_the_same_command(emulator_url, tmp_path):
    """One SIGINT drains: exit 130, reports written; the same command does the rest in the same folder."""
    command = [
        sys.executable,
        "-m",
        "harness",
        "run",
        str(manifest(tmp_path, clips=13, seconds=1.0)),
        "--url",
        emulator_url,
        "--concurrency",
        "3",
    ]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if line.startswith("run folder"):
            break
    folder = only_run(tmp_path)
    journal = folder / "journal.jsonl"
    while not journal.exists() or not journal.read_bytes():
        assert process.poll() is None
        time.sleep(0.01)  # the run needs the core that looking would take
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert 130 == process.returncode
    assert (folder / "report.html").exists()
    done = {r.utterance for r in read_journal(folder) if r.final}
    assert 0 < len(done) < 13
    again = subprocess.run(
        [*command[:-1], "13", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert 0 == again.returncode, again.stderr
    assert folder == only_run(tmp_path)
    finals = [r.utterance for r in read_journal(folder) if r.final]
    assert 13 == len(finals) == len(set(finals))
    assert json.loads(again.stdout)


def test_a_finished_run_is_not_overwritten(harness, emulator_url, tmp_path):
    """--out on a finished run, on another plan's, or on a folder that is no run, exits with 3 and changes nothing."""
    out = tmp_path / "out"
    clips = manifest(tmp_path, clips=2, locales=("de-DE", "ru-RU"))
    common = ("run", clips, "--url", emulator_url, "--pace", "0", "--out", out)
    assert 0 == harness(*common, "--language", "de-DE").returncode
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for options, words in (
        (("--language", "de-DE"), "finished"),
        (("--language", "ru-RU"), "another plan"),
    ):
        ran = harness(*common, *options)
        assert 3 == ran.returncode
        assert words in ran.stderr
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    ran = harness(*common[:-1], tmp_path / "letters", "--language", "de-DE")
    assert 3 == ran.returncode
    assert "no run" in ran.stderr


def test_the_emulator_that_a_run_starts_is_gone_afterwards(harness, tmp_path):
    """`harness run` starts its own emulator, says EMULATED, and leaves no process behind."""
    ran = harness(
        *("run", manifest(tmp_path, clips=1), "--pace", "0", "--json"),
        env={"HARNESS_EMULATE_EAR": "scripted"},
    )
    assert 0 == ran.returncode, ran.stderr
    document = json.loads(ran.stdout)
    assert "SCRIPTED" in json.dumps(document) or "EMULATED" in json.dumps(document)
    (record,) = read_journal(only_run(tmp_path))
    assert "scripted" in record.emulator
    port = record.endpoint.split(":")[2].split("/")[0]
    import socket

    with socket.socket() as probe:
        assert 0 != probe.connect_ex(("127.0.0.1", int(port)))


def test_a_port_in_use_is_named(harness, emulator_url):
    """`harness emulate` on a port in use exits with 3 and names the port."""
    port = emulator_url.rpartition(":")[2].strip("/")
    ran = harness("emulate", "--port", port, "--ear", "scripted")
    assert 3 == ran.returncode, ran.stderr
    assert port in ran.stderr


@pytest.mark.capability("setup: rules, checked before connecting", side="client")
@pytest.mark.parametrize(
    "options, words",
    [
        (
            ("--set", 'generationConfig.responseModalities=["TEXT","AUDIO"]'),
            ("one modality", "capabilities guide"),
        ),
        (("--set", "explicitVadSignal=true"), ("Vertex AI alone", "1007")),
        (
            ("--set", "realtimeInputConfig.automaticActivityDetection.disabled=false"),
            ("--turns manual", "contradict"),
        ),
        (
            ("--set", "proactivity.proactiveAudio=true", "--api-version", "v1beta"),
            ("needs the API version v1alpha",),
        ),
        (("--model", "gemini-live-2.5-flash"), ("served by Vertex AI alone", "1008")),
    ],
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_setup_that_breaks_a_rule_opens_nothing(
    monkeypatch, capfd, tmp_path, *, options, words, dry
):
    """What the service would refuse is exit 2 with the rule and its source, before a socket or a folder is there."""
    monkeypatch.chdir(tmp_path)
    assert 2 == ended("run", "sample", "--url", "ws://127.0.0.1:9", *options, *dry)
    said = capfd.readouterr().err
    assert all(word in said for word in words), said
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "how", [("--url", "ws://127.0.0.1:9"), ("--dry-run",), ("--service", "simulated")]
)
def test_a_budget_needs_a_price(monkeypatch, capfd, tmp_path, how):
    """A budget for a model whose price nobody knows is exit 2 with its name and what to do, and nothing is sent."""
    monkeypatch.chdir(tmp_path)
    models = ("--model", "gemini-live-2.5-flash-preview", "--model", "gemini-2.0-flash-exp")
    assert 2 == ended("run", "sample", *how, *models, "--budget", "5")
    said = capfd.readouterr().err
    assert "--budget cannot bind 'gemini-2.0-flash-exp'" in said
    assert "leave --budget out" in said
    assert "harness models" in said
    assert [] == list(tmp_path.iterdir())
