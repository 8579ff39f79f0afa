"""`Verdict`: whether an answer is what its item expects.

Texts are compared as the profile `norm-1` writes them: case, punctuation and spacing do not count; a number may be written
in digits or in words. Judges one answer; does not know sessions, and does not ask whether an answer is good.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
import regex

from harness.text.locales import LOCALES
from harness.text.normalise import normalised
from harness.text.numerals import written_forms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.corpus.scenario import Expectation, ExpectedCall


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the model did."""

    text: str = ""
    """In its own words, as written or as its speech was transcribed."""

    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    """Name and arguments of the functions it called, in order."""

    spoke: bool = False
    """Whether any speech came."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an answer is what was expected."""

    passed: bool
    why: str | None = None
    """What is wrong with it, in words; None: nothing."""


def verdict(expected: Expectation, answer: Answer, locale: str) -> Verdict:
    """Return whether `answer` is all that is `expected`; the first thing that is not says why."""
    why = next(_failings(expected, answer, locale), None)
    return Verdict(passed=why is None, why=why)


def expectation(expected: Expectation) -> str:
    """Return what is expected, for people: `contains “Rome”`, `number 11`, `call get_temp(city="Gdynia")`, `silence`."""
    parts = ["silence"] if expected.silence else []
    if expected.tool is not None:
        parts.append(f"call {_shown(expected.tool.name, expected.tool.args)}")
    if expected.number is not None:
        within = f" ± {expected.tolerance:g}" if expected.tolerance else ""
        parts.append(f"number {expected.number:g}{within}")
    parts += [f"contains “{text}”" for text in expected.texts]
    return ", ".join(parts)


def _failings(expected: Expectation, answer: Answer, locale: str) -> Iterator[str]:
    if expected.silence:
        yield from _sounds(answer)
    if expected.tool is not None:
        yield from _wrong_calls(expected.tool, answer.calls)
    if answer.text:
        yield from _wrong_words(expected, answer, locale)
    elif expected.number is not None or expected.texts:
        yield "no words of an answer came"


def _sounds(answer: Answer) -> Iterator[str]:
    if answer.text:
        yield "it answered"
    if answer.spoke:
        yield "it spoke"
    if answer.calls:
        yield f"it called {answer.calls[0][0]}"


def _wrong_words(expected: Expectation, answer: Answer, locale: str) -> Iterator[str]:
    if expected.number is not None and not _names(
        expected.number, expected.tolerance, answer.text, locale
    ):
        named = [f"{number:g}" for number in _numbers(answer.text, locale)]
        yield f"the answer names {', '.join(named) or 'no number'}, not {expected.number:g}"
    for text in expected.texts:
        if not _holds(answer.text, text, locale):
            yield f"the answer does not contain “{text}”"


# ── Calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _wrong_calls(
    expected: ExpectedCall, calls: Sequence[tuple[str, Mapping[str, Any]]]
) -> Iterator[str]:
    named = [args for name, args in calls if name == expected.name]
    if any(_given(expected.args, args) for args in named):
        return
    if named:
        yield f"it called {_shown(expected.name, named[0])}"
    else:
        others = ", ".join(dict.fromkeys(name for name, _ in calls))
        yield f"it did not call {expected.name}" + (f", but {others}" if others else "")


def _given(expected: Mapping[str, Any], args: Mapping[str, Any]) -> bool:
    """Return whether `args` has every expected one; in texts neither case nor outer space counts."""
    return all(name in args and _same(value, args[name]) for name, value in expected.items())


def _same(expected: Any, given: Any) -> bool:
    if isinstance(expected, str) and isinstance(given, str):
        return expected.strip().casefold() == given.strip().casefold()
    if isinstance(expected, bool) or isinstance(given, bool):
        return expected is given
    return bool(expected == given)


def _shown(name: str, args: Mapping[str, Any]) -> str:
    values = (f"{key}={msgspec.json.encode(value).decode()}" for key, value in args.items())
    return f"{name}({', '.join(values)})"


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _holds(answer: str, text: str, locale: str) -> bool:
    """Return whether an answer has a text in it: as whole words, where the locale divides words."""
    said, wanted = normalised(answer, locale), normalised(text, locale)
    if LOCALES[locale].metric != "WER":
        return wanted.replace(" ", "") in said.replace(" ", "")
    return f" {wanted} " in f" {said} "


_DIGITS: Final = regex.compile(r"(?<![\w.])(-?)([0-9]+(?:\.[0-9]+)?)(?![0-9])")
_MINUS: Final = regex.compile(r"(?<![\w])[-−–](?=\p{Nd})")
_LONGEST_WORDS: Final = 1e15
"""Numbers from here on are looked for in digits alone."""

_TOLD_APART: Final = 1000
"""Numbers below this are told apart in words: `five` in `twenty-five` is none of its own."""

_LONGEST_TOLD_APART: Final = 20
"""Characters of the longest of them in Thai; where words are divided, none takes more than six words."""

_PAUSE: Final = regex.compile(
    r"""[.!?…;:,،؛؟।۔]["'”’»]*(?=\s)|\s\p{Pd}(?=\s)|[\p{Ps}\p{Pe}\n。、，！？；：]"""
)
"""No number below `_TOLD_APART` goes over one: `Twenty. Five more than fifteen.` names 20."""

_MINUS_WORD: Final = "minus"
"""How a sign is kept over normalising, which drops dashes; most languages of the guide have the word."""


def _numbers(answer: str, locale: str) -> list[float]:
    """Return the numbers that an answer writes in digits, whatever marks its locale puts into them."""
    said = normalised(_MINUS.sub(f" {_MINUS_WORD} ", answer), locale)
    return [
        float(("-" if found[1] else "") + found[2])
        for found in _DIGITS.finditer(said.replace(f"{_MINUS_WORD} ", "-"))
    ]


def _names(number: float, tolerance: float, answer: str, locale: str) -> bool:
    """Return whether an answer names a number: in digits to within `tolerance`, or in words that are no part of another.

    Parts of numbers from 1,000 on, and of those with a decimal mark, are not told from numbers of their own.
    """
    if any(abs(named - number) <= tolerance + 1e-9 for named in _numbers(answer, locale)):
        return True
    if abs(number) >= _LONGEST_WORDS:
        return False
    negative = number < 0
    digits = f"{abs(number):.6f}".rstrip("0").rstrip(".")
    parts = _PAUSE.split(answer) if abs(number) < _TOLD_APART else [answer]
    return any(signed == negative for part in parts for signed in _spelt_out(digits, part, locale))


def _spelt_out(digits: str, answer: str, locale: str) -> Iterator[bool]:
    """Yield each time an answer has a number in words, whether a minus stands before it."""
    own = _forms(digits, locale)
    said, divided = normalised(answer, locale), LOCALES[locale].metric == "WER"
    said = said if divided else said.replace(" ", "")
    if not any(form in said for form in own):
        return
    others = _numerals(locale)
    pieces = said.split() if divided else list(said)
    joint = " " if divided else ""
    longest = max(len(form.split() if divided else form) for form in own)
    at = 0
    while at < len(pieces):
        # The longest numeral that begins here; what it is made of is none of its own.
        for end in range(min(at + max(longest, _LONGEST_TOLD_APART), len(pieces)), at, -1):
            form = joint.join(pieces[at:end])
            if form in own:
                yield pieces[at - 1 : at] == [_MINUS_WORD]
            elif form not in others:
                continue
            at = end
            break
        else:
            at += 1


@cache
def _numerals(locale: str) -> frozenset[str]:
    """Return how the numbers that are told apart are written in words."""
    return frozenset().union(*(_forms(str(number), locale) for number in range(_TOLD_APART)))


def _forms(digits: str, locale: str) -> frozenset[str]:
    """Return how a number is written in words, normalised."""
    forms = (normalised(form, locale) for form in written_forms(digits, locale))
    if LOCALES[locale].metric != "WER":
        forms = (form.replace(" ", "") for form in forms)
    return frozenset(filter(None, forms))
