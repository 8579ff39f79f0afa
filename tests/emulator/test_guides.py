"""The Live guides' own samples, with a clip of ours and the emulator's URL: those that work, and those that hang.

What each does is stated as in the Live API capabilities guide and the Vertex AI Live API overview of autumn 2025, call
for call; their text is not copied.
"""

from __future__ import annotations

import asyncio

import pytest

from harness.clock import run_virtual
from tests.emulator.memory import Call, script
from tests.emulator.signals import burst, hush
from tests.emulator.test_sdk import HALF, dial, emulator, types  # noqa: F401 - fixtures

SPEECH = hush(0.2) + burst(2.0)
"""A clip that ends with its last word, as clips do."""

WAIT_S = 500
"""Longer than anybody waits, and shorter than a connection lasts."""


# ── As printed, with the SDK ─────────────────────────────────────────────────────────────────────────────────────────

sdk = [pytest.mark.witness, pytest.mark.wall, pytest.mark.filterwarnings("ignore")]


def marked(test):
    """Mark a test that runs a sample with the SDK."""
    for mark in sdk:
        test = mark(test)
    return test


@marked
@pytest.mark.capability("text: turns", side="emulator")
async def test_send_and_receive_text(dial):  # noqa: F811 - the fixture
    """“Sending and receiving text”: a turn by `send_client_content`, the answer's `text` as it comes."""
    async with dial() as session:
        await session.send_client_content(
            turns={"role": "user", "parts": [{"text": "Hello, how are you?"}]}, turn_complete=True
        )
        answer = [one.text async for one in session.receive() if one.text is not None]
    assert "Hello, how are you?" == "".join(answer)


@marked
@pytest.mark.capability("audio in: transcription", side="emulator")
async def test_audio_to_text_whole(dial):  # noqa: F811 - the fixture
    """“Sending and receiving audio”, text out: the whole file in one blob works when the file ends with silence."""
    async with dial() as session:
        blob = types.Blob(data=SPEECH + hush(2), mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=blob)
        answer = [one.text async for one in session.receive() if one.text is not None]
    assert "seconds of audio" in "".join(answer)


@marked
@pytest.mark.capability("audio out: 24 kHz PCM", side="emulator")
async def test_text_to_audio(dial, tmp_path):  # noqa: F811 - the fixture
    """“Generating audio”: what comes as `data` makes a WAV file of 24 kHz, mono, 16 bit."""
    import wave

    path = tmp_path / "audio.wav"
    async with dial(modality="AUDIO") as session:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(24_000)
            await session.send_client_content(
                turns={"role": "user", "parts": [{"text": "Hello, how are you?"}]},
                turn_complete=True,
            )
            async for response in session.receive():
                if response.data is not None:
                    file.writeframes(response.data)
    with wave.open(str(path)) as file:
        assert 0.5 < file.getnframes() / 24_000 < 5


@marked
@pytest.mark.capability("audio out: output transcription", side="emulator")
async def test_output_transcription(dial):  # noqa: F811 - the fixture
    """“Audio transcriptions”, output: model turn and transcript come beside each other."""
    turns, spoken = 0, ""
    async with dial(modality="AUDIO", output_audio_transcription={}) as session:
        await session.send_client_content(
            turns={"role": "user", "parts": [{"text": "Are you there?"}]}, turn_complete=True
        )
        async for response in session.receive():
            if response.server_content and response.server_content.model_turn:
                turns += 1
            if response.server_content and response.server_content.output_transcription:
                spoken += response.server_content.output_transcription.text
    assert turns > 3
    assert "Are you there?" == spoken.strip()


@marked
@pytest.mark.capability("audio in: sensitivities, padding, silence", side="emulator")
async def test_configured_detection(dial):  # noqa: F811 - the fixture
    """“Automatic VAD configuration”: low sensitivities, 20 ms and 100 ms; that splits at nearly every pause."""
    detection = {
        "disabled": False,
        "start_of_speech_sensitivity": types.StartSensitivity.START_SENSITIVITY_LOW,
        "end_of_speech_sensitivity": types.EndSensitivity.END_SENSITIVITY_LOW,
        "prefix_padding_ms": 20,
        "silence_duration_ms": 100,
    }
    config = {"automatic_activity_detection": detection}
    async with dial(input_audio_transcription={}, realtime_input_config=config) as session:
        pcm = burst(1.0) + hush(0.3) + burst(1.0) + hush(0.3)
        blob = types.Blob(data=pcm, mime_type="audio/pcm;rate=16000")
        await session.send_realtime_input(audio=blob)
        for _ in range(2):
            async with asyncio.timeout(100):
                turn = [one.server_content async for one in session.receive() if one.server_content]
            assert turn[-1].turn_complete


@marked
@pytest.mark.capability("usage: per modality, turn and session", side="emulator")
async def test_token_count(dial):  # noqa: F811 - the fixture
    """“Token count”: the total, and the response's tokens by modality, which the sample takes to be there."""
    async with dial() as session:
        await session.send_client_content(
            turns={"role": "user", "parts": [{"text": "Hello?"}]}, turn_complete=True
        )
        async for message in session.receive():
            if message.usage_metadata:
                usage = message.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.response_token_count
    for detail in usage.response_tokens_details:
        assert ("TEXT", 2) == (detail.modality.value, detail.token_count)


# ── As printed, and waiting for ever ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("audio in: automatic activity detection", side="emulator")
@pytest.mark.parametrize(
    "after, answered", [(b"", False), (hush(2), True)], ids=["as clips end", "with silence"]
)
def test_a_file_that_ends_with_its_last_word_is_waited_for_in_vain(after, answered):
    """The audio samples send a whole file and no end: without silence behind it no turn ends, however long they wait."""

    async def scene():
        call = Call(script(" hello"))
        call.set_up()
        call.speak(SPEECH + after)
        await asyncio.sleep(WAIT_S)
        return call.story, call.closed

    story, closed = run_virtual(scene())
    assert answered is ("turnComplete" in story)
    assert closed is None


@pytest.mark.capability("audio in: audioStreamEnd", side="emulator")
def test_what_the_samples_lack_is_an_end():
    """The same file is answered when the end of the stream is told."""

    async def scene():
        call = Call(script(" hello"))
        call.set_up()
        call.speak(SPEECH)
        call.signal("audioStreamEnd")
        await asyncio.sleep(WAIT_S)
        return call.story

    assert "turnComplete" in run_virtual(scene())


def test_a_loop_that_breaks_on_other_frames_hears_nothing():
    """The Vertex overview's raw loop ends at the first frame without `serverContent`, and a handle is such a frame."""

    async def scene():
        call = Call(script(" hello"))
        call.set_up(sessionResumption={})
        call.say({"clientContent": {"turns": [{"parts": [{"text": "Hi."}]}], "turnComplete": True}})
        await asyncio.sleep(WAIT_S)
        return [message for _, message in call.heard[1:]]

    messages = run_virtual(scene())
    as_printed = []
    for message in messages:
        if "serverContent" not in message:
            break
        as_printed.append(message)
    assert [] == as_printed
    assert any("modelTurn" in one.get("serverContent", {}) for one in messages)


def test_text_sent_brings_no_input_transcription():
    """The Vertex overview's “transcribe audio” sends text, so no input transcription ever comes."""

    async def scene():
        call = Call(script(" hello"))
        call.set_up(inputAudioTranscription={})
        call.say({"clientContent": {"turns": [{"parts": [{"text": "Hi."}]}], "turnComplete": True}})
        await asyncio.sleep(WAIT_S)
        return call.story

    story = run_virtual(scene())
    assert "turnComplete" in story
    assert "heard" not in story
