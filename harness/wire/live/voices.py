"""The voices that the Live API's models speak with.

Standard library only, so that `--help` may read it. Knows names; what a voice of the emulator sounds like, it does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.wire.live.catalogue import Kind

DEFAULT_VOICE = "Puck"
"""Source: Live API capabilities guide."""

HALF_CASCADE_VOICES: tuple[str, ...] = (
    "Puck",
    "Charon",
    "Kore",
    "Fenrir",
    "Aoede",
    "Leda",
    "Orus",
    "Zephyr",
)
"""Source: Live API capabilities guide."""

NATIVE_AUDIO_VOICES: tuple[str, ...] = (
    *HALF_CASCADE_VOICES,
    "Achernar",
    "Achird",
    "Algenib",
    "Algieba",
    "Alnilam",
    "Autonoe",
    "Callirrhoe",
    "Despina",
    "Enceladus",
    "Erinome",
    "Gacrux",
    "Iapetus",
    "Laomedeia",
    "Pulcherrima",
    "Rasalgethi",
    "Sadachbia",
    "Sadaltager",
    "Schedar",
    "Sulafat",
    "Umbriel",
    "Vindemiatrix",
    "Zubenelgenubi",
)
"""The list of the speech generation guide. Source: livekit-plugins-google."""


def voices(kind: Kind) -> tuple[str, ...]:
    """Return the voices a model of this kind has."""
    return HALF_CASCADE_VOICES if kind == "half-cascade" else NATIVE_AUDIO_VOICES
