"""A streaming process: `python -m harness.run.worker`, spoken to over its standard input and output.

It ends when its standard input does, so none outlives its run.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.clock import run_punctual
from harness.errors import InputError
from harness.run import pipe
from harness.run.access import access
from harness.run.certificate import watched
from harness.run.folder import read_plan
from harness.run.stream import Prepared, Streamer
from harness.session.transport import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from harness.units import Samples, Seconds


_LET_GO_S: Final[Seconds] = 5.0
"""Longest wait for a conversion to stop that is not wanted any more, s: it looks after every block."""


class _Way:
    """A session's way through the gate, which is in another process."""

    def __init__(self, job: int, say: Callable[[pipe.Heard], None]) -> None:
        self._job = job
        self._say = say
        self.entered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def enter(self) -> bool:
        self._say(pipe.Wants(job=self._job))
        return await self.entered

    def admitted(self) -> None:
        self._say(pipe.Admitted(job=self._job))

    async def again(self, replayed: Samples) -> bool:
        self.entered = asyncio.get_running_loop().create_future()
        self._say(pipe.Again(job=self._job, replayed=replayed))
        return await self.entered

    def leave(self) -> None:
        self._say(pipe.Left(job=self._job))


class Worker:
    """Does what it is told, many jobs at a time."""

    def __init__(self, work: Streamer, say: Callable[[pipe.Heard], None]) -> None:
        self._work = work
        self._say = say
        self._ways: dict[int, _Way] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.converting: set[asyncio.Task[None]] = set()
        """Clips that are being made ready."""

    def hear(self, told: pipe.Told) -> None:
        """Begin what is told."""
        match told:
            case pipe.Prepare():
                task = self._begin(self._prepare(told))
                self.converting.add(task)
                task.add_done_callback(self.converting.discard)
            case pipe.Attempt():
                self._begin(self._attempt(told))
            case pipe.Entered(job=job, may=may):
                if (way := self._ways.get(job)) and not way.entered.done():
                    way.entered.set_result(may)
            case pipe.Orders() | pipe.Finish():
                raise AssertionError(told)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _prepare(self, told: pipe.Prepare) -> None:
        try:
            ready: Prepared = await self._work.prepare(told.slot)
        except InputError as error:
            self._say(pipe.Unreadable(job=told.job, what=str(error)))
        else:
            self._say(pipe.Prepared(job=told.job, length_s=ready.frames.clip.duration))

    async def _attempt(self, told: pipe.Attempt) -> None:
        job = told.job
        way = self._ways[job] = _Way(job, self._say)
        try:
            ready = await self._work.prepare(told.slot)
            done = await self._work.attempt(told.slot, ready, told.number, way)
        except InputError as error:
            self._say(pipe.Broken(job=job, what=error.what, why=error.why, hint=error.hint))
            return
        finally:
            del self._ways[job]
        if done is None:
            self._say(pipe.Attempted(job=job, record=None, ending=None, cost_usd=0.0))
            return
        ending = pipe.EndingSaid(
            retry_after_s=done.ending.retry_after_s,
            unreachable=done.ending.unreachable,
            away=done.ending.away,
        )
        self._say(
            pipe.Attempted(job=job, record=done.record, ending=ending, cost_usd=done.cost_usd)
        )


async def main() -> None:
    """Stream until told to finish, or until the process that tells is gone."""
    voice = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no message
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=pipe.LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    orders = pipe.told(await reader.readline())
    assert isinstance(orders, pipe.Orders)  # noqa: S101 - the first line

    def say(said: pipe.Heard) -> None:
        voice.write(pipe.line(said))

    plan = read_plan(Path(orders.folder))
    given = access(
        plan,
        service=orders.service,
        url=orders.url,
        version=orders.version,
        environment=os.environ,
    )
    work = Streamer(
        plan=plan,
        folder=Path(orders.folder),
        journal=None,
        setups=given.setups,
        endpoint=given.endpoint,
        connect=connect,
        load=given.load,
        client=orders.client,
    )
    worker = Worker(work, say)
    async with watched(work.sessions, work.stood_still) as watch:
        floor = watch.certificate()
        say(pipe.Begun(floor_p50_ms=floor.floor_p50_ms, floor_p99_ms=floor.floor_p99_ms))
        while data := await reader.readline():
            told = pipe.told(data)
            if isinstance(told, pipe.Finish):
                seen = watch.certificate(orders.process, orders.processes)
                say(pipe.Ended(certificate=seen))
                break
            worker.hear(told)
    given.stopped.set()
    if worker.converting:
        await asyncio.wait(worker.converting, timeout=_LET_GO_S)  # no half-made file is to stay
    os._exit(0)  # nobody waits for a thread that is still converting


if __name__ == "__main__":
    run_punctual(main())
