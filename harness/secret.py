"""A value that must not be seen: keys, tokens, bearer headers."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "[secret]"

SHORTEST = 8
"""Characters below which a value is not looked for in what a peer says: masking `x` or `test` would falsify every
transcript and hide nothing. No service issues keys so short."""


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
    """Return `text` with every occurrence of every secret masked, for text that a peer may echo.

    It may come as it is, percent-encoded, or within base64. A value shorter than `SHORTEST` is left. Of a header such as `Bearer …` the credential alone is a secret too.
    """
    for secret in secrets:
        for form in _forms(secret):
            text = text.replace(form, MASK)
    return text


def redact_bytes(data: bytes, secrets: Iterable[Secret]) -> bytes:
    """Return `data` with every occurrence of every secret overwritten with zeros, for audio that a peer may send."""
    for secret in secrets:
        for form in _forms(secret):
            data = data.replace(form.encode(), bytes(len(form.encode())))
    return data


@lru_cache(maxsize=8)
def _forms(secret: Secret) -> tuple[str, ...]:
    """Return how a secret may be echoed, the longest first: itself, its credential, percent-encoded, within base64."""
    value = secret.reveal()
    found: dict[str, None] = {}
    for part in (value, value.rpartition(" ")[2]):
        if len(part) >= SHORTEST:
            found |= dict.fromkeys((part, quote(part, safe=""), quote(part), *_within_base64(part)))
    return tuple(sorted(found, key=len, reverse=True))


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
