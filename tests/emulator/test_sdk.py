"""The official SDK, unmodified and told nothing but base URL and certificate, through everything the emulator serves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys

import pytest

from tests.emulator.signals import burst, hush

genai = pytest.importorskip("google.genai")
types = pytest.importorskip("google.genai.types")

pytestmark = [
    pytest.mark.witness,
    pytest.mark.wall,
    pytest.mark.filterwarnings("ignore"),
]

HALF = "gemini-live-2.5-flash-preview"
NATIVE = "gemini-2.5-flash-native-audio-preview-09-2025"

ANSWERS = [
    {
        "when": {"text": "how warm"},
        "call": {"name": "get_temp", "args": {"city": "Gdynia"}},
        "after": "It is {celsius} degrees.",
    },
    {"when": {"text": "news"}, "say": "No news.", "grounding": {"webSearchQueries": ["news"]}},
    {"when": {"text": "riddle"}, "think": "This one is old.", "say": "A towel."},
    {"when": {"text": "hush"}, "silent": True},
]

GET_TEMP = {
    "name": "get_temp",
    "description": "temperature",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    """Give what `harness emulate --tls` says when it is ready."""
    answers = tmp_path_factory.mktemp("answers") / "answers.jsonl"
    answers.write_text("\n".join(map(json.dumps, ANSWERS)))
    command = [sys.executable, "-m", "harness", "emulate", "--port", "0", "--tls"]
    process = subprocess.Popen(
        [*command, "--ear", "scripted", "--answers", str(answers), "--silence-ms", "300"],
        stdout=subprocess.PIPE,
    )
    yield json.loads(process.stdout.readline())
    process.terminate()
    assert 0 == process.wait(10)
    process.stdout.close()


@pytest.fixture
def dial(emulator, monkeypatch):
    """Give a function that opens a session as the SDK's users do."""
    monkeypatch.setenv("SSL_CERT_FILE", emulator["ca_file"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    base = emulator["tls_url"].replace("wss", "https")

    def client(key="any", version="v1beta", **more):
        options = types.HttpOptions(base_url=base, api_version=version)
        if not more:
            more = {"api_key": key}
        return genai.Client(http_options=options, **more)

    @contextlib.asynccontextmanager
    async def session(model=HALF, modality="TEXT", by=None, **config):
        config = {"response_modalities": [modality]} | config
        async with (by or client()).aio.live.connect(model=model, config=config) as live:
            yield live

    session.client = client
    return session


def said(*texts: str):
    """Return a user's turns."""
    return [{"role": "user", "parts": [{"text": text}]} for text in texts]


async def heard(live, seconds=100):
    """Return what comes up to the end of a turn."""
    async with asyncio.timeout(seconds):
        return [message async for message in live.receive()]


def text(messages) -> str:
    """Return the answer in messages, thoughts left out."""
    parts = [
        part
        for one in messages
        if one.server_content and one.server_content.model_turn
        for part in one.server_content.model_turn.parts
    ]
    return "".join(part.text for part in parts if part.text and not part.thought)


def contents(messages) -> list:
    """Return the server content of messages."""
    return [one.server_content for one in messages if one.server_content]


@pytest.mark.capability("text: turns", side="emulator")
@pytest.mark.capability("text: incremental context", side="emulator")
async def test_text(dial):
    """A turn is answered; one that is not complete is context, and is answered when it is completed."""
    async with dial() as live:
        await live.send_client_content(turns=said("Good morning."))
        assert "Good morning." == text(await heard(live))
        await live.send_client_content(turns=said("Remember this."), turn_complete=False)
        await live.send_client_content(turns=said("And that."), turn_complete=True)
        messages = await heard(live)
        assert "And that." == text(messages)
    usage = [one.usage_metadata for one in messages if one.usage_metadata]
    assert usage[-1].prompt_token_count > 10


@pytest.mark.capability("text: realtime text", side="emulator")
async def test_realtime_text(dial):
    """Realtime text is a turn of its own."""
    async with dial() as live:
        await live.send_realtime_input(text="Quick one.")
        assert "Quick one." == text(await heard(live))


async def stream(live, pcm, rate=16_000):
    """Send audio as the SDK's users do, as fast as it goes."""
    for offset in range(0, len(pcm), rate // 5):
        blob = types.Blob(data=pcm[offset : offset + rate // 5], mime_type=f"audio/pcm;rate={rate}")
        await live.send_realtime_input(audio=blob)


def transcript(messages) -> str:
    """Return the transcript of what was heard."""
    found = [one.input_transcription for one in contents(messages)]
    return "".join(one.text for one in found if one)


MANUAL = {"automatic_activity_detection": {"disabled": True}}


@pytest.mark.capability("audio in: manual activity", side="emulator")
@pytest.mark.capability("audio in: transcription", side="emulator")
async def test_marked_turns(dial):
    """Activity signals frame a turn, however long its pauses, and the transcript comes."""
    async with dial(input_audio_transcription={}, realtime_input_config=MANUAL) as live:
        await live.send_realtime_input(activity_start={})
        await stream(live, burst(1.0) + hush(1.0) + burst(1.0))
        await live.send_realtime_input(activity_end={})
        assert 1 == len([one for one in contents(await heard(live)) if one.turn_complete])


@pytest.mark.capability("audio in: automatic activity detection", side="emulator")
@pytest.mark.capability("audio in: sensitivities, padding, silence", side="emulator")
@pytest.mark.capability("audio in: audioStreamEnd", side="emulator")
@pytest.mark.capability("audio in: turn coverage", side="emulator")
async def test_detected_turns(dial):
    """Silence as long as was asked for ends a turn, and so does the end of the stream."""
    detection = {
        "start_of_speech_sensitivity": "START_SENSITIVITY_LOW",
        "end_of_speech_sensitivity": "END_SENSITIVITY_HIGH",
        "prefix_padding_ms": 20,
        "silence_duration_ms": 400,
    }
    realtime = {
        "automatic_activity_detection": detection,
        "turn_coverage": "TURN_INCLUDES_ONLY_ACTIVITY",
        "activity_handling": "NO_INTERRUPTION",
    }
    async with dial(input_audio_transcription={}, realtime_input_config=realtime) as live:
        await stream(live, hush(0.3) + burst(1.0) + hush(0.6))
        assert "seconds of audio" in transcript(await heard(live))
        await stream(live, burst(1.0))
        await live.send_realtime_input(audio_stream_end=True)
        assert "seconds of audio" in transcript(await heard(live))


@pytest.mark.capability("audio out: 24 kHz PCM", side="emulator")
@pytest.mark.capability("audio out: voices", side="emulator")
@pytest.mark.capability("audio out: language code", side="emulator")
@pytest.mark.capability("audio out: output transcription", side="emulator")
@pytest.mark.capability("usage: per modality, turn and session", side="emulator")
async def test_speech(dial):
    """It speaks in the voice and language that were asked for, and its transcript says what."""
    voice = {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}}
    speech = voice | {"language_code": "de-DE"}
    async with dial(modality="AUDIO", speech_config=speech, output_audio_transcription={}) as live:
        await live.send_client_content(turns=said("Guten Tag."))
        messages = await heard(live)
    parts = [part for one in contents(messages) if one.model_turn for part in one.model_turn.parts]
    assert {"audio/pcm;rate=24000"} == {part.inline_data.mime_type for part in parts}
    seconds = sum(len(part.inline_data.data) for part in parts) / 48_000
    assert 0.3 < seconds < 5
    spoken = [one.output_transcription for one in contents(messages)]
    assert "Guten Tag." == "".join(one.text for one in spoken if one).strip()
    usage = next(one.usage_metadata for one in messages if one.usage_metadata)
    billed = {one.modality.value: one.token_count for one in usage.response_tokens_details}
    assert billed["AUDIO"] == pytest.approx(seconds * 25, abs=2)


@pytest.mark.capability("audio out: interruption", side="emulator")
@pytest.mark.capability("audio in: activity handling", side="emulator")
async def test_interruption(dial):
    """New content cuts the speech: `interrupted`, the end of the turn, and then the new answer."""
    async with dial(modality="AUDIO", output_audio_transcription={}) as live:
        await live.send_client_content(turns=said("one two three four five six seven " * 8))
        async for message in live.receive():
            if message.data:
                await live.send_client_content(turns=said("Stop."))
                break
        rest = contents(await heard(live))
        assert [True] == [one.interrupted for one in rest if one.interrupted]
        assert not any(one.generation_complete for one in rest)
        spoken = [one.output_transcription for one in contents(await heard(live))]
        assert "Stop." == "".join(one.text for one in spoken if one).strip()


@pytest.mark.capability("tools: declarations, calls, responses", side="emulator")
async def test_tools(dial):
    """A declared function is called, waited for, and its response is spoken of."""
    async with dial(tools=[{"function_declarations": [GET_TEMP]}]) as live:
        await live.send_client_content(turns=said("How warm is it?"))
        async for message in live.receive():
            if message.tool_call:
                (call,) = message.tool_call.function_calls
                break
        assert ("get_temp", {"city": "Gdynia"}) == (call.name, call.args)
        answer = types.FunctionResponse(id=call.id, name=call.name, response={"celsius": 11})
        await live.send_tool_response(function_responses=[answer])
        assert "It is 11 degrees." == text(await heard(live))


@pytest.mark.capability("tools: cancellation", side="emulator")
async def test_cancellation(dial):
    """Who speaks before the response comes takes the call back, by its id."""
    async with dial(tools=[{"function_declarations": [GET_TEMP]}]) as live:
        await live.send_client_content(turns=said("How warm is it?"))
        cancelled = called = None
        async with asyncio.timeout(100):
            async for message in live.receive():
                if message.tool_call:
                    called = message.tool_call.function_calls[0].id
                    await live.send_client_content(turns=said("Never mind."))
                if message.tool_call_cancellation:
                    cancelled = message.tool_call_cancellation.ids
        assert [called] == cancelled
        assert "Never mind." == text(await heard(live))


@pytest.mark.capability("tools: blocking and not", side="emulator")
async def test_functions_that_do_not_block(dial):
    """A turn ends while a NON_BLOCKING function runs; its response is spoken of afterwards."""
    function = GET_TEMP | {"behavior": "NON_BLOCKING"}
    async with dial(tools=[{"function_declarations": [function]}]) as live:
        await live.send_client_content(turns=said("How warm is it?"))
        messages = await heard(live)
        call = next(one.tool_call.function_calls[0] for one in messages if one.tool_call)
        answer = types.FunctionResponse(
            id=call.id, name=call.name, response={"celsius": 12}, scheduling="WHEN_IDLE"
        )
        await live.send_tool_response(function_responses=[answer])
        assert "It is 12 degrees." == text(await heard(live))


@pytest.mark.capability("tools: search grounding", side="emulator")
@pytest.mark.capability("usage: tool-use tokens", side="emulator")
async def test_grounding(dial):
    """With the search tool an answer carries its grounding, and the bill what was found."""
    async with dial(tools=[{"google_search": {}}]) as live:
        await live.send_client_content(turns=said("Any news?"))
        messages = await heard(live)
    found = [one.grounding_metadata for one in contents(messages)]
    assert [["news"]] == [one.web_search_queries for one in found if one]
    usage = next(one.usage_metadata for one in messages if one.usage_metadata)
    [detail] = usage.tool_use_prompt_tokens_details
    assert ("TEXT", usage.tool_use_prompt_token_count) == (detail.modality, detail.token_count)


@pytest.mark.capability("native audio: thinking", side="emulator")
@pytest.mark.capability("usage: thoughts", side="emulator")
async def test_thoughts(dial):
    """A model that thinks sends summaries apart from its answer, and bills them apart."""
    thinking = {"thinking_budget": 1024, "include_thoughts": True}
    async with dial(NATIVE, "AUDIO", thinking_config=thinking) as live:
        await live.send_client_content(turns=said("A riddle, please."))
        messages = await heard(live)
    parts = [part for one in contents(messages) if one.model_turn for part in one.model_turn.parts]
    assert ["This one is old."] == [part.text for part in parts if part.thought]
    usage = next(one.usage_metadata for one in messages if one.usage_metadata)
    assert usage.thoughts_token_count > 0


@pytest.mark.capability("native audio: proactive audio", side="emulator")
@pytest.mark.capability("native audio: affective dialogue", side="emulator")
@pytest.mark.capability("connection: v1beta, v1alpha, v1", side="emulator")
async def test_silence(dial):
    """On v1alpha a proactive model may end a turn without a word; on v1beta the setup is refused."""
    native = {"proactivity": {"proactive_audio": True}, "enable_affective_dialog": True}
    async with dial(NATIVE, "AUDIO", by=dial.client(version="v1alpha"), **native) as live:
        await live.send_client_content(turns=said("Hush now."))
        found = contents(await heard(live))
        assert found[-1].turn_complete
        assert not any(one.model_turn for one in found)
    with pytest.raises(genai.errors.APIError) as refused:
        async with dial(NATIVE, "AUDIO", **native) as live:
            await heard(live)
    assert 1007 == refused.value.code


@pytest.mark.capability("video in: pictures", side="emulator")
@pytest.mark.capability("video in: media resolution", side="emulator")
async def test_pictures(dial):
    """A picture is taken and billed."""
    async with dial(media_resolution="MEDIA_RESOLUTION_LOW") as live:
        picture = types.Blob(data=b"\xff\xd8\xff\xd9", mime_type="image/jpeg")
        await live.send_realtime_input(video=picture)
        await live.send_client_content(turns=said("What is that?"))
        messages = await heard(live)
    usage = next(one.usage_metadata for one in messages if one.usage_metadata)
    assert {"VIDEO", "TEXT"} == {one.modality.value for one in usage.prompt_tokens_details}


@pytest.mark.capability("long sessions: resumption", side="emulator")
@pytest.mark.capability("long sessions: context-window compression", side="emulator")
async def test_resumption(dial):
    """A handle opens the session again, with its context; a handle that is none is refused."""
    config = {"context_window_compression": {"sliding_window": {}}}

    async def turn(live, words):
        await live.send_client_content(turns=said(words))
        messages = await heard(live)
        return next(one.usage_metadata.prompt_token_count for one in messages if one.usage_metadata)

    async with dial(session_resumption={}, **config) as live:
        first = await turn(live, "The first thing that I say.")
        handle = None
        async with asyncio.timeout(100):
            async for message in live.receive():
                if (update := message.session_resumption_update) and update.resumable:
                    handle = update.new_handle
                    break
    async with dial(session_resumption={"handle": handle}, **config) as live:
        assert await turn(live, "The second.") > first
    with pytest.raises(genai.errors.APIError) as refused:
        async with dial(session_resumption={"handle": "nonsense"}) as live:
            await heard(live)
    assert 1008 == refused.value.code


@pytest.mark.capability("setup: close codes and reasons", side="emulator")
@pytest.mark.capability("setup: rules, checked before connecting", side="emulator")
@pytest.mark.parametrize(
    "model, config, code, words",
    [
        (NATIVE, {"modality": "TEXT"}, 1007, "Cannot extract voices"),
        (HALF, {"response_modalities": ["TEXT", "AUDIO"]}, 1007, "invalid argument"),
        ("gemini-1.0-nano", {}, 1008, "is not found for API version"),
        (HALF, {"speech_config": {"language_code": "tlh"}}, 1007, "Unsupported language"),
    ],
)
async def test_refusals(dial, model, config, code, words):
    """What the service refuses the SDK raises with the close code and the service's words."""
    with pytest.raises(genai.errors.APIError) as refused:
        async with dial(model, **config) as live:
            await heard(live)
    assert code == refused.value.code
    assert words in str(refused.value)


@pytest.mark.capability("connection: ephemeral tokens", side="emulator")
@pytest.mark.capability("connection: ephemeral tokens, locked setups", side="emulator")
async def test_tokens(dial):
    """The SDK mints a token that locks the model, and opens one session with it, not two."""
    minter = dial.client(version="v1alpha")
    constraint = types.LiveConnectConstraints(
        model=HALF, config=types.LiveConnectConfig(response_modalities=["TEXT"], temperature=0.5)
    )
    config = types.CreateAuthTokenConfig(
        uses=1, live_connect_constraints=constraint, lock_additional_fields=["top_p"]
    )
    token = await asyncio.to_thread(minter.auth_tokens.create, config=config)
    holder = dial.client(key=token.name, version="v1alpha")
    async with dial("gemini-nonsense", by=holder) as live:
        await live.send_client_content(turns=said("Let me in."))
        assert "Let me in." == text(await heard(live))
    with pytest.raises(genai.errors.APIError) as refused:
        async with dial(by=holder) as live:
            await heard(live)
    assert 1008 == refused.value.code


@pytest.mark.capability("connection: Vertex AI: refreshed bearer tokens", side="emulator")
@pytest.mark.capability("connection: Vertex AI: regional, global, multi-region", side="emulator")
@pytest.mark.capability("usage: both spellings", side="emulator")
@pytest.mark.parametrize("location", ["europe-west4", "global", "eu"])
async def test_vertex(dial, location):
    """On Vertex AI the SDK's bearer token and resource names are taken, and the bill has Vertex AI's names."""
    from google.oauth2.credentials import Credentials

    client = dial.client(
        version="v1beta1",
        vertexai=True,
        project="p",
        location=location,
        credentials=Credentials(token="ya29.any"),  # noqa: S106 - any token opens the emulator
    )
    async with dial("gemini-live-2.5-flash", by=client) as live:
        await live.send_client_content(turns=said("Hello, Vertex."))
        messages = await heard(live)
    assert "Hello, Vertex." == text(messages)
    usage = next(one.usage_metadata for one in messages if one.usage_metadata)
    assert usage.response_token_count == 4


NOT_OURS = (
    # Needs a picture that the package does not ship.
    "image",
    # Expects the version that an older SDK dials.
    "keeps_client_base_url",
)


def test_the_sdk_is_as_it_was_shipped(tmp_path):
    """The SDK that bears witness here passes its own tests of the Live API, but for those that need more than itself."""
    from pathlib import Path

    folder = Path(genai.__file__).parent / "tests" / "live"
    if not folder.is_dir():
        pytest.skip("this release of the SDK ships no tests")
    import trustme

    # Every client reads all certificates that it trusts: one is enough where nothing is dialled.
    trustme.CA().cert_pem.write_to_path(tmp_path / "one.pem")
    ran = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-c", "/dev/null", "--rootdir", str(folder), "-o", "asyncio_mode=auto"),
            *("-k", " and ".join(f"not {one}" for one in NOT_OURS)),
            *(str(path) for path in sorted(folder.glob("test_*.py")) if "music" not in path.name),
        ],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=os.environ | {"SSL_CERT_FILE": str(tmp_path / "one.pem")},
    )
    assert 0 == ran.returncode, ran.stdout[-2000:]
    assert int(ran.stdout.rsplit(" passed")[-2].split()[-1]) > 100
