"""A service in memory: a function answers frames, on the loop's own time. For virtual time and for misbehaviour."""

from __future__ import annotations

import asyncio
import json

import msgspec

from harness.audio.clip import AudioClip, MemoryPcm
from harness.secret import Secret
from harness.session.assignment import Assignment
from harness.session.drive import Session
from harness.session.errand import Transcribe
from harness.session.frames import Frames
from harness.session.pace import Pacer
from harness.session.transport import Closed, Upgraded
from harness.session.waits import Waits
from harness.trace.trace import TraceHeader
from harness.wire.live import endpoint as live
from harness.wire.live.setups import transcription_setup
from tests.wire.published import assert_published

MODEL = "gemini-live-2.5-flash-preview"
KEY = "a-key-nobody-may-see"


class Line:
    """The service's end of one connection, and the connection the session holds."""

    def __init__(self, listener, answer) -> None:
        self.loop = asyncio.get_running_loop()
        self.listener = listener
        self.answer = answer
        self.heard: list[dict] = []
        self.said = 0
        self.over = False
        self.congested = False

    # what the session calls
    def send(self, payload: bytes) -> None:
        if not self.over:
            assert_published(payload, "Client")
            frame = json.loads(payload)
            self.heard.append(frame)
            self.loop.call_soon(self.answer, self, frame)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.loop.call_soon(self.hang_up, code, reason, True)

    def abort(self) -> None:
        self.hang_up(1006, "aborted", True)

    # what the service does
    def say(self, message: dict, after: float = 0.0) -> None:
        frame = (json.dumps(message, indent=2) + "\n").encode()
        self.said += (
            1  # timers of one instant fire in any order; a nanosecond apart they keep theirs
        )
        self.loop.call_later(after + self.said * 1e-9, self._deliver, frame)

    def say_raw(self, frame: bytes) -> None:
        self.loop.call_soon(self._deliver, frame)

    def hang_up(self, code: int | None, reason: str = "", by_us: bool = False, **more) -> None:
        if not self.over:
            self.over = True
            self.listener.closed(
                Closed(code=code, reason=reason, by_us=by_us, **more), self.loop.time()
            )

    def _deliver(self, frame: bytes) -> None:
        if not self.over:
            self.listener.received(frame, self.loop.time())


class Service:
    """Opens lines; `answer(line, frame)` says what the service does with each frame it gets."""

    def __init__(self, answer, upgraded: bool = True) -> None:
        self.answer = answer
        self.lines: list[Line] = []
        self.upgrades = upgraded

    async def connect(self, endpoint, listener):
        line = Line(listener, self.answer)
        self.lines.append(line)
        if self.upgrades:
            listener.upgraded(
                Upgraded(headers={"x-live-emulator": "test; memory"}), line.loop.time()
            )
        else:
            self.answer(line, {})
        return line


def polite(*words: str, after: float = 0.1, reply: str = "ok"):
    """Return an answer as a well-behaved service gives it: `words` as fragments, `after` s after the end of the turn."""

    def answer(line: Line, frame: dict) -> None:
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif {"activityEnd", "audioStreamEnd"} & frame.get("realtimeInput", {}).keys():
            for word in words:
                line.say({"serverContent": {"inputTranscription": {"text": word}}}, after)
            line.say({"serverContent": {"modelTurn": {"parts": [{"text": reply}]}}}, after)
            line.say({"serverContent": {"generationComplete": True}}, after)
            usage = {"promptTokenCount": 30, "responseTokenCount": 2, "totalTokenCount": 32}
            line.say({"serverContent": {"turnComplete": True}, "usageMetadata": usage}, after)

    return answer


def ready(model: str, **how):
    """Return the setup as it is sent: with the model's resource name."""
    return msgspec.structs.replace(transcription_setup(model, **how), model=f"models/{model}")


def assignment(
    seconds: float = 1.0,
    *,
    pace: float = 1.0,
    turns: str = "manual",
    channel="input",
    waits=None,
    url="ws://127.0.0.1:1",
):
    """Return an assignment of `seconds` of noise-free audio."""
    header = TraceHeader(
        utterance="u1",
        dataset="d",
        locale="en-US",
        model=MODEL,
        repeat=1,
        attempt=1,
        plan="00" * 32,
        endpoint="memory",
        client="test",
        started_at="2026-01-01T00:00:00Z",
        chunk_ms=100,
        pace=pace,
        turns=turns,
    )
    return Assignment(
        header=header,
        name="u1",
        endpoint=live.gemini(Secret(KEY), url=url),
        setup=ready(MODEL, turns=turns, transcript=channel),
        frames=Frames(AudioClip(pcm=MemoryPcm(bytes(round(seconds * 16000) * 2))), 100),
        pace=pace,
        errand=Transcribe(channel=channel),
        waits=waits or Waits(),
    )


async def drive(service: Service, todo: Assignment):
    """Return what came of `todo` at `service`, and its trace."""
    result = await Session(todo, service.connect, Pacer(asyncio.get_running_loop())).run()
    return result.ending, result.recorder.trace()[0]
