"""A value that must not be seen: keys, tokens, bearer headers."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Final, final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MASK = "[secret]"

SHORTEST = 8
"""Characters below which a value is not looked for in what a peer says: masking `x` or `test` would falsify every
transcript and hide nothing. No service issues keys so short. A run of so many of its characters is masked."""

_TOKENS: Final = "auth_tokens/"
"""How the name of every ephemeral token begins."""

_WORD: Final = re.compile(rf"[!-~]{{{SHORTEST},}}")
"""What is long enough to hold a run; a credential has no blanks and is ASCII, since headers carry it."""

_WORD_BYTES: Final = re.compile(rb"[!-~]{%d,}" % SHORTEST)


@final
class Secret:
    """A string that prints as `[secret]` everywhere; only `reveal()` gives it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself. Call it only where the bytes leave for the service."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        raise TypeError("a secret is not pickled")


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """Return `text` with every run of `SHORTEST` or more characters of every secret masked, for text that a peer may echo.

    A run is enough since the text may have been cut, by the peer or by us. It may come as it is, percent-encoded, or
    within base64.
    """
    return "".join(redact_joined([text], secrets))


def redact_joined(pieces: Sequence[str], secrets: Iterable[Secret]) -> list[str]:
    """Return `pieces` of one text, which somebody will join, so that the whole shows no secret; the mask stands once."""
    masked = list(pieces)
    for secret in secrets:
        for begin, end in reversed(list(_spans("".join(masked), _grams(secret)))):
            _mask(masked, begin, end)
    return masked


def _mask(pieces: list[str], begin: int, end: int) -> None:
    """Put the mask where `begin` is in the text that `pieces` are, instead of what lies between it and `end`."""
    mask, at = MASK, 0
    for number, piece in enumerate(pieces):
        if begin < at + len(piece) and at < end:
            pieces[number] = piece[: max(0, begin - at)] + mask + piece[max(0, end - at) :]
            mask = ""
        at += len(piece)


def redact_bytes(data: bytes, secrets: Iterable[Secret]) -> bytes:
    """Return `data` with every such run overwritten with zeros, for audio that a peer may send."""
    clear = bytearray(data)
    for secret in secrets:
        grams = _grams(secret)
        for word in _WORD_BYTES.finditer(data) if grams else ():
            for begin, end in _spans(word[0].decode("ascii"), grams):
                clear[word.start() + begin : word.start() + end] = bytes(end - begin)
    return bytes(clear)


def _spans(text: str, grams: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Yield where each unbroken run of `grams` begins and ends in `text`, in order."""
    begin = end = 0
    for word in _WORD.finditer(text) if grams else ():
        for at in range(word.start(), word.end() - SHORTEST + 1):
            if text[at : at + SHORTEST] in grams:
                if at > end:
                    if end:
                        yield begin, end
                    begin = at
                end = at + SHORTEST
    if end:
        yield begin, end


@lru_cache(maxsize=8)
def _grams(secret: Secret) -> frozenset[str]:
    """Return every run of `SHORTEST` characters of the ways a secret may be echoed: itself, percent-encoded, within base64.

    Of a header such as `Bearer …` only the credential is a secret, and of a token's name what is behind `auth_tokens/`.
    """
    value = secret.reveal().strip().rpartition(" ")[2].removeprefix(_TOKENS)
    if len(value) < SHORTEST:
        return frozenset()
    forms = (value, quote(value, safe=""), quote(value), *_within_base64(value))
    return frozenset(
        form[at : at + SHORTEST] for form in forms for at in range(len(form) - SHORTEST + 1)
    )


def _within_base64(value: str) -> Iterator[str]:
    """Yield what of `value` shows in the base64 of any text that holds it: three alignments in two alphabets."""
    for before in range(3):
        data = bytes(before) + value.encode()
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(data).decode().rstrip("=")
            # The first characters also code what stands before, the last one what comes after.
            whole = text[(0, 2, 3)[before] : len(text) - (len(data) % 3 != 0)]
            if len(whole) >= SHORTEST:
                yield whole
