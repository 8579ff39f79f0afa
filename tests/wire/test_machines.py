"""Both machines at once: what the client sends is what the server understands, and the other way round."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import LocalProtocolError, RemoteProtocolError
from harness.wire.live import codec
from harness.wire.live.client import LiveClient
from harness.wire.live.endpoint import Route
from harness.wire.live.messages import (
    AutomaticActivityDetection,
    Content,
    ContextUpdate,
    FunctionCall,
    FunctionResponse,
    GoAway,
    ModalityTokenCount,
    Part,
    RealtimeInputConfig,
    ServerContent,
    ServerMessage,
    SessionResumptionUpdate,
    Setup,
    SetupComplete,
    ToolCall,
    Transcription,
    UsageMetadata,
)
from harness.wire.live.server import (
    ActivityEnded,
    ActivityStarted,
    AudioReceived,
    LiveServer,
    SetupReceived,
    StreamEnded,
    TextReceived,
    ToolAnswered,
    TurnsReceived,
    VideoReceived,
)

GEMINI = Route(platform="gemini", version="v1beta")
VERTEX = Route(platform="vertex", version="v1beta1")
MODEL = "models/gemini-live-2.5-flash-preview"
READY = ServerMessage(setup_complete=SetupComplete())


def setup(*, manual: bool) -> Setup:
    """Return a setup with manual or automatic activity detection."""
    detection = AutomaticActivityDetection(disabled=manual)
    return Setup(
        model=MODEL,
        realtime_input_config=RealtimeInputConfig(automatic_activity_detection=detection),
    )


@dataclass
class Pair:
    """A client and a server whose frames reach each other at once."""

    client: LiveClient
    server: LiveServer = field(default_factory=lambda: LiveServer(GEMINI))

    def sent(self, frame: bytes) -> list:
        """Return what the server makes of the client's frame: of bytes and of text the same."""
        return self.server.receive(frame.decode())

    def answered(self, message: ServerMessage) -> ServerMessage:
        """Return what the client makes of the server's message."""
        return self.client.receive(self.server.send(message))


def opened(*, manual: bool) -> Pair:
    """Return a pair whose session is ready."""
    pair = Pair(LiveClient(setup(manual=manual)))
    pair.sent(pair.client.open())
    pair.answered(READY)
    return pair


# ── Client to server ─────────────────────────────────────────────────────────────────────────────────────────────────

pcm = st.binary(min_size=2, max_size=40).map(lambda data: data[: len(data) // 2 * 2])
contents = st.builds(
    Content,
    role=st.sampled_from(["user", "model"]),
    parts=st.lists(st.builds(Part, text=st.text())),
)
answers = st.builds(
    FunctionResponse, id=st.text(), name=st.text(), response=st.dictionaries(st.text(), st.text())
)
JPEG = b"\xff\xd8\xff"
"""What every JPEG begins with."""

common = [
    st.tuples(st.just("audio"), pcm),
    st.tuples(st.just("video"), st.binary().map(JPEG.__add__)),
    st.tuples(st.just("text"), st.text()),
    st.tuples(st.just("content"), st.tuples(st.lists(contents), st.booleans())),
    st.tuples(st.just("tool_response"), st.lists(answers)),
]
manual_actions = [
    *common,
    st.tuples(st.just("activity_start"), st.none()),
    st.tuples(st.just("activity_end"), st.none()),
]
automatic_actions = [*common, st.tuples(st.just("audio_stream_end"), st.none())]


@pytest.mark.capability("text: turns", side="parts and emulator")
@pytest.mark.capability("text: realtime text", side="parts and emulator")
@pytest.mark.capability("video in: pictures", side="parts and emulator")
@given(st.booleans(), st.data())
@settings(deadline=None, max_examples=60)
def test_the_server_understands_what_the_client_says(manual, data):
    """Every sequence of allowed calls arrives as exactly these events; audio outside a manual window never does."""
    pair = opened(manual=manual)
    actions = st.lists(st.one_of(manual_actions if manual else automatic_actions), max_size=8)
    window, dropped = not manual, 0
    for name, value in data.draw(actions):
        expected = []
        match name:
            case "audio":
                got = pair.sent(pair.client.audio(value))
                expected = [AudioReceived(pcm=value, rate=16000)] if window else []
                dropped += not window
            case "video":
                got = pair.sent(pair.client.video(value))
                expected = [VideoReceived(image=value, mime_type="image/jpeg")]
            case "text":
                got = pair.sent(pair.client.text(value))
                expected = [TextReceived(text=value)]
            case "content":
                got = pair.sent(pair.client.content(*value))
                expected = [TurnsReceived(turns=value[0], complete=value[1])]
            case "tool_response":
                got = pair.sent(pair.client.tool_response(value))
                expected = [ToolAnswered(responses=value)]
            case "activity_start":
                got = pair.sent(pair.client.activity_start())
                expected, window = ([] if window else [ActivityStarted()]), True
            case "activity_end":
                got = pair.sent(pair.client.activity_end())
                expected, window = ([ActivityEnded()] if window else []), False
            case _:
                got = pair.sent(pair.client.audio_stream_end())
                expected = [StreamEnded()]
        assert expected == got
    assert dropped == pair.server.dropped_frames


@pytest.mark.capability("setup: every field, with its defaults", side="parts")
@pytest.mark.capability("setup: every field, with its defaults", side="emulator")
def test_the_setup_arrives_whole():
    """The setup the client was made with is the one the server reports, with its model and modality."""
    asked = setup(manual=True)
    pair = Pair(LiveClient(asked))
    [event] = pair.sent(pair.client.open())
    assert isinstance(event, SetupReceived)
    assert (asked, MODEL, "AUDIO") == (event.setup, f"models/{event.model.id}", event.modality)
    assert (True, True) == (pair.client.manual, pair.server.manual)


def test_the_client_breaks_no_rule():
    """What the API forbids a client is refused before it leaves: too early, twice, or in the wrong activity mode."""
    client = LiveClient(setup(manual=True))
    too_early = [
        lambda: client.audio(b"\0\0"),
        lambda: client.text("x"),
        lambda: client.content([]),
        lambda: client.tool_response([]),
        client.activity_start,
        client.activity_end,
    ]
    for call in too_early:
        with pytest.raises(LocalProtocolError, match="before"):
            call()
    client.open()
    for call in (*too_early, client.open):
        with pytest.raises(LocalProtocolError):
            call()
    with pytest.raises(LocalProtocolError, match="audioStreamEnd"):
        opened(manual=True).client.audio_stream_end()
    for signal in ("activity_start", "activity_end"):
        with pytest.raises(LocalProtocolError, match="activity"):
            getattr(opened(manual=False).client, signal)()


# ── Server to client ─────────────────────────────────────────────────────────────────────────────────────────────────

said = [
    ServerMessage(server_content=ServerContent(input_transcription=Transcription(text=" a"))),
    ServerMessage(
        server_content=ServerContent(interim_input_transcription=Transcription(text="a"))
    ),
    ServerMessage(server_content=ServerContent(output_transcription=Transcription(text="b"))),
    ServerMessage(server_content=ServerContent(model_turn=Content(parts=[Part(text="ok")]))),
    ServerMessage(server_content=ServerContent(generation_complete=True)),
    ServerMessage(server_content=ServerContent(turn_complete=True)),
    ServerMessage(server_content=ServerContent(interrupted=True, turn_complete=True)),
    ServerMessage(
        server_content=ServerContent(
            model_turn=Content(parts=[Part(text="ok")]),
            input_transcription=Transcription(text="x"),
            turn_complete=True,
        ),
        usage_metadata=UsageMetadata(total_token_count=1),
    ),
    ServerMessage(usage_metadata=UsageMetadata(prompt_token_count=5, response_token_count=6)),
    ServerMessage(session_resumption_update=SessionResumptionUpdate()),
    ServerMessage(
        session_resumption_update=SessionResumptionUpdate(new_handle="h", resumable=True)
    ),
    ServerMessage(go_away=GoAway(time_left="50s")),
    ServerMessage(
        tool_call=ToolCall(function_calls=[FunctionCall(id="1", name="f", args={"x": 1})])
    ),
    ServerMessage(unknown={"brandNew": {"x": 1}}),
]


@given(st.lists(st.sampled_from([*said, READY])))
@settings(deadline=None)
def test_the_client_takes_every_order(messages):
    """No order of a server's messages is an error, before `setupComplete` or after it, and each arrives as sent."""
    client = LiveClient(setup(manual=False))
    client.open()
    for message in messages:
        assert message == client.receive(codec.encode_server(message))
    assert client.ready is (READY in messages)
    assert client.handle == ("h" if said[10] in messages else None)
    assert client.go_away_s == (50.0 if said[11] in messages else None)


@pytest.mark.capability("long sessions: resumption", side="parts")
def test_the_newest_resumable_handle_is_kept():
    """An update that cannot be resumed, with a handle or without, leaves the handle before it in place."""
    pair = opened(manual=True)
    updates = [("h1", True), ("", False), ("h2", True), ("h3", False), ("", True)]
    for handle, resumable in updates:
        update = SessionResumptionUpdate(new_handle=handle, resumable=resumable)
        pair.answered(ServerMessage(session_resumption_update=update))
    assert "h2" == pair.client.handle


@pytest.mark.capability("long sessions: goAway", side="parts")
def test_an_unreadable_time_left_is_no_time():
    """A goAway whose time cannot be read means: now."""
    pair = opened(manual=True)
    pair.answered(ServerMessage(go_away=GoAway(time_left="soon")))
    assert 0.0 == pair.client.go_away_s


def test_garbage_is_the_servers_fault():
    """A frame that is no message is blamed on the peer and changes nothing."""
    pair = opened(manual=True)
    with pytest.raises(RemoteProtocolError):
        pair.client.receive(b"\x00")
    assert pair.client.ready


def test_the_server_speaks_in_order():
    """Nothing before the setup, `setupComplete` first and once, one message a frame."""
    server = LiveServer(GEMINI)
    with pytest.raises(LocalProtocolError):
        server.send(READY)
    server.receive(LiveClient(setup(manual=False)).open())
    for message in said:
        with pytest.raises(LocalProtocolError):
            server.send(message)
    assert b'{\n  "setupComplete": {}\n}\n' == server.send(READY)
    with pytest.raises(LocalProtocolError):
        server.send(READY)
    with pytest.raises(LocalProtocolError, match="tool_call"):
        server.send(ServerMessage(tool_call=ToolCall(), go_away=GoAway()))


@pytest.mark.capability("usage: both spellings", side="parts and emulator")
def test_usage_has_each_platforms_names():
    """Vertex AI says `candidates…` where the Developer API says `response…`; both mean the same to the client."""
    details = [ModalityTokenCount(modality="TEXT", token_count=6)]
    usage = UsageMetadata(
        prompt_token_count=5, response_token_count=6, response_tokens_details=details
    )
    shown = {}
    for route, model in ((GEMINI, MODEL), (VERTEX, "gemini-live-2.5-flash")):
        server = LiveServer(route)
        client = LiveClient(Setup(model=model))
        server.receive(client.open())
        server.send(READY)
        got = client.receive(server.send(ServerMessage(usage_metadata=usage))).usage_metadata
        assert (6, details) == (got.response_tokens, got.response_details)
        shown[route.platform] = codec.to_json(got)
    assert {"promptTokenCount", "responseTokenCount", "responseTokensDetails"} == set(
        shown["gemini"]
    )
    candidates = {"candidatesTokenCount", "candidatesTokensDetails"}
    assert {"promptTokenCount", "trafficType"} | candidates == set(shown["vertex"])


@pytest.mark.capability("later models: context updates", side="emulator")
def test_later_a_context_may_be_updated():
    """A context update is an event of the later era."""
    pair = opened(manual=False)
    [event] = pair.sent(b'{"contextUpdate": {"systemInstruction": {"parts": [{"text": "x"}]}}}')
    assert ContextUpdate(system_instruction=Content(parts=[Part(text="x")])) == event.update
