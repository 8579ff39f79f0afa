"""What a session remembers, in tokens, and what a turn is billed for.

The service's tokenizer is not public, so text counts as one token for every four characters begun, the rule of thumb of
the Gemini API's token guide; audio as so many tokens a second (25 or 32, sources disagree), silence as well as speech;
a picture as 258. A turn's prompt is the whole context, so it grows from turn to turn.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Final

from harness.units import Seconds
from harness.wire.live.catalogue import VIDEO_TOKENS_PER_S
from harness.wire.live.messages import ModalityTokenCount, UsageMetadata

CHARACTERS_A_TOKEN: Final = 4


def text_tokens(text: str) -> int:
    """Return how many tokens `text` counts as."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


@dataclass(slots=True, kw_only=True)
class Context:
    """All that was said in a session, over its connections."""

    audio_rate: int
    """Tokens of a second of audio."""

    text: int = 0
    """Tokens of text: instructions, turns, replies."""

    audio_s: Seconds = 0.0
    pictures: int = 0

    def usage(self, reply: str) -> UsageMetadata:
        """Return the bill of a turn that was answered with `reply`, which is not yet in the context."""
        prompt = {
            "TEXT": self.text,
            "AUDIO": round(self.audio_s * self.audio_rate),
            "VIDEO": self.pictures * VIDEO_TOKENS_PER_S,
        }
        response = text_tokens(reply)
        total = sum(prompt.values())
        return UsageMetadata(
            prompt_token_count=total or None,
            response_token_count=response or None,
            total_token_count=total + response or None,
            prompt_tokens_details=_details(prompt),
            response_tokens_details=_details({"TEXT": response}),
        )


def _details(counts: dict[str, int]) -> list[ModalityTokenCount]:
    return [
        ModalityTokenCount(modality=name, token_count=count)
        for name, count in counts.items()
        if count
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A session as a handle finds it again."""

    model: str
    context: Context
    age_s: Seconds
    """How long the session had lasted, over its connections."""


_MOST_HANDLES: Final = 10_000


@dataclass(slots=True)
class Handles:
    """The sessions that can be resumed; the oldest are forgotten first."""

    _saved: OrderedDict[str, Saved] = field(default_factory=OrderedDict)

    def issue(self, saved: Saved) -> str:
        """Return a new handle for a session as it is now."""
        handle = secrets.token_urlsafe(24)
        self._saved[handle] = replace(saved, context=replace(saved.context))
        if len(self._saved) > _MOST_HANDLES:
            self._saved.popitem(last=False)
        return handle

    def find(self, handle: str) -> Saved | None:
        """Return the session that `handle` names, or None."""
        saved = self._saved.get(handle)
        return None if saved is None else replace(saved, context=replace(saved.context))
