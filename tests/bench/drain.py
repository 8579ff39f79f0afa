"""A Live server that looks at no audio: `python -m tests.bench.drain MESSAGES EVERY_S TOGETHER SPOKEN [PEM]`. Prints its port.

It ends with its standard input. TOGETHER sessions are set up within half a second, when the last of them has asked: none
streams while others still open. PEM is a key with its certificate: it then speaks TLS.

It reads frames' headers alone, so that it costs as little as a server can. After a turn's first signal it sends MESSAGES
transcription messages, EVERY_S apart (0: at once), each with its own monotonic time; after the second it ends the turn.
SPOKEN is 1 when they bring speech instead, 5 KiB of it as base64.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import sys
import time

BEGIN_S = 0.5
"""Over how long sessions that are set up together begin: nobody streams in one phase."""

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
READY = b'{\n  "setupComplete": {}\n}\n'
END = (
    b'{\n  "serverContent": {\n    "inputTranscription": {\n      "text": " hello"\n    },\n    "turnComplete": true\n  },\n'
    b'  "usageMetadata": {\n    "totalTokenCount": 25\n  }\n}\n'
)


def message(text: bytes) -> bytes:
    """Return a binary WebSocket message, unmasked."""
    head = (
        bytes([0x82, len(text)]) if len(text) < 126 else b"\x82\x7e" + len(text).to_bytes(2, "big")
    )
    return head + text


SPOKEN = (
    b'{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"'
    + base64.b64encode(bytes(3840))
    + b'"}}]}}}'
)
SPEECH = message(SPOKEN)


def written() -> bytes:
    """Return a transcription message of some 200 bytes with the time it was written at, monotonic s."""
    text = f" {time.monotonic():.7f} {'x' * 140}"
    return b'{"serverContent":{"inputTranscription":{"text":"%s"}}}' % text.encode()


class Drain(asyncio.Protocol):
    """One connection."""

    def __init__(
        self, messages: int, every_s: float, together: int, waiting: list, spoken: bool
    ) -> None:
        self.messages, self.every_s, self.spoken = messages, every_s, spoken
        self.together, self.waiting = together, waiting
        self.buffer = bytearray()
        self.skip = 0
        self.frames = self.signals = 0
        self.upgraded = False

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        if self.skip >= len(data):
            self.skip -= len(data)
            return
        self.buffer += data[self.skip :]
        self.skip = 0
        if not self.upgraded:
            if b"\r\n\r\n" not in self.buffer:
                return
            self._upgrade()
        self._frames()

    def _upgrade(self) -> None:
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        fields = dict(
            line.lower().split(b": ", 1)[:1] + line.split(b": ", 1)[1:]
            for line in head.split(b"\r\n")[1:]
        )
        accept = base64.b64encode(hashlib.sha1(fields[b"sec-websocket-key"] + MAGIC).digest())  # noqa: S324 - RFC 6455
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.buffer[:] = rest
        self.upgraded = True

    def _frames(self) -> None:
        buffer = self.buffer
        while len(buffer) >= 2:
            size, head = buffer[1] & 127, 6
            if size == 126:
                if len(buffer) < 4:
                    return
                size, head = int.from_bytes(buffer[2:4], "big"), 8
            if len(buffer) < head:
                return
            closing, small = buffer[0] & 15 == 8, size < 126
            whole = head + size
            if len(buffer) < whole:
                self.skip = whole - len(buffer)
                buffer.clear()
            else:
                del buffer[:whole]
            self._frame(closing, small)

    def _frame(self, closing: bool, small: bool) -> None:
        self.frames += 1
        if closing:
            self.transport.write(b"\x88\x02\x03\xe8")
            self.transport.close()
        elif self.frames == 1:
            self.waiting.append(self.transport)
            if len(self.waiting) >= self.together:
                for place, transport in enumerate(self.waiting):
                    self.loop.call_later(
                        BEGIN_S * place / self.together, transport.write, message(READY)
                    )
                self.waiting.clear()
        elif small:
            self.signals += 1
            if self.signals == 1 and self.messages:
                self._say(self.messages)
            elif self.signals == 2:
                self.transport.write(message(END))

    def _say(self, left: int) -> None:
        """Send what is to be sent, one message or all."""
        for _ in range(1 if self.every_s else left):
            self.transport.write(SPEECH if self.spoken else message(written()))
        if self.every_s and left > 1 and not self.transport.is_closing():
            self.loop.call_later(self.every_s, self._say, left - 1)


async def main() -> None:
    """Serve until standard input ends."""
    messages, every_s, together, spoken, *pem = sys.argv[1:]
    tls, waiting = None, []
    if pem:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(pem[0])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Drain(int(messages), float(every_s), int(together), waiting, spoken == "1"),
        "127.0.0.1", 0, backlog=4096, ssl=tls,
    )  # fmt: skip
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - for the parent
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
