"""A value that must not be seen: keys, tokens, bearer headers; and where a text shows one.

A peer may echo a secret in many ways. So what it says is searched without blanks and without what is no ASCII, and with
JSON's escapes, percent-encoding and HTML's numeric references decoded; and it is searched for the secret as it is, and as
base64 and hex show it. The search is numpy's: `SHORTEST` characters are one machine word, so a hostile message of any size
costs a few nanoseconds a character, and leaves the interpreter to others. numpy is slow to begin, so a small text without
any escape, as nearly all are, is first searched for halves of such words, without numpy.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MASK = "[secret]"

SHORTEST: Final = 8
"""Characters below which a value is not looked for in what a peer says: masking `x` or `test` would falsify every
transcript and hide nothing. No service issues keys so short. A run of so many of its characters is masked."""

_TOKENS: Final = "auth_tokens/"
"""How the name of every ephemeral token begins."""

_BLOCK: Final = 2**16
"""Characters looked through at a time, so that memory is bounded."""

_ESCAPE: Final = 6
"""Characters of JSON's longest escape, `\\u0041`."""

_SMALL: Final = 2**13
"""Bytes of the largest text that is looked at by halves first: of a larger one numpy is faster."""

_HALF: Final = SHORTEST // 2

_REFERENCES: Final = (
    (2, 10, 2), (2, 10, 3), (2, 10, 4), (3, 16, 2), (3, 16, 4)
)  # fmt: skip
"""HTML's numeric references, `&#65;` to `&#x0041;`: characters before the digits, base, digits."""

_REFERENCE: Final = 8
"""Characters of the longest of them."""

_CARRIED: Final = _REFERENCE * SHORTEST
"""Characters of a block that the next one needs, to see a run that begins in one and ends in the other: each may be
percent-encoded or a reference."""

_MOST_SPANS: Final = 1000
"""Places masked in a text. Who says a secret more often is not quoted any further: the rest is masked as one."""

_SPREAD: Final = 0x9E3779B97F4A7C15
"""2⁶⁴ over the golden ratio: spreads words over the sieve (Knuth, TAOCP 3, 6.4)."""

_DELETE: Final = 127
"""Code of the first character behind the visible ones."""

_UNSEEN: Final = bytes(code for code in range(256) if not ord(" ") < code < _DELETE)
"""What nobody sees: blanks, controls, and what is no ASCII. A text with a backslash, which begins an escape, never comes so far."""

_Array: TypeAlias = Any
"""A numpy array; numpy is loaded when there is something to look for."""

_Seen: TypeAlias = tuple[_Array, _Array, _Array]
"""Visible characters (uint8), and where the first and the last character of each one's escape are in the text: the same
where it is none."""


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

    A run is enough since the text may have been cut, by the peer or by us. It may come as it is, percent-encoded, escaped
    as in JSON, within base64, and with blanks between its characters.
    """
    return redact_joined([text], secrets)[0]


def redact_joined(pieces: Sequence[str], secrets: Iterable[Secret]) -> list[str]:
    """Return `pieces` of one text, which somebody will join, so that the whole shows no secret; the mask stands once."""
    masked = list(pieces)
    spans = _spans("".join(pieces), tuple(secrets))
    begin, end = next(spans, (0, 0))
    at = 0  # where the piece begins in the text
    for number, piece in enumerate(pieces):
        kept, shown = [], 0  # the piece's text before `shown` is in `kept`
        while end > at and begin < at + len(piece):
            first, last = max(0, begin - at), min(len(piece), end - at)
            kept += [piece[shown:first], MASK if begin >= at else ""]
            shown = last
            if end > at + len(piece):
                break  # it goes on in the next piece
            begin, end = next(spans, (0, 0))
        if kept:
            masked[number] = "".join([*kept, piece[shown:]])
        at += len(piece)
    return masked


def redact_bytes(data: bytes, secrets: Iterable[Secret]) -> bytes:
    """Return `data` with every such run overwritten with zeros, for audio that a peer may send."""
    clear: bytearray | None = None
    for begin, end in _spans(data, tuple(secrets)):
        clear = bytearray(data) if clear is None else clear
        clear[begin:end] = bytes(end - begin)
    return data if clear is None else bytes(clear)


def shows(data: bytes, secrets: Iterable[Secret]) -> bool:
    """Return whether `data`, JSON or any other text, shows such a run."""
    return next(_spans(data, tuple(secrets)), None) is not None


def tail(text: str) -> str:
    """Return what of the end of `text` may begin a run that goes on behind it."""
    return re.sub(r"[^!-~]+", "", text)[-_CARRIED:]


# ── what a run is ──


@dataclass(frozen=True, slots=True)
class _Runs:
    """Every run of `SHORTEST` characters of some secrets, as machine words."""

    words: _Array
    """uint64, sorted."""

    sieve: _Array
    """bool, 2¹⁶: by a word's spread, whether it may be one of them."""

    halves: frozenset[int]
    """The four characters that begin at each of the first four of any of them, as half a word."""

    def plainly_absent(self, text: str | bytes) -> bool:
        """Return whether none is in `text`, as far as that can be seen at once; False: it has to be searched.

        Without escapes, what is to be seen is what is no blank; and of any eight characters in a row, one of the first four
        stands at a multiple of four.
        """
        if len(text) > _SMALL:
            return False
        data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
        if b"\\" in data or b"%" in data or b"&#" in data:
            return False
        seen = data.translate(None, _UNSEEN)
        whole = len(seen) - len(seen) % _HALF
        return self.halves.isdisjoint(memoryview(seen)[:whole].cast("I"))

    def within(self, seen: _Seen) -> Iterator[tuple[int, int]]:
        """Yield where each unbroken row of runs begins and ends, in order."""
        import numpy as np

        codes, firsts, lasts = seen
        count = len(codes) - SHORTEST + 1
        if count < 1:
            return
        words = np.ndarray(count, np.uint64, np.ascontiguousarray(codes), strides=(1,))
        maybe = np.flatnonzero(self.sieve.take(_spread(words)))
        found = words[maybe]
        places = self.words.searchsorted(found)
        runs = maybe[self.words.take(places, mode="clip") == found]
        if not len(runs):
            return
        begins, ends = firsts[runs], lasts[runs + SHORTEST - 1] + 1
        breaks = np.flatnonzero(begins[1:] > ends[:-1])
        for first, last in zip([0, *(breaks + 1)], [*breaks, -1], strict=True):
            yield int(begins[first]), int(ends[last])


def _spread(words: _Array) -> _Array:
    import numpy as np

    return ((words * np.uint64(_SPREAD)) >> np.uint64(48)).astype(np.intp)


@lru_cache(maxsize=8)
def _runs(secrets: tuple[Secret, ...]) -> _Runs | None:
    """Return the runs of `secrets`; None: none of them is so long.

    Of a header such as `Bearer …` only the credential is a secret, and of a token's name what is behind `auth_tokens/`.
    """
    import numpy as np

    found: set[bytes] = set()
    for secret in secrets:
        value = secret.reveal().strip().rpartition(" ")[2].removeprefix(_TOKENS)
        if len(value) < SHORTEST:
            continue
        said = value.encode(errors="surrogatepass")
        in_hex = said.hex().encode()
        for form in (said, in_hex, in_hex.upper(), *_within_base64(said)):
            looked_through = _decoded(_seen(_codes(form)))[0].tobytes()
            for shape in (looked_through, form.replace(b"\\", b"")):
                found.update(shape[at : at + SHORTEST] for at in range(len(shape) - SHORTEST + 1))
    if not found:
        return None
    words = np.sort(np.frombuffer(b"".join(found), np.uint64))
    sieve = np.zeros(2**16, bool)
    sieve[_spread(words)] = True
    halves = b"".join(run[at : at + _HALF] for run in found for at in range(_HALF))
    return _Runs(words, sieve, frozenset(memoryview(halves).cast("I")))


def _within_base64(value: bytes) -> Iterator[bytes]:
    """Yield what of `value` shows in the base64 of any text that holds it: three alignments in two alphabets."""
    for before in range(3):
        data = bytes(before) + value
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(data).rstrip(b"=")
            # The first characters also code what stands before, the last one what comes after.
            yield text[(0, 2, 3)[before] : len(text) - (len(data) % 3 != 0)]


# ── where one is ──


def _spans(text: str | bytes, secrets: tuple[Secret, ...]) -> Iterator[tuple[int, int]]:
    """Yield where each unbroken run of secrets begins and ends in `text`, in order."""
    if len(text) < SHORTEST or not secrets or (runs := _runs(secrets)) is None:
        return
    if runs.plainly_absent(text):
        return

    begin = end = -1
    at, before, told = 0, None, 0
    while at < len(text):
        stop = _block_end(text, at)
        seen = _seen(_codes(text[at:stop]), at)
        seen = seen if before is None else _joined(before, seen)
        for first, last in runs.within(_decoded(seen)):
            if first > end:
                if end >= 0:
                    yield begin, end
                    told += 1
                begin = first
                if told == _MOST_SPANS:
                    yield begin, len(text)
                    return
            end = last
        at, before = stop, _last(seen)
    if end >= 0:
        yield begin, end


def _block_end(text: str | bytes, at: int) -> int:
    """Return where the block that begins at `at` ends: never within an escape."""
    stop = at + _BLOCK
    if stop >= len(text):
        return len(text)
    escape = (
        text.find("\\", stop - _ESCAPE + 1, stop)
        if isinstance(text, str)
        else text.find(b"\\", stop - _ESCAPE + 1, stop)
    )
    return stop if escape < 0 else escape


def _codes(text: str | bytes) -> _Array:
    """Return the code of each character of `text` (uint8), 0 for what is no ASCII."""
    import numpy as np

    if isinstance(text, bytes):
        return np.frombuffer(text, np.uint8)
    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    wide = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return np.where(wide < 128, wide, 0).astype(np.uint8)


def _seen(codes: _Array, at: int = 0) -> _Seen:
    """Return what is to be seen of `codes`, the first of which is character `at`: no blanks, and no escapes of JSON."""
    import numpy as np

    visible = _is_visible(codes)
    slashes = np.flatnonzero(codes == ord("\\"))
    if not len(slashes):
        places = np.flatnonzero(visible) + at
        return codes[visible], places, places
    letters = slashes[slashes + 1 < len(codes)] + 1
    visible[letters[np.isin(codes[letters], list(b"nrtbf"))]] = False
    coded = slashes[slashes + _ESCAPE <= len(codes)]
    for place, sign in enumerate(b"u00", 1):
        coded = coded[codes[coded + place] == sign]
    coded, value = _hexadecimal(codes, coded, 4)
    if len(coded):
        for place in range(1, _ESCAPE):
            visible[coded + place] = False
        codes = codes.copy()
        codes[coded + _ESCAPE - 1] = value
        visible[coded + _ESCAPE - 1] = _is_visible(value)
    lasts = firsts = np.flatnonzero(visible) + at
    if len(coded):
        firsts = lasts - np.isin(lasts, coded + (_ESCAPE - 1 + at)) * (_ESCAPE - 1)
    return codes[visible], firsts, lasts


def _is_visible(codes: _Array) -> _Array:
    return _visible().take(codes)


@lru_cache(maxsize=1)
def _visible() -> _Array:
    """Return of each code whether it is that of a visible character; a backslash is none."""
    import numpy as np

    codes = np.arange(256)
    return (codes > ord(" ")) & (codes < _DELETE) & (codes != ord("\\"))


def _joined(first: _Seen, second: _Seen) -> _Seen:
    import numpy as np

    codes, firsts, lasts = (np.concatenate(pair) for pair in zip(first, second, strict=True))
    return codes, firsts, lasts


def _last(seen: _Seen) -> _Seen:
    """Return the end of `seen`, as much as a run may have of it that goes on in the next block."""
    codes, firsts, lasts = (column[-_CARRIED:] for column in seen)
    return codes, firsts, lasts


def _decoded(seen: _Seen) -> _Seen:
    """Return `seen` without percent-encoding and HTML's numeric references."""
    return _dereferenced(_unquoted(seen))


def _dereferenced(seen: _Seen) -> _Seen:
    """Return `seen` without HTML's numeric references."""
    import numpy as np

    codes, firsts, lasts = seen
    signs = np.flatnonzero(codes == ord("&"))
    signs = signs[signs + 1 < len(codes)]
    signs = signs[codes[signs + 1] == ord("#")]
    if not len(signs):
        return seen
    visible = np.ones(len(codes), bool)
    plain, begins = codes.copy(), firsts.copy()
    for before, base, digits in _REFERENCES:
        width = before + digits
        at = signs[signs + width < len(codes)]
        at = at[codes[at + width] == ord(";")]
        if base == 16:
            at = at[(codes[at + 2] | 0x20) == ord("x")]
        read = [_digits()[codes[at + place]].astype(int) for place in range(before, width)]
        right = np.all([digit < base for digit in read], axis=0)
        value = sum(digit * base**place for place, digit in enumerate(reversed(read)))
        right &= value < 128
        at, value = at[right], value[right]
        for place in range(width):
            visible[at + place] = False
        plain[at + width], begins[at + width] = value, firsts[at]
        visible[at + width] = _is_visible(value)
    return plain[visible], begins[visible], lasts[visible]


def _unquoted(seen: _Seen) -> _Seen:
    """Return `seen` without percent-encoding."""
    import numpy as np

    codes, firsts, lasts = seen
    signs = np.flatnonzero(codes == ord("%"))
    signs, value = _hexadecimal(codes, signs[signs + 2 < len(codes)], 1)
    if not len(signs):
        return seen
    visible = np.ones(len(codes), bool)
    visible[signs] = visible[signs + 1] = False
    visible[signs + 2] = _is_visible(value)
    codes, firsts = codes.copy(), firsts.copy()
    codes[signs + 2], firsts[signs + 2] = value, firsts[signs]
    return codes[visible], firsts[visible], lasts[visible]


def _hexadecimal(codes: _Array, signs: _Array, place: int) -> tuple[_Array, _Array]:
    """Return those `signs` that two hexadecimal digits stand `place` characters behind, and their values."""
    if not len(signs):
        return signs, codes[signs]
    digits = _digits()
    high, low = digits[codes[signs + place]], digits[codes[signs + place + 1]]
    right = (high < 16) & (low < 16)
    return signs[right], high[right] * 16 + low[right]


@lru_cache(maxsize=1)
def _digits() -> _Array:
    """Return the value of each character as a hexadecimal digit; 16: it is none."""
    import numpy as np

    values = np.full(256, 16, np.uint8)
    for value, digit in enumerate("0123456789abcdef"):
        values[[ord(digit), ord(digit.upper())]] = value
    return values
