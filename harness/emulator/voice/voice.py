"""What can speak: the interface of voices, and the synthesiser in a process of its own, seen from the event loop.

A native library that is given any text a client sends does not belong into the process that holds everybody's
sockets. When its process dies, the session that it spoke for is told, and the next one gets a new process.
Knows pipes and locales; does not know how speech is made (that is `pico`), nor sessions.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from typing import Final, Protocol

import msgspec

from harness.emulator import pipe
from harness.emulator.voice.pico import Order
from harness.errors import HarnessError
from harness.wire.live import voices


class VoiceLostError(HarnessError):
    """The process that speaks has died over what it was to say."""


class Voice(Protocol):
    """A synthesiser as conversations see it."""

    name: str
    """With its version, as reports show it."""

    locales: tuple[str, ...]
    """What it speaks, BCP-47."""

    async def speech(self, text: str, *, locale: str, pitch: float) -> bytes:
        """Return `text` spoken: s16le mono 24 kHz, empty when nothing in it can be said. VoiceLostError ends it."""
        ...


DEFAULT_LOCALE: Final = "en-US"


def locale_of(language: str | None, voice: Voice) -> str:
    """Return the locale in which `voice` speaks a language (ISO 639-1), US English when it does not."""
    if language is not None and language != DEFAULT_LOCALE.partition("-")[0]:
        for locale in voice.locales:
            if locale.partition("-")[0] == language:
                return locale
    return DEFAULT_LOCALE


_LOWEST: Final = 0.85
_HIGHEST: Final = 1.2
"""How far a name moves the pitch: a recogniser still understands what it hears."""


def pitch_of(name: str | None) -> float:
    """Return the pitch for the service's voice `name`, 1 being the synthesiser's own: it tells voices apart."""
    names = [one.casefold() for one in voices.NATIVE_AUDIO_VOICES]
    if name is None or name.casefold() not in names[1:]:
        return 1.0
    place = names.index(name.casefold()) / (len(names) - 1)
    return round(_LOWEST + (_HIGHEST - _LOWEST) * place, 3)


# ── The synthesiser ──────────────────────────────────────────────────────────────────────────────────────────────────


LONGEST_S: Final = 30.0
"""A phrase that takes longer, which is a thousand times as long as usual, is given up."""


def installed() -> bool:
    """Return whether this machine has a voice, without loading it."""
    return importlib.util.find_spec("py_nanotts") is not None


_NO_LEFTOVERS: Final = {"MALLOC_PERTURB_": "255"}
"""Pico reads memory that it has not written, so that how a phrase sounds, and how long it is, would hang on what was said
before. glibc hands out zeros with this (mallopt(3), M_PERTURB), as they are in a process that has said nothing yet."""


class RemoteVoice:
    """SVOX Pico in a child process, which begins with `start`, or when somebody speaks. `stop` it in the end."""

    locales: tuple[str, ...] = ("de-DE", "en-GB", "en-US", "es-ES", "fr-FR", "it-IT")

    def __init__(self) -> None:
        from importlib.metadata import version

        self.name = f"pico (py-nanotts {version('py-nanotts')})"
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._orders: set[asyncio.Task[bytes]] = set()

    async def speech(self, text: str, *, locale: str, pitch: float) -> bytes:
        """Return `text` spoken."""
        order = msgspec.msgpack.encode(Order(text=text, locale=locale, pitch=pitch))
        # Who no longer waits must not leave half an answer in the pipe.
        task = asyncio.create_task(self._ask(order))
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """End the process and wait for its end."""
        for task in self._orders:
            task.cancel()
        await asyncio.gather(*self._orders, return_exceptions=True)
        await self._end()

    async def _ask(self, order: bytes) -> bytes:
        async with self._turn:
            process = await self.start()
            assert process.stdin is not None  # noqa: S101 - they were asked for
            assert process.stdout is not None  # noqa: S101
            try:
                process.stdin.write(pipe.parcel(order))
                async with asyncio.timeout(LONGEST_S):
                    return await pipe.received(process.stdout)
            except (asyncio.IncompleteReadError, TimeoutError, OSError) as error:
                await self._end()
                raise VoiceLostError(f"the voice {self.name} died") from error

    async def start(self) -> asyncio.subprocess.Process:
        """Return the process, begun if there is none; it need not be able to speak yet."""
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "harness.emulator.voice.pico"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=os.environ | _NO_LEFTOVERS,
                start_new_session=True,  # Ctrl-C is for the server, which ends this process itself
            )
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            # It keeps nothing, so there is nothing to wait for.
            process.kill()
        await process.wait()
