"""The pipe between the server and a process of its own: each message is a length (4 bytes, big-endian), and its bytes.

Orders come on the process's standard input, what it has to say goes to its standard output. Knows bytes; does not know
what they say.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

_LENGTH: Final = struct.Struct(">I")


def parcel(data: bytes) -> bytes:
    """Return a message as it goes through the pipe."""
    return _LENGTH.pack(len(data)) + data


async def received(source: asyncio.StreamReader) -> bytes:
    """Return the process's next message; asyncio.IncompleteReadError when it has died."""
    (length,) = _LENGTH.unpack(await source.readexactly(_LENGTH.size))
    return await source.readexactly(length)


def orders() -> Iterator[bytes]:
    """Yield, in the process, every message that comes until standard input ends."""
    source = sys.stdin.buffer
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        yield source.read(_LENGTH.unpack(head)[0])


def own_output() -> BinaryIO:
    """Return, in the process, its end of the pipe: libraries that print must not break the messages.

    What they print goes to standard error from now on. Ctrl-C is left to the server, which ends this process by closing the
    pipe.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return out
