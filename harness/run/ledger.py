"""The sessions that were begun, written down before the service is asked: one whose end is lost may have cost money.

Knows what a session was to take. Does not know what came of it, which is the journal's to say.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING, Final

import msgspec

from harness.errors import InputError
from harness.run.demand import Demand
from harness.run.folder import BEGUN, UNREADABLE, Slot, slot
from harness.run.lines import numbered_lines
from harness.run.record import UtteranceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_LINES: Final = 10_000
"""Lines after which the file is written anew with what is open alone: a run of a million sessions keeps it small."""


class Stake(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `begun.jsonl`: an attempt at which the service may be asked for a session. Lines of one attempt add up."""

    utterance: str
    dataset: str
    locale: str
    model: str
    repeat: int
    attempt: int
    takes: Demand | None
    """What it is to take, beside what was said before; None: it did not ask after all."""

    at: str
    """When, ISO 8601 UTC."""


Attempt = tuple[Slot, int]


class Ledger:
    """What is begun and has no record yet. One process writes it, the one that holds the journal; OSError as the disk's.

    InputError names a line that cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / BEGUN
        self._fd = -1
        self._lines = 0
        self._broken: OSError | None = None
        self._open: dict[Attempt, Stake] = {}
        self._there = self._path.exists()
        for stake in _stakes(self._path):
            self._note(stake)

    @property
    def open(self) -> int:
        """How many attempts have no record."""
        return len(self._open)

    def begin(self, stake: Stake) -> None:
        """Write `stake` down with one write, which outlives this process at once."""
        if self._broken is not None:
            raise self._broken
        try:
            if self._lines >= MOST_LINES:
                self._rewrite()
            self._write(msgspec.json.encode(stake) + b"\n")
        except OSError as error:
            self._broken = error  # a line behind half a line could not be read back
            raise
        self._note(stake)

    def end(self, record: UtteranceRecord) -> None:
        """Forget an attempt that has its record."""
        self._open.pop((slot(record), record.attempt), None)

    def lost(self, why: str) -> list[UtteranceRecord]:
        """Return a record for each attempt without one; it tells only what the attempt was to take."""
        return [
            UtteranceRecord(
                utterance=stake.utterance,
                dataset=stake.dataset,
                locale=stake.locale,
                model=stake.model,
                repeat=stake.repeat,
                attempt=stake.attempt,
                final=False,
                trace=None,
                outcome="failed_client",
                failure="transient",
                reason=why,
                started_at=stake.at,
                lost=stake.takes,
            )
            for stake in self._open.values()
        ]

    def clear(self) -> None:
        """Remove the file, with half a line at its end: every attempt has its record."""
        self.close()
        self._open.clear()
        if self._there:
            self._path.unlink(missing_ok=True)
            self._there = False

    def close(self) -> None:
        """Leave the file as it is."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._lines = -1, 0

    def _note(self, stake: Stake) -> None:
        key = (stake.dataset, stake.utterance, stake.model, stake.repeat), stake.attempt
        before = self._open.pop(key, None)
        if stake.takes is None:
            return
        if before is not None and before.takes is not None:
            stake = msgspec.structs.replace(before, takes=before.takes + stake.takes)
        self._open[key] = stake

    def _write(self, data: bytes) -> None:
        if self._fd < 0:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            self._fd = os.open(self._path, flags, 0o644)
            self._there = True
        if os.write(self._fd, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._lines += 1

    def _rewrite(self) -> None:
        """Write what is open alone, whole or not at all."""
        self.close()
        part = self._path.with_name(BEGUN + ".part")
        part.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in self._open.values()))
        part.replace(self._path)


def _stakes(path: Path) -> Iterator[Stake]:
    """Yield what an earlier sitting wrote; a torn last line is passed over, since its session was never asked for.

    InputError names any other that cannot be read: its session may have been paid.
    """
    decode = msgspec.json.Decoder(Stake).decode
    with contextlib.suppress(FileNotFoundError):
        for number, line in numbered_lines(path):
            if not line.endswith(b"\n"):
                return
            try:
                yield decode(line)
            except UNREADABLE as error:
                raise InputError(
                    f"{path}:{number}: not a readable line of what is begun",
                    why=str(error),
                    hint="remove that line: what its session may have cost is then in no sum",
                ) from error
