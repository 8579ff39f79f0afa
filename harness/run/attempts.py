"""A run's attempts as a sequence: each is read from the journal when it is asked for, and only where it lies is kept.

A million records take gigabytes as objects, and a report looks at one after the other. Knows the journal; does not know what
was begun and has no line there.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, overload

from harness.errors import InputError
from harness.run.folder import JOURNAL, iter_journal, record_of, slot
from harness.run.lines import numbered_lines
from harness.run.record import UtteranceRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.run.folder import Slot
    from harness.run.record import Plan


class Attempts(Sequence[UtteranceRecord]):
    """The journal of the run in `folder`, as far as it is written when this is made; InputError as `iter_journal`."""

    behind: Sequence[UtteranceRecord] = ()
    """What follows the journal's: attempts that have no line in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / JOURNAL
        self._ends = array("q")
        self._fd = -1
        end = 0
        try:
            self._fd = os.open(self._path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            for _, line in numbered_lines(self._path):
                if line.endswith(b"\n"):
                    self._ends.append(end := end + len(line))
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read", why=str(error)) from error

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def __len__(self) -> int:
        return len(self._ends) + len(self.behind)

    def __iter__(self) -> Iterator[UtteranceRecord]:
        return chain(islice(iter_journal(self._folder), len(self._ends)), self.behind)

    @overload
    def __getitem__(self, place: int) -> UtteranceRecord: ...

    @overload
    def __getitem__(self, place: slice) -> list[UtteranceRecord]: ...

    def __getitem__(self, place: int | slice) -> UtteranceRecord | list[UtteranceRecord]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        if place >= len(self._ends):
            return self.behind[place - len(self._ends)]
        start = self._ends[place - 1] if place else 0
        try:
            line = os.pread(self._fd, self._ends[place] - start, start)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read", why=str(error)) from error
        return record_of(line, f"{self._path}:{place + 1}")


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
        """Records of what the plan does not ask for."""

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
