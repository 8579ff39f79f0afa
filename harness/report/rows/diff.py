"""How a transcript differs from its reference, piece by piece: as a page shows it, and as one text.

A run keeps its alignments as texts, a tenth of the memory that the pieces would take; a page's data has them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from harness.score.score import TOKENS, WORD_METRICS
from harness.text.tokenise import characters, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Piece = tuple[str, str | None, str | None]
"""A run of an alignment: operation (`= S D I`), reference text, hypothesis text; None on the missing side."""

SPACED = WORD_METRICS | {"MixER"}
"""Metrics whose tokens are words, or words among characters; the others' are letters that join."""

_PIECE: Final = "\x1e"
_SIDE: Final = "\x1f"
"""What parts the pieces of a text, and the two sides of a substitution."""


def merged(alignment: Iterable[Piece], *, spaced: bool) -> tuple[Piece, ...]:
    """Return `alignment` with runs joined, so that pages stay small and letters join as their script wants.

    Of words (`spaced`), runs of hits become one text with spaces and every error stays a piece of its own; of
    characters, every run of one operation becomes one text.
    """
    joint = " " if spaced else ""
    pieces: list[Piece] = []
    for operation, run in groupby(alignment, itemgetter(0)):
        if spaced and operation != "=":
            pieces += run
        else:
            _, said, heard = zip(*run, strict=True)
            pieces.append((operation, _joined(joint, said), _joined(joint, heard)))
    return tuple(pieces)


def _joined(joint: str, side: Sequence[str | None]) -> str | None:
    """Return one side of a run as one text; None: nothing was said, or nothing heard."""
    return None if side[0] is None else joint.join(filter(None, side))


def tokenwise(pieces: Iterable[Piece], metric: str) -> list[Piece]:
    """Return a merged alignment token by token again."""
    tokens = words if metric in WORD_METRICS else TOKENS.get(metric, characters)
    steps: list[Piece] = []
    for operation, said, heard in pieces:
        of_said: Iterable[str | None] = repeat(None) if said is None else tokens(said)
        of_heard: Iterable[str | None] = repeat(None) if heard is None else tokens(heard)
        steps += zip(repeat(operation), of_said, of_heard, strict=False)
    return steps


def written(pieces: Iterable[Piece]) -> str:
    """Return pieces as one text: operation, reference, and of a substitution the hypothesis.

    What is equal or was only said has one text; separators within the texts become spaces.
    """
    return _PIECE.join(
        op + (_plain(said) + _SIDE + _plain(heard) if op == "S" else _plain(said or heard))
        for op, said, heard in pieces
    )


def _plain(text: str | None) -> str:
    return (text or "").replace(_PIECE, " ").replace(_SIDE, " ")


def pieces(text: str) -> list[Piece]:
    """Return the pieces that `written` wrote."""
    return [_piece(part) for part in text.split(_PIECE)] if text else []


def _piece(part: str) -> Piece:
    op, said = part[0], part[1:]
    match op:
        case "=":
            return op, said, said
        case "S":
            return op, *said.split(_SIDE)  # type: ignore[return-value]  # two, as written
        case "D":
            return op, said, None
        case _:
            return op, None, said


@dataclass(frozen=True, slots=True)
class Steps:
    """An alignment, token by token, each time it is gone over; held as its text."""

    text: str
    metric: str

    def __iter__(self) -> Iterator[Piece]:
        """Yield the pieces of `tokenwise`."""
        return iter(tokenwise(pieces(self.text), self.metric))
