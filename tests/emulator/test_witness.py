"""Google's own SDK and message definitions as witnesses of the emulator."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from tests.emulator.memory import Call, script
from tests.emulator.signals import burst, hush

pytestmark = [pytest.mark.witness, pytest.mark.filterwarnings("ignore")]

DOCS = Path(__file__).parents[2] / "docs" / "emulator.md"

SDK = """
import asyncio, json, sys
from google import genai
from google.genai import types

async def main(url, pcm):
    client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=url))
    config = {
        "response_modalities": ["TEXT"],
        "input_audio_transcription": {},
        "session_resumption": {},
        "realtime_input_config": {"automatic_activity_detection": {"disabled": True}},
    }
    heard = reply = ""
    usage = handle = None
    async with client.aio.live.connect(model="gemini-live-2.5-flash-preview", config=config) as live:
        await live.send_realtime_input(activity_start=types.ActivityStart())
        for offset in range(0, len(pcm), 3200):
            blob = types.Blob(data=pcm[offset:offset + 3200], mime_type="audio/pcm;rate=16000")
            await live.send_realtime_input(audio=blob)
        await live.send_realtime_input(activity_end=types.ActivityEnd())
        async for message in live.receive():
            if message.session_resumption_update and message.session_resumption_update.resumable:
                handle = message.session_resumption_update.new_handle
            if message.usage_metadata:
                usage = message.usage_metadata.total_token_count
            content = message.server_content
            if content and content.input_transcription:
                heard += content.input_transcription.text
            if message.text:
                reply += message.text
    print(json.dumps({"heard": heard, "reply": reply, "usage": usage, "handle": bool(handle)}))

asyncio.run(main(sys.argv[1], sys.stdin.buffer.read()))
"""


def said_by(ear, program, *arguments, tls=True, pcm=b""):
    """Return what `program` prints, given the URL of `harness emulate --tls`, and SSL_CERT_FILE alone."""
    command = [sys.executable, "-m", "harness", "emulate", "--port", "0", "--tls", "--ear", ear]
    emulator = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        told = json.loads(emulator.stdout.readline())
        url = told["tls_url"].replace("wss", "https") if tls else told["url"]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, url, *arguments],
            input=pcm,
            capture_output=True,
            env=os.environ | {"SSL_CERT_FILE": told["ca_file"], "NO_PROXY": "127.0.0.1"},
            timeout=100,
            check=False,
        )
    finally:
        emulator.terminate()
        assert 0 == emulator.wait(10)
        emulator.stdout.close()
    assert 0 == done.returncode, done.stderr.decode()[-2000:]
    return done.stdout.decode()


def sdk_session(ear, pcm):
    """Return what the SDK hears in `pcm`."""
    return json.loads(said_by(ear, SDK, pcm=pcm))


@pytest.mark.wall
@pytest.mark.parametrize("name, tls", [("raw", False), ("sdk", True)])
def test_the_examples_of_the_manual_run(name, tls, tmp_path):
    """Both programs that docs/emulator.md shows print what was heard, as they stand there."""
    shown = DOCS.read_text().split(f"<!-- example: {name} -->\n```python\n")[1]
    with wave.open(str(tmp_path / "speech.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(burst(2.0))
    program = shown.split("```")[0]
    printed = said_by("scripted", program, str(tmp_path / "speech.wav"), tls=tls)
    assert " 2.0 seconds of audio\n" == printed


@pytest.mark.capability("connection: TLS", side="parts and emulator")
@pytest.mark.capability("setup: every field, with its defaults", side="emulator")
@pytest.mark.wall
def test_googles_sdk_holds_a_session():
    """The official SDK, told nothing but base URL and certificate, gets transcription, reply, usage and a handle."""
    found = sdk_session("scripted", burst(2.0))
    assert {
        "heard": " 2.0 seconds of audio",
        "reply": "2.0 seconds of audio",
        "usage": 50 + 5,
        "handle": True,
    } == found


@pytest.mark.capability("audio in: transcription", side="emulator")
@pytest.mark.wall
@pytest.mark.ear
def test_googles_sdk_gets_the_text_that_our_client_gets():
    """With a real ear the SDK's transcript is that of our own client, character by character."""
    from harness.emulator.ear import ears
    from tests.emulator.test_recognisers import clip, heard

    if "whisper" not in ears.available():
        pytest.skip("needs whisper's weights")
    pcm = clip("en-US-austen-0930")
    ours = "".join(heard(ears.load("whisper"), pcm))
    assert ours == sdk_session("whisper", pcm)["heard"]


def test_every_frame_is_one_of_googles_messages():
    """All that a session sends parses as the published server message, with no field or value it does not know."""
    from google.ai import generativelanguage_v1beta as published
    from google.protobuf import json_format

    from harness.clock import run_virtual
    from harness.emulator.model.manners import Manners

    async def scene():
        manners = Manners(connection_s=30, go_away_lead_s=5)
        call = Call(script("word " * 300), manners=manners)
        call.set_up(sessionResumption={})
        for _ in range(2):
            await call.stream(hush(0.2) + burst(1.0) + hush(1.0))
        await asyncio.sleep(25)
        return call

    call = run_virtual(scene())
    kinds = set()
    for frame in call.frames:
        message = published.BidiGenerateContentServerMessage.pb()()
        json_format.Parse(frame, message)
        kinds.add(message.WhichOneof("message_type"))
    assert {"setup_complete", "server_content", "go_away", "session_resumption_update"} == kinds
    assert {"interrupted", "goAway", "no handle"} < set(call.story)
