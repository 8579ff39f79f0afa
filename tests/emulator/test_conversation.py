"""One session as the service holds it, in virtual time: what comes in which order, and what it costs."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from harness.clock import run_virtual
from harness.emulator.conversation.backlog import MOST_WAITING
from harness.emulator.conversation.handles import Handles, Hearing, Life, Saved
from harness.emulator.ear.ear import Appetite, EarLostError
from harness.emulator.ear.scripted import Line, Scripted
from harness.emulator.model.answers import Answer, Answers, When
from harness.emulator.model.context import Context, text_tokens
from harness.emulator.model.manners import Manners
from harness.emulator.model.past import Past
from harness.session.frames import Frames
from harness.wire.live import codec
from harness.wire.live.assumptions import assumed
from tests.audio.test_stream import pcm, tone
from tests.emulator.memory import GEMINI, MANUAL, VERTEX, Call, Drone, kind, script, turn
from tests.emulator.signals import burst, hush, seconds_of
from tests.integration.joined import Emulator

TURN = ["heard", "heard", "reply", "generationComplete", "turnComplete"]


def told(scene):
    """Return what `scene`, a coroutine function, makes of a call, in virtual time."""
    return run_virtual(scene())


async def spoken(call, pcm=None, **setup):
    """Set up, speak one marked turn, and wait for all that follows."""
    call.set_up(**MANUAL | setup)
    call.signal("activityStart")
    call.speak(burst(1.0) if pcm is None else pcm)
    call.signal("activityEnd")
    await asyncio.sleep(5)
    return call


# ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("audio in: manual activity", side="emulator")
def test_a_marked_turn_is_transcribed_and_repeated():
    """Setup, transcription, reply, end of generation, end of turn with its bill: in this order, all binary JSON."""

    async def scene():
        return await spoken(Call(script(" hello", " world")))

    call = told(scene)
    assert ["setupComplete", *TURN] == call.story
    assert [" hello", " world"] == call.texts("input")
    assert "hello world" == "".join(call.texts("reply"))
    assert b'{\n  "setupComplete": {}\n}\n' == call.frames[0]
    assert call.closed is None


def test_every_frame_reads_back_as_it_was_meant():
    """What is sent is what the codec reads, and re-encodes to the same bytes."""

    async def scene():
        return await spoken(Call(), sessionResumption={})

    for frame in told(scene).frames:
        assert frame == codec.encode_server(codec.decode_server(frame))


@pytest.mark.capability("audio in: transcription", side="emulator")
def test_fragments_come_when_the_ear_gives_them():
    """Each fragment is sent when it is heard, and the reply begins only after the last."""

    async def scene():
        return await spoken(Call(script(" a", " b", " c", delay_s=0.5, every_s=0.25)))

    call = told(scene)
    times = [t for t, message in call.heard if kind(message) == "heard"]
    assert [0.5, 0.75, 1.0] == pytest.approx(times)
    assert 1.05 == pytest.approx(next(t for t, message in call.heard if kind(message) == "reply"))


def test_a_long_reply_comes_in_parts():
    """A reply of many words is several modelTurns, which concatenate to it."""
    words = " ".join(f"word{n}" for n in range(12))

    async def scene():
        return await spoken(Call(script(f" {words}")))

    parts = told(scene).texts("reply")
    assert 3 == len(parts)
    assert words == "".join(parts)


def test_a_marked_turn_without_audio_brings_nothing():
    """Nobody said anything between two signals with nothing between them, whatever an ear's file says."""

    async def scene():
        return await spoken(Call(), b"")

    assert ["setupComplete"] == told(scene).story


def test_a_turn_of_silence_brings_nothing():
    """A window without speech is answered by no frame at all."""

    class Deaf(Scripted):
        appetite = Appetite(piece_s=None)

    async def scene():
        return await spoken(Call(Deaf()), hush(2.0))

    assert ["setupComplete"] == told(scene).story


def test_without_transcription_there_is_a_reply_alone():
    """Nobody asked for inputAudioTranscription, so none is sent."""

    async def scene():
        return await spoken(Call(), inputAudioTranscription=None)

    assert ["setupComplete", "reply", "generationComplete", "turnComplete"] == told(scene).story


@pytest.mark.capability("later models: interim hypotheses", side="emulator")
def test_a_transcription_model_does_not_reply():
    """A dedicated transcription model tells guesses that replace each other, then the whole, and says nothing."""

    async def scene():
        return await spoken(
            Call(), model="models/gemini-3.5-transcribe-live", inputAudioTranscription=None
        )

    call = told(scene)
    assert [
        "setupComplete",
        "interimInputTranscription",
        "interimInputTranscription",
        "heard",
        "generationComplete",
        "turnComplete",
    ] == call.story
    interims = [m["serverContent"]["interimInputTranscription"] for _, m in call.heard[1:3]]
    assert [{"text": " hello"}, {"text": " hello world"}] == interims
    assert [" hello world"] == call.texts("input")
    (bill,) = [m["usageMetadata"] for _, m in call.heard if "usageMetadata" in m]
    assert 3 == bill["responseTokenCount"], "twelve characters, four a token"
    assert [{"modality": "TEXT", "tokenCount": 3}] == bill["responseTokensDetails"]
    assert bill["promptTokenCount"] + 3 == bill["totalTokenCount"]


def test_the_reply_is_no_longer_than_asked():
    """`maxOutputTokens` cuts the reply, at four characters a token."""

    async def scene():
        return await spoken(
            Call(script(" one two three four five")),
            generationConfig={"responseModalities": ["TEXT"], "maxOutputTokens": 2},
        )

    call = told(scene)
    assert "one two " == "".join(call.texts("reply"))
    assert 2 == call.usage[0]["responseTokenCount"]


# ── automatic detection ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("audio in: automatic activity detection", side="emulator")
def test_pauses_divide_turns_under_automatic_detection():
    """Two utterances with a second between them are two turns, each answered, without any signal."""

    async def scene():
        call = Call()
        call.set_up()
        await call.stream(hush(0.5) + burst(1.0) + hush(1.2) + burst(1.0) + hush(1.2))
        return call

    assert ["setupComplete", *TURN, *TURN] == told(scene).story


@pytest.mark.capability("audio in: audioStreamEnd", side="emulator")
def test_the_end_of_the_stream_ends_the_turn():
    """The signal audioStreamEnd flushes at once what the silence would have ended later; audio may follow."""

    async def scene():
        call = Call()
        call.set_up()
        await call.stream(burst(1.0))
        before = call.loop.time()
        call.signal("audioStreamEnd")
        await asyncio.sleep(1)
        first = next(t for t, message in call.heard if kind(message) == "heard") - before
        await call.stream(burst(1.0))
        call.signal("audioStreamEnd")
        await asyncio.sleep(1)
        return call, first

    call, first = told(scene)
    assert ["setupComplete", *TURN, *TURN] == call.story
    assert first < 0.1


@pytest.mark.capability("audio in: manual activity", side="emulator")
def test_marked_pauses_do_not_divide_a_turn():
    """With manual activity a turn lasts to its end, whatever its pauses; a second pair is a second turn."""

    async def scene():
        call = Call()
        call.set_up(**MANUAL)
        for _ in range(2):
            call.signal("activityStart")
            await call.stream(burst(1.0) + hush(2.0) + burst(1.0))
            call.signal("activityEnd")
            await asyncio.sleep(1)
        return call

    assert ["setupComplete", *TURN, *TURN] == told(scene).story


@pytest.mark.capability("audio in: manual activity", side="emulator")
def test_audio_outside_a_marked_turn_is_dropped():
    """Before activityStart and after activityEnd nothing is heard and nothing is billed."""

    async def scene():
        call = Call()
        call.set_up(**MANUAL)
        call.speak(burst(10.0))
        call.signal("activityStart")
        call.speak(burst(1.0))
        call.signal("activityEnd")
        call.speak(burst(10.0))
        await asyncio.sleep(1)
        return call

    (usage,) = told(scene).usage
    assert [{"modality": "AUDIO", "tokenCount": 25}] == usage["promptTokensDetails"]


@pytest.mark.capability("audio in: 16 kHz sent, 4 to 192 kHz taken", side="emulator")
@pytest.mark.parametrize("rate", [4_000, 8_000, 16_000, 24_000, 44_100, 48_000, 192_000])
def test_any_declared_rate_is_heard(rate):
    """A second of speech is a second, at whatever rate it was declared."""

    async def scene():
        call = Call(Scripted())
        call.set_up(**MANUAL)
        call.signal("activityStart")
        await call.stream(burst(2.0, rate=rate), rate=rate)
        call.signal("activityEnd")
        await asyncio.sleep(1)
        return call

    call = told(scene)
    assert " 2.0 seconds of audio" == "".join(call.texts("input"))
    assert 50 == call.usage[0]["promptTokenCount"]


@pytest.mark.capability("audio in: 16 kHz sent, 4 to 192 kHz taken", side="emulator")
def test_the_ear_hears_the_same_tone_at_every_rate():
    """Within one turn the declared rate may change, and the ear gets 16 kHz throughout: the tone keeps its pitch."""
    heard = bytearray()

    class Tuner(Scripted):
        def listen(self, languages=(), vocabulary=()):
            listening = super().listen(languages, vocabulary)
            hear = listening.hear

            async def kept(pcm, *, last):
                heard.extend(pcm)
                async for fragment in hear(pcm, last=last):
                    yield fragment

            listening.hear = kept
            return listening

    async def scene():
        call = Call(Tuner())
        call.set_up(**MANUAL)
        call.signal("activityStart")
        for rate in (8_000, 48_000, 16_000, 44_100, 24_000):
            await call.stream(pcm(tone(rate)), rate=rate)
        call.signal("activityEnd")
        await asyncio.sleep(1)

    told(scene)
    samples = np.frombuffer(bytes(heard), "<i2")
    assert 5 * 16_000 == pytest.approx(len(samples), abs=5)
    for second in range(5):
        inner = samples[second * 16_000 + 1600 : (second + 1) * 16_000 - 1600]
        spectrum = np.abs(np.fft.rfft(inner * np.hanning(len(inner))))
        assert 440 == pytest.approx(np.argmax(spectrum) * 16_000 / len(inner), abs=2)
        assert 0.5 * 32767 == pytest.approx(np.abs(inner).max(), rel=0.01)


@pytest.mark.capability("later models: fields and eras", side="emulator")
def test_detected_activity_is_told_where_asked():
    """On Vertex AI, explicitVadSignal has begin and end told in both of their spellings; sessions have names there."""

    async def scene():
        call = Call(path=VERTEX)
        model = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash"
        call.set_up(model=model, explicitVadSignal=True)
        await call.stream(hush(0.5) + burst(1.0) + hush(1.2))
        return call

    call = told(scene)
    assert 32 == len(call.heard[0][1]["setupComplete"]["sessionId"])
    both = ["voiceActivityDetectionSignal", "voiceActivity"]
    assert [*both, *both] == [one for one in call.story if one.startswith("voice")]
    assert both == call.story[1:3]
    begin, end = (m["voiceActivity"] for _, m in call.heard if "voiceActivity" in m)
    assert ("ACTIVITY_START", "ACTIVITY_END") == (begin["type"], end["type"])
    # Found in the audio 120 ms after speech began, and 800 ms after it ended.
    assert ("0.620s", "2.300s") == (begin["audioOffset"], end["audioOffset"])


def test_a_later_model_transcribes_once():
    """A 3.1 model tells what it heard in one record, asked or not, when the turn is over."""

    async def scene():
        return await spoken(
            Call(voice=Drone()),
            model="models/gemini-3.1-flash-live-preview",
            generationConfig={"responseModalities": ["AUDIO"]},
            inputAudioTranscription=None,
        )

    assert [" hello world"] == told(scene).texts("input")


@pytest.mark.capability("audio in: turn coverage", side="emulator")
@pytest.mark.parametrize(
    "coverage, seconds",
    [
        (None, 7.0),
        ("TURN_INCLUDES_ALL_INPUT", 7.0),
        ("TURN_INCLUDES_ONLY_ACTIVITY", 0.3 + 1.0 + 0.8),
    ],
)
def test_silence_counts_unless_it_is_left_out(coverage, seconds):
    """All the audio before the turn's end is billed; asked for activity alone, the lead, the speech and its pause are."""

    async def scene():
        call = Call()
        call.set_up(realtimeInputConfig={"turnCoverage": coverage} if coverage else None)
        await call.stream(hush(5.2) + burst(1.0) + hush(0.8))
        await asyncio.sleep(1)
        return call

    (usage,) = told(scene).usage
    assert seconds * 25 == pytest.approx(usage["promptTokenCount"], abs=3)


# ── interruption ─────────────────────────────────────────────────────────────────────────────────────────────────────

CHATTY = " ".join(["word"] * 200)


async def interrupted(**setup):
    """Speak a second time while the first reply is being given."""
    call = Call(script(CHATTY))
    call.set_up(**setup)
    await call.stream(burst(1.0) + hush(0.9))
    await call.stream(burst(0.5) + hush(0.9))
    await asyncio.sleep(8)
    return call


@pytest.mark.capability("audio in: activity handling", side="emulator")
def test_speech_interrupts_the_reply():
    """Who speaks into a reply cuts it: `interrupted`, then `turnComplete` with its bill, no generationComplete."""
    call = told(interrupted)
    cut = call.story.index("interrupted")
    assert {"reply"} == set(call.story[2:cut])
    assert 2 < cut < 30
    assert "turnComplete" == call.story[cut + 1]
    assert ["generationComplete", "turnComplete"] == call.story[-2:]
    assert "turnComplete" not in call.story[:cut]
    assert call.usage[0]["responseTokenCount"] < call.usage[1]["responseTokenCount"]


@pytest.mark.capability("audio in: activity handling", side="emulator")
def test_no_interruption_when_so_asked():
    """With NO_INTERRUPTION the reply goes on to its end."""
    config = {"realtimeInputConfig": {"activityHandling": "NO_INTERRUPTION"}}
    call = told(lambda: interrupted(**config))
    assert "interrupted" not in call.story
    assert 2 == call.story.count("generationComplete")


@pytest.mark.capability("text: turns", side="emulator")
def test_content_always_interrupts():
    """A clientContent cuts a running reply, whatever the activity handling."""

    async def scene():
        call = Call(script(CHATTY))
        await spoken_quickly(call)
        await asyncio.sleep(0.5)
        call.say({"clientContent": {"turns": [{"role": "user", "parts": [{"text": "and now?"}]}]}})
        await asyncio.sleep(3)
        return call

    async def spoken_quickly(call):
        config = MANUAL["realtimeInputConfig"] | {"activityHandling": "NO_INTERRUPTION"}
        call.set_up(realtimeInputConfig=config)
        call.signal("activityStart")
        call.speak(burst(1.0))
        call.signal("activityEnd")

    call = told(scene)
    assert ["interrupted", "turnComplete"] == call.story[-2:]


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("text: turns", side="emulator")
def test_text_turns_are_repeated():
    """The last turn of the user is repeated once the content is complete; nothing happens before."""

    async def scene():
        call = Call()
        call.set_up()
        turns = [{"role": "user", "parts": [{"text": "How warm is it?"}]}]
        call.say({"clientContent": {"turns": turns}})
        await asyncio.sleep(1)
        silent = list(call.story)
        call.say({"clientContent": {"turns": turns, "turnComplete": True}})
        await asyncio.sleep(1)
        return call, silent

    call, silent = told(scene)
    assert ["setupComplete"] == silent
    assert ["setupComplete", "reply", "generationComplete", "turnComplete"] == call.story
    assert ["How warm is it?"] == call.texts("reply")
    assert 2 * text_tokens("How warm is it?") == call.usage[0]["promptTokenCount"]


@pytest.mark.capability("text: realtime text", side="emulator")
def test_realtime_text_is_a_turn_or_part_of_one():
    """Realtime text is answered by itself; inside a marked turn it belongs to that turn."""

    async def scene():
        call = Call(script(" spoken"))
        call.set_up(**MANUAL)
        call.say({"realtimeInput": {"text": "written"}})
        await asyncio.sleep(1)
        call.signal("activityStart")
        call.say({"realtimeInput": {"text": "written"}})
        call.speak(burst(1.0))
        call.signal("activityEnd")
        await asyncio.sleep(1)
        return call

    assert ["written", "written spoken"] == told(scene).texts("reply")


@pytest.mark.capability("text: incremental context", side="emulator")
def test_turns_come_piece_by_piece():
    """Turns without turnComplete wait; the content that is complete, even if empty, has the user's last text answered."""

    async def scene():
        call = Call()
        call.set_up()
        turns = [
            {"role": "user", "parts": [{"text": "My name is Ada."}]},
            {"role": "model", "parts": [{"text": "Hello Ada."}]},
            {"role": "user", "parts": [{"text": "Who am I?"}]},
        ]
        for one in turns:
            call.say({"clientContent": {"turns": [one]}})
        await asyncio.sleep(1)
        silent = list(call.story)
        call.say({"clientContent": {"turnComplete": True}})
        await asyncio.sleep(1)
        return call, silent, sum(text_tokens(one["parts"][0]["text"]) for one in turns)

    call, silent, tokens = told(scene)
    assert ["setupComplete"] == silent
    assert ["Who am I?"] == call.texts("reply")
    assert tokens == call.usage[0]["promptTokenCount"]


@pytest.mark.capability("text: history seeding", side="emulator")
@pytest.mark.parametrize(
    "model", ["gemini-live-2.5-flash-preview", "gemini-3.1-flash-live-preview"]
)
def test_a_history_is_not_answered(model):
    """With initialHistoryInClientContent the first complete content is remembered, not answered; what follows is."""

    async def scene():
        call = Call(voice=Drone())
        call.set_up(
            model=f"models/{model}",
            generationConfig={"responseModalities": ["AUDIO"]},
            historyConfig={"initialHistoryInClientContent": True},
        )
        for complete in (False, True):
            turns = [{"role": "user", "parts": [{"text": "x" * 40}]}]
            call.say({"clientContent": {"turns": turns, "turnComplete": complete}})
        await asyncio.sleep(1)
        silent = list(call.story)
        call.say({"realtimeInput": {"text": "hello"}})
        await asyncio.sleep(5)
        return call, silent

    call, silent = told(scene)
    assert ["setupComplete"] == silent
    assert 10 + 10 + 2 == call.usage[0]["promptTokenCount"]


@pytest.mark.capability("text: incremental context", side="emulator")
def test_the_system_may_instruct_anew():
    """On Vertex AI a turn of the system's takes the place of the instruction, and is not what is answered."""

    async def scene():
        call = Call(path=VERTEX)
        model = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash"
        call.set_up(model=model, systemInstruction={"parts": [{"text": "x" * 400}]})
        call.say(turn("y" * 40))
        await asyncio.sleep(5)
        system = {"role": "system", "parts": [{"text": "x" * 40}]}
        call.say({"clientContent": {"turns": [system]}})
        call.say(turn("What now?"))
        await asyncio.sleep(5)
        return call

    call = told(scene)
    assert [110, 10 + 20 + 3] == [one["promptTokenCount"] for one in call.usage]
    assert "".join(call.texts("reply")).endswith("What now?")


@pytest.mark.parametrize("path, era", [(GEMINI, "later"), (VERTEX, "guide")])
def test_nobody_else_has_a_system_that_speaks(path, era):
    """Elsewhere, and in the guides' time, a turn has the user's or the model's role, or is refused."""

    async def scene():
        call = Call(path=path, era=era)
        name = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash"
        call.set_up(**({"model": name} if path == VERTEX else {}))
        call.say({"clientContent": {"turns": [{"role": "system", "parts": [{"text": "hi"}]}]}})
        return call

    assert (1007, "Request contains an invalid argument.") == told(scene).closed


@pytest.mark.capability("long sessions: context-window compression", side="emulator")
def test_compression_lets_old_turns_go():
    """Past the trigger the oldest turns are forgotten until the target is met; the instruction never is."""

    async def scene(**setup):
        call = Call()
        call.set_up(systemInstruction={"parts": [{"text": "x" * 400}]}, **setup)
        for _ in range(20):
            call.say(turn("y" * 400))
            await asyncio.sleep(5)
        return [one["promptTokenCount"] for one in call.usage]

    config = {"triggerTokens": "2000", "slidingWindow": {"targetTokens": "1000"}}
    plain, kept = run_virtual(scene()), run_virtual(scene(contextWindowCompression=config))
    assert [200 + 200 * n for n in range(20)] == plain
    assert plain[:9] == kept[:9]
    # After the 10th turn 2100 tokens are remembered: five turns of 200 and the instruction's 100 go below 1000.
    assert 900 + 100 == kept[10]
    assert max(kept) == 2000


RECALLS = Answers(
    [
        Answer(when=When(text="who am I", past=r"my name is (\w+)"), say="{1}"),
        Answer(when=When(text="who am I"), say="nobody"),
        Answer(say="ok"),
    ]
)


@pytest.mark.capability("long sessions: context-window compression", side="emulator")
@pytest.mark.parametrize(
    "setup, answer",
    [
        ({}, "Ada"),
        (
            {
                "contextWindowCompression": {
                    "triggerTokens": "2000",
                    "slidingWindow": {"targetTokens": "1000"},
                }
            },
            "nobody",
        ),
    ],
)
def test_what_is_let_go_is_forgotten(setup, answer):
    """An answer that depends on what was said is given while that is remembered, and no longer."""

    async def scene():
        call = Call(manners=Manners(answers=RECALLS))
        call.set_up(**setup)
        for text in ("My name is Ada.", *["y" * 4000] * 3, "Who am I?"):
            call.say(turn(text))
            await asyncio.sleep(5)
        return call

    assert ["ok", answer] == told(scene).texts("reply")[-2:]


@pytest.mark.parametrize("way", ["turn", "realtime", "heard"])
def test_however_it_was_said_it_is_remembered(way):
    """A turn, realtime text and speech are remembered alike, and a handle brings them back."""

    async def scene():
        handles, manners = Handles(), Manners(answers=RECALLS)
        first = Call(script("my name is Ada"), handles=handles, manners=manners)
        first.set_up(sessionResumption={})
        if way == "turn":
            first.say(turn("My name is Ada."))
        elif way == "realtime":
            first.say({"realtimeInput": {"text": "My name is Ada."}})
        else:
            await first.stream(burst(1))
            first.signal("audioStreamEnd")
        await asyncio.sleep(5)
        first.conversation.gone()
        again = Call(handles=handles, manners=manners)
        again.set_up(sessionResumption={"handle": first.handles[-1]})
        again.say(turn("Who am I?"))
        await asyncio.sleep(5)
        return again

    assert ["Ada"] == told(scene).texts("reply")


def test_a_context_that_is_too_long_ends_the_session():
    """Without compression a context that outgrows the model's window is an invalid argument."""

    async def scene():
        call = Call()
        call.set_up()
        for _ in range(2):
            call.say(turn("y" * 4 * 12_000))
            await asyncio.sleep(200)
        return call

    assert (1007, "Request contains an invalid argument.") == told(scene).closed


@pytest.mark.capability("long sessions: context-window compression", side="emulator")
def test_a_long_context_is_let_go_before_it_is_refused():
    """With compression a turn that would outgrow the model's window has older ones forgotten, and is answered."""

    async def scene():
        call = Call(manners=Manners(connection_s=3600))
        call.set_up(contextWindowCompression={"slidingWindow": {}})
        for _ in range(3):
            call.say(turn("y" * 4 * 12_000))
            await asyncio.sleep(200)
        return call

    call = told(scene)
    assert call.closed is None
    assert [12_000] * 3 == [one["promptTokenCount"] for one in call.usage]


# ── usage ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("usage: per modality, turn and session", side="emulator")
def test_usage_counts_seconds_and_text():
    """Audio is seconds times the rate, text a token for four characters; the total is their sum."""

    async def scene():
        call = Call(script(" hello world"), manners=Manners(audio_tokens=32))
        return await spoken(
            call, burst(2.5), systemInstruction={"parts": [{"text": "Repeat after me."}]}
        )

    assert [
        {
            "promptTokenCount": 4 + 80,
            "responseTokenCount": 3,
            "totalTokenCount": 87,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 4},
                {"modality": "AUDIO", "tokenCount": 80},
            ],
            "responseTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
        }
    ] == told(scene).usage


@pytest.mark.capability("usage: per modality, turn and session", side="emulator")
def test_the_prompt_grows_with_the_context():
    """Each turn is billed for all that came before it: its audio and the replies."""

    async def scene():
        call = Call(script(" hello world"))
        await spoken(call, burst(1.0))
        for _ in range(2):
            call.signal("activityStart")
            call.speak(burst(1.0))
            call.signal("activityEnd")
            await asyncio.sleep(1)
        return call

    assert [25, 25 + 3 + 25, 25 + 3 + 25 + 3 + 25] == [
        one["promptTokenCount"] for one in told(scene).usage
    ]


@pytest.mark.capability("usage: per modality, turn and session", side="emulator")
@pytest.mark.parametrize("handling", ["START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"])
def test_what_is_said_meanwhile_is_billed_with_the_next_turn(handling):
    """A turn is billed for what had come when its answer began, not for what was said over the answer."""

    async def scene():
        call = Call(manners=Manners(part_every_s=1.0))
        call.set_up(realtimeInputConfig={"activityHandling": handling})
        call.say(turn("one two three four five six seven eight nine ten eleven twelve"))
        await asyncio.sleep(1.5)
        await call.stream(burst(1.0) + hush(0.8))
        await asyncio.sleep(5)
        return call

    first, second = told(scene).usage
    assert [{"modality": "TEXT", "tokenCount": 16}] == first["promptTokensDetails"]
    before = first["promptTokenCount"] + first["responseTokenCount"]
    assert [
        {"modality": "TEXT", "tokenCount": before},
        {"modality": "AUDIO", "tokenCount": 45},
    ] == second["promptTokensDetails"]


@pytest.mark.capability("usage: cached tokens", side="emulator")
@pytest.mark.parametrize("choice, cached", [("untold", [None] * 3), ("told", [None, 28, 56])])
def test_the_turns_before_may_be_told_as_cached(choice, cached):
    """Where it is assumed, all that an earlier turn's bill held is told as cached, and still counts in the prompt."""

    async def scene():
        manners = Manners(assumed=assumed([f"cached-turns={choice}"]))
        call = Call(script(" hello world"), manners=manners)
        await spoken(call, burst(1.0))
        for _ in range(2):
            call.signal("activityStart")
            call.speak(burst(1.0))
            call.signal("activityEnd")
            await asyncio.sleep(1)
        return call

    bills = told(scene).usage
    assert [25, 53, 81] == [one["promptTokenCount"] for one in bills]
    assert cached == [one.get("cachedContentTokenCount") for one in bills]
    details = [
        sum(each["tokenCount"] for each in one.get("cacheTokensDetails", ())) for one in bills
    ]
    assert [count or 0 for count in cached] == details


@pytest.mark.capability("usage: both spellings", side="emulator")
def test_vertex_names_its_own():
    """On Vertex AI's path the response's tokens are candidates."""

    async def scene():
        model = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash"
        return await spoken(Call(path=VERTEX), model=model)

    (usage,) = told(scene).usage
    assert {"candidatesTokenCount", "candidatesTokensDetails"} < usage.keys()
    assert "ON_DEMAND" == usage["trafficType"]
    assert not any(name.startswith("response") for name in usage)


@pytest.mark.capability("usage: absent is unknown", side="emulator")
def test_nothing_is_counted_as_zero():
    """What is zero is left out, as proto JSON does."""

    async def scene():
        return await spoken(Call(script("")))

    (usage,) = told(scene).usage
    assert {"promptTokenCount", "totalTokenCount", "promptTokensDetails"} == usage.keys()


def test_a_long_frame_keeps_nobody_waiting():
    """Ten minutes in one frame are taken bit by bit: others are served meanwhile, and what comes behind waits its turn."""

    async def scene():
        call, other = Call(), Call()
        call.set_up(**MANUAL)
        call.signal("activityStart")
        call.speak(burst(1.0, rate=4_000) + bytes(2 * 4_000 * 600), rate=4_000)
        call.signal("activityEnd")
        held = list(call.holds)
        await asyncio.sleep(0)
        other.set_up()
        story = other.story, list(call.holds)
        await asyncio.sleep(60)
        return held, story, call

    held, story, call = told(scene)
    assert [True] == held
    assert (["setupComplete"], [True]) == story
    assert [True, False] == call.holds
    assert ["setupComplete", *TURN] == call.story


def test_a_long_frame_waits_for_a_slow_ear():
    """Of one frame of speech the ear is given no more ahead than of a stream: its memory is bounded."""

    class Slow(Scripted):
        def listen(self, languages=(), vocabulary=()):
            listening = super().listen()
            hear = listening.hear

            async def slowly(pcm, *, last):
                await asyncio.sleep(2 * len(pcm) / 32_000)
                async for fragment in hear(pcm, last=last):
                    yield fragment

            listening.hear = slowly
            return listening

    async def scene():
        call = Call(Slow())
        call.set_up(**MANUAL)
        call.signal("activityStart")
        call.speak(burst(300.0))
        await asyncio.sleep(1)
        waiting = call.conversation._backlog._waiting
        call.signal("activityEnd")
        await asyncio.sleep(4000)
        return waiting, call

    waiting, call = told(scene)
    assert MOST_WAITING < waiting < MOST_WAITING * 1.5
    assert [True, False] == call.holds


# ── resumption and the end ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.capability("long sessions: resumption", side="emulator")
def test_handles_come_after_every_turn():
    """Asked for, a handle is issued at the start and after every turn, and none is valid while it generates."""

    async def scene():
        return await spoken(Call(), sessionResumption={})

    call = told(scene)
    assert ["setupComplete", "handle", "heard", "heard", "no handle"] == call.story[:5]
    assert ["turnComplete", "handle"] == call.story[-2:]
    assert 2 == len(set(call.handles))


@pytest.mark.capability("long sessions: resumption", side="emulator")
def test_a_resumed_session_remembers():
    """A handle brings the context back, so the next bill counts what came before."""

    async def scene():
        handles = Handles()
        first = await spoken(Call(handles=handles), sessionResumption={})
        first.conversation.gone()
        second = Call(handles=handles)
        await spoken(second, sessionResumption={"handle": first.handles[-1]})
        return first, second

    first, second = told(scene)
    (before,), (after,) = first.usage, second.usage
    assert before["totalTokenCount"] + 25 == after["promptTokenCount"]


@pytest.mark.parametrize(
    "heard, past",
    [
        ({"text": "x" * 1000}, 0),
        ({"untold": "x" * 1000}, 0),
        ({"unheard": bytes(1000)}, 0),
        ({}, 3),
    ],
)
def test_what_handles_keep_is_bounded(monkeypatch, heard, past):
    """The oldest handles are forgotten when what all keep is too much: audio, text, or turns of sessions remembered."""
    monkeypatch.setattr("harness.emulator.conversation.handles._MOST_KEPT", 3000)
    handles = Handles()

    def session():
        turns = Past()
        for _ in range(past):
            turns = turns.then({"TEXT": 1}, "")
        remembered = Context(audio_rate=25, past=turns)
        return Saved(
            model="m", context=remembered, hearing=Hearing(**heard), age_s=0.0, life=Life()
        )

    first, *_, last = [handles.issue(session()) for _ in range(5)]
    assert handles.find(first) is None
    assert handles.find(last) is not None
    assert 3 == len(handles._saved)


def test_handles_of_a_long_session_share_its_turns(monkeypatch):
    """A handle for each of 1,000 turns counts each turn once: none is forgotten, and the last to be frees them all."""
    monkeypatch.setattr("harness.emulator.conversation.handles._MOST_KEPT", 310_000)
    handles, past, issued = Handles(), Past(), []

    def handle(**hearing):
        remembered = Context(audio_rate=25, past=past)
        saved = Saved(
            model="m", context=remembered, hearing=Hearing(**hearing), age_s=0.0, life=Life()
        )
        return handles.issue(saved)

    for _ in range(1000):
        past = past.then({"TEXT": 1}, "")
        issued.append(handle())
    assert all(map(handles.find, issued))
    assert 300_000 == handles._size
    past = Past()
    other = handle(text="x" * 20_000)
    assert [False, True] == [handles.find(one) is not None for one in (issued[-1], other)]
    assert 20_000 == handles._size


@pytest.mark.capability("long sessions: resumption", side="emulator")
@pytest.mark.parametrize(
    "model, handle, closed",
    [
        ("models/gemini-live-2.5-flash-preview", "nonsense", 1008),
        ("models/gemini-2.0-flash-live-001", None, 1007),
    ],
)
def test_a_handle_that_fits_nothing_is_refused(model, handle, closed):
    """An unknown handle, or one of another model, ends the session as the service does."""

    async def scene():
        handles = Handles()
        first = await spoken(Call(handles=handles), sessionResumption={})
        second = Call(handles=handles)
        second.set_up(model=model, sessionResumption={"handle": handle or first.handles[-1]})
        return second

    call = told(scene)
    assert closed == call.closed[0]
    assert [] == call.story


@pytest.mark.capability("long sessions: resumption", side="emulator")
@pytest.mark.parametrize("after_s, closed", [(7000, None), (7300, 1008)])
def test_a_handle_is_forgotten(after_s, closed):
    """On the Developer API a handle is good for two hours."""

    async def scene():
        handles = Handles()
        first = await spoken(Call(handles=handles), sessionResumption={})
        first.conversation.gone()
        await asyncio.sleep(after_s)
        second = Call(handles=handles)
        config = {"slidingWindow": {}}
        handle = {"handle": first.handles[-1]}
        second.set_up(sessionResumption=handle, contextWindowCompression=config)
        return second

    assert closed == (told(scene).closed or [None])[0]


@pytest.mark.capability("long sessions: resumption", side="emulator")
def test_a_transparent_session_tells_how_far_it_has_come():
    """On Vertex AI, where asked, a handle says which of the client's messages, from the setup's 0 on, it stands for."""

    async def scene():
        model = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash"
        return await spoken(Call(path=VERTEX), model=model, sessionResumption={"transparent": True})

    updates = [
        m["sessionResumptionUpdate"] for _, m in told(scene).heard if "sessionResumptionUpdate" in m
    ]
    handed = [one for one in updates if one.get("resumable")]
    assert ["0", "3"] == [str(one["lastConsumedClientMessageIndex"]) for one in handed]


@pytest.mark.capability("long sessions: replay and seams", side="emulator")
@pytest.mark.parametrize("transparent", [True, False])
def test_a_handle_brings_back_the_session_as_it_stood(transparent):
    """What came behind a handle is forgotten: the turn goes on within, and what is said again is heard and billed once."""
    chunks = [burst(1.5), hush(0.7), burst(1.0, seed=3)]
    setup = {
        "model": "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash",
        "sessionResumption": {"transparent": transparent},
    } | MANUAL

    async def scene():
        handles = Handles()
        first = Call(Lengths(), path=VERTEX, handles=handles)
        first.set_up(**setup)
        first.signal("activityStart")
        for chunk in chunks:
            first.speak(chunk)
            await asyncio.sleep(1)
        updates = [m.get("sessionResumptionUpdate") for _, m in first.heard]
        handed = [one for one in updates if one][-1]
        first.conversation.gone()
        resumption = setup["sessionResumption"] | {"handle": handed["newHandle"]}
        second = Call(Lengths(), path=VERTEX, handles=handles)
        second.set_up(**(setup | {"sessionResumption": resumption}))
        if not transparent:
            second.signal("activityStart")
        # Messages: the setup, activityStart, and the chunks.
        last = int(handed.get("lastConsumedClientMessageIndex", 1))
        for chunk in chunks[last - 1 :]:
            second.speak(chunk)
        second.signal("activityEnd")
        await asyncio.sleep(5)
        return first, second, last

    first, second, last = told(scene)
    assert [" 1.7"] == first.texts("input")
    if transparent:
        assert 2 == last  # of the second message the end was not heard
        assert [" 1.3"] == second.texts("input")
        assert "1.7 1.3" == "".join(second.texts("reply")).strip()
    else:
        assert [" 1.7", " 1.3"] == second.texts("input")
    (bill,) = second.usage
    assert 80 == sum(
        d["tokenCount"] for d in bill["promptTokensDetails"] if d["modality"] == "AUDIO"
    )


class Lengths:
    """An ear that hears how long each phrase is."""

    name = "lengths"
    language = None
    appetite = Appetite(piece_s=None)

    def listen(self, languages=(), vocabulary=()):
        return self

    async def hear(self, pcm, *, last):
        yield f" {seconds_of(pcm):.1f}"

    def leave(self):
        pass


@pytest.mark.capability("long sessions: limits of sessions and connections", side="emulator")
@pytest.mark.parametrize("window", [None, {"slidingWindow": {}}])
def test_a_dedicated_model_hears_ten_minutes(window):
    """A session of a dedicated transcription model ends after ten minutes, compressed or not."""

    async def scene():
        call = Call(manners=Manners(connection_s=2000))
        call.set_up(model="models/gemini-3.5-transcribe-live", contextWindowCompression=window)
        await asyncio.sleep(1000)
        return call

    call = told(scene)
    assert (1011, 600) == (call.closed[0], round(call.closed_at))


@pytest.mark.capability("audio in: turn coverage", side="emulator")
@pytest.mark.parametrize(
    "coverage, seen",
    [("TURN_INCLUDES_ONLY_ACTIVITY", 1), ("TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO", 2)],
)
def test_pictures_between_turns_count_unless_they_are_left_out(coverage, seen):
    """Of two pictures, one while the user speaks and one before, activity alone has one; silence is in neither."""
    picture = {"realtimeInput": {"video": PICTURE}}

    async def scene():
        call = Call()
        call.set_up(realtimeInputConfig={"turnCoverage": coverage})
        call.say(picture)
        await call.stream(hush(5.0) + burst(1.0))
        call.say(picture)
        await call.stream(hush(1.0))
        await asyncio.sleep(1)
        return call

    details = {
        one["modality"]: one["tokenCount"] for one in told(scene).usage[0]["promptTokensDetails"]
    }
    assert 258 * seen == details["VIDEO"]
    assert details["AUDIO"] < 2.5 * 25


@pytest.mark.capability("long sessions: goAway", side="emulator")
def test_the_connection_ends_after_a_warning():
    """A goAway says how long is left; who does not go is cut off with the service's words."""

    async def scene():
        call = Call(manners=Manners(connection_s=20, go_away_lead_s=5))
        call.set_up()
        await asyncio.sleep(30)
        return call

    call = told(scene)
    assert [(15.0, {"goAway": {"timeLeft": "5s"}})] == call.heard[1:]
    assert 1008 == call.closed[0]
    assert call.closed[1].startswith("Connection aborted because the client failed to close")
    assert 123 == len(call.closed[1].encode())


@pytest.mark.capability("long sessions: limits of sessions and connections", side="emulator")
@pytest.mark.capability("long sessions: context-window compression", side="emulator")
@pytest.mark.parametrize("compressed", [False, True])
def test_a_session_ends_unless_compressed(compressed):
    """Without context-window compression a session is limited, over its connections."""

    async def scene():
        handles = Handles()
        more = {"contextWindowCompression": {"slidingWindow": {}}} if compressed else {}
        manners = Manners(connection_s=1000, session_s=100)
        first = Call(handles=handles, manners=manners)
        first.set_up(sessionResumption={}, **more)
        await asyncio.sleep(60)
        first.signal("audioStreamEnd")
        first.say({"clientContent": {"turns": [], "turnComplete": True}})
        await asyncio.sleep(1)
        first.conversation.gone()
        second = Call(handles=handles, manners=manners)
        second.set_up(sessionResumption={"handle": first.handles[-1]}, **more)
        await asyncio.sleep(60)
        return second

    assert (None if compressed else 1011) == (told(scene).closed or [None])[0]


@pytest.mark.capability("long sessions: limits of sessions and connections", side="emulator")
@pytest.mark.capability("video in: pictures", side="emulator")
def test_a_picture_shortens_the_session():
    """With video a session lasts two minutes, and pictures are billed."""

    async def scene():
        call = Call()
        call.set_up()
        call.say({"realtimeInput": {"video": {"mimeType": "image/jpeg", "data": "/9j/AAAA"}}})
        call.say({"realtimeInput": {"text": "what is it?"}})
        await asyncio.sleep(119)
        assert call.closed is None
        await asyncio.sleep(2)
        return call

    call = told(scene)
    assert {"modality": "VIDEO", "tokenCount": 258} in call.usage[0]["promptTokensDetails"]
    assert (1011, "Deadline expired before operation could complete.") == call.closed


PICTURE = {"mimeType": "image/jpeg", "data": "/9j/AAAA"}


@pytest.mark.capability("video in: media resolution", side="emulator")
@pytest.mark.parametrize("resolution, tokens", [(None, 258), ("LOW", 66), ("MEDIUM", 258)])
def test_pictures_cost_by_their_resolution(resolution, tokens):
    """Every frame of video is billed as VIDEO, a picture in a turn as IMAGE, at a quarter in low resolution."""
    config = {"responseModalities": ["TEXT"]}
    if resolution:
        config["mediaResolution"] = f"MEDIA_RESOLUTION_{resolution}"

    async def scene():
        call = Call()
        call.set_up(generationConfig=config)
        for _ in range(3):
            call.say({"realtimeInput": {"video": PICTURE}})
        parts = [{"inlineData": PICTURE}, {"text": "what?"}]
        call.say(
            {"clientContent": {"turns": [{"role": "user", "parts": parts}], "turnComplete": True}}
        )
        await asyncio.sleep(1)
        return call

    details = told(scene).usage[0]["promptTokensDetails"]
    assert {"modality": "VIDEO", "tokenCount": 3 * tokens} in details
    assert {"modality": "IMAGE", "tokenCount": tokens} in details


@pytest.mark.capability("video in: pictures", side="emulator")
@pytest.mark.parametrize("mime_type", ["image/jpeg", "image/png"])
def test_what_is_no_picture_is_refused(mime_type):
    """Bytes that do not begin as their type does end the session."""

    async def scene():
        call = Call()
        call.set_up()
        call.say({"realtimeInput": {"video": {"mimeType": mime_type, "data": "AAAA"}}})
        return call

    assert (1007, "Request contains an invalid argument.") == told(scene).closed


@pytest.mark.capability("long sessions: limits of sessions and connections", side="emulator")
def test_a_session_warns_before_it_ends():
    """A goAway comes before a session's own end too, whatever its connection has left; with pictures a minute after them."""

    async def scene(pictures):
        call = Call(manners=Manners(connection_s=600, session_s=500, go_away_lead_s=60))
        call.set_up()
        await asyncio.sleep(10)
        if pictures:
            call.say({"realtimeInput": {"video": PICTURE}})
        await asyncio.sleep(600)
        return [(t, m["goAway"]["timeLeft"]) for t, m in call.heard if "goAway" in m], call

    (goodbye,), call = run_virtual(scene(False))
    assert (440.0, "60s") == goodbye
    assert (500.0, 1011) == (call.closed_at, call.closed[0])
    (goodbye,), call = run_virtual(scene(True))
    assert (60.0, "60s") == goodbye
    assert (120.0, 1011) == (call.closed_at, call.closed[0])


@pytest.mark.capability("long sessions: limits of sessions and connections", side="emulator")
def test_limits_can_be_shortened():
    """A session and one with pictures last as long as the emulator was told; resuming does not lengthen them."""

    async def scene(pictures):
        call = Call(manners=Manners(session_s=100, video_session_s=20))
        call.set_up()
        if pictures:
            call.say({"realtimeInput": {"video": PICTURE}})
        await asyncio.sleep(200)
        return call.closed_at

    assert [100, 20] == [run_virtual(scene(pictures)) for pictures in (False, True)]


@pytest.mark.capability("long sessions: limits of sessions and connections", side="emulator")
@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("handle", [0, -1])
def test_resuming_does_not_lengthen_a_session_with_pictures(handle, overlapping):
    """Whichever handle is resumed, one from before the picture too: the session ends when one with pictures does."""

    async def scene():
        handles, manners = Handles(), Manners(session_s=100, video_session_s=20)
        first = Call(manners=manners, handles=handles)
        await spoken(first, sessionResumption={})
        await asyncio.sleep(3)
        first.say({"realtimeInput": {"video": PICTURE}})
        if not overlapping:
            first.conversation.gone()
        second = Call(manners=manners, handles=handles)
        second.set_up(sessionResumption={"handle": first.handles[handle]})
        began = second.loop.time()
        await asyncio.sleep(200)
        return second.closed_at - began

    left_s = told(scene)
    assert 20 - 8 == pytest.approx(left_s) if not overlapping else 20 - 8 <= left_s <= 20


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "message",
    [
        {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=3999", "data": "AAAA"}}},
        {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=192001", "data": "AAAA"}}},
        {"realtimeInput": {"audio": PICTURE}},
        {"realtimeInput": {"video": {"mimeType": "audio/pcm", "data": "AAAA"}}},
        {"clientContent": {"turns": [{"role": "bogus", "parts": [{"text": "hi"}]}]}},
    ],
)
def test_what_makes_no_sense_is_refused(message):
    """A rate at which nobody speaks, a medium in the other one's field, a turn of nobody: an invalid argument."""

    async def scene():
        call = Call()
        call.set_up()
        call.say(message)
        return call

    assert (1007, "Request contains an invalid argument.") == told(scene).closed


@pytest.mark.parametrize("config", [{"responseModalities": ["AUDIO"]}, {}])
def test_speech_output_is_refused(config):
    """There is no voice, so AUDIO, which is also the default, is refused in the service's words, and they say why."""

    async def scene():
        call = Call()
        call.set_up(generationConfig=config)
        return call

    code, reason = told(scene).closed
    assert 1007 == code
    assert reason.startswith(
        "The requested combination of response modalities (AUDIO) is not supported"
    )
    assert reason.endswith("this emulator has no voice installed.")


@pytest.mark.parametrize(
    "frame, code, words",
    [
        ('{"realtimeInput":{"text":"hi"}}', 1007, "setup must be the first"),
        ("{}", 1007, ""),
        ("nonsense", 1007, "Invalid JSON payload"),
        (b"\xff\xfe\x00", 1007, "Invalid JSON payload"),
        ("[" * 100_000, 1007, "Invalid JSON payload"),
        ('{"setup":{"model":"models/none"}}', 1008, "models/none is not found"),
    ],
)
def test_a_bad_first_frame_ends_the_session(frame, code, words):
    """What is no setup is refused with the service's code and words, once."""

    async def scene():
        call = Call()
        call.conversation.received(frame)
        call.conversation.received(frame)
        return call

    closed = told(scene).closed
    assert code == closed[0]
    assert closed[1].startswith(words)


def test_who_never_sets_up_is_closed():
    """Without a setup the connection ends by itself."""

    async def scene():
        call = Call(manners=Manners(setup_s=30))
        await asyncio.sleep(31)
        return call

    assert 1011 == told(scene).closed[0]


class BrokenEar(Scripted):
    """An ear whose process dies."""

    def listen(self, languages=(), vocabulary=()):
        class Listening:
            language = None

            async def hear(self, pcm, *, last):
                yield " half a"
                raise EarLostError("the recogniser died")

            def leave(self):
                pass

        return Listening()


def test_a_lost_ear_is_an_internal_error():
    """When the recogniser dies its sessions are closed as the service closes them, after what was already said."""

    async def scene():
        return await spoken(Call(BrokenEar()))

    call = told(scene)
    assert (1011, "Internal error encountered.") == call.closed
    assert ["setupComplete", "heard"] == call.story


def test_nobody_is_heard_after_they_have_gone():
    """A client that leaves stops the work on what it said, and its ear is told."""
    left = []

    class Watched(Scripted):
        def listen(self, languages=(), vocabulary=()):
            listening = super().listen(languages, vocabulary)
            listening.leave = lambda: left.append(True)
            return listening

    async def scene():
        call = Call(Watched({"*": Line(fragments=[" late"], delay_s=10)}))
        call.set_up(**MANUAL)
        call.signal("activityStart")
        call.speak(burst(1.0))
        call.signal("activityEnd")
        await asyncio.sleep(1)
        call.conversation.gone()
        await asyncio.sleep(20)
        return call

    call = told(scene)
    assert ["setupComplete"] == call.story
    assert [True] == left
    assert call.closed is None


def test_a_client_far_ahead_of_the_ear_is_held():
    """Audio that the ear cannot follow is not read any more, until it has caught up by half."""

    class Slow(Scripted):
        def listen(self, languages=(), vocabulary=()):
            class Listening:
                language = None

                async def hear(self, pcm, *, last):
                    await asyncio.sleep(len(pcm) / 32_000)
                    yield ""

                def leave(self):
                    pass

            return Listening()

    async def scene():
        call = Call(Slow())
        call.set_up(**MANUAL)
        call.signal("activityStart")
        for _ in range(100):
            call.speak(burst(1.0))
        await asyncio.sleep(200)
        return call

    assert [True, False] == told(scene).holds


@pytest.mark.capability("later models: language hints, vocabulary, verbatim mode", side="emulator")
def test_hints_reach_the_ear():
    """Languages and words, where the model's era has them, are what the ear listens for."""
    asked = []

    class Hinted(Scripted):
        def listen(self, languages=(), vocabulary=()):
            asked.append((languages, vocabulary))
            return super().listen(languages, vocabulary)

    async def scene():
        call = Call(Hinted())
        call.set_up(
            model="models/gemini-3.5-transcribe-live",
            inputAudioTranscription={
                "languageCodes": ["pl-PL", "cmn-CN", "nn"],
                "customVocabulary": ["Gdynia"],
                "mode": "VERBATIM",
            },
        )
        Call(Hinted()).set_up()

    told(scene)
    assert [(("pl", "zh", "nn"), ("Gdynia",)), ((), ())] == asked


# ── with the client ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("turns", ["manual", "auto"])
@pytest.mark.parametrize("pace", [1.0, 0.0])
def test_our_client_gets_its_transcript(turns, pace):
    """The whole client against the whole conversation, in virtual time: the transcript is what the ear heard."""
    from dataclasses import replace

    from harness.audio.clip import AudioClip, MemoryPcm
    from harness.trace.hypothesis import hypothesis
    from tests.session.memory import assignment, drive

    async def scene():
        todo = assignment(turns=turns, pace=pace)
        clip = AudioClip(pcm=MemoryPcm(hush(0.3) + burst(2.0) + hush(0.2)))
        return await drive(
            Emulator(script(" hello", " world")), replace(todo, frames=Frames(clip, 100))
        )

    ending, trace = run_virtual(scene())
    assert "ok" == ending.outcome
    assert "hello world" == hypothesis(trace, "input").text
    assert trace.header.emulator == "test; scripted"
