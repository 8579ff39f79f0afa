"""`EditCounts`: how two texts differ, as counts that add; rates are derived from the sums.

Knows numbers; does not know texts.
"""

from __future__ import annotations

import msgspec


class EditCounts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Tokens of one minimal alignment, by what happened to them. A sum of counts is the counts of the whole."""

    hits: int = 0
    """Tokens that are equal."""

    substitutions: int = 0
    """Tokens of the reference that became another."""

    deletions: int = 0
    """Tokens of the reference that are missing."""

    insertions: int = 0
    """Tokens of the hypothesis that nobody said."""

    @classmethod
    def zero(cls) -> EditCounts:
        """Return the counts of nothing: what a sum starts from."""
        return cls()

    def __add__(self, other: EditCounts) -> EditCounts:
        return EditCounts(
            hits=self.hits + other.hits,
            substitutions=self.substitutions + other.substitutions,
            deletions=self.deletions + other.deletions,
            insertions=self.insertions + other.insertions,
        )

    @property
    def errors(self) -> int:
        """S + D + I."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def reference_tokens(self) -> int:
        """N = H + S + D."""
        return self.hits + self.substitutions + self.deletions

    @property
    def hypothesis_tokens(self) -> int:
        """M = H + S + I."""
        return self.hits + self.substitutions + self.insertions

    @property
    def rate(self) -> float | None:
        """Error rate (S + D + I) / N, which may exceed 1; None iff the reference is empty."""
        return self.errors / self.reference_tokens if self.reference_tokens else None

    @property
    def match_error_rate(self) -> float | None:
        """MER = (S + D + I) / (H + S + D + I), within 0 and 1; None when both texts are empty (Morris et al. 2004)."""
        total = self.hits + self.errors
        return self.errors / total if total else None

    @property
    def information_preserved(self) -> float | None:
        """WIP = H/N · H/M, within 0 and 1; None iff the reference is empty (Morris et al. 2004)."""
        if not self.reference_tokens:
            return None
        if not self.hypothesis_tokens:
            return 0.0
        return self.hits / self.reference_tokens * (self.hits / self.hypothesis_tokens)

    @property
    def information_lost(self) -> float | None:
        """WIL = 1 - WIP; None iff the reference is empty."""
        preserved = self.information_preserved
        return None if preserved is None else 1 - preserved
