"""An answer aloud: who speaks it in a session, and in which parts it goes out.

Text is spoken phrase by phrase, so that the first sound does not wait for the last word, and goes out in parts of
80 ms. The words that a part begins with go with it; where in a phrase a word is said is estimated from its place in
the text. Knows text and PCM; does not know time or messages.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.emulator.voice.voice import DEFAULT_LOCALE, Voice, locale_of, pitch_of
from harness.units import SAMPLE_BYTES, SPEECH_RATE, Seconds
from harness.wire.live import refusals
from harness.wire.live.assumptions import USUAL, Assumptions
from harness.wire.live.refusals import Refused
from harness.wire.live.scalars import excerpt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from harness.wire.live.catalogue import Model
    from harness.wire.live.messages import Setup

PART_S: Final[Seconds] = 0.08
"""Speech in one message. The service's own parts are of 40 to 100 ms."""

_PART_BYTES: Final = round(PART_S * SPEECH_RATE) * SAMPLE_BYTES

_LONGEST_PHRASE: Final = 240
"""Characters that are spoken at once: some 15 s."""

_SENTENCE: Final = re.compile(r".+?(?:[.!?…。！？]+[\"'»”’)\]]*(?:\s+|$)|$)", re.DOTALL)
_STRETCH: Final = re.compile(
    rf".{{1,{_LONGEST_PHRASE}}}(?:\s+|$)|.{{1,{_LONGEST_PHRASE}}}", re.DOTALL
)
_WORD: Final = re.compile(r"\s*\S+\s*?(?=\s|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some speech, and the words that begin in it."""

    pcm: bytes
    """s16le mono 24 kHz."""

    words: str
    """With the space before each; often empty."""

    @property
    def duration_s(self) -> Seconds:
        """Return how long it lasts."""
        return len(self.pcm) / SAMPLE_BYTES / SPEECH_RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A session's voice, as its setup asks for it."""

    voice: Voice
    locale: str | None
    """BCP-47; None: the language of what was heard."""

    pitch: float

    async def parts(self, text: str, language: str | None) -> AsyncIterator[Part]:
        """Yield `text` spoken; `language` (ISO 639-1) is that of what was heard. VoiceLostError ends it.

        What the voice cannot read it says in English instead, so that whoever listens hears why, and not silence.
        """
        locale = self.locale or locale_of(language, self.voice)
        if (writing := unread(text)) is not None:
            text, locale = excuse(writing), DEFAULT_LOCALE
        for phrase in phrases(text):
            pcm = await self.voice.speech(phrase, locale=locale, pitch=self.pitch)
            for part in _parts(phrase, pcm):
                yield part


def speaker(setup: Setup, model: Model, voice: Voice, assumed: Assumptions = USUAL) -> Speaker:
    """Return who speaks in a session; Refused when it asks for a language that the voice has not."""
    config = setup.generation_config.speech_config if setup.generation_config else None
    picks = model.kind == "native-audio" and assumed.native_language == "ignored"
    locale = config.language_code if config and not picks else None
    if locale is not None and locale not in voice.locales:
        refusal = refusals.UNSUPPORTED_LANGUAGE
        raise Refused(refusal, refusal.text(language=excerpt(locale), model=f"models/{model.id}"))
    prebuilt = config.voice_config.prebuilt_voice_config if config and config.voice_config else None
    return Speaker(
        voice=voice, locale=locale, pitch=pitch_of(prebuilt.voice_name if prebuilt else None)
    )


_READ: Final = "LATIN"
"""The one script that our voices read. Given any other, the synthesiser makes a tenth of a second of nothing."""

_WRITINGS: Final = {
    "CJK": "Chinese characters",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
}
"""Names for people, where Unicode's own is none."""


def unread(text: str) -> str | None:
    """Return the name of the script that most letters of `text` are in, where the voices cannot read it; None: they can.

    A script is the first word of a letter's name in Unicode.
    """
    scripts = Counter(unicodedata.name(one, "").partition(" ")[0] for one in text if one.isalpha())
    if scripts[_READ] * 2 >= scripts.total():
        return None
    (found, _), *_ = Counter(scripts - Counter({_READ: scripts[_READ]})).most_common(1)
    return _WRITINGS.get(found, found.title())


def excuse(writing: str) -> str:
    """Return what is said instead of a text in a script that the voices cannot read."""
    return f"This emulator has no voice that reads {writing}."


def phrases(text: str) -> Iterator[str]:
    """Yield `text` in stretches that are spoken at once, ended where sentences end; they concatenate to it."""
    phrase = ""
    for sentence in _SENTENCE.findall(text):
        for stretch in _STRETCH.findall(sentence):
            if len(phrase) + len(stretch) > _LONGEST_PHRASE:
                yield phrase
                phrase = ""
            phrase += stretch
    if phrase:
        yield phrase


def _parts(phrase: str, pcm: bytes) -> Iterator[Part]:
    """Yield a phrase's speech in parts, with all its words; words that make no sound go with an empty part."""
    words = list(_WORD.finditer(phrase))
    for offset in range(0, max(1, len(pcm)), _PART_BYTES):
        end = offset + _PART_BYTES
        said = ""
        while words and (end >= len(pcm) or words[0].start() * len(pcm) < end * len(phrase)):
            said += words.pop(0)[0]
        yield Part(pcm=pcm[offset:end], words=said)
