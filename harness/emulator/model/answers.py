"""What the emulator answers: by default it repeats what was heard or read, else as a file says.

A file has one JSON object a line; the first line that fits is the answer:

    {"when": {"heard": "how warm"}, "call": {"name": "get_temp", "args": {"city": "Rome"}}, "after": "{celsius} degrees"}

Knows texts; does not know how an answer is given, nor when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from harness.emulator.model.abilities import Abilities

Scheduling: TypeAlias = Literal["INTERRUPT", "WHEN_IDLE", "SILENT"]
"""What a function's late answer does: is spoken of at once, when nothing else is being said, or not at all."""


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the user said, as regular expressions that are searched for; case does not matter."""

    heard: str | None = None
    """In what was spoken."""

    text: str | None = None
    """In what was typed."""

    past: str | None = None
    """Looked for in all that the session remembers: what the user said before, and the history that was sent."""


class Call(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A function to call."""

    name: str
    args: dict[str, Any] = {}
    scheduling: Scheduling | None = None
    """Of its late answer, when the client's response does not say."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the file: a condition, and what is done."""

    when: When = When()
    """No condition: any turn."""

    say: str | None = None
    """`{1}` and `{name}` stand for groups of the expression that was found; None: what was heard or typed, unless a
    function is called."""

    think: str | None = None
    """The summary of a thought before it."""

    call: Call | None = None
    """Called where the session declares the function; elsewhere the line fits nothing."""

    after: str | None = None
    """What is said to the function's response; `{field}` stands for a field of it."""

    silent: bool = False
    """True: nothing is answered. Of use where the model may be silent; elsewhere the line fits nothing."""

    grounding: dict[str, Any] | None = None
    """`groundingMetadata`, where the session has a search tool."""

    def __post_init__(self) -> None:
        """Raise ValueError when it contradicts itself."""
        if self.silent and (self.say or self.call or self.grounding):
            raise ValueError("a silent answer says and calls nothing")
        if self.after is not None and self.call is None:
            raise ValueError("“after” follows a “call”, and there is none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A turn of the user, in words."""

    text: str
    heard: bool
    """Some of it was spoken."""

    typed: bool
    """Some of it was typed."""

    past: str = ""
    """All that is remembered, where an answer depends on it."""


class Answers:
    """The answers of a service, in the order of their precedence."""

    def __init__(self, lines: Iterable[Answer] = (), *, source: str | None = None) -> None:
        """Take the lines, and the name of the file that they are from; re.error when an expression is none."""
        self.source = source
        self._lines = [
            (
                one,
                _expression(one.when.heard),
                _expression(one.when.text),
                _expression(one.when.past),
            )
            for one in lines
        ]
        self.look_back = any(past is not None for *_, past in self._lines)
        """True: some answers depend on what was said before."""

    @classmethod
    def from_file(cls, path: Path) -> Answers:
        """Return the answers in `path`; InputError names the file and the line."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is no UTF-8 text") from error
        lines = []
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                lines.append(msgspec.json.decode(line, type=Answer))
                cls(lines[-1:])
            except msgspec.DecodeError as error:
                raise InputError(f"{path}, line {number} is no answer", why=str(error)) from error
            except re.error as error:
                raise InputError(
                    f"{path}, line {number} has no regular expression in “when”", why=str(error)
                ) from error
        return cls(lines, source=path.name)

    def to(self, said: Said, able: Abilities) -> Answer:
        """Return the answer to a turn, with its groups filled in and `say` as it is to be said."""
        for answer, heard, typed, past in self._lines:
            if answer.silent and not able.silence:
                continue
            if answer.call is not None and answer.call.name not in able.functions:
                continue
            groups: dict[str, Any] = {}
            if heard is not None and not (said.heard and _found(heard, said.text, groups)):
                continue
            if typed is not None and not (said.typed and _found(typed, said.text, groups)):
                continue
            if past is not None and not _found(past, said.past, groups):
                continue
            if answer.say is not None:
                return msgspec.structs.replace(answer, say=filled(answer.say, groups))
            if answer.call is None and not answer.silent:
                return msgspec.structs.replace(answer, say=said.text.strip())
            return answer
        return Answer(say=said.text.strip())


REPEAT: Final = Answers()
"""Repeats everything."""

_FIELD: Final = re.compile(r"\{(\w+)\}")


def filled(text: str, fields: Mapping[str, Any]) -> str:
    """Return `text` with each `{field}` replaced; one that is not there stays as it stands."""
    return _FIELD.sub(lambda one: str(fields.get(one[1], one[0])), text)


def _expression(text: str | None) -> re.Pattern[str] | None:
    return None if text is None else re.compile(text, re.IGNORECASE)


def _found(expression: re.Pattern[str], text: str, groups: dict[str, Any]) -> bool:
    """Return whether `text` has what is looked for, and note its groups."""
    found = expression.search(text)
    if found is None:
        return False
    named = found.groupdict("")
    numbered = {str(number): one or "" for number, one in enumerate(found.groups(), 1)}
    groups.update(numbered | named)
    return True
