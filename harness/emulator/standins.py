"""Stand-ins for ear, voice and answers: what they give has a length and no content. For simulations.

Knows how long a text is when it is spoken, by a fixed number of characters a second. Does not know words.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from harness.emulator.ear.ear import Appetite
from harness.emulator.model.answers import Answer, Answers, Said
from harness.text.locales import LOCALES
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, SPEECH_RATE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from harness.emulator.model.abilities import Abilities
    from harness.units import Seconds

_WORD: Final = "simulated "


def filler(characters: int) -> str:
    """Return a text of so many characters, in words; none at its ends is a blank."""
    text = (_WORD * (characters // len(_WORD) + 1))[:characters]
    return text[:-1] + "d" if text.endswith(" ") else text


class LengthOfSpeech:
    """An ear that hears how long somebody spoke, `after_s` their turn is over."""

    name = "stand-in"
    appetite = Appetite(piece_s=0.5, trimmed=False)

    def __init__(self, *, characters_a_second: float, after_s: Seconds) -> None:
        self._characters_a_second = characters_a_second
        self._after_s = after_s

    def listen(
        self, languages: tuple[str, ...] = (), vocabulary: tuple[str, ...] = ()
    ) -> _Listening:
        """Return an ear for a new session."""
        del languages, vocabulary
        return _Listening(self._characters_a_second, self._after_s)


class _Listening:
    """One session's."""

    language: str | None = None

    def __init__(self, characters_a_second: float, after_s: Seconds) -> None:
        self._characters_a_second = characters_a_second
        self._after_s = after_s
        self._bytes = self._loud = 0

    async def hear(self, pcm: bytes, *, last: bool) -> AsyncIterator[str]:
        """Yield a text as long as the turn, less the silence at its end, after its last piece."""
        if loud := len(pcm.rstrip(b"\0")):
            self._loud = self._bytes + loud
        self._bytes += len(pcm)
        if last:
            heard_s = self._loud / SAMPLE_BYTES / SAMPLE_RATE
            self._bytes = self._loud = 0
            await asyncio.sleep(self._after_s)
            yield filler(max(1, round(heard_s * self._characters_a_second)))

    def leave(self) -> None:
        """Nobody waits any more."""


class LengthOfText:
    """A voice that is silent for as long as a text takes."""

    name = "stand-in"
    locales = tuple(LOCALES)

    def __init__(self, *, characters_a_second: float) -> None:
        self._characters_a_second = characters_a_second

    async def speech(self, text: str, *, locale: str, pitch: float) -> bytes:
        """Return silence."""
        del locale, pitch
        return bytes(round(len(text) / self._characters_a_second * SPEECH_RATE) * SAMPLE_BYTES)


class LengthOfAnswer(Answers):
    """Answers that are as long as what was said, or all of the same length."""

    def __init__(self, characters: int | None = None) -> None:
        """Answer with so many characters, none at 0; None: with as many as were said."""
        super().__init__()
        self._characters = characters

    def to(self, said: Said, able: Abilities) -> Answer:
        """Return the answer to a turn."""
        del able
        length = len(said.text) if self._characters is None else self._characters
        return Answer(say=filler(length)) if length else Answer()
