"""A tiny Live server made with another library's high-level server: a witness for our transport, not our emulator."""

from __future__ import annotations

import contextlib
import json

from websockets.asyncio.server import serve


def pretty(message: dict) -> bytes:
    """Return a message as the service sends it."""
    return (json.dumps(message, indent=2) + "\n").encode()


async def transcribe(socket, words=("Hello", " there")):
    """Answer one manual turn with `words` and the bytes it heard."""
    heard = 0
    async for frame in socket:
        message = json.loads(frame)
        if "setup" in message:
            await socket.send(pretty({"setupComplete": {}}))
        elif (audio := message["realtimeInput"].get("audio")) is not None:
            import base64

            heard += len(base64.b64decode(audio["data"]))
        elif "activityEnd" in message["realtimeInput"]:
            for word in words:
                await socket.send(pretty({"serverContent": {"inputTranscription": {"text": word}}}))
            await socket.send(
                pretty({"serverContent": {"modelTurn": {"parts": [{"text": str(heard)}]}}})
            )
            await socket.send(pretty({"serverContent": {"generationComplete": True}}))
            usage = {"promptTokenCount": 25, "totalTokenCount": 26, "responseTokenCount": 1}
            await socket.send(
                pretty({"serverContent": {"turnComplete": True}, "usageMetadata": usage})
            )


@contextlib.asynccontextmanager
async def live_server(handler=transcribe, **options):
    """Serve `handler` on a free loopback port and give the URL."""
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
