"""Quirks: how they are asked for, and laws of what lies between a conversation and its socket."""

from __future__ import annotations

import asyncio
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from harness.clock import run_virtual
from harness.emulator.quirks import frames
from harness.emulator.quirks.endings import Turnstile
from harness.emulator.quirks.mischief import REGISTRY, Mischief, parsed, require_effect
from harness.emulator.quirks.network import Cable, Shape
from harness.emulator.quirks.quirk import Ending
from harness.errors import UsageError


@pytest.mark.parametrize("name", REGISTRY)
def test_every_quirk_can_be_asked_for_as_it_is_shown(name):
    """A quirk's usage is a quirk that can be typed, and gives its default; it says what it does and who saw it."""
    quirk = REGISTRY[name]
    assert {name: quirk.value(None)} == parsed([quirk.usage]) == parsed([name])
    assert quirk.does.endswith(".")
    assert quirk.source
    assert (quirk.takes is not None) is ("VALUE" in quirk.does)


@pytest.mark.parametrize(
    "typed, value",
    [
        ("late-transcription=250ms", 0.25),
        ("late-transcription=2s", 2.0),
        ("late-transcription=1.5min", 90.0),
        ("late-transcription=3", 3.0),
        ("big-frames=3MiB", 3 * 2**20),
        ("throttled=16KiB/s", 16 * 2**10),
        ("share=25%", 0.25),
        ("split-words=4", 4),
        ("reset=setup", "setup"),
        ("close=1013@audio", Ending(code=1013, reason="", stage="audio")),
        (
            "close=internal",
            Ending(code=1011, reason="Internal error encountered.", stage="setup"),
        ),
    ],
)
def test_values_have_units(typed, value):
    """What follows the equals sign is read with its unit."""
    assert [value] == list(parsed([typed]).values())


@pytest.mark.parametrize(
    "typed, words",
    [
        ("late-transcrption=2s", "late-transcription"),
        ("utter-nonsense-xyz", "--list-quirks"),
        ("late-transcription=2h", "ms, s, min"),
        ("late-transcription=", "ms, s, min"),
        ("late-transcription=-1s", "ms, s, min"),
        ("mute=1", "takes no value"),
        ("reset=upgarde", "upgrade"),
        ("close=intrenal@audio", "internal"),
        ("close=internal@adio", "audio"),
        ("close=17", "close code"),
        ("http=999", "503"),
        ("tls=wrong", "expired"),
        ("share=200%", "at most at 100%"),
        ("nonsense", "--list-quirks"),
        ("share=0%", "above 0%"),
        ("big-frames=9999MiB", "at most 256MiB"),
        ("split-words=0", "at least 1"),
        ("flood=0", "at least 1"),
        ("flood=1001", "at most 1000"),
        ("long-reply=999999999999", "at most 1000000"),
        ("dribble=0B", "at least 1"),
        ("late-transcription=nan", "ms, s, min"),
        ("late-transcription=" + "9" * 400, "ms, s, min"),
        ("late-transcription=٣s", "ms, s, min"),
    ],
)
def test_what_cannot_be_done_is_explained(typed, words):
    """An unknown name or value is an error of what was typed, which names the nearest or says how it is written."""
    with pytest.raises(UsageError) as error:
        parsed([typed])
    assert words in str(error.value)


@pytest.mark.parametrize(
    "typed, told, words",
    [
        (["tls=expired"], {}, "without TLS"),
        (["after=1"], {}, "by itself"),
        (["first=2", "share=50%"], {}, "by itself"),
        (["retry-after"], {}, "no upgrade is refused"),
        ([], {}, None),
        (["tls=expired"], {"tls": True}, None),
        (["retry-after"], {"bounded": True}, None),
        (["retry-after", "http=429"], {}, None),
        (["after=1", "mute"], {}, None),
    ],
)
def test_what_would_do_nothing_is_refused(typed, told, words):
    """Quirks that can have no effect are an error of what was typed, which says what they lack."""
    quirks = parsed(typed)
    told = {"tls": False, "bounded": False} | told
    if words is None:
        require_effect(quirks, **told)
        return
    with pytest.raises(UsageError) as error:
        require_effect(quirks, **told)
    assert words in str(error.value)
    assert error.value.hint


@given(st.integers(0, 5), st.integers(0, 5), st.floats(0.1, 1.0), st.integers(0, 40), st.integers())
def test_connections_behave_before_and_after(after, first, share, count, seed):
    """None misbehaves before `after`, no more than `first` do, and with a share of one they do so in a row."""
    values = {"after": after, "first": first or None, "share": share}
    turnstile = Turnstile(values, random.Random(seed))  # noqa: S311 - connections, not secrets
    odd = [turnstile.next() for _ in range(count)]
    assert not any(odd[:after])
    assert sum(odd) <= (first or count)
    if share == 1.0:
        assert odd == [after <= n < after + (first or count) for n in range(count)]


class Heard:
    """A line that keeps what goes over it."""

    def __init__(self) -> None:
        self.sent: list[dict] = []

    def send(self, frame):
        self.sent.append(json.loads(frame))


def said(quirks, message):
    """Return what a connection with these quirks makes of the service's message."""

    async def main():
        line = Heard()
        trouble = Mischief(parsed(quirks)).next()
        trouble.between(line).send(json.dumps(message).encode())
        return line.sent

    (told,) = run_virtual(main())
    return told


@pytest.mark.parametrize("name", [name for name, quirk in REGISTRY.items() if quirk.hears])
@pytest.mark.parametrize(
    "frame", [b'{"realtimeInput": [1]}', b'{"setup": 1}', b'{"setup": {"sessionResumption": []}}']
)
def test_a_quirk_hears_whatever_a_client_sends(name, frame):
    """What is no message of the API goes on to the service, which says what is wrong with it."""

    async def main():
        heard = []
        trouble = Mischief(parsed([name])).next()
        trouble.join(heard.append)
        trouble.received(frame)
        return heard

    assert [frame] == run_virtual(main())


@pytest.mark.parametrize(
    "quirk, text, told",
    [
        ("unpunctuated", "Don't stop, Bob!", "don't stop bob"),
        ("unpunctuated", "क्या हुआ? น้ำ।", "क्या हुआ น้ำ"),
        ("wrong-script", "one two.", "शब्द शब्द."),
        ("wrong-script", "क्या हुआ?", "слово слово?"),
    ],
)
def test_a_quirk_leaves_letters_whole(quirk, text, told):
    """Vowel signs and tone marks are no punctuation, and belong to the words that they are in."""
    message = {"serverContent": {"inputTranscription": {"text": text}}}
    assert told == said([quirk], message)["serverContent"]["inputTranscription"]["text"]


def test_a_call_keeps_its_arguments():
    """However the service's own fields are spelt, and whichever come new: what a function is given is the model's."""
    call = {"name": "f", "args": {"cityName": {"inner": [1]}}}
    told = said(["snake-case", "unknown-fields"], {"toolCall": {"functionCalls": [call]}})
    (found,) = told["tool_call"]["function_calls"]
    assert call["args"] == found["args"]
    assert "strange" in found


def test_without_quirks_nothing_lies_between():
    """A service without quirks has connections without trouble."""
    assert Mischief({}).next() is None


class Wire(asyncio.Transport):
    """A socket that keeps what is written, and when."""

    def __init__(self):
        super().__init__()
        self.written = []

    def write(self, data):
        self.written.append((asyncio.get_running_loop().time(), bytes(data)))

    def pause_reading(self):
        pass

    resume_reading = close = pause_reading

    def is_closing(self):
        return False


class Mouth(asyncio.Protocol):
    """A protocol that keeps what comes."""

    def __init__(self):
        self.heard = b""

    def data_received(self, data):
        self.heard += data


@given(
    st.lists(st.binary(min_size=1, max_size=60), max_size=12),
    st.builds(
        Shape,
        latency_s=st.sampled_from([0.0, 0.2]),
        jitter_s=st.sampled_from([0.0, 0.5]),
        rate=st.sampled_from([None, 100]),
        piece=st.sampled_from([None, 1, 7]),
    ),
)
def test_a_slow_way_loses_and_changes_nothing(pieces, shape):
    """Whatever the delay, rate and size of pieces, each way carries every byte once and in order, and never early."""

    async def main():
        mouth, wire = Mouth(), Wire()
        chance = random.Random(1)  # noqa: S311 - jitter
        cable = Cable(mouth, shape, chance, lambda _: None)
        cable.connection_made(wire)
        for piece in pieces:
            cable.data_received(piece)
            cable.write(piece)
        await asyncio.sleep(1000)
        return mouth.heard, wire.written

    heard, written = run_virtual(main())
    whole = b"".join(pieces)
    assert whole == heard == b"".join(data for _, data in written)
    times = [t for t, _ in written]
    assert sorted(times) == times
    assert all(t >= shape.latency_s for t in times)
    if shape.rate and whole:
        assert times[-1] >= len(whole) / shape.rate


@given(st.binary(max_size=70_000), st.integers(1, 70_000))
def test_fragments_make_the_message_again(payload, size):
    """Another library reads a message in fragments as the same message, each of the size asked for at most."""
    size = max(size, len(payload) // 200 + 1)
    written = Frame(Opcode.BINARY, payload).serialize(mask=False)
    assert payload == frames.payload(written)
    client = ClientProtocol(parse_uri("ws://x/"))
    client.state = State.OPEN
    client.parser = client.parse()
    next(client.parser)
    client.receive_data(b"".join(frames.fragments(written, size)))
    got = client.events_received()
    assert payload == b"".join(bytes(frame.data) for frame in got)
    assert [Opcode.BINARY] + [Opcode.CONT] * (len(got) - 1) == [frame.opcode for frame in got]
    assert all(len(frame.data) <= size for frame in got)


@pytest.mark.parametrize("name", frames.BAD)
def test_a_bad_frame_is_one(name):
    """Another library refuses every frame that is said to be forbidden."""
    client = ClientProtocol(parse_uri("ws://x/"), max_size=2**20)
    client.state = State.OPEN
    client.parser = client.parse()
    next(client.parser)
    client.receive_data(frames.BAD[name])
    assert client.parser_exc is not None
