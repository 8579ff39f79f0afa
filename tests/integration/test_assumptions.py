"""Open questions and our client: whatever is so, it comes right."""

from __future__ import annotations

import time
from types import SimpleNamespace

import msgspec
import pytest

from harness.audio.clip import AudioClip, MemoryPcm
from harness.corpus.scenario import Expectation, ExpectedCall, OfferedFunction, Scenario
from harness.emulator.conversation.handles import Handles
from harness.emulator.door.serve import Service
from harness.emulator.door.tokens import Tokens
from harness.emulator.ear.scripted import Line, Scripted
from harness.emulator.model.answers import Answer, Answers
from harness.emulator.model.manners import Manners
from harness.errors import HarnessError
from harness.run.bill import bill_usd
from harness.run.folder import read_journal
from harness.secret import Secret
from harness.session.probes import PROBES
from harness.session.probes.pictures import grey_png
from harness.session.probes.probe import Place, outcome
from harness.session.transport import connect
from harness.trace.file import read_trace
from harness.wire.live import endpoint as live
from harness.wire.live.assumptions import QUESTIONS, assumed
from harness.wire.live.endpoint import Route
from harness.wire.live.messages import (
    AudioTranscriptionConfig,
    SessionResumptionConfig,
)
from harness.wire.live.setups import asking_setup, transcription_setup
from tests.emulator.memory import Drone
from tests.emulator.signals import burst, hush
from tests.integration.socketless import run_socketless, served
from tests.run.runs import plan, run, utterance

CHOICES = [
    f"{QUESTIONS[0].name}={QUESTIONS[0].default}",
    *(f"{one.name}={each.name}" for one in QUESTIONS for each in one.choices[1:]),
]
"""What is usual, and each choice that is not."""

URL = "ws://127.0.0.1:1"
WORDS = {"*": Line(fragments=[" Guten", " Morgen."], delay_s=0.2, every_s=0.1)}
SECONDS = {"*": Line(fragments=[" {seconds}"])}
HALF = "gemini-live-2.5-flash-preview"
VERTEX = "gemini-live-2.5-flash"


def at_gemini():
    """Return the Developer API's endpoint at the port of the tests."""
    return live.gemini(Secret("k"), url=URL)


def at_vertex(bearer="t"):
    """Return Vertex AI's endpoint there."""
    return live.vertex(Secret(bearer), project="p", url=URL)


def service(*assumptions, script=WORDS, sessions=9, **manners):
    """Return an emulator that assumes this."""
    how = Manners(assumed=assumed(assumptions), **manners)
    return Service(ear=Scripted(script), sessions=sessions, manners=how, voice=Drone())


def ran(folder, emulator, *utterances, where=at_gemini, model=HALF, change=None, **more):
    """Return the records of a run at `emulator`, and how it ended where it was not to its end."""
    turns = more.pop("turns", "manual")
    made = plan(utterances, models=(model,), turns=turns, **more.pop("plan", {}))
    setup = more.pop("setup", None) or transcription_setup(model, turns=turns, transcript="input")
    change = {"model": where().model_name(model)} | (change or {})
    named = msgspec.structs.replace(setup, **change)

    async def whole():
        async with served(emulator):
            here = SimpleNamespace(connect=connect)
            try:
                await run(made, folder, here, setups={model: named}, endpoint=where, **more)
            except HarnessError as error:
                return error.what
        return None

    ended = run_socketless(whole())
    return read_journal(folder), ended


def heard(planned):
    """Return what an activity detector takes for one utterance, as long as planned."""
    return AudioClip(pcm=MemoryPcm(hush(0.3) + burst(planned.duration_s - 0.5) + hush(0.2)))


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("where, model", [(at_gemini, HALF), (at_vertex, VERTEX)])
def test_whatever_is_so_a_clip_is_transcribed(tmp_path, choice, where, model):
    """With every choice of every question, on both platforms, a run has its transcripts and its bills."""
    for turns, load in (("manual", None), ("auto", heard)):
        clips = (utterance(1, 2.0), utterance(2, 3.0))
        records, _ = ran(
            tmp_path / turns, service(choice), *clips, where=where, model=model, turns=turns, load=load
        )  # fmt: skip
        assert [("ok", "Guten Morgen.", 1)] * 2 == [
            (one.outcome, one.hypothesis, one.usage.records) for one in records
        ]


@pytest.mark.parametrize("choice", CHOICES)
def test_whatever_is_so_nothing_is_lost_where_connections_end(tmp_path, choice):
    """With every choice a clip that outlasts its connections is resumed, and heard whole, every second once."""
    emulator = service(choice, script=SECONDS, connection_s=20.0, go_away_lead_s=10.0)
    resumption = {"session_resumption": SessionResumptionConfig()}
    [record], _ = ran(tmp_path, emulator, utterance(1, 50.0), change=resumption)
    parts = [float(part) for part in record.hypothesis.split()]
    assert ("ok", len(parts) - 1) == (record.outcome, record.seams)
    assert 2 < len(parts)
    assert 50.0 == pytest.approx(sum(parts), abs=0.05 * len(parts))


# ── bills ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rate", [25, 32])
def test_what_was_counted_is_what_is_billed(tmp_path, rate):
    """A bill is the service's own count, whatever a second of audio is."""
    [record], _ = ran(tmp_path, service(f"audio-tokens={rate}"), utterance(1, 4.0))
    assert 4 * rate == record.usage.prompt_by_modality["AUDIO"]
    text_in, text_out = record.usage.prompt_by_modality["TEXT"], record.usage.response_tokens
    expected = (4 * rate * 3.00 + text_in * 0.50 + text_out * 2.00) / 1e6
    assert expected == pytest.approx(bill_usd(HALF, record.usage))


@pytest.mark.parametrize("coverage, billed", [("all-input", True), ("only-activity", False)])
def test_silence_is_billed_as_the_service_counts_it(tmp_path, coverage, billed):
    """What of the audio is billed the service decides; the clip is as long either way."""

    def late(planned):
        return AudioClip(pcm=MemoryPcm(hush(planned.duration_s - 1.0) + burst(1.0)))

    emulator = service(f"turn-coverage={coverage}")
    [record], _ = ran(tmp_path, emulator, utterance(1, 9.0), turns="auto", load=late)
    assert "Guten Morgen." == record.hypothesis
    assert billed is (record.usage.prompt_by_modality["AUDIO"] > 9 * 25 - 1)


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────

REFUSED = [
    ("error-frames", {"model": "models/nope"}, {"model_not_found"}),
    ("error-frames", {"input_audio_transcription": AudioTranscriptionConfig(mode="VERBATIM")}, {"config"}),
    ("transcription-fields", {"input_audio_transcription": AudioTranscriptionConfig(mode="VERBATIM")}, {"config", "transient"}),
]  # fmt: skip


@pytest.mark.parametrize("name, change, kinds", REFUSED)
def test_a_refusal_is_classed_alike(tmp_path, name, change, kinds):
    """However a setup is refused the run ends with its class: config and the like at once, a silence after its wait."""
    found = set()
    for question in QUESTIONS:
        for choice in question.choices if question.name == name else ():
            records, _ = ran(
                tmp_path / choice.name, service(f"{name}={choice.name}"), utterance(1), change=change
            )  # fmt: skip
            assert records[-1].outcome.startswith("failed")
            found.add(records[-1].failure)
    assert kinds == found


@pytest.mark.parametrize("choice", ["at-upgrade", "by-close"])
@pytest.mark.parametrize("errors", ["never", "before-close"])
def test_bad_credentials_end_the_run(tmp_path, choice, errors):
    """Refused at the upgrade or right after it, credentials that are no good end the run at once, and it says so."""
    emulator = service(f"vertex-missing-auth={choice}", f"error-frames={errors}")
    records, ended = ran(
        tmp_path, emulator, utterance(1), where=lambda: at_vertex("invalid"), model=VERTEX
    )
    assert {"auth"} == {one.failure for one in records}
    assert "the service refuses the credentials" in ended


@pytest.mark.parametrize("choice", ["at-upgrade", "by-close"])
@pytest.mark.parametrize("errors", ["never", "before-close"])
def test_a_session_too_many_waits(tmp_path, choice, errors):
    """Refused for quota either way, an utterance waits for its turn and is transcribed."""
    emulator = service(f"too-many-sessions={choice}", f"error-frames={errors}", sessions=1)
    records, _ = ran(tmp_path, emulator, *(utterance(n, 2.0) for n in range(4)), concurrency=4)
    finals = [one for one in records if one.final]
    assert [("ok", "Guten Morgen.")] * 4 == [(one.outcome, one.hypothesis) for one in finals]


class Forgetful(Handles):
    """Handles that name nothing."""

    def find(self, handle):
        return None


@pytest.mark.parametrize("choice", ["not-found", "invalid"])
@pytest.mark.parametrize("errors", ["never", "before-close"])
def test_a_handle_that_is_refused_costs_nothing(tmp_path, choice, errors):
    """A session that cannot be resumed goes on afresh, in whichever words the handle was refused."""
    emulator = service(
        f"unknown-handle={choice}", f"error-frames={errors}",
        script=SECONDS, connection_s=20.0, go_away_lead_s=10.0,
    )  # fmt: skip
    emulator.handles = Forgetful()
    resumption = {"session_resumption": SessionResumptionConfig()}
    [record], _ = ran(tmp_path, emulator, utterance(1, 30.0), change=resumption)
    assert ("ok", len(record.hypothesis.split()) - 1) == (record.outcome, record.seams)
    assert record.seams
    assert 30.0 == pytest.approx(sum(map(float, record.hypothesis.split())), abs=0.2)


@pytest.mark.parametrize("choice, ends", [("free", ("ok", None)), ("counted", ("partial", "auth"))])
def test_a_token_that_is_spent_leaves_what_was_heard(tmp_path, choice, ends):
    """Where resuming takes a use that is not there, the clip's first part is kept, and the record says why."""
    emulator = service(
        f"resumption-use={choice}", script=SECONDS, connection_s=20.0, go_away_lead_s=10.0
    )
    emulator.tokens = Tokens(now=time.time)
    token = Secret(emulator.tokens.mint(b'{"uses": 1}'))
    resumption = {"session_resumption": SessionResumptionConfig()}
    records, _ = ran(
        tmp_path, emulator, utterance(1, 30.0),
        where=lambda: live.gemini_token(token, url=URL), change=resumption,
    )  # fmt: skip
    assert ends == (records[0].outcome, records[0].failure)
    assert records[0].hypothesis


# ── questions and probes ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("tools: cancellation")
@pytest.mark.parametrize("choice", ["ignored", "refused"])
def test_a_cancelled_call_is_not_answered(tmp_path, choice):
    """Whatever a late answer would do to the session, the client gives none, and the session ends well."""
    line = {
        "say": "Let me look that up, which may take a while, since the thermometer is far away.",
        "call": {"name": "get_temp", "args": {}},
        "after": "It is {celsius} degrees.",
    }
    emulator = service(
        f"late-tool-response={choice}", answers=Answers([msgspec.convert(line, Answer)])
    )
    tool = OfferedFunction(
        name="get_temp", description="Temperature.", response={"celsius": 1}, after_s=1.0
    )
    call = Expectation(tool=ExpectedCall(name="get_temp"))
    asked = msgspec.structs.replace(utterance(1), scenario=Scenario(expect=call, tools=[tool]))
    [record], _ = ran(
        tmp_path, emulator, asked,
        setup=asking_setup(HALF, turns="manual", transcript="reply"),
        plan={"task": "ask", "transcript": "reply", "interrupt_after_s": 0.1},
    )  # fmt: skip
    assert record.failure is None
    [made] = record.exchange.calls
    assert (None, True) == (made.answered_t, made.cancelled)
    events = read_trace(tmp_path / record.trace).events
    assert any("dropped" in e.frame for e in events if e.dir == "!")


@pytest.mark.capability("video in: pictures")
@pytest.mark.parametrize("choice", ["taken", "refused"])
@pytest.mark.parametrize("written", [True, False])
def test_pictures_are_asked_about_whatever_becomes_of_realtime_text(tmp_path, choice, written):
    """On Vertex AI a question with a picture, written or spoken, is answered, and its picture billed."""
    (tmp_path / "grey.png").write_bytes(grey_png())
    emulator = service(f"vertex-realtime-text={choice}")
    brought = Scenario(expect=Expectation(contains="colour"), images=[str(tmp_path / "grey.png")])
    asked = msgspec.structs.replace(utterance(1), reference="What colour?", scenario=brought)
    if written:
        asked = msgspec.structs.replace(asked, audio=None, duration_s=None, sha256=None)
    [record], _ = ran(
        tmp_path / "run", emulator, asked, where=at_vertex, model=VERTEX,
        setup=asking_setup(VERTEX, turns="manual", transcript="reply"),
        plan={"task": "ask", "transcript": "reply", "service": "vertex"},
    )  # fmt: skip
    assert ("ok", "What colour?" if written else "Guten Morgen.") == (
        record.outcome, record.hypothesis
    )  # fmt: skip
    assert 258 == record.usage.prompt_by_modality["IMAGE" if written else "VIDEO"]


def place(where, model, version):
    """Return a place for probes at the port of the tests."""
    return Place(
        connect=connect,
        endpoint=lambda _: where(),
        route=lambda _: Route(platform=where().platform, version=version),
        service="emulator",
        url=URL,
        key=None,
        model=model,
        speech=burst(1.0),
        pause_s=0.1,
    )


def probed(emulator, *probes, where=at_gemini, model=HALF, version="v1beta"):
    """Return what probes find at `emulator`, by their names."""

    async def all_of_them():
        here = place(where, model, version)
        async with served(emulator):
            return {one.capability: await outcome(one, here) for one in probes}

    return run_socketless(all_of_them())


BY_NAME = {one.capability: one for one in PROBES}
AT_VERTEX = {"where": at_vertex, "model": VERTEX, "version": "v1beta1"}


@pytest.mark.parametrize("errors", ["never", "before-close"])
@pytest.mark.parametrize("choice, verdict", [("taken", "ok"), ("refused", "not offered")])
def test_the_doctor_tells_whether_realtime_text_is_taken(errors, choice, verdict):
    """Realtime text that Vertex AI refuses is a capability it does not offer, and no fault."""
    emulator = service(f"error-frames={errors}", f"vertex-realtime-text={choice}")
    [found] = probed(emulator, BY_NAME["text: realtime text"], **AT_VERTEX).values()
    assert (verdict, verdict != "ok") == (found.verdict, "the service refuses it" in found.told)


CLOSES = "setup: close codes and reasons"
WALKED = [one for one in PROBES if not one.capability.startswith(("connection", CLOSES))]
"""All that need no sockets of their own."""


@pytest.mark.parametrize("choice", CHOICES)
def test_whatever_is_so_the_doctor_finds_no_fault(choice):
    """With every choice no probe fails where it is in question, and a refusal is known for what it is."""
    where = AT_VERTEX if choice.startswith("vertex-") else {}
    found = probed(service(choice), *WALKED, **where)
    failed = {name: one.told for name, one in found.items() if one.verdict == "failed"}
    # Nobody has told this emulator what to answer.
    assert {} == {name: told for name, told in failed.items() if "answer" not in told}
    [refused] = probed(service(choice), BY_NAME[CLOSES]).values()
    assert ("ok", True) == (refused.verdict, "no-such-model" in refused.told)
