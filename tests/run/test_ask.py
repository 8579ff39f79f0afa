"""Questions and answers: what is sent, what is waited for, and what the record says of it."""

from __future__ import annotations

import base64
import gzip

import msgspec
import pytest

from harness.clock import run_virtual
from harness.corpus.scenario import Expectation, ExpectedCall, OfferedFunction, Said, Scenario
from harness.report.rows.bounds import SpeechBook
from harness.report.rows.rows import rows
from harness.report.summary.retelling import contradictions
from harness.report.words.warnings import warnings
from harness.run.attempt import send_lags_ms
from harness.run.attempts import Slots
from harness.run.folder import read_journal, read_plan
from harness.trace.file import read_trace
from harness.wire.live.setups import asking_setup
from tests.audio.moving import video
from tests.run.runs import plan, run, utterance
from tests.session.memory import MODEL, Service
from tests.session.speaker import asked, audio

NATIVE = "gemini-2.5-flash-native-audio-preview-09-2025"
LATER = "gemini-3.1-flash-live-preview"
QUESTION = "How warm is it in Gdynia?"
WEATHER = OfferedFunction(
    name="get_temp",
    description="Temperature of a city.",
    parameters={"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
    response={"output": {"celsius": 11}},
)
CALL = {"id": "fc-7", "name": "get_temp", "args": {"city": "Gdynia"}}


def written(number: int = 1, words: str | None = QUESTION, **brought):
    """Return a written question."""
    scenario = Scenario(**({"expect": Expectation(contains="eleven")} | brought))
    one = msgspec.structs.replace(utterance(number), audio=None, duration_s=None, sha256=None)
    return msgspec.structs.replace(one, reference=words, scenario=scenario)


def spoken(number: int = 1, seconds: float = 1.0, **brought):
    """Return a spoken question."""
    scenario = Scenario(**({"expect": Expectation(contains="eleven")} | brought))
    return msgspec.structs.replace(utterance(number, seconds), scenario=scenario)


def put(folder, service, /, *questions, model=MODEL, transcript="reply", turns="manual", **more):
    """Return the records of `questions`, put to `service`."""
    made = plan(questions, models=(model,), task="ask", transcript=transcript, turns=turns, **more)
    setup = asking_setup(model, turns=turns, transcript=transcript)
    setups = {model: msgspec.structs.replace(setup, model=f"models/{model}")}
    run_virtual(run(made, folder, service, setups=setups))
    return read_journal(folder)


def row(folder, name="u0001"):
    """Return the row of an utterance in the table of the run in `folder`."""
    made = read_plan(folder)
    records = read_journal(folder)
    book = SpeechBook(folder)
    found = rows(made, records, Slots(made, records), book, profile="norm-1n", metric="auto")
    return next(one for one in found if one.utterance_id == name)


def says(words: str, after: float = 0.4):
    """Return an answer in text to whatever is asked, spoken or written."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        realtime = frame.get("realtimeInput", {})
        if asked(frame) is not None or {"activityEnd", "audioStreamEnd"} & realtime.keys():
            line.say({"serverContent": {"modelTurn": {"parts": [{"text": words}]}}}, after)
            line.say({"serverContent": {"turnComplete": True}}, after)

    return answer


def calls(*, then: str = "It is eleven degrees.", cancel_after: float | None = None, **call):
    """Return an answer that calls a function, and says `then` to its response."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if asked(frame) is not None:
            line.say({"toolCall": {"functionCalls": [CALL | call]}}, 0.25)
            if cancel_after is not None:
                line.say({"serverContent": {"interrupted": True}}, cancel_after)
                line.say({"toolCallCancellation": {"ids": ["fc-7"]}}, cancel_after)
                line.say({"serverContent": {"turnComplete": True}}, cancel_after)
        if "toolResponse" in frame:
            says(then)(
                line,
                {"clientContent": {"turnComplete": True, "turns": [{"parts": [{"text": ""}]}]}},
            )

    return answer


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("text: turns", side="client")
def test_a_written_question_is_answered_and_judged(tmp_path):
    """The answer is the hypothesis, its time counts from when the question had left, and it is what was expected."""
    [record] = put(tmp_path, Service(says("It is eleven degrees.")), written())
    assert ("ok", "It is eleven degrees.") == (record.outcome, record.hypothesis)
    shown = row(tmp_path)
    assert (True, "contains “eleven”") == (shown.passed, shown.expectation)
    assert 0.4 == pytest.approx(shown.first_reply_s, abs=1e-6)


@pytest.mark.capability("audio in: automatic activity detection", side="client")
def test_a_spoken_question_is_timed_from_the_end_of_speech(tmp_path):
    """The clip is streamed as a turn; the answer's time counts from its end, which here is the clip's."""
    service = Service(says("It is ten degrees.", after=0.5))
    [record] = put(tmp_path, service, spoken(seconds=2.0))
    kinds = [next(iter(f.get("realtimeInput", f))) for f in service.lines[0].heard]
    assert ["setup", "activityStart", *["audio"] * 20, "activityEnd"] == kinds
    assert 2.5 == pytest.approx(record.exchange.first_reply_t, abs=1e-3)
    shown = row(tmp_path)
    assert (False, "the answer does not contain “eleven”") == (shown.passed, shown.reason)
    assert 0.5 == pytest.approx(shown.first_reply_s, abs=1e-3)


def test_what_an_item_lacks_is_a_row_that_says_so(tmp_path):
    """Without an expectation, or without a question, an item fails by name and the others are asked."""
    lame = [
        msgspec.structs.replace(written(1), scenario=None),
        written(2, words=None),
        msgspec.structs.replace(written(3), scenario=Scenario(flaw="`expect` is odd")),
        written(4),
    ]
    records = put(tmp_path, Service(says("eleven")), *lame)
    reasons = {record.utterance: record.reason for record in records}
    assert {
        "u0001": "u0001: it does not say what answer is expected (column expect)",
        "u0002": "u0002: it has neither audio nor a text to ask",
        "u0003": "u0003: `expect` is odd",
        "u0004": None,
    } == reasons


def test_a_verdict_and_what_is_odd_about_the_question_are_both_told(tmp_path):
    """A wrong answer to damaged audio has both reasons, a right one that of the audio; a right silence needs none."""
    damage = "the audio: damaged after 0.5 s"
    wrong, right = spoken(1, expect=Expectation(number=12)), spoken(2)
    records = put(tmp_path, Service(says("It is eleven.")), wrong, right)
    records = [msgspec.structs.replace(one, reason=damage) for one in records]
    made = read_plan(tmp_path)
    places, book = Slots(made, records), SpeechBook(tmp_path)
    told = list(rows(made, records, places, book, profile="norm-1n", metric="auto"))
    assert [f"the answer names no number, not 12; {damage}", damage] == [r.reason for r in told]
    found = warnings(made, told, [], [], [], foreign=0, refused=0, lost=[])
    (one,) = [said.text for said in found if "the audio is odd" in said.text]
    assert "the first u0001 (damaged after 0.5 s)" in one


@pytest.mark.capability("native audio: proactive audio", side="client")
def test_a_silence_that_is_expected_is_a_result(tmp_path):
    """Nothing comes for six seconds: that is the answer, it passes, and nobody says that it failed."""

    def mute(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})

    [record] = put(tmp_path, Service(mute), written(expect=Expectation(silence=True)))
    assert ("ok_empty", None) == (record.outcome, record.failure)
    trace = read_trace(tmp_path / record.trace)
    assert 6.0 == pytest.approx(trace.events[-1].t, abs=0.1)
    shown = row(tmp_path)
    assert (True, "silence") == (shown.passed, shown.expectation)
    assert shown.reason is None


class Hasty(Service):
    """It says what it has to say while the connection is being opened."""

    def __init__(self, *said) -> None:
        super().__init__(lambda *_: None)
        self.said = said

    async def connect(self, endpoint, listener):
        line = await super().connect(endpoint, listener)
        for message in self.said:
            listener.received(msgspec.json.encode(message), line.loop.time())
        return line


def early(line, frame):
    """Call a function first, and take the setup then."""
    if "setup" in frame:
        line.say({"toolCall": {"functionCalls": [CALL]}})
        line.say({"setupComplete": {}}, 5.0)


@pytest.mark.parametrize("service, after_s", [
    (Service(early), 0.0),
    (Service(early), 1.0),
    (Hasty({"toolCall": {"functionCalls": [CALL]}}), 0.0),
    (Hasty({"setupComplete": {}}, {"toolCall": {"functionCalls": [CALL]}}), 0.0),
])  # fmt: skip
def test_a_call_before_the_setup_is_complete_breaks_the_protocol(tmp_path, service, after_s):
    """A service that wants to be answered before a session is there fails the session by its class, at once or later."""
    tool = msgspec.structs.replace(WEATHER, after_s=after_s)
    record = put(tmp_path, service, written(tools=[tool]))[-1]
    assert "transient" == record.failure
    assert "an answer before the setup is complete" in record.reason


@pytest.mark.capability("native audio: proactive audio", side="client")
def test_a_session_that_breaks_off_is_no_silence(tmp_path):
    """A service that fails has not been silent on purpose."""

    def broken(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        else:
            line.hang_up(1007, "Request contains an invalid argument.")

    put(tmp_path, Service(broken), written(expect=Expectation(silence=True)))
    shown = row(tmp_path)
    assert shown.passed is not True
    assert "invalid argument" in shown.reason


# ── context and pictures ─────────────────────────────────────────────────────────────────────────────────────────────

BEFORE = [Said(role="user", text="I live in Gdynia."), Said(role="model", text="Nice!")]


@pytest.mark.capability("text: history seeding", side="client")
@pytest.mark.capability("text: incremental context", side="client")
@pytest.mark.parametrize(("model", "complete"), [(MODEL, False), (LATER, True)])
def test_the_turns_that_went_before_go_first(tmp_path, model, complete):
    """History is content that asks for no answer; where content is only history, its end is told."""
    service = Service(says("eleven"))
    transcript = "reply" if model == MODEL else "output"
    put(tmp_path, service, written(context=BEFORE), model=model, transcript=transcript)
    setup, history, *question = service.lines[0].heard
    said = [(turn["role"], turn["parts"][0]["text"]) for turn in history["clientContent"]["turns"]]
    assert [("user", "I live in Gdynia."), ("model", "Nice!")] == said
    assert complete == history["clientContent"].get("turnComplete", False)
    assert complete == ("historyConfig" in setup["setup"])
    assert ("clientContent" in question[0]) == (model == MODEL)


@pytest.mark.capability("video in: pictures", side="client")
def test_pictures_are_shown_one_a_second_before_the_question(tmp_path):
    """Each is a video frame a second after the one before; the trace names it and does not repeat its bytes."""
    png, jpeg = tmp_path / "a.png", tmp_path / "b.jpg"
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 99)
    jpeg.write_bytes(b"\xff\xd8\xff" + b"y" * 50)
    service = Service(says("eleven"))
    asks = spoken(images=[str(png), str(jpeg)])
    [record] = put(tmp_path / "run", service, asks)
    _, first, second, start, *_ = service.lines[0].heard
    assert base64.b64encode(png.read_bytes()).decode() == first["realtimeInput"]["video"]["data"]
    assert "image/jpeg" == second["realtimeInput"]["video"]["mimeType"]
    assert {"realtimeInput": {"activityStart": {}}} == start
    events = read_trace(tmp_path / "run" / record.trace).events
    shown = [e for e in events if "video" in (e.frame.get("realtimeInput") or {})]
    assert 1.0 == pytest.approx(shown[1].t - shown[0].t, abs=1e-3)
    assert {"file": "a.png", "mimeType": "image/png", "bytes": 107} == shown[0].frame[
        "realtimeInput"
    ]["video"]


@pytest.mark.capability("video in: pictures", side="client")
def test_a_video_is_shown_a_frame_a_second(tmp_path):
    """Its frames are pictures like others, in order, a second after one another, before the question."""
    pytest.importorskip("av")
    service = Service(says("eleven"))
    asks = written(images=[str(video(tmp_path / "v.mp4", 21))])
    [record] = put(tmp_path / "run", service, asks)
    assert "ok" == record.outcome
    _, *shown, start, question, _end = service.lines[0].heard
    assert {"image/jpeg"} == {one["realtimeInput"]["video"]["mimeType"] for one in shown}
    assert 3 == len({one["realtimeInput"]["video"]["data"] for one in shown})
    assert [{"activityStart": {}}, {"text": QUESTION}] == [
        start["realtimeInput"],
        question["realtimeInput"],
    ]
    events = read_trace(tmp_path / "run" / record.trace).events
    sent = [e.t for e in events if "video" in (e.frame.get("realtimeInput") or {})]
    assert [1.0, 1.0] == pytest.approx([sent[1] - sent[0], sent[2] - sent[1]], abs=1e-3)


@pytest.mark.capability("video in: pictures", side="client")
@pytest.mark.parametrize("service, parts", [("gemini", False), ("vertex", True)])
def test_pictures_of_a_written_question_go_where_they_are_taken(tmp_path, service, parts):
    """On Vertex AI, which may not take realtime text, they are parts of the question's turn, before its words."""
    png = tmp_path / "a.png"
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 99)
    answering = Service(says("eleven"))
    asks = written(context=BEFORE, images=[str(png), str(png)])
    [record] = put(tmp_path / "run", answering, asks, service=service)
    assert "ok" == record.outcome
    _, _, *sent = answering.lines[0].heard
    assert parts is not any("realtimeInput" in frame for frame in sent)
    if not parts:
        return
    picture = {
        "inlineData": {"mimeType": "image/png", "data": base64.b64encode(png.read_bytes()).decode()}
    }
    [turn] = sent[0]["clientContent"]["turns"]
    assert [picture, picture, {"text": QUESTION}] == turn["parts"]
    trace = (tmp_path / "run" / record.trace).read_bytes()
    assert b'"file":"a.png"' in gzip.decompress(trace)
    assert base64.b64encode(b"x" * 99) not in gzip.decompress(trace)


@pytest.mark.capability("video in: pictures", side="parts")
def test_a_picture_that_is_none_is_a_row_that_says_so(tmp_path):
    """What the file is decides, not its name; a missing one is named."""
    lie = tmp_path / "lie.png"
    lie.write_bytes(b"GIF89a")
    asks = [written(1, images=[str(lie)]), written(2, images=[str(tmp_path / "gone.png")])]
    first, second = put(tmp_path / "run", Service(says("eleven")), *asks)
    assert "neither a JPEG nor a PNG" in first.reason
    assert "gone.png: cannot be read" in second.reason


# ── tools ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CALLED = Expectation(tool=ExpectedCall(name="get_temp", args={"city": "Gdynia"}), contains="eleven")


@pytest.mark.capability("tools: declarations, calls, responses", side="client")
def test_a_call_is_answered_as_the_item_says(tmp_path):
    """The function is declared, its call answered after its time with the same id, and the answer after that waited for."""
    tool = msgspec.structs.replace(WEATHER, after_s=7.0)
    service = Service(calls())
    [record] = put(tmp_path, service, written(expect=CALLED, tools=[tool]))
    setup, _, response = service.lines[0].heard
    [declared] = setup["setup"]["tools"]
    assert ["get_temp"] == [one["name"] for one in declared["functionDeclarations"]]
    assert {
        "toolResponse": {
            "functionResponses": [
                {"id": "fc-7", "name": "get_temp", "response": {"output": {"celsius": 11}}}
            ]
        }
    } == response
    [call] = record.exchange.calls
    assert ("get_temp", {"city": "Gdynia"}, False) == (call.name, call.args, call.cancelled)
    assert 7.0 == pytest.approx(call.answered_t - call.t, abs=1e-6)
    shown = row(tmp_path)
    assert shown.passed is True
    assert 0.25 == pytest.approx(shown.tool_call_s, abs=1e-6)


@pytest.mark.capability("tools: cancellation", side="client")
def test_an_answer_to_a_cancelled_call_is_dropped_and_noted(tmp_path):
    """A call that is taken back before its answer is due gets none, and the trace says why."""
    tool = msgspec.structs.replace(WEATHER, after_s=1.0)
    service = Service(calls(cancel_after=0.5))
    [record] = put(tmp_path, service, written(expect=CALLED, tools=[tool]))
    assert not any("toolResponse" in frame for frame in service.lines[0].heard)
    [call] = record.exchange.calls
    assert (None, True) == (call.answered_t, call.cancelled)
    events = read_trace(tmp_path / record.trace).events
    notes = [e.frame["dropped"] for e in events if e.dir == "!" and "dropped" in e.frame]
    assert [{"call": "fc-7", "why": "cancelled"}] == notes
    assert "no words of an answer came" == row(tmp_path).reason


@pytest.mark.capability("tools: declarations, calls, responses", side="client")
def test_a_call_of_what_is_not_offered_is_told_so(tmp_path):
    """The model hears of its mistake instead of waiting for ever."""
    service = Service(calls(name="get_rain"))
    put(tmp_path, service, written(expect=CALLED, tools=[WEATHER]))
    [response] = service.lines[0].heard[-1]["toolResponse"]["functionResponses"]
    assert {"error": "there is no such function"} == response["response"]
    assert "it did not call get_temp, but get_rain" == row(tmp_path).reason


@pytest.mark.parametrize("size, kept", [(2**20 - 200, 1), (2**20, 0)])
def test_a_call_that_no_record_holds_is_told(tmp_path, size, kept):
    """A call beyond what a record holds is left out of it, and the row says that it came: nobody takes it for missing."""
    service = Service(calls(args={"city": "Gdynia", "note": "x" * size}))
    expected = Expectation(tool=ExpectedCall(name="get_temp", args={"city": "Gdynia"}))
    [record] = put(tmp_path, service, written(expect=expected, tools=[WEATHER]))
    why = "of 1 function calls the first 0 are judged: the next is beyond the 1 MiB that a record holds"
    assert ("ok", kept) == (record.outcome, len(record.exchange.calls))
    assert (None if kept else why) == record.reason == row(tmp_path).reason
    assert [] == list(contradictions(tmp_path, read_plan(tmp_path), record))


@pytest.mark.capability("tools: declarations, calls, responses", side="client")
def test_a_call_without_an_id_is_answered_by_its_name(tmp_path):
    """Vertex sent no ids in the guides' time: the answer has none either."""
    service = Service(calls(id=None))
    [record] = put(tmp_path, service, written(expect=CALLED, tools=[WEATHER]))
    [response] = service.lines[0].heard[-1]["toolResponse"]["functionResponses"]
    assert ("get_temp", False) == (response["name"], "id" in response)
    assert record.exchange.calls[0].answered_t is not None


STRING = {"type": "STRING"}
REFUSED = [
    (WEATHER, {"behavior": "NON_BLOCKING"}, [LATER, "has no NON_BLOCKING functions", "gemini-skills"]),
    (WEATHER, {"parameters": {"type": 5.5}}, ["get_temp", "'type' (TYPE_ENUM), 5.5", "content.proto"]),
    (WEATHER, {"parameters": {"type": "OBJECT", "properties": []}}, ["get_temp", '"properties"', "content.proto"]),
    (WEATHER, {"parameters": {"properties": {"city": STRING, "day": {"minLength": "long"}}}},
     ["get_temp", "'properties[1].value.min_length' (TYPE_INT64)", "content.proto"]),
    (WEATHER, {"parameters": {"properties": {"city": {"type": "TEXT"}}}},
     ["properties[0].value.type", "type is one of ARRAY, BOOLEAN", "1007"]),
    (WEATHER, {"parameters": {"type": "OBJECT", "oneOf": []}}, ["no field oneOf", "Unknown name", "1007"]),
    (WEATHER, {"parameters": {"additionalProperties": False}}, ["additionalProperties exists on Vertex AI alone"]),
    (WEATHER, {"name": "get temp"}, ["a function's name is 1 to 64", "content.proto", "1007"]),
    (WEATHER, {"name": "x" * 65}, ["a function's name is 1 to 64", "content.proto"]),
]  # fmt: skip


@pytest.mark.capability("tools: declarations, calls, responses", side="client")
@pytest.mark.parametrize("function, change, words", REFUSED)
def test_a_function_that_would_be_refused_is_told_before(tmp_path, function, change, words):
    """No socket is opened for functions that the service would refuse: the row says the rule and its source; others go on."""
    bad = msgspec.structs.replace(function, **change)
    expect = Expectation(contains="eleven")
    asks = written(expect=expect, tools=[bad]), written(2, expect=expect, tools=[WEATHER])
    service = Service(says("eleven"))
    model = LATER if "behavior" in change else MODEL
    channel = "output" if model == LATER else "reply"
    first, second = put(tmp_path, service, *asks, model=model, transcript=channel)
    assert ("failed_client", "input", None) == (first.outcome, first.failure, first.trace)
    assert all(word in first.reason for word in ("u0001", *words)), first.reason
    assert 1 == len(service.lines)
    assert second.trace is not None


@pytest.mark.capability("tools: declarations, calls, responses", side="client")
def test_what_vertex_knows_of_schemas_is_taken_there(tmp_path):
    """A schema of Vertex AI's is sent to it."""
    function = msgspec.structs.replace(
        WEATHER, parameters={"type": "object", "additionalProperties": False}
    )
    asks = written(expect=Expectation(contains="eleven"), tools=[function])
    [record] = put(tmp_path, Service(says("eleven")), asks, model="gemini-live-2.5-flash")
    assert ("ok", "eleven") == (record.outcome, record.hypothesis)


# ── interruption ─────────────────────────────────────────────────────────────────────────────────────────────────────


def talks(*, pieces: int = 40, every: float = 0.2, deaf_s: float = 0.3):
    """Return a service that talks on and on, and falls silent `deaf_s` after the client begins to speak."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
            line.asked = line.cut = None
        realtime = frame.get("realtimeInput", {})
        if {"activityEnd", "audioStreamEnd"} & realtime.keys() or asked(frame):
            line.asked = line.loop.time()
            for n in range(pieces):
                line.loop.call_later(0.5 + n * every, lambda: line.cut or line.say(audio()))
        elif line.asked is not None and {"activityStart", "audio"} & realtime.keys():
            if line.loop.time() < line.asked + 0.5 or line.cut is not None:
                return
            line.cut = False

            def stop():
                line.cut = True
                line.say({"serverContent": {"interrupted": True}})
                line.say({"serverContent": {"turnComplete": True}})

            line.loop.call_later(deaf_s, stop)

    return answer


@pytest.mark.capability("audio out: interruption", side="client")
@pytest.mark.parametrize(
    "question, turns", [(written, "manual"), (spoken, "manual"), (spoken, "auto")]
)
def test_an_answer_is_interrupted(tmp_path, turns, question):
    """Two seconds into the answer we speak: how soon `interrupted` and the last speech came is in the row."""
    service = Service(talks())
    [record] = put(
        tmp_path,
        service,
        question(),
        model=NATIVE,
        transcript="output",
        turns=turns,
        interrupt_after_s=2.0,
    )
    over = record.exchange.interrupted
    assert 2.0 == pytest.approx(over.began_t - record.exchange.first_reply_t, abs=1e-3)
    shown = row(tmp_path)
    assert (None, "interrupted by us") == (shown.passed, shown.reason)
    assert 0.3 == pytest.approx(shown.interrupted_s, abs=1e-3)
    assert 0.0 <= shown.fell_silent_s <= 0.3 + 1e-6
    assert record.exchange.speech_s < 40 * 0.2
    lags = send_lags_ms(read_trace(tmp_path / record.trace))
    assert all(abs(lag) < 0.01 for lag in lags)


def test_who_has_no_audio_does_not_interrupt(tmp_path):
    """Where the service detects speech, a written question's answer can be interrupted with nothing: that is told."""
    more = {"model": NATIVE, "transcript": "output", "turns": "auto", "interrupt_after_s": 2.0}
    [record] = put(tmp_path, Service(talks()), written(), **more)
    assert "no audio to interrupt the answer with" in record.reason


@pytest.mark.capability("audio out: interruption", side="client")
def test_an_answer_that_is_over_is_not_interrupted(tmp_path):
    """There is nothing to speak over: the trace says so, and nothing is measured."""
    service = Service(says("It is eleven degrees."))
    [record] = put(tmp_path, service, written(), interrupt_after_s=1.0)
    assert record.exchange.interrupted is None
    assert row(tmp_path).passed
    events = read_trace(tmp_path / record.trace).events
    assert any("missed" in str(e.frame) for e in events if e.dir == "!")
    assert ("ok", 2) == (record.outcome, len(service.lines[0].heard))


@pytest.mark.capability("tools: search grounding", side="client")
@pytest.mark.capability("native audio: thinking", side="client")
def test_searches_are_counted_and_thoughts_kept_apart(tmp_path):
    """Thoughts are no part of the answer; what a search found is in the trace, and counted."""

    def answer(line, frame):
        says("eleven")(line, frame)
        if asked(frame):
            thought = {"parts": [{"text": "Warm? Cold?", "thought": True}]}
            found = {"webSearchQueries": ["temperature gdynia"]}
            line.say({"serverContent": {"modelTurn": thought, "groundingMetadata": found}}, 0.1)
            line.say({"usageMetadata": {"thoughtsTokenCount": 9, "totalTokenCount": 5}}, 0.5)

    [record] = put(tmp_path, Service(answer), written())
    assert ("eleven", 1, 1) == (
        record.hypothesis,
        record.exchange.thoughts,
        record.exchange.grounded,
    )
    assert 9 == row(tmp_path).thoughts_tokens
