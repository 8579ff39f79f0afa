"""An answer as it is given, part by part: written or spoken, until it is said, or cut short.

Text comes as fast as a model writes; speech comes a little faster than it is played. Knows messages' contents and
time; does not know what is said, nor why.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.emulator.model.context import CHARACTERS_A_TOKEN
from harness.units import SPEECH_RATE, Seconds
from harness.wire.live.messages import Blob, Content, Part, ServerContent, Transcription

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.emulator.model.abilities import Abilities
    from harness.emulator.model.manners import Manners
    from harness.emulator.voice.speech import Speaker
    from harness.wire.live.messages import Setup

_PART_WORDS: Final = 5
_WORDS: Final = re.compile(rf"(?:\S+\s*){{1,{_PART_WORDS}}}")
_MIME_TYPE: Final = f"audio/pcm;rate={SPEECH_RATE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a session's answers are given."""

    send: Callable[[ServerContent], None]
    after_s: Seconds
    """From the end of what was heard to the first part."""

    part_every_s: Seconds
    """Between the parts of a text."""

    speech_pace: float
    """Seconds of speech given in a second."""

    audio_tokens_per_s: int
    speaker: Speaker | None
    """None: answers are written."""

    transcribed: bool
    """What is spoken is also sent as text."""

    most_tokens: int | None
    """Longest answer; None: any."""


def delivery(
    setup: Setup,
    manners: Manners,
    *,
    speaker: Speaker | None,
    send: Callable[[ServerContent], None],
) -> Delivery:
    """Return how answers are given in the session that `setup` begins."""
    config = setup.generation_config
    return Delivery(
        send=send,
        after_s=manners.reply_after_s,
        part_every_s=manners.part_every_s,
        speech_pace=manners.speech_pace,
        audio_tokens_per_s=manners.audio_tokens_per_s,
        speaker=speaker,
        transcribed=setup.output_audio_transcription is not None,
        most_tokens=config.max_output_tokens if config else None,
    )


class Reply:
    """One answer. What was sent stays sent; `cut` ends it before the next part."""

    def __init__(self, how: Delivery, cut: asyncio.Event) -> None:
        self.text = ""
        """Written or spoken so far."""

        self.speech_s: Seconds = 0.0
        """Spoken so far."""

        self.thoughts = ""
        self.found = ""
        """What a search brought, as the model reads it."""

        self._how = how
        self._cut = cut
        self._loop = asyncio.get_running_loop()
        self._heard_from: Seconds | None = None
        """When the first sound was sent, the loop's time."""

    async def say(self, text: str, language: str | None) -> None:
        """Give `text`; `language` (ISO 639-1) is that of what was heard."""
        if self._how.speaker is not None:
            await self._speak(self._how.speaker, text, language)
        else:
            await self._write(text)

    def think(self, summary: str, able: Abilities) -> None:
        """Think, as long as it may be, and tell of it when thoughts are to be shown."""
        most = able.thinking_tokens
        thought = summary if most is None else summary[: most * CHARACTERS_A_TOKEN]
        if thought and not self._cut.is_set():
            self.thoughts += thought
            if able.shows_thoughts:
                self._send(Part(text=thought, thought=True))

    async def played(self) -> None:
        """Wait until what was spoken is heard to its end, or cut."""
        if self._heard_from is not None:
            left = self._heard_from + self.speech_s - self._loop.time()
            await within(self._cut, max(0.0, left))

    async def _write(self, text: str) -> None:
        if self._how.most_tokens is not None:
            text = text[: max(0, self._how.most_tokens * CHARACTERS_A_TOKEN - len(self.text))]
        pause_s = self._how.after_s
        for part in _WORDS.findall(text):
            if await within(self._cut, pause_s):
                return
            self.text += part
            self._send(Part(text=part))
            pause_s = self._how.part_every_s

    async def _speak(self, speaker: Speaker, text: str, language: str | None) -> None:
        most = self._how.most_tokens
        due = self._loop.time() + self._how.after_s
        async for part in speaker.parts(text, language):
            if most is not None and self.speech_s * self._how.audio_tokens_per_s >= most:
                return
            if await within(self._cut, max(0.0, due - self._loop.time())):
                return
            if self._heard_from is None:
                self._heard_from = self._loop.time()
            if part.pcm:
                self._send(Part(inline_data=Blob(mime_type=_MIME_TYPE, data=part.pcm)))
                self.speech_s += part.duration_s
            if part.words:
                self.text += part.words
                if self._how.transcribed:
                    said = Transcription(text=part.words)
                    self._how.send(ServerContent(output_transcription=said))
            due = max(due, self._loop.time()) + part.duration_s / self._how.speech_pace

    def _send(self, part: Part) -> None:
        self._how.send(ServerContent(model_turn=Content(role="model", parts=[part])))


async def within(event: asyncio.Event, seconds: Seconds) -> bool:
    """Return whether `event` is set within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
