"""Lines of a text file that somebody else wrote, one at a time, with what is wrong with them.

Knows bytes and UTF-8; does not know what a line means.
"""

from __future__ import annotations

import codecs
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from harness.corpus.utterance import Fault

LONGEST_LINE: Final = 1 << 20
"""Bytes. Longer lines are a fault: a file without line ends must not become memory."""

LONGEST_SKIPPED: Final = 1 << 28
"""Bytes. A line that goes on for longer is the end of what is read: nobody waits for a gigabyte of nothing."""


class Line(NamedTuple):
    """A line without its end."""

    number: int
    """1-based."""

    text: str


def lines(path: Path, where: str) -> Iterator[Line | Fault]:
    """Yield the lines of `path` that are UTF-8, and a fault at `where` for each that is not or is too long.

    Lines end with LF or CR LF. A byte-order mark is dropped with a warning. A file that cannot be opened, is not a
    regular file, or is UTF-16 is one fault.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            yield Fault(where=where, what="not a regular file")
            return
        file = path.open("rb")
    except OSError as error:
        yield Fault(where=where, what=f"cannot be read: {error.strerror}")
        return
    with file:
        mark = file.read(3)
        if mark.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            yield Fault(where=where, line=1, what="UTF-16: save it as UTF-8")
            return
        if mark == codecs.BOM_UTF8:
            yield Fault(
                where=where,
                line=1,
                what="begins with a byte-order mark, which is ignored: save it as UTF-8 without BOM",
                warning=True,
            )
        else:
            file.seek(0)
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
                begun = file.tell() - len(line)
                while line and not line.endswith(b"\n"):
                    line = file.readline(LONGEST_LINE)
                    if file.tell() - begun > LONGEST_SKIPPED:
                        what = "longer than 256 MiB: neither it nor what comes after is read"
                        yield Fault(where=where, line=number, what=what)
                        return
                yield Fault(where=where, line=number, what="longer than 1 MiB: skipped")
                continue
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as error:
                yield Fault(
                    where=where,
                    line=number,
                    what=f"not UTF-8: byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line",
                )
                continue
            yield Line(number, text.removesuffix("\n").removesuffix("\r"))
