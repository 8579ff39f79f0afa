"""The errand of a planned utterance: what its task sends, and what it lacks for that.

Knows tasks, plans and models. Does not know how a session runs (that is `session`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from harness.audio.chunk import chunks
from harness.audio.clip import AudioClip, MemoryPcm
from harness.audio.cuts import first_sound
from harness.audio.pictures import stills
from harness.corpus.scenario import Scenario
from harness.errors import InputError
from harness.run.demand import answering, reading, transcription
from harness.session.ask import Ask, Interruption, Picture
from harness.session.errand import Speak, Transcribe
from harness.text.locales import LOCALES
from harness.units import SAMPLE_RATE
from harness.wire.live import catalogue
from harness.wire.live.codec import message_from
from harness.wire.live.messages import (
    GenerationConfig,
    HistoryConfig,
    SpeechConfig,
)
from harness.wire.live.refusals import Refused
from harness.wire.live.rules import check_functions
from harness.wire.live.tools import FunctionDeclaration, Schema, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.audio.chunk import Chunk
    from harness.corpus.scenario import OfferedFunction
    from harness.run.demand import Demand
    from harness.run.record import Plan, PlannedUtterance
    from harness.session.errand import Errand
    from harness.units import Seconds
    from harness.wire.live.catalogue import Platform
    from harness.wire.live.messages import Setup

INTERJECTION_S: Final = 10
"""Longest speech over an answer, s: a model that has not fallen silent by then does not."""


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
        case "ask":
            return next(_lacks_of_question(plan, utterance), None)
        case _:
            assert_never(plan.task)


def _lacks_of_question(plan: Plan, utterance: PlannedUtterance) -> Iterator[str]:
    scenario = utterance.scenario
    if scenario is not None and scenario.flaw is not None:
        yield scenario.flaw
    elif scenario is None or scenario.expect is None:
        yield "it does not say what answer is expected (column expect)"
    elif not (utterance.audio or utterance.reference):
        yield "it has neither audio nor a text to ask"
    else:
        yield from _refused_functions(plan, scenario.tools)
    if plan.interrupt_after_s is not None and plan.turns == "auto" and not utterance.audio:
        yield "it has no audio to interrupt the answer with (--turns manual needs none)"


def _refused_functions(plan: Plan, tools: Sequence[OfferedFunction]) -> Iterator[str]:
    """Yield why the service would refuse functions, which costs the session that brings them: the rule and its source."""
    functions = []
    for tool in tools:
        try:
            functions.append(_declared(tool))
        except ValueError as error:
            yield f"the parameters of its function “{tool.name}” are no schema: {error} (source: {_SCHEMA})"
            return
    for model in plan.models if functions else ():
        known = catalogue.find(model)
        # A simulated service speaks Vertex AI's protocol where it alone serves the model.
        alone = known is not None and known.platforms == ("vertex",)
        try:
            where: Platform = "vertex" if alone or plan.service == "vertex" else "gemini"
            check_functions(functions, model, where)
        except Refused as refused:
            told = f"{refused.rule.says} (source: {refused.rule.source}); " if refused.rule else ""
            yield f"{model} refuses its functions: {told}it closes with {refused.code}, “{refused.text}”"


_SCHEMA: Final = "google/ai/generativelanguage/v1beta/content.proto, Schema"


def speaks(plan: Plan, utterance: PlannedUtterance) -> bool:
    """Return whether the utterance's clip is sent."""
    return plan.task != "speak" and utterance.audio is not None


def pictures(plan: Plan, utterance: PlannedUtterance) -> tuple[Picture, ...]:
    """Return the pictures and frames that go before the question; InputError when one cannot be read or is none."""
    if plan.task != "ask" or utterance.scenario is None:
        return ()
    return tuple(
        Picture(name=path.name, mime_type=still.mime_type, data=still.data)
        for path in map(Path, utterance.scenario.images)
        for still in stills(path)
    )


def interjection(plan: Plan, clip: AudioClip) -> tuple[Chunk, ...]:
    """Return what the answer is interrupted with: the question's own words again, from their first sound."""
    if plan.interrupt_after_s is None:
        return ()
    start = first_sound(clip)
    words = clip.read(start, INTERJECTION_S * SAMPLE_RATE)
    return tuple(chunks(AudioClip(pcm=MemoryPcm(words)), plan.chunk_ms))


def demand(plan: Plan, utterance: PlannedUtterance, audio_s: Seconds) -> Demand:
    """Return what a session with an utterance takes, whose clip has `audio_s`."""
    match plan.task:
        case "transcribe":
            return transcription(audio_s, aloud=plan.transcript == "output")
        case "speak":
            return reading(utterance.reference or "")
        case "ask":
            return answering(audio_s, "" if utterance.audio else utterance.reference or "")
        case _:
            assert_never(plan.task)


def errand(
    plan: Plan,
    utterance: PlannedUtterance,
    model: str,
    *,
    shown: Sequence[Picture] = (),
    interrupting: Sequence[Chunk] = (),
) -> Errand:
    """Return what a session with `model` is to do with an utterance, which must be complete (`lacks`)."""
    known = catalogue.find(model)
    as_content = known is None or known.content_any_time
    match plan.task:
        case "transcribe":
            return Transcribe(channel=plan.transcript)
        case "speak":
            return Speak(utterance.reference or "", as_content=as_content)
        case "ask":
            after_s = plan.interrupt_after_s
            return Ask(
                utterance.scenario or Scenario(),
                words=None if utterance.audio else utterance.reference,
                as_content=as_content,
                pictures=shown,
                # No page of Vertex AI's shows realtime text in the guides' time.
                as_parts=plan.service == "vertex",
                interruption=None
                if after_s is None
                else Interruption(after_s=after_s, speech=interrupting),
            )
        case _:
            assert_never(plan.task)


def configured(setup: Setup, plan: Plan, utterance: PlannedUtterance, model: str) -> Setup:
    """Return the run's setup as it is for one utterance."""
    if plan.task == "transcribe":
        return setup
    setup = _in_language(setup, utterance.locale, model)
    scenario = utterance.scenario
    if plan.task == "speak" or scenario is None:
        return setup
    if scenario.tools:
        functions = [_declared(tool) for tool in scenario.tools]
        tools = [*setup.tools, Tool(function_declarations=functions)]
        setup = msgspec.structs.replace(setup, tools=tools)
    known = catalogue.find(model)
    if scenario.context and known is not None and not known.content_any_time:
        history = HistoryConfig(initial_history_in_client_content=True)
        setup = msgspec.structs.replace(setup, history_config=history)
    return setup


def _declared(tool: OfferedFunction) -> FunctionDeclaration:
    return FunctionDeclaration(
        name=tool.name,
        description=tool.description,
        parameters=None if tool.parameters is None else message_from(tool.parameters, Schema),
        behavior=tool.behavior,
    )


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
