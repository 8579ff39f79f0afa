"""An ear in a process of its own, seen from the event loop.

When that process dies, everything that waits for it fails with EarLostError, and so does every session it had heard
something of; it is started once more. Knows pipes; does not know recognisers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from harness.emulator import pipe
from harness.emulator.ear.capacity import Capacity
from harness.emulator.ear.ear import Appetite, EarLostError
from harness.emulator.ear.hearing import Hear, Heard, Leave, Ready, Unable, answer, packed
from harness.errors import HarnessError, InputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RESTARTS: Final = 1
"""How often a process that died is replaced."""

_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""Whichever library multiplies matrices does it on one thread."""

_STOP_S: Final = 2.0
"""How long it may take to end by itself."""


class RemoteEar:
    """A recogniser in a child process. `start` it before use, `stop` it in the end."""

    def __init__(self, ear: str, languages: tuple[str, ...] = ()) -> None:
        self.name = ear
        """As the recogniser calls itself, once it is started."""

        self.appetite = Appetite(piece_s=None)
        """The recogniser's own, once it is started."""

        self.capacity: Capacity | None = None
        """How many sessions it bears, once it is started."""

        self.life = 0
        """Counts the deaths: what a process knew of a session, the next one does not."""

        self._command = [
            sys.executable,
            "-P",
            "-m",
            "harness.emulator.ear.hearing",
            ear,
            *languages,
        ]
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Heard]] = {}
        self._numbers = 0
        self._settled = asyncio.Event()
        """Set while the process can hear, and when there will never be one again."""

        self._over = False

    async def start(self) -> None:
        """Start the process and wait until it can hear; InputError when it cannot."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | _ONE_THREAD,
            start_new_session=True,  # Ctrl-C is for the server, which ends this process itself
        )
        self._process = process
        try:
            first = await _message(process)
        except asyncio.CancelledError:
            await self._end(process)
            raise
        if not isinstance(first, Ready):
            await self._end(process)
            if isinstance(first, Unable):
                raise InputError(first.what, why=first.why, hint=first.hint)
            raise HarnessError(f"the recogniser {self.name} died while it was loading")
        self.name, self.appetite = first.name, first.appetite
        # A process that takes a dead one's place runs on the same machine, which the capacity knows by then.
        self.capacity = self.capacity or Capacity(first.real_time_factor)
        self._reader = asyncio.create_task(self._read(process))
        self._settled.set()

    async def stop(self) -> None:
        """End the process and wait for its end."""
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, HarnessError):
                await self._reader
        self._give_up()
        if self._process is not None:
            await self._end(self._process)

    def listen(
        self, languages: tuple[str, ...] = (), vocabulary: tuple[str, ...] = ()
    ) -> RemoteListening:
        """Return an ear for a new session."""
        self._numbers += 1
        return RemoteListening(self, self._numbers, languages, vocabulary)

    # ── for a session's ear ──────────────────────────────────────────────────────────────────────────────────────────

    async def ask(
        self,
        session: int,
        pcm: bytes,
        *,
        last: bool,
        languages: tuple[str, ...],
        vocabulary: tuple[str, ...],
    ) -> Heard:
        """Return what a piece of audio adds; EarLostError when it is lost."""
        await self._settled.wait()
        if self._over:
            raise EarLostError(f"the recogniser {self.name} is not running")
        self._numbers += 1
        number = self._numbers
        future: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._write(
            Hear(
                session=session,
                request=number,
                pcm=pcm,
                last=last,
                languages=languages,
                vocabulary=vocabulary,
            )
        )
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    def leave(self, session: int) -> None:
        """Tell the process that a session is over."""
        if self._settled.is_set() and not self._over:
            self._write(Leave(session=session))

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _write(self, message: Hear | Leave) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(packed(message))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Hand out the answers until the process dies; then lose what waits, and start anew."""
        while (message := await _message(process)) is not None:
            if isinstance(message, Heard):
                if self.capacity is not None:
                    self.capacity.heard(message.audio_s, message.took_s)
                future = self._waiting.pop(message.request, None)
                if future is not None and not future.done():
                    future.set_result(message)
        self.life += 1
        self._settled.clear()
        self._lose()
        await self._end(process)
        if self.life > RESTARTS:
            self._give_up()
            return
        try:
            await self.start()
        except HarnessError:
            self._give_up()
            raise

    def _lose(self) -> None:
        """Fail what waits for an answer."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(EarLostError(f"the recogniser {self.name} died"))

    def _give_up(self) -> None:
        self._over = True
        self._settled.set()
        self._lose()

    @staticmethod
    async def _end(process: asyncio.subprocess.Process) -> None:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


class RemoteListening:
    """One session's ear."""

    def __init__(
        self,
        ear: RemoteEar,
        session: int,
        languages: tuple[str, ...],
        vocabulary: tuple[str, ...],
    ) -> None:
        self._ear = ear
        self._session = session
        self._languages = languages
        self._vocabulary = vocabulary
        self._life = ear.life
        self.language: str | None = None

    async def hear(self, pcm: bytes, *, last: bool) -> AsyncIterator[str]:
        """Yield the text that `pcm` adds, if any; EarLostError when the process died since the session began."""
        if self._life != self._ear.life:
            raise EarLostError(f"the recogniser {self._ear.name} died in this session")
        heard = await self._ear.ask(
            self._session,
            pcm,
            last=last,
            languages=self._languages,
            vocabulary=self._vocabulary,
        )
        self.language = heard.language
        if heard.text:
            yield heard.text

    def leave(self) -> None:
        """Nobody waits any more."""
        if self._life == self._ear.life:
            self._ear.leave(self._session)


async def _message(process: asyncio.subprocess.Process) -> Ready | Unable | Heard | None:
    """Return the process's next message; None: it has died, or talks nonsense."""
    assert process.stdout is not None  # noqa: S101 - it was asked for
    try:
        return answer(await pipe.received(process.stdout))
    except (asyncio.IncompleteReadError, msgspec.DecodeError):
        return None
