"""The process that speaks: `python -m harness.emulator.voice.pico`, SVOX Pico through py-nanotts.

Through its `pipe` come orders in MessagePack, and speech goes as PCM. It ends with its standard input. Knows text and
PCM; does not know who speaks.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

import msgspec

from harness.audio.stream import StreamResampler
from harness.emulator import pipe
from harness.units import SAMPLE_RATE, SPEECH_RATE

_VOLUME: Final = 0.55
"""At its own volume Pico cuts off the loudest peaks."""

_MARKUP: Final = str.maketrans(dict.fromkeys("<>", " "))
"""Pico takes what stands between these for commands."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Something to say."""

    text: str
    locale: str
    pitch: float
    """1 is the voice's own."""


def speech(pico: Any, order: Order) -> bytes:
    """Return what is ordered, spoken by `pico`: s16le mono 24 kHz; empty when nothing in it can be said."""
    try:
        pcm: bytes = pico.speak(
            _sayable(order.text), voice=order.locale, pitch=order.pitch, volume=_VOLUME
        )
    except RuntimeError:
        # “error in processing unit”: some heaps of symbols.
        return b""
    resampler = StreamResampler(SAMPLE_RATE, SPEECH_RATE)
    return resampler.feed(pcm) + resampler.flush()


def _sayable(text: str) -> str:
    """Return `text` without what Pico takes for commands or for its end."""
    return "".join(one if one.isprintable() else " " for one in text.translate(_MARKUP))


def main() -> None:
    """Say what is ordered until standard input ends."""
    from py_nanotts import NanoTTS

    out = pipe.own_output()
    pico = NanoTTS()
    # Whoever speaks first does not wait for what is loaded on first use.
    speech(pico, Order(text="a", locale="en-US", pitch=1.0))
    with contextlib.suppress(BrokenPipeError):
        for order in pipe.orders():
            out.write(pipe.parcel(speech(pico, msgspec.msgpack.decode(order, type=Order))))
            out.flush()


if __name__ == "__main__":
    main()
