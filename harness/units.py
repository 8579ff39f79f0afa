"""The units that numbers carry between rooms, and how people read them."""

from __future__ import annotations

import re
from typing import TypeAlias

Seconds: TypeAlias = float
Milliseconds: TypeAlias = float
Samples: TypeAlias = int
Usd: TypeAlias = float

SAMPLE_RATE: Samples = 16_000
"""Samples a second of everything we stream: the Live API's native input rate (PCM s16le mono)."""

SPEECH_RATE: Samples = 24_000
"""Samples a second of the speech that the Live API gives out (PCM s16le mono)."""

SAMPLE_BYTES = 2
"""Bytes of one sample of 16-bit PCM."""


def duration_text(seconds: Seconds) -> str:
    """Return a duration as a person writes it: `3.4 s`, `2 min 05 s`, `1 h 52 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def rough_text(seconds: Seconds) -> str:
    """Return an estimated duration, in whole seconds at the finest: `38 s`, `2 min 05 s`, `1 h 52 min`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else duration_text(whole)


def count_text(number: int, noun: str) -> str:
    """Return a number of things, in words that agree with it: `1 locale`, `1,200 utterances`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def pointed(text: str) -> str | None:
    """Return a number that is written with a decimal comma as it is with a point: `1,5` as `1.5`; None: it is none."""
    return text.strip().replace(",", ".") if re.fullmatch(r"\s*[+-]?\d*,\d+\s*", text) else None


def percent_text(rate: float | None) -> str:
    """Return a rate as people read it: `7.4 %`; a dash when there is none."""
    return "–" if rate is None else f"{rate * 100:.1f} %"


def usd_text(usd: Usd) -> str:
    """Return an amount in US dollars with the digits that matter: `$0.0031`, `$12.40`."""
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"
