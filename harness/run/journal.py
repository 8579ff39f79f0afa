"""The journal: one line per finished attempt, written at once by one writer, on the disk at most a second later.

An attempt that was begun and never finished, since a process was ended meanwhile, gets its line too: what its trace says, or
that it may have cost what it was to cost. So does one whose line was lost, where its trace lies there.
"""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from harness.errors import BusyError, InputError
from harness.run.folder import BEGUN, JOURNAL, iter_journal, unwritable
from harness.run.ledger import Ledger
from harness.run.lines import LINE_BYTES, cut_torn_line
from harness.run.orphans import found, unrecorded
from harness.run.record import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from harness.run.ledger import Stake
    from harness.run.record import UtteranceRecord
    from harness.units import Seconds

SYNC_EVERY_S: Final[Seconds] = 1.0

USAGE_BYTES: Final = 2**16
"""Longest usage that is kept of a session whose record no line holds; one that is longer is a service's prank."""

KILLED: Final = "the run was killed while this session was open"
STOPPED: Final = "the run ended while this session was open"
"""Reasons of what was begun and has no end."""


class Journal:
    """The one writer of a run folder's journal. Use it as a context manager: it holds the folder's lock.

    Raises `InputError` when another process runs in the folder, when it cannot be written, and when the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / JOURNAL
        self._ledger: Ledger
        self._fd = -1
        self._unsynced = False
        self._broken: OSError | None = None

    def __enter__(self) -> Self:
        try:
            self._fd = os.open(
                self._path,
                os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0),
                0o644,
            )
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written", why=error.strerror) from error
        if not _lock(self._fd):
            os.close(self._fd)
            raise BusyError(
                f"{self._path.parent}: another run is at work in this folder",
                hint="wait for it, or choose another --out",
            )
        try:
            cut_torn_line(self._fd)  # its trace takes its place, or its session is run again
            self._take_up()
        except BaseException:
            os.close(self._fd)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._settle(STOPPED)
        finally:
            self._ledger.close()
            os.close(self._fd)  # and with it the lock

    def begin(self, stake: Stake) -> None:
        """Write down that the service is about to be asked for a session, or for more of one."""
        try:
            self._ledger.begin(stake)
        except OSError as error:
            raise unwritable(self._folder, BEGUN, error) from error

    def append(self, record: UtteranceRecord) -> None:
        """Write `record` as one line with one write, as far as a line holds it."""
        line = msgspec.json.encode(record) + b"\n"
        if len(line) >= LINE_BYTES:
            line = msgspec.json.encode(as_written(record)) + b"\n"
        try:
            if self._broken is not None:
                raise self._broken
            # Somebody removed it: what is written there is in no folder.
            if not os.fstat(self._fd).st_nlink:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))  # noqa: TRY301 - as opening it would say
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301 - as the next write would say
        except OSError as error:
            self._broken = error  # a line behind half a line could not be read back
            raise unwritable(self._folder, JOURNAL, error) from error
        self._unsynced = True
        self._ledger.end(record)

    def _take_up(self) -> None:
        """Open the ledger, settle what an earlier sitting left in it, and tell again what the journal has lost."""
        try:
            self._ledger = Ledger(self._folder)
        except OSError as error:
            raise InputError(
                f"{self._folder / BEGUN}: cannot be read", why=error.strerror
            ) from error
        if self._ledger.open:
            for record in iter_journal(self._folder):
                self._ledger.end(record)
        self._settle(KILLED)
        for record in unrecorded(self._folder, iter_journal(self._folder)):
            self.append(record)

    def _settle(self, why: str) -> None:
        """Give every attempt that was begun its record, and bring all onto the disk."""
        for record in found(self._folder, self._ledger.lost(why), iter_journal(self._folder)):
            self.append(record)
        try:
            _sync(self._fd)
            self._ledger.clear()
        except OSError as error:
            raise unwritable(self._folder, JOURNAL, error) from error

    async def keep_synced(self) -> None:
        """Bring what was written onto the disk every second, off the loop, until cancelled."""
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            if self._unsynced:
                self._unsynced = False
                try:
                    await asyncio.to_thread(_sync, self._fd)
                except OSError as error:
                    self._broken = error


def _sync(fd: int) -> None:
    """Bring a file's bytes onto the disk; OSError as the disk's. macOS has no `fdatasync`."""
    getattr(os, "fdatasync", os.fsync)(fd)


def as_written(record: UtteranceRecord) -> UtteranceRecord:
    """Return `record` as the journal tells it: of one that no line holds, which attempt it was and what it cost.

    Its session is not judged.
    """
    size = len(msgspec.json.encode(record)) + 1
    if size < LINE_BYTES:
        return record
    told = f"its record takes {size / 2**20:.1f} MiB, more than a line of the journal may: what was said is in its trace"
    small = len(msgspec.json.encode(record.usage)) < USAGE_BYTES
    return msgspec.structs.replace(
        record,
        outcome="failed_client",
        failure="client",
        reason=told,
        hypothesis=None,
        seam_at=(),
        replays=(),
        usage=record.usage if small else Usage(),
        exchange=None,
        violations=(),
    )


def _lock(fd: int) -> bool:
    """Return whether this process now holds the file alone, until it is closed."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        import msvcrt as windows

        msvcrt: Any = windows
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
