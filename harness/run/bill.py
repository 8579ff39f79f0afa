"""What sessions cost, from what the service counted; and what they will, from the audio they are to hear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.units import SAMPLE_RATE
from harness.wire.live.catalogue import DEFAULT_AUDIO_TOKENS_PER_S, cost_usd

if TYPE_CHECKING:
    from harness.run.record import Usage, UtteranceRecord
    from harness.units import Seconds, Usd

TEXT_TOKENS_PER_S: Final = 4.0
"""Transcript tokens a second of speech: 150 words a minute at 1.6 tokens a word, over the languages' spread."""


def bill_usd(model: str, usage: Usage) -> Usd | None:
    """Return what a session cost; None: no bill came, it has no details to price, or the model has no price.

    Details that cover only a part of a count are priced as they are: the service leaves small gaps.
    """
    details = usage.prompt_by_modality, usage.response_by_modality
    if not usage.records or (usage.total_tokens and not any(details)):
        return None
    return cost_usd(model, *details)


def estimate_usd(model: str, audio_s: Seconds) -> Usd | None:
    """Return what a session of `audio_s` of speech will cost; None: the model has no price."""
    audio, text = round(audio_s * DEFAULT_AUDIO_TOKENS_PER_S), round(audio_s * TEXT_TOKENS_PER_S)
    return cost_usd(model, {"AUDIO": audio}, {"TEXT": text})


def spent_usd(record: UtteranceRecord) -> Usd:
    """Return what an attempt counts for against a budget: its bill, else the estimate of what was sent."""
    billed = bill_usd(record.model, record.usage)
    if billed is not None:
        return billed
    return estimate_usd(record.model, (record.audio_samples or 0) / SAMPLE_RATE) or 0.0
