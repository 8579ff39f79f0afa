"""Probes: what is there is found, what is not is told apart from what is broken, and no secret is told with it."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import quote

import pytest

from harness.clock import run_virtual
from harness.secret import Secret
from harness.session.probes import PROBES
from harness.session.probes.probe import LONGEST_S, Outcome, Place, Probe, outcome
from harness.session.talk import WAIT_S
from harness.wire.live import endpoint as live
from harness.wire.live.endpoint import Route
from tests.capabilities import CAPABILITIES
from tests.session.memory import Service

KEY = "a-key-nobody-may-see"
HALF = "gemini-live-2.5-flash-preview"
BY_NAME = {probe.capability: probe for probe in PROBES}


def place(answer, model=HALF, version="v1beta", **more):
    """Return a place in memory whose service answers frames as `answer` says."""
    usual = {
        "connect": Service(answer).connect,
        "endpoint": lambda _: live.gemini(Secret(KEY), url="ws://127.0.0.1:1"),
        "route": lambda _: Route(platform="gemini", version=version),
        "service": "gemini",
        "url": None,
        "key": None,
        "model": model,
        "speech": bytes(6400),
        "pause_s": 0.1,
    }
    return Place(**usual | more)


def service(**replies):
    """Return an answer that takes a setup, and says `replies[kind]` to the first frame of a kind."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        for kind in frame:
            for message in replies.get(kind, ()):
                line.say(message)

    return answer


def found(name, answer, **options):
    """Return what a probe finds in a service."""
    return run_virtual(outcome(BY_NAME[name], place(answer, **options)))


def failed(told, *, silent=False):
    """Return the outcome of a capability that does not work."""
    return Outcome(verdict="failed", told=told, silent=silent)


TURN = [
    {"serverContent": {"modelTurn": {"parts": [{"text": "Good morning."}]}}},
    {"serverContent": {"turnComplete": True}, "usageMetadata": {"totalTokenCount": 5}},
]


def test_every_capability_is_walked():
    """The doctor has a line for each row of docs/protocol.md, in its order, and no other."""
    rows = [f"{area}: {detail}" for area, details in CAPABILITIES.items() for detail in details]
    assert rows == [probe.capability for probe in PROBES]


def test_an_answer_is_found():
    """A probe returns what came, in a few words."""
    assert Outcome(verdict="ok", told="“Good morning.”") == found(
        "text: turns", service(clientContent=TURN)
    )


def test_an_empty_turn_is_no_answer():
    """A turn that ends without a word is a capability that does not work."""
    assert failed("the turn ended without an answer", silent=True) == found(
        "text: turns", service(clientContent=TURN[1:])
    )


def test_silence_is_waited_for_and_told():
    """What never comes is told after half a minute, or what the place allows, and is not waited for longer."""
    assert failed("no end of a turn within 30 s", silent=True) == found("text: turns", service())
    assert failed("no setupComplete within 30 s", silent=True) == found(
        "text: turns", lambda *_: None
    )
    assert failed("no setupComplete within 2 s", silent=True) == found(
        "text: turns", lambda *_: None, wait_s=2.0
    )


def test_a_connection_that_never_comes_is_given_up():
    """A host that swallows the attempt to connect is waited for as long as anything else."""

    async def never(endpoint, listener):
        await asyncio.Event().wait()

    assert failed("no connection within 30 s", silent=True) == found(
        "text: turns", service(), connect=never
    )


def test_a_probe_ends_whatever_comes():
    """A service that always says something, and never what is waited for, is left after some minutes."""

    async def for_ever(_):
        await asyncio.Event().wait()

    probe = Probe(capability="text: turns", walk=for_ever)

    async def scene():
        began = asyncio.get_running_loop().time()
        return await outcome(probe, place(service())), asyncio.get_running_loop().time() - began

    told, seconds = run_virtual(scene())
    assert failed(f"not done within {LONGEST_S:g} s", silent=True) == told
    assert LONGEST_S == pytest.approx(seconds)


def test_a_flood_does_not_hold_a_probe():
    """Messages without an answer in them do not lengthen the wait for one."""

    def flood(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
            for number in range(1000):
                line.say({"serverContent": {"waitingForInput": True}}, after=number / 20)

    async def scene():
        began = asyncio.get_running_loop().time()
        told = await outcome(BY_NAME["text: turns"], place(flood))
        return told, asyncio.get_running_loop().time() - began

    told, seconds = run_virtual(scene())
    assert failed("no end of a turn within 30 s", silent=True) == told
    assert seconds == pytest.approx(WAIT_S, abs=0.1)


@pytest.mark.parametrize("size, count", [(100_000, 200), (0, 20_000)])
def test_a_flood_is_told_and_not_kept(size, count):
    """A service that sends more than any answer is left at once, whatever it sends, and no more of it is kept."""
    lines = []

    def flood(line, frame):
        lines.append(line)
        if "setup" in frame:
            line.say({"setupComplete": {}})
            for _ in range(count):
                line.say_raw(
                    b'{"serverContent":{"modelTurn":{"parts":[{"text":"%s"}]}}}' % (b"x" * size)
                )

    told = found("text: turns", flood)
    assert failed("the service has sent more than 16 MiB over one connection") == told
    assert lines[0].over


@pytest.mark.parametrize(
    "frame, words",
    [
        (b"{", "no Live message"),
        (b'{"serverContent": 1}', "no Live message"),
        (b'{"error": {"code": 503, "message": "Overloaded"}}', "error message 503: Overloaded"),
    ],
)
def test_what_is_no_answer_is_told_at_once(frame, words):
    """Garbage and error messages fail a probe when they come, not when its patience is over."""

    def answer(line, said):
        if "setup" in said:
            line.say({"setupComplete": {}})
        else:
            line.say_raw(frame)

    told = found("text: turns", answer)
    assert ("failed", False) == (told.verdict, told.silent)
    assert words in told.told


ECHOES = [
    KEY,
    quote(f"x-goog-api-key={KEY}&more"),
    base64.b64encode(f"key {KEY} end".encode()).decode(),
    f"…{KEY[:12]}",
]


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_no_probe_tells_a_secret(name):
    """Whatever a service echoes, in answers, closes, errors and fields, no probe tells of a key or a token."""
    echo = " ".join(ECHOES)
    says = [
        {"serverContent": {"modelTurn": {"parts": [{"text": f"Ada morning {echo}"}]}}},
        {"serverContent": {"modelTurn": {"parts": [{"text": echo, "thought": True}]}}},
        {"serverContent": {"outputTranscription": {"text": echo}}},
        {"serverContent": {"inputTranscription": {"text": echo}}},
        {"serverContent": {"interimInputTranscription": {"text": echo}}},
        {"toolCall": {"functionCalls": [{"id": echo, "name": echo, "args": {echo: echo}}]}},
        {"toolCallCancellation": {"ids": [echo]}},
        {"goAway": {"timeLeft": "5s"}},
        {"sessionResumptionUpdate": {"newHandle": "handle-of-a-session", "resumable": True}},
        {"serverContent": {"groundingMetadata": {"a": echo}}},
        {
            "serverContent": {"turnComplete": True, "interrupted": True},
            "usageMetadata": {
                "promptTokenCount": 5,
                "responseTokenCount": 1,
                "thoughtsTokenCount": 1,
                "promptTokensDetails": [{"modality": echo, "tokenCount": 5}],
            },
        },
    ]
    pcm = base64.b64encode(bytes(480)).decode()
    audio = {"inlineData": {"mimeType": f"audio/{echo}", "data": pcm}}

    def talkative(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}, echo: echo})
        for message in (*says[:-1], {"serverContent": {"modelTurn": {"parts": [audio]}}}, says[-1]):
            line.say(message)

    def closing(line, frame):
        line.hang_up(1007, f"API key not valid: {echo}")

    def refusing(line, frame):
        line.hang_up(None, f"{echo} is no key", status=401)

    def garbled(line, frame):
        line.say_raw(f'{{"setupComplete": "{echo}"}}'.encode())

    def erring(line, frame):
        line.say({"setupComplete": {}})
        line.say({"error": {"code": 401, "message": echo}})

    for answer in (talkative, closing, refusing, garbled, erring):
        more = {"hurried": "ws://127.0.0.1:1", "url": "ws://127.0.0.1:1", "service": "emulator"}
        here = place(answer, version="v1alpha", wait_s=1.0, **more)
        here.secrets.append(Secret(KEY))
        told = run_virtual(outcome(BY_NAME[name], here)).told
        assert not any(KEY[at : at + 8] in told for at in range(len(KEY) - 7)), told
        assert not any(one in told for one in ECHOES), told


@pytest.mark.parametrize(
    "name, options, words",
    [
        ("native audio: affective dialogue", {}, "v1alpha"),
        ("native audio: affective dialogue", {"version": "v1alpha"}, "no affective dialogue"),
        ("native audio: thinking", {}, "thinkingConfig"),
        ("text: turns", {"model": "gemini-3.5-transcribe-live"}, "nothing but transcribe"),
        (
            "audio out: interruption",
            {"model": "gemini-3.5-transcribe-live"},
            "nothing but transcribe",
        ),
    ],
)
def test_what_a_model_lacks_is_not_asked_for(name, options, words):
    """A rule that forbids a probe's setup is named, and nothing is sent."""

    def answer(line, frame):
        raise AssertionError("nothing may be sent")

    told = found(name, answer, **options)
    assert "not offered" == told.verdict
    assert words in told.told


@pytest.mark.parametrize(
    "name", ["tools: declarations, calls, responses", "tools: search grounding"]
)
def test_a_model_that_does_otherwise_is_told(name):
    """A model that answers without calling or searching is neither a success nor a failure."""
    told = found(name, service(clientContent=TURN))
    assert "not shown" == told.verdict
    assert "answered" in told.told


@pytest.mark.parametrize("name", ["text: incremental context", "text: history seeding"])
def test_what_was_told_must_be_told_again(name):
    """A model that answers and has forgotten shows no memory; one that remembers does."""
    forgot = found(name, service(clientContent=TURN))
    assert "not shown" == forgot.verdict
    assert "Good morning" in forgot.told
    knows = [{"serverContent": {"modelTurn": {"parts": [{"text": "You are Ada."}]}}}, TURN[1]]
    told = found(name, service(clientContent=knows))
    assert Outcome(verdict="ok", told="“You are Ada.”") == told


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_what_cannot_be_had_on_demand_is_named(name):
    """Where nothing can be hurried, what takes minutes or a quirk says what would show it, and is not asked for."""
    rare = {
        "setup: unknown fields are kept": "--quirk unknown-fields",
        "usage: absent is unknown": "--quirk missing-usage",
        "long sessions: goAway": "--connection-life",
        "long sessions: limits of sessions and connections": "--session-life",
        "long sessions: replay and seams": "--connection-life",
        "connection: another URL": "--url",
        "connection: TLS": "not encrypted",
    }
    told = found(name, service(), wait_s=0.1)
    assert (name in rare) == (told.verdict == "not walked")
    assert rare.get(name, "") in told.told


def test_a_model_is_asked_as_it_wants_to_be():
    """Who must be told how much to think is told a level, others a budget; only a function that blocks is interrupted."""
    asked = []

    def answer(line, frame):
        asked.append(frame)
        service()(line, frame)

    def setup(name, model):
        asked.clear()
        found(name, answer, model=model, wait_s=0.1)
        return asked[0]["setup"]

    def behavior(model):
        (tool,) = setup("tools: cancellation", model)["tools"]
        return tool["functionDeclarations"][0].get("behavior")

    def thinking(model):
        return setup("native audio: thinking", model)["generationConfig"]["thinkingConfig"]

    told = "gemini-3.8-live-extended-thinking"
    free = "gemini-2.5-flash-native-audio-preview-09-2025"
    assert {"thinkingLevel": "LOW", "includeThoughts": True} == thinking(told)
    assert {"thinkingBudget": 256, "includeThoughts": True} == thinking(free)
    assert ["BLOCKING", None] == [behavior(told), behavior(free)]


def test_a_model_whose_turns_are_history_is_asked_otherwise():
    """A model that takes turns as its history alone is asked in realtime text, and is not asked for turns."""
    asked = []

    def answer(line, frame):
        asked.append(frame)
        service(realtimeInput=TURN)(line, frame)

    later = "gemini-3.1-flash-live-preview"
    assert "not offered" == found("text: turns", answer, model=later).verdict
    told = found("text: history seeding", answer, model=later)
    assert "not shown" == told.verdict
    assert {"initialHistoryInClientContent": True} == asked[-4]["setup"]["historyConfig"]
    assert [False, True] == [
        frame["clientContent"].get("turnComplete", False) for frame in asked[-3:-1]
    ]
    assert "text" in asked[-1]["realtimeInput"]


def test_a_stranger_is_asked_for_everything():
    """A model that the catalogue lacks is asked in speech, since every conversational one speaks."""
    asked = []

    def answer(line, frame):
        asked.append(frame)
        service(clientContent=TURN)(line, frame)

    found("text: turns", answer, model="brand-new")
    assert ["AUDIO"] == asked[0]["setup"]["generationConfig"]["responseModalities"]


@pytest.mark.capability("setup: close codes and reasons", side="parts")
def test_a_refusal_is_what_is_looked_for():
    """An unknown model must be refused as such: taken it is a fault, and so is any other close."""
    words = "models/no-such-model is not found for API version v1beta"

    def close(code, reason):
        return lambda line, _: line.hang_up(code, reason)

    name = "setup: close codes and reasons"
    assert words[:40] in found(name, close(1008, words)).told
    other = found(name, close(1011, "Internal error encountered."))
    assert failed("closed 1011: Internal error encountered.") == other
    assert failed("it was taken", silent=True) == found(name, service())


def test_what_not_every_platform_has_may_be_refused():
    """A refusal of what is doubted says that this platform has it not; of anything else it is a fault."""

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        else:
            line.hang_up(1007, "Request contains an invalid argument.")

    doubted = found("text: realtime text", answer)
    assert "not offered" == doubted.verdict
    assert "refuses it: closed 1007" in doubted.told
    assert "failed" == found("text: turns", answer).verdict


@pytest.mark.capability("connection: ephemeral tokens", side="parts")
def test_a_session_by_token_is_opened_and_closed():
    """A session that another credential opens is tried with the same setup."""
    here = place(service())
    token = Secret("auth_tokens/x-of-some-length")
    run_virtual(here.opened(live.gemini_token(token, url="ws://127.0.0.1:1")))
    assert [Secret("Token auth_tokens/x-of-some-length")] == here.secrets


RATES = "audio in: 16 kHz sent, 4 to 192 kHz taken"


def hears(kept, **by_rate):
    """Return a service that hears “Hello”, or at a rate what is said of it, and keeps what it is sent."""

    def answer(line, frame):
        realtime = frame.get("realtimeInput", {})
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if "audio" in realtime:
            kept.append(realtime["audio"])
        if "activityEnd" in realtime:
            rate = kept[-1]["mimeType"].partition("=")[2]
            text = by_rate.get(f"at_{rate}", "Hello")
            line.say({"serverContent": {"inputTranscription": {"text": text}}})

    return answer


def test_a_rate_is_declared_and_kept():
    """Audio of another rate is resampled, as long as it was, and each frame says so."""
    audio = []
    told = found(RATES, hears(audio))
    assert "“Hello”, and much the same at 8, 24, 44.1, 48 kHz" == told.told
    sizes = {}
    for one in audio:
        rate = int(one["mimeType"].removeprefix("audio/pcm;rate="))
        sizes[rate] = sizes.get(rate, 0) + len(base64.b64decode(one["data"]))
    assert [16_000, 8_000, 24_000, 44_100, 48_000] == list(sizes)
    assert all(size == pytest.approx(0.4 * rate, abs=2) for rate, size in sizes.items())


def test_a_rate_that_is_not_obeyed_is_told():
    """Speech that is heard as something else at one rate is a capability that is not shown."""
    told = found(RATES, hears([], at_44100="put it in"))
    assert "not shown" == told.verdict
    assert "at 44.1 kHz it heard “put it in”, and not “Hello”" == told.told


@pytest.mark.parametrize("poor_ear, verdict", [(True, "not shown"), (False, "failed")])
def test_a_poor_ear_is_no_fault_of_its_emulator(poor_ear, verdict):
    """What an emulator with our answers hears otherwise is its fault, unless its recogniser is known to hear little."""
    told = found(RATES, hears([], at_8000="put it in"), answers=True, poor_ear=poor_ear)
    assert verdict == told.verdict


@pytest.mark.parametrize("coverage, verdict", [((10, 20), "ok"), ((20, 20), "not shown")])
def test_turn_coverage_shows_in_the_bill(coverage, verdict):
    """What is covered costs: silence that costs as much when it is left out shows nothing."""
    prompts = iter(coverage)

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if frame.get("realtimeInput", {}).get("audioStreamEnd"):
            usage = {"promptTokenCount": next(prompts)}
            line.say({"serverContent": {"turnComplete": True}, "usageMetadata": usage})

    assert verdict == found("audio in: turn coverage", answer).verdict


@pytest.mark.parametrize(
    "prompts, verdict",
    [
        ((2000, 4000, 2000), "ok"),
        ((2000, 4000, 6000, 4500), "ok"),
        ((2000, 2000), "not shown"),
        ((4000, 2000), "not shown"),
        ((None, None), "not shown"),
        ((2000, 4000, 6000, 8000), "not shown"),
        ((2000, 4000, 4000, 4000), "not shown"),
    ],
)
def test_compression_shows_in_the_bill(prompts, verdict):
    """A context that never grew, or never shrank after it had grown, was not compressed."""
    left = iter(prompts)

    def answer(line, frame):
        if "setup" in frame:
            line.say({"setupComplete": {}})
        else:
            usage = {"promptTokenCount": next(left)}
            line.say({"serverContent": {"turnComplete": True}, "usageMetadata": usage})

    assert verdict == found("long sessions: context-window compression", answer).verdict


def test_recordings_are_sent_whole():
    """Speech goes out in frames of 100 ms, all of it, between its signals."""
    heard = []

    def answer(line, frame):
        heard.append(frame)
        if "setup" in frame:
            line.say({"setupComplete": {}})
        if "activityEnd" in frame.get("realtimeInput", {}):
            line.say({"serverContent": {"inputTranscription": {"text": " Hello"}}})

    async def scene():
        began = asyncio.get_running_loop().time()
        told = await outcome(BY_NAME["audio in: manual activity"], place(answer))
        return told, asyncio.get_running_loop().time() - began

    told, seconds = run_virtual(scene())
    assert Outcome(verdict="ok", told="“Hello”") == told
    kinds = [next(iter(frame.get("realtimeInput", {"setup": 1}))) for frame in heard]
    assert ["setup", "activityStart", "audio", "audio", "activityEnd"] == kinds
    assert seconds == pytest.approx(0.2, abs=0.01)
