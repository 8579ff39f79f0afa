"""The registry of all quirks, and what the ones that were asked for make of each connection.

    Mischief   a service's: which quirks, which connections
    Trouble    one connection's: between its conversation and its socket

A conversation and a connection that behave know nothing of any of it.
"""

from __future__ import annotations

import asyncio
import random
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from harness.emulator.quirks import answers, endings, frames, network, transcripts
from harness.emulator.quirks.quirk import Ending, content, field
from harness.errors import UsageError, suggestion
from harness.units import SAMPLE_BYTES, SAMPLE_RATE
from harness.wire.live.refusals import close_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.emulator.conversation.conversation import Line
    from harness.emulator.quirks.quirk import Message, Quirk, Stage, Value
    from harness.units import Seconds
    from harness.wire.live.codec import Frame

REGISTRY: Final[dict[str, Quirk]] = {
    quirk.name: quirk
    for quirk in (
        *transcripts.QUIRKS,
        *answers.QUIRKS,
        *endings.QUIRKS,
        *frames.QUIRKS,
        *network.QUIRKS,
    )
}
"""Every quirk by its name."""

AUDIO_BEGUN_S: Final[Seconds] = 0.5
"""Audio after which a connection is in the midst of it."""


def parsed(texts: Iterable[str]) -> dict[str, Value | None]:
    """Return the quirks that `NAME[=VALUE]` texts ask for, with their values; UsageError says what is wrong with one."""
    found: dict[str, Value | None] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        quirk = REGISTRY.get(name)
        if quirk is None:
            raise UsageError(
                f"no such quirk: {name!r}",
                hint=suggestion(name, REGISTRY) or "harness emulate --list-quirks",
            )
        found[name] = quirk.value(value if equals else None)
    return found


def require_effect(quirks: Mapping[str, Value | None], *, tls: bool, bounded: bool) -> None:
    """Raise UsageError when a quirk could do nothing: without TLS (`tls`), an upgrade that is refused, or another quirk.

    `bounded`: sessions are refused beyond a number that the user chose.
    """
    if "tls" in quirks and not tls:
        raise UsageError(
            "--quirk tls does nothing without TLS", hint="--tls listens with a certificate"
        )
    if "retry-after" in quirks and "http" not in quirks and not bounded:
        raise UsageError(
            "--quirk retry-after does nothing where no upgrade is refused",
            hint="--quirk http=429 refuses all of them, --sessions N those beyond N",
        )
    if quirks and quirks.keys() <= endings.SELECTORS:
        raise UsageError(
            f"--quirk {next(iter(quirks))} does nothing by itself: it says which connections misbehave",
            hint="add a quirk that says how; --list-quirks shows all",
        )


class Mischief:
    """How a service misbehaves: the same quirks for all its connections, or for some of them."""

    def __init__(self, quirks: Mapping[str, Value | None], *, seed: int = 0) -> None:
        self._quirks = quirks
        self._chance = random.Random(seed)  # noqa: S311 - which connection, not a secret
        self._turnstile = endings.Turnstile(quirks, self._chance)
        self._shared: dict[str, Any] = {}

    @property
    def tls(self) -> str | None:
        """What is wrong with TLS, or None."""
        found = self._quirks.get("tls")
        return found if isinstance(found, str) else None

    def next(self) -> Trouble | None:
        """Return what awaits the next connection; None: it behaves."""
        if not self._quirks or not self._turnstile.next():
            return None
        return Trouble(self._quirks, random.Random(self._chance.random()), self._shared)  # noqa: S311 - the same


class Trouble:
    """One connection's quirks. It is the `Line` of its conversation, and what its quirks may know: their `Talk`."""

    def __init__(
        self,
        quirks: Mapping[str, Value | None],
        chance: random.Random,
        shared: dict[str, Any],
    ) -> None:
        self._quirks = [(quirk, quirks[name]) for name, quirk in REGISTRY.items() if name in quirks]
        self._values = quirks
        self._loop = asyncio.get_running_loop()
        self._passed: set[Stage] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._order = 0
        self._over = False
        self._ready_at: Seconds | None = None
        self._line: Line | None = None
        self._receive: Callable[[Frame], None] | None = None
        self._cable: network.Cable | None = None
        self.chance = chance
        self.shared = shared
        self.memory: dict[str, Any] = {}
        self.audio_s: Seconds = 0.0
        self.texts = 0
        self.resumed = False

    @property
    def now(self) -> Seconds:
        """By the loop's clock."""
        return self._loop.time()

    @property
    def since_ready_s(self) -> Seconds:
        """Since setupComplete, s."""
        return 0.0 if self._ready_at is None else self.now - self._ready_at

    # ── the connection's side ────────────────────────────────────────────────────────────────────────────────────────

    def cable(self, connection: asyncio.Protocol) -> network.Cable:
        """Return the cable that `connection` hangs on, to be given to its socket."""
        shape = network.Shape(
            latency_s=self._number("latency"),
            jitter_s=self._number("jitter"),
            rate=int(self._number("throttled")) or None,
            piece=int(self._number("dribble")) or None,
            pong_s=self._number("slow-pongs"),
            other_protocol="not-websocket" in self._values,
            text="text-frames" in self._values,
            fragment=int(self._number("fragmented")) or None,
            keep_open="no-close-answer" in self._values,
        )
        self._cable = network.Cable(connection, shape, self.chance, self._reached)
        return self._cable

    @property
    def status(self) -> HTTPStatus | None:
        """What answers the upgrade; None: it is answered as it deserves."""
        status = self._values.get("http")
        return HTTPStatus(int(status)) if isinstance(status, str) else None

    @property
    def headers(self) -> dict[str, str]:
        """What an upgrade that is refused carries beside."""
        seconds = self._number("retry-after")
        return {"Retry-After": f"{seconds:.0f}"} if seconds else {}

    def between(self, line: Line) -> Trouble:
        """Return the line for the conversation, which leads to the client over `line`."""
        self._line = line
        return self

    def join(self, receive: Callable[[Frame], None]) -> None:
        """Let what is heard be heard by `receive`."""
        self._receive = receive
        self._reached("open")

    def received(self, frame: Frame) -> None:
        """Take a frame from the client."""
        receive = self._receive
        if self._over or receive is None:
            return
        message = _object(frame)
        heard: Message | None = message
        if message is not None:
            self._follow(message)
            for quirk, value in self._quirks:
                if quirk.hears is not None and heard is not None:
                    heard = quirk.hears(heard, value, self)
            if self._over:
                return
        if heard is message:
            receive(frame)
        elif heard is not None:
            receive(msgspec.json.encode(heard))

    def gone(self) -> None:
        """Forget what is still to be sent: the connection is over."""
        self._over = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    # ── the conversation's side ──────────────────────────────────────────────────────────────────────────────────────

    def send(self, frame: bytes) -> None:
        """Send what the quirks make of a message, when they want it sent."""
        message: Message = msgspec.json.decode(frame)
        if "inputTranscription" in content(message):
            self.texts += 1
        outgoing = [(0.0, message)]
        for quirk, value in self._quirks:
            says = quirk.says
            if says is not None:
                outgoing = [
                    (before + after, changed)
                    for before, one in outgoing
                    for after, changed in says(one, value, self)
                ]
        for after, one in outgoing:
            self._say(frame if one is message else frames.printed(one), one, after)
        if "turnComplete" in content(message):
            self.texts, self.audio_s = 0, 0.0

    def close(self, code: int, reason: str) -> None:
        """Close the WebSocket; what was held back is lost."""
        if not self._over and self._line is not None:
            self.gone()
            self._line.close(code, reason)

    def hold(self, full: bool) -> None:
        """Stop reading what the client sends while `full`."""
        if self._line is not None:
            self._line.hold(full)

    # ── the quirks' side ─────────────────────────────────────────────────────────────────────────────────────────────

    def say(self, message: Message, after_s: Seconds) -> None:
        """Send a message of a quirk's own, later."""
        # Never at once: it follows what the quirk lets through.
        self._say(frames.printed(message), message, max(after_s, 1e-6))

    def end_after(self, seconds: Seconds, code: int, reason: str) -> None:
        """Close the WebSocket later."""
        self._later(seconds, lambda: self.close(code, reason))

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _number(self, name: str) -> float:
        value = self._values.get(name)
        return value if isinstance(value, (int, float)) else 0.0

    def _say(self, frame: bytes, message: Message, after_s: Seconds) -> None:
        if after_s:
            self._later(after_s, lambda: self._send_now(frame, message))
        else:
            self._send_now(frame, message)

    def _later(self, seconds: Seconds, what: Callable[[], None]) -> None:
        def fire() -> None:
            self._timers.discard(timer)
            what()

        # Timers of one instant fire in any order; a nanosecond apart they keep theirs.
        self._order += 1
        timer = self._loop.call_later(seconds + self._order * 1e-9, fire)
        self._timers.add(timer)

    def _send_now(self, frame: bytes, message: Message) -> None:
        if self._over or self._line is None:
            return
        written = [frame]
        for quirk, value in self._quirks:
            if quirk.writes is not None:
                written = [one for before in written for one in quirk.writes(before, value, self)]
        for one in written:
            self._line.send(one)
        if "setupComplete" in message:
            self._ready_at = self.now
            self._reached("ready")
        elif content(message).keys() & {
            "inputTranscription",
            "interimInputTranscription",
            "modelTurn",
        }:
            self._reached("text")

    def _follow(self, message: Message) -> None:
        """Note how far a client's message brings the connection."""
        if field(message, "setup") is not None:
            self.resumed = endings.handle(message) is not None
            self._reached("setup")
        realtime = field(message, "realtimeInput")
        if not isinstance(realtime, dict):
            return
        if field(realtime, "activityStart") is not None:
            self.audio_s = 0.0
        audio = field(realtime, "audio")
        if isinstance(audio, dict) and isinstance(data := audio.get("data"), str):
            # Counted at the Live API's own rate; quirks need no better.
            self.audio_s += len(data) * 3 / 4 / SAMPLE_BYTES / SAMPLE_RATE
            if self.audio_s >= AUDIO_BEGUN_S:
                self._reached("audio")
        if field(realtime, "activityEnd") is not None or field(realtime, "audioStreamEnd"):
            self._reached("end")

    def _reached(self, stage: Stage) -> None:
        """Do what is to be done at a stage, the first time it is reached."""
        if stage in self._passed:
            return
        self._passed.add(stage)
        for quirk, value in self._quirks:
            if quirk.acts is not None and value == stage and self._cable is not None:
                quirk.acts(self._cable)
            elif isinstance(value, Ending) and value.stage == stage:
                self.close(value.code, close_reason(value.reason))
        if stage == "ready" and self._cable is not None:
            if isinstance(bad := self._values.get("bad-websocket"), str):
                self._cable.insert(frames.BAD[bad])
            if "endless-message" in self._values:
                self._cable.insert_endlessly()


def _object(frame: Frame) -> Message | None:
    """Return the JSON object in a frame, or None when there is none."""
    try:
        found = msgspec.json.decode(frame)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
