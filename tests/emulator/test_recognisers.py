"""The real recognisers, on recordings that the project carries."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from harness.audio.load import load as load_clip
from harness.corpus.shelf import open_dataset
from harness.emulator.ear import ears
from harness.emulator.ear.capacity import Capacity
from harness.emulator.ear.ear import Appetite, EarLostError
from harness.emulator.ear.hearing import Heard, Ready, Unable, answer, packed
from harness.emulator.ear.remote import RemoteEar
from harness.emulator.user.turns import Piece, Turns, detection

pytestmark = pytest.mark.ear


def clip(utterance_id):
    """Return the PCM of an utterance of the sample dataset."""
    (found,) = [u for u in open_dataset("sample").utterances if u.id == utterance_id]
    audio = load_clip(found.audio, offset_s=found.offset_s, duration_s=found.duration_s)
    return audio.read(0, len(audio))


def words(text):
    """Return the words of a text, without case and punctuation."""
    return "".join(one if one.isalnum() else " " for one in text.lower()).split()


def errors(reference, heard):
    """Return the least number of word edits: the textbook's table."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(reference, 1):
        before, row = row, [i]
        for j, other in enumerate(heard, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (word != other)))
    return row[-1]


def heard(recogniser, pcm):
    """Return the fragments a marked turn gives, streamed in chunks of 100 ms."""
    turns = Turns(recogniser.appetite, detection(None), manual=True)
    listener = recogniser.listener(())
    steps = list(turns.start())
    for offset in range(0, len(pcm), 3200):
        steps += turns.audio(pcm[offset : offset + 3200])
    steps += turns.end()
    texts = [listener.hear(one.pcm, last=one.last) for one in steps if isinstance(one, Piece)]
    return [text for text in texts if text]


@pytest.fixture(scope="module")
def whisper():
    """Give Whisper, loaded once."""
    if "whisper" not in ears.available():
        pytest.skip("needs whisper's weights")
    return ears.load("whisper")


@pytest.mark.capability("audio in: transcription", side="emulator")
@pytest.mark.parametrize(
    "utterance, text, most",
    [
        ("en-US-austen-0930", "he might even have been made amiable himself", 0),
        (
            "it-IT-asterisk-enter-num-blacklist",
            "per piacere inserire il numero da aggiungere alla lista nera",
            1,
        ),
        (
            "ru-RU-asterisk-confbridge-begin-leader",
            "конференция начнется когда подключится руководитель",
            1,
        ),
    ],
)
def test_whisper_hears_several_languages(whisper, utterance, text, most):
    """What was said is heard in the language it was said in, which nobody told."""
    assert errors(words(text), words("".join(heard(whisper, clip(utterance))))) <= most


def test_whisper_gives_fragments_at_pauses(whisper):
    """Three phrases with pauses between them are three fragments, each with its leading space."""
    fragments = heard(whisper, clip("en-US-jfk"))
    assert 3 == len(fragments)
    assert all(fragment.startswith(" ") for fragment in fragments)
    assert {"fellow", "country"} < set(words("".join(fragments)))


def test_whisper_hears_nothing_in_silence(whisper):
    """Three seconds of zeros given to it as a phrase are no text that goes on and on."""
    assert len(whisper.listener(()).hear(bytes(96_000), last=True)) < 40


def test_whisper_hears_only_the_languages_asked_for(whisper):
    """With one language expected, that one is written, whatever is said."""
    listener = whisper.listener(("ru",))
    text = listener.hear(clip("en-US-austen-0930"), last=True)
    assert any("а" <= one <= "я" for one in text.lower())


@pytest.mark.capability("later models: language hints, vocabulary, verbatim mode", side="emulator")
def test_whisper_expects_the_words_it_is_told(whisper):
    """A word that it mishears is heard when it is in the vocabulary, and punctuation stays as it was."""
    pcm = clip("en-US-austen-0880")
    plain = whisper.listener(()).hear(pcm, last=True)
    told = whisper.listener((), ("ill-disposed",)).hear(pcm, last=True)
    assert "ill-disposed" not in plain
    assert "He was not an ill-disposed young man." == told.strip()


def test_pocketsphinx_streams_words():
    """The English ear gives words while audio still comes, and gets most of an easy sentence."""
    pytest.importorskip("pocketsphinx")
    fragments = heard(ears.load("pocketsphinx"), clip("en-US-librispeech-61-70968-0000"))
    assert len(fragments) > 3
    text = "he began a confused complaint against the wizard who had vanished behind the curtain on the left"
    assert errors(words(text), words("".join(fragments))) <= len(words(text)) // 2


# ── in a process of its own ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "message",
    [
        Ready(name="x", appetite=Appetite(piece_s=0.2), real_time_factor=0.25),
        Unable(what="x", why=None, hint="y"),
        Heard(request=3, text=" x", language="en", audio_s=4.0, took_s=0.5),
    ],
)
def test_messages_come_out_of_the_pipe_as_they_went_in(message):
    """What is packed is read back the same."""
    assert message == answer(packed(message)[4:])


async def said(listening, pcm):
    """Return all that is heard in `pcm`."""
    return "".join([text async for text in listening.hear(pcm, last=True)])


@pytest.mark.wall
async def test_an_ear_that_dies_is_replaced_once():
    """What waits for a process that dies is lost, the session too; a new session is heard by a new process, once."""
    pytest.importorskip("pocketsphinx")
    pcm = clip("en-US-librispeech-61-70968-0000")[:32_000]
    ear = RemoteEar("pocketsphinx")
    await ear.start()
    try:
        assert ear.name.startswith("pocketsphinx")
        assert Appetite(piece_s=0.2) == ear.appetite
        for session in range(2):
            listening = ear.listen()
            await said(listening, pcm)
            waiting = asyncio.ensure_future(said(listening, pcm))
            await asyncio.sleep(0)
            os.kill(ear._process.pid, signal.SIGKILL)
            with pytest.raises(EarLostError):
                await waiting
            with pytest.raises(EarLostError):
                await said(listening, pcm)
            if session == 1:
                with pytest.raises(EarLostError):
                    await said(ear.listen(), pcm)
    finally:
        await ear.stop()


@pytest.mark.wall
async def test_an_ear_tells_what_its_hearing_took(monkeypatch):
    """With each text comes how much audio it was for and how long that took: from 0 s to as long as we waited."""
    pytest.importorskip("pocketsphinx")
    told = []
    monkeypatch.setattr(Capacity, "heard", lambda _, *hearing: told.append(hearing))
    ear = RemoteEar("pocketsphinx")
    assert ear.capacity is None
    await ear.start()
    try:
        began = time.perf_counter()
        await said(ear.listen(), clip("en-US-librispeech-61-70968-0000")[:32_000])
        waited_s = time.perf_counter() - began
    finally:
        await ear.stop()
    ((audio_s, took_s),) = told
    assert 1.0 == audio_s
    assert 0 < took_s < waited_s


@pytest.mark.wall
async def test_what_nobody_waits_for_is_passed_over():
    """A session that leaves does not keep the others waiting for what it had asked."""
    pytest.importorskip("pocketsphinx")
    pcm = clip("en-US-librispeech-61-70968-0000")[:32_000]
    ear = RemoteEar("pocketsphinx")
    await ear.start()
    try:
        leaver, stayer = ear.listen(), ear.listen()
        lost = [asyncio.ensure_future(said(leaver, pcm)) for _ in range(20)]
        await asyncio.sleep(0)
        leaver.leave()
        # Behind all of what the other had asked this would be the last to be answered.
        await said(stayer, pcm)
        assert sum(task.done() for task in lost) < len(lost)
        for task in lost:
            task.cancel()
        await asyncio.gather(*lost, return_exceptions=True)
    finally:
        await ear.stop()
