"""Texts that are spoken: what is sent, what is waited for, and what the record says of it."""

from __future__ import annotations

import wave

import msgspec
import pytest

from harness.clock import run_virtual
from harness.errors import RefusedError
from harness.run.folder import read_journal
from harness.session.waits import Waits
from harness.trace.file import read_trace
from tests.run.runs import plan, run, utterance
from tests.session.memory import MODEL, Service
from tests.session.speaker import PIECE_S, audio, speaking, speaks

WORDS = "Zwei plus zwei ist vier."


def text(number: int = 1, words: str | None = WORDS, locale: str = "de-DE"):
    """Return a planned utterance that nobody spoke."""
    return msgspec.structs.replace(
        utterance(number, locale=locale), audio=None, duration_s=None, sha256=None, reference=words
    )


def spoken(folder, service, *texts, model=MODEL, **more):
    """Return the records of `texts`, spoken by `service`."""
    made = plan(texts or (text(),), models=(model,), task="speak", transcript="output")
    run_virtual(run(made, folder, service, setups={model: speaking(model)}, **more))
    return read_journal(folder)


@pytest.mark.capability("audio out: output transcription", side="client")
@pytest.mark.capability("audio out: 24 kHz PCM", side="client")
def test_a_text_is_spoken_and_heard_again(tmp_path):
    """The speech is kept and measured, its transcription is the hypothesis, its bill is the record's."""
    [record] = spoken(tmp_path, Service(speaks(pieces=5, first=0.3)))
    assert ("ok", None, WORDS) == (record.outcome, record.reason, record.hypothesis)
    assert 5 * PIECE_S == pytest.approx(record.exchange.speech_s)
    assert 0.3 == pytest.approx(record.exchange.first_audio_t, abs=1e-6)
    assert 0.5 == pytest.approx(record.exchange.last_reply_t, abs=1e-6)
    assert (12, 25) == (record.usage.prompt_tokens, record.usage.response_tokens)
    assert record.audio_samples is None
    name = record.trace.removeprefix("traces/").removesuffix(".jsonl.gz")
    with wave.open(str(tmp_path / "audio" / f"{name}.wav")) as file:
        assert (24_000, round(5 * PIECE_S * 24_000)) == (file.getframerate(), file.getnframes())


@pytest.mark.capability("audio out: language code", side="client")
@pytest.mark.capability("text: turns", side="client")
def test_the_text_is_a_whole_turn_in_its_language(tmp_path):
    """One frame after the setup: the text as a complete turn; a half-cascade model is told the language, once."""
    service = Service(speaks())
    spoken(tmp_path, service)
    setup, turn = service.lines[0].heard
    assert "de-DE" == setup["setup"]["generationConfig"]["speechConfig"]["languageCode"]
    assert {
        "clientContent": {
            "turns": [{"role": "user", "parts": [{"text": WORDS}]}],
            "turnComplete": True,
        }
    } == turn


@pytest.mark.capability("text: history seeding", side="client")
def test_a_model_whose_content_is_history_is_asked_in_realtime(tmp_path):
    """Where `clientContent` only seeds the history, the text goes as realtime text; a native voice is told no language."""
    service = Service(speaks())
    [record] = spoken(tmp_path, service, model="gemini-3.1-flash-live-preview")
    setup, turn = service.lines[0].heard
    assert {"realtimeInput": {"text": WORDS}} == turn
    assert "speechConfig" not in setup["setup"]["generationConfig"]
    assert WORDS == record.hypothesis


def test_the_end_of_a_turn_may_lag_by_all_that_is_to_be_played(tmp_path):
    """Speech of 10 s whose `turnComplete` comes only when it would have been played is waited for, bill and all."""
    service = Service(speaks(pieces=50, between=0.01, over_after=9.5))
    [record] = spoken(tmp_path, service)
    assert 10.0 == pytest.approx(record.exchange.speech_s)
    assert 37 == record.usage.total_tokens


def test_an_item_without_a_text_is_a_row_that_says_so(tmp_path):
    """What lacks a text fails by name, and the others are spoken."""
    service = Service(speaks())
    lame, whole = spoken(tmp_path, service, text(1, None), text(2))
    assert ("failed_client", "input", "u0001: it has no text to speak") == (
        lame.outcome,
        lame.failure,
        lame.reason,
    )
    assert ("ok", 1) == (whole.outcome, len(service.lines))


def test_silence_is_no_text(tmp_path):
    """A service that says nothing leaves an empty answer after its time, not a wait without end."""

    def mute(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})

    [record] = spoken(tmp_path, Service(mute), waits=Waits(first_text_s=7.0))
    assert ("ok_empty", None) == (record.outcome, record.failure)
    assert "no answer within 7 s" in record.reason
    assert (None, 0.0) == (record.exchange.first_audio_t, record.exchange.speech_s)


@pytest.mark.capability("native audio: thinking", side="client")
def test_thoughts_are_not_the_answer(tmp_path):
    """A summary of thoughts is in the trace, and neither in the text nor in the times of the answer."""

    def thinking(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "clientContent" in frame:
            thought = {"parts": [{"text": "Let me think.", "thought": True}]}
            line.say({"serverContent": {"modelTurn": thought}}, 0.1)
            line.say(audio(), 0.5)
            line.say({"serverContent": {"outputTranscription": {"text": "Vier."}}}, 0.5)
            line.say({"serverContent": {"turnComplete": True}}, 0.6)

    [record] = spoken(tmp_path, Service(thinking))
    assert "Vier." == record.hypothesis
    assert 0.5 == pytest.approx(record.exchange.first_reply_t, abs=1e-6)
    trace = read_trace(tmp_path / record.trace)
    assert any("Let me think." in str(event.frame) for event in trace.events)


REFUSED = "Unsupported language code: {}"


def speaks_only(*locales):
    """Return a service that speaks in `locales` and refuses the configuration of every other."""
    answer = speaks()

    def picky(line, frame):
        if "setup" in frame:
            told = frame["setup"]["generationConfig"]["speechConfig"]["languageCode"]
            if told not in locales:
                line.hang_up(1007, REFUSED.format(told))
                return
        answer(line, frame)

    return Service(picky)


def test_a_language_that_is_refused_ends_its_own_texts(tmp_path):
    """Texts of refused languages are rows that say why, each language asked for hardly more than once; the others are spoken."""
    locales = ["ja-JP", "th-TH", "de-DE", "en-US"]
    texts = [text(n, locale=locales[n // 10]) for n in range(40)]
    service = speaks_only("de-DE", "en-US")
    records = spoken(tmp_path, service, *texts, concurrency=2)
    outcomes = {locale: {r.failure for r in records if r.locale == locale} for locale in locales}
    assert {"ja-JP": {"config"}, "th-TH": {"config"}, "de-DE": {None}, "en-US": {None}} == outcomes
    assert 40 == len([r for r in records if r.final])
    assert all(REFUSED.format(r.locale) in r.reason for r in records if r.failure)
    assert 22 <= len(service.lines) <= 20 + 2 * 6


def test_nothing_that_can_be_spoken_is_a_refusal_told_once(tmp_path):
    """When every language is refused the run ends as refused, at the first refusal of the last."""
    texts = [text(n, locale=locale) for n, locale in enumerate(["ja-JP", "th-TH"] * 20)]
    service = speaks_only()
    with pytest.raises(RefusedError, match="configuration") as error:
        spoken(tmp_path, service, *texts, concurrency=2)
    assert "Unsupported language code" in str(error.value)
    assert len(service.lines) <= 2 * 6
    assert all(r.failure == "config" for r in read_journal(tmp_path))


def test_a_refused_rest_is_finished_when_others_were_spoken_before(tmp_path):
    """What is left of an earlier sitting that was served is brought to its end, refused or not."""
    made = plan(
        [text(1), text(2, locale="ja-JP")], models=(MODEL,), task="speak", transcript="output"
    )
    setups = {MODEL: speaking(MODEL)}

    service = speaks_only("de-DE")
    run_virtual(run(made, tmp_path, service, setups=setups, order=lambda _, left: list(left)[:1]))
    run_virtual(run(made, tmp_path, service, setups=setups))
    assert [("ok", True), ("failed_client", True)] == [
        (r.outcome, r.final) for r in read_journal(tmp_path)
    ]
