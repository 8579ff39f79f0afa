"""Connections to the emulator in memory: what it says is kept with the loop's times, what it closes with as well."""

from __future__ import annotations

import asyncio
import base64
import json

from harness.emulator.context import Handles
from harness.emulator.conversation import Conversation, Manners
from harness.emulator.scripted import Line, Scripted
from harness.wire.live import endpoint
from harness.wire.live.server import LiveServer

GEMINI = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
MODEL = "models/gemini-live-2.5-flash-preview"


def script(*fragments: str, delay_s: float = 0.0, every_s: float = 0.0) -> Scripted:
    """Return an ear that always hears the same."""
    return Scripted({"*": Line(fragments=list(fragments), delay_s=delay_s, every_s=every_s)})


class Call:
    """A client's connection to one conversation."""

    def __init__(self, ear=None, *, path=GEMINI, manners=None, handles=None, era="later") -> None:
        self.loop = asyncio.get_running_loop()
        self.frames: list[bytes] = []
        self.heard: list[tuple[float, dict]] = []
        self.closed: tuple[int, str] | None = None
        self.holds: list[bool] = []
        self.conversation = Conversation(
            LiveServer(endpoint.route(path), era),
            ear or script(" hello", " world"),
            self,
            manners or Manners(),
            handles or Handles(),
        )

    # what the conversation calls
    def send(self, frame: bytes) -> None:
        assert self.closed is None, "nothing may be sent after a close"
        self.frames.append(frame)
        self.heard.append((self.loop.time(), json.loads(frame)))

    def close(self, code: int, reason: str) -> None:
        assert self.closed is None, "a connection is closed once"
        self.closed = (code, reason)

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
        """The texts of `input` transcription or `reply`, in order."""
        found = []
        for _, message in self.heard:
            content = message.get("serverContent", {})
            if which == "input" and "inputTranscription" in content:
                found.append(content["inputTranscription"]["text"])
            if which == "reply" and "modelTurn" in content:
                found += [part["text"] for part in content["modelTurn"]["parts"]]
        return found

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
            return {"inputTranscription": "heard", "modelTurn": "reply"}.get(only, only)
        if name == "sessionResumptionUpdate":
            return "handle" if content.get("resumable") else "no handle"
        if name != "usageMetadata":
            return name
    return "usage"


MANUAL = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
