"""What the Live API's models cost, each price with its date and source.

Standard library only, so that `--help` may read it. Which model has which price says the `catalogue`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.units import Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A model's prices, USD for a million tokens; None: that modality is not sold."""

    text_in: Usd
    audio_in: Usd
    image_in: Usd | None
    """Pictures and video."""

    text_out: Usd
    audio_out: Usd | None
    as_of: str
    """ISO 8601, a day or a month."""

    source: str
    assumed: bool = False
    """True: no price was published; this is that of the model's siblings."""

    def of(
        self, prompt_by_modality: Mapping[str, int], response_by_modality: Mapping[str, int]
    ) -> Usd | None:
        """Return what these tokens cost, by the wire's names of modalities; None when one of them is not sold."""
        incoming = {
            "TEXT": self.text_in,
            "DOCUMENT": self.text_in,
            "AUDIO": self.audio_in,
            "IMAGE": self.image_in,
            "VIDEO": self.image_in,
        }
        outgoing = {"TEXT": self.text_out, "AUDIO": self.audio_out}
        total = 0.0
        for counts, prices in ((prompt_by_modality, incoming), (response_by_modality, outgoing)):
            for modality, tokens in counts.items():
                if (per_million := prices.get(modality)) is not None:
                    total += tokens * per_million / 1_000_000
                elif tokens:
                    return None
        return total


def flash_price(as_of: str, source: str, *, assumed: bool = False) -> Price:
    """Return the price of the 2.5 Flash Live family, as `source` gives it."""
    return Price(
        text_in=0.50,
        audio_in=3.00,
        image_in=3.00,
        text_out=2.00,
        audio_out=12.00,
        as_of=as_of,
        source=source,
        assumed=assumed,
    )


LITELLM_2025 = "litellm price map 1.78.5"
LITELLM_2026 = "litellm price map 1.109.1"
FLASH_DEV = flash_price("2025-10-31", "Gemini API pricing page")
FLASH_VERTEX = flash_price("2026-11", LITELLM_2026)
LIVE_3 = Price(
    text_in=0.75,
    audio_in=3.00,
    image_in=1.00,
    text_out=4.50,
    audio_out=12.00,
    as_of="2026-11",
    source=LITELLM_2026,
)

TRANSCRIBE_LIVE = Price(
    text_in=3.50,
    audio_in=3.50,
    image_in=None,
    text_out=21.00,
    audio_out=None,
    as_of="2026-11",
    source=LITELLM_2026,
)
