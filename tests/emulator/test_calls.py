"""Functions, searches, thoughts and silence, as an answers file asks for them; in virtual time."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from harness.clock import run_virtual
from harness.emulator.model.answers import Answer, Answers
from harness.emulator.model.manners import Manners
from tests.emulator.memory import GEMINI, MANUAL, VERTEX, Call, Drone, turn

TOOLS = [{"functionDeclarations": [{"name": "get_temp"}, {"name": "set_timer"}]}]
LATER = [{"functionDeclarations": [{"name": "get_temp", "behavior": "NON_BLOCKING"}]}]
ASK = {
    "call": {"name": "get_temp", "args": {"city": "Gdynia"}},
    "after": "It is {celsius} degrees.",
}
NATIVE = {
    "model": "models/gemini-2.5-flash-native-audio-preview-09-2025",
    "generationConfig": {"responseModalities": ["AUDIO"]},
}


def answering(*lines):
    """Return a service that answers like this."""
    return Manners(answers=Answers(msgspec.convert(list(lines), list[Answer])))


def respond(call_id, response=None, **more):
    """Return the client's answer to a call."""
    one = {"id": call_id, "name": "get_temp", "response": response or {"celsius": 11}} | more
    return {"toolResponse": {"functionResponses": [one]}}


def calls(call):
    """Return the function calls that were made."""
    return [one for _, m in call.heard for one in m.get("toolCall", {}).get("functionCalls", [])]


async def asked(*lines, wait_s=1, **setup):
    """Ask one question of a service that answers with `lines`."""
    call = Call(manners=answering(*lines), voice=Drone())
    call.set_up(**setup)
    call.say(turn("How warm is it in Gdynia?"))
    await asyncio.sleep(wait_s)
    return call


# ── blocking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("tools: declarations, calls, responses", side="emulator")
@pytest.mark.parametrize("wrapper", [None, "output", "result"])
def test_a_function_is_called_and_its_answer_spoken_of(wrapper):
    """The model says nothing until the response comes, then what its fields say, then the turn ends."""

    async def scene():
        call = await asked(ASK, tools=TOOLS)
        before = list(call.story)
        fields = {"celsius": 11}
        call.say(respond(calls(call)[0]["id"], {wrapper: fields} if wrapper else fields))
        await asyncio.sleep(1)
        return call, before

    call, before = run_virtual(scene())
    assert ["setupComplete", "toolCall"] == before
    assert [{"name": "get_temp", "args": {"city": "Gdynia"}}] == [
        {key: one[key] for key in ("name", "args")} for one in calls(call)
    ]
    assert ["reply", "generationComplete", "turnComplete"] == call.story[2:]
    assert ["It is 11 degrees."] == call.texts("reply")


@pytest.mark.capability("tools: declarations, calls, responses", side="emulator")
def test_an_undeclared_function_is_not_called():
    """Who declares nothing is called nothing: the question is repeated."""
    call = run_virtual(asked(ASK))
    assert [] == calls(call)
    assert ["How warm is it in Gdynia?"] == ["".join(call.texts("reply"))]


@pytest.mark.capability("usage: per modality, turn and session", side="emulator")
@pytest.mark.parametrize(
    "tools, more, billed",
    [
        (TOOLS, [{}], (True, True)),
        (TOOLS, [{"response": {"celsius": 11}, "willContinue": True}, {}], (False, True)),
        (LATER, [{"scheduling": "SILENT"}], (False, True)),
    ],
    ids=["awaited", "after it was spoken of", "not awaited"],
)
def test_what_a_function_found_is_billed_with_the_turn_that_reads_it(tools, more, billed):
    """The turn that waits for it has it in its prompt, and all turns behind that; what comes later the next one has."""

    async def scene():
        thanked = {"when": {"text": "Thanks."}, "say": "Gladly."}
        call = await asked(thanked, ASK, tools=tools)
        for one in more:
            found = {"celsius": 11, "said": "x" * 4000}  # a thousand tokens
            call.say(respond(calls(call)[0]["id"], **({"response": found} | one)))
            await asyncio.sleep(1)
        call.say(turn("Thanks."))
        await asyncio.sleep(1)
        return call

    usage = run_virtual(scene()).usage
    assert billed == tuple(1000 < one["promptTokenCount"] < 1200 for one in usage[:2])


@pytest.mark.capability("tools: cancellation", side="emulator")
@pytest.mark.capability("tools: declarations, calls, responses", side="emulator")
def test_answers_that_nobody_waits_for_are_ignored():
    """An unknown id, a second answer to the same call, and an answer to nothing change nothing."""

    async def scene():
        call = await asked(ASK, tools=TOOLS)
        call.say(respond("nonsense"))
        await asyncio.sleep(1)
        waits = list(call.story)
        for _ in range(2):
            call.say(respond(calls(call)[0]["id"]))
        await asyncio.sleep(1)
        return call, waits

    call, waits = run_virtual(scene())
    assert ["setupComplete", "toolCall"] == waits
    assert ["It is 11 degrees."] == call.texts("reply")
    assert 1 == call.story.count("turnComplete")
    assert call.closed is None


@pytest.mark.capability("tools: cancellation", side="emulator")
@pytest.mark.parametrize("how", ["content", "activity"])
def test_who_speaks_before_the_response_cancels_the_call(how):
    """The turn is interrupted, the call's id cancelled, the turn ended; its late response is ignored."""

    async def scene():
        call = await asked(ASK, tools=TOOLS, **MANUAL)
        if how == "content":
            call.say({"clientContent": {"turns": []}})
        else:
            call.signal("activityStart")
        await asyncio.sleep(1)
        (made,) = calls(call)
        call.say(respond(made["id"]))
        await asyncio.sleep(1)
        return call, made

    call, made = run_virtual(scene())
    assert ["interrupted", "toolCallCancellation", "turnComplete"] == call.story[2:]
    assert {"ids": [made["id"]]} == call.heard[3][1]["toolCallCancellation"]


@pytest.mark.capability("long sessions: resumption", side="emulator")
def test_a_pending_call_cannot_be_resumed():
    """While a function is awaited no handle is valid."""

    async def scene():
        call = await asked(ASK, tools=LATER, sessionResumption={})
        waits = list(call.story)
        call.say(respond(calls(call)[0]["id"]))
        await asyncio.sleep(1)
        return call, waits

    call, waits = run_virtual(scene())
    assert ["turnComplete", "no handle"] == waits[-2:]
    assert ["turnComplete", "handle"] == call.story[-2:]


@pytest.mark.capability("later models: context updates", side="emulator")
def test_tools_can_change_within_a_session():
    """With contextUpdate the functions are those of the update from then on, and so is the instruction."""

    async def scene():
        call = Call(manners=answering(ASK))
        call.set_up()
        call.say(turn("How warm?"))
        await asyncio.sleep(1)
        for tools in (TOOLS, []):
            instruction = {"parts": [{"text": "x" * 400}]}  # a hundred tokens
            update = {"systemInstruction": instruction, "tools": {"tools": tools}}
            call.say({"contextUpdate": update})
            call.say(turn("How warm?"))
            await asyncio.sleep(1)
            if made := calls(call):
                call.say(respond(made[0]["id"]))
                await asyncio.sleep(1)
        call.say({"contextUpdate": {"tools": {"tools": 1}}})
        return call

    call = run_virtual(scene())
    assert ["How warm?", "It is 11 degrees.", "How warm?"] == call.texts("reply")
    first, second, third = (one["promptTokenCount"] for one in call.usage)
    assert first + 100 < second
    assert second < third < second + 100
    assert (1007, "Request contains an invalid argument.") == call.closed


@pytest.mark.capability("tools: declarations, calls, responses", side="emulator")
def test_vertex_called_by_name_in_the_guides_time():
    """On Vertex AI in the guides' era calls carry no ids, and answers are matched by name."""

    async def scene():
        call = Call(path=VERTEX, era="guide", manners=answering(ASK))
        model = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash"
        call.set_up(model=model, tools=TOOLS)
        call.say(turn("How warm?"))
        await asyncio.sleep(1)
        response = respond(None)
        del response["toolResponse"]["functionResponses"][0]["id"]
        call.say(response)
        await asyncio.sleep(1)
        return call

    call = run_virtual(scene())
    assert "id" not in calls(call)[0]
    assert ["It is 11 degrees."] == call.texts("reply")


# ── not blocking ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def late(scheduling, *, answer=ASK, busy=True):
    """Respond to a call that does not block while another answer is given; return when that was."""
    call = Call(manners=answering({"when": {"text": "long"}, "say": "word " * 100}, answer))
    call.set_up(tools=LATER)
    call.say(turn("How warm is it?"))
    await asyncio.sleep(1)
    if busy:
        call.say(turn("Tell me something long."))
        await asyncio.sleep(0.3)
    call.say(respond(calls(call)[0]["id"], **({"scheduling": scheduling} if scheduling else {})))
    await asyncio.sleep(5)
    return call


@pytest.mark.capability("tools: blocking and not", side="emulator")
@pytest.mark.parametrize("scheduling", ["WHEN_IDLE", None])
def test_a_late_answer_waits_for_silence(scheduling):
    """WHEN_IDLE, which is the default, speaks of the response when the running answer is over."""
    call = run_virtual(late(scheduling))
    assert "interrupted" not in call.story
    assert 3 == call.story.count("generationComplete")
    assert "It is 11 degrees." == call.texts("reply")[-1]
    assert 21 == len(call.texts("reply"))


@pytest.mark.capability("tools: blocking and not", side="emulator")
def test_an_urgent_answer_interrupts():
    """INTERRUPT cuts the running answer and speaks of the response at once."""
    call = run_virtual(late("INTERRUPT"))
    cut = call.story.index("interrupted")
    assert ["interrupted", "turnComplete", "reply"] == call.story[cut : cut + 3]
    assert "It is 11 degrees." == call.texts("reply")[-1]
    assert 21 > len(call.texts("reply"))


@pytest.mark.capability("tools: blocking and not", side="emulator")
def test_a_silent_answer_is_only_remembered():
    """SILENT says nothing, but the response is in the context."""
    call = run_virtual(late("SILENT"))
    assert 20 == len(call.texts("reply"))
    assert 2 == call.story.count("turnComplete")


def test_the_file_says_what_the_response_does_not():
    """A call's own scheduling counts where the response has none."""
    call = run_virtual(late(None, answer=ASK | {"call": ASK["call"] | {"scheduling": "SILENT"}}))
    assert 20 == len(call.texts("reply"))


@pytest.mark.capability("tools: blocking and not", side="emulator")
def test_a_call_that_does_not_block_ends_its_turn():
    """What is to be said with the call is said at once, and the turn ends before the response."""

    async def scene():
        call = await asked(ASK | {"say": "One moment."}, tools=LATER)
        before = list(call.story)
        call.say(respond(calls(call)[0]["id"], willContinue=True))
        await asyncio.sleep(1)
        call.say(respond(calls(call)[0]["id"], {"celsius": 12}))
        await asyncio.sleep(1)
        return call, before

    call, before = run_virtual(scene())
    assert ["setupComplete", "toolCall", "reply", "generationComplete", "turnComplete"] == before
    assert ["One moment.", "It is 11 degrees.", "It is 12 degrees."] == call.texts("reply")


# ── search, thoughts, silence ────────────────────────────────────────────────────────────────────────────────────────

FOUND = {"webSearchQueries": ["gdynia weather"]}


@pytest.mark.capability("tools: search grounding", side="emulator")
@pytest.mark.parametrize("tools, expected", [([{"googleSearch": {}}], [FOUND]), ([], [])])
def test_what_was_searched_for_is_told(tools, expected):
    """An answer's grounding is sent where the session may search, and nowhere else."""
    call = run_virtual(asked({"say": "11 degrees", "grounding": FOUND}, tools=tools))
    found = [
        m["serverContent"]["groundingMetadata"]
        for _, m in call.heard
        if "groundingMetadata" in m.get("serverContent", {})
    ]
    assert expected == found


@pytest.mark.capability("usage: tool-use tokens", side="emulator")
@pytest.mark.parametrize("tools, tokens", [([{"googleSearch": {}}], 10), ([], None)])
def test_what_was_found_is_billed_beside_the_prompt(tools, tokens):
    """What a search found counts as so much text, by modality, in the total and not in the prompt."""
    call = run_virtual(asked({"say": "11 degrees", "grounding": FOUND}, tools=tools))
    (usage,) = call.usage
    details = [{"modality": "TEXT", "tokenCount": tokens}] if tokens else None
    assert (tokens, details) == (
        usage.get("toolUsePromptTokenCount"), usage.get("toolUsePromptTokensDetails")
    )  # fmt: skip
    assert 7 == usage["promptTokenCount"]
    assert 7 + 3 + (tokens or 0) == usage["totalTokenCount"]


THOUGHT = {"think": "The user wants the temperature.", "say": "11 degrees"}


@pytest.mark.capability("native audio: thinking", side="emulator")
@pytest.mark.capability("usage: thoughts", side="emulator")
@pytest.mark.parametrize(
    "config, shown, tokens",
    [
        ({"includeThoughts": True}, [THOUGHT["think"]], 8),
        ({"includeThoughts": True, "thinkingBudget": -1}, [THOUGHT["think"]], 8),
        ({"includeThoughts": True, "thinkingBudget": 2}, ["The user"], 2),
        ({"includeThoughts": True, "thinkingBudget": 0}, [], None),
        ({"thinkingBudget": 100}, [], 8),
        (None, [], 8),
    ],
)
def test_thoughts_are_apart_from_the_answer(config, shown, tokens):
    """A thought is told where it is asked for, no longer than its budget, billed apart and outside the total."""
    setup = NATIVE | {
        "generationConfig": NATIVE["generationConfig"]
        | ({"thinkingConfig": config} if config else {})
    }
    call = run_virtual(asked(THOUGHT, wait_s=5, **setup))
    assert shown == call.texts("thought")
    (usage,) = call.usage
    assert tokens == usage.get("thoughtsTokenCount")
    assert usage["promptTokenCount"] + usage["responseTokenCount"] == usage["totalTokenCount"]


@pytest.mark.capability("native audio: thinking", side="emulator")
def test_a_model_that_does_not_think_has_no_thoughts():
    """On a half-cascade model a thought of the file is left out."""
    (usage,) = run_virtual(asked(THOUGHT)).usage
    assert "thoughtsTokenCount" not in usage


V1ALPHA = "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent"


@pytest.mark.capability("native audio: proactive audio", side="emulator")
@pytest.mark.parametrize(
    "setup, silent",
    [
        (NATIVE | {"proactivity": {"proactiveAudio": True}}, True),
        (NATIVE, False),
        (NATIVE | {"model": "models/gemini-3.8-live"}, True),
    ],
)
def test_a_proactive_model_may_be_silent(setup, silent):
    """Where it need not answer, a silent answer is turnComplete alone; elsewhere it repeats."""

    async def scene():
        call = Call(path=V1ALPHA, manners=answering({"silent": True}), voice=Drone())
        call.set_up(**setup)
        call.say(turn("Nice weather."))
        await asyncio.sleep(5)
        return call

    call = run_virtual(scene())
    assert silent is ("reply" not in call.story)
    assert ("turnComplete" if silent else "generationComplete") in call.story[1:2] + call.story[-2:]
    assert silent is (["setupComplete", "turnComplete"] == call.story)


@pytest.mark.capability("native audio: affective dialogue", side="emulator")
@pytest.mark.parametrize(
    "path, model, taken",
    [
        (V1ALPHA, "gemini-2.5-flash-native-audio-preview-09-2025", True),
        (GEMINI, "gemini-2.5-flash-native-audio-preview-09-2025", False),
        (V1ALPHA, "gemini-live-2.5-flash-preview", False),
        (V1ALPHA, "gemini-3.8-live", False),
    ],
)
def test_affective_dialogue_is_for_some(path, model, taken):
    """Models that have it take it, on v1alpha; any other model or version refuses."""

    async def scene():
        call = Call(path=path, voice=Drone())
        config = {"responseModalities": ["AUDIO"], "enableAffectiveDialog": True}
        call.set_up(model=f"models/{model}", generationConfig=config)
        return call

    call = run_virtual(scene())
    assert taken is (call.closed is None)
    assert taken or call.closed[0] == 1007


@pytest.mark.capability("later models: fields and eras", side="emulator")
def test_a_model_that_tells_its_status_says_whether_more_follows():
    """While a function that does not block is awaited the turn ends IN_PROGRESS; the one that speaks of it ends IDLE."""

    async def scene():
        call = await asked(
            ASK,
            model="models/gemini-3.8-live-extended-thinking",
            generationConfig={
                "responseModalities": ["AUDIO"],
                "thinkingConfig": {"thinkingLevel": "LOW"},
            },
            tools=LATER,
        )
        call.say(respond("function-call-1"))
        await asyncio.sleep(10)
        return call

    ends = [m["serverContent"] for _, m in run_virtual(scene()).heard if "usageMetadata" in m]
    assert ["IN_PROGRESS", "IDLE"] == [one["interactionStatus"] for one in ends]
    assert all(one["turnComplete"] for one in ends)
