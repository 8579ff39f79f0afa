"""A trace on disk: gzip-compressed JSON lines, the header and then an event a line.

Knows the format, and how long a trace of ours can be. Does not know what is said in one.
"""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import InputError
from harness.trace.trace import SCHEMA, SessionTrace, TimedEvent, TraceHeader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_LEAST_WBITS: Final = 9
_GZIP_WBITS: Final = 16
"""Smallest window of deflate, as a power of two, and what asks zlib for gzip's head and tail (zlib.h, deflateInit2)."""

MOST_BYTES: Final = 2**29
"""Longest trace that is read, unpacked. The recorder stops when half of it is full of what was received, as JSON spells that;
the other half is for what we sent and noted."""

MOST_OBJECTS: Final = 10_000_000
"""Most objects and lists of a trace that is read: in memory each takes a hundred times its bytes in the file. Braces inside
texts do not count. Again half of them are for what was received. A message of audio has four: enough for 7 h of the
shortest messages, and 70 h of the usual ones."""

_BLOCK: Final = 2**20


def write_trace(path: Path, trace: SessionTrace) -> None:
    """Write `trace` to `path` whole or not at all; OSError when the place does not allow it."""
    lines = map(msgspec.json.encode, (trace.header, *trace.events))
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(b"".join(_gzipped(lines)))
    unfinished.replace(path)


def _gzipped(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a gzip file of `lines`, in pieces: no more than a block of what goes into it is held."""
    packer = None
    begun = bytearray()
    for line in lines:
        begun += line
        begun += b"\n"
        if len(begun) >= _BLOCK:
            packer = packer or _packer(_BLOCK)
            yield packer.compress(begun)
            begun.clear()
    packer = packer or _packer(len(begun))
    yield packer.compress(begun) + packer.flush()


def _packer(size: int) -> zlib._Compress:
    """Return a gzip compressor for `size` bytes; a whole block means that many, or more.

    zlib allocates and clears a quarter of a MiB for each, unless it is told that a window as long as the data will do. For
    a session of a second that was a fifth of the time.
    """
    window = min(zlib.MAX_WBITS, max(_LEAST_WBITS, size.bit_length()))
    memory = zlib.DEF_MEM_LEVEL if window == zlib.MAX_WBITS else window // 2
    return zlib.compressobj(1, zlib.DEFLATED, _GZIP_WBITS + window, memory)


def read_trace(path: Path) -> SessionTrace:
    """Return the trace at `path`; InputError that names the file when it is missing, torn or of another schema."""
    try:
        header, lines = _begun(path)
        return SessionTrace(header=header, events=list(map(_event, lines)))
    except _UNREADABLE as error:
        raise InputError(f"{path}: not a readable trace", why=str(error)) from error


def read_header(path: Path) -> TraceHeader:
    """Return what the trace at `path` says first, whatever follows; errors as `read_trace`."""
    try:
        return _begun(path)[0]
    except _UNREADABLE as error:
        raise InputError(f"{path}: not a readable trace", why=str(error)) from error


def _begun(path: Path) -> tuple[TraceHeader, Iterator[bytes]]:
    """Return the header of the trace at `path`, and the lines behind it; InputError, and `_UNREADABLE` now or later."""
    if not path.is_file():
        raise InputError(f"{path}: not a readable trace", why="it is missing, or no file")
    lines = _lines(path)
    header = msgspec.json.decode(next(lines, b""), type=TraceHeader)
    if header.schema != SCHEMA:
        raise InputError(f"{path}: trace of schema {header.schema}, this version reads {SCHEMA}")
    return header, lines


_UNREADABLE: Final = (OSError, EOFError, ValueError, RecursionError, zlib.error)
"""What reading a file raises that is no trace of ours, or not whole."""

_event = msgspec.json.Decoder(TimedEvent).decode


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield what the file at `path` unpacks to; ValueError when that is longer than any trace of ours."""
    size = 0
    with gzip.open(path, "rb") as file:
        while block := file.read(_BLOCK):
            size += len(block)
            if size > MOST_BYTES:
                raise ValueError(f"it unpacks to more than {MOST_BYTES / 2**20:g} MiB")
            yield block


def openings(blocks: Iterable[bytes]) -> int:
    """Return how many objects and lists the JSON in `blocks` opens, outside of its texts."""
    found = inside = 0
    escape = b""
    for block in blocks:
        data = (escape + block).replace(b"\\\\", b"").replace(b'\\"', b"")
        escape = b"\\" if data.endswith(b"\\") else b""
        pieces = data.split(b'"')
        outside = b"".join(pieces[inside::2])
        found += outside.count(b"{") + outside.count(b"[")
        inside ^= (len(pieces) - 1) & 1
    return found


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of the file at `path`; ValueError when they hold more objects than any trace of ours."""
    braces, counted = 0, False
    begun: list[bytes] = []
    for block in _blocks(path):
        braces += block.count(b"{") + block.count(b"[")
        if braces > MOST_OBJECTS and not counted:
            # Braces in texts cost nothing; telling them apart is slow, so it is done only when the quick count is too high.
            if openings(_blocks(path)) > MOST_OBJECTS:
                raise ValueError(f"it has more than {MOST_OBJECTS:,} objects")
            counted = True
        first, *others = block.split(b"\n")
        begun.append(first)
        if others:
            yield b"".join(begun)
            yield from others[:-1]
            begun = others[-1:]
    if last := b"".join(begun):
        yield last
