"""Frames that others have seen or documented: read as what they mean, and written again as they came.

Each has the source that shows or documents its shape: fields, nesting, spelling, order. Texts, ids and media are shortened or
others; a guide's or a definition's frame is composed of the fields that it names.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.wire.live import codec
from harness.wire.live.client import LiveClient
from harness.wire.live.endpoint import Route
from harness.wire.live.messages import Setup
from harness.wire.live.refusals import Refused, classify_error
from harness.wire.live.server import (
    AudioReceived,
    LiveServer,
    SetupReceived,
    TextReceived,
    ToolAnswered,
    TurnsReceived,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "live"


def golden(name: str) -> list[dict[str, Any]]:
    """Return the lines of a golden file."""
    return [json.loads(line) for line in (GOLDEN / name).read_text("utf-8").splitlines()]


SEEN = golden("seen-frames.jsonl")
SEEN_OF_CLIENTS = golden("seen-client-frames.jsonl")


def meaning(text: str) -> dict[str, Any]:
    """Return what a client takes from a frame, by the names that the golden file uses."""
    client = LiveClient(Setup())
    message = client.receive(text.encode())
    content, usage = message.server_content, message.usage_metadata
    heard = content.input_transcription if content else None
    interim = content.interim_input_transcription if content else None
    calls = message.tool_call.function_calls if message.tool_call else []
    parts = content.model_turn.parts if content and content.model_turn else []
    update = message.session_resumption_update
    grounding = content.grounding_metadata if content else None
    read = content.url_context_metadata if content else None
    signal = message.voice_activity_detection_signal
    return {
        "said": "".join(part.text or "" for part in parts if not part.thought),
        "thought": [part.text for part in parts if part.thought],
        "speech": next(([b.mime_type, len(b.data)] for p in parts if (b := p.inline_data)), None),
        "ran": [p.executable_code.code for p in parts if p.executable_code]
        + [p.code_execution_result.output for p in parts if p.code_execution_result],
        "spoke": content and content.output_transcription and content.output_transcription.text,
        "language": heard and heard.language_code,
        "interrupted": content and content.interrupted,
        "generation_complete": content and content.generation_complete,
        "ends_turn": content and content.ends_turn,
        "waiting": content and content.waiting_for_input,
        "queries": grounding and grounding["webSearchQueries"],
        "read": read and [one["retrievedUrl"] for one in read["urlMetadata"]],
        "consumed": update and update.last_consumed_client_message_index,
        "signal": signal and signal.vad_signal_type,
        "error": message.error and classify_error(message.error),
        "setup_complete": message.setup_complete and codec.to_json(message.setup_complete),
        "tokens": usage
        and [usage.prompt_token_count, usage.response_tokens, usage.total_token_count],
        "prompt": usage and {one.modality: one.token_count for one in usage.prompt_tokens_details},
        "thoughts": usage and usage.thoughts_token_count,
        "go_away_s": client.go_away_s,
        "handle": client.handle,
        "heard": heard and heard.text,
        "interim": interim and interim.text,
        "content": content and codec.to_json(content),
        "turn_complete": content and content.turn_complete,
        "reason": content and content.turn_complete_reason,
        "activity": message.voice_activity and message.voice_activity.type,
        "call": [calls[0].name, calls[0].id] if calls else None,
        "cancelled": message.tool_call_cancellation and message.tool_call_cancellation.ids,
    }


@pytest.mark.capability("later models: fields and eras", side="parts")
@pytest.mark.capability("usage: both spellings", side="parts")
@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: seen["source"][:40])
def test_a_frame_means_what_its_source_says(seen):
    """Every frame that was seen in public is read as what it is known to mean."""
    found = meaning(seen["text"])
    assert seen["means"] == {name: found[name] for name in seen["means"]}


@pytest.mark.capability("setup: unknown fields are kept", side="parts and emulator")
@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: seen["source"][:40])
def test_a_frame_is_written_as_it_came(seen):
    """What was read of such a frame is all of it: written again it is the same JSON."""
    again = json.loads(codec.encode(codec.decode_server(seen["text"])))
    assert json.loads(seen["text"]) == again


TOLD: dict[type, Callable[[Any], list[Any]]] = {
    SetupReceived: lambda event: [event.modality],
    AudioReceived: lambda event: [event.rate],
    TextReceived: lambda event: [event.text],
    TurnsReceived: lambda event: [event.complete],
    ToolAnswered: lambda event: [event.responses[0].id],
}
"""What a golden file says of an event, beside its name."""


def taken(setup: dict[str, Any] | None, text: str) -> list[Any]:
    """Return what the server machine makes of a client's frame, behind the setup of its session if it has one."""
    server = LiveServer(Route(platform="gemini", version="v1beta"))
    try:
        if setup is not None:
            server.receive(json.dumps({"setup": setup}))
        (event,) = server.receive(text)
    except Refused as refused:
        return ["refused", refused.code, refused.text]
    told = TOLD.get(type(event), lambda _: [])
    return [type(event).__name__, *told(event)]


@pytest.mark.capability("setup: every field, with its defaults", side="emulator")
@pytest.mark.parametrize("seen", SEEN_OF_CLIENTS, ids=lambda seen: seen["source"][:40])
def test_a_clients_frame_is_taken_as_its_source_says(seen):
    """Every frame that a public client sends, or was refused for, is taken or refused as it was there."""
    assert seen["means"] == taken(seen["setup"], seen["text"])
