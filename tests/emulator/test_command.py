"""`harness emulate` as a process: the line it prints, how it ends, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from harness.emulator.voice import voice
from tests.emulator.memory import GEMINI, MANUAL, MODEL, turn

pytestmark = pytest.mark.wall


@contextlib.contextmanager
def emulator(*options, **more):
    """Give a running emulator's process and what it printed."""
    command = [sys.executable, "-m", "harness", "emulate", "--port", "0", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **more
    )
    try:
        yield process, json.loads(process.stdout.readline() or b"{}")
    finally:
        process.kill()
        process.communicate()


def children(pid):
    """Return the processes that `pid` has started, by the kernel's own list."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in listed.split()]


def test_one_line_says_that_it_is_ready():
    """It prints one line of JSON with its URL, and listens there and nowhere but on loopback."""
    with emulator("--ear", "scripted") as (_, told):
        host, port = told["url"].removeprefix("ws://").split(":")
        assert "127.0.0.1" == host
        with urllib.request.urlopen(f"http://{host}:{port}/") as answer:
            assert "scripted" == json.load(answer)["ear"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(how):
    """SIGINT and SIGTERM end it with exit code 0 and without a word, while it waits for its standard input as well."""
    with emulator("--ear", "scripted", "--exit-with-stdin") as (process, _):
        process.send_signal(how)
        assert 0 == process.wait(100)
        assert b"" == process.stderr.read()
        assert b"" == process.stdout.read()


def test_it_ends_with_its_standard_input():
    """With --exit-with-stdin it ends when whoever started it does."""
    with emulator("--ear", "scripted", "--exit-with-stdin") as (process, _):
        process.stdin.close()
        assert 0 == process.wait(100)
        process.stdin = None


def test_a_port_in_use_is_named():
    """A port that is taken is exit 3, and the message names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "harness", "emulate", "--ear", "scripted", "--port", port]
        done = subprocess.run(command, capture_output=True, timeout=100, check=False)
    assert 3 == done.returncode
    assert port in done.stderr.decode()
    assert b"" == done.stdout


@pytest.mark.parametrize(
    "options, code, words",
    [
        (["--ear", "wisper"], 2, "whisper"),
        (["--ear", "scripted:/none.json"], 3, "/none.json"),
        (["--quirk", "late-transcrption=2s"], 2, "late-transcription"),
        (["--quirk", "late-transcription=2h"], 2, "ms, s, min"),
        (["--ear-language", "xx", "--ear", "scripted"], 2, "xx"),
        (["--assume", "bare-model=refusd"], 2, "refused"),
        (["--assume", "silence=1s", "--silence-ms", "700"], 2, "the option"),
        (["--port", "70000"], 2, "70000"),
        (["--era", "stone"], 2, "guide"),
    ],
)
def test_what_is_typed_wrong_is_named(options, code, words):
    """A wrong option is exit 2, a file that is none exit 3, and the message says which and what there is."""
    command = [sys.executable, "-m", "harness", "emulate", *options]
    done = subprocess.run(command, capture_output=True, timeout=100, check=False)
    assert code == done.returncode
    assert words in done.stderr.decode()


@pytest.mark.ear
def test_quirks_are_listed():
    """--list-quirks shows every quirk as it is typed, with what it does and who saw it, and with --json as data."""
    from harness.emulator.quirks.mischief import REGISTRY

    command = [sys.executable, "-m", "harness", "emulate", "--list-quirks"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(f"\n{quirk.usage}\n" in f"\n{shown}" for quirk in REGISTRY.values())
    listed = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    assert list(REGISTRY) == [one["name"] for one in json.loads(listed)]


def test_open_questions_are_listed():
    """--list-assumptions shows every question with its choices and sources, and with --json as data."""
    from harness.wire.live.assumptions import QUESTIONS

    command = [sys.executable, "-m", "harness", "emulate", "--list-assumptions"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(f"\n{one.name}={one.default}\n" in f"\n{shown}" for one in QUESTIONS)
    assert all(f"    {choice.name}: " in shown for one in QUESTIONS for choice in one.choices)
    listed = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    told = {one["name"]: (one["default"], len(one["choices"])) for one in json.loads(listed)}
    assert {one.name: (one.default, len(one.choices)) for one in QUESTIONS} == told


def test_what_is_assumed_is_told():
    """What departs from the usual assumptions is in the emulator's state."""
    with emulator("--ear", "scripted", "--assume", "audio-tokens=32") as (_, told):
        host = told["url"].removeprefix("ws://")
        with urllib.request.urlopen(f"http://{host}/") as answer:
            assert {"audio-tokens": "32"} == json.load(answer)["assumed"]


def test_weights_that_are_none_are_named(tmp_path):
    """A folder without a model is exit 3 and named, though it is the other process that would load it."""
    command = [sys.executable, "-m", "harness", "emulate", "--ear", f"whisper:{tmp_path}"]
    done = subprocess.run(command, capture_output=True, timeout=100, check=False)
    assert 3 == done.returncode
    assert str(tmp_path) in done.stderr.decode()


@pytest.mark.ear
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux' list of children")
@pytest.mark.parametrize("how", ["stdin", "kill"])
def test_no_process_is_left_behind(how):
    """However it ends, killed outright included, the processes that hear and speak end too."""
    with emulator("--ear", "pocketsphinx", "--exit-with-stdin") as (process, told):
        assert told["ear"].startswith("pocketsphinx")
        assert told["sessions"] >= 1
        waits = [os.pidfd_open(one) for one in children(process.pid)]
        assert 1 + voice.installed() == len(waits)
        if how == "stdin":
            process.stdin.close()
            process.stdin = None
        else:
            process.kill()
        process.wait(100)

        async def ended(child):
            loop = asyncio.get_running_loop()
            gone = loop.create_future()
            loop.add_reader(child, lambda: gone.done() or gone.set_result(1))
            await asyncio.wait_for(gone, 100)

        for child in waits:
            asyncio.run(ended(child))
            os.close(child)


def answered(url, setup, *messages):
    """Return what a session brings up to the end of its first answer: transcript and speech."""
    from websockets.sync.client import connect

    heard, pcm = "", b""
    with connect(url + GEMINI, additional_headers={"x-goog-api-key": "any"}) as live:
        live.send(json.dumps({"setup": {"model": MODEL} | setup}))
        live.recv()
        for message in messages:
            live.send(json.dumps(message))
        for frame in live:
            content = json.loads(frame).get("serverContent", {})
            heard += content.get("inputTranscription", {}).get("text", "")
            for part in content.get("modelTurn", {}).get("parts", ()):
                pcm += base64.b64decode(part.get("inlineData", {}).get("data", ""))
            if content.get("generationComplete"):
                return heard, pcm
    raise AssertionError("the session ended before its answer did")


@pytest.mark.ear
@pytest.mark.capability("audio out: 24 kHz PCM", side="emulator")
@pytest.mark.skipif(not voice.installed(), reason="needs py-nanotts")
def test_it_hears_what_it_says():
    """What one session of it says at 24 kHz, another one hears, with a real voice and a real recogniser."""
    text = "the weather is good today"
    with emulator("--ear", "pocketsphinx") as (_, told):
        _, pcm = answered(
            told["url"],
            {"generationConfig": {"responseModalities": ["AUDIO"]}},
            turn(text),
        )
        data = base64.b64encode(pcm).decode()
        audio = {"mimeType": "audio/pcm;rate=24000", "data": data}
        heard, _ = answered(
            told["url"],
            {"generationConfig": {"responseModalities": ["TEXT"]}, "inputAudioTranscription": {}}
            | MANUAL,
            {"realtimeInput": {"activityStart": {}}},
            {"realtimeInput": {"audio": audio}},
            {"realtimeInput": {"activityEnd": {}}},
        )
    assert 3 <= len(set(text.split()) & set(heard.split())), heard
