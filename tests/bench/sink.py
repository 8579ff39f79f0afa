"""The trivial Live server of the benches: answers one turn and reads no audio. Prints its URL; ends with its stdin."""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.server import serve

READY = b'{\n  "setupComplete": {}\n}\n'
TEXT = (
    b'{\n  "serverContent": {\n    "inputTranscription": {\n      "text": " hello"\n    }\n  }\n}\n'
)
END = (
    b'{\n  "serverContent": {\n    "turnComplete": true\n  },\n  "usageMetadata": {\n    "promptTokenCount": 25,\n'
    b'    "totalTokenCount": 25\n  }\n}\n'
)


async def answer(socket):
    """Hold one session."""
    async for frame in socket:
        if '"audio"' in frame:
            continue
        if '"setup"' in frame:
            await socket.send(READY)
        elif "activityEnd" in frame:
            await socket.send(TEXT)
            await socket.send(END)


async def main():
    """Serve until standard input ends."""
    async with serve(answer, "127.0.0.1", 0, compression=None) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)  # noqa: T201 - for the parent
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
