"""What a session remembers, in tokens and where it matters in words, and what a turn is billed for.

The service's tokenizer is not public, so text counts as one token for every four characters begun, the rule of thumb of
the Gemini API's token guide; audio as so many tokens a second (25 or 32, sources disagree), silence as well as speech.
A turn's prompt is the whole context, so it grows from turn to turn, until the oldest turns are let go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from harness.emulator.model.past import Past
from harness.units import Seconds
from harness.wire.live import catalogue
from harness.wire.live.messages import ModalityTokenCount, UsageMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.wire.live.assumptions import Assumptions
    from harness.wire.live.messages import Content, Setup

CHARACTERS_A_TOKEN: Final = 4


def text_tokens(text: str) -> int:
    """Return how many tokens `text` counts as."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def text_of(content: Content) -> str:
    """Return the text of a turn."""
    return "".join(part.text or "" for part in content.parts)


def content_tokens(content: Content, *, picture: int) -> list[tuple[str, int]]:
    """Return what a turn counts as, by modality, where a picture counts as `picture`."""
    pictures = sum(
        part.inline_data is not None and part.inline_data.mime_type.startswith("image/")
        for part in content.parts
    )
    return [("TEXT", text_tokens(text_of(content))), ("IMAGE", pictures * picture)]


@dataclass(slots=True, kw_only=True)
class Context:
    """All that was said in a session, over its connections."""

    audio_rate: int
    """Tokens of a second of audio."""

    instructions: int = 0
    """Tokens of the system instruction, which is never let go."""

    past: Past = field(default_factory=Past)
    """Each turn with its answer."""

    asked: Mapping[str, int] = field(default_factory=dict)
    """Tokens by modality of the turn that is being answered, with what its calls brought."""

    present: dict[str, int] = field(default_factory=dict)
    """Tokens by modality of what came since, but for audio."""

    audio_s: Seconds = 0.0
    """Audio that came since."""

    picture: int = catalogue.PICTURE_TOKENS
    """Tokens of a picture."""

    tells_cache: bool = False
    """True: a bill tells of the turns before as read from a cache."""

    remembers: bool = False
    """True: words are kept beside their tokens."""

    present_words: str = ""
    """Of what came since."""

    def begin(self, setup: Setup, assumed: Assumptions) -> None:
        """Go by a connection's setup from now on."""
        self.picture = _picture_tokens(setup, assumed)
        self.tells_cache = assumed.cached_turns == "told"
        self.instruct(setup.system_instruction)

    def instruct(self, content: Content | None) -> None:
        """Go by this system instruction from now on, and by no other."""
        self.instructions = sum(tokens for _, tokens in self._counted(content))

    def take(self, content: Content | None) -> None:
        """Take in a turn."""
        for modality, tokens in self._counted(content):
            self.add(modality, tokens)
        if content is not None:
            self.remember(text_of(content))

    def read(self, text: str) -> None:
        """Take in text."""
        self.add("TEXT", text_tokens(text))
        self.remember(text)

    def remember(self, words: str) -> None:
        """Keep words, where words are kept; their tokens are counted elsewhere."""
        if self.remembers and words:
            self.present_words += f"{words}\n"

    @property
    def words(self) -> str:
        """Return all that is remembered, oldest first, a line for each time that something was said."""
        return "".join((*self.past.words, self.present_words)) if self.remembers else ""

    def _counted(self, content: Content | None) -> list[tuple[str, int]]:
        return content_tokens(content, picture=self.picture) if content else []

    def add(self, modality: str, tokens: int) -> None:
        """Take something in."""
        self.present[modality] = self.present.get(modality, 0) + tokens

    def prompt(self) -> dict[str, int]:
        """Return the tokens of all that is remembered, by modality."""
        return self._sum(self.past.tokens, self.asked, self._now())

    def ask(self) -> None:
        """Put all that came to the model: what comes from now on belongs to the next turn."""
        self.asked = _together(self.asked, self._now())
        self.present, self.audio_s = {}, 0.0

    def learn(self, tokens: int) -> None:
        """Take in what a call brought that the answer waits for."""
        self.asked = _together(self.asked, {"TEXT": tokens})

    def _cached(self) -> dict[str, int]:
        """Return the tokens of the prompt that an earlier turn's was, by modality; none in the first turn."""
        return self._sum(self.past.tokens) if self.tells_cache and len(self.past) else {}

    def _sum(self, *turns: Mapping[str, int]) -> dict[str, int]:
        total = {"TEXT": self.instructions, "AUDIO": 0}
        for turn in turns:
            for modality, tokens in turn.items():
                total[modality] = total.get(modality, 0) + tokens
        return total

    def usage(self, response: Mapping[str, int], *, thoughts: int, found: int) -> UsageMetadata:
        """Return the bill of a turn whose answer, not yet taken in, has these tokens.

        `thoughts` lie outside its total (forum thread 188765); what tools of the service's own `found` lies outside its
        prompt and within its total (google-genai 2.34, UsageMetadata).
        """
        prompt = self._sum(self.past.tokens, self.asked)
        cached, searched = self._cached(), {"TEXT": found}
        total = sum(prompt.values())
        answered = sum(response.values())
        return UsageMetadata(
            prompt_token_count=total or None,
            cached_content_token_count=sum(cached.values()) or None,
            response_token_count=answered or None,
            tool_use_prompt_token_count=found or None,
            total_token_count=total + answered + found or None,
            thoughts_token_count=thoughts or None,
            prompt_tokens_details=_details(prompt),
            cache_tokens_details=_details(cached),
            response_tokens_details=_details(response),
            tool_use_prompt_tokens_details=_details(searched),
        )

    def close(self, response: Mapping[str, int]) -> None:
        """End a turn with its answer's tokens."""
        self.past = self.past.then(_together(self.asked, response), self.present_words)
        self.asked, self.present_words = {}, ""

    def compress(self, *, trigger: int, target: int) -> None:
        """Let the oldest turns go until `target` tokens are left, once there are more than `trigger`."""
        tokens = sum(self.prompt().values())
        if tokens > trigger:
            self.past = self.past.without(tokens - target)

    def copy(self, *, less_s: Seconds = 0.0) -> Context:
        """Return the context as it is now, or was before the last `less_s` of audio."""
        audio_s = max(0.0, self.audio_s - less_s)
        return replace(self, present=dict(self.present), audio_s=audio_s)

    def _now(self) -> dict[str, int]:
        heard = round(self.audio_s * self.audio_rate)
        return self.present | {"AUDIO": self.present.get("AUDIO", 0) + heard}


def _together(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return the tokens of both by modality."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in (*one, *other)}


def _picture_tokens(setup: Setup, assumed: Assumptions) -> int:
    config = setup.generation_config
    low = config is not None and config.media_resolution == "MEDIA_RESOLUTION_LOW"
    if assumed.picture_tokens == "256":
        return 64 if low else 256
    return catalogue.LOW_PICTURE_TOKENS if low else catalogue.PICTURE_TOKENS


def _details(counts: Mapping[str, int]) -> list[ModalityTokenCount]:
    return [
        ModalityTokenCount(modality=name, token_count=count)
        for name, count in counts.items()
        if count
    ]
