"""What a session sends and is expected to bring, and what that will cost.

Knows lengths, tokens and prices; does not know what the service counted (`bill`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from harness.units import Seconds
from harness.wire.live.catalogue import DEFAULT_AUDIO_TOKENS_PER_S, cost_usd

if TYPE_CHECKING:
    from harness.units import Usd

TEXT_TOKENS_PER_S: Final = 4.0
"""Transcript tokens a second of speech: 150 words a minute at 1.6 tokens a word, over the languages' spread."""

CHARACTERS_A_TOKEN: Final = 4.0
"""Of text sent, about, in alphabetic scripts (Gemini API, "Understand and count tokens")."""

CHARACTERS_A_SECOND: Final = 15.0
"""Of speech: what a narrator reads in European languages, about."""

ANSWER_S: Final = 6.0
"""Of a spoken answer to a question: two sentences. A written one costs a tenth."""


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What a session sends and is expected to bring."""

    audio_s: Seconds = 0.0
    """Speech sent."""

    text: int = 0
    """Tokens of text sent."""

    speech_s: Seconds = 0.0
    """Speech answered."""

    reply: int = 0
    """Tokens of text answered."""

    @property
    def prompt(self) -> dict[str, int]:
        """Return the tokens sent, by modality."""
        return {"AUDIO": round(self.audio_s * DEFAULT_AUDIO_TOKENS_PER_S), "TEXT": self.text}

    @property
    def response(self) -> dict[str, int]:
        """Return the tokens answered, by modality."""
        return {"AUDIO": round(self.speech_s * DEFAULT_AUDIO_TOKENS_PER_S), "TEXT": self.reply}

    @property
    def tokens(self) -> int:
        """Return all tokens, sent and answered."""
        return sum((*self.prompt.values(), *self.response.values()))

    def __add__(self, other: Demand) -> Demand:
        """Return both together."""
        return Demand(
            audio_s=self.audio_s + other.audio_s,
            text=self.text + other.text,
            speech_s=self.speech_s + other.speech_s,
            reply=self.reply + other.reply,
        )

    def share(self, share: float) -> Demand:
        """Return what a session takes that breaks off after a share of it; text is sent at once."""
        return Demand(
            audio_s=self.audio_s * share,
            text=self.text,
            speech_s=self.speech_s * share,
            reply=round(self.reply * share),
        )


def transcription(audio_s: Seconds, *, aloud: bool = False) -> Demand:
    """Return what it takes to transcribe `audio_s` of speech; `aloud`: all of it is repeated."""
    return Demand(
        audio_s=audio_s,
        speech_s=audio_s if aloud else 0.0,
        reply=round(audio_s * TEXT_TOKENS_PER_S),
    )


def reading(words: str) -> Demand:
    """Return what it takes to have `words` read aloud."""
    return Demand(
        text=round(len(words) / CHARACTERS_A_TOKEN), speech_s=len(words) / CHARACTERS_A_SECOND
    )


def answering(audio_s: Seconds, words: str) -> Demand:
    """Return what it takes to have a question answered, spoken or in `words`."""
    return Demand(audio_s=audio_s, text=round(len(words) / CHARACTERS_A_TOKEN), speech_s=ANSWER_S)


# A session is estimated when it approaches, when it begins and when it ends.
@lru_cache(maxsize=1024)
def estimate_usd(model: str, demand: Demand) -> Usd | None:
    """Return what a session will cost; None: the model has no price."""
    return cost_usd(model, demand.prompt, demand.response)
