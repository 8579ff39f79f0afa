"""A service in memory that speaks: what it is asked comes back as audio, piece by piece."""

from __future__ import annotations

import base64

import msgspec

from harness.wire.live.setups import speaking_setup

PIECE_S = 0.2
"""Length of one piece of speech, s."""

PIECE = base64.b64encode(bytes(round(PIECE_S * 24_000) * 2)).decode()


def audio(piece: str = PIECE) -> dict:
    """Return a message that brings a piece of speech."""
    blob = {"mimeType": "audio/pcm;rate=24000", "data": piece}
    return {"serverContent": {"modelTurn": {"parts": [{"inlineData": blob}]}}}


def asked(frame: dict) -> str | None:
    """Return the written question that `frame` completes; None: it completes none."""
    content = frame.get("clientContent", {})
    if content.get("turnComplete"):
        return content["turns"][-1]["parts"][-1]["text"]
    return frame.get("realtimeInput", {}).get("text")


def speaks(*, pieces: int = 5, first: float = 0.3, between: float = 0.05, over_after: float = 0.1):
    """Return an answer that reads what it is asked: `pieces` of speech, and what it says word by word."""

    def answer(line, frame: dict) -> None:
        if "setup" in frame:
            line.say({"setupComplete": {}})
        words = asked(frame)
        if words is None:
            return
        said = words.split(" ")
        for n in range(pieces):
            line.say(audio(), first + n * between)
        for n, word in enumerate(said):
            text = {"outputTranscription": {"text": ("" if n == 0 else " ") + word}}
            line.say({"serverContent": text}, first + between * pieces * n / len(said))
        end = first + between * pieces
        line.say({"serverContent": {"generationComplete": True}}, end)
        usage = {
            "promptTokenCount": 12,
            "responseTokenCount": 25,
            "totalTokenCount": 37,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}],
            "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 25}],
        }
        line.say(
            {"serverContent": {"turnComplete": True}, "usageMetadata": usage}, end + over_after
        )

    return answer


def speaking(model: str):
    """Return the setup as it is sent: with the model's resource name."""
    return msgspec.structs.replace(speaking_setup(model), model=f"models/{model}")
