"""Connections to the emulator in memory: what it says is kept with the loop's times, what it closes with as well."""

from __future__ import annotations

import asyncio
import base64
import json

from harness.emulator.conversation.conversation import Conversation
from harness.emulator.conversation.handles import Handles
from harness.emulator.ear.scripted import Line, Scripted
from harness.emulator.model.manners import Manners
from harness.wire.live import endpoint
from harness.wire.live.server import LiveServer
from tests.emulator.signals import burst
from tests.wire.published import assert_published

GEMINI = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
MODEL = "models/gemini-live-2.5-flash-preview"


def script(*fragments: str, delay_s: float = 0.0, every_s: float = 0.0) -> Scripted:
    """Return an ear that always hears the same."""
    return Scripted({"*": Line(fragments=list(fragments), delay_s=delay_s, every_s=every_s)})


class Drone:
    """A voice that hums: a second for every ten characters. It keeps what it was asked to say."""

    name = "drone"
    locales = ("de-DE", "en-GB", "en-US", "fr-FR")

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.said: list[tuple[str, str, float]] = []

    async def speech(self, text: str, *, locale: str, pitch: float) -> bytes:
        await asyncio.sleep(self.takes_s)
        self.said.append((text, locale, pitch))
        return burst(len(text) / 10, rate=24_000)


class Call:
    """A client's connection to one conversation."""

    def __init__(
        self, ear=None, *, path=GEMINI, manners=None, handles=None, era="later", voice=None
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.frames: list[bytes] = []
        self.heard: list[tuple[float, dict]] = []
        self.closed: tuple[int, str] | None = None
        self.closed_at: float | None = None
        self.holds: list[bool] = []
        manners = manners or Manners()
        self.conversation = Conversation(
            LiveServer(endpoint.route(path), era, assumed=manners.assumed),
            ear or script(" hello", " world"),
            self,
            manners,
            handles or Handles(),
            voice=voice,
        )

    # what the conversation calls
    def send(self, frame: bytes) -> None:
        assert self.closed is None, "nothing may be sent after a close"
        assert_published(frame, "Server")
        self.frames.append(frame)
        self.heard.append((self.loop.time(), json.loads(frame)))

    def close(self, code: int, reason: str) -> None:
        assert self.closed is None, "a connection is closed once"
        self.closed = (code, reason)
        self.closed_at = self.loop.time()

    def hold(self, full: bool) -> None:
        self.holds.append(full)

    # what a client does
    def say(self, message: dict) -> None:
        self.conversation.received(json.dumps(message))

    def set_up(self, **more) -> None:
        setup = {
            "model": MODEL,
            "generationConfig": {"responseModalities": ["TEXT"]},
            "inputAudioTranscription": {},
        }
        self.say({"setup": setup | more})

    def speak(self, pcm: bytes, *, rate: int = 16_000) -> None:
        """Send audio in one frame."""
        data = base64.b64encode(pcm).decode()
        blob = {"mimeType": f"audio/pcm;rate={rate}", "data": data}
        self.say({"realtimeInput": {"audio": blob}})

    async def stream(self, pcm: bytes, *, chunk_s: float = 0.1, rate: int = 16_000) -> None:
        """Send audio in real time."""
        size = round(chunk_s * rate) * 2
        for offset in range(0, len(pcm), size):
            await asyncio.sleep(chunk_s)
            self.speak(pcm[offset : offset + size], rate=rate)

    def signal(self, name: str) -> None:
        self.say({"realtimeInput": {name: True if name == "audioStreamEnd" else {}}})

    # what it heard
    @property
    def story(self) -> list[str]:
        """The kinds of what was said, in order."""
        return [kind(message) for _, message in self.heard]

    def texts(self, which: str) -> list[str]:
        """The texts of `input` or `output` transcription, of the `reply`, or of `thought`, in order."""
        found = []
        for _, message in self.heard:
            content = message.get("serverContent", {})
            if which == "input" and "inputTranscription" in content:
                found.append(content["inputTranscription"]["text"])
            if which == "output" and "outputTranscription" in content:
                found.append(content["outputTranscription"]["text"])
            if which in ("reply", "thought") and "modelTurn" in content:
                found += [
                    part["text"]
                    for part in content["modelTurn"]["parts"]
                    if "text" in part and part.get("thought", False) is (which == "thought")
                ]
        return found

    @property
    def speech(self) -> list[tuple[float, bytes]]:
        """The parts of speech, s16le mono 24 kHz, with the times they came at."""
        return [
            (t, base64.b64decode(part["inlineData"]["data"]))
            for t, message in self.heard
            for part in message.get("serverContent", {}).get("modelTurn", {}).get("parts", [])
            if "inlineData" in part
        ]

    def when(self, name: str) -> float:
        """Return when the first message of a kind came."""
        return next(t for t, message in self.heard if kind(message) == name)

    @property
    def usage(self) -> list[dict]:
        return [message["usageMetadata"] for _, message in self.heard if "usageMetadata" in message]

    @property
    def handles(self) -> list[str]:
        """The resumption handles that were issued."""
        updates = [message.get("sessionResumptionUpdate", {}) for _, message in self.heard]
        return [one["newHandle"] for one in updates if one.get("resumable")]


def kind(message: dict) -> str:
    """Return in one word what a server's message says."""
    for name, content in message.items():
        if name == "serverContent":
            (only,) = content
            names = {"inputTranscription": "heard", "modelTurn": "reply"}
            return names.get(only, only)
        if name == "sessionResumptionUpdate":
            return "handle" if content.get("resumable") else "no handle"
        if name != "usageMetadata":
            return name
    return "usage"


def turn(text: str) -> dict:
    """Return a complete turn of text."""
    turns = [{"role": "user", "parts": [{"text": text}]}]
    return {"clientContent": {"turns": turns, "turnComplete": True}}


MANUAL = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
