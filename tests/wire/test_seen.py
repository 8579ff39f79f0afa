"""Frames that others have seen or documented: read as what they mean, and written again as they came."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.wire.live import codec
from harness.wire.live.client import LiveClient
from harness.wire.live.messages import Setup

SEEN = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "golden" / "live" / "seen-frames.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


def meaning(text: str) -> dict[str, Any]:
    """Return what a client takes from a frame, by the names that the golden file uses."""
    client = LiveClient(Setup())
    message = client.receive(text.encode())
    content, usage = message.server_content, message.usage_metadata
    heard = content.input_transcription if content else None
    interim = content.interim_input_transcription if content else None
    calls = message.tool_call.function_calls if message.tool_call else []
    return {
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
