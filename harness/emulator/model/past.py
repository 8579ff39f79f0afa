"""The turns of a session that are over, with a running sum of their tokens: a turn costs the same, however many went before.

Copies share what they have in common, since every handle stands for the past as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def _nothing() -> list[Mapping[str, int]]:
    return [{}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The turns that are remembered. It never changes: with a turn more or fewer it is another past."""

    sums: list[Mapping[str, int]] = field(default_factory=_nothing)
    """Tokens by modality of all turns before each, and of all; shared with other pasts, and only ever added to."""

    spoken: list[str] = field(default_factory=list)
    """What is remembered of each turn; shared as `sums` are."""

    first: int = 0
    """The first turn of the shared ones that is remembered."""

    end: int = 0
    """The first that is not of this past any more."""

    def __len__(self) -> int:
        """Return how many turns are remembered."""
        return self.end - self.first

    @property
    def tokens(self) -> dict[str, int]:
        """The tokens of all turns that are remembered, by modality."""
        gone = self.sums[self.first]
        return {name: count - gone.get(name, 0) for name, count in self.sums[self.end].items()}

    @property
    def words(self) -> list[str]:
        """What is remembered of each turn, oldest first."""
        return self.spoken[self.first : self.end]

    def then(self, tokens: Mapping[str, int], words: str) -> Past:
        """Return this past and one turn more."""
        if len(self.spoken) > self.end:
            # Another connection has resumed this session, and went on otherwise.
            return self._alone(self.first).then(tokens, words)
        before = self.sums[self.end]
        names = (*before, *tokens)
        self.sums.append({name: before.get(name, 0) + tokens.get(name, 0) for name in names})
        self.spoken.append(words)
        return replace(self, end=self.end + 1)

    def without(self, tokens: int) -> Past:
        """Return this past less its oldest turns: as many as have so many tokens at least, or all."""
        first, gone = self.first, sum(self.sums[self.first].values())
        while first < self.end and sum(self.sums[first].values()) - gone < tokens:
            first += 1
        # Where half is gone or more, what nobody needs is let go.
        return self._alone(first) if 2 * first > self.end else replace(self, first=first)

    def _alone(self, first: int) -> Past:
        """Return this past from turn `first` on, with turns of its own."""
        sums, spoken = self.sums[first : self.end + 1], self.spoken[first : self.end]
        return Past(sums=sums, spoken=spoken, end=self.end - first)
