"""Peers that mean no good: what they send, and how they leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import struct
from collections.abc import Iterator

from tests.emulator.memory import GEMINI, MANUAL, MODEL

SETUP = {
    "setup": {
        "model": MODEL,
        "generationConfig": {"responseModalities": ["TEXT"]},
        "inputAudioTranscription": {},
    }
    | MANUAL
}

UPGRADE = (
    f"GET {GEMINI}?key=k HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()


def masked(payload, opcode=1, fin=True, claims=None):
    """Return a client's frame, which says that it has `claims` bytes when that is given."""
    head = bytes([(0x80 if fin else 0) | opcode])
    size = len(payload) if claims is None else claims
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 2**16:
        head += bytes([0xFE]) + struct.pack(">H", size)
    else:
        head += bytes([0xFF]) + struct.pack(">Q", size)
    return head + bytes(4) + payload


def hostile(chance: random.Random) -> bytes:
    """Return bytes that no client should send."""
    noise = chance.randbytes(chance.randrange(1, 400))
    setup = json.dumps(SETUP).encode()
    ready = UPGRADE + masked(setup)
    return chance.choice(
        [
            noise,
            UPGRADE[: chance.randrange(len(UPGRADE))],
            UPGRADE.replace(b"GET", b"POST"),
            UPGRADE.replace(b"websocket", noise.replace(b"\n", b"")),
            b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n",
            b"GET / HTTP/1.1\r\na: " + b"b" * 100_000 + b"\r\n\r\n",
            b"POST /v1alpha/auth_tokens HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n",
            b"POST /v1alpha/auth_tokens HTTP/1.1\r\n" + noise * 200,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise,
            UPGRADE + noise,
            UPGRADE + masked(noise[:120]),
            UPGRADE + masked(noise[:120], opcode=2),
            UPGRADE + masked(noise[:120], opcode=0),
            UPGRADE + masked(noise[:100], opcode=8),
            UPGRADE + masked(noise[:100], opcode=9, fin=False),
            UPGRADE + masked(noise[:100], opcode=9) * 200,
            UPGRADE + b"\x81\xff" + b"\xff" * 12,
            UPGRADE + masked(b" " * chance.randrange(1, 300_000), claims=15 * 2**20),
            UPGRADE + masked(b"{", fin=False) + masked(b"", opcode=0, fin=False) * 1000,
            UPGRADE + masked(b"{", fin=False) + masked(b" " * 1000, opcode=0, fin=False) * 200,
            UPGRADE + masked(b'{"setup":' * 20_000),
            ready + noise,
            ready + masked(b'{"realtimeInput":{"audio":{"data":"AA"}}}'),
            ready + masked(b'{"realtimeInput":{"activityStart":{}}}') * 9,
            ready + masked(b'{"realtimeInput":{"text":"x"}}') * chance.randrange(600),
            ready + masked(b'{"clientContent":{"turns":[[]]}}'),
            ready + masked(b'{"setup":{}}'),
            UPGRADE + masked(b"", opcode=8),
            UPGRADE + masked(setup[:50], fin=False) + masked(setup[50:], opcode=0)[:-3],
        ]
    )


async def attack(port: int, chance: random.Random) -> None:
    """Send hostile bytes at once, in pieces or not to the end, and then leave: politely, by a reset, or not at all."""
    data = hostile(chance)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return
    with contextlib.suppress(OSError, TimeoutError):  # the peer may have hung up already
        for piece in _pieces(data, chance):
            writer.write(piece)
            await asyncio.wait_for(writer.drain(), 5)
        match chance.randrange(3):
            case 0:
                plug = writer.get_extra_info("socket")
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case 1:
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 5)
            case _:
                await asyncio.wait_for(reader.read(), chance.random() / 5)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def _pieces(data: bytes, chance: random.Random) -> Iterator[bytes]:
    size = max(1, chance.choice((len(data), len(data), 1000, len(data) // 7)))
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def attacks(port: int, chance: random.Random, most: int, *, at_once: int) -> None:
    """Make `most` hostile connections, so many at a time."""
    left = most

    async def one_after_the_other() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await attack(port, chance)

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
