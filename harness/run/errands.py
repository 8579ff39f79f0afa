"""The errand of a planned utterance: what its task sends, and what it lacks for that.

Knows tasks, plans and models. Does not know how a session runs (that is `session`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

import msgspec

from harness.errors import InputError
from harness.run.bill import reading, transcription
from harness.session.errand import Speak, Transcribe
from harness.text.locales import LOCALES
from harness.wire.live import catalogue
from harness.wire.live.messages import GenerationConfig, SpeechConfig

if TYPE_CHECKING:
    from harness.run.bill import Demand
    from harness.run.record import Plan, PlannedUtterance
    from harness.session.errand import Errand
    from harness.units import Seconds
    from harness.wire.live.messages import Setup


def check(plan: Plan, utterance: PlannedUtterance) -> None:
    """Raise InputError when `utterance` lacks what the plan's task needs."""
    if lack := lacks(plan, utterance):
        raise InputError(f"{utterance.id}: {lack}")


def lacks(plan: Plan, utterance: PlannedUtterance) -> str | None:
    """Return what `utterance` lacks for the plan's task, in words; None: nothing."""
    match plan.task:
        case "transcribe":
            return None if utterance.audio else "it has no audio to transcribe"
        case "speak":
            return None if utterance.reference else "it has no text to speak"
        case _:
            assert_never(plan.task)


def speaks(plan: Plan, utterance: PlannedUtterance) -> bool:
    """Return whether the utterance's clip is sent."""
    return plan.task == "transcribe" and utterance.audio is not None


def demand(plan: Plan, utterance: PlannedUtterance, audio_s: Seconds) -> Demand:
    """Return what a session with an utterance takes, whose clip has `audio_s`."""
    match plan.task:
        case "transcribe":
            return transcription(audio_s)
        case "speak":
            return reading(utterance.reference or "")
        case _:
            assert_never(plan.task)


def errand(plan: Plan, utterance: PlannedUtterance, model: str) -> Errand:
    """Return what a session with `model` is to do with an utterance that lacks nothing."""
    known = catalogue.find(model)
    as_content = known is None or known.content_any_time
    match plan.task:
        case "transcribe":
            return Transcribe(channel=plan.transcript)
        case "speak":
            return Speak(utterance.reference or "", as_content=as_content)
        case _:
            assert_never(plan.task)


def configured(setup: Setup, plan: Plan, utterance: PlannedUtterance, model: str) -> Setup:
    """Return the run's setup as it is for one utterance."""
    return setup if plan.task == "transcribe" else _in_language(setup, utterance.locale, model)


def _in_language(setup: Setup, locale: str, model: str) -> Setup:
    """Return `setup` with the language of the speech output, where the model is told it: a native one picks its own."""
    known = catalogue.find(model)
    if known is None or known.kind != "half-cascade" or locale not in LOCALES:
        return setup
    if not LOCALES[locale].guide:
        return setup
    generation = setup.generation_config or GenerationConfig()
    speech = generation.speech_config or SpeechConfig()
    if "AUDIO" not in generation.response_modalities or speech.language_code is not None:
        return setup
    speech = msgspec.structs.replace(speech, language_code=locale)
    generation = msgspec.structs.replace(generation, speech_config=speech)
    return msgspec.structs.replace(setup, generation_config=generation)
