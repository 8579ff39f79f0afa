"""Text from others as a terminal may show it.

A transcript, an id or a file's name can hold an escape sequence that repaints the screen, or a bidirectional control
that turns a line around (CVE-2021-42574). Both are written out instead.
"""

from __future__ import annotations

import re

_HOSTILE = re.compile(
    # C0 and C1 controls, separators that break lines, bidirectional controls, byte-order mark, lone surrogates.
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Return `text` on one line with what could harm a terminal escaped: `\x1b`, `\u202e`."""
    return _HOSTILE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
