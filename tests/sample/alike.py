"""Whether two run folders hold the same, once everything is decompressed.

Texts must be equal, and so must whole numbers; a number with decimals may differ by one in its last place and by no more
than a part in a thousand million, since processors and their libraries round sums differently. Sound is compared by ear:
encoders have their own ways.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import TYPE_CHECKING

from tests.report.conftest import unpacked

if TYPE_CHECKING:
    from pathlib import Path

_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)")
_PACKED = re.compile(r'(<script type="text/plain" id="(pack|audio)-([^"]+)">)(.*?)(</script>)')
_CLOSE = 1e-9


def differences(made: Path, kept: Path) -> list[str]:
    """Return what differs between two folders, a line each; empty: nothing does."""
    names = {path.relative_to(top).as_posix() for top in (made, kept) for path in top.rglob("*")}
    found = []
    for name in sorted(names):
        ours, theirs = made / name, kept / name
        if ours.exists() != theirs.exists():
            found.append(f"{name}: {'new' if ours.exists() else 'gone'}")
        elif ours.is_file() and ours.read_bytes() != theirs.read_bytes():
            found += _unlike(name, ours, theirs)
    return found


def _unlike(name: str, ours: Path, theirs: Path) -> list[str]:
    """Return where two files differ."""
    found = []
    if not alike(_text(ours), _text(theirs)):
        found.append(f"{name}: says something else")
    for place, (mine, other) in enumerate(zip(_audio(ours), _audio(theirs), strict=False)):
        if mine != other and not _sound_alike(mine, other):
            found.append(f"{name}: clip {place} sounds different")
    return found


def alike(one: str, other: str) -> bool:
    """Return whether two texts are equal but for the last digits of their numbers."""
    if one == other:
        return True
    ours, theirs = _NUMBER.split(one), _NUMBER.split(other)
    return len(ours) == len(theirs) and all(map(_close, ours, theirs))


def _close(one: str, other: str) -> bool:
    if one == other:
        return True
    if not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)):
        return False
    decimals = min(len(text.partition(".")[2].partition("e")[0]) for text in (one, other))
    if "e" not in one + other and not decimals:
        return False
    apart = abs(float(one) - float(other))
    return apart <= _CLOSE * abs(float(one)) or (decimals <= 6 and apart <= 1.01 * 10.0**-decimals)


def _text(path: Path) -> str:
    """Return a file's text, decompressed; of a page the columns as its script sees them, without its clips."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    if path.suffix != ".html":
        return text

    def plain(found: re.Match[str]) -> str:
        shown = ""
        if found[2] == "pack":
            shown = json.dumps(unpacked(text, found[3]), ensure_ascii=False)
        return found[1] + shown + found[5]

    return _PACKED.sub(plain, text)


def _audio(path: Path) -> list[str]:
    """Return the clips in a page, as base64."""
    if path.suffix != ".html":
        return []
    return [found[4] for found in _PACKED.finditer(path.read_text()) if found[2] == "audio"]


def _sound_alike(one: str, other: str) -> bool:
    """Return whether two clips have one length and one course."""
    import io

    import numpy as np
    import soundfile

    ours, theirs = (soundfile.read(io.BytesIO(base64.b64decode(text)))[0] for text in (one, other))
    return len(ours) == len(theirs) and float(np.corrcoef(ours, theirs)[0, 1]) > 0.99
