"""A run's attempts as a sequence: each is read from the journal when it is asked for, and only its place there is kept.

A million records take gigabytes as objects, and a report looks at one after the other. Knows the journal; does not know what
was begun and has no line there.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, overload
from zlib import crc32

from harness.errors import InputError
from harness.run.folder import JOURNAL, record_of, slot
from harness.run.lines import numbered_lines
from harness.run.record import UtteranceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.run.folder import Slot
    from harness.run.record import Plan


class Attempts(Sequence[UtteranceRecord]):
    """The attempts in the journal of the run in `folder`, as it is when this is made, and those `behind` it.

    They stay what they are while a run writes on, mends a torn end, or the journal is removed. Making and reading raise
    InputError: the journal cannot be read, or a line of it is none of ours or was changed meanwhile. A missing journal is an
    empty one, and a torn last line no attempt.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self._ends = array("q")
        self._sums = array("I")
        self._fd = -1
        self.behind: Sequence[UtteranceRecord] = ()
        """Attempts that have no line in the journal: they follow its own."""

        self.lacks: tuple[str, ...] = ()
        """What the journal had lost when it was opened, in words: itself, or its end."""

        try:
            self._fd = os.open(self._path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            self._find()
        except FileNotFoundError:
            self.lacks = (
                f"{JOURNAL} is missing: nothing is known of any session, until the same command takes up their traces.",
            )
        except OSError as error:
            raise self._unreadable(error) from error

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def __len__(self) -> int:
        return len(self._ends) + len(self.behind)

    def __iter__(self) -> Iterator[UtteranceRecord]:
        return chain(map(self._read, range(len(self._ends))), self.behind)

    @overload
    def __getitem__(self, place: int) -> UtteranceRecord: ...

    @overload
    def __getitem__(self, place: slice) -> list[UtteranceRecord]: ...

    def __getitem__(self, place: int | slice) -> UtteranceRecord | list[UtteranceRecord]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        own = len(self._ends)
        return self._read(place) if place < own else self.behind[place - own]

    def _find(self) -> None:
        """Note where each line ends, and a sum of its bytes."""
        end = 0
        for _, line in numbered_lines(self._path, self._fd):
            if not line.endswith(b"\n"):
                # Were it whole a moment later, it would not begin where this ends.
                self.lacks = (
                    f"{JOURNAL} ends in the midst of a line: that session counts as never attempted, until the same command takes up its trace.",
                )
                return
            self._ends.append(end := end + len(line))
            self._sums.append(crc32(line))

    def _read(self, place: int) -> UtteranceRecord:
        """Return the record of the line at `place`."""
        start = self._ends[place - 1] if place else 0
        try:
            line = os.pread(self._fd, self._ends[place] - start, start)
        except OSError as error:
            raise self._unreadable(error) from error
        if crc32(line) != self._sums[place]:
            raise InputError(
                f"{self._path}:{place + 1}: is not the line any more that it was",
                why="somebody changed the journal while it was read",
                hint="give the same command again",
            )
        return record_of(line, self._path, place + 1)

    def _unreadable(self, error: OSError) -> InputError:
        return InputError(f"{self._path}: cannot be read", why=str(error))


def lacking(records: Sequence[UtteranceRecord]) -> tuple[str, ...]:
    """Return in words what the journal that `records` are read from has lost; nothing where they are from no journal."""
    return records.lacks if isinstance(records, Attempts) else ()


class Slots:
    """Where in `records` the attempts at each part of `plan` are, a few bytes each."""

    def __init__(self, plan: Plan, records: Sequence[UtteranceRecord]) -> None:
        self._utterances: dict[str, dict[str, int]] = {}
        for at, one in enumerate(plan.utterances):
            self._utterances.setdefault(one.dataset, {})[one.id] = at
        self._models = {model: at for at, model in enumerate(plan.models)}
        self._repeats = plan.repeats
        self._wide = len(plan.utterances)
        every = self._wide * len(plan.models) * plan.repeats
        self._first = array("q", [-1]) * every
        self._more: dict[int, list[int]] = {}
        self.foreign = 0
        """How many records are of what the plan does not ask for."""

        for at, record in enumerate(records):
            number = self._number(slot(record))
            if number is None:
                self.foreign += 1
            elif self._first[number] < 0:
                self._first[number] = at
            else:
                self._more.setdefault(number, []).append(at)

    def places(self, wanted: Slot) -> list[int]:
        """Return the places of the attempts at a part of the plan, in their order; none where there is no such part."""
        number = self._number(wanted)
        if number is None or self._first[number] < 0:
            return []
        return [self._first[number], *self._more.get(number, ())]

    def again(self) -> Iterator[list[int]]:
        """Yield the places of the attempts at each part that has several."""
        for number, more in self._more.items():
            yield [self._first[number], *more]

    def _number(self, wanted: Slot) -> int | None:
        dataset, utterance, model, repeat = wanted
        place = self._utterances.get(dataset, {}).get(utterance)
        column = self._models.get(model)
        if place is None or column is None or not 1 <= repeat <= self._repeats:
            return None
        return ((repeat - 1) * len(self._models) + column) * self._wide + place
