"""Files of the run folder that hold a line of JSON each, read so that no line, however long, becomes memory.

Knows bytes and line ends. Does not know what a line means.
"""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, Final

from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINE_BYTES: Final = 32 * 2**20
"""Longest line: a record's longest text is a million characters, which JSON writes as six bytes each at most; its names come
from lines of a manifest, of a million bytes each; what it tells of calls and tokens is bounded as well."""

_BLOCK: Final = 2**20


def numbered_lines(path: Path, fd: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of the file at `path`, each with its number from 1 and its end; a torn last one has none.

    `fd` is that file where it is open already, at its beginning; it stays open. InputError names a line that is longer than
    any of ours. OSError as the disk's.
    """
    with path.open("rb") if fd is None else os.fdopen(fd, "rb", closefd=False) as file:
        for number in count(1):
            line = file.readline(LINE_BYTES)
            if not line:
                return
            if len(line) == LINE_BYTES and not line.endswith(b"\n"):
                raise InputError(
                    f"{path}:{number}: a line of more than {LINE_BYTES / 2**20:g} MiB, which is none of ours",
                    hint="remove that line: what it told is then done again",
                )
            yield number, line


def cut_torn_line(fd: int) -> None:
    """Cut off what stands behind the last line's end: half a line, since somebody pulled the plug. OSError as the disk's."""
    size = end = os.fstat(fd).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(fd, end)
