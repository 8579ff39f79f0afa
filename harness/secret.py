"""A value that must not be seen: keys, tokens, bearer headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Iterable

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

    A value shorter than `SHORTEST` is left. Of a header such as `Bearer …` the credential alone is a secret too.
    """
    for secret in secrets:
        value = secret.reveal()
        for part in (value, value.rpartition(" ")[2]):
            if len(part) >= SHORTEST:
                text = text.replace(part, MASK)
    return text
