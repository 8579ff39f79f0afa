"""Open questions: each has its choices, and each choice is what the emulator then does."""

from __future__ import annotations

import asyncio
import time
from dataclasses import fields, replace
from typing import get_args, get_type_hints

import pytest

from harness.emulator.conversation.handles import Handles
from harness.emulator.door.serve import Service
from harness.emulator.door.tokens import Tokens
from harness.emulator.model.manners import Manners
from harness.errors import UsageError
from harness.secret import Secret
from harness.session.transport import Closed, connect
from harness.wire.live import endpoint as live
from harness.wire.live.assumptions import (
    QUESTIONS,
    USUAL,
    Assumptions,
    assumed,
    departures,
)
from harness.wire.live.codec import decode_client
from harness.wire.live.refusals import Refused
from tests.emulator.memory import GEMINI, MANUAL, MODEL, VERTEX, Call, Drone, script, turn
from tests.emulator.signals import burst, hush
from tests.emulator.test_calls import ASK, TOOLS, answering, respond
from tests.integration.socketless import run_socketless, served
from tests.session.memory import MODEL as ID

# ── how they are asked for ───────────────────────────────────────────────────────────────────────────────────────────


def test_questions_and_fields_are_the_same():
    """Every question is a field of what is assumed, with the same choices, the first of which is its default."""
    hints = get_type_hints(Assumptions)
    choices = {one.name.replace("_", "-"): get_args(hints[one.name]) for one in fields(Assumptions)}
    assert choices == {one.name: tuple(each.name for each in one.choices) for one in QUESTIONS}
    assert USUAL == assumed(f"{one.name}={one.default}" for one in QUESTIONS)


def test_every_choice_has_an_effect_and_a_source():
    """A question has two choices or more; each says what is done and who says so."""
    for one in QUESTIONS:
        assert one.asks.endswith("?")
        assert 2 <= len(one.choices)
        assert all(each.does and each.source for each in one.choices)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.name)
def test_what_departs_is_told(question):
    """A choice can be typed as it is listed, and is told where it is not the usual one."""
    for choice in question.choices:
        told = departures(assumed([f"{question.name}={choice.name}"]))
        assert ({} if choice.name == question.default else {question.name: choice.name}) == told


@pytest.mark.parametrize(
    "typed, words",
    [
        ("bare-modl=taken", "bare-model"),
        ("xyzzy=1", "--list-assumptions"),
        ("bare-model", "taken, refused"),
        ("bare-model=refusd", "refused"),
        ("audio-tokens=27", "25"),
    ],
)
def test_what_cannot_be_assumed_is_explained(typed, words):
    """An unknown question or choice is an error of what was typed, which names the nearest or all."""
    with pytest.raises(UsageError) as error:
        assumed([typed])
    assert words in str(error.value)


# ── what they do ─────────────────────────────────────────────────────────────────────────────────────────────────────

RESOURCE = "projects/p/locations/l/publishers/google/models/"
HALF_VERTEX = f"{RESOURCE}gemini-live-2.5-flash"
NATIVE_VERTEX = f"{RESOURCE}gemini-live-2.5-flash-native-audio"
LIVE_31 = {
    "model": "models/gemini-3.1-flash-live-preview",
    "generationConfig": {"responseModalities": ["AUDIO"]},
}
INVALID = (1007, "Request contains an invalid argument.")


def call(how, **more):
    """Return a call to an emulator that assumes `how`."""
    return Call(manners=Manners(assumed=how), **more)


async def closed(how, *messages, path=None, **setup):
    """Return how a session ends after these messages; None: it goes on."""
    here = call(how, voice=Drone(), **({"path": path} if path else {}))
    here.set_up(**setup)
    for message in messages:
        here.say(message)
    await asyncio.sleep(1)
    return here.closed


async def bare_model(how):
    """Return how a session ends whose model is named by its bare id."""
    end = await closed(how, model=ID)
    return end and end[0]


async def refused_at_the_door(how, *, sessions=1, **headers):
    """Return (HTTP status, close code) of a client that is not let in."""

    class Listener:
        def __init__(self):
            self.over = asyncio.get_running_loop().create_future()

        def upgraded(self, upgraded, t):
            pass

        def received(self, frame, t):
            pass

        def closed(self, end: Closed, t):
            self.over.set_result(end)

    url = "ws://127.0.0.1:1"
    where = (
        live.vertex(Secret("invalid"), project="p", url=url)
        if "vertex" in headers
        else live.gemini(Secret("k"), url=url)
    )
    service = Service(ear=script("a"), sessions=sessions, manners=Manners(assumed=how))
    async with served(service):
        listener = Listener()
        await connect(where, listener)
        end = await listener.over
    return end.status, None if end.status else end.code


async def error_frames(how):
    """Return the error messages before a refusal, and its close code."""
    here = call(how)
    here.set_up(model="models/nope")
    await asyncio.sleep(1)
    errors = [message["error"] for _, message in here.heard if "error" in message]
    return [(one["code"], one["status"], one["message"][:12]) for one in errors], here.closed[0]


async def unknown_fields(how):
    """Return how a session ends that asks for transcription in the wrong place."""
    config = {"responseModalities": ["TEXT"], "inputAudioTranscription": {}}
    end = await closed(how, generationConfig=config)
    return end and end[0]


async def json_read(how):
    """Return how sessions end that ask for one modality without a list, and for one in lower case."""
    asked = ("TEXT", ["text"])
    ends = [await closed(how, generationConfig={"responseModalities": one}) for one in asked]
    return [end and end[0] for end in ends]


async def ignored_go_away(how):
    """Return the close code of a connection whose life is over."""
    here = Call(manners=Manners(assumed=how, connection_s=2, go_away_lead_s=1))
    here.set_up()
    await asyncio.sleep(3)
    return here.closed[0]


async def v1alpha_fields(how):
    """Return how the refusal of affective dialogue begins."""
    return (await closed(how, generationConfig={"enableAffectiveDialog": True}))[1][:30]


async def unknown_voice(how):
    """Return how the refusal of a voice begins."""
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Nobody"}}}
    return (await closed(how, generationConfig={"speechConfig": voice}))[1][:30]


async def native_language(how):
    """Return the close codes of native audio asked for a language it speaks, and for one it does not."""
    ends = []
    for code in ("de-DE", "cmn-CN"):
        spoken = {"responseModalities": ["AUDIO"], "speechConfig": {"languageCode": code}}
        end = await closed(how, path=VERTEX, model=NATIVE_VERTEX, generationConfig=spoken)
        ends.append(end and end[0])
    return ends


SEEDING = {"historyConfig": {"initialHistoryInClientContent": True}}


async def seeded_history(how):
    """Return how a 3.1 session ends whose history is seeded."""
    return await closed(how, turn("hello"), **LIVE_31, **SEEDING)


async def late_content(how):
    """Return how 3.1 sessions end with content that seeds nothing: not asked for, and behind the first realtime input."""
    text = {"realtimeInput": {"text": "hello"}}
    return [
        await closed(how, turn("hello"), **LIVE_31),
        await closed(how, text, turn("hello"), **LIVE_31, **SEEDING),
    ]


async def transcription_fields(how):
    """Return the close code at once and after a minute, and what was said, of hints nobody takes."""
    here = call(how)
    here.set_up(inputAudioTranscription={"mode": "VERBATIM"})
    await asyncio.sleep(1)
    at_once = here.closed
    await asyncio.sleep(60)
    return at_once and at_once[0], here.closed[0], here.story


async def turns_of(how, *sounds, path=VERTEX, model=HALF_VERTEX, **detection):
    """Return how many turns automatic detection makes of some sounds."""
    here = call(how, path=path)
    config = {"automaticActivityDetection": detection} if detection else {}
    here.set_up(model=model, realtimeInputConfig=config)
    for sound in sounds:
        await here.stream(sound)
    await asyncio.sleep(3)
    return here.story.count("turnComplete")


async def start_sensitivity(how):
    """Return the turns that a click of 80 ms makes."""
    return await turns_of(how, hush(1), burst(0.08), hush(2))


async def end_sensitivity(how):
    """Return the turns that a pause of a second makes."""
    return await turns_of(how, burst(1), hush(1), burst(1), hush(2))


async def silence(how):
    """Return the turns that pauses of 0.6, 0.9 and 1.2 s make."""
    found = []
    for pause_s in (0.6, 0.9, 1.2):
        sounds = (burst(1), hush(pause_s), burst(1), hush(2))
        usual = {"path": GEMINI, "model": MODEL}
        found.append(await turns_of(how, *sounds, **usual))
    return found


async def longest_silence(how):
    """Return the turns that a pause of 3 s makes where 5 s were asked for."""
    sounds = (burst(1), hush(3), burst(1), hush(6))
    return await turns_of(how, *sounds, path=GEMINI, model=MODEL, silenceDurationMs=5000)


async def audio_billed(how):
    """Return whether five seconds of silence are billed."""
    here = call(how)
    here.set_up()
    await here.stream(hush(5) + burst(1) + hush(0.9))
    await asyncio.sleep(1)
    return here.usage[0]["promptTokenCount"] > 100


async def manual_stream_end(how):
    """Return how a session ends that says audioStreamEnd in manual activity."""
    return await closed(how, {"realtimeInput": {"audioStreamEnd": True}}, **MANUAL)


async def vertex_realtime_text(how):
    """Return how a session ends that says realtime text."""
    text = {"realtimeInput": {"text": "hello"}}
    return await closed(how, text, path=VERTEX, model=HALF_VERTEX)


async def late_tool_response(how):
    """Return how a session ends that answers a cancelled call."""
    here = Call(manners=replace(answering({"when": {"text": "weather"}, **ASK}), assumed=how))
    here.set_up(tools=TOOLS)
    here.say(turn("weather"))
    await asyncio.sleep(0.5)
    here.say(turn("never mind"))
    await asyncio.sleep(1)
    assert "toolCallCancellation" in here.story
    here.say(respond("function-call-1"))
    await asyncio.sleep(1)
    return here.closed


async def resumed(how, *, handle=-1, after_s=0.0, path=None, model=MODEL, named=None):
    """Return how a session ends that resumes another by one of its handles; None: it goes on."""
    handles, where = Handles(), {"path": path} if path else {}
    first = call(how, handles=handles, **where)
    first.set_up(model=model, sessionResumption={})
    first.say(turn("hello"))
    await asyncio.sleep(2)
    first.conversation.gone()
    await asyncio.sleep(after_s)
    second = call(how, handles=handles, **where)
    known = named or first.handles[handle]
    window = {"slidingWindow": {}}
    second.set_up(model=model, sessionResumption={"handle": known}, contextWindowCompression=window)
    return second.closed


async def vertex_handle_life(how):
    """Return the close codes of sessions resumed after 9 and 11 minutes."""
    minutes = [await resumed(how, after_s=m * 60, path=VERTEX, model=HALF_VERTEX) for m in (9, 11)]
    return [end and end[0] for end in minutes]


async def older_handles(how):
    """Return the close codes of sessions resumed by the first and the last handle."""
    ends = [await resumed(how, handle=which) for which in (0, -1)]
    return [end and end[0] for end in ends]


async def unknown_handle(how):
    """Return the words for a handle that names nothing."""
    return (await resumed(how, named="nonsense"))[1]


async def resumption_use(how):
    """Return the close code of a session resumed with a token that opened one."""
    tokens = Tokens(now=time.time)
    grant = tokens.grant(tokens.mint(b'{"uses": 1}'), how)
    opening = decode_client('{"setup": {"model": "models/x"}}').setup
    resuming = decode_client(
        '{"setup": {"model": "models/x", "sessionResumption": {"handle": "h"}}}'
    ).setup
    grant.begun(grant.setup(opening))
    try:
        grant.begun(grant.setup(resuming))
    except Refused as refused:
        return refused.code
    return None


async def audio_tokens(how):
    """Return the bill of two seconds."""
    here = call(how)
    here.set_up(**MANUAL)
    here.signal("activityStart")
    here.speak(burst(2))
    here.signal("activityEnd")
    await asyncio.sleep(1)
    return here.usage[0]["promptTokenCount"]


async def picture_tokens(how):
    """Return the bills of a picture in low and in medium resolution."""
    found = []
    for resolution in ("LOW", "MEDIUM"):
        here = call(how)
        config = {
            "responseModalities": ["TEXT"],
            "mediaResolution": f"MEDIA_RESOLUTION_{resolution}",
        }
        here.set_up(generationConfig=config)
        here.say({"realtimeInput": {"video": {"mimeType": "image/jpeg", "data": "/9j/AAAA"}}})
        here.say(turn("what is it?"))
        await asyncio.sleep(1)
        details = here.usage[0]["promptTokensDetails"]
        found += [one["tokenCount"] for one in details if one["modality"] == "VIDEO"]
    return found


async def cached_turns(how):
    """Return what of the second turn's bill is of the first: its question, and its answer."""
    here = call(how)
    here.set_up()
    for _ in range(2):
        here.say(turn("x" * 40))
        await asyncio.sleep(2)
    return here.usage[1].get("cachedContentTokenCount")


async def full_after(how, tokens, **where):
    """Return how a session ends whose context has grown to so many tokens; None: it goes on."""
    generation = {"responseModalities": ["AUDIO"]}
    return await closed(how, turn("y" * 4 * tokens), generationConfig=generation, **where)


async def half_cascade_context(how):
    """Return how a session of 40,000 tokens ends."""
    return await full_after(how, 40_000)


async def vertex_native_context(how):
    """Return how one on Vertex AI ends."""
    return await full_after(how, 40_000, path=VERTEX, model=NATIVE_VERTEX)


EFFECTS = {
    "bare-model": (bare_model, {"taken": None, "refused": 1008}),
    "vertex-missing-auth": (
        lambda how: refused_at_the_door(how, vertex=True),
        {"at-upgrade": (401, None), "by-close": (None, 1008)},
    ),
    "too-many-sessions": (
        lambda how: refused_at_the_door(how, sessions=0),
        {"at-upgrade": (429, None), "by-close": (None, 1011)},
    ),
    "error-frames": (
        error_frames,
        {"never": ([], 1008), "before-close": ([(404, "NOT_FOUND", "models/nope ")], 1008)},
    ),
    "unknown-fields": (unknown_fields, {"refused": 1007, "ignored": None}),
    "json": (json_read, {"lenient": [None, None], "exact": [1007, 1007]}),
    "ignored-go-away": (ignored_go_away, {"aborted": 1008, "deadline": 1011}),
    "v1alpha-fields": (
        v1alpha_fields,
        {
            "unknown-name": "Invalid JSON payload received.",
            "invalid-argument": "Request contains an invalid ar",
        },
    ),
    "unknown-voice": (
        unknown_voice,
        {
            "named": "Requested voice api_name 'Nobo",
            "invalid-argument": "Request contains an invalid ar",
        },
    ),
    "native-language": (native_language, {"listed": [None, 1007], "ignored": [None, None]}),
    "seeded-history": (seeded_history, {"taken": None, "refused": INVALID}),
    "late-content": (late_content, {"refused": [INVALID, INVALID], "ignored": [None, None]}),
    "transcription-fields": (
        transcription_fields,
        {"refused": (1007, 1007, []), "unanswered": (None, 1011, [])},
    ),
    "vertex-start-sensitivity": (start_sensitivity, {"low": 0, "high": 1}),
    "vertex-end-sensitivity": (end_sensitivity, {"high": 2, "low": 1}),
    "silence": (silence, {"500ms": [2, 2, 2], "800ms": [1, 2, 2], "1s": [1, 1, 2]}),
    "longest-silence": (longest_silence, {"as-asked": 1, "2s": 2}),
    "turn-coverage": (audio_billed, {"all-input": True, "only-activity": False}),
    "manual-stream-end": (manual_stream_end, {"ignored": None, "refused": INVALID}),
    "vertex-realtime-text": (vertex_realtime_text, {"taken": None, "refused": INVALID}),
    "late-tool-response": (late_tool_response, {"ignored": None, "refused": INVALID}),
    "vertex-handle-life": (
        vertex_handle_life,
        {"24h": [None, None], "10min": [None, 1008]},
    ),
    "older-handles": (older_handles, {"taken": [None, None], "refused": [1008, None]}),
    "unknown-handle": (
        unknown_handle,
        {
            "not-found": "BidiGenerateContent session not found",
            "invalid": "Invalid session handle",
        },
    ),
    "resumption-use": (resumption_use, {"free": None, "counted": 1011}),
    "audio-tokens": (audio_tokens, {"25": 50, "32": 64}),
    "picture-tokens": (picture_tokens, {"258": [66, 258], "256": [64, 256]}),
    "cached-turns": (cached_turns, {"untold": None, "told": 20}),
    "half-cascade-context": (half_cascade_context, {"32k": INVALID, "1M": None}),
    "vertex-native-context": (vertex_native_context, {"128k": None, "32k": INVALID}),
}
"""What shows a question's answer, and what it shows for each choice."""

CASES = [(name, choice) for name, (_, shown) in EFFECTS.items() for choice in shown]


@pytest.mark.parametrize("name, choice", CASES, ids="=".join)
def test_a_choice_is_what_is_done(name, choice):
    """With each choice of each question the emulator does what the choice says, and something else with the others."""
    scene, shown = EFFECTS[name]
    how = assumed([f"{name}={choice}"])
    assert shown[choice] == run_socketless(scene(how))


def test_every_choice_is_shown():
    """No question and no choice of it is left out above, and no two choices do the same."""
    assert {one.name: {each.name for each in one.choices} for one in QUESTIONS} == {
        name: set(shown) for name, (_, shown) in EFFECTS.items()
    }
    for _, shown in EFFECTS.values():
        assert len(shown) == len({repr(each) for each in shown.values()})
