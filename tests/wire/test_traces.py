"""Whole conversations from the public reference, frame by frame through both machines.

Each file of `tests/golden/live` begins with what it shows, its source, and what must come of it; then a frame a line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.wire.live import codec
from harness.wire.live.client import LiveClient
from harness.wire.live.endpoint import Route
from harness.wire.live.messages import (
    Blob,
    ClientContent,
    ClientMessage,
    Content,
    Empty,
    FunctionResponse,
    Part,
    RealtimeInput,
    ServerMessage,
    ToolResponse,
)
from harness.wire.live.server import LiveServer

GOLDEN = Path(__file__).parents[1] / "golden" / "live"
TRACES = sorted(GOLDEN.glob("*.jsonl"))
for single in ("sdk-frames", "seen-frames", "seen-client-frames"):
    TRACES.remove(GOLDEN / f"{single}.jsonl")
BETA = Route(platform="gemini", version="v1beta")


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a golden file's header and its lines."""
    header, *lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return header, lines


def replayed(client: LiveClient, message: ClientMessage) -> bytes:
    """Return the frame the client makes when it is asked to say the same as `message`."""
    match message:
        case ClientMessage(realtime_input=RealtimeInput(audio=Blob(data=pcm))):
            frame = client.audio(pcm)
        case ClientMessage(realtime_input=RealtimeInput(activity_start=Empty())):
            frame = client.activity_start()
        case ClientMessage(realtime_input=RealtimeInput(activity_end=Empty())):
            frame = client.activity_end()
        case ClientMessage(realtime_input=RealtimeInput(audio_stream_end=True)):
            frame = client.audio_stream_end()
        case ClientMessage(client_content=ClientContent() as content):
            frame = client.content(content.turns, content.turn_complete)
        case ClientMessage(tool_response=ToolResponse(function_responses=responses)):
            frame = client.tool_response(responses)
        case _:
            frame = client.open()
    return frame


def test_there_are_traces():
    """The reference's five conversations are here, with the variants of two of them."""
    assert 7 == len(TRACES)


@pytest.mark.capability("tools: declarations, calls, responses", side="parts and emulator")
@pytest.mark.capability("tools: cancellation", side="parts and emulator")
@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_a_conversation_runs_through_both_machines(path):
    """Our client says every client frame as written, our server takes it and says every server frame as printed."""
    header, lines = read(path)
    setup = codec.decode_client(json.dumps(lines[0]["frame"])).setup
    assert setup is not None
    client, server = LiveClient(setup), LiveServer(BETA)
    texts = {"input": "", "reply": "", "output": ""}
    for line in lines:
        frame = line["frame"]
        if line["dir"] == ">":
            ours = replayed(client, codec.decode_client(json.dumps(frame)))
            assert frame == json.loads(ours)
            assert server.receive(ours)
            continue
        message = codec.decode_server(json.dumps(frame))
        theirs = server.send(message)
        assert json.dumps(frame, indent=2, ensure_ascii=False) + "\n" == theirs.decode()
        assert message == client.receive(theirs)
        if content := message.server_content:
            for name, part in (
                ("input", content.input_transcription),
                ("output", content.output_transcription),
            ):
                texts[name] += part.text if part else ""
            turn = content.model_turn or Content()
            texts["reply"] += "".join(part.text or "" for part in turn.parts)
    for name, text in texts.items():
        assert header[name] == text.strip()
    assert header["handle"] == client.handle
    assert header["go_away_s"] == client.go_away_s


@pytest.mark.capability("setup: every field, with its defaults", side="parts and emulator")
def test_the_sdks_own_frames_are_read():
    """What the official SDK writes, casings mixed and base64 URL-safe, is read with no unknown field left over."""
    _, (setup, audio, start, end, content, answer) = read(GOLDEN / "sdk-frames.jsonl")
    message = codec.decode_client(json.dumps(setup))
    assert {
        "setup": {
            "model": "models/gemini-live-2.5-flash-preview",
            "generationConfig": {
                "responseModalities": ["AUDIO"],
                "speechConfig": {
                    "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}},
                    "languageCode": "pl-PL",
                },
            },
            "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]},
            "realtimeInputConfig": {
                "automaticActivityDetection": {
                    "startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
                    "silenceDurationMs": 100,
                }
            },
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
            "sessionResumption": {},
            "contextWindowCompression": {"slidingWindow": {}},
        }
    } == codec.to_json(message)
    decoded = [codec.decode_client(json.dumps(one)) for one in (audio, start, end, content, answer)]
    blob = decoded[0].realtime_input.audio
    assert (b"\x00\x01\xfe\xff", "audio/pcm;rate=16000") == (blob.data, blob.mime_type)
    assert decoded[1].realtime_input.activity_start is not None
    assert decoded[2].realtime_input.audio_stream_end
    assert [Content(role="user", parts=[Part(text="Hi")])] == decoded[3].client_content.turns
    assert decoded[3].client_content.turn_complete
    expected = FunctionResponse(id="1", name="f", response={"result": "ok"})
    assert [expected] == decoded[4].tool_response.function_responses
    server = LiveServer(BETA)
    assert server.receive(json.dumps(setup))
    for frame in (audio, end, content, answer):
        assert server.receive(json.dumps(frame))


# ── Google's own definitions ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def google():
    """Return Google's own message classes, or skip: they are a witness, not a need."""
    proto = pytest.importorskip("google.ai.generativelanguage_v1beta")
    return (
        proto.BidiGenerateContentClientMessage.pb(),
        proto.BidiGenerateContentServerMessage.pb(),
    )


@pytest.mark.witness
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_google_reads_every_frame_and_means_the_same(path, google):
    """Google's definitions take each frame as we write it, and what they print of it we read as the same message."""
    from google.protobuf import json_format

    for line in read(path)[1]:
        if line["dir"] == ">":
            ours, theirs = codec.decode_client(json.dumps(line["frame"])), google[0]()
            decode = codec.decode_client
        else:
            ours, theirs = codec.decode_server(json.dumps(line["frame"])), google[1]()
            decode = codec.decode_server
        json_format.ParseDict(codec.to_json(ours), theirs)
        for snake in (False, True):
            printed = json_format.MessageToJson(theirs, preserving_proto_field_name=snake)
            assert _comparable(ours) == _comparable(decode(printed))


def _comparable(message: ClientMessage | ServerMessage) -> str:
    """Return a message's JSON with one spelling of durations, numbers, and the one name Python's protos change."""
    text = json.dumps(codec.to_json(message), sort_keys=True)
    return text.replace('.000s"', 's"').replace("11.0", "11").replace('"type_"', '"type"')
