"""One session from end to end, in virtual time, against services of every manner."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import weakref
from base64 import b64decode

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audio.clip import AudioClip, FilePcm
from harness.clock import run_virtual
from harness.errors import RefusedError
from harness.run.attempt import MOST_TEXT, record, send_lags_ms
from harness.run.invariants import violations
from harness.run.record import Usage
from harness.score.stability import screens
from harness.secret import Secret
from harness.session import drive as driving
from harness.session.frames import Frames
from harness.session.leg import Leg
from harness.session.transport import Upgraded
from harness.session.waits import Waits
from harness.session.way import OpenWay
from harness.trace.hypothesis import hypothesis
from harness.trace.seams import seams
from harness.wire.live import endpoint as live
from harness.wire.live.messages import SessionResumptionConfig
from tests.session.memory import KEY, Line, Service, assignment, drive, polite


def frames(trace, direction):
    """Return the frames of one direction."""
    return [event.frame for event in trace.events if event.dir == direction]


def audio_of(trace):
    """Return what audio was sent, as (key, offset, samples)."""
    sent = [
        f["realtimeInput"]["audio"]
        for f in frames(trace, ">")
        if "audio" in f.get("realtimeInput", {})
    ]
    return [
        ("offset" if "offset" in a else "silence", a.get("offset", a.get("silence")), a["samples"])
        for a in sent
    ]


@given(
    st.floats(0.01, 4.0), st.sampled_from(["manual", "auto"]), st.sampled_from([0.0, 0.5, 1.0, 3.0])
)
def test_the_whole_clip_is_sent_once_in_order(seconds, turns, pace):
    """Whatever the length, pace and turns, the sent chunks are exactly the clip, each byte once and in order."""
    service = Service(polite(" hello"))
    todo = assignment(seconds, pace=pace, turns=turns)
    ending, trace = run_virtual(drive(service, todo))
    assert "ok" == ending.outcome
    offsets = [(offset, samples) for key, offset, samples in audio_of(trace) if key == "offset"]
    position = 0
    for offset, samples in offsets:
        assert position == offset
        position += samples
    assert len(todo.clip) == position
    assert ("auto" == turns) == any(key == "silence" for key, *_ in audio_of(trace))


def test_frames_leave_when_they_are_due():
    """At real time no frame leaves before its last sample is recorded, and in virtual time none leaves after."""
    _, trace = run_virtual(drive(Service(polite(" hello")), assignment(3.0)))
    assert 30 == len(send_lags_ms(trace))
    assert all(abs(lag) < 0.01 for lag in send_lags_ms(trace))


def test_times_never_decrease_and_zero_is_the_first_sample():
    """What came before the first sample has a time of at most zero, and times never decrease."""
    _, trace = run_virtual(drive(Service(polite(" hello")), assignment(1.0)))
    times = [event.t for event in trace.events]
    assert sorted(times) == times
    assert times[0] <= 0
    first = next(e for e in trace.events if "audio" in (e.frame.get("realtimeInput") or {}))
    assert 0.1 == pytest.approx(first.t, abs=1e-6)


@pytest.mark.capability("audio in: manual activity", side="client")
def test_manual_turns_frame_the_clip_with_activity_signals():
    """With manual turns the audio lies between activityStart and activityEnd, and no stream end is sent."""
    _, trace = run_virtual(drive(Service(polite(" hello")), assignment(0.5)))
    kinds = [next(iter(f.get("realtimeInput") or f)) for f in frames(trace, ">")]
    assert ["setup", "activityStart", *["audio"] * 5, "activityEnd"] == kinds


@pytest.mark.capability("audio in: automatic activity detection", side="client")
@pytest.mark.capability("audio in: audioStreamEnd", side="client")
def test_automatic_turns_end_with_silence_and_a_stream_end():
    """With automatic turns one and a half seconds of silence and audioStreamEnd follow the clip."""
    _, trace = run_virtual(drive(Service(polite(" hello")), assignment(0.5, turns="auto")))
    kinds = [next(iter(f.get("realtimeInput") or f)) for f in frames(trace, ">")]
    assert "audioStreamEnd" == kinds[-1]
    assert "activityStart" not in kinds
    assert 24_000 == sum(samples for key, _, samples in audio_of(trace) if key == "silence")


def test_nothing_is_sent_before_setup_complete():
    """A service that takes its time over the setup hears nothing but the setup meanwhile."""

    def slow(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}}, 5.0)
            line.loop.call_later(4.9, lambda: early.append(len(line.heard)))
        else:
            polite(" x")(line, frame)

    early: list[int] = []
    ending, _ = run_virtual(drive(Service(slow), assignment(0.3)))
    assert [1] == early
    assert "ok" == ending.outcome


@pytest.mark.capability("audio in: transcription", side="client")
def test_fragments_are_joined_verbatim():
    """The hypothesis is the fragments joined as they came, trimmed at its ends alone."""
    ending, trace = run_virtual(
        drive(Service(polite(" Dzień do", "bry, proszę", " o rachunek. ")), assignment(0.3))
    )
    assert "ok" == ending.outcome
    assert "Dzień dobry, proszę o rachunek." == hypothesis(trace, "input").text


def late_text(line, frame):
    """End the turn first and transcribe two seconds later."""
    if "setup" in frame:
        line.say({"setupComplete": {}})
    elif "activityEnd" in frame.get("realtimeInput", {}):
        line.say({"serverContent": {"turnComplete": True}})
        line.say({"serverContent": {"inputTranscription": {"text": " late"}}}, 2.0)


@pytest.mark.capability("later models: fields and eras", side="client")
@pytest.mark.parametrize("status, heard", [("IN_PROGRESS", "First, then more"), ("IDLE", "First")])
def test_a_turn_that_is_in_progress_is_not_over(status, heard):
    """A completed turn after which more may follow is waited for like one that is open; one that is idle is over."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            over = {"turnComplete": True, "interactionStatus": status}
            line.say({"serverContent": {"inputTranscription": {"text": " First"}}})
            line.say({"serverContent": over})
            line.say({"serverContent": {"inputTranscription": {"text": ", then more"}}}, 4.0)

    ending, trace = run_virtual(drive(Service(answer), assignment(0.3)))
    assert ("ok", heard) == (ending.outcome, hypothesis(trace, "input").text)


def no_turn_end(line, frame):
    """Transcribe, and never end the turn."""
    if "setup" in frame:
        line.say({"setupComplete": {}})
    elif "activityEnd" in frame.get("realtimeInput", {}):
        line.say({"serverContent": {"inputTranscription": {"text": " text"}}}, 0.5)
        line.say({"serverContent": {"inputTranscription": {"text": " and more"}}}, 4.0)


def everything_at_once(line, frame):
    """Put every field into one frame."""
    if "setup" in frame:
        line.say({"setupComplete": {}, "sessionResumptionUpdate": {}})
    elif "activityEnd" in frame.get("realtimeInput", {}):
        line.say(
            {
                "serverContent": {
                    "inputTranscription": {"text": " one"},
                    "modelTurn": {"parts": [{"text": "ok"}]},
                    "generationComplete": True,
                    "turnComplete": True,
                },
                "usageMetadata": {"totalTokenCount": 3},
            }
        )


@pytest.mark.capability("audio in: transcription", side="client")
@pytest.mark.parametrize(
    "answer, text",
    [(late_text, "late"), (no_turn_end, "text and more"), (everything_at_once, "one")],
)
def test_the_order_of_messages_does_not_matter(answer, text):
    """The transcript is whole whether it comes before, with, after or without the end of the turn."""
    ending, trace = run_virtual(drive(Service(answer), assignment(0.3)))
    assert "ok" == ending.outcome
    assert text == hypothesis(trace, "input").text


def silent(line, frame):
    """Say nothing after the setup."""
    if "setup" in frame:
        line.say({"setupComplete": {}})


def mute(line, frame):
    """Say nothing at all."""


def empty_turn(line, frame):
    """End the turn without a word."""
    if "setup" in frame:
        line.say({"setupComplete": {}})
    elif "activityEnd" in frame.get("realtimeInput", {}):
        line.say({"serverContent": {"turnComplete": True}})


def hang_up(code, reason, *, at="activityEnd", after_text=None):
    """Return a service that closes with `code` when it gets the signal `at`."""

    def answer(line, frame):
        if at == "setup" and "setup" in frame:
            line.hang_up(code, reason)
        elif "setup" in frame:
            line.say({"setupComplete": {}})
        elif at in frame.get("realtimeInput", {}):
            if after_text:
                line.say({"serverContent": {"inputTranscription": {"text": after_text}}})
                line.loop.call_later(0.01, line.hang_up, code, reason)
            else:
                line.hang_up(code, reason)

    return answer


def garbage(line, frame):
    """Answer with what is no JSON."""
    if "setup" in frame:
        line.say({"setupComplete": {}})
    else:
        line.say_raw(b"\xff\xfe not json")


def blocked(line, frame):
    """Refuse the turn for its content."""
    if "setup" in frame:
        line.say({"setupComplete": {}})
    elif "activityEnd" in frame.get("realtimeInput", {}):
        line.say(
            {
                "serverContent": {
                    "turnComplete": True,
                    "turnCompleteReason": "PROHIBITED_INPUT_CONTENT",
                }
            }
        )


QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.capability("setup: close codes and reasons", side="client")
@pytest.mark.parametrize(
    "answer, outcome, failure",
    [
        (silent, "ok_empty", None),
        (empty_turn, "ok_empty", None),
        (blocked, "blocked", None),
        (mute, "failed_server", "transient"),
        (garbage, "failed_server", "transient"),
        (
            hang_up(1007, "API key not valid. Please pass a valid API key.", at="setup"),
            "failed_client",
            "auth",
        ),
        (
            hang_up(1007, "Request contains an invalid argument.", at="setup"),
            "failed_client",
            "config",
        ),
        (
            hang_up(
                1008,
                "models/x is not found for API version v1beta, or is not supported",
                at="setup",
            ),
            "failed_client",
            "model_not_found",
        ),
        (hang_up(1011, QUOTA, at="setup"), "failed_quota", "quota"),
        (hang_up(1011, "Internal error encountered."), "failed_server", "transient"),
        (
            hang_up(1011, "Deadline expired before operation could complete."),
            "failed_server",
            "duration",
        ),
        (hang_up(1006, ""), "failed_server", "transient"),
        (hang_up(1011, "Internal error encountered.", after_text=" half"), "partial", "transient"),
        (hang_up(1000, ""), "ok_empty", None),
        (hang_up(1000, "", after_text=" whole"), "ok", None),
        (hang_up(1000, "", at="audio"), "failed_server", "transient"),
    ],
)
def test_every_end_has_its_outcome(answer, outcome, failure):
    """Each way a session can end leads to its outcome and failure kind, in bounded time, with a reason in words."""
    ending, trace = run_virtual(drive(Service(answer), assignment(0.3)))
    assert (outcome, failure) == (ending.outcome, ending.failure)
    assert ("ok" == outcome) == (ending.reason is None)
    assert trace.events[-1].t < 70
    kept = record(trace, "input", path=None, final=True)
    assert (outcome, failure, ending.reason) == (kept.outcome, kept.failure, kept.reason)


def test_a_frame_that_is_no_message_is_kept_raw():
    """What cannot be read is in the trace as it came."""
    _, trace = run_virtual(drive(Service(garbage), assignment(0.3)))
    assert {"raw": "\\xff\\xfe not json"} in frames(trace, "<")


@pytest.mark.capability("connection: refusals at the upgrade", side="client")
@pytest.mark.parametrize(
    "closed, outcome, failure, unreachable",
    [
        (
            {"code": None, "reason": "nobody", "unreachable": True},
            "failed_client",
            "transient",
            True,
        ),
        (
            {"code": None, "status": 429, "reason": "slow down", "retry_after_s": 7.0},
            "failed_quota",
            "quota",
            False,
        ),
        ({"code": None, "status": 401, "reason": "no"}, "failed_client", "auth", False),
        ({"code": None, "status": 503, "reason": "busy"}, "failed_server", "transient", False),
    ],
)
def test_a_refused_upgrade_has_its_outcome(closed, outcome, failure, unreachable):
    """What is refused before the session begins is told apart, with what the service asked for."""
    service = Service(lambda line, _: line.hang_up(**closed), upgraded=False)
    ending, _ = run_virtual(drive(service, assignment(0.3)))
    assert (outcome, failure, unreachable) == (ending.outcome, ending.failure, ending.unreachable)
    assert closed.get("retry_after_s") == ending.retry_after_s


def test_no_secret_reaches_the_trace_even_when_the_service_echoes_it():
    """A key that the service repeats in a message or a close reason is masked in the trace."""

    def echo(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
            line.say({"serverContent": {"inputTranscription": {"text": f" {KEY} "}}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            line.hang_up(1011, f"your key {KEY} is odd")

    ending, trace = run_virtual(drive(Service(echo), assignment(0.3)))
    assert KEY not in repr(trace)
    assert KEY not in repr(record(trace, "input", path=None, final=True))
    assert KEY not in repr(ending)


@pytest.mark.capability("audio out: 24 kHz PCM", side="client")
def test_received_speech_is_kept_beside_the_trace():
    """Audio parts become references into one PCM stream, whose samples are exactly what came."""
    import base64

    from harness.session.drive import Session
    from harness.session.pace import Pacer

    def speak(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            for piece in (b"\x01\x00\x02\x00", b"\x03\x00"):
                blob = {
                    "mimeType": "audio/pcm;rate=24000",
                    "data": base64.b64encode(piece).decode(),
                }
                line.say({"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}})
            line.say({"serverContent": {"turnComplete": True}})

    async def main():
        import asyncio

        session = Session(
            assignment(0.2), Service(speak).connect, Pacer(asyncio.get_running_loop())
        )
        return (await session.run()).recorder.trace()

    trace, heard = run_virtual(main())
    assert b"\x01\x00\x02\x00\x03\x00" == heard
    blobs = [
        part["inlineData"]
        for f in frames(trace, "<")
        for part in f.get("serverContent", {}).get("modelTurn", {}).get("parts", [])
    ]
    assert [(0, 2), (2, 1)] == [(blob["offset"], blob["samples"]) for blob in blobs]
    assert all("data" not in blob and "audio/u1.wav" == blob["wav"] for blob in blobs)


def test_the_same_session_twice_is_the_same_trace():
    """Virtual time is deterministic: two runs leave equal traces."""
    traces = [run_virtual(drive(Service(polite(" a", " b")), assignment(2.0)))[1] for _ in range(2)]
    assert traces[0] == traces[1]


@pytest.mark.parametrize("written", ['"{}"', '"\\\\u0061{}"'])
def test_no_way_of_escaping_hides_a_secret(written):
    """A key that comes escaped in JSON is masked like any other."""
    echoed = written.format(KEY if "u0061" not in written else KEY[1:]).replace("\\\\", "\\")

    def echo(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            line.say_raw(b'{"serverContent":{"inputTranscription":{"text":%s}}}' % echoed.encode())

    _, trace = run_virtual(drive(Service(echo), assignment(0.2)))
    assert KEY not in repr(trace)
    assert "[secret]" == hypothesis(trace, "input").text


def leaving(lead: float, after: float = 2.0):
    """Return a service that announces `after` s into each connection that it goes in `lead` s, and aborts then."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
            line.say({"goAway": {"timeLeft": f"{lead}s"}}, after)
            line.loop.call_later(
                after + lead, line.hang_up, 1008, "Connection aborted because the client failed"
            )
        elif (sent := frame.get("realtimeInput", {}).get("audio")) is not None:
            line.samples = getattr(line, "samples", 0) + len(sent["data"]) * 3 // 8
        elif {"activityEnd", "audioStreamEnd"} & frame.get("realtimeInput", {}).keys():
            line.say(
                {"serverContent": {"inputTranscription": {"text": f" part{len(service.lines)}"}}},
                0.3,
            )
            line.say({"serverContent": {"turnComplete": True}}, 0.3)

    service = Service(answer)
    return service


@pytest.mark.capability("long sessions: goAway", side="client")
@pytest.mark.parametrize("turns", ["manual", "auto"])
@pytest.mark.parametrize("pace", [1.0, 0.0])
def test_a_service_that_goes_is_heard_out_and_gone_on_with(turns, pace):
    """On goAway the turn is ended, heard out, and another connection goes on: no sample lost, none twice, text whole."""
    service = leaving(8.0)
    ending, trace = run_virtual(
        drive(service, assignment(15.0 if pace else 60.0, turns=turns, pace=pace))
    )
    assert "ok" == ending.outcome
    offsets = [(offset, samples) for key, offset, samples in audio_of(trace) if key == "offset"]
    position = 0
    for offset, samples in offsets:
        assert position == offset
        position += samples
    assert len(assignment(15.0 if pace else 60.0).clip) == position
    expected = "".join(f" part{n + 1}" for n in range(len(service.lines))).strip()
    assert expected == hypothesis(trace, "input").text
    if pace:
        assert len(service.lines) > 1
        kept = record(trace, "input", path=None, final=True)
        assert len(service.lines) - 1 == kept.seams
        assert kept.send_lag_max_ms < 1
        assert 15.3 + 1e-3 > kept.final_text_t - (1.5 if turns == "auto" else 0)


@pytest.mark.capability("long sessions: limits of sessions and connections", side="client")
@pytest.mark.capability("long sessions: replay and seams", side="client")
def test_a_clip_longer_than_a_connection_goes_over_several():
    """A clip with cuts goes over as many connections as parts, each cut at the chunk that passes it."""
    service = Service(polite(" word"))
    todo = dataclasses.replace(assignment(10.0), cuts=(48_000, 100_100))
    ending, trace = run_virtual(drive(service, todo))
    assert ("ok", 3) == (ending.outcome, len(service.lines))
    assert "word word word" == hypothesis(trace, "input").text
    assert 160_000 == sum(samples for _, _, samples in audio_of(trace))
    assert [48_000, 100_800] == [
        e.frame["seam"]["offset"] for e in trace.events if e.dir == "!" and "seam" in e.frame
    ]


@pytest.mark.capability("long sessions: resumption", side="client")
def test_a_session_is_resumed_with_its_newest_handle():
    """When resumption is asked for, the next connection resumes with the newest resumable handle."""
    from harness.wire.live.messages import SessionResumptionConfig

    def answer(line, frame):
        if "setup" in frame:
            resumptions.append(frame["setup"].get("sessionResumption"))
            line.say({"setupComplete": {}})
            line.say(
                {
                    "sessionResumptionUpdate": {
                        "newHandle": f"h{len(resumptions)}",
                        "resumable": True,
                    }
                }
            )
            line.say({"sessionResumptionUpdate": {}})
        else:
            polite(" x")(line, frame)

    import msgspec

    resumptions: list = []
    todo = assignment(2.0)
    setup = msgspec.structs.replace(todo.setup, session_resumption=SessionResumptionConfig())
    run_virtual(drive(Service(answer), dataclasses.replace(todo, setup=setup, cuts=(16_000,))))
    assert [{}, {"handle": "h1"}] == resumptions


def breaking(index, *, transparent, at=20, text=" old"):
    """Return a service that hands out a handle with the 10th message, and breaks off the first connection at the 20th."""

    def answer(line, frame):
        line.count = getattr(line, "count", -1) + 1
        line.frames = [*getattr(line, "frames", []), frame]
        if len(service.lines) == 1 and line.count == 10:
            update = {"newHandle": "h", "resumable": True}
            if index is not None:
                update["lastConsumedClientMessageIndex"] = str(index)
            line.say({"serverContent": {"inputTranscription": {"text": " kept"}}})
            line.say({"sessionResumptionUpdate": update})
            line.say({"serverContent": {"inputTranscription": {"text": text}}})
        elif len(service.lines) == 1 and line.count == at:
            line.loop.call_later(0.01, line.hang_up, 1006)
        else:
            polite(" new")(line, frame)

    service = Service(answer)
    return service


def sent_over(line) -> list[str]:
    """Return what a connection carried, a word each, audio as its message's length in samples."""
    realtime = [frame.get("realtimeInput", {}) for frame in line.frames]
    return [
        str(len(one["audio"]["data"]) * 3 // 8) if "audio" in one else next(iter(one), "setup")
        for one in realtime
    ]


@pytest.mark.capability("long sessions: replay and seams", side="client")
@pytest.mark.parametrize("index, offset, marked", [
    (None, 0, True),  # proto-JSON leaves 0 out: the setup alone
    (0, 0, True),
    (1, 0, False),  # activityStart is consumed
    (2, 1_600, False),
    (8, 11_200, False),
    (99, 14_400, False),  # no more than was sent
])  # fmt: skip
def test_a_break_goes_back_to_the_message_that_was_consumed_last(index, offset, marked):
    """The next connection sends what is behind the index, and nothing before it; a turn that has begun is not begun again."""
    service = breaking(index, transparent=True)
    config = SessionResumptionConfig(transparent=True)
    todo = assignment(3.0)
    setup = msgspec.structs.replace(todo.setup, session_resumption=config)
    ending, trace = run_virtual(drive(service, dataclasses.replace(todo, setup=setup)))
    assert "ok" == ending.outcome
    assert "kept new" == hypothesis(trace, "input").text
    asked = service.lines[1].frames[0]["setup"]["sessionResumption"]
    assert {"handle": "h", "transparent": True} == asked
    expected = ["activityStart"] * marked + ["1600"] * ((48_000 - offset) // 1600)
    assert ["setup", *expected, "activityEnd"] == sent_over(service.lines[1])
    (seam,) = seams(trace)
    assert (offset, 30_400 - offset) == (seam["offset"], seam["replay"]["samples"])
    assert ("index", "closed 1006") == (seam["replay"]["known_by"], seam["replay"]["why"])
    kept = record(trace, "input", path=None, final=True)
    assert () == kept.violations
    assert 1 > kept.send_lag_max_ms


class CountingWay(OpenWay):
    """Lets everybody in, and remembers what was asked to be sent again."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def again(self, replayed):
        self.asked.append(replayed)
        return True


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_what_is_sent_again_is_asked_for_once(lost):
    """Connections that break off before they send audio ask for no more than was allowed to the first of them."""
    service = breaking(8, transparent=True)
    broken = service.answer

    def answer(line, frame):
        if 1 < len(service.lines) <= 1 + lost:
            line.frames = []
            line.hang_up(1006)
        else:
            broken(line, frame)

    service.answer = answer
    config = SessionResumptionConfig(transparent=True)
    todo, way = assignment(3.0), CountingWay()
    setup = msgspec.structs.replace(todo.setup, session_resumption=config)
    ending, trace = run_virtual(drive(service, dataclasses.replace(todo, setup=setup, way=way)))
    sent = sum(samples for _, _, samples in audio_of(trace))
    assert "ok" == ending.outcome
    assert 1 + lost == len(way.asked)
    assert 0 < sent - 48_000 == sum(way.asked)


def refused_after_a_break(times, **closed):
    """Return what came of a session that breaks off and whose next connections are refused so many times; when they came."""
    service, knocks = breaking(8, transparent=True), []
    whole = service.connect

    async def connect(endpoint, listener):
        knocks.append(asyncio.get_running_loop().time())
        if not 1 < len(knocks) <= 1 + times:
            return await whole(endpoint, listener)
        refusing = Service(lambda line, _: line.hang_up(None, "later", **closed), upgraded=False)
        return await refusing.connect(endpoint, listener)

    service.connect = connect
    config = SessionResumptionConfig(transparent=True)
    todo = assignment(3.0)
    setup = msgspec.structs.replace(todo.setup, session_resumption=config)
    ending, _ = run_virtual(drive(service, dataclasses.replace(todo, setup=setup)))
    return ending, knocks


def test_a_break_is_not_gone_on_with_before_the_service_allows_it():
    """A connection that is refused for a while is opened again after it; one that is refused for hours is not."""
    ending, knocks = refused_after_a_break(1, status=503, retry_after_s=40.0)
    assert ("ok", 3) == (ending.outcome, len(knocks))
    assert knocks[2] - knocks[1] >= 40.0
    ending, knocks = refused_after_a_break(1, status=503, retry_after_s=7200.0)
    assert (7200.0, 2) == (ending.retry_after_s, len(knocks))
    assert "transient" == ending.failure


def test_a_session_that_cannot_be_gone_on_with_has_broken_off():
    """When a session has begun and its service cannot be reached any more, that is a break: something was asked of it."""
    ending, knocks = refused_after_a_break(99, unreachable=True)
    assert ("partial", "transient", False) == (ending.outcome, ending.failure, ending.unreachable)
    assert 1 < len(knocks) < 8


@pytest.mark.capability("long sessions: replay and seams", side="client")
def test_a_handle_without_an_index_stands_for_what_had_been_sent():
    """Where the service does not say what its handle holds, it is what had been sent when the handle came."""
    service = breaking(None, transparent=False)
    todo = assignment(3.0)
    setup = msgspec.structs.replace(todo.setup, session_resumption=SessionResumptionConfig())
    _, trace = run_virtual(drive(service, dataclasses.replace(todo, setup=setup)))
    (seam,) = seams(trace)
    assert (9 * 1600, "position") == (seam["offset"], seam["replay"]["known_by"])
    assert ["setup", "activityStart"] == sent_over(service.lines[1])[:2]
    assert "kept new" == hypothesis(trace, "input").text


@pytest.mark.parametrize("pace", [1.0, 0.0])
@pytest.mark.parametrize(
    "came, held", [(0.3, 0), (1.07, 6), (2.22, 17), (2.42, 19), (2.47, 20), (9.0, 20)]
)
def test_a_handle_stands_for_what_had_been_sent_a_round_trip_ago(pace, came, held):
    """What was sent within `_trip_s` before a handle came is not in it; what was sent before is, though all is sent."""

    class Distant(Service):
        async def connect(self, endpoint, listener):
            line = Line(listener, self.answer)
            self.lines.append(line)
            at = line.loop.time() + 0.45
            line.loop.call_at(at, listener.upgraded, Upgraded(headers={}), at)
            return line

    def answer(line, frame):
        first = len(service.lines) == 1
        if "setup" in frame:
            line.say({"setupComplete": {}})
            if first:
                line.say({"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}}, came)
                line.loop.call_later(max(came, 2.0) + 0.5, line.hang_up, 1006)
        elif not first:
            polite(" new")(line, frame)

    service = Distant(answer)
    todo = assignment(2.0, pace=pace)
    setup = msgspec.structs.replace(todo.setup, session_resumption=SessionResumptionConfig())
    _, trace = run_virtual(drive(service, dataclasses.replace(todo, setup=setup)))
    (seam,) = seams(trace)
    if not pace:  # all left at once
        held = 0 if came < 0.45 else 20
    assert held * 1600 == seam["offset"]


def late_and_gone(*, breaks_after, connection):
    """Return a service whose turns end between two words, and hand out a handle; one of its connections breaks off then."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            number = len(service.lines)
            line.say({"serverContent": {"inputTranscription": {"text": f" early{number}"}}}, 0.1)
            line.say({"serverContent": {"turnComplete": True}}, 0.1)
            line.say({"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}}, 0.2)
            line.say({"serverContent": {"inputTranscription": {"text": f" late{number}"}}}, 1.5)
            if number == connection and breaks_after is None:
                line.close = lambda *_: line.hang_up(1011, "Internal error encountered.")
            elif number == connection:
                line.loop.call_later(breaks_after, line.hang_up, 1006)

    service = Service(answer)
    return service


@pytest.mark.parametrize("breaks_after, connection, outcome, text", [
    (1.0, 1, "partial", "early1"),  # nothing to go back to: the next attempt has it all
    (3.0, 1, "partial", "early1 late1"),  # there might have been more
    (None, 1, "ok", "early1 late1 early2 late2"),  # heard out
    (1.0, 2, "ok", "early1 late1 early3 late3"),
    (None, 2, "ok", "early1 late1 early2 late2"),
])  # fmt: skip
def test_a_turn_that_breaks_off_before_late_text_is_not_whole(
    breaks_after, connection, outcome, text
):
    """A handle behind a turn settles it only once it was heard out; before that the turn is sent again, or the clip."""
    todo = assignment(2.0)
    setup = msgspec.structs.replace(todo.setup, session_resumption=SessionResumptionConfig())
    service = late_and_gone(breaks_after=breaks_after, connection=connection)
    ending, trace = run_virtual(
        drive(service, dataclasses.replace(todo, setup=setup, cuts=(16_000,)))
    )
    assert (outcome, text) == (ending.outcome, hypothesis(trace, "input").text)
    assert ("transient" if outcome == "partial" else None) == ending.failure


@pytest.mark.parametrize("kept, outcome", [(" kept", "ok"), (" ", "ok_empty")])
def test_an_answer_that_was_taken_back_is_none(kept, outcome):
    """When nothing is heard after a break, only what came before the handle is text."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
            if len(service.lines) == 1:
                line.say({"serverContent": {"inputTranscription": {"text": kept}}}, 0.4)
                update = {"newHandle": "h", "resumable": True}
                line.say({"sessionResumptionUpdate": update}, 0.5)
                line.say({"serverContent": {"inputTranscription": {"text": " old"}}}, 0.6)
                line.loop.call_later(1.0, line.hang_up, 1006)

    service = Service(answer)
    todo = assignment(2.0)
    setup = msgspec.structs.replace(todo.setup, session_resumption=SessionResumptionConfig())
    ending, trace = run_virtual(drive(service, dataclasses.replace(todo, setup=setup)))
    assert 2 == len(service.lines)
    assert (outcome, kept.strip()) == (ending.outcome, hypothesis(trace, "input").text)


def test_what_is_sent_again_comes_from_the_file(tmp_path):
    """A clip too long to be held is read again from where the break goes back to, sample for sample."""
    pcm = np.arange(40 * 16_000, dtype="<i2").tobytes()
    path = tmp_path / "clip.pcm"
    path.write_bytes(pcm)

    async def directly(work, *arguments):
        return work(*arguments)

    clip = AudioClip(pcm=FilePcm(path, 0, len(pcm) // 2))
    service = breaking(5, transparent=True, at=150)
    todo = dataclasses.replace(assignment(1.0), frames=Frames(clip, 100), offload=directly)
    config = SessionResumptionConfig(transparent=True)
    setup = msgspec.structs.replace(todo.setup, session_resumption=config)
    ending, trace = run_virtual(drive(service, dataclasses.replace(todo, setup=setup)))
    assert "ok" == ending.outcome
    (seam,) = seams(trace)
    assert 4 * 1600 == seam["offset"]
    told = [frame.get("realtimeInput", {}).get("audio") for frame in service.lines[1].frames]
    assert pcm[2 * 4 * 1600 :] == b"".join(b64decode(one["data"]) for one in told if one)


@pytest.mark.capability("long sessions: resumption", side="client")
@pytest.mark.parametrize("service", [
    leaving(8.0),
    breaking(3, transparent=True),
    breaking(3, transparent=True, at=10**6),  # never: it stops to answer instead
])  # fmt: skip
def test_the_old_socket_is_closed_before_the_next_is_opened(service):
    """Whether a connection ends well, breaks off, or is given up: while it is open, its handle might be refused."""
    connect = service.connect

    async def alone(endpoint, listener):
        assert all(line.over for line in service.lines)
        return await connect(endpoint, listener)

    service.connect = alone
    config = SessionResumptionConfig(transparent=True)
    todo = assignment(15.0, waits=Waits(first_text_s=1.0, more_text_s=1.0))
    setup = msgspec.structs.replace(todo.setup, session_resumption=config)
    ending, _ = run_virtual(drive(service, dataclasses.replace(todo, setup=setup, cuts=(48_000,))))
    assert "ok" == ending.outcome
    assert 1 < len(service.lines)


@pytest.mark.capability("long sessions: goAway", side="client")
def test_the_sooner_of_two_goodbyes_counts():
    """When the session ends before its connection would, the second goAway tells of less time: the span ends by that."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"goAway": {"timeLeft": "50s"}}, 1.0)
            line.say({"goAway": {"timeLeft": "6s"}}, 2.0)
            line.loop.call_later(8.0, line.hang_up, 1011, "Deadline expired")
        polite(" part")(line, frame)

    ending, trace = run_virtual(drive(Service(answer), assignment(9.0)))
    assert "ok" == ending.outcome
    assert "part part" == hypothesis(trace, "input").text
    assert all("replay" not in seam for seam in seams(trace))


def test_a_guess_before_a_break_is_still_replaced():
    """An interim text that came before the handle goes on being replaced: the turn that it is of goes on."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
            line.say({"serverContent": {"interimInputTranscription": {"text": " gues"}}}, 0.5)
            update = {"newHandle": f"h{len(service.lines)}", "resumable": True}
            line.say({"sessionResumptionUpdate": update}, 0.6)
            if len(service.lines) == 1:
                line.loop.call_later(1.0, line.hang_up, 1006)
        else:
            polite(" guess")(line, frame)

    service = Service(answer)
    todo = assignment(2.0)
    setup = msgspec.structs.replace(todo.setup, session_resumption=SessionResumptionConfig())
    _, trace = run_virtual(drive(service, dataclasses.replace(todo, setup=setup)))
    assert 1 == len(seams(trace))
    assert "guess" == hypothesis(trace, "input").text
    assert "guess" == screens(hypothesis(trace, "input").fragments)[-1].text


@pytest.mark.parametrize("after", [0.0, 1.0])
def test_a_clip_that_was_not_sent_whole_is_no_success(after):
    """A service that goes at once, before the first sample or in the middle, leaves a failure to be tried again."""

    def gone(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
            line.say({"goAway": {"timeLeft": "0s"}}, after if len(service.lines) == 1 else 0.0)
        elif "activityEnd" in frame.get("realtimeInput", {}):
            line.say(
                {"serverContent": {"inputTranscription": {"text": " x"}, "turnComplete": True}}
            )

    service = Service(gone)
    ending, _ = run_virtual(drive(service, assignment(5.0)))
    assert "duration" == ending.failure
    assert ending.outcome in ("partial", "failed_server")


@pytest.mark.capability("usage: both spellings", side="client")
def test_both_spellings_are_heard():
    """Messages in snake case, with URL-safe base64 and numbers as text, are understood like any other."""

    def snake(line, frame):
        if "setup" in frame:
            line.say({"setup_complete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            line.say({"server_content": {"input_transcription": {"text": " snake"}}})
            line.say(
                {
                    "server_content": {"turn_complete": True},
                    "usage_metadata": {"total_token_count": "7"},
                }
            )

    ending, trace = run_virtual(drive(Service(snake), assignment(0.3)))
    kept = record(trace, "input", path=None, final=True)
    assert ("ok", "snake", 7) == (ending.outcome, kept.hypothesis, kept.usage.total_tokens)


@pytest.mark.capability("usage: cached tokens", side="client")
@pytest.mark.capability("usage: tool-use tokens", side="client")
@pytest.mark.capability("usage: both spellings", side="client")
def test_a_sessions_usage_is_the_sum_of_its_records():
    """Counts and details of all records add, whatever their spelling; what no record has is unknown, and not 0."""

    def billing(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            for record in (
                {
                    "promptTokenCount": 50,
                    "cachedContentTokenCount": 20,
                    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 20}],
                },
                {
                    "prompt_token_count": 60,
                    "cached_content_token_count": "30",
                    "tool_use_prompt_token_count": 4,
                    "cache_tokens_details": [
                        {"modality": "AUDIO", "token_count": 25},
                        {"modality": "TEXT", "token_count": 5},
                    ],
                    "tool_use_prompt_tokens_details": [{"modality": "TEXT", "token_count": 4}],
                },
            ):
                line.say({"usageMetadata": record})
            line.say({"serverContent": {"turnComplete": True}})

    _, trace = run_virtual(drive(Service(billing), assignment(0.3)))
    assert record(trace, "input", path=None, final=True).usage == Usage(
        records=2,
        prompt_tokens=110,
        cached_tokens=50,
        tool_use_tokens=4,
        cached_by_modality={"AUDIO": 45, "TEXT": 5},
        tool_use_by_modality={"TEXT": 4},
    )


def test_a_short_key_falsifies_nothing():
    """A key that is a common word does not mask that word in the transcript."""
    from harness.secret import Secret
    from harness.wire.live import endpoint as live

    todo = dataclasses.replace(
        assignment(0.3), endpoint=live.gemini(Secret("text"), url="ws://127.0.0.1:1")
    )
    _, trace = run_virtual(drive(Service(polite(" a text")), todo))
    assert "a text" == hypothesis(trace, "input").text


def test_a_peer_that_stops_reading_ends_the_session():
    """A connection that stays congested is given up within the named wait, as a failure to be tried again."""

    class Stuck(Service):
        async def connect(self, endpoint, listener):
            line = await super().connect(endpoint, listener)
            line.congested = True
            return line

    ending, trace = run_virtual(drive(Stuck(polite(" x")), assignment(1.0)))
    assert "transient" == ending.failure
    assert trace.events[-1].t < 30


@pytest.mark.capability("long sessions: replay and seams", side="client")
@pytest.mark.capability("later models: interim hypotheses", side="client")
def test_an_interim_text_before_a_seam_stays():
    """What was only interim when a connection ended is not replaced by the next connection's interim text."""

    def interim(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        elif "activityEnd" in frame.get("realtimeInput", {}):
            words = {"interimInputTranscription": {"text": f" part{len(service.lines)}"}}
            line.say({"serverContent": words | {"turnComplete": True}})

    service = Service(interim)
    _, trace = run_virtual(drive(service, dataclasses.replace(assignment(2.0), cuts=(16_000,))))
    assert "part1 part2" == hypothesis(trace, "input").text
    shown = screens(hypothesis(trace, "input").fragments)
    assert "part1 part2" == shown[-1].text  # a reader sees what is scored


def test_a_session_leaves_nothing_to_the_garbage_collector(monkeypatch):
    """What a session held is freed when it ends, so the memory of a run does not grow with its sessions."""
    legs = []

    class Watched(Leg):
        def __init__(self, *args, **how) -> None:
            super().__init__(*args, **how)
            legs.append(weakref.ref(self))

    monkeypatch.setattr(driving, "Leg", Watched)

    async def session():
        service = Service(polite(" hello"))
        await drive(service, assignment(0.5))
        service.lines.clear()
        await asyncio.sleep(60)  # the loop's own timers let go, too
        return [leg() for leg in legs]

    gc.disable()
    try:
        assert [None] == run_virtual(session())
    finally:
        gc.enable()


@pytest.mark.capability("connection: Vertex AI: refreshed bearer tokens", side="client")
@pytest.mark.parametrize("lapses", [False, True])
def test_every_connection_has_credentials_that_are_good(lapses):
    """A further connection has a fresh token, unless there is none to be had, and no token reaches the trace."""
    tokens = iter(["the-second-token", "the-third-token"])

    def renew():
        if lapses:
            raise RefusedError("the Google credentials cannot be refreshed")
        return live.vertex(Secret(next(tokens)), project="p", url="ws://127.0.0.1:1")

    async def offload(call, *arguments):
        return call(*arguments)

    used = []

    class Remembering(Service):
        async def connect(self, endpoint, listener):
            used.append(dict(endpoint.headers)["Authorization"].reveal())
            return await super().connect(endpoint, listener)

    first = live.vertex(Secret("the-first-token"), project="p", url="ws://127.0.0.1:1")
    service = Remembering(polite(" the-third-token the-first-token"))
    todo = dataclasses.replace(
        assignment(10.0), cuts=(48_000, 100_100), endpoint=first, renew=renew, offload=offload
    )
    ending, trace = run_virtual(drive(service, todo))
    assert "ok" == ending.outcome
    fresh = ["first", "first", "first"] if lapses else ["first", "second", "third"]
    assert [f"Bearer the-{one}-token" for one in fresh] == used
    told = hypothesis(trace, "input").text
    assert "the-first-token" not in told
    assert lapses is ("the-third-token" in told)


def test_a_token_of_an_earlier_connection_is_in_no_reason():
    """A close that echoes a token which has been renewed meanwhile tells it to nobody."""
    tokens = iter(f"the-token-of-connection-{number}" for number in range(2, 100))

    def renew():
        return live.vertex(Secret(next(tokens)), project="p", url="ws://127.0.0.1:1")

    async def offload(call, *arguments):
        return call(*arguments)

    behaves = polite(" one")
    first = []

    def answer(line, frame):
        first[:] = first or [line]
        if line is first[0]:
            behaves(line, frame)
        else:
            line.hang_up(1008, "the-first-token-of-all has run out")

    endpoint = live.vertex(Secret("the-first-token-of-all"), project="p", url="ws://127.0.0.1:1")
    todo = dataclasses.replace(
        assignment(6.0), cuts=(48_000,), endpoint=endpoint, renew=renew, offload=offload
    )
    ending, trace = run_virtual(drive(Service(answer), todo))
    assert "[secret] has run out" in ending.reason
    assert "the-first-token" not in str(trace)


@pytest.mark.parametrize("size, most", [(1000, 20_000), (0, 12_000)])
def test_a_service_that_sends_without_end_is_left(size, most):
    """When more has come than may be kept, of long messages or of many, it ends as such, and the trace says what it lacks."""

    def flood(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
            for number in range(100):
                line.say({"padding": "x" * size} if size else {}, number * 0.01)

    todo = dataclasses.replace(assignment(3.0), most_received=most)
    ending, trace = run_virtual(drive(Service(flood), todo))
    assert ("failed_server", "transient") == (ending.outcome, ending.failure)
    assert "has sent more than" in ending.reason
    came = [event for event in trace.events if event.dir == "<"]
    assert 5 < len(came) < 20
    (cut,) = [e.frame["cut"] for e in trace.events if e.dir == "!" and "cut" in e.frame]
    assert cut["messages"] >= 1
    assert cut["messages"] * size <= cut["bytes"]
    assert "cut" in trace.events[-2].frame, "the outcome comes last"
    assert () == violations(trace)


def wordy(line, frame):
    """Say twice as much as anybody judges, in pieces of the length that a word has."""
    if "setup" in frame:
        line.say({"setupComplete": {}})
    elif "activityEnd" in frame.get("realtimeInput", {}):
        word = " word" * 1000
        for _ in range(2 * MOST_TEXT // len(word)):
            line.say({"serverContent": {"inputTranscription": {"text": word}}}, 0.1)
        line.say({"serverContent": {"turnComplete": True}}, 0.2)


def test_text_without_end_is_judged_to_a_length():
    """Of more text than a day of speech has, the beginning is judged, the record says so, and the trace keeps all."""
    ending, trace = run_virtual(drive(Service(wordy), assignment(1.0)))
    kept = record(trace, "input", path=None, final=True)
    assert ("ok", MOST_TEXT) == (ending.outcome, len(kept.hypothesis))
    assert f"characters of text the first {MOST_TEXT:,} are judged" in kept.reason
    assert len(hypothesis(trace, "input").text) > 2 * MOST_TEXT - 10_000


@pytest.mark.parametrize("said", ["error", "turnCompleteReason"])
def test_a_reason_without_end_is_cut(said):
    """A peer's words for a refusal are told as far as a person reads them; the trace has all."""
    words = "boom " * 100_000

    def refusing(line, frame):
        line.say({"setupComplete": {}})
        if said == "error":
            line.say({"error": {"code": 400, "message": words}})
        else:
            line.say({"serverContent": {"turnComplete": True, said: words}}, 3.0)

    ending, trace = run_virtual(drive(Service(refusing), assignment(1.0)))
    assert 500 == len(ending.reason)
    assert ending.reason.endswith("…")
    assert any(len(str(event.frame)) > len(words) for event in trace.events)


def test_handles_and_bills_keep_nobody_waiting():
    """Messages that say nothing of the turn do not lengthen the wait for its end."""

    def chatty(line, frame):
        polite(" hello")(line, frame)
        if "setup" in frame:
            for number in range(600):
                line.say({"sessionResumptionUpdate": {}}, number * 0.1)

    _, trace = run_virtual(drive(Service(chatty), assignment(1.0)))
    assert trace.events[-1].t < 1.0 + 3.0


def test_who_is_closed_out_at_the_door_hears_why():
    """A service that closes as soon as the connection is open has refused, in its words; it was not left unasked."""

    class Closing(Service):
        async def connect(self, endpoint, listener):
            line = await super().connect(endpoint, listener)
            line.hang_up(1007, "API key not valid. Please pass a valid API key.")
            return line

    ending, _ = run_virtual(drive(Closing(polite()), assignment()))
    assert "auth" == ending.failure
    assert "API key not valid" in ending.reason
