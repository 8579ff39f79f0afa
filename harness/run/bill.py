"""What sessions cost: from what the service counted, else from what was sent and came."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from harness.run.demand import CHARACTERS_A_TOKEN, estimate_usd, transcription
from harness.units import SAMPLE_RATE
from harness.wire.live.catalogue import cost_usd

if TYPE_CHECKING:
    from harness.run.record import Usage, UtteranceRecord
    from harness.units import Usd


def bill_usd(model: str, usage: Usage) -> Usd | None:
    """Return what a session cost; None: no bill came, it has no details or none to believe, or the model has no price.

    None as well where nobody said how many tokens were answered, or of which modality: they are not free.
    Details that cover only a part of a count are priced as they are: the service leaves small gaps. Thoughts, which no
    detail covers, are priced as text answered ("output price (including thinking tokens)", Gemini API, pricing). What the
    service's tools found is priced as sent (input, says the Gemini API's URL context guide), as text where it has no
    details. Of what came from a cache no price is published for the Live API, so it is priced as any of the prompt.
    """
    prompt, response = Counter(usage.prompt_by_modality), Counter(usage.response_by_modality)
    if not usage.records or (usage.total_tokens and not (prompt or response)):
        return None
    if not response and answered_tokens(usage) != 0:
        return None  # an answer that nobody counted, or only as a whole, is not free
    response["TEXT"] += usage.thoughts_tokens or 0
    prompt.update(usage.tool_use_by_modality or {"TEXT": usage.tool_use_tokens or 0})
    if min((*prompt.values(), *response.values())) < 0:
        return None  # else a service that pays back would keep every budget open
    return cost_usd(model, prompt, response)


def answered_tokens(usage: Usage) -> int | None:
    """Return how many tokens were answered; None: the service did not say.

    A count of 0 is left out on the wire (ProtoJSON), so none is 0 where the rest comes to the total.
    """
    if usage.response_tokens is not None or usage.total_tokens is None:
        return usage.response_tokens
    sent = usage.prompt_tokens
    prompt = sum(usage.prompt_by_modality.values()) if sent is None else sent
    found, thoughts = usage.tool_use_tokens or 0, usage.thoughts_tokens or 0
    # Both may lie within the total or outside of it (`harness.run.invariants`).
    wholes = (prompt, prompt + found, prompt + thoughts, prompt + found + thoughts)
    return 0 if usage.total_tokens in wholes else None


def spent_usd(record: UtteranceRecord) -> Usd:
    """Return what an attempt counts for against a budget: its bill, else the estimate of what was sent and came.

    Its bill lacks what was sent over connections that broke off before they were billed, which is estimated as well. One
    whose process died counts for all that it was to take.
    """
    if record.lost is not None:
        return estimate_usd(record.model, record.lost) or 0.0
    billed = bill_usd(record.model, record.usage)
    if billed is not None:
        return billed + (unbilled_usd(record) or 0.0)
    replayed = sum(one.samples for one in record.replays)
    demand = transcription(((record.audio_samples or 0) + replayed) / SAMPLE_RATE)
    if record.exchange is None:
        demand = msgspec.structs.replace(demand, speech_s=record.speech_s)
    else:
        reply = round(len(record.hypothesis or "") / CHARACTERS_A_TOKEN)
        demand = msgspec.structs.replace(demand, speech_s=record.exchange.speech_s, reply=reply)
    return estimate_usd(record.model, demand) or 0.0


def unbilled_usd(record: UtteranceRecord) -> Usd | None:
    """Return the estimate of what an attempt's broken connections cost that no bill tells of; None: no price."""
    return estimate_usd(record.model, transcription(record.unbilled_samples / SAMPLE_RATE))
