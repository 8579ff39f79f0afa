"""Probes of audio that comes out: its form, its voice and language, its words, and its interruption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.session.probes.probe import COUNT, QUESTION, NotShownError, Probe, asking, quoted
from harness.session.talk import SilenceError
from harness.units import SAMPLE_BYTES, SPEECH_RATE

if TYPE_CHECKING:
    from harness.session.probes.probe import Fields, Place
    from harness.session.talk import Heard, Talk

FORM: Final = f"audio/pcm;rate={SPEECH_RATE}"

GERMAN: Final = "Please say: guten Morgen."


def _speech(**config: object) -> Fields:
    return {"generationConfig": {"speechConfig": config}}


def _voice(name: str) -> Fields:
    return _speech(voiceConfig={"prebuiltVoiceConfig": {"voiceName": name}})


async def _said(conversation: Talk, place: Place, words: str = QUESTION) -> Heard:
    """Return an answer in speech; SilenceError when there is none, or in another form."""
    place.ask(conversation, words)
    heard = await conversation.turn()
    if not heard.pcm:
        raise SilenceError("the turn ended without speech")
    if heard.mime_types != {FORM}:
        raise SilenceError(f"the speech is {', '.join(sorted(heard.mime_types))}")
    return heard


def _length(heard: Heard) -> str:
    return f"{len(heard.pcm) / SAMPLE_BYTES / SPEECH_RATE:.1f} s"


async def _pcm(conversation: Talk, place: Place) -> str:
    return f"{_length(await _said(conversation, place))} of {FORM}"


async def _voices(place: Place) -> str:
    """Let two voices say the same, and ask for one that does not exist."""
    told, speech = [], set()
    for name in ("Puck", "Kore"):
        async with place.session(_voice(name), speaks=True) as conversation:
            heard = await _said(conversation, place)
        told.append(f"{name} spoke for {_length(heard)}")
        speech.add(bytes(heard.pcm))
    if len(speech) == 1:
        raise NotShownError(f"{', '.join(told)}: the same samples")
    return f"{', '.join(told)}; another: {await place.scruple(_voice('Nobody'), speaks=True)}"


async def _german(place: Place) -> str:
    """Let the same be said in two languages, and ask for one that does not exist."""
    told, speech = [], set()
    for code in ("de-DE", "en-US"):
        async with place.session(_speech(languageCode=code), speaks=True) as conversation:
            heard = await _said(conversation, place, GERMAN)
        told.append(f"{code}: {_length(heard)}, {quoted(heard.answer)}")
        speech.add(bytes(heard.pcm))
    if len(speech) == 1:
        raise NotShownError(f"{'; '.join(told)}: the same samples")
    words = await place.scruple(_speech(languageCode="xx-XX"), speaks=True)
    return f"{'; '.join(told)}; xx-XX: {words}"


async def _transcribed(conversation: Talk, place: Place) -> str:
    heard = await _said(conversation, place)
    if not heard.spoken.strip():
        raise SilenceError("the speech came without its transcription")
    return quoted(heard.spoken.strip())


async def _interruption(conversation: Talk, place: Place) -> str:
    place.ask(conversation, COUNT)
    await conversation.until(lambda one: one.pcm, "speech")
    place.ask(conversation, "Stop.")
    heard = await conversation.until(lambda one: one.interrupted, "interruption")
    return f"interrupted after {_length(heard)} of speech, which is kept"


PROBES: Final = (
    Probe(capability="audio out: 24 kHz PCM", walk=asking(_pcm, speaks=True)),
    Probe(capability="audio out: voices", walk=_voices),
    Probe(
        capability="audio out: language code",
        walk=_german,
    ),
    Probe(capability="audio out: output transcription", walk=asking(_transcribed, speaks=True)),
    Probe(capability="audio out: interruption", walk=asking(_interruption, speaks=True)),
)
